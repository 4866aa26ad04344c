/* dataplane/upstream.c - requests to backends: endpoints, and of HTTP/1.1 dialling, sending,
 * deadlines, the pools */
#include "dataplane/upstream_priv.h"

#include "base/own.h"
#include "http/h1_write.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define SWEEP_MS 5000
#define DIRECT_WRITE \
	8192 /* from this size on bytes are written without a copy when nothing waits */

/* ---- the sweep: as long as there is an endpoint ---- */

static int64_t sweep_ms(const struct plane_limits *limits)
{
	return limits->upstream_idle_ms < SWEEP_MS ? limits->upstream_idle_ms : SWEEP_MS;
}

static void sweep_soon(struct upstreams *upstreams)
{
	struct worker *worker = upstreams->worker;

	if (!timer_armed(&upstreams->sweep))
		timer_in(worker->loop, &upstreams->sweep, sweep_ms(&worker->config->limits));
}

/* ---- the end of a connection ---- */

static void up_release(void *object)
{
	free(object);
}

void up_close(struct upstream_conn *up)
{
	if (up->state == UP_CLOSED)
		return;
	UP_CHECK(up);
	if (up->state == UP_IDLE)
		up->endpoint->idle_count--;
	else
		up->endpoint->active--;
	list_remove(&up->link);
	up->state = UP_CLOSED;
	timer_stop(up_loop(up), &up->timer);
	task_cancel(&up->turn);
	loop_remove(up_loop(up), &up->watch);
	up_tls_free(up->tls, up->watch.fd);
	up->tls = NULL;
	if (up->watch.fd >= 0)
		close(up->watch.fd);
	up->watch.fd = -1;
	if (up->in != NULL)
		worker_buffer_give(up->owner->worker, up->in);
	up->in = NULL;
	buf_deinit(&up->out);
	up->magic = 0;
	worker_free_later(up->owner->worker, up_release, up);
}

/* What has the backend seen of the request? Nothing of it has left; or a kept connection turned out
 * to be closed, and the request may be seen twice (RFC 9112, section 9.3.1; RFC 9110,
 * section 9.2.2). */
static enum leg_fate up_fate(const struct upstream_conn *up)
{
	const struct http_request *request = &up->leg.ex->request;

	if (!up->wrote && !up->out.spent && up->reused)
		return LEG_UNSEEN;
	if (!up->wrote && !up->out.spent && !up->heard)
		return LEG_UNREACHED;
	if (up->reused && !up->heard && request->framing == BODY_NONE &&
	    http_method_idempotent(request->method_id))
		return LEG_REPEATABLE;
	return LEG_SEEN;
}

void up_fail(struct upstream_conn *up, uint16_t status, const char *failure)
{
	struct exchange *ex = up->leg.ex;
	enum leg_fate fate;

	if (ex == NULL) {
		up_close(up);
		return;
	}
	fate = up_fate(up);
	if (fate <= LEG_UNSEEN) { /* what waited for the connection goes with the next one */
		buf_deinit(&ex->unsent);
		ex->unsent = up->out;
		ex->unsent_raw = false;
		buf_init(&up->out, 0);
	}
	if (fate == LEG_SEEN)
		upstream_judge(ex, status);
	leg_part(&up->leg);
	up_close(up);
	exchange_upstream_failed(ex, status, failure, fate);
}

/* From inside calls of the exchange a failure is reported later, at the end of the turn. */
static void up_fail_later(struct upstream_conn *up, uint16_t status, const char *failure)
{
	up->failure_status = status;
	up->failure = failure;
	task_defer(up_loop(up), &up->turn);
}

/* ---- deadlines ---- */

void up_arm(struct upstream_conn *up)
{
	const struct plane_limits *limits = up_limits(up);
	int64_t wait = limits->body_idle_ms;

	if (up->state == UP_CONNECTING)
		wait = limits->upstream_connect_ms;
	else if (up->leg.ex != NULL && !up->half_closed && (up->leg.ex->upgraded || up->streams))
		wait = limits->tunnel_idle_ms;
	else if (!up->head_done && up->request_done)
		wait = limits->upstream_response_ms;
	timer_in(up_loop(up), &up->timer, wait);
}

