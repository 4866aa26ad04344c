#include "dataplane/upstream.h"

#include "base/own.h"
#include "dataplane/pool.h"
#include "dataplane/worker.h"
#include "http/h1_body.h"
#include "http/h1_head.h"
#include "http/h1_write.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define UP_MAGIC     0x55504354u
#define UP_CHECK(up) assert((up)->magic == UP_MAGIC)
#define INTERIMS_MAX 32
#define SWEEP_MS     5000
#define DIRECT_WRITE \
	8192 /* from this size on bytes are written without a copy when nothing waits */

enum up_state { UP_CONNECTING, UP_ACTIVE, UP_IDLE, UP_CLOSED };

struct upstream_conn { /* one connection to an endpoint; owned by the exchange or by the pool */
	uint32_t magic;
	enum up_state state;
	struct loop_fd watch; /* owns the descriptor */
	struct upstreams *owner;
	struct endpoint *endpoint;
	struct list link; /* in endpoint->idle */
	struct exchange *ex;
	struct timer timer;
	struct task turn; /* flush, or report a failure, at the end of this turn */
	struct buf out;
	char *in; /* unread bytes of a head, in a buffer of the worker's */
	size_t in_len;
	struct h1_head head;
	struct h1_body body;
	unsigned interims;
	int64_t idle_since;
	const char *failure; /* to be reported by turn */
	uint16_t failure_status;
	bool reused;       /* from the pool: the backend may have closed it meanwhile */
	bool wrote, heard; /* any byte */
	bool request_done, head_done, response_done;
	bool readable, eof; /* the kernel may have bytes; the peer has ended its side */
	bool paused;        /* the client is full */
	bool full;          /* the backend is full: the codec was told to wait */
	bool streams;       /* events: long silences are normal */
};

struct upstreams {
	struct worker *worker;
	struct pool pool;
	struct timer sweep;
};

static void up_read(struct upstream_conn *up);

static const struct plane_limits *limits_of(const struct upstream_conn *up)
{
	return &up->owner->worker->config->limits;
}

static struct loop *loop_of(const struct upstream_conn *up)
{
	return up->owner->worker->loop;
}

/* ---- the end of a connection ---- */

static void up_release(void *object)
{
	free(object);
}

static void up_drop_input(struct upstream_conn *up)
{
	if (up->in != NULL)
		worker_buffer_give(up->owner->worker, up->in);
	up->in = NULL;
	up->in_len = 0;
}

/* Closes the descriptor; the memory goes at the end of the turn, since callers may still look. */
static void up_close(struct upstream_conn *up)
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
	timer_stop(loop_of(up), &up->timer);
	task_cancel(&up->turn);
	loop_remove(loop_of(up), &up->watch);
	if (up->watch.fd >= 0)
		close(up->watch.fd);
	up->watch.fd = -1;
	up_drop_input(up);
	buf_deinit(&up->out);
	up->magic = 0;
	worker_free_later(up->owner->worker, up_release, up);
}

static void up_unlink(struct upstream_conn *up)
{
	if (up->ex != NULL)
		up->ex->upstream = NULL;
	up->ex = NULL;
}

/* May the request be sent once more? Nothing of it has left; or a kept connection turned out to be
 * closed, and the request may be seen twice (RFC 9112, section 9.3.1; RFC 9110, section 9.2.2). */
static bool up_repeatable(const struct upstream_conn *up)
{
	const struct http_request *request = &up->ex->request;

	if (!up->wrote)
		return !up->out.spent;
	return up->reused && !up->heard && request->framing == BODY_NONE &&
	       http_method_idempotent(request->method_id);
}

