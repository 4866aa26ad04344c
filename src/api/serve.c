/* api/serve.c - from a request to what serves it */
#include "api/serve.h"

#include "base/own.h"

#include <string.h>

typedef void serve_fn(struct request *request);

#define PATH_SEGMENTS_MAX 5

/* "*" stands for one segment of any text. */
static const struct {
	const char *segments[PATH_SEGMENTS_MAX];
	serve_fn *get, *post; /* NULL: refused */
} paths[] = {
	{{"version"}, serve_version, NULL},
	{{"healthz"}, serve_health, NULL},
	{{"livez"}, serve_health, NULL},
	{{"readyz"}, serve_health, NULL},
	{{"metrics"}, serve_health, NULL},
	{{"api"}, serve_core_versions, NULL},
	{{"api", "*"}, serve_resources, NULL},
	{{"apis"}, serve_groups, NULL},
	{{"apis", "*"}, serve_group, NULL},
	{{"apis", "*", "*"}, serve_resources, NULL},
	{{"openapi", "v2"}, serve_openapi_v2, NULL},
	{{"openapi", "v3"}, serve_openapi_v3, NULL},
	{{"openapi", "v3", "api", "*"}, serve_openapi_v3_version, NULL},
	{{"openapi", "v3", "apis", "*", "*"}, serve_openapi_v3_version, NULL},
	{{"apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"},
	 NULL,
	 serve_access_review},
	{{"apis", "authorization.k8s.io", "v1", "selfsubjectrulesreviews"},
	 NULL,
	 serve_rules_review},
	{{"apis", "authentication.k8s.io", "v1", "selfsubjectreviews"}, NULL, serve_subject_review},
};

static const struct {
	const char *method;
	serve_fn *object, *collection;
	bool writes;
} methods[] = {
	{"GET", serve_get, serve_list, false},
	{"HEAD", serve_get, serve_list, false},
	{"POST", NULL, serve_create, true},
	{"PUT", serve_update, NULL, true},
	{"PATCH", serve_patch, NULL, true},
	{"DELETE", serve_delete, serve_delete_collection, true},
};

static bool path_is(const struct target *target, const char *const segments[PATH_SEGMENTS_MAX])
{
	size_t i = 0;

	for (; i < PATH_SEGMENTS_MAX && segments[i] != NULL; i++) {
		if (i >= target->segment_count || (strcmp(segments[i], "*") != 0 &&
						   strcmp(segments[i], target->segments[i]) != 0))
			return false;
	}
	return i == target->segment_count;
}

static void refuse_method(struct request *request)
{
	request_refuse(request, REASON_METHOD_NOT_ALLOWED,
		       "the server does not allow this method on the requested resource");
}

static bool reads(const struct request *request)
{
	return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

/* False: the path is none of the fixed ones. */
static bool serve_path(struct request *request)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		serve_fn *serve = NULL;

		if (!path_is(&request->target, paths[i].segments))
			continue;
		if (reads(request))
			serve = paths[i].get;
		else if (strcmp(request->method, "POST") == 0)
			serve = paths[i].post;
		if (serve != NULL)
			serve(request);
		else
			refuse_method(request);
		return true;
	}
	return false;
}

static serve_fn *verb_of(const struct request *request)
{
	const struct route *route = &request->route;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (strcmp(request->method, methods[i].method) != 0)
			continue;
		if (methods[i].writes && route->kind->read_only)
			return NULL;
		return route->name != NULL ? methods[i].object : methods[i].collection;
	}
	return NULL;
}

void serve_request(struct request *request)
{
	serve_fn *verb;

	request->view = media_view(request_header(request, MHD_HTTP_HEADER_ACCEPT));
	if (serve_path(request))
		return;
	if (!route_find(&request->target, &request->route)) {
		request->route = (struct route){0};
		request_not_found(request);
		return;
	}
	verb = verb_of(request);
	if (verb == serve_delete && request->route.status)
		verb = NULL;
	if (reads(request) && target_flag(&request->target, "watch") && !request->route.status)
		verb = serve_watch;
	if (verb == NULL)
		refuse_method(request);
	else
		verb(request);
}
