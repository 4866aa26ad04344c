/* dataplane/h2.c - HTTP/2 towards the client (RFC 9113), framing by nghttp2
 *
 * The library frames and keeps flow control; what a message may say is judged by http/h2_head.h,
 * and its own opinion on that is switched off, so that HTTP/1 and HTTP/2 have one judge.
 */
#include "base/own.h"
#include "dataplane/h2_stream.h"
#include "dataplane/websocket.h"
#include "dataplane/worker.h"

#include <assert.h>
#include <stdlib.h>

#define GOODBYE_MS 2000 /* how long new streams are still taken after the first GOAWAY */

static int64_t now_of(const struct h2 *h2)
{
	return loop_now(h2->conn->worker->loop);
}

static const struct plane_limits *limits_of(const struct h2 *h2)
{
	return h2->conn->limits;
}

static int64_t less(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What the leg to a backend holds, whatever a policy allows its clients. */
static uint32_t backend_buffer(const struct conn *conn)
{
	return conn->worker->config->limits.buffer;
}

/* With streams: when to look at them. It is not moved by what comes, or a client could hold one
 * stream still and keep the connection busy with others. */
static void set_deadline(struct h2 *h2)
{
	const struct plane_limits *limits = limits_of(h2);

	int64_t look = less(limits->body_idle_ms, limits->request_head_ms);

	if (limits->request_received_ms != 0)
		look = less(look, limits->request_received_ms);
	conn_deadline(h2->conn, h2->stream_count > 0 ? look / 2 + 1 : limits->keepalive_idle_ms);
}

/* ---- the end ---- */

static void end_session(struct h2 *h2, uint32_t error)
{
	if (h2->ending)
		return;
	h2->ending = true;
	timer_stop(h2->conn->worker->loop, &h2->goodbye);
	(void)nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
				    nghttp2_session_get_last_proc_stream_id(h2->session), error,
				    NULL, 0);
	h2_flush_later(h2);
}

static const uint8_t goodbye_mark[8] = "goodbye";

/* The first GOAWAY asks for no new streams; the second, a round trip later, names the last one, so
 * that no request on its way is lost (RFC 9113, section 6.8). */
static void begin_goodbye(struct h2 *h2)
{
	if (h2->ending || h2->leaving)
		return;
	h2->leaving = true;
	(void)nghttp2_submit_shutdown_notice(h2->session);
	(void)nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, goodbye_mark);
	timer_in(h2->conn->worker->loop, &h2->goodbye, GOODBYE_MS);
	h2_flush_later(h2);
}

static void goodbye_over(struct timer *timer)
{
	end_session(CONTAINER_OF(timer, struct h2, goodbye), NGHTTP2_NO_ERROR);
}

