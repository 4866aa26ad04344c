/* dataplane/conn.c - the life of a client connection: handshake, serving, linger, end
 *
 * Whatever happens to a connection ends in conn_settle: there, and only there, bytes leave, room is
 * reported and the connection is destroyed; so nothing ends inside a callback of its own.
 */
#include "dataplane/client_hello.h"
#include "dataplane/conn_io.h"
#include "dataplane/listener.h"
#include "dataplane/match.h"
#include "dataplane/policy.h"
#include "dataplane/tls.h"
#include "dataplane/worker_priv.h"

#include "base/own.h"

#include <stdlib.h>
#include <unistd.h>

#define FILLS_A_TURN   8       /* reads of one connection in one turn */
#define LINGER_MS      2000    /* how long what still comes is read after the last answer */
#define LINGER_BYTES   1048576 /* and how much */
#define FIRST_DRAIN_MS 1000    /* a new connection in a drain: time to ask its question */
#define LOW_WATER      4       /* drained is told at a quarter of limits.buffer */

struct conn_whole {
	struct conn conn;
	struct conn_buffers buffers;
};

static void conn_run(struct conn *conn, bool input);
static void conn_settle(struct conn *conn);

void conn_touch(struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (conn->buffers->busy || conn->magic != CONN_MAGIC ||
	    list_linked(&conn->buffers->touched))
		return;
	list_append(&worker->touched, &conn->buffers->touched);
	task_defer(worker->loop, &worker->settle);
}

void conn_settle_all(struct worker *worker)
{
	struct list batch;

	list_init(&batch);
	while (!list_empty(&worker->touched)) {
		struct list *first = worker->touched.next;

		list_remove(first);
		list_append(&batch, first);
	}
	while (!list_empty(&batch)) {
		struct conn_buffers *buffers = LIST_ENTRY(batch.next, struct conn_buffers, touched);

		list_remove(&buffers->touched);
		conn_run(&CONTAINER_OF(buffers, struct conn_whole, buffers)->conn, false);
	}
}

/* ---- birth and death ---- */

static void conn_ready(struct loop_fd *self, unsigned events)
{
	struct conn *conn = CONTAINER_OF(self, struct conn, watch);
	struct conn_buffers *buffers = conn->buffers;

	CONN_CHECK(conn);
	if ((events & (LOOP_EOF | LOOP_GONE)) != 0)
		buffers->fin = true;
	if ((events & LOOP_WRITE) != 0)
		buffers->blocked = false;
	if ((events & LOOP_READ) != 0)
		buffers->readable = true;
	conn_run(conn, (events & LOOP_READ) != 0);
}

static void conn_timeout(struct timer *self)
{
	struct conn *conn = CONTAINER_OF(self, struct conn, timer);

	CONN_CHECK(conn);
	if (conn->state == CONN_SERVING) {
		conn->buffers->busy = true;
		conn->proto->timeout(conn);
		conn->buffers->busy = false;
	} else if (conn->state == CONN_HANDSHAKE && conn->buffers->queued == 0) {
		metric_add(&conn->worker->metrics.timeouts, 1);
		conn_close(conn);
	} else {
		conn->buffers->failed = true;
	}
	conn_settle(conn);
}

void conn_accept(struct acceptor *acceptor, int fd, const struct sock_addr *peer)
{
	struct worker *worker = acceptor->worker;
	struct conn_whole *whole = xcalloc(1, sizeof(*whole));
	struct conn *conn = &whole->conn;
	bool tls = acceptor->port->tls;

	conn->magic = CONN_MAGIC;
	conn->state = CONN_HANDSHAKE;
	conn->watch = (struct loop_fd){.fd = fd, .ready = conn_ready};
	conn->worker = worker;
	conn->acceptor = acceptor;
	conn->peer = *peer;
	conn->policy = acceptor->port->policy;
	conn->limits = conn->policy != NULL ? &conn->policy->limits : &worker->config->limits;
	conn->greeted = conn->policy == NULL || conn->policy->proxy == PROXY_OFF;
	conn->buffers = &whole->buffers;
	if (loop_add(worker->loop, &conn->watch, LOOP_READ | LOOP_WRITE | LOOP_EDGE, NULL) < 0) {
		close(fd);
		free(whole);
		return;
	}
	timer_init(&conn->timer, conn_timeout);
	timer_in(worker->loop, &conn->timer,
		 tls ? conn->limits->tls_handshake_ms : conn->limits->request_head_ms);
	list_append(&worker->conns, &conn->link);
	worker->conn_count++;
	acceptor->conns++;
	atomic_fetch_add_explicit(&acceptor->binding->conns, 1, memory_order_relaxed);
	if (conn->policy != NULL)
		part_pin(&conn->policy->part);
	metric_add(&worker->metrics.active, 1);
	if (worker->draining)
		conn_drain(conn);
	if (acceptor->port->stream) { /* the backend may have to speak first */
		conn->buffers->resume = true;
		conn_touch(conn);
	}
}

