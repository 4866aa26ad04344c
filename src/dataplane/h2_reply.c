/* dataplane/h2_reply.c - responses over HTTP/2 (RFC 9113, section 8.1) */
#include "dataplane/h2_nv.h"
#include "dataplane/h2_stream.h"
#include "dataplane/worker.h"

#define STREAM_BUFFER 65536 /* response bytes that one stream may have waiting */
#define CONN_BUFFER \
	1048576 /* in all streams of a connection; above it each gets no more until it is empty */
#define LEND_MIN 8192 /* content that is framed where it lies when nothing waits before it */

void h2_flush_later(struct h2 *h2)
{
	if (!h2->receiving)
		task_defer(h2->conn->worker->loop, &h2->flush);
}

/* ---- heads ---- */

/* :status, Date, Content-Length, then the fields of the model. Returns the count, 0: too many. */
static size_t head_of(struct exchange *ex, const struct http_response *response, char status[3],
		      nghttp2_nv nvs[H2_NVS_MAX])
{
	size_t count = 0;

	status[0] = (char)('0' + response->status / 100);
	status[1] = (char)('0' + response->status / 10 % 10);
	status[2] = (char)('0' + response->status % 10);
	nvs[count++] = h2_nv(SV(":status"), sv_new(status, 3));
	if (response->status >= 200 && fields_find_id(&response->fields, FIELD_DATE) == NULL)
		nvs[count++] = h2_nv(SV("date"), worker_date(ex->worker));
	if (response->has_length && response->status >= 200 && response->status != 204)
		nvs[count++] = h2_nv(
			SV("content-length"),
			arena_printf(&ex->arena, "%llu", (unsigned long long)response->length));
	for (size_t i = 0; i < response->fields.count; i++) {
		const struct field *field = &response->fields.items[i];

		if (!h2_nv_passes(field->id))
			continue;
		if (count == H2_NVS_MAX)
			return 0;
		nvs[count++] = h2_nv_of(field);
	}
	return count;
}

void h2_inform(struct exchange *ex, const struct http_response *interim)
{
	struct h2_stream *stream = ex->stream;
	nghttp2_nv nvs[H2_NVS_MAX];
	char status[3];
	size_t count = head_of(ex, interim, status, nvs);

	if (count > 0)
		(void)nghttp2_submit_headers(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id,
					     NULL, nvs, count, NULL);
	h2_flush_later(stream->h2);
}

/* ---- content ---- */

static size_t stream_buffer(const struct h2 *h2)
{
	size_t limit = h2->conn->limits->buffer;

	return limit < STREAM_BUFFER ? limit : STREAM_BUFFER;
}

static void send_trailers(struct h2_stream *stream)
{
	nghttp2_nv nvs[H2_NVS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < stream->trailers.count && count < H2_NVS_MAX; i++) {
		const struct field *field = &stream->trailers.items[i];

		if (field_trailer_ok(field->id) && h2_nv_passes(field->id))
			nvs[count++] = h2_nv_of(field);
	}
	(void)nghttp2_submit_trailer(stream->h2->session, stream->id, nvs, count);
}

/* What is next to be framed. */
static struct str_view waiting(const struct h2_stream *stream)
{
	return stream->lent.len > 0 ? stream->lent : buf_view(&stream->out);
}

static void framed(struct h2_stream *stream, size_t length)
{
	if (stream->lent.len > 0) {
		stream->lent = sv_skip(stream->lent, length);
		return;
	}
	buf_take(&stream->out, length);
	stream->h2->buffered -= length;
	if (buf_len(&stream->out) == 0)
		buf_release(&stream->out);
}

static ssize_t read_content(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
			    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_stream *stream = source->ptr;
	size_t there = waiting(stream).len;

	(void)session;
	(void)id;
	(void)buf;
	(void)arg;
	if (there == 0 && !stream->finished) {
		stream->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (there <= length && stream->finished) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (stream->has_trailers) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			send_trailers(stream); /* behind the frame that is being made */
		}
	}
	return (ssize_t)(there < length ? there : length);
}

int h2_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *framehd,
		 size_t length, nghttp2_data_source *source, void *arg)
{
	struct h2_stream *stream = source->ptr;
	struct h2 *h2 = arg;

	(void)session;
	if (conn_full(h2->conn))
		return NGHTTP2_ERR_WOULDBLOCK;
	conn_write(h2->conn, sv_new((const char *)framehd, 9));
	conn_write(h2->conn, sv_head(waiting(stream), length));
	framed(stream, length);
	h2_guard_sent(&h2->guard, length, waiting(stream).len == 0);
	stream->active_ms = loop_now(h2->conn->worker->loop);
	(void)frame;
	if (stream->full && buf_len(&stream->out) <= stream_buffer(h2) / 2) {
		stream->full = false;
		exchange_response_resume(stream->ex);
	}
	return 0;
}