/* Enough of it: GOAWAY, and nothing more is read. */
static void calm_down(struct h2 *h2, enum h2_attack attack)
{
	if (h2->noisy)
		return;
	h2->noisy = true;
	metric_add(&h2->conn->worker->metrics.h2_attacks[attack], 1);
	end_session(h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void count_noise(struct h2 *h2, enum h2_attack attack)
{
	if (!h2_guard_noise(&h2->guard, now_of(h2)))
		calm_down(h2, attack);
}

static void count_reset(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;

	metric_add(&h2->conn->worker->metrics.h2_resets, 1);
	if (!stream->counted && !h2_guard_reset(&h2->guard, now_of(h2)))
		calm_down(h2,
			  stream->peer_reset ? H2_ATTACK_RAPID_RESET : H2_ATTACK_MADE_YOU_RESET);
}

static void count_stalled(struct h2_stream *stream, enum h2_attack attack)
{
	struct h2 *h2 = stream->h2;

	stream->counted = true;
	metric_add(&h2->conn->worker->metrics.timeouts, 1);
	if (!h2_guard_stalled(&h2->guard, now_of(h2)))
		calm_down(h2, attack);
}

/* ---- streams ---- */

static struct h2_stream *stream_of(struct h2 *h2, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h2->session, id);
}

static void stream_free(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;

	list_remove(&stream->link);
	h2->stream_count--;
	h2->buffered -= buf_len(&stream->out);
	buf_deinit(&stream->out);
	buf_deinit(&stream->early);
	exchange_close(stream->ex);
	free(stream);
}

static void free_gone(struct h2 *h2)
{
	while (!list_empty(&h2->gone))
		stream_free(LIST_ENTRY(h2->gone.next, struct h2_stream, link));
}

static void drop_streams(struct h2 *h2)
{
	free_gone(h2);
	while (!list_empty(&h2->streams))
		stream_free(LIST_ENTRY(h2->streams.next, struct h2_stream, link));
}

/* ---- sending ---- */

static bool is_over(const struct h2 *h2)
{
	bool idle = h2->stream_count == 0 && (h2->ending || h2->conn->peer_closed);

	return h2->noisy || (!nghttp2_session_want_write(h2->session) &&
			     (idle || !nghttp2_session_want_read(h2->session)));
}

/* Nothing of the session is used after this: its streams are gone, though it does not know. */
static void end_conn(struct h2 *h2)
{
	h2->over = true;
	drop_streams(h2);
	conn_close(h2->conn);
}

static void h2_send(struct h2 *h2)
{
	free_gone(h2);
	while (!h2->over && !conn_full(h2->conn)) {
		const uint8_t *bytes;
		ssize_t count = nghttp2_session_mem_send(h2->session, &bytes);

		if (count < 0) {
			h2->over = true;
			conn_abort(h2->conn);
			return;
		}
		if (count == 0)
			break;
		conn_write(h2->conn, sv_new((const char *)bytes, (size_t)count));
	}
	if (!h2->over && is_over(h2))
		end_conn(h2);
}

static void h2_flush(struct task *task)
{
	h2_send(CONTAINER_OF(task, struct h2, flush));
}

/* ---- streams begin and break ---- */

/* The client's fault. Its backend is let go at once: the RST_STREAM may have to wait. */
static void reset_stream(struct h2_stream *stream, uint32_t error)
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
	struct h2_limits limits = {.bytes = limits_of(h2)->head, .fields = limits_of(h2)->fields};

	stream->h2 = h2;
	stream->id = id;
	stream->ex = exchange_new(h2->conn, stream);
	stream->active_ms = now_of(h2);
	buf_init(&stream->out, ((size_t)limits_of(h2)->buffer + backend_buffer(h2->conn)) * 2);
	buf_init(&stream->early, limits_of(h2)->h2_window);
	h2_head_init(&stream->head, H2_REQUEST, &stream->ex->arena, &limits);
	list_append(&h2->streams, &stream->link);
	h2->stream_count++;
	if (h2->stream_count == 1)
		set_deadline(h2);
	(void)nghttp2_session_set_stream_user_data(h2->session, id, stream);
	return stream;
}

/* ---- request heads ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h2 = arg;
	struct h2_stream *stream = stream_of(h2, frame->hd.stream_id);
	struct h2_limits limits = {.bytes = limits_of(h2)->head, .fields = limits_of(h2)->fields};

	(void)session;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (stream == NULL)
		(void)stream_new(h2, frame->hd.stream_id);
	else
		h2_head_init(&stream->head, H2_TRAILER, &stream->ex->arena, &limits);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *arg)
{
	struct h2 *h2 = arg;
	struct h2_stream *stream = stream_of(h2, frame->hd.stream_id);

	(void)session;
	(void)flags;
	if (stream == NULL)
		return 0;
	(void)h2_head_add(&stream->head, sv_new((const char *)name, name_len),
			  sv_new((const char *)value, value_len));
	if (stream->head.bytes <= stream->head.limits.bytes * 2 ||
	    stream->head.bytes / H2_EXPANSION_MAX <= h2->block)
		return 0;
	calm_down(h2, H2_ATTACK_HPACK);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void refuse_head(struct h2_stream *stream)
{
	const struct http_bad *bad = &stream->head.bad;

	if (bad->status == 400) {
		reset_stream(stream, NGHTTP2_PROTOCOL_ERROR);
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
	if (limits_of(h2)->requests_per_conn != 0 &&
	    h2->requests >= limits_of(h2)->requests_per_conn)
		begin_goodbye(h2);
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
		reset_stream(stream, NGHTTP2_FLOW_CONTROL_ERROR);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		   size_t len, void *arg)
{
	struct h2 *h2 = arg;
	struct h2_stream *stream = stream_of(h2, id);

	(void)flags;
	/* Each stream's own window bounds it: one that stalls does not hold up the others. */
	(void)nghttp2_session_consume_connection(session, len);
	if (stream == NULL || stream->wasted)
		return 0;
	h2_guard_content(&h2->guard, len);
	stream->active_ms = now_of(h2);
	stream->received += len;
	stream->unconsumed += len;
	if (stream->ex->request.framing == BODY_LENGTH &&
	    stream->received > stream->ex->request.length)
		reset_stream(stream, NGHTTP2_PROTOCOL_ERROR);
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
		reset_stream(stream, NGHTTP2_PROTOCOL_ERROR);
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
		reset_stream(stream, NGHTTP2_PROTOCOL_ERROR);
	else
		on_request_end(stream, &stream->head.fields);
}

