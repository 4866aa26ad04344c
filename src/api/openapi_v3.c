/* api/openapi_v3.c - fields of the kinds, as kubectl explain reads them
 *
 * /openapi/v3 names a document for each version of a group; a document holds the paths of its kinds
 * and their schemas, made from the table of kinds when it is asked for. The patch operation takes
 * no strategic merge here, so that clients use what they know themselves of the core kinds.
 */
#include "api/schema_json.h"
#include "api/serve.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

/* ---- which documents there are ---- */

static void add_document(json_t *documents, const struct kind *kind, const char *version)
{
	bool core = kind->group[0] == '\0';
	AUTO(auto_free)
	char *name = xasprintf("%s%s/%s", core ? "api" : "apis/", kind->group, version);

	json_object_set_new(
		documents, name,
		json_pack("{s:o}", "serverRelativeURL", json_fmt("/openapi/v3/%s", name)));
}

void serve_openapi_v3(struct request *request)
{
	json_t *documents = json_object();

	for (size_t i = 0; i < kind_count; i++) {
		for (size_t k = 0; k < KIND_VERSIONS_MAX && kinds[i].versions[k] != NULL; k++)
			add_document(documents, &kinds[i], kinds[i].versions[k]);
	}
	request_answer(request, 200, json_pack("{s:o}", "paths", documents));
}

/* ---- one of them ---- */

static json_t *type_of(const struct kind *kind, const char *version)
{
	return json_pack("{s:s, s:s, s:s}", "group", kind->group, "version", version, "kind",
			 kind->kind);
}

static json_t *operation(const struct kind *kind, const char *version, const char *action)
{
	return json_pack("{s:s, s:o, s:{s:{s:s}}}", "x-kubernetes-action", action,
			 "x-kubernetes-group-version-kind", type_of(kind, version), "responses",
			 "200", "description", "OK");
}

static json_t *patch_operation(const struct kind *kind, const char *version)
{
	static const char *const names[] = {"dryRun", "fieldManager", "fieldValidation"};
	json_t *patch = operation(kind, version, "patch"), *parameters = json_array();

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		json_array_append_new(parameters,
				      json_pack("{s:s, s:s, s:{s:s}}", "name", names[i], "in",
						"query", "schema", "type", "string"));
	json_object_set_new(patch, "parameters", parameters);
	return patch;
}

static void add_paths(json_t *paths, const struct kind *kind, const char *version)
{
	bool core = kind->group[0] == '\0';
	AUTO(auto_free)
	char *all = xasprintf("/%s%s/%s/%s%s", core ? "api" : "apis/", kind->group, version,
			      kind->namespaced ? "namespaces/{namespace}/" : "", kind->plural);
	AUTO(auto_free) char *one = xasprintf("%s/{name}", all);

	json_object_set_new(paths, all,
			    json_pack("{s:o}", "get", operation(kind, version, "list")));
	json_object_set_new(paths, one,
			    json_pack("{s:o, s:o}", "get", operation(kind, version, "get"), "patch",
				      patch_operation(kind, version)));
}

static void add_schema(json_t *schemas, const struct kind *kind, const char *version)
{
	AUTO(auto_free)
	char *name = xasprintf("%s%s%s.%s", kind->group, kind->group[0] == '\0' ? "" : ".", version,
			       kind->kind);
	json_t *schema = schema_json(kind);

	json_object_set_new(schema, "x-kubernetes-group-version-kind",
			    json_pack("[o]", type_of(kind, version)));
	json_object_set_new(schemas, name, schema);
}

void serve_openapi_v3_version(struct request *request)
{
	const struct target *target = &request->target;
	bool core = target->segment_count == 4;
	const char *group = core ? "" : target->segments[3],
		   *version = target->segments[core ? 3 : 4];
	json_t *paths = json_object(), *schemas = json_object();

	for (size_t i = 0; i < kind_count; i++) {
		if (strcmp(kinds[i].group, group) != 0 || !kind_serves(&kinds[i], sv_from(version)))
			continue;
		add_paths(paths, &kinds[i], version);
		add_schema(schemas, &kinds[i], version);
	}
	if (json_object_size(paths) > 0) {
		request_answer(request, 200,
			       json_pack("{s:s, s:{s:s, s:s}, s:o, s:{s:o}}", "openapi", "3.0.0",
					 "info", "title", "sallyport", "version", "v1", "paths",
					 paths, "components", "schemas", schemas));
		return;
	}
	json_decref(paths);
	json_decref(schemas);
	request_not_found(request);
}
