/* dataplane/up_h2_send.c - requests over HTTP/2 (RFC 9113, section 8.3) */
#include "dataplane/h2_nv.h"
#include "dataplane/up_h2.h"

/* ---- heads ---- */

/* What proves an upgrade of HTTP/1.1 is not part of extended CONNECT (RFC 8441, section 5). */
static bool passes_in(const struct http_request *request, enum field_id id)
{
	return h2_nv_passes(id) && !(request->websocket && id == FIELD_SEC_WEBSOCKET_KEY);
}

static struct str_view authority_of(struct exchange *ex)
{
	const struct http_authority *authority = &ex->request.authority;

	if (authority->port == 0)
		return authority->host;
	return arena_printf(&ex->arena, "%.*s:%u", SV_ARG(authority->host),
			    (unsigned)authority->port);
}

static struct str_view path_of(struct exchange *ex)
{
	const struct http_target *target = &ex->request.target;

	if (!target->has_query)
		return target->path;
	return arena_printf(&ex->arena, "%.*s?%.*s", SV_ARG(target->path), SV_ARG(target->query));
}

/* What is not said by the fields of the model; returns the count. */
static size_t own_fields(struct exchange *ex, bool tls, nghttp2_nv *nvs)
{
	const struct http_request *request = &ex->request;
	size_t count = 0;

	nvs[count++] = h2_nv(SV(":method"), request->websocket ? SV("CONNECT") : request->method);
	if (request->websocket)
		nvs[count++] = h2_nv(SV(":protocol"), SV("websocket"));
	nvs[count++] = h2_nv(SV(":scheme"), tls ? SV("https") : SV("http"));
	nvs[count++] = h2_nv(SV(":authority"), authority_of(ex));
	nvs[count++] = h2_nv(SV(":path"), path_of(ex));
	if (request->framing == BODY_LENGTH)
		nvs[count++] = h2_nv(
			SV("content-length"),
			arena_printf(&ex->arena, "%llu", (unsigned long long)request->length));
	if (request->te_trailers)
		nvs[count++] = h2_nv(SV("te"), SV("trailers"));
	return count;
}

/* 0: too many, or too long. */
static size_t head_of(struct exchange *ex, bool tls, nghttp2_nv nvs[H2_NVS_MAX])
{
	const struct fields *fields = &ex->request.fields;
	size_t count = own_fields(ex, tls, nvs);

	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->items[i];

		if (!passes_in(&ex->request, field->id))
			continue;
		if (count == H2_NVS_MAX)
			return 0;
		nvs[count++] = h2_nv_of(field);
	}
	return ex->arena.spent ? 0 : count;
}

/* ---- content ---- */

static void submit_trailers(struct up_stream *stream)
{
	nghttp2_nv nvs[H2_NVS_MAX];
	const struct fields *fields = stream->trailers;
	size_t count = 0;

	for (size_t i = 0; i < fields->count && count < H2_NVS_MAX; i++) {
		const struct field *field = &fields->items[i];

		if (field_trailer_ok(field->id) && h2_nv_passes(field->id))
			nvs[count++] = h2_nv_of(field);
	}
	(void)nghttp2_submit_trailer(stream->h2->session, stream->id, nvs, count);
}

/* nghttp2's data_source_read_callback. */
/* NOLINTNEXTLINE(readability-function-size): its parameters */
static ssize_t read_content(nghttp2_session *session, int32_t id, uint8_t *out, size_t room,
			    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct up_stream *stream = nghttp2_session_get_stream_user_data(session, id);
	struct str_view bytes;

	(void)arg;
	(void)source;
	if (stream == NULL) /* its exchange has gone, RST_STREAM is on its way */
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	bytes = buf_view(&stream->out);
	if (bytes.len == 0 && !stream->ended) {
		stream->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	bytes = sv_new(bytes.data, bytes.len < room ? bytes.len : room);
	if (bytes.len > 0)
		memcpy(out, bytes.data, bytes.len);
	buf_take(&stream->out, bytes.len);
	stream->content_sent += bytes.len;
	up_stream_arm(stream);
	if (buf_len(&stream->out) > 0)
		return (ssize_t)bytes.len;
	buf_release(&stream->out);
	if (!stream->ended)
		return (ssize_t)bytes.len;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (stream->trailers != NULL && stream->trailers->count > 0) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		submit_trailers(stream);
	}
	return (ssize_t)bytes.len;
}

