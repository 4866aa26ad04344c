/* cli/explain.c - explain: the fields of a kind, as the daemon's OpenAPI documents tell */
#include "cli/verb.h"

#include "base/own.h"

#include <stdlib.h>

#define WRAP_COLUMNS 80
#define DEPTH_MAX    32
#define TYPE_MAX     512
#define VERSION_MAX  512

/* ---- schemas ---- */

/* "string", "[]Object", "map[string]string" */
static void type_words(const json_t *schema, struct buf *out)
{
	struct str_view type = json_sv_at(schema, "type");
	const json_t *below = json_member(schema, "additionalProperties");

	if (sv_eq(type, SV("array"))) {
		(void)buf_addf(out, "[]");
		type_words(json_member(schema, "items"), out);
	} else if (below != NULL) {
		(void)buf_addf(out, "map[string]");
		type_words(below, out);
	} else if (sv_eq(json_sv_at(schema, "format"), SV("int-or-string"))) {
		(void)buf_addf(out, "IntOrString");
	} else {
		(void)buf_addf(
			out, "%.*s",
			SV_ARG(type.len == 0 || sv_eq(type, SV("object")) ? SV("Object") : type));
	}
}

/* The members of a value, of its items, or of what a map holds; NULL: it has none. */
static const json_t *properties_of(const json_t *schema)
{
	for (unsigned depth = 0; schema != NULL && depth < DEPTH_MAX; depth++) {
		const json_t *properties = json_member(schema, "properties");
		const json_t *items = json_member(schema, "items");

		if (properties != NULL)
			return properties;
		schema = items != NULL ? items : json_member(schema, "additionalProperties");
	}
	return NULL;
}

static bool is_required(const json_t *schema, const char *name)
{
	const json_t *word;
	size_t i;

	while (json_member(schema, "items") != NULL)
		schema = json_member(schema, "items");
	json_array_foreach(json_member(schema, "required"), i, word)
	{
		if (strcmp(json_string_value(word), name) == 0)
			return true;
	}
	return false;
}

/* ---- words ---- */

static void wrap(struct out *out, struct str_view text, int indent)
{
	int column = 0;

	while (text.data != NULL && text.len > 0) {
		struct str_view word = sv_split(&text, ' ');
		int width = (int)text_width(word);

		if (column > 0 && column + 1 + width > WRAP_COLUMNS) {
			out_fmt(out, "\n");
			column = 0;
		}
		if (column == 0)
			out_fmt(out, "%*s", indent, "");
		else
			out_fmt(out, " ");
		column = (column == 0 ? indent : column + 1) + width;
		out_text(out, word);
	}
	out_fmt(out, "\n");
}

static void show_enum(struct out *out, const json_t *schema, int indent)
{
	const json_t *word;
	size_t i;

	if (json_member(schema, "enum") == NULL)
		return;
	out_fmt(out, "%*senum:", indent, "");
	json_array_foreach(json_member(schema, "enum"), i, word)
	{
		out_fmt(out, "%s %s", i == 0 ? "" : ",", json_string_value(word));
	}
	out_fmt(out, "\n");
}

static void show_head(struct out *out, const char *name, const json_t *schema, bool required,
		      int indent)
{
	struct buf type;

	buf_init(&type, TYPE_MAX);
	type_words(schema, &type);
	out_fmt(out, "%*s%s\t<%s>%s\n", indent, "", name, buf_cstr(&type),
		required ? " -required-" : "");
	buf_deinit(&type);
}

static void show_fields(struct out *out, const json_t *schema, bool recursive, int depth)
{
	json_t *properties = (json_t *)(uintptr_t)properties_of(schema), *member;
	const char *name;
	int indent = 2 + 2 * depth;

	json_object_foreach(properties, name, member)
	{
		show_head(out, name, member, is_required(schema, name), indent);
		show_enum(out, member, indent + 2);
		if (recursive && depth < DEPTH_MAX) {
			show_fields(out, member, true, depth + 1);
			continue;
		}
		if (json_sv_at(member, "description").len > 0)
			wrap(out, json_sv_at(member, "description"), indent + 2);
		out_fmt(out, "\n");
	}
}

static void show(struct cli *cli, const struct kind_info *kind, const json_t *schema,
		 const char *name)
{
	struct out *out = &cli->out;
	struct str_view words = json_sv_at(schema, "description");

	if (kind->group.len > 0)
		out_fmt(out, "GROUP:      %.*s\n", SV_ARG(kind->group));
	out_fmt(out, "KIND:       %s\nVERSION:    %.*s\n\n", kind->kind, SV_ARG(kind->version));
	if (name != NULL) {
		out_fmt(out, "FIELD: ");
		show_head(out, name, schema, false, 0);
		show_enum(out, schema, 4);
		out_fmt(out, "\n");
	}
	if (words.len > 0) {
		out_fmt(out, "DESCRIPTION:\n");
		wrap(out, words, 4);
		out_fmt(out, "\n");
	}
	if (properties_of(schema) == NULL)
		return;
	out_fmt(out, "FIELDS:\n");
	show_fields(out, schema, args_bool(&cli->args, FLAG_EXPLAIN_ALL, false), 0);
}

/* ---- the verb ---- */

static const json_t *schema_of(const json_t *document, const struct kind_info *kind)
{
	json_t *schemas = json_at(document, "components.schemas"), *schema;
	const char *name;

	json_object_foreach(schemas, name, schema)
	{
		const json_t *is =
			json_array_get(json_member(schema, "x-kubernetes-group-version-kind"), 0);

		if (sv_eq(json_sv_at(is, "kind"), sv_from(kind->kind)))
			return schema;
	}
	return NULL;
}

static json_t *document_of(struct cli *cli, const struct kind_info *kind)
{
	AUTO(auto_free) char *path = NULL;
	struct fault fault;
	struct buf version;
	json_t *document;

	buf_init(&version, VERSION_MAX);
	kind_api_version(kind, &version);
	path = xasprintf("/openapi/v3/%s/%s", kind->group.len == 0 ? "api" : "apis",
			 buf_cstr(&version));
	buf_deinit(&version);
	fault_init(&fault);
	document = cli_get(cli, path, &fault);
	if (document == NULL)
		(void)cli_fault(cli, &fault, NULL);
	else
		fault_deinit(&fault);
	return document;
}

int verb_explain(struct cli *cli)
{
	struct str_view rest = sv_from(cli->args.word_count == 1 ? cli->args.words[0] : NULL);
	struct str_view word = sv_split(&rest, '.');
	AUTO(auto_json) json_t *document = NULL;
	AUTO(auto_free) char *name = NULL;
	const struct kind_info *kind;
	const json_t *schema;

	if (word.len == 0)
		return cli_usage(cli,
				 "KIND[.FIELD...] is due (sallyport api-resources lists kinds)");
	kind = cli_kind(cli, word);
	document = kind == NULL ? NULL : document_of(cli, kind);
	schema = schema_of(document, kind);
	while (schema != NULL && rest.data != NULL) {
		free(name);
		name = sv_dup(sv_split(&rest, '.'));
		schema = json_member(properties_of(schema), name);
	}
	if (document == NULL)
		return EXIT_FAILED;
	if (schema == NULL)
		return cli_error(cli, "field \"%s\" does not exist", name == NULL ? "" : name);
	show(cli, kind, schema, name);
	return EXIT_DONE;
}
