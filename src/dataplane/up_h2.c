/* dataplane/up_h2.c - HTTP/2 towards backends (RFC 9113): one connection, many exchanges
 *
 * As in h2.c the library frames and keeps flow control, and http/h2_head.h judges messages. A
 * stream's window is opened again only by what its client has taken, so a slow client stops its own
 * stream and no other; the connection's window is opened at once, and so what waits here is at most
 * UP_H2_WINDOW for each stream.
 */
#include "dataplane/up_h2.h"

#include "base/own.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CONN_WINDOW  4194304 /* all streams of a connection together */
#define READS_A_TURN 8       /* of one connection */

static struct loop *loop_of(const struct up_h2 *h2)
{
	return h2->owner->worker->loop;
}

void up_h2_flush_later(struct up_h2 *h2)
{
	if (!h2->busy && !h2->closed)
		task_defer(loop_of(h2), &h2->turn);
}

/* ---- streams end ---- */

static void release(void *object)
{
	free(object);
}

static void set_idle(struct up_h2 *h2)
{
	if (h2->stream_count == 0 && !h2->closed)
		timer_in(loop_of(h2), &h2->timer, up_h2_limits(h2)->upstream_idle_ms);
}

/* The library may know it longer. */
void up_stream_drop(struct up_stream *stream)
{
	struct up_h2 *h2 = stream->h2;

	leg_part(&stream->leg);
	list_remove(&stream->link);
	timer_stop(loop_of(h2), &stream->timer);
	h2->stream_count--;
	h2->endpoint->active--;
	if (stream->id > 0 && !stream->closed) {
		(void)nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
		if (!(stream->sent_all && stream->over))
			(void)nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id,
							stream->over ? NGHTTP2_NO_ERROR
								     : NGHTTP2_CANCEL);
		up_h2_flush_later(h2);
	}
	buf_deinit(&stream->out);
	buf_deinit(&stream->in);
	worker_free_later(h2->owner->worker, release, stream);
	set_idle(h2);
}

/* What has the backend seen of the request? See up_fate of upstream.c. refused: it says that it has
 * not looked (RFC 9113, section 8.7). */
static enum leg_fate fate_of(const struct up_stream *stream, bool refused)
{
	const struct http_request *request = &stream->leg.ex->request;
	bool whole = stream->content_sent == 0 && !stream->out.spent;

	if (stream->hopeless)
		return LEG_SEEN;
	if (whole && (!stream->head_sent || refused))
		return LEG_UNSEEN;
	if (stream->h2->served > 0 && stream->h2->reads == stream->reads &&
	    request->framing == BODY_NONE && http_method_idempotent(request->method_id) &&
	    !stream->head_done)
		return LEG_REPEATABLE;
	return LEG_SEEN;
}

void up_stream_fail(struct up_stream *stream, uint16_t status, const char *failure, bool refused)
{
	struct exchange *ex = stream->leg.ex;
	enum leg_fate fate = fate_of(stream, refused);

	if (fate == LEG_UNSEEN)
		up_give_back(ex, &stream->out);
	if (fate == LEG_SEEN && !stream->hopeless)
		upstream_judge(ex, status);
	up_stream_drop(stream);
	exchange_upstream_failed(ex, status, failure, fate);
}

/* From inside calls of the exchange. */
void up_stream_fail_later(struct up_stream *stream, uint16_t status, const char *failure)
{
	stream->failure = failure;
	stream->failure_status = status;
	stream->h2->attention = true;
	up_h2_flush_later(stream->h2);
}

/* ---- the connection ends ---- */

void up_h2_retire(struct up_h2 *h2)
{
	h2->retired = true;
}

/* No stream is left. */
static void conn_close(struct up_h2 *h2)
{
	struct worker *worker = h2->owner->worker;

	UP_H2_CHECK(h2);
	assert(h2->stream_count == 0);
	h2->closed = true;
	h2->magic = 0;
	list_remove(&h2->link);
	h2->endpoint->lines--;
	timer_stop(worker->loop, &h2->timer);
	task_cancel(&h2->turn);
	loop_remove(worker->loop, &h2->watch);
	up_tls_free(h2->tls, h2->watch.fd);
	close(h2->watch.fd);
	nghttp2_session_del(h2->session);
	buf_deinit(&h2->out);
	worker_free_later(worker, release, h2);
}

/* All that is under way fails. */
static void conn_fail(struct up_h2 *h2, const char *failure)
{
	up_h2_retire(h2);
	h2->busy = true;
	while (!list_empty(&h2->streams)) {
		struct up_stream *stream = LIST_ENTRY(h2->streams.next, struct up_stream, link);

		stream->closed = true;
		up_stream_fail(stream, 502, failure, false);
	}
	conn_close(h2);
}