static void up_timeout(struct timer *timer)
{
	struct upstream_conn *up = CONTAINER_OF(timer, struct upstream_conn, timer);
	bool waits_for_client = up->paused || (!up->request_done && buf_len(&up->out) == 0);

	UP_CHECK(up);
	if (up->state == UP_ACTIVE && waits_for_client) {
		up_arm(up); /* the client's own deadline decides */
		return;
	}
	metric_add(&up->owner->worker->metrics.upstream_timeouts, 1);
	if (up->state == UP_CONNECTING) {
		pool_failed(up->endpoint, loop_now(up_loop(up)));
		up_fail(up, 503, "upstream_connect_timeout");
	} else {
		up_fail(up, 504, "upstream_timeout");
	}
}

/* ---- sending ---- */

/* Writes bytes now; how many went, or -1 with errno of a broken connection. */
static ssize_t up_write(struct upstream_conn *up, struct str_view bytes)
{
	ssize_t count = up_io_send(up->watch.fd, up->tls, bytes);

	if (count < 0)
		return -1;
	up->wrote = up->wrote || count > 0;
	return count;
}

/* TLS: records that the socket had no room for. */
static bool up_records_sent(struct upstream_conn *up)
{
	return up->tls == NULL || up_tls_flush(up->tls, up->watch.fd);
}

static void up_room(struct upstream_conn *up)
{
	if (!up->full || buf_len(&up->out) > up_limits(up)->buffer / 2 || up->leg.ex == NULL)
		return;
	up->full = false;
	exchange_upstream_room(up->leg.ex);
}

/* The client has ended its side of a tunnel, and all it sent is on its way. */
static void up_half_close(struct upstream_conn *up)
{
	if (up->leg.ex == NULL || !up->leg.ex->upgraded || !up->request_done || up->half_closed ||
	    buf_len(&up->out) > 0 || !up_records_sent(up))
		return;
	up->half_closed = true;
	up_arm(up);
	if (up->tls != NULL)
		up_tls_goodbye(up->tls, up->watch.fd);
	if (shutdown(up->watch.fd, SHUT_WR) < 0)
		up_fail_later(up, 502, "upstream_closed");
}

static void up_flush(struct upstream_conn *up)
{
	if (up->state != UP_ACTIVE || !up_records_sent(up) || buf_len(&up->out) == 0)
		return;
	for (;;) {
		struct str_view rest = buf_view(&up->out);
		ssize_t count = up_write(up, rest);

		if (count < 0) {
			/* It may have answered before it closed: its answer counts more. */
			up->readable = up->eof = true;
			if (up->wrote)
				buf_reset(&up->out);
			up_read(up);
			return;
		}
		buf_take(&up->out, (size_t)count);
		if ((size_t)count < rest.len)
			break;
		if (buf_len(&up->out) == 0) {
			buf_release(&up->out);
			break;
		}
	}
	up_arm(up);
	up_room(up);
}

static void up_turn(struct task *task)
{
	struct upstream_conn *up = CONTAINER_OF(task, struct upstream_conn, turn);

	UP_CHECK(up);
	if (up->failure != NULL) {
		up_fail(up, up->failure_status, up->failure);
		return;
	}
	up_flush(up);
	up_half_close(up);
	if (up->state == UP_ACTIVE && up->readable)
		up_read(up);
}

static void up_send_later(struct upstream_conn *up)
{
	if (up->state == UP_ACTIVE)
		task_defer(up_loop(up), &up->turn);
}

/* ---- events ---- */

static void up_connected(struct upstream_conn *up)
{
	int error = sock_error(up->watch.fd);

	if (error != 0) {
		pool_failed(up->endpoint, loop_now(up_loop(up)));
		up_fail(up, 503, "upstream_connect");
		return;
	}
	up->state = UP_ACTIVE;
	up_arm(up);
	up_flush(up);
}

/* Of an idle connection: was it something of TLS (a ticket) and nothing else? */
static bool up_only_records(struct upstream_conn *up)
{
	char byte;

	return up->tls != NULL && up_tls_read(up->tls, up->watch.fd, &byte, 1) < 0 &&
	       up_would_block(errno);
}