/* ---- frames ---- */

static void on_stream_frame(struct h2 *h2, const nghttp2_frame *frame)
{
	struct h2_stream *stream = stream_of(h2, frame->hd.stream_id);
	bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	if (stream == NULL)
		return;
	stream->peer_ended = stream->peer_ended || end;
	if (stream->wasted)
		return;
	if (frame->hd.type == NGHTTP2_DATA) {
		if (frame->hd.length == 0 && !end)
			count_noise(h2, H2_ATTACK_EMPTY_DATA);
		if (end)
			on_request_end(stream, NULL);
	} else if (stream->head.section == H2_REQUEST) {
		on_request(h2, stream, end);
	} else {
		on_trailers(stream, end);
	}
}

static void on_ping(struct h2 *h2, const nghttp2_ping *ping)
{
	bool answer = (ping->hd.flags & NGHTTP2_FLAG_ACK) != 0;

	if (answer && h2->leaving && memcmp(ping->opaque_data, goodbye_mark, 8) == 0)
		end_session(h2, NGHTTP2_NO_ERROR);
	else
		count_noise(h2, H2_ATTACK_PING);
}

static void on_reset(struct h2 *h2, int32_t id)
{
	struct h2_stream *stream = stream_of(h2, id);

	if (stream == NULL)
		count_noise(h2, H2_ATTACK_CLOSED_STREAMS);
	else
		stream->peer_reset = true; /* counted when it closes */
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h2 = arg;

	(void)session;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		on_stream_frame(h2, frame);
		break;
	case NGHTTP2_RST_STREAM:
		on_reset(h2, frame->hd.stream_id);
		break;
	case NGHTTP2_PING:
		on_ping(h2, &frame->ping);
		break;
	default:
		count_noise(h2, h2_guard_attack(frame->hd.type));
		break;
	}
	return h2->noisy ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
			    void *arg)
{
	struct h2 *h2 = arg;
	bool excess = frame->hd.type == NGHTTP2_HEADERS &&
		      stream_of(h2, frame->hd.stream_id) == NULL; /* refused: one too many */

	(void)session;
	(void)error;
	if (excess)
		h2_scan_closed(&h2->scan, frame->hd.stream_id, true);
	count_noise(h2, excess ? H2_ATTACK_EXCESS_STREAMS : H2_ATTACK_INVALID_FRAMES);
	return 0;
}

/* The response is out and the request still comes: the rest of it is not wanted (RFC 9113,
 * section 8.1). */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	bool content = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
	struct h2_stream *stream = content ? stream_of(arg, frame->hd.stream_id) : NULL;

	if (stream == NULL || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
		return 0;
	stream->sent_all = true;
	if (!stream->peer_ended)
		(void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id,
						NGHTTP2_NO_ERROR);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
	struct h2 *h2 = arg;
	struct h2_stream *stream = stream_of(h2, id);

	(void)session;
	if (stream == NULL)
		return 0;
	(void)error; /* a client may call its reset NO_ERROR */
	if (!stream->sent_all && !stream->aborted)
		count_reset(stream);
	h2_scan_closed(&h2->scan, id, !stream->peer_reset && !stream->peer_ended);
	(void)nghttp2_session_set_stream_user_data(h2->session, id, NULL);
	if (h2->lending) {
		list_remove(&stream->link);
		list_append(&h2->gone, &stream->link);
		return 0;
	}
	stream_free(stream);
	if (h2->stream_count == 0)
		set_deadline(h2);
	return 0;
}

