/* api/request.c - one request from its head to its answer */
#include "api/request.h"

#include "api/peer.h"
#include "api/serve.h"
#include "base/log.h"
#include "base/own.h"
#include "codec/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_IGNORED_MAX                                                        \
	(4 * (size_t)API_BODY_MAX) /* read and dropped before the connection is \
				    */
#define WARNING_MAX 1024u
#define JSON_TYPE   "application/json"

/* ---- birth and death ---- */

static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
	struct request *request = xcalloc(1, sizeof(*request));

	request->api = cls;
	request->mhd = connection;
	request->conn = server_conn_of(connection);
	request->warnings = json_array();
	buf_init(&request->body, API_BODY_MAX);
	request->target_err.code = ERR_NONE;
	target_parse(&request->target, sv_from(target), &request->target_err);
	list_append(&request->api->requests, &request->link);
	return request;
}

static void drop_body(struct request *request)
{
	request->api->body_bytes -= buf_len(&request->body);
	buf_release(&request->body);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
			 enum MHD_RequestTerminationCode how)
{
	struct request *request = *con_cls;

	(void)cls;
	(void)connection;
	(void)how;
	if (request == NULL)
		return;
	*con_cls = NULL;
	if (request->abandon != NULL)
		request->abandon(request);
	if (request->response != NULL)
		MHD_destroy_response(request->response);
	list_remove(&request->link);
	target_deinit(&request->target);
	drop_body(request);
	json_decref(request->warnings);
	free(request);
}

/* ---- answers ---- */

/* Quotes and control characters would end or change the text. */
static void add_warning(struct MHD_Response *response, struct str_view text)
{
	struct buf value;

	buf_init(&value, 2 * (size_t)WARNING_MAX + 16);
	buf_addf(&value, "299 - \"");
	text = sv_head(text, WARNING_MAX);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '"' || c == '\\')
			buf_addc(&value, '\\');
		else if ((unsigned char)c < ' ' || c == 0x7f)
			c = ' ';
		buf_addc(&value, c);
	}
	buf_addc(&value, '"');
	MHD_add_response_header(response, "Warning", buf_cstr(&value));
	buf_deinit(&value);
}

static void add_headers(struct request *request)
{
	const json_t *warning;
	size_t i;

	json_array_foreach(request->warnings, i, warning)
	{
		if (i == API_WARN_MAX)
			break;
		add_warning(request->response,
			    sv_new(json_string_value(warning), json_string_length(warning)));
	}
	MHD_add_response_header(request->response, MHD_HTTP_HEADER_CACHE_CONTROL,
				"no-cache, private");
	if (request->api->draining)
		MHD_add_response_header(request->response, MHD_HTTP_HEADER_CONNECTION, "close");
}

void request_answer_with(struct request *request, unsigned http, struct MHD_Response *response)
{
	request->response = response;
	request->status = http;
	add_headers(request);
	log_debug("api", "%s %.*s %u", request->method, SV_ARG(sv_head(request->target.path, 256)),
		  http);
	if (request->suspended) {
		request->suspended = false;
		server_resume(&request->api->control, request->mhd);
	}
}

static struct MHD_Response *response_of(char *text, size_t len, const char *type)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);

	if (response == NULL)
		abort(); /* out of memory in a small allocation */
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	return response;
}

void request_answer(struct request *request, unsigned http, json_t *body)
{
	request_answer_as(request, http, JSON_TYPE, body);
}

void request_answer_as(struct request *request, unsigned http, const char *type, json_t *body)
{
	char *text = json_text(body);
	size_t len = strlen(text);

	json_decref(body);
	text[len] = '\n'; /* in the place of the NUL: the length counts */
	request_answer_with(request, http, response_of(text, len + 1, type));
}

void request_answer_text(struct request *request, unsigned http, const char *type,
			 struct str_view text)
{
	request_answer_with(request, http, response_of(sv_dup(text), text.len, type));
}

void request_answer_status(struct request *request, const struct status *status)
{
	struct status full = *status;

	if (full.kind == NULL)
		full.kind = request->route.kind;
	if (full.name == NULL)
		full.name = request->route.name != NULL ? request->route.name : request->subject;
	request_answer(request, reason_http(full.reason), status_new(&full));
}

void request_fail(struct request *request, const struct err *err, const struct causes *causes)
{
	struct status status = {
		.reason = reason_of(err->code),
		.message = err->msg,
		.causes = causes,
	};

	if (causes != NULL && causes->count > 0)
		status.reason = REASON_INVALID;
	request_answer_status(request, &status);
}

void request_refuse(struct request *request, enum reason reason, const char *fmt, ...)
{
	char message[ERR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args); /* NOLINT(clang-analyzer-valist*) */
	va_end(args);
	request_answer_status(request, &(struct status){.reason = reason, .message = message});
}

void request_not_found(struct request *request)
{
	request_refuse(request, REASON_NOT_FOUND,
		       "the server could not find the requested resource");
}

/* ---- what handlers ask ---- */

const char *request_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
}

