/* cli/refs.c - which objects a command is about */
#include "cli/refs.h"

#include "base/own.h"

#include <stdlib.h>

#define VERSION_TEXT_MAX 512

void refs_init(struct refs *refs)
{
	*refs = (struct refs){.count = 0};
}

void refs_deinit(struct refs *refs)
{
	for (size_t i = 0; i < refs->count; i++) {
		free(refs->list[i].ns);
		free(refs->list[i].name);
		free(refs->list[i].source);
		json_decref(refs->list[i].doc);
	}
	free(refs->list);
	refs_init(refs);
}

int refs_each(struct cli *cli, const struct refs *refs, ref_fn *one, void *arg)
{
	int rc = refs->rc;

	for (size_t i = 0; i < refs->count; i++)
		rc = worse(rc, one(cli, arg, &refs->list[i]));
	return rc;
}

void ref_label(const struct ref *ref, struct buf *out)
{
	kind_label(ref->kind, out);
	buf_addf(out, "/%s", ref->name);
}

char *ref_path(const struct ref *ref, const char *sub)
{
	return kind_path(ref->kind, ref->ns, ref->name, sub);
}

static struct ref *add_ref(struct refs *refs, const struct kind_info *kind, const char *ns,
			   struct str_view name)
{
	struct ref *ref;

	refs->list = xrealloc(refs->list, (refs->count + 1) * sizeof(*refs->list));
	ref = &refs->list[refs->count++];
	*ref = (struct ref){
		.kind = kind,
		.ns = kind->namespaced ? xstrdup(ns) : NULL,
		.name = sv_dup(name),
	};
	return ref;
}

/* ---- from files ---- */

/* Of a kind that is known by its name, the version that was meant is told. */
static int refuse_kind(struct cli *cli, const char *source, const char *version, const char *kind)
{
	const struct kind_info *meant = kinds_by_name(&cli->kinds, sv_from(kind));
	AUTO(auto_free) char *hint = NULL;
	struct buf api_version;

	buf_init(&api_version, VERSION_TEXT_MAX);
	if (meant != NULL) {
		kind_api_version(meant, &api_version);
		hint = xasprintf("are \"apiVersion: %s\" and \"kind: %s\" meant?",
				 buf_cstr(&api_version), meant->kind);
	}
	buf_deinit(&api_version);
	return cli_error(
		cli,
		"unable to recognize \"%s\": no matches for kind \"%s\" in version \"%s\" (%s)",
		source, kind, version,
		hint != NULL ? hint : "sallyport api-resources lists the kinds");
}

static int refuse_doc(struct cli *cli, const struct manifest_doc *doc)
{
	const char *version = json_str_at(doc->json, "apiVersion");
	const char *kind = json_str_at(doc->json, "kind");
	struct str_view name = json_sv_at(doc->json, "metadata.name");

	if (version == NULL || kind == NULL)
		return cli_error(cli, "%s: a document%s%.*s%s lacks %s", doc->source,
				 name.len == 0 ? "" : " (metadata.name \"", SV_ARG(name),
				 name.len == 0 ? "" : "\")", kind == NULL ? "kind" : "apiVersion");
	return refuse_kind(cli, doc->source, version, kind);
}

static int check_namespace(struct cli *cli, const char *given)
{
	if (!cli->ns_given || given == NULL || strcmp(given, cli->ns) == 0)
		return 0;
	return cli_error(cli,
			 "the namespace from the provided object \"%s\" does not match the "
			 "namespace \"%s\". You must pass '--namespace=%s' to perform this "
			 "operation.",
			 given, cli->ns, given);
}

static int add_doc(struct cli *cli, struct refs *refs, const struct manifest_doc *doc)
{
	const struct kind_info *kind = kinds_by_gvk(
		&cli->kinds, json_sv_at(doc->json, "apiVersion"), json_sv_at(doc->json, "kind"));
	const char *ns = json_str_at(doc->json, "metadata.namespace");
	struct str_view name = json_sv_at(doc->json, "metadata.name");
	struct ref *ref;

	if (kind == NULL)
		return refuse_doc(cli, doc);
	if (name.len == 0 && json_str_at(doc->json, "metadata.generateName") == NULL)
		return cli_error(cli, "%s: a %s lacks metadata.name", doc->source, kind->kind);
	ns = ns != NULL && ns[0] != '\0' ? ns : NULL;
	if (kind->namespaced && check_namespace(cli, ns) != 0)
		return EXIT_FAILED;
	ref = add_ref(refs, kind, ns == NULL ? cli->ns : ns, name);
	ref->doc = json_incref(doc->json);
	ref->source = xstrdup(doc->source);
	if (ref->ns != NULL)
		json_set_at(ref->doc, "metadata.namespace", json_string(ref->ns));
	return 0;
}