static void up_ready(struct loop_fd *watch, unsigned events)
{
	struct upstream_conn *up = CONTAINER_OF(watch, struct upstream_conn, watch);

	UP_CHECK(up);
	if (up->state == UP_IDLE) {
		/* Bytes nobody asked for, or the end: either way nobody may have it now. A
		 * report that it is writable alone is no news. */
		if ((events & (LOOP_READ | LOOP_GONE)) != 0 && !up_only_records(up))
			up_close(up);
		return;
	}
	if ((events & (LOOP_EOF | LOOP_GONE)) != 0)
		up->eof = true;
	if ((events & (LOOP_READ | LOOP_GONE)) != 0)
		up->readable = true;
	if (up->state == UP_CONNECTING) {
		if ((events & (LOOP_WRITE | LOOP_GONE)) == 0)
			return;
		up_connected(up);
	} else if ((events & LOOP_WRITE) != 0) {
		up_flush(up);
		up_half_close(up);
	}
	if (up->state == UP_ACTIVE)
		up_read(up);
}

/* ---- beginning ---- */

void up_idle(struct upstream_conn *up)
{
	up->state = UP_IDLE;
	up->endpoint->active--;
	up->endpoint->idle_count++;
	up->idle_since = loop_now(up_loop(up));
	list_prepend(&up->endpoint->idle, &up->link);
	timer_stop(up_loop(up), &up->timer);
	buf_release(&up->out);
	sweep_soon(up->owner);
}

/* A head, what a codec may bring after it was told to wait, and the chunk lines around it, which in
 * the worst case are five times as long as the content. */
static size_t out_max(const struct plane_limits *limits)
{
	return (size_t)limits->head * 4 + (size_t)limits->buffer * 4 + WORKER_BUFFER_SIZE;
}

static struct upstream_conn *up_new(struct upstreams *owner, struct endpoint *endpoint)
{
	struct upstream_conn *up = xcalloc(1, sizeof(*up));

	up->magic = UP_MAGIC;
	up->owner = owner;
	up->endpoint = endpoint;
	up->state = UP_CONNECTING;
	up->watch = (struct loop_fd){.fd = -1, .ready = up_ready};
	endpoint->active++;
	list_init(&up->link);
	timer_init(&up->timer, up_timeout);
	task_init(&up->turn, up_turn);
	buf_init(&up->out, out_max(&owner->worker->config->limits));
	return up;
}

/* A kept connection that still lives. When the request cannot be repeated, look before it is used:
 * a close that has arrived and was not reported yet would cost the client its request. */
static struct upstream_conn *up_take_idle(struct endpoint *endpoint, bool look)
{
	while (!list_empty(&endpoint->idle)) {
		struct upstream_conn *up =
			LIST_ENTRY(endpoint->idle.next, struct upstream_conn, link);
		char byte;

		UP_CHECK(up);
		if (look && (recv(up->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
			     !up_would_block(errno))) {
			up_close(up);
			continue;
		}
		list_remove(&up->link);
		endpoint->idle_count--;
		endpoint->active++;
		up->state = UP_ACTIVE;
		up->reused = true;
		return up;
	}
	return NULL;
}

const char *up_connect(struct upstreams *owner, struct endpoint *endpoint, struct loop_fd *watch,
		       bool *in_progress)
{
	const struct plane_config *config = owner->worker->config;

	metric_add(&owner->worker->metrics.upstream_dials, 1);
	sweep_soon(owner);
	if (config->may_dial != NULL && !config->may_dial(config->may_dial_arg, &endpoint->addr))
		return "upstream_forbidden";
	watch->fd = sock_connect(&endpoint->addr, in_progress);
	if (watch->fd >= 0 &&
	    loop_add(owner->worker->loop, watch, LOOP_READ | LOOP_WRITE | LOOP_EDGE, NULL) == 0)
		return NULL;
	if (sock_is_shortage(errno))
		return "upstream_no_socket";
	pool_failed(endpoint, loop_now(owner->worker->loop));
	return "upstream_connect";
}

static void up_dial(struct upstream_conn *up)
{
	bool in_progress = false;
	const char *failure = up_connect(up->owner, up->endpoint, &up->watch, &in_progress);

	if (failure != NULL)
		up_fail_later(up, 503, failure);
	else if (!in_progress)
		up->state = UP_ACTIVE;
}

/* ---- the request's body ---- */

/* Once full, it stays so until up_room says otherwise: the codec waits to be told. */
static bool up_has_room(struct upstream_conn *up)
{
	up->full = up->full || buf_len(&up->out) >= up_limits(up)->buffer;
	return !up->full;
}

/* Large runs skip the buffer when nothing waits in it; what the kernel does not take is copied. */
static struct str_view up_write_direct(struct upstream_conn *up, struct str_view bytes)
{
	ssize_t count;