/* ---- deadlines ---- */

/* Its client has asked for a tunnel, and waits for the answer. */
static bool asks_for_tunnel(const struct up_stream *stream)
{
	return stream->leg.ex->request.websocket && !stream->head_done;
}

void up_stream_arm(struct up_stream *stream)
{
	const struct plane_limits *limits = up_h2_limits(stream->h2);
	int64_t wait = limits->body_idle_ms;

	if (stream->streams && !(stream->ended && stream->leg.ex->upgraded))
		wait = limits->tunnel_idle_ms; /* as long as a tunnel is open both ways */
	else if (!stream->head_done && (stream->ended || asks_for_tunnel(stream)))
		wait = limits->upstream_response_ms;
	stream->armed_ms = loop_now(loop_of(stream->h2));
	timer_in(loop_of(stream->h2), &stream->timer, wait);
}

static void stream_timeout(struct timer *timer)
{
	struct up_stream *stream = CONTAINER_OF(timer, struct up_stream, timer);
	struct up_h2 *h2 = stream->h2;
	bool waits_for_client = stream->paused || (!stream->ended && buf_len(&stream->out) == 0 &&
						   !asks_for_tunnel(stream));

	if (waits_for_client) { /* whose own deadline decides */
		up_stream_arm(stream);
		return;
	}
	metric_add(&h2->owner->worker->metrics.upstream_timeouts, 1);
	if (h2->heard_ms <= stream->armed_ms)
		up_h2_retire(h2); /* nothing at all came: it may be dead */
	up_stream_fail(stream, 504, "upstream_timeout", false);
}

/* ---- frames ---- */

struct up_stream *up_stream_of(struct up_h2 *h2, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h2->session, id);
}

/* How many streams it takes at once is known from now on: those that were too many go elsewhere. */
static void on_settings(struct up_h2 *h2)
{
	uint32_t most = nghttp2_session_get_remote_settings(
		h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	h2->settled = true;
	h2->attention = true; /* of those that are held */
	up_h2_flush_later(h2);
	h2->streams_max = most < UP_H2_STREAMS_MAX ? most : UP_H2_STREAMS_MAX;
	h2->endpoint->streams_max = h2->streams_max;
	if (most == 0) /* or every request would make one more such connection */
		up_h2_retire(h2);
	if (h2->stream_count > h2->streams_max)
		h2->crowded = true;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct up_h2 *h2 = arg;
	bool content = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
	struct up_stream *stream = content ? up_stream_of(h2, frame->hd.stream_id) : NULL;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		up_h2_retire(h2);
	else if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
		on_settings(h2);
	if (stream != NULL)
		up_stream_frame(stream, frame);
	return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	bool content = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
	struct up_stream *stream = content ? up_stream_of(arg, frame->hd.stream_id) : NULL;

	(void)session;
	if (stream == NULL)
		return 0;
	stream->head_sent = true;
	stream->sent_all = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	return 0;
}

/* A request that may not be sent any more: the backend has said good-bye meanwhile. */
static int on_frame_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error,
			     void *arg)
{
	struct up_h2 *h2 = arg;

	(void)session;
	(void)error;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	LIST_EACH(&h2->streams, node)
	{
		struct up_stream *stream = LIST_ENTRY(node, struct up_stream, link);

		if (stream->id == frame->hd.stream_id && !stream->head_sent)
			up_stream_fail_later(stream, 502, "upstream_closed");
	}
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
	struct up_stream *stream = up_stream_of(arg, id);

	(void)session;
	if (stream == NULL)
		return 0;
	stream->closed = true;
	if (stream->over) /* its client has not taken all of it yet */
		return 0;
	if (!stream->head_sent) /* on_frame_not_sent has told */
		return 0;
	up_stream_fail(stream, 502,
		       error == NGHTTP2_REFUSED_STREAM ? "upstream_refused" : "upstream_reset",
		       error == NGHTTP2_REFUSED_STREAM);
	return 0;
}

/* ---- receiving ---- */

/* Reads once; false: nothing more to be had now. */
static bool read_once(struct up_h2 *h2)
{
	char *buffer = worker_buffer_take(h2->owner->worker);
	ssize_t count = up_io_read(h2->watch.fd, h2->tls, buffer, WORKER_BUFFER_SIZE);
	bool again = count < 0 && up_would_block(errno);
	ssize_t done = 0;

	if (count > 0) {
		h2->heard_ms = loop_now(loop_of(h2));
		h2->reads++;
		h2->busy = true;
		done = nghttp2_session_mem_recv(h2->session, (const uint8_t *)buffer,
						(size_t)count);
		h2->busy = false;
	}
	worker_buffer_give(h2->owner->worker, buffer);
	if (done < 0) {
		conn_fail(h2, "upstream_malformed");
		return false;
	}
	if (count > 0) {
		h2->readable = up_io_more(h2->tls, count, WORKER_BUFFER_SIZE) || h2->eof;
		return true;
	}
	h2->readable = false;
	if (!again)
		conn_fail(h2, "upstream_closed");
	return false;
}

