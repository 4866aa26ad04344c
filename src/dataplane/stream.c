/* dataplane/stream.c - a client's connection and one to a backend, joined: bytes both ways
 *
 * Serves TLSRoutes and TCPRoutes. What the client sent waits in its connection until the backend
 * takes it; what the backend sent is read only while the client takes it. Each side may end alone.
 */
#include "base/own.h"
#include "dataplane/binding.h"
#include "dataplane/client_hello.h"
#include "dataplane/conn.h"
#include "dataplane/l4.h"
#include "dataplane/listener.h"
#include "dataplane/match.h"
#include "dataplane/tls_clients.h"
#include "dataplane/transport.h"
#include "dataplane/up_tls.h"
#include "dataplane/upstream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define STREAM_MAGIC         0x5354524du
#define STREAM_CHECK(stream) assert((stream)->magic == STREAM_MAGIC)
#define READS_A_TURN         8 /* of one backend */

struct stream {
	uint32_t magic;
	struct conn *conn; /* owns this */
	struct l4_flow flow;
	struct loop_fd watch; /* the backend's connection; fd -1: none */
	struct up_tls *tls;   /* on it; or NULL */
	struct task turn;     /* goes on in the next turn */
	int64_t active_ms;    /* when bytes moved last */
	bool connecting;
	bool joined;        /* a backend took it */
	bool shaking;       /* hands, once connected: still connecting */
	bool readable, fin; /* the kernel may have bytes; and the peer's FIN behind them */
	bool blocked;       /* the backend takes no more now */
	bool client_ended;  /* its FIN went to the backend */
	bool backend_ended; /* its FIN went to the client */
};

static struct stream *stream_of(const struct conn *conn)
{
	struct stream *stream = conn->codec;

	STREAM_CHECK(stream);
	return stream;
}

static struct loop *loop_of(const struct stream *stream)
{
	return stream->conn->worker->loop;
}

/* ---- deadlines ---- */

static int64_t idle_ms(const struct stream *stream)
{
	const struct plane_limits *limits = stream->conn->limits;

	return stream->client_ended || stream->backend_ended ? limits->body_idle_ms
							     : limits->tunnel_idle_ms;
}

static void stream_moved(struct stream *stream)
{
	stream->active_ms = loop_now(loop_of(stream));
	conn_deadline(stream->conn, idle_ms(stream));
}

/* ---- ends ---- */

/* Whoever speaks no HTTP gets no answer, but an end that is no good one. */
static void stream_fail(struct stream *stream, uint16_t status, const char *failure)
{
	if (stream->flow.failure == NULL) {
		stream->flow.status = status;
		stream->flow.failure = failure;
	}
	conn_abort(stream->conn);
}

static void leg_close(struct stream *stream)
{
	if (stream->watch.fd < 0)
		return;
	loop_remove(loop_of(stream), &stream->watch);
	up_tls_free(stream->tls, stream->connecting ? -1 : stream->watch.fd);
	stream->tls = NULL;
	close(stream->watch.fd);
	stream->watch.fd = -1;
}

static void look_ended(struct stream *stream)
{
	if (stream->client_ended && stream->backend_ended)
		conn_close(stream->conn);
}

/* ---- from the client to the backend ---- */

static void end_backend(struct stream *stream)
{
	stream->client_ended = true;
	if (stream->tls != NULL)
		up_tls_goodbye(stream->tls, stream->watch.fd);
	shutdown(stream->watch.fd, SHUT_WR); /* a backend that is gone tells so by itself */
	stream_moved(stream);
	look_ended(stream);
}

/* False: no more now. */
static bool send_some(struct stream *stream, struct str_view bytes)
{
	ssize_t sent = stream->tls != NULL
			       ? up_tls_write(stream->tls, stream->watch.fd, bytes)
			       : send(stream->watch.fd, bytes.data, bytes.len, MSG_NOSIGNAL);

	if (sent < 0 && errno == EINTR)
		return true;
	if (sent < 0 && errno != EAGAIN) {
		/* It may have said something before it closed: that is read for. */
		stream->blocked = stream->readable = stream->fin = true;
		return false;
	}
	stream->blocked = sent < (ssize_t)bytes.len;
	if (sent > 0) {
		conn_consume(stream->conn, (size_t)sent);
		stream->flow.bytes_in += (uint64_t)sent;
		stream_moved(stream);
	}
	return !stream->blocked;
}

/* TLS: what the socket had no room for goes first. */
static bool records_sent(struct stream *stream)
{
	if (stream->tls != NULL && !up_tls_flush(stream->tls, stream->watch.fd))
		stream->blocked = true;
	return !stream->blocked;
}

