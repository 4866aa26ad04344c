/* api/openapi.c - as much of OpenAPI as kubectl needs to create, apply and dry-run
 *
 * /openapi/v2 is protobuf (openapiv2.Document of gnostic): a path for each kind whose patch
 * operation takes dryRun, fieldManager and fieldValidation. It names no fields, since a client that
 * knows some fields refuses the others. Fields are in /openapi/v3 (openapi_v3.c).
 */
#include "api/serve.h"

#include "base/own.h"

#include <string.h>

#define OPENAPI_TYPE "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
#define DOCUMENT_MAX (64u << 10)
#define MESSAGE_MAX  1024u

/* One length-delimited field: all that this document is made of. */
static void put(struct buf *out, unsigned field, struct str_view value)
{
	size_t len = value.len;

	buf_addc(out, (char)(field << 3 | 2)); /* fields up to 15 */
	for (; len >= 0x80; len >>= 7)
		buf_addc(out, (char)(0x80 | (len & 0x7f)));
	buf_addc(out, (char)len);
	buf_add(out, value);
}

static void put_text(struct buf *out, unsigned field, const char *text)
{
	put(out, field, sv_from(text));
}

/* Wraps the content of inner, which is emptied, into a field of out. */
static void put_message(struct buf *out, unsigned field, struct buf *inner)
{
	put(out, field, buf_view(inner));
	buf_reset(inner);
}

/* ParametersItem{1: Parameter{2: NonBodyParameter{3: QueryParameter{2: in, 4: name, 6: type}}}} */
static void put_parameter(struct buf *operation, const char *name)
{
	struct buf a, b;

	buf_init(&a, MESSAGE_MAX);
	buf_init(&b, MESSAGE_MAX);
	put_text(&a, 2, "query");
	put_text(&a, 4, name);
	put_text(&a, 6, "string");
	put_message(&b, 3, &a);
	put_message(&a, 2, &b);
	put_message(&b, 1, &a);
	put_message(operation, 8, &b);
	buf_deinit(&a);
	buf_deinit(&b);
}

/* NamedAny{1: name, 2: Any{2: yaml}} */
static void put_kind(struct buf *operation, const struct kind *kind, const char *version)
{
	AUTO(auto_free)
	char *yaml = xasprintf("group: \"%s\"\nkind: %s\nversion: %s\n", kind->group, kind->kind,
			       version);
	struct buf any, named;

	buf_init(&any, MESSAGE_MAX);
	buf_init(&named, MESSAGE_MAX);
	put_text(&any, 2, yaml);
	put_text(&named, 1, "x-kubernetes-group-version-kind");
	put_message(&named, 2, &any);
	put_message(operation, 13, &named);
	buf_deinit(&any);
	buf_deinit(&named);
}

/* NamedPathItem{1: path, 2: PathItem{8: patch}} */
static void put_path(struct buf *paths, const struct kind *kind, const char *version)
{
	bool core = kind->group[0] == '\0';
	AUTO(auto_free)
	char *path = xasprintf("/%s%s/%s/%s%s/{name}", core ? "api" : "apis/", kind->group, version,
			       kind->namespaced ? "namespaces/{namespace}/" : "", kind->plural);
	struct buf operation, item, named;

	buf_init(&operation, MESSAGE_MAX);
	buf_init(&item, MESSAGE_MAX);
	buf_init(&named, MESSAGE_MAX);
	put_parameter(&operation, "dryRun");
	put_parameter(&operation, "fieldManager");
	put_parameter(&operation, "fieldValidation");
	put_kind(&operation, kind, version);
	put_message(&item, 8, &operation);
	put_text(&named, 1, path);
	put_message(&named, 2, &item);
	put_message(paths, 2, &named);
	buf_deinit(&operation);
	buf_deinit(&item);
	buf_deinit(&named);
}

/* Document{1: "2.0", 2: Info{1: title, 2: version}, 8: Paths} */
static void put_document(struct buf *out)
{
	struct buf info, paths;

	buf_init(&info, MESSAGE_MAX);
	buf_init(&paths, DOCUMENT_MAX);
	put_text(&info, 1, "sallyport");
	put_text(&info, 2, "v1");
	for (size_t i = 0; i < kind_count; i++) {
		for (size_t k = 0; k < KIND_VERSIONS_MAX && kinds[i].versions[k] != NULL; k++)
			put_path(&paths, &kinds[i], kinds[i].versions[k]);
	}
	put_text(out, 1, "2.0");
	put_message(out, 2, &info);
	put_message(out, 8, &paths);
	buf_deinit(&info);
	buf_deinit(&paths);
}

void serve_openapi_v2(struct request *request)
{
	struct buf document;

	buf_init(&document, DOCUMENT_MAX);
	put_document(&document);
	request_answer_text(request, 200, OPENAPI_TYPE, buf_view(&document));
	buf_deinit(&document);
}