/* ---- receiving ---- */

/* The session is broken; whoever says so first says why. */
static void go_deaf(struct h2 *h2, uint32_t error)
{
	h2->deaf = true;
	if (!h2->noisy)
		(void)nghttp2_session_terminate_session(h2->session, error);
}

/* How many frames a header block comes in (CVE-2024-27316), and its octets. */
static void count_block(struct h2 *h2)
{
	if (h2_scan_type(&h2->scan) == NGHTTP2_CONTINUATION) {
		h2->block += h2_scan_length(&h2->scan);
		if (++h2->continuations > H2_CONTINUATIONS_MAX)
			calm_down(h2, H2_ATTACK_CONTINUATION);
	} else {
		h2->block = h2_scan_length(&h2->scan);
		h2->continuations = 0;
	}
}

/* A frame's head has come. False: the frame is an error of the connection. */
static bool frame_allowed(struct h2 *h2)
{
	bool open = stream_of(h2, h2_scan_stream(&h2->scan)) != NULL;

	count_block(h2);
	if (h2_scan_ignored(&h2->scan))
		count_noise(h2, h2_guard_attack(h2_scan_type(&h2->scan)));
	switch (h2_scan_verdict(&h2->scan, open)) {
	case H2_FINE:
		return true;
	case H2_LATE:
		count_noise(h2, H2_ATTACK_CLOSED_STREAMS);
		return true;
	case H2_BACKWARDS:
		go_deaf(h2, NGHTTP2_PROTOCOL_ERROR);
		break;
	case H2_STREAM_IS_CLOSED:
		go_deaf(h2, NGHTTP2_STREAM_CLOSED);
		break;
	}
	return false;
}

static void receive(struct h2 *h2, struct str_view input)
{
	h2->receiving = true;
	while (input.len > 0 && !h2->deaf && !h2->noisy) {
		bool begins;
		ssize_t count;
		size_t len = h2_scan_next(&h2->scan, input, &begins);

		if (begins && (!frame_allowed(h2) || h2->noisy))
			break;
		count = nghttp2_session_mem_recv(h2->session, (const uint8_t *)input.data, len);
		if (count == NGHTTP2_ERR_FLOODED)
			calm_down(h2, h2_guard_attack(h2_scan_type(&h2->scan)));
		else if (count < 0)
			go_deaf(h2, NGHTTP2_PROTOCOL_ERROR);
		input = sv_skip(input, len);
	}
	h2->receiving = false;
}

/* The client sends nothing more: what it has not asked completely, it will never ask. */
static void end_of_input(struct h2 *h2)
{
	LIST_EACH(&h2->streams, node)
	{
		struct h2_stream *stream = LIST_ENTRY(node, struct h2_stream, link);

		if (!stream->ex->request_ended)
			reset_stream(stream, NGHTTP2_CANCEL);
	}
}

static void h2_input(struct conn *conn)
{
	struct h2 *h2 = conn->codec;
	enum conn_io io = IO_OK;

	for (bool more = false; !h2->over && (io = conn_fill(conn)) == IO_OK; more = true) {
		struct str_view input = conn_input(conn);

		if (more) /* streams that were reset end before others begin */
			h2_send(h2);
		receive(h2, input);
		conn_consume(conn, input.len);
		if (h2->noisy)
			break;
	}
	if (io == IO_ERROR) {
		conn_abort(conn);
		return;
	}
	if (io == IO_EOF)
		end_of_input(h2);
	h2_send(h2);
}

/* ---- called by conn.c ---- */

static nghttp2_session *session_new(struct h2 *h2)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	nghttp2_session *session = NULL;

	if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
		abort(); /* out of memory in a small allocation, as xmalloc */
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, h2_send_data);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_http_messaging(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_option_set_max_settings(option, 32);
	if (nghttp2_session_server_new2(&session, callbacks, h2, option) != 0)
		abort();
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

static void h2_open(struct conn *conn)
{
	struct h2 *h2 = xcalloc(1, sizeof(*h2));
	const struct plane_limits *limits = conn->limits;
	nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->h2_streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
		 (uint32_t)less(backend_buffer(conn), limits->h2_window)},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->head},
		{NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
		{NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
	};

	h2->conn = conn;
	conn->codec = h2;
	list_init(&h2->streams);
	list_init(&h2->gone);
	task_init(&h2->flush, h2_flush);
	timer_init(&h2->goodbye, goodbye_over);
	h2_guard_init(&h2->guard, now_of(h2));
	h2_scan_init(&h2->scan);
	h2->session = session_new(h2);
	(void)nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
				      ARRAY_LEN(settings));
	(void)nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
						    (int32_t)limits->h2_conn_window);
	set_deadline(h2);
	h2_flush_later(h2);
}