	if (up->state != UP_ACTIVE || buf_len(&up->out) > 0 || bytes.len < DIRECT_WRITE)
		return bytes;
	count = up_write(up, bytes);
	return count > 0 ? sv_skip(bytes, (size_t)count) : bytes;
}

static bool h1_leg_body(struct leg *leg, struct str_view bytes)
{
	struct upstream_conn *up = CONTAINER_OF(leg, struct upstream_conn, leg);
	const struct exchange *ex = leg->ex;
	bool chunked = ex->request.framing == BODY_CHUNKED && !ex->upgraded;
	char head[H1_CHUNK_HEAD_MAX];

	UP_CHECK(up);
	if (up->failure != NULL || bytes.len == 0)
		return true;
	if (chunked)
		(void)buf_add(&up->out, sv_new(head, h1_chunk_head(bytes.len, head)));
	else
		bytes = up_write_direct(up, bytes);
	(void)buf_add(&up->out, bytes);
	if (chunked)
		(void)buf_add(&up->out, H1_CHUNK_TAIL);
	if (up->out.spent) {
		up_fail_later(up, 502, "upstream_buffer");
		return true;
	}
	if (timer_armed(&up->timer))
		up_arm(up);
	up_send_later(up);
	return up_has_room(up);
}

static void h1_leg_end(struct leg *leg, const struct fields *trailers)
{
	struct upstream_conn *up = CONTAINER_OF(leg, struct upstream_conn, leg);
	const struct exchange *ex = leg->ex;

	UP_CHECK(up);
	up->request_done = true;
	if (ex->request.framing == BODY_CHUNKED && !ex->upgraded) {
		bool fits = trailers != NULL && trailers->count > 0
				    ? h1_write_last_chunk(&up->out, trailers)
				    : buf_add(&up->out, H1_CHUNK_LAST);

		if (!fits)
			up_fail_later(up, 502, "upstream_buffer");
	}
	if (up->state == UP_ACTIVE)
		up_arm(up);
	up_send_later(up);
}

static void h1_leg_resume(struct leg *leg)
{
	struct upstream_conn *up = CONTAINER_OF(leg, struct upstream_conn, leg);

	UP_CHECK(up);
	up->paused = false;
	up_arm(up);
	task_defer(up_loop(up), &up->turn); /* not from inside the codec's call */
}

/* Taken from the pool and not used: it is as good as before. So clients that reset their streams do
 * not empty the pool. */
static bool untouched(const struct upstream_conn *up)
{
	return up->state == UP_ACTIVE && up->reused && !up->wrote && !up->readable && !up->eof &&
	       up->failure == NULL && up->endpoint->idle_count < up_limits(up)->upstream_idle;
}

static void h1_leg_detach(struct leg *leg)
{
	struct upstream_conn *up = CONTAINER_OF(leg, struct upstream_conn, leg);

	UP_CHECK(up);
	leg_part(leg);
	if (untouched(up))
		up_idle(up);
	else
		up_close(up);
}

static const struct leg_codec h1_leg = {
	.body = h1_leg_body,
	.end = h1_leg_end,
	.resume = h1_leg_resume,
	.detach = h1_leg_detach,
};

/* ---- beginning ---- */

/* The connection takes over the exchange. */
static void up_start(struct upstream_conn *up, struct exchange *ex)
{
	size_t head = up_limits(up)->head < WORKER_BUFFER_SIZE ? up_limits(up)->head
							       : WORKER_BUFFER_SIZE - 1;
	struct h1_limits limits = {.line = head, .head = head, .fields = up_limits(up)->fields};

	leg_join(&up->leg, &h1_leg, ex);
	up->leg.endpoint = up->endpoint;
	up->interims = 0;
	up->wrote = up->heard = up->head_done = up->response_done = false;
	up->paused = up->full = up->streams = up->readable = up->eof = up->half_closed = false;
	up->failure = NULL;
	up->request_done = ex->request_ended;
	h1_head_init(&up->head, &limits, &ex->arena);
	memset(&up->body, 0, sizeof(up->body));
}

/* The head, and content that waits already: that of a leg which would have spoken another protocol,
 * or none yet. */
static void up_write_all(struct upstream_conn *up)
{
	struct exchange *ex = up->leg.ex;
	struct buf content;
	bool brought = up_content(ex, &content);

	if (!h1_write_request(&up->out, &ex->request)) {
		up_fail_later(up, 431, "head_too_large");
	} else if (brought) {
		(void)h1_leg_body(&up->leg, buf_view(&content));
		if (ex->request_ended)
			h1_leg_end(&up->leg, ex->request_trailers);
	}
	buf_deinit(&content);
}

static void up_send_request(struct upstream_conn *up)
{
	struct exchange *ex = up->leg.ex;

	if (buf_len(&ex->unsent) > 0 && !ex->unsent_raw) {
		buf_deinit(&up->out);
		up->out = ex->unsent;
		buf_init(&ex->unsent, 0);
		up->full =
			buf_len(&up->out) >= up_limits(up)->buffer; /* as it was when it failed */
	} else {
		up_write_all(up);
	}
}

void up_h1_begin(struct endpoint *endpoint, int fd, struct up_tls *tls, struct exchange *ex)
{
	struct upstream_conn *up = up_new(ex->worker->upstreams, endpoint);

	up->watch.fd = fd;
	up->tls = tls;
	up->state = UP_ACTIVE;
	up_start(up, ex);
	up_send_request(up);
	if (loop_add(up_loop(up), &up->watch, LOOP_READ | LOOP_WRITE | LOOP_EDGE, NULL) < 0)
		up_fail_later(up, 503, "upstream_connect");
	up_arm(up);
	up_send_later(up);
}

static bool up_reuse(struct endpoint *endpoint, struct exchange *ex)
{
	bool careful =
		ex->request.framing != BODY_NONE || !http_method_idempotent(ex->request.method_id);
	struct upstream_conn *up = ex->fresh ? NULL : up_take_idle(endpoint, careful);

	if (up == NULL)
		return false;
	metric_add(&up->owner->worker->metrics.upstream_reuses, 1);
	up_start(up, ex);
	up_send_request(up);
	up_arm(up);
	up_send_later(up);
	return true;
}

static void up_begin_plain(struct endpoint *endpoint, struct exchange *ex)
{
	struct upstream_conn *up = up_new(ex->worker->upstreams, endpoint);

	up_start(up, ex);
	up_send_request(up);
	if (up->failure == NULL)
		up_dial(up);
	up_arm(up);
	up_send_later(up);
}

/* ---- upstream.h ---- */

/* Bytes that were written as HTTP/1.1 once stay that. */
static enum way way_of(const struct exchange *ex)
{
	const struct backend *backend = ex->backend;
	bool only_h1 = ex->request.websocket || (buf_len(&ex->unsent) > 0 && !ex->unsent_raw);
	bool only_h2 = backend->protocol == BACKEND_H2C;

