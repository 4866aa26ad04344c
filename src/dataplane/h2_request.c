/* dataplane/h2_request.c - requests over HTTP/2: heads, content, trailers (RFC 9113, section 8.1)
 */
#include "base/own.h"
#include "dataplane/h2_nv.h"
#include "dataplane/h2_stream.h"
#include "dataplane/websocket.h"
#include "dataplane/worker.h"

#include <stdlib.h>

/* ---- streams begin and break ---- */

/* The client's fault. Its backend is let go at once: the RST_STREAM may have to wait. */
void h2_reset_stream(struct h2_stream *stream, uint32_t error)
{
	if (stream->wasted)
		return;
	stream->wasted = true;
	exchange_abandon(stream->ex);
	metric_add(&stream->h2->conn->worker->metrics.bad_requests, 1);
	(void)nghttp2_submit_rst_stream(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, error);
	h2_flush_later(stream->h2);
}

static struct h2_stream *stream_new(struct h2 *h2, int32_t id)
{
	struct h2_stream *stream = xcalloc(1, sizeof(*stream));
	struct h2_limits limits = {.bytes = h2_limits_of(h2)->head,
				   .fields = h2_limits_of(h2)->fields};

	stream->h2 = h2;
	stream->id = id;
	stream->ex = exchange_new(h2->conn, stream);
	stream->active_ms = h2_now(h2);
	buf_init(&stream->out,
		 ((size_t)h2_limits_of(h2)->buffer + h2_backend_buffer(h2->conn)) * 2);
	buf_init(&stream->early, h2_limits_of(h2)->h2_window);
	h2_head_init(&stream->head, H2_REQUEST, &stream->ex->arena, &limits);
	list_append(&h2->streams, &stream->link);
	h2->stream_count++;
	if (h2->stream_count == 1)
		h2_set_deadline(h2);
	(void)nghttp2_session_set_stream_user_data(h2->session, id, stream);
	return stream;
}

/* ---- request heads ---- */

int h2_on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h2 = arg;
	struct h2_stream *stream = h2_stream_of(h2, frame->hd.stream_id);
	struct h2_limits limits = {.bytes = h2_limits_of(h2)->head,
				   .fields = h2_limits_of(h2)->fields};

	(void)session;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (stream == NULL)
		(void)stream_new(h2, frame->hd.stream_id);
	else
		h2_head_init(&stream->head, H2_TRAILER, &stream->ex->arena, &limits);
	return 0;
}

int h2_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		 size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	struct h2 *h2 = arg;
	struct h2_stream *stream = h2_stream_of(h2, frame->hd.stream_id);

	(void)session;
	if (stream == NULL)
		return 0;
	h2_nv_take(&stream->head, sv_new((const char *)name, name_len),
		   sv_new((const char *)value, value_len), flags);
	if (stream->head.bytes <= stream->head.limits.bytes * 2 ||
	    stream->head.bytes / H2_EXPANSION_MAX <= h2->block)
		return 0;
	h2_calm_down(h2, H2_ATTACK_HPACK);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void refuse_head(struct h2_stream *stream)
{
	const struct http_bad *bad = &stream->head.bad;

	if (bad->status == 400) {
		h2_reset_stream(stream, NGHTTP2_PROTOCOL_ERROR);
		return;
	}
	stream->ex->request.major = 2;
	stream->started = true; /* and answered: what follows is not looked at */
	metric_add(&stream->h2->conn->worker->metrics.bad_requests, 1);
	exchange_fail(stream->ex, (uint16_t)bad->status, bad->reason);
}

static void start_exchange(struct h2_stream *stream)
{
	struct exchange *ex = stream->ex;

	stream->started = true;
	if (ex->request.connect && !websocket_add_key(ex)) {
		exchange_fail(ex, 431, "head_too_large");
		return;
	}
	exchange_start(ex);
	if (ex->request.expect_continue && ex->upstream != NULL && !ex->response_started)
		h2_inform(ex, &(struct http_response){.status = 100});
}

static void on_request(struct h2 *h2, struct h2_stream *stream, bool end)
{
	struct exchange *ex = stream->ex;

	h2_guard_work(&h2->guard);
	stream->has_head = true;
	h2->requests++;
	metric_add(&h2->conn->worker->metrics.requests_h2, 1);
	if (!h2_head_request(&stream->head, end, &ex->request)) {
		refuse_head(stream);
		return;
	}
	ex->request_ended = end || ex->request.connect; /* what comes then is no content */
	/* A length of zero must be proved by END_STREAM before a backend hears of the request. */
	if (end || ex->request.framing != BODY_LENGTH || ex->request.length > 0)
		start_exchange(stream);
	if (h2_limits_of(h2)->requests_per_conn != 0 &&
	    h2->requests >= h2_limits_of(h2)->requests_per_conn)
		h2_begin_goodbye(h2);
}

