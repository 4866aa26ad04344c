/* dataplane/h2.c - HTTP/2 towards the client (RFC 9113), framing by nghttp2
 *
 * The library frames and keeps flow control; what a message may say is judged by http/h2_head.h,
 * and its own opinion on that is switched off, so that HTTP/1 and HTTP/2 have one judge.
 */
#include "base/own.h"
#include "dataplane/h2_stream.h"
#include "dataplane/worker.h"

#include <assert.h>
#include <stdlib.h>

#define GOODBYE_MS 2000 /* how long new streams are still taken after the first GOAWAY */

static int64_t less(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* With streams: when to look at them. It is not moved by what comes, or a client could hold one
 * stream still and keep the connection busy with others. */
void h2_set_deadline(struct h2 *h2)
{
	const struct plane_limits *limits = h2_limits_of(h2);

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
void h2_begin_goodbye(struct h2 *h2)
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
void h2_calm_down(struct h2 *h2, enum h2_attack attack)
{
	if (h2->noisy)
		return;
	h2->noisy = true;
	metric_add(&h2->conn->worker->metrics.h2_attacks[attack], 1);
	end_session(h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

void h2_count_noise(struct h2 *h2, enum h2_attack attack)
{
	if (!h2_guard_noise(&h2->guard, h2_now(h2)))
		h2_calm_down(h2, attack);
}

static void count_reset(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;

	metric_add(&h2->conn->worker->metrics.h2_resets, 1);
	if (!stream->counted && !h2_guard_reset(&h2->guard, h2_now(h2)))
		h2_calm_down(h2,
			     stream->peer_reset ? H2_ATTACK_RAPID_RESET : H2_ATTACK_MADE_YOU_RESET);
}

static void count_stalled(struct h2_stream *stream, enum h2_attack attack)
{
	struct h2 *h2 = stream->h2;

	stream->counted = true;
	metric_add(&h2->conn->worker->metrics.timeouts, 1);
	if (!h2_guard_stalled(&h2->guard, h2_now(h2)))
		h2_calm_down(h2, attack);
}

/* ---- streams ---- */

struct h2_stream *h2_stream_of(struct h2 *h2, int32_t id)
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

/* ---- frames ---- */

static void on_ping(struct h2 *h2, const nghttp2_ping *ping)
{
	bool answer = (ping->hd.flags & NGHTTP2_FLAG_ACK) != 0;

	if (answer && h2->leaving && memcmp(ping->opaque_data, goodbye_mark, 8) == 0)
		end_session(h2, NGHTTP2_NO_ERROR);
	else
		h2_count_noise(h2, H2_ATTACK_PING);
}

static void on_reset(struct h2 *h2, int32_t id)
{
	struct h2_stream *stream = h2_stream_of(h2, id);

	if (stream == NULL)
		h2_count_noise(h2, H2_ATTACK_CLOSED_STREAMS);
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
		h2_on_stream_frame(h2, frame);
		break;
	case NGHTTP2_RST_STREAM:
		on_reset(h2, frame->hd.stream_id);
		break;
	case NGHTTP2_PING:
		on_ping(h2, &frame->ping);
		break;
	default:
		h2_count_noise(h2, h2_guard_attack(frame->hd.type));
		break;
	}
	return h2->noisy ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
			    void *arg)
{
	struct h2 *h2 = arg;
	bool excess = frame->hd.type == NGHTTP2_HEADERS &&
		      h2_stream_of(h2, frame->hd.stream_id) == NULL; /* refused: one too many */

	(void)session;
	(void)error;
	if (excess)
		h2_scan_closed(&h2->scan, frame->hd.stream_id, true);
	h2_count_noise(h2, excess ? H2_ATTACK_EXCESS_STREAMS : H2_ATTACK_INVALID_FRAMES);
	return 0;
}

/* The response is out and the request still comes: the rest of it is not wanted (RFC 9113,
 * section 8.1). */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	bool content = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
	struct h2_stream *stream = content ? h2_stream_of(arg, frame->hd.stream_id) : NULL;

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
	struct h2_stream *stream = h2_stream_of(h2, id);

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
		h2_set_deadline(h2);
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
			h2_calm_down(h2, H2_ATTACK_CONTINUATION);
	} else {
		h2->block = h2_scan_length(&h2->scan);
		h2->continuations = 0;
	}
}

/* A frame's head has come. False: the frame is an error of the connection. */
static bool frame_allowed(struct h2 *h2)
{
	bool open = h2_stream_of(h2, h2_scan_stream(&h2->scan)) != NULL;

	count_block(h2);
	if (h2_scan_ignored(&h2->scan))
		h2_count_noise(h2, h2_guard_attack(h2_scan_type(&h2->scan)));
	switch (h2_scan_verdict(&h2->scan, open)) {
	case H2_FINE:
		return true;
	case H2_LATE:
		h2_count_noise(h2, H2_ATTACK_CLOSED_STREAMS);
		return true;
	case H2_BACKWARDS:
	case H2_POINTLESS:
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
			h2_calm_down(h2, h2_guard_attack(h2_scan_type(&h2->scan)));
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
			h2_reset_stream(stream, NGHTTP2_CANCEL);
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
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, h2_on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, h2_on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, h2_on_data);
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
		 (uint32_t)less(h2_backend_buffer(conn), limits->h2_window)},
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
	h2_guard_init(&h2->guard, h2_now(h2));
	h2_scan_init(&h2->scan);
	h2->session = session_new(h2);
	(void)nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
				      ARRAY_LEN(settings));
	(void)nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
						    (int32_t)limits->h2_conn_window);
	h2_set_deadline(h2);
	h2_flush_later(h2);
}

static void h2_drained(struct conn *conn)
{
	h2_send(conn->codec);
}

/* Its request has taken longer than it may. */
static bool is_late(const struct h2_stream *stream)
{
	int64_t whole = h2_limits_of(stream->h2)->request_received_ms;

	return whole != 0 && !stream->ex->request_ended && !stream->ex->upgraded &&
	       !stream->ex->response_started &&
	       stream->ex->started_ms + whole <= h2_now(stream->h2);
}

/* A stream on which neither side has moved for limits.bodyIdle, when it is the client's turn. */
static void stream_timeout(struct h2_stream *stream)
{
	const struct h2 *h2 = stream->h2;
	bool owes_content = !stream->ex->request_ended && !stream->paused;
	bool owes_window = buf_len(&stream->out) > 0;
	int64_t wait = !stream->has_head                      ? h2_limits_of(h2)->request_head_ms
		       : stream->ex->upgraded && !owes_window ? h2_limits_of(h2)->tunnel_idle_ms
							      : h2_limits_of(h2)->body_idle_ms;

	if (!is_late(stream) &&
	    (stream->active_ms + wait > h2_now(h2) || (!owes_content && !owes_window)))
		return;
	if (!stream->ex->upgraded) /* a tunnel may have nothing to say */
		count_stalled(stream, owes_window ? H2_ATTACK_ZERO_WINDOW : H2_ATTACK_IDLE_STREAMS);
	if (stream->started && !stream->ex->request_ended && !stream->ex->response_started) {
		stream->active_ms = h2_now(h2);
		exchange_fail(stream->ex, 408, "request_timeout");
	} else {
		h2_reset_stream(stream, NGHTTP2_CANCEL);
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
	h2_set_deadline(h2);
	h2_send(h2);
}

static void h2_drain(struct conn *conn)
{
	h2_begin_goodbye(conn->codec);
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
