/* cli/describe.c - describe: all about an object, in the order of kubectl's describe */
#include "cli/describe.h"
#include "cli/verb.h"
#include "cli/why.h"

#include "base/clock.h"
#include "base/own.h"

#include <stdlib.h>

#define TEXT_MAX (64u << 20)

struct describing {
	bool events;
	size_t shown;
};

static bool is_kind(const struct ref *ref, const char *group, const char *kind)
{
	return sv_eq(ref->kind->group, sv_from(group)) && strcmp(ref->kind->kind, kind) == 0;
}

/* Metadata but for what stands at the top, and what is of no use to people. */
static json_t *rest_of_metadata(const json_t *object)
{
	static const char *const shown[] = {"name", "namespace", "labels", "annotations",
					    "managedFields"};
	json_t *meta = json_deep_copy(json_object_get(object, "metadata"));

	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		json_object_del(meta, shown[i]);
	return meta;
}

/* Everything else: spec, status, and what a kind has beside them. */
static json_t *body_of(const json_t *object)
{
	json_t *body = json_copy((json_t *)(uintptr_t)object);

	json_object_del(body, "apiVersion");
	json_object_del(body, "kind");
	json_object_set_new(body, "metadata", rest_of_metadata(object));
	return body;
}

static void add_head(const json_t *object, struct buf *out)
{
	struct str_view ns = json_sv_at(object, "metadata.namespace");

	buf_addf(out, "%-14s%.*s\n", "Name:", SV_ARG(json_sv_at(object, "metadata.name")));
	if (ns.len > 0)
		buf_addf(out, "%-14s%.*s\n", "Namespace:", SV_ARG(ns));
	describe_map("Labels:", json_at(object, "metadata.labels"), out);
	describe_map("Annotations:", json_at(object, "metadata.annotations"), out);
}

static void add_body(const struct ref *ref, const json_t *object, struct buf *out)
{
	struct describe_how how = {.kind = ref->kind->kind, .now = clock_wall()};
	AUTO(auto_json) json_t *body = body_of(object);

	buf_addf(out, "%-14s%.*s\n%-14s%.*s\n",
		 "API Version:", SV_ARG(json_sv_at(object, "apiVersion")),
		 "Kind:", SV_ARG(json_sv_at(object, "kind")));
	describe_members(&how, body, out);
}

static void add_events(struct cli *cli, const struct ref *ref, const json_t *object,
		       struct buf *out)
{
	AUTO(auto_json) json_t *events = NULL;

	if (is_kind(ref, "cert-manager.io", "Certificate")) {
		describe_order(cli, ref, object, out);
		return;
	}
	events = events_of(cli, ref, object);
	describe_events(events, false, clock_wall(), out);
	if (is_kind(ref, "cert-manager.io", "Issuer") ||
	    is_kind(ref, "cert-manager.io", "ClusterIssuer"))
		why_issuer(object, clock_wall(), out);
}

static void describe(struct cli *cli, const struct describing *describing, const struct ref *ref,
		     const json_t *object)
{
	struct buf out;

	buf_init(&out, TEXT_MAX);
	if (describing->shown > 0)
		buf_addf(&out, "\n\n");
	add_head(object, &out);
	if (is_kind(ref, "", "Secret"))
		describe_secret(object, &out);
	else if (is_kind(ref, "", "ConfigMap"))
		describe_configmap(object, &out);
	else
		add_body(ref, object, &out);
	if (describing->events && !is_kind(ref, "", "Secret") && !is_kind(ref, "", "Event"))
		add_events(cli, ref, object, &out);
	out_text(&cli->out, buf_view(&out));
	buf_deinit(&out);
}

/* Objects whose names begin with what was typed. */
static bool describe_prefix(struct cli *cli, struct describing *describing, const struct ref *ref)
{
	AUTO(auto_free) char *path = kind_path(ref->kind, ref->ns, NULL, NULL);
	AUTO(auto_json) json_t *list = NULL;
	const json_t *item;
	struct fault fault;
	bool found = false;
	size_t i;

	fault_init(&fault);
	list = cli_get(cli, path, &fault);
	fault_deinit(&fault);
	json_array_foreach(json_member(list, "items"), i, item)
	{
		struct ref one = *ref;

		if (!sv_starts(json_sv_at(item, "metadata.name"), sv_from(ref->name)))
			continue;
		one.name = (char *)(uintptr_t)json_str_at(item, "metadata.name");
		describe(cli, describing, &one, item);
		describing->shown++;
		found = true;
	}
	return found;
}

static int describe_one(struct cli *cli, void *arg, const struct ref *ref)
{
	struct describing *describing = arg;
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json) json_t *object = NULL;
	struct fault fault;

	fault_init(&fault);
	object = cli_get(cli, path, &fault);
	if (object == NULL) {
		if (!fault_is(&fault, "NotFound") || ref->doc != NULL ||
		    !describe_prefix(cli, describing, ref))
			return cli_fault(cli, &fault, NULL);
		fault_deinit(&fault);
		return EXIT_DONE;
	}
	describe(cli, describing, ref, object);
	describing->shown++;
	return EXIT_DONE;
}

int verb_describe(struct cli *cli)
{
	struct describing describing = {.events = args_bool(&cli->args, FLAG_SHOW_EVENTS, true)};
	struct refs_how how = {.word_count = cli->args.word_count, .may_list = true};
	struct refs refs;
	int rc;

	refs_init(&refs);
	rc = refs_of_args(cli, &how, &refs);
	if (rc == 0 && refs.count == 0 && refs.rc == 0)
		out_fmt(&cli->err, "No resources found in %s namespace.\n", cli->ns);
	if (rc == 0)
		rc = refs_each(cli, &refs, describe_one, &describing);
	refs_deinit(&refs);
	return rc;
}
