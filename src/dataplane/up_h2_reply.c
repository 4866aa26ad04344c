/* dataplane/up_h2_reply.c - responses of HTTP/2 backends: heads, content, ends (RFC 9113, section
 * 8.1) */
#include "dataplane/h2_nv.h"
#include "dataplane/up_h2.h"
#include "dataplane/websocket.h"

#define INTERIMS_MAX 32

/* ---- ends ---- */

static void complete(struct up_stream *stream)
{
	struct exchange *ex = stream->leg.ex;
	const struct fields *trailers = stream->has_trailers ? &stream->head.fields : NULL;

	pool_worked(stream->h2->endpoint);
	stream->h2->served++;
	up_stream_drop(stream);
	exchange_upstream_end(ex, trailers);
}

/* END_STREAM has come. */
static void response_over(struct up_stream *stream)
{
	const struct http_response *response = &stream->leg.ex->response;

	if (!stream->head_done) { /* interim responses, and then nothing (RFC 9113, section 8.1) */
		up_stream_fail(stream, 502, "upstream_malformed", false);
		return;
	}
	stream->over = true;
	if (response->framing == BODY_LENGTH && stream->received != response->length) {
		up_stream_fail(stream, 502, "upstream_truncated", false);
		return;
	}
	if (stream->unproved)
		exchange_upstream_head(stream->leg.ex);
	if (stream->leg.ex != NULL && buf_len(&stream->in) == 0)
		complete(stream);
}

/* ---- heads ---- */

static void begin_head(struct up_stream *stream, enum h2_section section)
{
	const struct plane_limits *limits = up_h2_limits(stream->h2);
	struct h2_limits most = {.bytes = limits->head, .fields = limits->fields};

	h2_head_init(&stream->head, section, &stream->leg.ex->arena, &most);
}

int up_h2_on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct up_stream *stream = up_stream_of(arg, frame->hd.stream_id);

	(void)session;
	if (stream != NULL && frame->hd.type == NGHTTP2_HEADERS)
		begin_head(stream, stream->head_done ? H2_TRAILER : H2_RESPONSE);
	return 0;
}

int up_h2_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		    void *arg)
{
	struct up_stream *stream = up_stream_of(arg, frame->hd.stream_id);

	(void)session;
	if (stream != NULL)
		h2_nv_take(&stream->head, sv_new((const char *)name, name_len),
			   sv_new((const char *)value, value_len), flags);
	return 0;
}

bool up_h2_is_stream(const struct fields *fields)
{
	struct str_view type = fields_value(fields, FIELD_CONTENT_TYPE);

	return sv_starts(type, SV("text/event-stream")) || sv_starts(type, SV("application/grpc"));
}

/* A success is the tunnel (RFC 8441, section 5). False: no room. */
static bool take_tunnel(struct up_stream *stream)
{
	if (!stream->leg.ex->request.websocket || stream->leg.ex->response.status / 100 != 2)
		return true;
	stream->streams = true;
	return websocket_agreed(stream->leg.ex);
}

static void on_response(struct up_stream *stream, bool end)
{
	struct exchange *ex = stream->leg.ex;
	struct http_response *response = &ex->response;

	if (!h2_head_response(&stream->head, end, ex->request.method_id, response) ||
	    (http_is_interim(response->status) && ++stream->interims > INTERIMS_MAX)) {
		up_stream_fail(stream, 502, "upstream_malformed", false);
		return;
	}
	if (http_is_interim(response->status)) {
		up_stream_arm(stream);
		if (response->status != 100) /* a client that waits for it has had ours */
			exchange_upstream_interim(ex, response);
		return;
	}
	if (!take_tunnel(stream)) {
		up_stream_fail(stream, 502, "response_head_too_large", false);
		return;
	}
	stream->head_done = true;
	stream->streams = stream->streams || up_h2_is_stream(&response->fields);
	up_stream_arm(stream);
	/* A client would take a length of zero for the end: it hears of it when END_STREAM has
	 * proved it (RFC 9113, section 8.1.1). */
	stream->unproved = !end && response->framing == BODY_LENGTH && response->length == 0;
	if (!stream->unproved)
		exchange_upstream_head(ex);
	if (stream->leg.ex != NULL && end)
		response_over(stream);
}

static void on_trailers(struct up_stream *stream, bool end)
{
	if (stream->head.bad.status != 0 || !end) { /* RFC 9113, section 8.1 */
		up_stream_fail(stream, 502, "upstream_malformed", false);
		return;
	}
	stream->has_trailers = stream->head.fields.count > 0;
	response_over(stream);
}

/* ---- content ---- */

static void deliver(struct up_stream *stream, struct str_view bytes)
{
	if (!exchange_upstream_body(stream->leg.ex, bytes))
		stream->paused = true;
}

static void open_window(struct up_stream *stream)
{
	if (stream->paused || stream->closed || stream->unconsumed == 0)
		return;
	(void)nghttp2_session_consume_stream(stream->h2->session, stream->id, stream->unconsumed);
	stream->unconsumed = 0;
	up_h2_flush_later(stream->h2);
}

static bool content_allowed(const struct up_stream *stream)
{
	const struct http_response *response = &stream->leg.ex->response;

	return stream->head_done && response->framing != BODY_NONE &&
	       (response->framing != BODY_LENGTH || stream->received <= response->length);
}

int up_h2_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		  size_t len, void *arg)
{
	struct up_stream *stream = up_stream_of(arg, id);
	struct str_view bytes = sv_new((const char *)data, len);

	(void)flags;
	(void)nghttp2_session_consume_connection(session, len);
	if (stream == NULL)
		return 0;
	stream->received += len;
	stream->unconsumed += len;
	if (!content_allowed(stream)) {
		up_stream_fail(stream, 502, "upstream_malformed", false);
		return 0;
	}
	up_stream_arm(stream);
	if (!stream->paused && buf_len(&stream->in) == 0)
		deliver(stream, bytes);
	else if (!buf_add(&stream->in, bytes)) /* never: the window is smaller */
		up_stream_fail(stream, 502, "upstream_buffer", false);
	if (stream->leg.ex != NULL)
		open_window(stream);
	return 0;
}

void up_stream_frame(struct up_stream *stream, const nghttp2_frame *frame)
{
	bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	if (frame->hd.type == NGHTTP2_HEADERS && stream->head_done)
		on_trailers(stream, end);
	else if (frame->hd.type == NGHTTP2_HEADERS)
		on_response(stream, end);
	else if (end)
		response_over(stream);
}

void up_stream_go_on(struct up_stream *stream)
{
	struct buf content = stream->in;

	stream->resumed = false;
	buf_init(&stream->in, UP_H2_WINDOW);
	if (buf_len(&content) > 0)
		deliver(stream, buf_view(&content));
	buf_deinit(&content);
	if (stream->leg.ex == NULL)
		return;
	open_window(stream);
	if (stream->over)
		complete(stream);
}
