/* cli/patch.c - patch: fields of objects, by a JSON, merge or strategic patch */
#include "cli/verb.h"
#include "cli/write.h"

#include "base/own.h"
#include "codec/patch.h"
#include "codec/yaml.h"

#include <stdlib.h>

struct patch_type {
	const char *name, *media;
	bool list; /* of operations */
};

static const struct patch_type types[] = {
	{"strategic", "application/strategic-merge-patch+json", false},
	{"merge", "application/merge-patch+json", false},
	{"json", "application/json-patch+json", true},
};

struct patch {
	struct write_how how;
	const struct patch_type *type;
	bool any_type; /* no --type: kinds that know no strategic patches get a merge patch */
	const char *sub;
	json_t *doc;
};

/* ---- the patch ---- */

static int read_type(struct cli *cli, struct patch *patch)
{
	const char *text = args_text(&cli->args, FLAG_TYPE);

	patch->any_type = text == NULL;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(text == NULL ? "strategic" : text, types[i].name) == 0) {
			patch->type = &types[i];
			return 0;
		}
	}
	return cli_usage(cli, "--type must be one of json, merge, strategic, not \"%s\"", text);
}

/* YAML or JSON, one document. */
static int parse(struct cli *cli, struct patch *patch, struct str_view text, const char *source)
{
	struct err err = {.code = ERR_NONE};
	AUTO(auto_json) json_t *docs = yaml_parse(text, &err);
	json_t *doc = json_array_get(docs, 0);

	if (docs == NULL)
		return cli_error(cli, "unable to parse %s: %s", source, err.msg);
	if (json_array_size(docs) != 1)
		return cli_error(cli, "%s holds %zu documents: one patch is due", source,
				 json_array_size(docs));
	if (patch->type->list ? !json_is_array(doc) : !json_is_object(doc))
		return cli_error(cli, "%s is %s: a patch of --type=%s is %s", source,
				 json_kind_words(doc), patch->type->name,
				 patch->type->list ? "a list of operations" : "an object");
	patch->doc = json_incref(doc);
	return 0;
}

static int read_file(struct cli *cli, struct patch *patch, const char *name)
{
	struct err err = {.code = ERR_NONE};
	struct buf text;
	int rc;

	buf_init(&text, YAML_TEXT_MAX);
	if (manifest_slurp(name, &text, &err) < 0)
		rc = cli_error(cli, "%s", err.msg);
	else
		rc = parse(cli, patch, buf_view(&text), name);
	buf_deinit(&text);
	return rc;
}

static int read_doc(struct cli *cli, struct patch *patch)
{
	const char *text = args_text(&cli->args, FLAG_PATCH);
	const char *file = args_text(&cli->args, FLAG_PATCH_FILE);

	if ((text == NULL) == (file == NULL))
		return cli_usage(cli, "must specify %s",
				 text == NULL ? "--patch or --patch-file"
					      : "one of --patch and --patch-file");
	return text != NULL ? parse(cli, patch, sv_from(text), "--patch")
			    : read_file(cli, patch, file);
}

/* ---- one object ---- */

static json_t *send(struct cli *cli, const struct patch *patch, const struct ref *ref,
		    struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(ref, patch->sub);
	json_t *object;

	write_params(&patch->how, &path);
	object = cli_send(cli, &(struct cli_body){"PATCH", path, patch->type->media, patch->doc},
			  fault);
	if (object == NULL && patch->any_type && fault->http == 415)
		object = cli_send(cli,
				  &(struct cli_body){"PATCH", path, "application/merge-patch+json",
						     patch->doc},
				  fault);
	return object;
}

/* What a dry run of the client shows: without the keys of lists that only the server knows. */
static json_t *preview(const struct patch *patch, const json_t *before, struct fault *fault)
{
	return patch->type->list ? patch_json(before, patch->doc, &fault->err)
				 : patch_merge(before, patch->doc);
}

static int patch_one(struct cli *cli, void *arg, const struct ref *ref)
{
	struct patch *patch = arg;
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_free) char *context = write_context("patching", ref->source);
	AUTO(auto_json) json_t *before = NULL;
	AUTO(auto_json) json_t *after = NULL;
	bool same;
	struct fault fault;

	fault_init(&fault);
	before = cli_get(cli, path, &fault);
	if (before != NULL)
		after = patch->how.dry == DRY_CLIENT ? preview(patch, before, &fault)
						     : send(cli, patch, ref, &fault);
	if (after == NULL)
		return cli_fault(cli, &fault, context);
	same = write_changed_nothing(before, after, patch->sub != NULL);
	fault_deinit(&fault);
	return write_told(cli, &patch->how, after, same ? "patched (no change)" : "patched");
}

int verb_patch(struct cli *cli)
{
	struct patch patch = {.sub = args_text(&cli->args, FLAG_SUBRESOURCE)};
	struct refs_how how = {.word_count = cli->args.word_count};
	struct refs refs;
	int rc = write_how_read(cli, &patch.how);

	if (rc == 0)
		rc = read_type(cli, &patch);
	if (rc == 0)
		rc = read_doc(cli, &patch);
	refs_init(&refs);
	if (rc == 0)
		rc = refs_of_args(cli, &how, &refs);
	if (rc == 0)
		rc = refs_each(cli, &refs, patch_one, &patch);
	refs_deinit(&refs);
	json_decref(patch.doc);
	return rc;
}