static void up_fail(struct upstream_conn *up, uint16_t status, const char *failure)
{
	struct exchange *ex = up->ex;
	bool repeatable;

	if (ex == NULL) {
		up_close(up);
		return;
	}
	repeatable = up_repeatable(up);
	if (repeatable && !up->wrote) { /* what waited for the connection goes with the next one */
		buf_deinit(&ex->unsent);
		ex->unsent = up->out;
		buf_init(&up->out, 0);
	}
	up_unlink(up);
	up_close(up);
	exchange_upstream_failed(ex, status, failure, repeatable);
}

/* From inside calls of the exchange a failure is reported later, at the end of the turn. */
static void up_fail_later(struct upstream_conn *up, uint16_t status, const char *failure)
{
	up->failure_status = status;
	up->failure = failure;
	task_defer(loop_of(up), &up->turn);
}

/* ---- deadlines ---- */

static void up_arm(struct upstream_conn *up)
{
	const struct plane_limits *limits = limits_of(up);
	int64_t wait = limits->body_idle_ms;

	if (up->state == UP_CONNECTING)
		wait = limits->upstream_connect_ms;
	else if (up->ex != NULL && (up->ex->upgraded || up->streams))
		wait = limits->tunnel_idle_ms;
	else if (!up->head_done && up->request_done)
		wait = limits->upstream_response_ms;
	timer_in(loop_of(up), &up->timer, wait);
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
	if (up->state == UP_CONNECTING)
		pool_failed(up->endpoint, loop_now(loop_of(up)));
	up_fail(up, 504,
		up->state == UP_CONNECTING ? "upstream_connect_timeout" : "upstream_timeout");
}

/* ---- sending ---- */

