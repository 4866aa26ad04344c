/* api/aggregated.c - discovery in one answer (apidiscovery.k8s.io)
 *
 * The core group alone at /api, all others at /apis: so a client needs two requests for all kinds.
 */
#include "api/discovery.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

static json_t *response_kind(const struct kind *kind, const char *version)
{
	return json_pack("{s:s, s:s, s:s}", "group", kind->group, "version", version, "kind",
			 kind->kind);
}

static void add_status(json_t *resource, const struct kind *kind, const char *version)
{
	json_object_set_new(resource, "subresources",
			    json_pack("[{s:s, s:o, s:o}]", "subresource", "status", "responseKind",
				      response_kind(kind, version), "verbs",
				      discovery_status_verbs(kind)));
}

static json_t *resource_of(const struct kind *kind, const char *version)
{
	json_t *resource = json_pack(
		"{s:s, s:o, s:s, s:s, s:o}", "resource", kind->plural, "responseKind",
		response_kind(kind, version), "scope", kind->namespaced ? "Namespaced" : "Cluster",
		"singularResource", kind->singular, "verbs", discovery_verbs(kind));

	if (kind->short_names[0] != NULL)
		json_object_set_new(
			resource, "shortNames",
			discovery_words(kind->short_names, ARRAY_LEN(kind->short_names)));
	if (kind->categories[0] != NULL)
		json_object_set_new(resource, "categories",
				    discovery_words(kind->categories, ARRAY_LEN(kind->categories)));
	if (kind->has_status)
		add_status(resource, kind, version);
	return resource;
}

/* The resources of a version, which is made when it is not there yet. Borrowed. */
static json_t *version_of(json_t *versions, const char *name)
{
	json_t *version;
	size_t i;

	json_array_foreach(versions, i, version)
	{
		if (sv_eq(json_sv_at(version, "version"), sv_from(name)))
			return json_object_get(version, "resources");
	}
	version =
		json_pack("{s:s, s:s, s:[]}", "version", name, "freshness", "Current", "resources");
	json_array_append_new(versions, version);
	return json_object_get(version, "resources");
}

static json_t *group_of(const char *name)
{
	json_t *versions = json_array(), *metadata = json_object();

	for (size_t i = 0; i < kind_count; i++) {
		const struct kind *kind = &kinds[i];

		if (strcmp(kind->group, name) != 0)
			continue;
		for (size_t k = 0; k < KIND_VERSIONS_MAX && kind->versions[k] != NULL; k++)
			json_array_append_new(version_of(versions, kind->versions[k]),
					      resource_of(kind, kind->versions[k]));
	}
	if (name[0] != '\0')
		json_object_set_new(metadata, "name", json_string(name));
	return json_pack("{s:o, s:o}", "metadata", metadata, "versions", versions);
}

bool serve_aggregated(struct request *request)
{
	const char *version = media_discovery(request_header(request, MHD_HTTP_HEADER_ACCEPT));
	bool core = strcmp(request->target.segments[0], "api") == 0;
	AUTO(auto_free) char *type = NULL;
	json_t *items;

	if (version == NULL)
		return false;
	items = json_array();
	for (size_t i = 0; i < kind_count; i++) {
		if ((kinds[i].group[0] == '\0') == core && discovery_first_of_group(i))
			json_array_append_new(items, group_of(kinds[i].group));
	}
	/* A client knows by the parameters which form it got. */
	type = xasprintf("application/json;g=apidiscovery.k8s.io;v=%s;as=APIGroupDiscoveryList",
			 version);
	request_answer_as(request, 200, type,
			  json_pack("{s:s, s:o, s:{}, s:o}", "kind", "APIGroupDiscoveryList",
				    "apiVersion", json_fmt("apidiscovery.k8s.io/%s", version),
				    "metadata", "items", items));
	return true;
}