static void h2_drained(struct conn *conn)
{
	h2_send(conn->codec);
}

/* Its request has taken longer than it may. */
static bool is_late(const struct h2_stream *stream)
{
	int64_t whole = limits_of(stream->h2)->request_received_ms;

	return whole != 0 && !stream->ex->request_ended && !stream->ex->upgraded &&
	       !stream->ex->response_started &&
	       stream->ex->started_ms + whole <= now_of(stream->h2);
}

/* A stream on which neither side has moved for limits.bodyIdle, when it is the client's turn. */
static void stream_timeout(struct h2_stream *stream)
{
	const struct h2 *h2 = stream->h2;
	bool owes_content = !stream->ex->request_ended && !stream->paused;
	bool owes_window = buf_len(&stream->out) > 0;
	int64_t wait = !stream->has_head                      ? limits_of(h2)->request_head_ms
		       : stream->ex->upgraded && !owes_window ? limits_of(h2)->tunnel_idle_ms
							      : limits_of(h2)->body_idle_ms;

	if (!is_late(stream) &&
	    (stream->active_ms + wait > now_of(h2) || (!owes_content && !owes_window)))
		return;
	if (!stream->ex->upgraded) /* a tunnel may have nothing to say */
		count_stalled(stream, owes_window ? H2_ATTACK_ZERO_WINDOW : H2_ATTACK_IDLE_STREAMS);
	if (stream->started && !stream->ex->request_ended && !stream->ex->response_started) {
		stream->active_ms = now_of(h2);
		exchange_fail(stream->ex, 408, "request_timeout");
	} else {
		reset_stream(stream, NGHTTP2_CANCEL);
	}
}

static void h2_timeout(struct conn *conn)
{
	struct h2 *h2 = conn->codec;

	if (h2_stuck(h2)) {
		metric_add(&conn->worker->metrics.timeouts, 1);
		conn_abort(conn);
		return;
	}
	if (h2->stream_count == 0 && conn_pending(conn) == 0)
		end_session(h2, NGHTTP2_NO_ERROR);
	LIST_EACH(&h2->streams, node)
	{
		stream_timeout(LIST_ENTRY(node, struct h2_stream, link));
	}
	set_deadline(h2);
	h2_send(h2);
}

static void h2_drain(struct conn *conn)
{
	begin_goodbye(conn->codec);
}

static void h2_closed(struct conn *conn)
{
	struct h2 *h2 = conn->codec;

	task_cancel(&h2->flush);
	timer_stop(conn->worker->loop, &h2->goodbye);
	h2->over = true;
	drop_streams(h2);
	nghttp2_session_del(h2->session);
	conn->codec = NULL;
	free(h2);
}

static void h2_request_resume(struct exchange *ex)
{
	struct h2_stream *stream = ex->stream;

	stream->paused = false;
	consume(stream);
}

/* The backend has agreed: what came before goes there, and the end of the stream, too. */
static void h2_tunnel(struct exchange *ex)
{
	struct h2_stream *stream = ex->stream;

	stream->paused = false;
	stream->active_ms = now_of(stream->h2);
	if (buf_len(&stream->early) > 0)
		take_content(stream, buf_view(&stream->early));
	buf_deinit(&stream->early);
	if (stream->peer_ended)
		exchange_request_end(ex, NULL);
	consume(stream);
}

const struct transport h2_transport = {
	.name = "HTTP/2",
	.open = h2_open,
	.input = h2_input,
	.drained = h2_drained,
	.timeout = h2_timeout,
	.drain = h2_drain,
	.closed = h2_closed,
	.respond = h2_respond,
	.inform = h2_inform,
	.body = h2_body,
	.finish = h2_finish,
	.abort = h2_abort,
	.request_resume = h2_request_resume,
	.tunnel = h2_tunnel,
};
