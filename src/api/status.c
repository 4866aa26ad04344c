/* api/status.c - metav1.Status: what a client is told when something did not work */
#include "api/status.h"

#include "base/own.h"

static const struct {
	unsigned http;
	const char *text;
} reasons[REASON_COUNT] = {
	[REASON_SUCCESS] = {200, NULL},
	[REASON_BAD_REQUEST] = {400, "BadRequest"},
	[REASON_FORBIDDEN] = {403, "Forbidden"},
	[REASON_NOT_FOUND] = {404, "NotFound"},
	[REASON_METHOD_NOT_ALLOWED] = {405, "MethodNotAllowed"},
	[REASON_ALREADY_EXISTS] = {409, "AlreadyExists"},
	[REASON_CONFLICT] = {409, "Conflict"},
	[REASON_EXPIRED] = {410, "Expired"},
	[REASON_TOO_LARGE] = {413, "RequestEntityTooLarge"},
	[REASON_MEDIA_TYPE] = {415, "UnsupportedMediaType"},
	[REASON_INVALID] = {422, "Invalid"},
	[REASON_TOO_MANY] = {429, "TooManyRequests"},
	[REASON_INTERNAL] = {500, "InternalError"},
	[REASON_UNAVAILABLE] = {503, "ServiceUnavailable"},
	[REASON_TIMEOUT] = {504, "Timeout"},
};

static const enum reason reason_by_code[ERR_CODE_COUNT] = {
	[ERR_NONE] = REASON_SUCCESS,         [ERR_INVALID] = REASON_BAD_REQUEST,
	[ERR_NOT_FOUND] = REASON_NOT_FOUND,  [ERR_EXISTS] = REASON_ALREADY_EXISTS,
	[ERR_CONFLICT] = REASON_CONFLICT,    [ERR_DENIED] = REASON_FORBIDDEN,
	[ERR_GONE] = REASON_EXPIRED,         [ERR_LIMIT] = REASON_TOO_LARGE,
	[ERR_IO] = REASON_INTERNAL,          [ERR_TIMEOUT] = REASON_TIMEOUT,
	[ERR_PROTOCOL] = REASON_BAD_REQUEST, [ERR_UNSUPPORTED] = REASON_MEDIA_TYPE,
};

unsigned reason_http(enum reason reason)
{
	return reasons[reason].http;
}

enum reason reason_of(enum err_code code)
{
	return reason_by_code[code];
}

void status_subject(const struct kind *kind, const char *name, struct buf *out)
{
	buf_addf(out, "%s%s%s \"%s\"", kind->plural, kind->group[0] == '\0' ? "" : ".", kind->group,
		 name);
}

static json_t *causes_list(const struct causes *causes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < causes->count; i++) {
		const struct cause *cause = &causes->list[i];
		json_t *item = json_object();

		json_object_set_new(item, "reason", json_string(cause_reason_text(cause->reason)));
		json_object_set_new(item, "message", json_sv(sv_from(cause->message)));
		json_object_set_new(item, "field", json_sv(sv_from(cause->field)));
		json_array_append_new(list, item);
	}
	return list;
}

/* The Kind stands there when the object is Invalid, else its plural, as in Kubernetes. */
static json_t *details(const struct status *status)
{
	const struct kind *kind = status->kind;
	json_t *list = json_object();

	if (status->name != NULL)
		json_object_set_new(list, "name", json_sv(sv_from(status->name)));
	if (kind->group[0] != '\0')
		json_object_set_new(list, "group", json_string(kind->group));
	json_object_set_new(
		list, "kind",
		json_string(status->reason == REASON_INVALID ? kind->kind : kind->plural));
	if (status->uid != NULL)
		json_object_set_new(list, "uid", json_string(status->uid));
	if (status->causes != NULL && status->causes->count > 0)
		json_object_set_new(list, "causes", causes_list(status->causes));
	return list;
}

json_t *status_new(const struct status *status)
{
	bool failed = status->reason != REASON_SUCCESS;
	json_t *object = json_object();

	json_object_set_new(object, "kind", json_string("Status"));
	json_object_set_new(object, "apiVersion", json_string("v1"));
	json_object_set_new(object, "metadata", json_object());
	json_object_set_new(object, "status", json_string(failed ? "Failure" : "Success"));
	if (failed) {
		json_object_set_new(object, "message", json_sv(sv_from(status->message)));
		json_object_set_new(object, "reason", json_string(reasons[status->reason].text));
	}
	if (status->kind != NULL)
		json_object_set_new(object, "details", details(status));
	json_object_set_new(object, "code", json_integer((json_int_t)reason_http(status->reason)));
	return object;
}
