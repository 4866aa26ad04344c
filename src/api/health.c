/* api/health.c - /metrics, /readyz, /livez: on the control socket, and alone on --listen-metrics */
#include "api/health.h"

#include "api/serve.h"
#include "base/metric.h"
#include "base/own.h"

#include <stdlib.h>
#include <string.h>

#define METRICS_MAX  (8u << 20)
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define TEXT_TYPE    "text/plain; charset=utf-8"

struct answer {
	unsigned http;
	const char *type;
	struct buf text;
};

/* ---- what is told ---- */

static void tell_live(const struct api *api, struct answer *answer)
{
	(void)api;
	buf_addf(&answer->text, "ok\n");
}

static void tell_ready(const struct api *api, struct answer *answer)
{
	const struct api_config *config = &api->config;
	struct err why = {.code = ERR_NONE};
	bool ready = !api->draining;

	if (!ready)
		err_set(&why, ERR_IO, "the daemon is about to end");
	else
		ready = store_healthy(config->store, &why) &&
			(config->ready == NULL || config->ready(config->arg, &why));
	answer->http = ready ? 200 : 503;
	if (ready)
		buf_addf(&answer->text, "ok\n");
	else
		buf_addf(&answer->text, "not ready: %s\n", why.code == ERR_NONE ? "" : why.msg);
}

static void tell_metrics(const struct api *api, struct answer *answer)
{
	struct buf *out = &answer->text;

	answer->type = METRICS_TYPE;
	if (api->config.metrics_text != NULL)
		api->config.metrics_text(api->config.arg, out);
	metric_head(out, "sallyport_api_requests_total", "counter", "Requests to the control API.");
	metric_sample(out, "sallyport_api_requests_total", "", (double)api->request_count);
	metric_head(out, "sallyport_api_refused_total", "counter",
		    "Requests of peers that may not use the control socket.");
	metric_sample(out, "sallyport_api_refused_total", "", (double)api->refused_count);
	metric_head(out, "sallyport_api_connections", "gauge", "Connections to the control API.");
	metric_sample(out, "sallyport_api_connections", "", (double)api->control.conn_count);
	metric_head(out, "sallyport_api_watches", "gauge", "Watches of the control API.");
	metric_sample(out, "sallyport_api_watches", "", (double)api->watch_count);
}

static const struct {
	const char *path;
	void (*tell)(const struct api *api, struct answer *answer);
} pages[] = {
	{"/livez", tell_live},
	{"/healthz", tell_live},
	{"/readyz", tell_ready},
	{"/metrics", tell_metrics},
};

/* 404 when nothing is told at the path. */
static void answer_init(struct answer *answer, const struct api *api, struct str_view path)
{
	*answer = (struct answer){.http = 404, .type = TEXT_TYPE};
	buf_init(&answer->text, METRICS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (!sv_eq(path, sv_from(pages[i].path)))
			continue;
		answer->http = 200;
		pages[i].tell(api, answer);
		return;
	}
	buf_addf(&answer->text, "here are /metrics, /readyz and /livez\n");
}

/* ---- on the control socket ---- */

void serve_health(struct request *request)
{
	AUTO(auto_free) char *path = xasprintf("/%s", request->target.segments[0]);
	struct answer answer;

	answer_init(&answer, request->api, sv_from(path));
	request_answer_text(request, answer.http, answer.type, buf_view(&answer.text));
	buf_deinit(&answer.text);
}

/* ---- on the metrics listener: reading only, of anybody ---- */

static enum MHD_Result send_text(struct MHD_Connection *connection, const struct answer *answer)
{
	struct str_view text = buf_view(&answer->text);
	struct MHD_Response *response = MHD_create_response_from_buffer(
		text.len, (void *)(uintptr_t)text.data, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
	if (answer->http == 405)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, answer->http, response);
	MHD_destroy_response(response);
	return result;
}

/* Answered from the head: a body is never read. The type is libmicrohttpd's.
 * NOLINTBEGIN(readability-function-size,readability-non-const-parameter) */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **con_cls)
{
	struct answer answer;
	enum MHD_Result result;

	(void)version;
	(void)data;
	(void)size;
	(void)con_cls;
	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
		answer_init(&answer, cls, sv_from(url));
	} else {
		answer_init(&answer, cls, SV(""));
		answer.http = 405;
	}
	result = send_text(connection, &answer);
	buf_deinit(&answer.text);
	return result;
}

/* NOLINTEND(readability-function-size,readability-non-const-parameter) */
const struct server_ops health_ops = {
	.request = on_request,
};