static int read_files(struct cli *cli, struct manifest *manifest)
{
	bool recursive = args_bool(&cli->args, FLAG_RECURSIVE, false);
	struct err err = {.code = ERR_NONE};
	const char *name;
	int rc = 0;

	for (size_t it = 0; (name = args_next(&cli->args, FLAG_FILE, &it)) != NULL;) {
		if (manifest_read(manifest, name, recursive, &err) < 0)
			rc = cli_error(cli, "%s", err.msg);
	}
	return rc;
}

int refs_of_files(struct cli *cli, struct refs *refs)
{
	struct manifest manifest;
	int rc;

	if (args_text(&cli->args, FLAG_FILE) == NULL)
		return cli_usage(cli, "must specify -f");
	manifest_init(&manifest);
	rc = read_files(cli, &manifest);
	if (rc == 0 && manifest.count == 0)
		rc = cli_error(cli, "no objects passed to %s", cli->usage);
	if (rc == 0 && cli_learn(cli) < 0)
		rc = EXIT_FAILED;
	for (size_t i = 0; rc == 0 && i < manifest.count; i++)
		refs->rc = worse(refs->rc, add_doc(cli, refs, &manifest.docs[i]));
	manifest_deinit(&manifest);
	return rc;
}

/* ---- kinds in words ---- */

static void add_kind(struct word_kinds *kinds, const struct kind_info *kind)
{
	for (size_t i = 0; i < kinds->count; i++) {
		if (kinds->list[i] == kind)
			return;
	}
	if (kinds->count < WORD_KINDS_MAX)
		kinds->list[kinds->count++] = kind;
}

static bool add_category(const struct cli *cli, struct str_view word, struct word_kinds *kinds)
{
	bool found = false;

	for (size_t i = 0; i < cli->kinds.count; i++) {
		if (!kind_in_category(&cli->kinds.list[i], word))
			continue;
		found = true;
		add_kind(kinds, &cli->kinds.list[i]);
	}
	return found;
}

int word_kinds(struct cli *cli, struct str_view word, struct word_kinds *kinds)
{
	if (cli_learn(cli) < 0)
		return EXIT_FAILED;
	while (word.data != NULL) {
		struct str_view one = sv_split(&word, ',');
		const struct kind_info *kind;

		if (one.len == 0)
			continue;
		if (kinds_by_word(&cli->kinds, one) == NULL && add_category(cli, one, kinds))
			continue;
		kind = cli_kind(cli, one);
		if (kind == NULL)
			return EXIT_FAILED;
		add_kind(kinds, kind);
	}
	return 0;
}

/* ---- from words ---- */

static int add_pair(struct cli *cli, struct refs *refs, const char *word)
{
	struct str_view name = sv_from(word), kind_word = sv_split(&name, '/');
	const struct kind_info *kind;

	if (name.data == NULL)
		return cli_usage(cli,
				 "there is no need to specify a resource type as a separate "
				 "argument when passing arguments in resource/name form, and "
				 "\"%s\" is not of that form (e.g. gateway/web)",
				 word);
	if (kind_word.len == 0 || name.len == 0 || sv_find(name, '/') != SV_NOT_FOUND)
		return cli_usage(cli, "\"%s\": KIND/NAME is due", word);
	kind = cli_kind(cli, kind_word);
	if (kind == NULL)
		return EXIT_FAILED;
	add_ref(refs, kind, cli->ns, name);
	return 0;
}

static int add_pairs(struct cli *cli, struct refs *refs, size_t count)
{
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = add_pair(cli, refs, cli->args.words[i]);
	return rc;
}

