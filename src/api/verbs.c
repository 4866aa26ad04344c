/* api/verbs.c - get and list, and what the verbs share */
#include "api/verbs.h"

#include "api/serve.h"
#include "api/unsaved.h"
#include "base/clock.h"
#include "base/own.h"

#include <stdlib.h>
#include <string.h>

static enum include include_of(const struct request *request)
{
	const char *text = target_param(&request->target, "includeObject");

	if (text != NULL && strcmp(text, "Object") == 0)
		return INCLUDE_OBJECT;
	return text != NULL && strcmp(text, "None") == 0 ? INCLUDE_NONE : INCLUDE_METADATA;
}

struct shape request_shape(const struct request *request)
{
	return (struct shape){
		.kind = request->route.kind,
		.version = request->route.version,
		.view = request->view,
		.include = include_of(request),
		.now = clock_wall(),
	};
}

void request_answer_object(struct request *request, unsigned http, const json_t *object)
{
	struct shape shape = request_shape(request);
	AUTO(auto_json)
	json_t *seen = unsaved_view(request->api->config.store, shape.kind, object, shape.now);

	request_answer(request, http, shape_object(&shape, seen));
}

void request_absent(struct request *request, const char *name)
{
	struct buf subject;

	buf_init(&subject, ERR_MSG_MAX);
	status_subject(request->route.kind, name, &subject);
	request_refuse(request, REASON_NOT_FOUND, "%s not found", buf_cstr(&subject));
	buf_deinit(&subject);
}

int request_selector(struct request *request, struct selector *selector)
{
	const struct target *target = &request->target;
	struct err err = {.code = ERR_NONE};

	memset(selector, 0, sizeof(*selector));
	if (selector_add_labels(selector, target_param(target, "labelSelector"), &err) == 0 &&
	    selector_add_fields(selector, request->route.kind,
				target_param(target, "fieldSelector"), &err) == 0)
		return 0;
	request_fail(request, &err, NULL);
	return -1;
}

char *request_prefix(const struct request *request)
{
	return kind_prefix(request->route.kind, request->route.ns);
}

char *request_key(const struct request *request)
{
	return kind_key(request->route.kind, request->route.ns, request->route.name);
}

const struct object *request_object(const struct request *request)
{
	AUTO(auto_free) char *key = request_key(request);

	return key == NULL ? NULL : store_get(request->api->config.store, sv_from(key));
}

void serve_get(struct request *request)
{
	const struct object *object = request_object(request);

	if (object == NULL)
		request_absent(request, request->route.name);
	else
		request_answer_object(request, 200, object->json);
}

struct listing {
	const struct store *store;
	const struct shape *shape;
	const struct selector *selector;
	json_t *list;
};

static bool add_to_list(void *arg, const struct object *object)
{
	const struct listing *listing = arg;

	if (selector_matches(listing->selector, object->json)) {
		AUTO(auto_json)
		json_t *seen = unsaved_view(listing->store, listing->shape->kind, object->json,
					    listing->shape->now);

		shape_list_add(listing->shape, listing->list, seen);
	}
	return true;
}

void serve_list(struct request *request)
{
	AUTO(auto_free) char *prefix = request_prefix(request);
	struct shape shape = request_shape(request);
	struct selector selector;
	struct listing listing = {
		.store = request->api->config.store, .shape = &shape, .selector = &selector};

	if (request_selector(request, &selector) < 0)
		return;
	listing.list = shape_list(&shape, store_revision(request->api->config.store));
	if (prefix != NULL)
		store_each(request->api->config.store, sv_from(prefix), add_to_list, &listing);
	request_answer(request, 200, listing.list);
}
