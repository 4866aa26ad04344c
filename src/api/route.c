/* api/route.c - which objects a path means */
#include "api/route.h"

#include <string.h>

static bool is(const char *segment, const char *text)
{
	return segment != NULL && strcmp(segment, text) == 0;
}

/* The row's own text of a version, which outlives the request. */
static const char *served_version(const struct kind *kind, const char *version)
{
	for (size_t i = 0; i < KIND_VERSIONS_MAX && kind->versions[i] != NULL; i++) {
		if (strcmp(kind->versions[i], version) == 0)
			return kind->versions[i];
	}
	return NULL;
}

/* "/namespaces/NS/KINDS" but not "/namespaces/NAME" and "/namespaces/NAME/status" of the kind
 * itself. */
static bool names_namespace(const char *const *rest)
{
	return is(rest[0], "namespaces") && rest[1] != NULL && rest[2] != NULL &&
	       !is(rest[2], "status");
}

/* rest: the segments behind the version. */
static bool find_kind(const char *group, const char *version, const char *const *rest,
		      struct route *route)
{
	bool in_namespace = names_namespace(rest);

	if (in_namespace) {
		route->ns = rest[1];
		rest += 2;
	}
	if (rest[0] == NULL)
		return false;
	route->kind = kind_by_plural(sv_from(group), sv_from(rest[0]));
	if (route->kind == NULL)
		return false;
	route->version = served_version(route->kind, version);
	if (route->version == NULL || (in_namespace && !route->kind->namespaced))
		return false;
	if (!route->kind->namespaced)
		route->ns = "";
	route->name = rest[1];
	if (route->name == NULL)
		return true;
	route->status = is(rest[2], "status") && route->kind->has_status;
	return route->ns != NULL && (rest[2] == NULL || (route->status && rest[3] == NULL));
}

bool route_find(const struct target *target, struct route *route)
{
	const char *const *segments = target->segments;

	*route = (struct route){0};
	if (is(segments[0], "api") && segments[1] != NULL)
		return find_kind("", segments[1], segments + 2, route);
	if (is(segments[0], "apis") && segments[1] != NULL && segments[2] != NULL)
		return find_kind(segments[1], segments[2], segments + 3, route);
	return false;
}