static void wake(struct up_stream *stream)
{
	if (stream->deferred) {
		stream->deferred = false;
		(void)nghttp2_session_resume_data(stream->h2->session, stream->id);
	}
	up_h2_flush_later(stream->h2);
}

static bool note_full(struct up_stream *stream)
{
	size_t limit = stream->h2->owner->worker->config->limits.buffer;

	stream->full = stream->full || buf_len(&stream->out) >= limit;
	stream->h2->attention = stream->h2->attention || stream->full;
	return !stream->full;
}

bool up_h2_body(struct leg *leg, struct str_view bytes)
{
	struct up_stream *stream = CONTAINER_OF(leg, struct up_stream, leg);

	if (stream->failure != NULL || bytes.len == 0)
		return true;
	if (buf_len(&stream->out) == 0) /* else the backend's time runs already */
		up_stream_arm(stream);
	if (!buf_add(&stream->out, bytes)) {
		up_stream_fail_later(stream, 502, "upstream_buffer");
		return true;
	}
	wake(stream);
	return note_full(stream);
}

void up_h2_end(struct leg *leg, const struct fields *trailers)
{
	struct up_stream *stream = CONTAINER_OF(leg, struct up_stream, leg);

	if (stream->leg.ex->request.websocket && !stream->leg.ex->upgraded)
		return; /* the question has ended, the stream is to become a tunnel */
	stream->ended = true;
	stream->trailers = trailers;
	up_stream_arm(stream);
	wake(stream);
}

/* ---- beginning ---- */

/* RFC 8441, section 3: a client asks only who has said that it understands. */
static bool takes_websockets(const struct up_h2 *h2)
{
	return nghttp2_session_get_remote_settings(h2->session,
						   NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

void up_h2_submit(struct up_stream *stream)
{
	struct exchange *ex = stream->leg.ex;
	struct up_h2 *h2 = stream->h2;
	nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_content};
	bool content = ex->request.websocket ||
		       (ex->request.framing != BODY_NONE &&
			!(ex->request.framing == BODY_LENGTH && ex->request.length == 0));
	nghttp2_nv nvs[H2_NVS_MAX];
	size_t count;

	stream->held = ex->request.websocket && !h2->settled;
	if (stream->held)
		return;
	if (ex->request.websocket && !takes_websockets(h2)) {
		stream->hopeless = true;
		up_stream_fail_later(stream, 502, "upgrade_unsupported");
		return;
	}
	count = head_of(ex, h2->tls != NULL, nvs);
	if (count == 0) {
		up_stream_fail_later(stream, 431, "head_too_large");
		return;
	}
	stream->id = nghttp2_submit_request(h2->session, NULL, nvs, count,
					    content ? &provider : NULL, stream);
	if (stream->id > 0)
		return;
	stream->id = 0;
	up_h2_retire(h2); /* its stream identifiers are used up */
	up_stream_fail_later(stream, 503, "upstream_busy");
}

void up_h2_begin(struct up_h2 *h2, struct exchange *ex)
{
	struct up_stream *stream = up_stream_new(h2, ex);
	enum body_framing framing = ex->request.framing;
	bool empty = framing == BODY_NONE || (framing == BODY_LENGTH && ex->request.length == 0);
	bool brought = up_content(ex, &stream->out);

	if (h2->served > 0)
		metric_add(&h2->owner->worker->metrics.upstream_reuses, 1);
	stream->ended = ex->request_ended && (empty || brought) && !ex->request.websocket;
	if (stream->ended)
		stream->trailers = ex->request_trailers;
	(void)note_full(stream);
	up_h2_submit(stream);
	up_h2_flush_later(h2);
}