static int add_names(struct cli *cli, struct refs *refs, const struct word_kinds *kinds,
		     size_t count)
{
	for (size_t k = 0; k < kinds->count; k++) {
		for (size_t i = 1; i < count; i++) {
			struct str_view name = sv_from(cli->args.words[i]);

			if (name.len == 0 || sv_find(name, '/') != SV_NOT_FOUND)
				return cli_usage(cli, "\"%.*s\" is not the name of an object",
						 SV_ARG(name));
			add_ref(refs, kinds->list[k], cli->ns, name);
		}
	}
	return 0;
}

static int add_listed(struct cli *cli, struct refs *refs, const struct kind_info *kind)
{
	bool everywhere = args_bool(&cli->args, FLAG_ALL_NAMESPACES, false);
	AUTO(auto_free) char *path = kind_path(kind, everywhere ? NULL : cli->ns, NULL, NULL);
	AUTO(auto_json) json_t *list = NULL;
	struct fault fault;
	const json_t *item;
	size_t i;

	path_add(&path, "labelSelector", args_text(&cli->args, FLAG_SELECTOR));
	path_add(&path, "fieldSelector", args_text(&cli->args, FLAG_FIELD_SELECTOR));
	fault_init(&fault);
	list = cli_get(cli, path, &fault);
	if (list == NULL)
		return cli_fault(cli, &fault, NULL);
	json_array_foreach(json_member(list, "items"), i, item)
	{
		const char *ns = json_str_at(item, "metadata.namespace");

		add_ref(refs, kind, ns == NULL ? cli->ns : ns, json_sv_at(item, "metadata.name"));
	}
	return 0;
}

static int add_kinds(struct cli *cli, const struct refs_how *how, struct refs *refs)
{
	bool select = args_text(&cli->args, FLAG_SELECTOR) != NULL ||
		      args_text(&cli->args, FLAG_FIELD_SELECTOR) != NULL ||
		      args_bool(&cli->args, FLAG_ALL, false);
	struct word_kinds kinds = {.count = 0};
	int rc = word_kinds(cli, sv_from(cli->args.words[0]), &kinds);

	if (rc != 0)
		return rc;
	if (how->word_count > 1 && select)
		return cli_usage(cli, "name cannot be provided when a selector is specified");
	if (how->word_count > 1 && args_bool(&cli->args, FLAG_ALL_NAMESPACES, false))
		return cli_usage(cli, "a resource cannot be retrieved by name across all "
				      "namespaces");
	if (how->word_count > 1)
		return add_names(cli, refs, &kinds, how->word_count);
	if (!select && !how->may_list)
		return cli_usage(cli, "resource(s) were provided, but no name was specified "
				      "(-l LABELS or --all mean several)");
	for (size_t k = 0; k < kinds.count && rc == 0; k++)
		rc = add_listed(cli, refs, kinds.list[k]);
	return rc;
}

int refs_of_args(struct cli *cli, const struct refs_how *how, struct refs *refs)
{
	if (args_text(&cli->args, FLAG_FILE) != NULL) {
		if (how->word_count > 0)
			return cli_usage(cli, "names beside -f: one of them is too much");
		return refs_of_files(cli, refs);
	}
	if (how->word_count == 0)
		return cli_usage(cli, "you must specify the objects: KIND NAME, KIND/NAME or -f "
				      "FILE");
	if (strchr(cli->args.words[0], '/') != NULL)
		return add_pairs(cli, refs, how->word_count);
	return add_kinds(cli, how, refs);
}

static void add_kind_word(struct args *args, const char *kind)
{
	args->words = xrealloc(args->words, (args->word_count + 2) * sizeof(*args->words));
	memmove(args->words + 1, args->words, args->word_count * sizeof(*args->words));
	args->words[0] = kind;
	args->word_count++;
}

int refs_of_kind(struct cli *cli, const char *kind, struct refs *refs)
{
	struct args *args = &cli->args;
	struct refs_how how = {.word_count = 0};

	if (cli_learn(cli) < 0)
		return EXIT_FAILED;
	if (args->word_count == 0 || (strchr(args->words[0], '/') == NULL &&
				      kinds_by_word(&cli->kinds, sv_from(args->words[0])) == NULL))
		add_kind_word(args, kind);
	how.word_count = args->word_count;
	return refs_of_args(cli, &how, refs);
}