/* To extended CONNECT a tunnel is a 200, and there was no key to prove (RFC 8441, section 5). */
static void become_connected(struct exchange *ex)
{
	ex->response.status = 200;
	ex->response.has_length = false;
	ex->status = 200;
	fields_remove_id(&ex->response.fields, FIELD_SEC_WEBSOCKET_ACCEPT);
}

void h2_respond(struct exchange *ex)
{
	struct h2_stream *stream = ex->stream;
	nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_content};
	nghttp2_nv nvs[H2_NVS_MAX];
	char status[3];
	size_t count;
	bool content = ex->response.framing != BODY_NONE || ex->upgraded;

	if (ex->upgraded)
		become_connected(ex);
	count = head_of(ex, &ex->response, status, nvs);
	if (content && ex->response.framing == BODY_LENGTH && ex->response.length == 0)
		content = false;
	if (count == 0 || nghttp2_submit_response(stream->h2->session, stream->id, nvs, count,
						  content ? &provider : NULL) != 0)
		h2_abort(ex);
	h2_flush_later(stream->h2);
}

static void resume(struct h2_stream *stream)
{
	if (stream->deferred)
		(void)nghttp2_session_resume_data(stream->h2->session, stream->id);
	stream->deferred = false;
}

/* Small answers rather share a frame with their end. */
static bool may_lend(const struct h2_stream *stream, size_t len)
{
	return len >= LEND_MIN && buf_len(&stream->out) == 0 && !stream->h2->receiving &&
	       !stream->h2->lending && !stream->aborted && !stream->wasted;
}

/* A long run is framed from where it lies, as far as windows and socket allow. Returns what is
 * left. We are inside a call of the exchange: other streams may close, none is freed. */
static struct str_view h2_lend(struct h2_stream *stream, struct str_view bytes)
{
	struct h2 *h2 = stream->h2;
	const uint8_t *frames;
	ssize_t count = 1;

	if (!may_lend(stream, bytes.len))
		return bytes;
	h2->lending = true;
	stream->lent = bytes;
	resume(stream);
	while (stream->lent.len > 0 && count > 0 && !conn_full(h2->conn)) {
		count = nghttp2_session_mem_send(h2->session, &frames);
		if (count > 0)
			conn_write(h2->conn, sv_new((const char *)frames, (size_t)count));
	}
	h2->lending = false;
	bytes = stream->lent;
	stream->lent = SV_NONE;
	return bytes;
}

bool h2_body(struct exchange *ex, struct str_view bytes)
{
	struct h2_stream *stream = ex->stream;
	struct h2 *h2 = stream->h2;

	bytes = h2_lend(stream, bytes);
	if (!buf_add(&stream->out, bytes)) {
		h2_abort(ex);
		return true;
	}
	h2->buffered += bytes.len;
	resume(stream);
	h2_flush_later(h2);
	stream->full = stream->full || buf_len(&stream->out) >= stream_buffer(h2) ||
		       h2->buffered >= CONN_BUFFER;
	return !stream->full;
}

void h2_finish(struct exchange *ex, const struct fields *trailers)
{
	struct h2_stream *stream = ex->stream;

	stream->finished = true;
	if (trailers != NULL && ex->request.te_trailers && ex->response.framing != BODY_NONE) {
		stream->trailers = *trailers;
		stream->has_trailers = true;
	}
	resume(stream);
	h2_flush_later(stream->h2);
}

void h2_abort(struct exchange *ex)
{
	struct h2_stream *stream = ex->stream;

	stream->aborted = true;
	(void)nghttp2_submit_rst_stream(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id,
					NGHTTP2_INTERNAL_ERROR);
	h2_flush_later(stream->h2);
}

bool h2_stuck(struct h2 *h2)
{
	uint64_t taken = conn_taken(h2->conn);
	int64_t now = loop_now(h2->conn->worker->loop);

	if (conn_pending(h2->conn) == 0 || taken != h2->taken || h2->taken_ms == 0) {
		h2->taken = taken;
		h2->taken_ms = now;
		return false;
	}
	return h2->taken_ms + h2->conn->limits->body_idle_ms <= now;
}