static void conn_release(void *object)
{
	struct conn *conn = object;

	conn->magic = 0;
	free(CONTAINER_OF(conn, struct conn_whole, conn));
}

void conn_destroy(struct conn *conn)
{
	struct worker *worker = conn->worker;
	struct acceptor *acceptor = conn->acceptor;

	CONN_CHECK(conn);
	conn->state = CONN_CLOSED;
	loop_remove(worker->loop, &conn->watch);
	close(conn->watch.fd);
	timer_stop(worker->loop, &conn->timer);
	conn->buffers->busy = true; /* nothing touches it any more */
	list_remove(&conn->buffers->touched);
	list_remove(&conn->link);
	if (conn->proto != NULL)
		conn->proto->closed(conn);
	tls_conn_free(TAKE(conn->tls));
	free(conn->hello);
	buffers_free(conn->buffers, worker);
	worker->conn_count--;
	metric_add(&worker->metrics.active, UINT64_MAX); /* one less */
	if (conn->policy != NULL)
		part_unpin(&conn->policy->part);
	atomic_fetch_sub_explicit(&acceptor->binding->conns, 1, memory_order_relaxed);
	worker_free_later(worker, conn_release, conn);
	acceptor_conn_gone(acceptor);
	worker_conn_gone(worker);
}

/* ---- handshake ---- */

static void conn_serve(struct conn *conn, const struct transport *proto)
{
	conn->state = CONN_SERVING;
	conn->proto = proto;
	timer_stop(conn->worker->loop, &conn->timer);
	conn->buffers->announce = window_len(&conn->buffers->in) > 0;
	proto->open(conn);
	if (conn->state == CONN_SERVING)
		proto->input(conn);
	if (conn->state == CONN_SERVING && conn->draining)
		proto->drain(conn);
}

/* HTTP/2 with prior knowledge begins with this (RFC 9113, section 3.4). Anything else is HTTP/1. */
static void sniff(struct conn *conn)
{
	static const struct str_view preface = SV_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	const struct transport *proto = NULL;
	enum conn_io io = IO_OK;

	while (io == IO_OK && proto == NULL) {
		struct str_view input;

		io = conn_fill(conn);
		input = conn_input(conn);
		if (sv_starts(input, preface))
			proto = conn->worker->h2;
		else if (!sv_starts(preface, input) || (io == IO_EOF && input.len > 0))
			proto = conn->worker->h1;
	}
	if (proto != NULL)
		conn_serve(conn, proto);
	else if (io != IO_AGAIN)
		conn_close(conn);
}

/* What runs inside of TLS that ended here; NULL: nobody serves it. */
static const struct transport *inner_proto(const struct conn *conn)
{
	const struct snap_port *port = conn_port(conn);
	const struct snap_listener *listener = match_listener(port, conn_sni(conn));

	if (listener == NULL ? port->http : listener->serves == SERVES_HTTP)
		return tls_h2(conn->tls) ? conn->worker->h2 : conn->worker->h1;
	return listener != NULL && listener->serves == SERVES_STREAM ? &stream_transport : NULL;
}

static void handshake_done(struct conn *conn)
{
	struct worker_metrics *metrics = &conn->worker->metrics;
	const struct transport *proto = inner_proto(conn);

	metric_add(&metrics->handshakes, 1);
	if (tls_resumed(conn->tls))
		metric_add(&metrics->resumed, 1);
	if (tls_acme(conn->tls))
		tls_goodbye(conn);
	if (proto == NULL || tls_acme(conn->tls))
		conn_close(conn);
	else
		conn_serve(conn, proto);
}

