/* api/serve.c - from a request to what serves it */
#include "api/serve.h"

#include "base/own.h"

#include <string.h>

typedef void serve_fn(struct request *request);

/* "*" stands for one segment of any text. */
static const struct {
	const char *segments[4];
	serve_fn *get;
} paths[] = {
	{{"version"}, serve_version},
	{{"healthz"}, serve_health},
	{{"livez"}, serve_health},
	{{"readyz"}, serve_health},
	{{"metrics"}, serve_health},
	{{"api"}, serve_core_versions},
	{{"api", "*"}, serve_resources},
	{{"apis"}, serve_groups},
	{{"apis", "*"}, serve_group},
	{{"apis", "*", "*"}, serve_resources},
	{{"openapi", "v2"}, serve_openapi_v2},
	{{"openapi", "v3"}, serve_openapi_v3},
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

static bool path_is(const struct target *target, const char *const segments[4])
{
	size_t i = 0;

	for (; i < 4 && segments[i] != NULL; i++) {
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
		if (!path_is(&request->target, paths[i].segments))
			continue;
		if (reads(request))
			paths[i].get(request);
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