static void receive(struct up_h2 *h2)
{
	unsigned reads = 0;

	while (h2->readable && reads++ < READS_A_TURN) {
		if (!read_once(h2))
			return;
	}
}

/* ---- sending ---- */

/* What the library has to say, as much as fits. False: it is broken. */
static bool produce(struct up_h2 *h2)
{
	while (buf_len(&h2->out) < UP_H2_OUT_HIGH) {
		const uint8_t *bytes;
		ssize_t count = nghttp2_session_mem_send(h2->session, &bytes);

		if (count == 0)
			return true;
		if (count < 0 || !buf_add(&h2->out, sv_new((const char *)bytes, (size_t)count)))
			return false;
	}
	return true;
}

/* False: the connection is broken, and what the backend said before is still to be read. */
static bool send_all(struct up_h2 *h2)
{
	if (h2->tls != NULL)
		(void)up_tls_flush(h2->tls, h2->watch.fd);
	for (;;) {
		struct str_view rest;
		ssize_t count;

		if (!produce(h2))
			return false;
		rest = buf_view(&h2->out);
		if (rest.len == 0)
			break;
		count = up_io_send(h2->watch.fd, h2->tls, rest);
		if (count < 0)
			return false;
		buf_take(&h2->out, (size_t)count);
		if ((size_t)count < rest.len)
			return true; /* the socket will tell */
	}
	buf_release(&h2->out);
	return true;
}

static bool is_extra(const struct up_stream *stream)
{
	const struct up_h2 *h2 = stream->h2;

	return h2->crowded && !stream->head_sent && h2->stream_count > h2->streams_max;
}

static bool has_room(const struct up_stream *stream)
{
	return stream->full && buf_len(&stream->out) <= up_h2_limits(stream->h2)->buffer / 2;
}

/* One that failed inside a call, is one too many, or goes on in one direction or the other. */
static struct up_stream *find_due(struct up_h2 *h2)
{
	h2->attention = false;
	LIST_EACH(&h2->streams, node)
	{
		struct up_stream *stream = LIST_ENTRY(node, struct up_stream, link);

		h2->attention = h2->attention || stream->full;
		if (stream->failure != NULL || stream->resumed || is_extra(stream) ||
		    has_room(stream) || (stream->held && h2->settled))
			return stream;
	}
	h2->crowded = false;
	return NULL;
}

/* What one of them sets in motion may end others: each is looked for anew. */
static void settle_streams(struct up_h2 *h2)
{
	struct up_stream *stream;

	while (h2->attention && (stream = find_due(h2)) != NULL) {
		h2->attention = true;
		if (stream->failure != NULL) {
			up_stream_fail(stream, stream->failure_status, stream->failure, false);
		} else if (stream->resumed) {
			up_stream_go_on(stream);
		} else if (is_extra(stream)) {
			up_stream_fail(stream, 503, "upstream_busy", false);
		} else if (stream->held && h2->settled) {
			up_h2_submit(stream);
		} else {
			stream->full = false;
			exchange_upstream_room(stream->leg.ex);
		}
	}
}

static void run(struct up_h2 *h2)
{
	bool alive;

	h2->busy = true;
	alive = send_all(h2);
	h2->busy = false;
	if (!alive)
		h2->readable = h2->eof = true;
	receive(h2);
	if (h2->closed)
		return;
	h2->busy = true; /* what these start is sent below */
	settle_streams(h2);
	alive = alive && send_all(h2);
	h2->busy = false;
	if (!alive && !h2->readable)
		conn_fail(h2, "upstream_closed");
	else if (!nghttp2_session_want_read(h2->session)) /* it was broken, or all is said */
		conn_fail(h2, "upstream_malformed");
	else if (h2->stream_count == 0 && h2->retired && buf_len(&h2->out) == 0)
		conn_close(h2); /* it takes nothing more */
	else if (h2->readable)
		task_defer(loop_of(h2), &h2->turn);
}

static void turn(struct task *task)
{
	struct up_h2 *h2 = CONTAINER_OF(task, struct up_h2, turn);

	UP_H2_CHECK(h2);
	run(h2);
}

static void ready(struct loop_fd *watch, unsigned events)
{
	struct up_h2 *h2 = CONTAINER_OF(watch, struct up_h2, watch);

	UP_H2_CHECK(h2);
	if ((events & (LOOP_EOF | LOOP_GONE)) != 0)
		h2->eof = true;
	if ((events & (LOOP_READ | LOOP_GONE)) != 0)
		h2->readable = true;
	run(h2);
}