static void pump_up(struct stream *stream)
{
	struct conn *conn = stream->conn;

	if (stream->connecting || !records_sent(stream))
		return;
	while (!stream->blocked && !stream->client_ended) {
		struct str_view waiting = conn_input(conn);
		enum conn_io io;

		if (waiting.len > 0) {
			if (!send_some(stream, waiting) || !records_sent(stream))
				return;
			continue;
		}
		io = conn_fill(conn);
		if (io == IO_AGAIN)
			return;
		if (io == IO_EOF)
			end_backend(stream);
		if (io == IO_ERROR) {
			stream_fail(stream, 200, "client_reset");
			return;
		}
	}
}

/* ---- from the backend to the client ---- */

/* One read; false: no more now. */
static bool read_some(struct stream *stream, char *room)
{
	ssize_t got = stream->tls != NULL
			      ? up_tls_read(stream->tls, stream->watch.fd, room, WORKER_BUFFER_SIZE)
			      : read(stream->watch.fd, room, WORKER_BUFFER_SIZE);
	bool more = stream->tls != NULL ? up_tls_more(stream->tls) : got == WORKER_BUFFER_SIZE;

	if (got < 0 && errno == EINTR)
		return true;
	if (got <= 0 || (!more && !stream->fin))
		stream->readable = false;
	if (got > 0) {
		stream->flow.bytes_out += (uint64_t)got;
		conn_write(stream->conn, sv_new(room, (size_t)got));
		stream_moved(stream);
		return true;
	}
	if (got < 0 && errno == EAGAIN)
		return false;
	if (got < 0) {
		stream_fail(stream, 502, "upstream_reset");
		return false;
	}
	stream->backend_ended = true;
	conn_end(stream->conn);
	stream_moved(stream);
	look_ended(stream);
	return false;
}

static void pump_down(struct stream *stream)
{
	struct worker *worker = stream->conn->worker;
	unsigned reads = 0;
	char *room;

	if (stream->connecting || !stream->readable || stream->backend_ended)
		return;
	room = worker_buffer_take(worker);
	while (stream->readable && !conn_full(stream->conn) && reads < READS_A_TURN &&
	       read_some(stream, room))
		reads++;
	worker_buffer_give(worker, room);
	if (reads == READS_A_TURN)
		task_defer(loop_of(stream), &stream->turn);
}

static void stream_turn(struct task *task)
{
	struct stream *stream = CONTAINER_OF(task, struct stream, turn);

	STREAM_CHECK(stream);
	if (stream->watch.fd >= 0)
		pump_down(stream);
}

/* ---- the backend's connection ---- */

static bool tls_begin(struct stream *stream, struct endpoint *endpoint)
{
	const struct l4_flow *flow = &stream->flow;
	const char *failure;

	stream->tls = up_tls_new(upstreams_contexts(flow->worker->upstreams), endpoint,
				 flow->backend->tls, flow->client_cert, &failure);
	if (stream->tls == NULL)
		stream_fail(stream, 503, failure);
	return stream->tls != NULL;
}

static bool leg_dial(struct stream *stream, const struct endpoint *endpoint)
{
	bool in_progress = false;

	stream->watch.fd = sock_connect(&endpoint->addr, &in_progress);
	if (stream->watch.fd < 0)
		return false;
	if (loop_add(loop_of(stream), &stream->watch, LOOP_READ | LOOP_WRITE | LOOP_EDGE, NULL) <
	    0) {
		int error = errno;

		close(stream->watch.fd);
		stream->watch.fd = -1;
		errno = error;
		return false;
	}
	stream->connecting = in_progress;
	return true;
}

static void leg_connected(struct stream *stream)
{
	stream->connecting = stream->shaking = false;
	stream->flow.status = 200;
	stream->flow.failure = NULL;
	stream->joined = true;
	l4_worked(&stream->flow);
	stream_moved(stream);
}

/* Even to a socket that has connected at once: its first event goes on with it. */
static void begin_shaking(struct stream *stream, struct endpoint *endpoint)
{
	if (tls_begin(stream, endpoint))
		stream->connecting = true;
}

/* Endpoint after endpoint, until one connects or has to be waited for. */
static void leg_begin(struct stream *stream)
{
	const struct plane_limits *limits = stream->conn->limits;
	struct endpoint *endpoint;

	while ((endpoint = l4_next(&stream->flow)) != NULL) {
		if (leg_dial(stream, endpoint)) {
			conn_deadline(stream->conn, limits->upstream_connect_ms);
			if (stream->flow.tls)
				begin_shaking(stream, endpoint);
			else if (!stream->connecting)
				leg_connected(stream);
			return;
		}
		l4_undialled(&stream->flow, errno);
	}
	stream_fail(stream, 503, "upstream_connect");
}

static void leg_again(struct stream *stream)
{
	leg_close(stream);
	l4_failed(&stream->flow);
	stream->connecting = stream->shaking = stream->readable = stream->fin = false;
	leg_begin(stream);
}