static void run_tls(struct conn *conn)
{
	if (conn->tls == NULL)
		conn->tls = tls_conn_new(conn);
	switch (conn->tls == NULL ? TLS_FAILED : tls_handshake(conn)) {
	case TLS_DONE:
		handshake_done(conn);
		break;
	case TLS_MORE:
		break;
	case TLS_FAILED:
		metric_add(&conn->worker->metrics.handshake_failures, 1);
		conn_close(conn); /* the alert goes out first */
		break;
	}
}

/* The ClientHello is whole: who gets it? A name that nobody has ends without a word, as for a port
 * that is only passed through: an alert would tell that TLS ends here. */
static void hello_done(struct conn *conn)
{
	struct str_view name = client_hello_name(conn->hello);
	const struct snap_listener *listener = match_listener(conn_port(conn), name);

	if (listener != NULL && listener->serves == SERVES_PASSTHROUGH) {
		conn_serve(conn, &stream_transport);
		return;
	}
	if (listener == NULL && name.len > 0 &&
	    match_tls_challenge(conn->worker->snapshot, name) == NULL) {
		metric_add(&conn->worker->metrics.handshake_failures, 1);
		conn_close(conn);
		return;
	}
	free(TAKE(conn->hello));
	conn->buffers->cipher = conn->buffers->in; /* OpenSSL reads it again */
	conn->buffers->in = (struct window){0};
	run_tls(conn);
}

/* Reads the ClientHello, and leaves it where it is. */
static void peek(struct conn *conn)
{
	enum hello_step step = HELLO_MORE;
	enum conn_io io = IO_OK;

	if (conn->hello == NULL)
		conn->hello = xcalloc(1, sizeof(*conn->hello));
	while (io == IO_OK && step == HELLO_MORE) {
		io = conn_fill(conn);
		if (conn_input(conn).len > 0) /* it may have come behind a PROXY header */
			step = client_hello_read(conn->hello, conn_input(conn));
	}
	if (step == HELLO_DONE) {
		hello_done(conn);
	} else if (step == HELLO_BAD || io != IO_AGAIN) {
		metric_add(&conn->worker->metrics.handshake_failures, 1);
		conn_close(conn);
	}
}

static void run_handshake(struct conn *conn, bool input)
{
	const struct snap_port *port = conn_port(conn);

	if (!input || (!conn->greeted && !conn_greet(conn)))
		return;
	if (conn->tls != NULL)
		run_tls(conn);
	else if (port->stream)
		conn_serve(conn, &stream_transport);
	else if (!port->tls)
		sniff(conn);
	else if (port->peek)
		peek(conn);
	else
		run_tls(conn);
}

/* ---- serving ---- */

static bool conn_low(const struct conn *conn)
{
	return conn_pending(conn) <= conn->limits->buffer / LOW_WATER;
}

static void run_serving(struct conn *conn, bool input)
{
	struct conn_buffers *buffers = conn->buffers;

	if (buffers->full && conn_low(conn)) {
		buffers->full = false;
		conn->proto->drained(conn);
	}
	if (input && conn->state == CONN_SERVING)
		conn->proto->input(conn);
	/* A reset that the codec did not read for, because it waits for something else. */
	if (buffers->fin && buffers->readable && conn->state == CONN_SERVING &&
	    sock_error(conn->watch.fd) != 0)
		buffers->failed = true;
}

/* ---- linger: the last answer is out or on its way, and must not be lost to a reset ---- */

static void linger_read(struct conn *conn)
{
	struct conn_buffers *buffers = conn->buffers;

	while (buffers->readable) {
		enum conn_io io = conn_read(conn, &buffers->in);

		buffers->discarded += window_len(&buffers->in);
		buffers->in.start = buffers->in.end = 0;
		if (io == IO_EOF || io == IO_ERROR || buffers->discarded > LINGER_BYTES) {
			buffers->failed = true;
			return;
		}
	}
}

/* Everything is sent. */
static void linger_begin(struct conn *conn)
{
	struct conn_buffers *buffers = conn->buffers;

	if (buffers->lingers)
		return;
	buffers->lingers = true;
	if (buffers->eof || shutdown(conn->watch.fd, SHUT_WR) < 0) {
		buffers->failed = true;
		return;
	}
	if (conn->tls != NULL)
		tls_conn_shrink(conn->tls);
	window_free(&buffers->in, conn->worker);
	window_free(&buffers->cipher, conn->worker);
	timer_in(conn->worker->loop, &conn->timer, LINGER_MS);
	linger_read(conn);
}

