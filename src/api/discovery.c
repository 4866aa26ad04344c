/* api/discovery.c - which groups, versions and kinds are served: all from the table of kinds */
#include "config.h"

#include "api/discovery.h"
#include "api/serve.h"

#include "base/own.h"

#include <string.h>

#define GROUP_VERSIONS_MAX 8

static json_t *typed(const char *kind, const char *version)
{
	json_t *object = json_object();

	json_object_set_new(object, "kind", json_string(kind));
	if (version != NULL)
		json_object_set_new(object, "apiVersion", json_string(version));
	return object;
}

json_t *discovery_words(const char *const *list, size_t max)
{
	json_t *array = json_array();

	for (size_t i = 0; i < max && list[i] != NULL; i++)
		json_array_append_new(array, json_string(list[i]));
	return array;
}

/* ---- /version, /api ---- */

void serve_version(struct request *request)
{
	json_t *version = json_object();

	/* Clients compare major and minor with their own: the conventions are those of this
	 * release. */
	json_object_set_new(version, "major", json_string("1"));
	json_object_set_new(version, "minor", json_string("32"));
	json_object_set_new(version, "gitVersion", json_string("v1.32.0-sallyport"));
	json_object_set_new(version, "gitCommit", json_string(""));
	json_object_set_new(version, "gitTreeState", json_string("clean"));
	json_object_set_new(version, "buildDate", json_string("1970-01-01T00:00:00Z"));
	json_object_set_new(version, "goVersion", json_string(""));
	json_object_set_new(version, "compiler", json_string(""));
	json_object_set_new(version, "platform", json_string("linux/amd64"));
	json_object_set_new(version, "sallyportVersion", json_string("v" PACKAGE_VERSION));
	request_answer(request, 200, version);
}

void serve_core_versions(struct request *request)
{
	json_t *versions;

	if (serve_aggregated(request))
		return;
	versions = typed("APIVersions", NULL);
	json_object_set_new(versions, "versions", json_pack("[s]", "v1"));
	json_object_set_new(versions, "serverAddressByClientCIDRs", json_array());
	request_answer(request, 200, versions);
}

/* ---- /apis ---- */

struct group {
	const char *name;
	const char *versions[GROUP_VERSIONS_MAX]; /* in the order of the table, preferred first */
	size_t count;
};

static void add_version(struct group *group, const char *version)
{
	for (size_t i = 0; i < group->count; i++) {
		if (strcmp(group->versions[i], version) == 0)
			return;
	}
	if (group->count < GROUP_VERSIONS_MAX)
		group->versions[group->count++] = version;
}

static bool collect_group(const char *name, struct group *group)
{
	*group = (struct group){.name = name};
	for (size_t i = 0; i < kind_count; i++) {
		if (strcmp(kinds[i].group, name) != 0)
			continue;
		for (size_t k = 0; k < KIND_VERSIONS_MAX && kinds[i].versions[k] != NULL; k++)
			add_version(group, kinds[i].versions[k]);
	}
	return group->count > 0;
}

static json_t *group_json(const struct group *group)
{
	json_t *object = json_object(), *versions = json_array();

	for (size_t i = 0; i < group->count; i++) {
		json_t *version = json_object();

		json_object_set_new(version, "groupVersion",
				    json_fmt("%s/%s", group->name, group->versions[i]));
		json_object_set_new(version, "version", json_string(group->versions[i]));
		json_array_append_new(versions, version);
	}
	json_object_set_new(object, "name", json_string(group->name));
	json_object_set_new(object, "versions", versions);
	json_object_set(object, "preferredVersion", json_array_get(versions, 0));
	return object;
}

bool discovery_first_of_group(size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (strcmp(kinds[i].group, kinds[at].group) == 0)
			return false;
	}
	return true;
}

void serve_groups(struct request *request)
{
	json_t *list, *groups;
	struct group group;

	if (serve_aggregated(request))
		return;
	list = typed("APIGroupList", "v1");
	groups = json_array();
	for (size_t i = 0; i < kind_count; i++) {
		if (kinds[i].group[0] != '\0' && discovery_first_of_group(i) &&
		    collect_group(kinds[i].group, &group))
			json_array_append_new(groups, group_json(&group));
	}
	json_object_set_new(list, "groups", groups);
	request_answer(request, 200, list);
}

void serve_group(struct request *request)
{
	struct group group;
	json_t *object;

	if (!collect_group(request->target.segments[1], &group)) {
		request_not_found(request);
		return;
	}
	object = group_json(&group);
	json_object_set_new(object, "kind", json_string("APIGroup"));
	json_object_set_new(object, "apiVersion", json_string("v1"));
	request_answer(request, 200, object);
}

/* ---- /api/v1, /apis/G/V ---- */

static const char *const all_verbs[] = {"create", "delete", "deletecollection", "get",
					"list",   "patch",  "update",           "watch"};
static const char *const read_verbs[] = {"get", "list", "watch"};
static const char *const status_verbs[] = {"get", "patch", "update"};

json_t *discovery_verbs(const struct kind *kind)
{
	return kind->read_only ? discovery_words(read_verbs, ARRAY_LEN(read_verbs))
			       : discovery_words(all_verbs, ARRAY_LEN(all_verbs));
}

json_t *discovery_status_verbs(const struct kind *kind)
{
	return kind->read_only ? discovery_words(read_verbs, 1)
			       : discovery_words(status_verbs, ARRAY_LEN(status_verbs));
}

static json_t *resource(const struct kind *kind, const char *suffix, const char *singular)
{
	json_t *object = json_object();

	json_object_set_new(object, "name", json_fmt("%s%s", kind->plural, suffix));
	json_object_set_new(object, "singularName", json_string(singular));
	json_object_set_new(object, "namespaced", json_boolean(kind->namespaced));
	json_object_set_new(object, "kind", json_string(kind->kind));
	return object;
}

static void add_resource(json_t *list, const struct kind *kind)
{
	json_t *object = resource(kind, "", kind->singular), *status;

	json_object_set_new(object, "verbs", discovery_verbs(kind));
	if (kind->short_names[0] != NULL)
		json_object_set_new(
			object, "shortNames",
			discovery_words(kind->short_names, ARRAY_LEN(kind->short_names)));
	if (kind->categories[0] != NULL)
		json_object_set_new(object, "categories",
				    discovery_words(kind->categories, ARRAY_LEN(kind->categories)));
	json_array_append_new(list, object);
	if (!kind->has_status)
		return;
	status = resource(kind, "/status", "");
	json_object_set_new(status, "verbs", discovery_status_verbs(kind));
	json_array_append_new(list, status);
}

void serve_resources(struct request *request)
{
	const struct target *target = &request->target;
	bool core = target->segment_count == 2;
	const char *group = core ? "" : target->segments[1];
	const char *version = target->segments[core ? 1 : 2];
	json_t *list = typed("APIResourceList", "v1"), *resources = json_array();

	for (size_t i = 0; i < kind_count; i++) {
		if (strcmp(kinds[i].group, group) == 0 && kind_serves(&kinds[i], sv_from(version)))
			add_resource(resources, &kinds[i]);
	}
	json_object_set_new(list, "groupVersion",
			    core ? json_string(version) : json_fmt("%s/%s", group, version));
	json_object_set_new(list, "resources", resources);
	if (json_array_size(resources) > 0) {
		request_answer(request, 200, list);
		return;
	}
	json_decref(list);
	request_not_found(request);
}