/* Connected; with TLS there is more to it. True: bytes may pass. */
static bool shake(struct stream *stream)
{
	stream->shaking = stream->tls != NULL;
	switch (stream->tls == NULL ? UP_TLS_DONE
				    : up_tls_handshake(stream->tls, stream->watch.fd)) {
	case UP_TLS_MORE:
		return false;
	case UP_TLS_FAILED:
		(void)l4_refuse(&stream->flow, 502, up_tls_failure(stream->tls));
		leg_again(stream);
		return false;
	case UP_TLS_DONE:
		break;
	}
	leg_connected(stream);
	stream->readable = stream->readable || stream->fin ||
			   (stream->tls != NULL && up_tls_more(stream->tls));
	return true;
}

static void leg_ready(struct loop_fd *watch, unsigned events)
{
	struct stream *stream = CONTAINER_OF(watch, struct stream, watch);

	STREAM_CHECK(stream);
	if ((events & (LOOP_EOF | LOOP_GONE)) != 0)
		stream->fin = true;
	if ((events & (LOOP_READ | LOOP_GONE)) != 0)
		stream->readable = true;
	if ((events & LOOP_WRITE) != 0)
		stream->blocked = false;
	if (stream->connecting) {
		if (!stream->shaking && (events & (LOOP_WRITE | LOOP_GONE)) == 0)
			return;
		if (!stream->shaking && sock_error(watch->fd) != 0) {
			leg_again(stream);
			return;
		}
		if (!shake(stream))
			return;
	}
	pump_up(stream);
	pump_down(stream);
}

/* ---- for conn.c ---- */

static struct rule *rule_of(const struct conn *conn, struct l4_flow *flow)
{
	const struct snap_port *port = conn_port(conn);
	struct str_view name = conn_sni(conn);
	const struct snap_listener *listener = match_listener(port, name);

	if (listener == NULL || listener->serves == SERVES_HTTP)
		return NULL;
	if (listener->serves == SERVES_STREAM && tls_clients_id(listener) != conn_clients(conn))
		return NULL; /* the handshake was for another policy, which has changed since */
	if (listener->client_cert != NULL) {
		part_pin(&listener->client_cert->part);
		flow->client_cert = listener->client_cert;
	}
	return match_stream(listener, name);
}

static void stream_open(struct conn *conn)
{
	struct stream *stream = xcalloc(1, sizeof(*stream));

	stream->magic = STREAM_MAGIC;
	stream->conn = conn;
	stream->flow.worker = conn->worker;
	stream->flow.from = conn->acceptor->binding;
	stream->watch = (struct loop_fd){.fd = -1, .ready = leg_ready};
	task_init(&stream->turn, stream_turn);
	conn->codec = stream;
	metric_add(&conn->worker->metrics.streams, 1);
	if (l4_begin(&stream->flow, rule_of(conn, &stream->flow))) {
		/* What is passed through has TLS of its own. */
		stream->flow.tls = stream->flow.backend->tls != NULL && conn->hello == NULL;
		leg_begin(stream);
	} else {
		conn_abort(conn);
	}
}

static void stream_input(struct conn *conn)
{
	struct stream *stream = stream_of(conn);

	if (stream->watch.fd < 0)
		return;
	pump_up(stream);
	pump_down(stream); /* a send that failed has something to be read for */
}

static void stream_drained(struct conn *conn)
{
	struct stream *stream = stream_of(conn);

	if (stream->watch.fd >= 0)
		pump_down(stream);
}

static void stream_timeout(struct conn *conn)
{
	struct stream *stream = stream_of(conn);
	struct worker_metrics *metrics = &conn->worker->metrics;

	if (stream->connecting) {
		metric_add(&metrics->upstream_timeouts, 1);
		leg_again(stream);
		return;
	}
	metric_add(&metrics->timeouts, 1);
	stream_fail(stream, 200, "idle_timeout");
}

/* What runs here is not known: it gets the time that a drain gives. */
static void stream_drain(struct conn *conn)
{
	(void)conn;
}

static struct str_view inner_name(const struct conn *conn)
{
	return conn->hello == NULL ? SV("") : client_hello_alpn(conn->hello);
}

static void stream_closed(struct conn *conn)
{
	struct stream *stream = stream_of(conn);
	struct access_flow line = {.peer = &conn->peer,
				   .host = conn_sni(conn),
				   .inner = inner_name(conn),
				   .protocol = conn->tls != NULL || conn->hello != NULL ? "TLS"
											: "TCP"};

	leg_close(stream);
	task_cancel(&stream->turn);
	if (!stream->joined && stream->flow.status != 200)
		metric_add(&conn->worker->metrics.streams_refused, 1);
	l4_end(&stream->flow, &line);
	stream->magic = 0;
	conn->codec = NULL;
	worker_free_later(conn->worker, free, stream);
}

const struct transport stream_transport = {
	.name = "TCP",
	.open = stream_open,
	.input = stream_input,
	.drained = stream_drained,
	.timeout = stream_timeout,
	.drain = stream_drain,
	.closed = stream_closed,
};