static void run_linger(struct conn *conn, bool input)
{
	if (input && conn->buffers->lingers)
		linger_read(conn);
}

static void run_closed(struct conn *conn, bool input)
{
	(void)conn;
	(void)input;
}

/* ---- one step, and what follows from it ---- */

static void conn_run(struct conn *conn, bool input)
{
	static void (*const states[CONN_STATE_COUNT])(struct conn *, bool) = {
		[CONN_HANDSHAKE] = run_handshake,
		[CONN_SERVING] = run_serving,
		[CONN_LINGER] = run_linger,
		[CONN_CLOSED] = run_closed,
	};
	struct conn_buffers *buffers = conn->buffers;

	CONN_CHECK(conn);
	/* Whatever calls: no edge will tell of what was left unread for lack of budget. */
	input = input || buffers->resume;
	buffers->busy = true;
	buffers->budget = FILLS_A_TURN;
	buffers->resume = false;
	if (conn->state != CONN_CLOSED)
		conn_send(conn);
	if (!buffers->failed)
		states[conn->state](conn, input);
	buffers->busy = false;
	conn_settle(conn);
}

/* A client that takes nothing of the rest for that long is given up. */
static void rest_deadline(struct conn *conn, size_t queued_before)
{
	if (conn->state == CONN_LINGER && !conn->buffers->lingers &&
	    conn->buffers->queued < queued_before)
		timer_in(conn->worker->loop, &conn->timer, conn->limits->body_idle_ms);
}

static void conn_settle(struct conn *conn)
{
	struct conn_buffers *buffers = conn->buffers;
	size_t queued = buffers->queued;

	if (conn->state == CONN_SERVING && conn->tls != NULL && tls_dead(conn->tls))
		conn_close(conn);
	if (conn->state != CONN_CLOSED && conn_flush(conn) == IO_OK && conn->state == CONN_LINGER)
		linger_begin(conn);
	if (conn->state == CONN_CLOSED || buffers->failed) {
		conn_destroy(conn);
		return;
	}
	if (buffers->ending && !buffers->ended && buffers->queued == 0) {
		buffers->ended = true;
		shutdown(conn->watch.fd, SHUT_WR);
	}
	rest_deadline(conn, queued);
	window_settle(&buffers->in, conn->worker);
	window_settle(&buffers->cipher, conn->worker);
	if (buffers->resume || (buffers->full && conn_low(conn)))
		conn_touch(conn);
}

/* ---- for the codecs and the worker ---- */

void conn_deadline(struct conn *conn, int64_t delay_ms)
{
	CONN_CHECK(conn);
	if (conn->state != CONN_SERVING)
		return;
	if (delay_ms > 0)
		timer_in(conn->worker->loop, &conn->timer, delay_ms);
	else
		timer_stop(conn->worker->loop, &conn->timer);
}

void conn_close(struct conn *conn)
{
	CONN_CHECK(conn);
	if (conn->state >= CONN_LINGER)
		return;
	conn->state = CONN_LINGER;
	timer_in(conn->worker->loop, &conn->timer, conn->limits->body_idle_ms);
	if (conn->tls != NULL)
		tls_goodbye(conn);
	conn_touch(conn);
}

void conn_end(struct conn *conn)
{
	CONN_CHECK(conn);
	if (conn->state != CONN_SERVING || conn->buffers->ending)
		return;
	if (conn->tls != NULL)
		tls_goodbye(conn);
	conn->buffers->ending = true;
	conn_touch(conn);
}

void conn_abort(struct conn *conn)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	CONN_CHECK(conn);
	if (conn->state == CONN_CLOSED)
		return;
	setsockopt(conn->watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	conn->state = CONN_CLOSED;
	conn_touch(conn);
}

void conn_drain(struct conn *conn)
{
	CONN_CHECK(conn);
	if (conn->draining)
		return;
	conn->draining = true;
	if (conn->state == CONN_HANDSHAKE)
		timer_in(conn->worker->loop, &conn->timer, FIRST_DRAIN_MS);
	if (conn->state != CONN_SERVING)
		return;
	conn->buffers->busy = true;
	conn->proto->drain(conn);
	conn->buffers->busy = false;
	conn_settle(conn);
}

const struct snap_port *conn_port(const struct conn *conn)
{
	return conn->acceptor->port;
}