/* ---- request content ---- */

static void take_content(struct h2_stream *stream, struct str_view bytes)
{
	if (bytes.len > 0 && !exchange_request_body(stream->ex, bytes))
		stream->paused = true;
}

static void consume(struct h2_stream *stream)
{
	if (stream->paused || stream->unconsumed == 0)
		return;
	(void)nghttp2_session_consume_stream(stream->h2->session, stream->id, stream->unconsumed);
	stream->unconsumed = 0;
	h2_flush_later(stream->h2);
}

/* With a content-length the last octet is held back until the stream ends: if more comes, or less,
 * the backend has not seen a complete request (RFC 9113, section 8.1.1). */
static void pass_content(struct h2_stream *stream, struct str_view bytes)
{
	const struct http_request *request = &stream->ex->request;

	if (request->framing == BODY_LENGTH && stream->received == request->length) {
		stream->held = bytes.data[bytes.len - 1];
		stream->has_held = true;
		bytes.len--;
	}
	take_content(stream, bytes);
}

/* A tunnel that is not yet one: its window bounds what comes before. */
static void keep_early(struct h2_stream *stream, struct str_view bytes)
{
	stream->paused = true;
	if (!buf_add(&stream->early, bytes))
		h2_reset_stream(stream, NGHTTP2_FLOW_CONTROL_ERROR);
}

int h2_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
	       void *arg)
{
	struct h2 *h2 = arg;
	struct h2_stream *stream = h2_stream_of(h2, id);

	(void)flags;
	/* Each stream's own window bounds it: one that stalls does not hold up the others. */
	(void)nghttp2_session_consume_connection(session, len);
	if (stream == NULL || stream->wasted)
		return 0;
	h2_guard_content(&h2->guard, len);
	stream->active_ms = h2_now(h2);
	stream->received += len;
	stream->unconsumed += len;
	if (stream->ex->request.framing == BODY_LENGTH &&
	    stream->received > stream->ex->request.length)
		h2_reset_stream(stream, NGHTTP2_PROTOCOL_ERROR);
	else if (stream->ex->request.connect && !stream->ex->upgraded)
		keep_early(stream, sv_new((const char *)data, len));
	else
		pass_content(stream, sv_new((const char *)data, len));
	consume(stream);
	return 0;
}

static void on_request_end(struct h2_stream *stream, const struct fields *trailers)
{
	struct exchange *ex = stream->ex;

	if (stream->wasted || ex->request_ended)
		return;
	if (ex->request.framing == BODY_LENGTH && stream->received != ex->request.length) {
		h2_reset_stream(stream, NGHTTP2_PROTOCOL_ERROR);
		return;
	}
	if (!stream->started) {
		ex->request_ended = true;
		start_exchange(stream);
		return;
	}
	if (stream->has_held)
		take_content(stream, sv_new(&stream->held, 1));
	exchange_request_end(ex, trailers);
}

static void on_trailers(struct h2_stream *stream, bool end)
{
	if (stream->head.bad.status != 0 || !end || /* RFC 9113, sections 8.1 and 8.5 */
	    stream->ex->request.connect)
		h2_reset_stream(stream, NGHTTP2_PROTOCOL_ERROR);
	else
		on_request_end(stream, &stream->head.fields);
}

/* ---- frames of a stream ---- */

void h2_on_stream_frame(struct h2 *h2, const nghttp2_frame *frame)
{
	struct h2_stream *stream = h2_stream_of(h2, frame->hd.stream_id);
	bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	if (stream == NULL)
		return;
	stream->peer_ended = stream->peer_ended || end;
	if (stream->wasted)
		return;
	if (frame->hd.type == NGHTTP2_DATA) {
		if (frame->hd.length == 0 && !end)
			h2_count_noise(h2, H2_ATTACK_EMPTY_DATA);
		if (end)
			on_request_end(stream, NULL);
	} else if (stream->head.section == H2_REQUEST) {
		on_request(h2, stream, end);
	} else {
		on_trailers(stream, end);
	}
}

/* ---- called by exchange.c ---- */

void h2_request_resume(struct exchange *ex)
{
	struct h2_stream *stream = ex->stream;

	stream->paused = false;
	consume(stream);
}

/* The backend has agreed: what came before goes there, and the end of the stream, too. */
void h2_tunnel(struct exchange *ex)
{
	struct h2_stream *stream = ex->stream;

	stream->paused = false;
	stream->active_ms = h2_now(stream->h2);
	if (buf_len(&stream->early) > 0)
		take_content(stream, buf_view(&stream->early));
	buf_deinit(&stream->early);
	if (stream->peer_ended)
		exchange_request_end(ex, NULL);
	consume(stream);
}