	if (backend->tls == NULL)
		return only_h2 ? WAY_H2 : WAY_H1;
	if (only_h2)
		return WAY_TLS_H2;
	return only_h1 ? WAY_TLS_H1 : WAY_TLS;
}

void upstream_begin(struct exchange *ex)
{
	struct pool_wish wish = {.random = exchange_random(ex->worker),
				 .now = loop_now(ex->worker->loop),
				 .avoid = ex->tries > 1 || ex->retries > 0 ? ex->endpoint : 0,
				 .way = way_of(ex),
				 .client_cert = ex->client_cert};
	struct endpoint *endpoint = pool_choose(&ex->worker->upstreams->pool, ex->backend, &wish);
	struct up_h2 *h2 = ex->fresh ? NULL : up_h2_find(endpoint);

	ex->endpoint = endpoint->id;
	if (h2 != NULL)
		up_h2_begin(h2, ex);
	else if (up_reuse(endpoint, ex))
		return;
	else if (wish.way == WAY_H1)
		up_begin_plain(endpoint, ex);
	else
		up_dial_begin(endpoint, ex);
}

bool upstream_body(struct exchange *ex, struct str_view bytes)
{
	return ex->upstream->codec->body(ex->upstream, bytes);
}

void upstream_end(struct exchange *ex, const struct fields *trailers)
{
	ex->upstream->codec->end(ex->upstream, trailers);
}

void upstream_resume(struct exchange *ex)
{
	ex->upstream->codec->resume(ex->upstream);
}

void upstream_judge(struct exchange *ex, int status)
{
	if (ex->upstream != NULL)
		pool_answered(ex->upstream->endpoint, status, loop_now(ex->worker->loop));
}

void upstream_detach(struct exchange *ex)
{
	if (ex->upstream != NULL)
		ex->upstream->codec->detach(ex->upstream);
}

bool up_content(struct exchange *ex, struct buf *content)
{
	bool brought = ex->unsent_raw;

	buf_init(content, 0);
	if (brought) {
		*content = ex->unsent;
		buf_init(&ex->unsent, 0);
		ex->unsent_raw = false;
	}
	content->max = out_max(&ex->worker->config->limits);
	return brought;
}

void up_give_back(struct exchange *ex, struct buf *content)
{
	buf_deinit(&ex->unsent);
	ex->unsent = *content;
	ex->unsent_raw = true;
	buf_init(content, 0);
}

/* ---- the worker's pools ---- */

static void sweep_endpoint(struct endpoint *endpoint, int64_t before)
{
	while (!list_empty(&endpoint->idle)) {
		struct upstream_conn *oldest =
			LIST_ENTRY(endpoint->idle.prev, struct upstream_conn, link);

		if (oldest->idle_since > before)
			return;
		up_close(oldest);
	}
}

static void sweep_all(struct upstreams *upstreams, int64_t before)
{
	void *value;

	for (size_t it = 0; map_next(&upstreams->pool.endpoints, &it, NULL, &value);) {
		struct endpoint *endpoint = value;

		sweep_endpoint(endpoint, before);
		if (before == INT64_MAX) { /* the worker ends */
			up_h2_close_all(endpoint);
			up_dial_close_all(endpoint);
		}
	}
}

static void upstreams_sweep(struct timer *timer)
{
	struct upstreams *upstreams = CONTAINER_OF(timer, struct upstreams, sweep);
	const struct plane_limits *limits = &upstreams->worker->config->limits;
	int64_t now = loop_now(upstreams->worker->loop);

	sweep_all(upstreams, now - limits->upstream_idle_ms);
	pool_sweep(&upstreams->pool, now, limits->upstream_idle_ms);
	if (upstreams->pool.endpoints.count > 0)
		sweep_soon(upstreams);
}

struct upstreams *upstreams_new(struct worker *worker)
{
	struct upstreams *upstreams = xcalloc(1, sizeof(*upstreams));

	upstreams->worker = worker;
	upstreams->contexts = up_contexts_new(worker);
	pool_init(&upstreams->pool);
	upstreams->pool.ejections = &worker->metrics.ejections;
	timer_init(&upstreams->sweep, upstreams_sweep);
	return upstreams;
}

void upstreams_free(struct upstreams *upstreams)
{
	if (upstreams == NULL)
		return;
	timer_stop(upstreams->worker->loop, &upstreams->sweep);
	sweep_all(upstreams, INT64_MAX);
	pool_deinit(&upstreams->pool);
	up_contexts_free(upstreams->contexts);
	free(upstreams);
}

struct up_contexts *upstreams_contexts(struct upstreams *upstreams)
{
	return upstreams->contexts;
}

struct pool *upstreams_pool(struct upstreams *upstreams)
{
	sweep_soon(upstreams);
	return &upstreams->pool;
}