static bool up_would_block(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* Writes bytes now; how many went, or -1 with errno of a broken connection. */
static ssize_t up_write(struct upstream_conn *up, struct str_view bytes)
{
	ssize_t count = write(up->watch.fd, bytes.data, bytes.len);

	if (count < 0)
		return up_would_block(errno) ? 0 : -1;
	up->wrote = up->wrote || count > 0;
	return count;
}

static void up_room(struct upstream_conn *up)
{
	if (!up->full || buf_len(&up->out) > limits_of(up)->buffer / 2 || up->ex == NULL)
		return;
	up->full = false;
	exchange_upstream_room(up->ex);
}

static void up_flush(struct upstream_conn *up)
{
	if (up->state != UP_ACTIVE || buf_len(&up->out) == 0)
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
	if (up->state == UP_ACTIVE && up->readable)
		up_read(up);
}

static void up_send_later(struct upstream_conn *up)
{
	if (up->state == UP_ACTIVE)
		task_defer(loop_of(up), &up->turn);
}

/* ---- receiving ---- */

/* Both messages ended where their framing says, and nothing is left over: somebody else may have
 * it. */
static bool up_reusable(const struct upstream_conn *up, size_t surplus)
{
	return up->request_done && buf_len(&up->out) == 0 && surplus == 0 && !up->eof &&
	       up->ex->response.keep_alive && !up->ex->upgraded &&
	       up->endpoint->idle_count < limits_of(up)->upstream_idle;
}

static void up_idle(struct upstream_conn *up)
{
	up->state = UP_IDLE;
	up->endpoint->active--;
	up->endpoint->idle_count++;
	up->idle_since = loop_now(loop_of(up));
	list_prepend(&up->endpoint->idle, &up->link);
	timer_stop(loop_of(up), &up->timer);
	buf_release(&up->out);
	if (!timer_armed(&up->owner->sweep))
		timer_in(loop_of(up), &up->owner->sweep, SWEEP_MS);
}

static void up_finished(struct upstream_conn *up, size_t surplus)
{
	struct exchange *ex = up->ex;
	bool keep = up_reusable(up, surplus);

	up->response_done = true;
	pool_worked(up->endpoint);
	up_unlink(up);
	up_drop_input(up);
	if (keep)
		up_idle(up);
	exchange_upstream_end(ex, up->body.trailers.count > 0 ? &up->body.trailers : NULL);
	if (!keep)
		up_close(up);
}

static void up_begin_body(struct upstream_conn *up)
{
	const struct http_response *response = &up->ex->response;

	up->head_done = true;
	h1_body_init(&up->body, response->framing, response->length, &up->ex->arena);
	up->streams = sv_starts(fields_value(&response->fields, FIELD_CONTENT_TYPE),
				SV("text/event-stream"));
}

/* 101 only to who asked for it, with the protocol that was asked for (RFC 9110, section 7.8). */
static bool up_head_acceptable(struct upstream_conn *up)
{
	const struct http_response *response = &up->ex->response;

	if (response->status == 101)
		return up->ex->request.websocket && response->websocket;
	return !http_is_interim(response->status) || ++up->interims <= INTERIMS_MAX;
}

/* One head out of run; how many bytes it took. 0: more is needed, or the leg has failed (up->ex
 * NULL). */
static size_t up_parse_head(struct upstream_conn *up, struct str_view run)
{
	struct exchange *ex = up->ex;
	enum h1_result result =
		h1_head_response(&up->head, run, ex->request.method_id, &ex->response);

	if (result == H1_MORE)
		return 0;
	if (result == H1_BAD || !up_head_acceptable(up)) {
		up_fail(up, 502, "upstream_malformed");
		return 0;
	}
	if (http_is_interim(ex->response.status)) {
		size_t used = up->head.consumed;

		/* A client that waits for 100 has had ours (h1.c, h2.c). */
		if (ex->response.status != 100)
			exchange_upstream_interim(ex, &ex->response);
		h1_head_init(&up->head, &up->head.limits, &ex->arena);
		return used;
	}
	up_begin_body(up);
	exchange_upstream_head(ex);
	return up->head.consumed;
}

/* Content out of run; how many bytes are done with. */
static size_t up_parse_body(struct upstream_conn *up, struct str_view run, bool *ended)
{
	size_t used = 0;
	struct str_view content;
	enum h1_result result;

	if (up->ex->upgraded) {
		if (run.len > 0 && !exchange_upstream_body(up->ex, run))
			up->paused = true;
		return run.len;
	}
	result = h1_body_step(&up->body, run, &used, &content);
	if (content.len > 0 && !exchange_upstream_body(up->ex, content))
		up->paused = true;
	if (result == H1_BAD) {
		up_fail(up, 502, "upstream_malformed");
		return run.len;
	}
	*ended = result == H1_DONE;
	return used;
}

/* Everything that run holds; returns how many bytes are done with. After it up->ex may be NULL. */
static size_t up_parse(struct upstream_conn *up, struct str_view run)
{
	size_t done = 0;

	while (up->ex != NULL && !up->response_done && (done < run.len || up->head_done)) {
		struct str_view rest = sv_skip(run, done);
		bool had_head = up->head_done, ended = false;
		size_t used = had_head ? up_parse_body(up, rest, &ended) : up_parse_head(up, rest);

		done += used;
		if (ended)
			up_finished(up, run.len - done);
		else if (used == 0 && had_head == up->head_done)
			break;
		else if (had_head && done == run.len)
			break;
	}
	return done;
}

static void up_ended(struct upstream_conn *up)
{
	struct exchange *ex = up->ex;

	up->eof = true;
	if (ex == NULL)
		up_close(up);
	else if (ex->upgraded || (up->head_done && h1_body_eof(&up->body)))
		up_finished(up, 1);
	else
		up_fail(up, 502, up->head_done ? "upstream_truncated" : "upstream_closed");
}

/* What was not taken of a head stays, at the front of a buffer that the connection now holds. */
static void up_keep(struct upstream_conn *up, char *buffer, size_t done, size_t len)
{
	if (up->state != UP_ACTIVE || done == len) {
		up->in = NULL;
		up->in_len = 0;
		worker_buffer_give(up->owner->worker, buffer);
		return;
	}
	memmove(buffer, buffer + done, len - done);
	up->in = buffer;
	up->in_len = len - done;
}

/* Reads once. False: nothing more to be had now. */
static bool up_read_once(struct upstream_conn *up)
{
	struct worker *worker = up->owner->worker;
	char *buffer = up->in != NULL ? up->in : worker_buffer_take(worker);
	size_t had = up->in_len, room = WORKER_BUFFER_SIZE - had;
	ssize_t count = read(up->watch.fd, buffer + had, room);
	int error = errno;

	up->in = NULL; /* lent to this function; up_keep puts it where it belongs */
	up->in_len = 0;
	if (count > 0) {
		up->heard = true;
		up->readable = (size_t)count == room || up->eof;
		up_arm(up);
		up_keep(up, buffer, up_parse(up, sv_new(buffer, had + (size_t)count)),
			had + (size_t)count);
		return true;
	}
	up_keep(up, buffer, 0, had);
	if (count < 0 && up_would_block(error)) {
		up->readable = false;
		if (!up->eof)
			return false;
	}
	up->readable = false;
	up_ended(up);
	return false;
}

static void up_read(struct upstream_conn *up)
{
	while (up->state == UP_ACTIVE && up->readable && !up->paused && up_read_once(up))
		;
}

/* ---- events ---- */

static void up_connected(struct upstream_conn *up)
{
	int error = sock_error(up->watch.fd);

	if (error != 0) {
		pool_failed(up->endpoint, loop_now(loop_of(up)));
		up_fail(up, 503, "upstream_connect");
		return;
	}
	up->state = UP_ACTIVE;
	up_arm(up);
	up_flush(up);
}

static void up_ready(struct loop_fd *watch, unsigned events)
{
	struct upstream_conn *up = CONTAINER_OF(watch, struct upstream_conn, watch);

	UP_CHECK(up);
	if (up->state == UP_IDLE) {
		/* Bytes nobody asked for, or the end: either way nobody may have it now. A
		 * report that it is writable alone is no news. */
		if ((events & (LOOP_READ | LOOP_GONE)) != 0)
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
	}
	if (up->state == UP_ACTIVE)
		up_read(up);
}

/* ---- beginning ---- */

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
	buf_init(&up->out, (size_t)owner->worker->config->limits.buffer * 2);
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

static void up_dial(struct upstream_conn *up)
{
	const struct plane_config *config = up->owner->worker->config;
	bool in_progress = false;
	int fd;

	metric_add(&up->owner->worker->metrics.upstream_dials, 1);
	if (config->may_dial != NULL &&
	    !config->may_dial(config->may_dial_arg, &up->endpoint->addr)) {
		up_fail_later(up, 503, "upstream_forbidden");
		return;
	}
	fd = sock_connect(&up->endpoint->addr, &in_progress);
	up->watch.fd = fd;
	if (fd < 0 ||
	    loop_add(loop_of(up), &up->watch, LOOP_READ | LOOP_WRITE | LOOP_EDGE, NULL) < 0) {
		pool_failed(up->endpoint, loop_now(loop_of(up)));
		up_fail_later(up, 503, "upstream_connect");
		return;
	}
	if (!in_progress)
		up->state = UP_ACTIVE;
}

/* The connection takes over the exchange. */
static void up_start(struct upstream_conn *up, struct exchange *ex)
{
	size_t head = limits_of(up)->head < WORKER_BUFFER_SIZE ? limits_of(up)->head
							       : WORKER_BUFFER_SIZE - 1;
	struct h1_limits limits = {.line = head, .head = head, .fields = limits_of(up)->fields};

	up->ex = ex;
	ex->upstream = up;
	up->interims = 0;
	up->wrote = up->heard = up->head_done = up->response_done = false;
	up->paused = up->full = up->streams = up->readable = up->eof = false;
	up->failure = NULL;
	up->request_done = ex->request_ended;
	h1_head_init(&up->head, &limits, &ex->arena);
	memset(&up->body, 0, sizeof(up->body));
}

void upstream_begin(struct exchange *ex)
{
	struct upstreams *owner = ex->worker->upstreams;
	struct endpoint *endpoint = pool_choose(
		&owner->pool, ex->backend, exchange_random(ex->worker), loop_now(ex->worker->loop));
	bool careful =
		ex->request.framing != BODY_NONE || !http_method_idempotent(ex->request.method_id);
	struct upstream_conn *up = ex->tries > 1 ? NULL : up_take_idle(endpoint, careful);

	if (up == NULL)
		up = up_new(owner, endpoint);
	else
		metric_add(&ex->worker->metrics.upstream_reuses, 1);
	up_start(up, ex);
	if (buf_len(&ex->unsent) > 0) {
		buf_deinit(&up->out);
		up->out = ex->unsent;
		buf_init(&ex->unsent, 0);
	} else if (!h1_write_request(&up->out, &ex->request)) {
		up_fail_later(up, 431, "head_too_large");
		return;
	}
	if (up->state == UP_CONNECTING)
		up_dial(up);
	up_arm(up);
	up_send_later(up);
}

/* ---- the request's body ---- */

static bool up_has_room(struct upstream_conn *up)
{
	up->full = buf_len(&up->out) >= limits_of(up)->buffer;
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

bool upstream_body(struct exchange *ex, struct str_view bytes)
{
	struct upstream_conn *up = ex->upstream;
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

void upstream_end(struct exchange *ex, const struct fields *trailers)
{
	struct upstream_conn *up = ex->upstream;

	UP_CHECK(up);
	up->request_done = true;
	if (ex->upgraded) { /* the client has ended its side of the tunnel */
		up_flush(up);
		if (ex->upstream == up)
			up_finished(up, 1);
		return;
	}
	if (ex->request.framing == BODY_CHUNKED) {
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

void upstream_resume(struct exchange *ex)
{
	struct upstream_conn *up = ex->upstream;

	UP_CHECK(up);
	up->paused = false;
	up_arm(up);
	task_defer(loop_of(up), &up->turn); /* not from inside the codec's call */
}

void upstream_detach(struct exchange *ex)
{
	struct upstream_conn *up = ex->upstream;

	if (up == NULL)
		return;
	UP_CHECK(up);
	up_unlink(up);
	up_close(up);
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

static bool sweep_all(struct upstreams *upstreams, int64_t before)
{
	struct str_view key;
	void *value;
	bool left = false;

	for (size_t it = 0; map_next(&upstreams->pool.endpoints, &it, &key, &value);) {
		struct endpoint *endpoint = value;

		sweep_endpoint(endpoint, before);
		left = left || endpoint->idle_count > 0;
	}
	return left;
}

static void upstreams_sweep(struct timer *timer)
{
	struct upstreams *upstreams = CONTAINER_OF(timer, struct upstreams, sweep);
	const struct plane_limits *limits = &upstreams->worker->config->limits;
	int64_t now = loop_now(upstreams->worker->loop);
	bool left = sweep_all(upstreams, now - limits->upstream_idle_ms);

	pool_sweep(&upstreams->pool, now, limits->upstream_idle_ms);
	if (left)
		timer_in(upstreams->worker->loop, &upstreams->sweep, SWEEP_MS);
}

struct upstreams *upstreams_new(struct worker *worker)
{
	struct upstreams *upstreams = xcalloc(1, sizeof(*upstreams));

	upstreams->worker = worker;
	pool_init(&upstreams->pool);
	timer_init(&upstreams->sweep, upstreams_sweep);
	return upstreams;
}

void upstreams_free(struct upstreams *upstreams)
{
	if (upstreams == NULL)
		return;
	timer_stop(upstreams->worker->loop, &upstreams->sweep);
	(void)sweep_all(upstreams, INT64_MAX);
	pool_deinit(&upstreams->pool);
	free(upstreams);
}