enum media request_media(const struct request *request)
{
	return media_of(request_header(request, MHD_HTTP_HEADER_CONTENT_TYPE));
}

/* Kept within the limits of a request and of all together; the rest is read and dropped. */
static void keep_body(struct request *request, struct str_view piece)
{
	size_t before = buf_len(&request->body);

	request->received += piece.len;
	if (request->api->body_bytes + piece.len > API_BODIES_MAX)
		request->crowded = true;
	if (!request->crowded)
		buf_add(&request->body, piece);
	request->api->body_bytes += buf_len(&request->body) - before;
}

static json_t *one_document(json_t *documents, struct err *err)
{
	AUTO(auto_json) json_t *list = documents;

	if (list == NULL)
		return NULL;
	if (json_array_size(list) != 1) {
		err_set(err, ERR_INVALID, "the body holds %zu YAML documents: one is due",
			json_array_size(list));
		return NULL;
	}
	return json_incref(json_array_get(list, 0));
}

json_t *request_json(struct request *request, struct err *err)
{
	struct str_view text = buf_view(&request->body);
	enum media media = request_media(request);
	json_t *value;

	if (text.len == 0)
		return json_null();
	if (media == MEDIA_YAML || media == MEDIA_APPLY)
		value = one_document(yaml_parse(text, err), err);
	else
		value = json_parse(text, err);
	drop_body(request);
	return value;
}

/* ---- from the head to the verb ---- */

static bool peer_may(struct request *request, struct err *err)
{
	struct peer_rule rule = {
		.owner = geteuid(),
		.self = getpid(),
		.group_known = request->api->group_known,
		.group = request->api->group,
	};

	return peer_check(request->conn->fd, &rule, err) == 0;
}

/* What is only somewhat too large is read and dropped, so that the client can read why. */
static bool too_large(const struct request *request)
{
	const char *text = request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t length;

	return text != NULL && (!sv_to_u64(sv_from(text), &length) || length > BODY_IGNORED_MAX);
}

static void refuse_large(struct request *request)
{
	request_refuse(request, REASON_TOO_LARGE, "the body is larger than %u bytes", API_BODY_MAX);
}

/* What is clear from the head alone is answered before the body comes. */
static void begin(struct request *request, const char *method)
{
	struct err err;

	request->begun = true;
	request->api->request_count++;
	if (strlen(method) < sizeof(request->method))
		memcpy(request->method, method, strlen(method) + 1);
	if (!peer_may(request, &err)) {
		request->api->refused_count++;
		request_fail(request, &err, NULL);
	} else if (request->api->draining) {
		request_refuse(request, REASON_UNAVAILABLE, "the daemon is about to end");
	} else if (too_large(request)) {
		refuse_large(request);
	}
}

static void serve(struct request *request)
{
	request->arrived = true;
	server_conn_arrived(request->conn);
	if (request->body.spent)
		refuse_large(request);
	else if (request->crowded)
		request_refuse(request, REASON_TOO_MANY,
			       "the bodies of all requests together are over %u bytes: try again",
			       API_BODIES_MAX);
	else if (request->target_err.code != ERR_NONE)
		request_fail(request, &request->target_err, NULL);
	else
		serve_request(request);
}

static enum MHD_Result queue(struct request *request)
{
	struct MHD_Response *response = TAKE(request->response);
	enum MHD_Result result = MHD_queue_response(request->mhd, request->status, response);

	MHD_destroy_response(response);
	return result;
}

/* Called with the head, with each piece of the body, at its end, and after each resumption. The
 * type is libmicrohttpd's. NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **con_cls)
{
	struct request *request = *con_cls;

	(void)cls;
	(void)connection;
	(void)url;
	(void)version;
	if (!request->begun) {
		begin(request, method);
		return request->response == NULL ? MHD_YES : queue(request);
	}
	if (*size > 0) {
		keep_body(request, sv_new(data, *size));
		*size = 0;
		return request->received > BODY_IGNORED_MAX ? MHD_NO : MHD_YES;
	}
	if (!request->arrived)
		serve(request);
	if (request->response != NULL)
		return queue(request);
	request->suspended = true;
	MHD_suspend_connection(request->mhd);
	return MHD_YES;
}

const struct server_ops request_ops = {
	.target = on_target,
	.request = on_request,
	.completed = on_completed,
};

/* ---- the daemon stops ---- */

void requests_hurry(struct api *api)
{
	LIST_EACH(&api->requests, node)
	{
		struct request *request = LIST_ENTRY(node, struct request, link);

		if (request->hurry != NULL)
			request->hurry(request);
	}
}

void requests_give_up(struct api *api)
{
	LIST_EACH(&api->requests, node)
	{
		struct request *request = LIST_ENTRY(node, struct request, link);

		if (!request->suspended)
			continue;
		if (request->abandon != NULL)
			request->abandon(request);
		if (request->response == NULL && request->suspended)
			request_refuse(request, REASON_UNAVAILABLE,
				       "the daemon ended before the write was confirmed: read the "
				       "object again");
	}
}