/* ---- the connection begins ---- */

/* Unused for a while: it says good-bye, and is closed when that is out. */
static void idle_over(struct timer *timer)
{
	struct up_h2 *h2 = CONTAINER_OF(timer, struct up_h2, timer);

	if (h2->stream_count > 0)
		return;
	if (h2->retired) { /* it does not even take the good-bye */
		conn_close(h2);
		return;
	}
	up_h2_retire(h2);
	(void)nghttp2_session_terminate_session(h2->session, NGHTTP2_NO_ERROR);
	set_idle(h2);
	up_h2_flush_later(h2);
}

static nghttp2_session *session_new(struct up_h2 *h2)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	nghttp2_session *session = NULL;

	if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
		abort(); /* out of memory in a small allocation, as xmalloc */
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, up_h2_on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, up_h2_on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, up_h2_on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_http_messaging(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_option_set_max_settings(option, 32);
	nghttp2_option_set_peer_max_concurrent_streams(option, 1); /* until it has said more */
	if (nghttp2_session_client_new2(&session, callbacks, h2, option) != 0)
		abort();
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

static void greet(struct up_h2 *h2)
{
	const struct plane_limits *limits = up_h2_limits(h2);
	nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
		 limits->buffer < UP_H2_WINDOW ? limits->buffer : UP_H2_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->head},
	};

	(void)nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
				      ARRAY_LEN(settings));
	(void)nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
}

struct up_h2 *up_h2_new(struct upstreams *owner, struct endpoint *endpoint, int fd,
			struct up_tls *tls)
{
	struct up_h2 *h2 = xcalloc(1, sizeof(*h2));

	h2->magic = UP_H2_MAGIC;
	h2->owner = owner;
	h2->endpoint = endpoint;
	h2->tls = tls;
	h2->watch = (struct loop_fd){.fd = fd, .ready = ready};
	h2->streams_max = UP_H2_STREAMS_MAX;
	list_init(&h2->streams);
	list_append(&endpoint->sessions, &h2->link);
	endpoint->lines++;
	timer_init(&h2->timer, idle_over);
	task_init(&h2->turn, turn);
	buf_init(&h2->out, UP_H2_OUT_MAX);
	h2->session = session_new(h2);
	greet(h2);
	h2->readable = tls != NULL && up_tls_more(tls); /* it came with the handshake */
	if (loop_add(loop_of(h2), &h2->watch, LOOP_READ | LOOP_WRITE | LOOP_EDGE, NULL) < 0)
		h2->readable = h2->eof = true; /* reading will end it */
	up_h2_flush_later(h2);
	return h2;
}

struct up_h2 *up_h2_find(const struct endpoint *endpoint)
{
	LIST_EACH(&endpoint->sessions, node)
	{
		struct up_h2 *h2 = LIST_ENTRY(node, struct up_h2, link);

		if (!h2->retired && h2->stream_count < h2->streams_max &&
		    nghttp2_session_check_request_allowed(h2->session))
			return h2;
	}
	return NULL;
}

void up_h2_close_all(struct endpoint *endpoint)
{
	while (!list_empty(&endpoint->sessions))
		conn_close(LIST_ENTRY(endpoint->sessions.next, struct up_h2, link));
}

/* ---- what the exchange asks ---- */

static void leg_resume(struct leg *leg)
{
	struct up_stream *stream = CONTAINER_OF(leg, struct up_stream, leg);

	stream->paused = false;
	stream->resumed = true;
	up_stream_arm(stream);
	stream->h2->attention = true;
	up_h2_flush_later(stream->h2);
}

static void leg_detach(struct leg *leg)
{
	up_stream_drop(CONTAINER_OF(leg, struct up_stream, leg));
}

const struct leg_codec up_h2_leg = {
	.body = up_h2_body,
	.end = up_h2_end,
	.resume = leg_resume,
	.detach = leg_detach,
};

struct up_stream *up_stream_new(struct up_h2 *h2, struct exchange *ex)
{
	struct up_stream *stream = xcalloc(1, sizeof(*stream));

	stream->h2 = h2;
	timer_init(&stream->timer, stream_timeout);
	list_append(&h2->streams, &stream->link);
	h2->stream_count++;
	h2->endpoint->active++;
	timer_stop(loop_of(h2), &h2->timer);
	leg_join(&stream->leg, &up_h2_leg, ex);
	stream->leg.endpoint = stream->h2->endpoint;
	buf_init(&stream->in, UP_H2_WINDOW);
	stream->reads = h2->reads;
	stream->streams = up_h2_is_stream(&ex->request.fields);
	up_stream_arm(stream);
	return stream;
}
