/* dataplane/h1.c - HTTP/1.1 towards the client: one request after the other (RFC 9112) */
#include "base/own.h"
#include "dataplane/conn.h"
#include "dataplane/exchange.h"
#include "dataplane/worker.h"
#include "http/h1_body.h"
#include "http/h1_head.h"
#include "http/h1_write.h"

#include <stdlib.h>

#define DISCARD_MAX 65536 /* content that is read and dropped so that the connection lives on */

enum h1_state {
	H1_IDLE,   /* between requests */
	H1_HEAD,   /* some bytes of a head are there */
	H1_BODY,   /* the request's content is coming */
	H1_WAIT,   /* the request is complete, the response is not */
	H1_TUNNEL, /* upgraded: bytes both ways */
	H1_CLOSING /* nothing more is read or written */
};

enum h1_step { STEP_AGAIN, STEP_READ, STEP_STOP };

struct h1 { /* codec state of one connection */
	struct conn *conn;
	enum h1_state state;
	struct exchange *ex; /* NULL while idle */
	struct h1_head head;
	struct h1_body body;
	struct task next; /* goes on at the end of the turn after something ended outside h1_run */
	unsigned requests;
	size_t discarded;    /* content that came behind the answer */
	uint64_t taken_then; /* what the client had taken when the deadline was last looked at */
	bool owed_then;      /* and whether it had been sent more than that */
	bool running;        /* inside h1_run */
	bool close;          /* after this response */
	bool answered;       /* the response is complete */
	bool paused;         /* the upstream is full */
	bool continued;      /* 100 Continue has been sent, or nobody waits for it */
};

static const struct plane_limits *limits_of(const struct h1 *h1)
{
	return h1->conn->limits;
}

/* ms left for the whole of a request, 0 or less: none; far away when nothing limits it. */
static int64_t h1_time_left(const struct h1 *h1)
{
	int64_t whole = limits_of(h1)->request_received_ms;

	if (whole == 0 || (h1->state != H1_HEAD && h1->state != H1_BODY) || h1->ex == NULL ||
	    h1->ex->response_started)
		return INT64_MAX;
	return h1->ex->started_ms + whole - loop_now(h1->conn->worker->loop);
}

static void h1_set_deadline(struct h1 *h1)
{
	const struct plane_limits *limits = limits_of(h1);
	const int64_t wait[] = {
		[H1_IDLE] = limits->keepalive_idle_ms, [H1_HEAD] = limits->request_head_ms,
		[H1_BODY] = limits->body_idle_ms,      [H1_WAIT] = limits->body_idle_ms,
		[H1_TUNNEL] = limits->tunnel_idle_ms,  [H1_CLOSING] = limits->body_idle_ms,
	};

	int64_t due = wait[h1->state];

	if (limits->request_received_ms != 0) {
		int64_t left = h1_time_left(h1);

		left = left < 1 ? 1 : left;
		due = left < due ? left : due;
	}
	conn_deadline(h1->conn, due);
}

static void h1_close(struct h1 *h1)
{
	h1->state = H1_CLOSING;
	conn_close(h1->conn);
}

static void h1_abort_conn(struct h1 *h1)
{
	h1->state = H1_CLOSING;
	conn_abort(h1->conn);
}

/* ---- the end of an exchange ---- */

/* Without the rest of the request nobody knows where the next one starts. A short rest is read and
 * dropped, unless the client waits to be told to send it, and so may never do. */
static bool h1_rest_is_short(const struct h1 *h1)
{
	bool counted = h1->body.framing == BODY_LENGTH;

	return h1->continued && h1->discarded <= DISCARD_MAX &&
	       (!counted || h1->body.left <= DISCARD_MAX - h1->discarded);
}

/* The exchange is over on both sides. */
static enum h1_step h1_complete(struct h1 *h1)
{
	struct exchange *ex = h1->ex;
	bool close = h1->close || !ex->request_ended || h1->conn->draining || h1->conn->peer_closed;

	h1->ex = NULL;
	h1->answered = false;
	exchange_close(ex);
	if (close) {
		h1_close(h1);
		return STEP_STOP;
	}
	h1->state = H1_IDLE;
	h1_set_deadline(h1);
	return STEP_AGAIN;
}

/* ---- reading ---- */

static void h1_refuse(struct h1 *h1, const struct http_bad *bad)
{
	struct exchange *ex = h1->ex;

	metric_add(&h1->conn->worker->metrics.bad_requests, 1);
	h1->close = true;
	if (ex->request.major == 0) {
		ex->request.major = 1;
		ex->request.minor = 1;
	}
	h1->state = H1_WAIT;
	exchange_fail(ex, (uint16_t)bad->status, bad->reason);
}

static void h1_begin(struct h1 *h1)
{
	size_t head = limits_of(h1)->head; /* the input can hold no longer one than this */
	struct h1_limits limits = {.line = limits_of(h1)->request_line,
				   .head = head < WORKER_BUFFER_SIZE ? head
								     : WORKER_BUFFER_SIZE - 1,
				   .fields = limits_of(h1)->fields};

	h1->ex = exchange_new(h1->conn, h1);
	h1->state = H1_HEAD;
	h1->answered = h1->paused = false;
	h1->discarded = 0;
	h1_head_init(&h1->head, &limits, &h1->ex->arena);
	h1_set_deadline(h1);
}

/* The head is complete: routes it, and says how its content will come. */
static void h1_start(struct h1 *h1)
{
	struct exchange *ex = h1->ex;
	const struct http_request *request = &ex->request;
	bool content = request->framing == BODY_CHUNKED ||
		       (request->framing == BODY_LENGTH && request->length > 0);

	h1->requests++;
	metric_add(&h1->conn->worker->metrics.requests_h1, 1);
	h1->close = !request->keep_alive || (limits_of(h1)->requests_per_conn != 0 &&
					     h1->requests >= limits_of(h1)->requests_per_conn);
	h1->state = content ? H1_BODY : H1_WAIT;
	h1_body_init(&h1->body, request->framing, request->length, &ex->arena);
	h1->continued = !request->expect_continue;
	ex->request_ended = !content;
	h1_set_deadline(h1);
	exchange_start(ex);
	if (content && !h1->continued && !ex->response_started) {
		h1->continued = true;
		conn_write(h1->conn, SV("HTTP/1.1 100 Continue\r\n\r\n"));
	}
}

static enum h1_step h1_step_head(struct h1 *h1)
{
	struct str_view input = conn_input(h1->conn);

	if (h1->state == H1_IDLE && conn_full(h1->conn))
		return STEP_STOP; /* who does not take answers gets no further ones */
	if (input.len == 0 && h1->state == H1_IDLE)
		return STEP_READ;
	if (h1->state == H1_IDLE)
		h1_begin(h1);
	switch (h1_head_request(&h1->head, input, &h1->ex->request)) {
	case H1_MORE:
		return STEP_READ;
	case H1_BAD:
		h1_refuse(h1, &h1->head.bad);
		return STEP_AGAIN;
	case H1_DONE:
		break;
	}
	conn_consume(h1->conn, h1->head.consumed);
	h1_start(h1);
	return STEP_AGAIN;
}

static enum h1_step h1_bad_body(struct h1 *h1)
{
	struct exchange *ex = h1->ex;

	metric_add(&h1->conn->worker->metrics.bad_requests, 1);
	h1->close = true;
	exchange_fail(ex, (uint16_t)h1->body.bad.status, h1->body.bad.reason);
	return STEP_AGAIN;
}

static enum h1_step h1_step_body(struct h1 *h1)
{
	struct str_view content, input = conn_input(h1->conn);
	size_t used = 0;
	enum h1_result result;

	if (h1->paused)
		return STEP_STOP;
	if (input.len == 0)
		return STEP_READ;
	result = h1_body_step(&h1->body, input, &used, &content);
	if (content.len > 0 && !exchange_request_body(h1->ex, content))
		h1->paused = true;
	conn_consume(h1->conn, used);
	if (h1->answered)
		h1->discarded += used;
	if (result == H1_BAD)
		return h1_bad_body(h1);
	if (result == H1_DONE) {
		h1->state = H1_WAIT;
		fields_strip_trailers(&h1->body.trailers, &h1->ex->request.fields);
		exchange_request_end(h1->ex, &h1->body.trailers);
	}
	h1_set_deadline(h1);
	return STEP_AGAIN;
}

static enum h1_step h1_step_tunnel(struct h1 *h1)
{
	struct str_view input = conn_input(h1->conn);

	if (h1->paused)
		return STEP_STOP;
	if (input.len == 0)
		return STEP_READ;
	h1->paused = !exchange_request_body(h1->ex, input);
	conn_consume(h1->conn, input.len);
	h1_set_deadline(h1);
	return STEP_AGAIN;
}

static enum h1_step h1_step_answered(struct h1 *h1)
{
	h1->paused = false; /* what comes now is for nobody */
	if (h1->state == H1_BODY && !h1->close && h1_rest_is_short(h1))
		return h1_step_body(h1);
	return h1_complete(h1);
}

static enum h1_step h1_step(struct h1 *h1)
{
	if (h1->ex != NULL && h1->answered)
		return h1_step_answered(h1);
	switch (h1->state) {
	case H1_IDLE:
	case H1_HEAD:
		return h1_step_head(h1);
	case H1_BODY:
		return h1_step_body(h1);
	case H1_TUNNEL:
		return h1_step_tunnel(h1);
	case H1_WAIT:
	case H1_CLOSING:
		break;
	}
	return STEP_STOP;
}

/* The client will send nothing more. A request that is complete still gets its response. */
static void h1_eof(struct h1 *h1)
{
	if (h1->state == H1_TUNNEL)
		exchange_request_end(h1->ex, NULL);
	else if (h1->state == H1_BODY && !h1->answered)
		h1_abort_conn(h1);
	else if (h1->state != H1_WAIT)
		h1_close(h1);
}

static bool h1_fill(struct h1 *h1)
{
	switch (conn_fill(h1->conn)) {
	case IO_OK:
		return true;
	case IO_AGAIN:
		return false;
	case IO_EOF:
		h1_eof(h1);
		return h1->answered && h1->state != H1_CLOSING;
	case IO_ERROR:
		h1_abort_conn(h1);
		break;
	}
	return false;
}

static void h1_run(struct h1 *h1)
{
	enum h1_step step;

	h1->running = true;
	do {
		step = h1_step(h1);
	} while (step == STEP_AGAIN || (step == STEP_READ && h1_fill(h1)));
	h1->running = false;
}

static void h1_next(struct task *task)
{
	h1_run(CONTAINER_OF(task, struct h1, next));
}

/* Goes on: here and now when h1_run is at work (it looks again), else at the end of the turn. */
static void h1_go_on(struct h1 *h1)
{
	if (!h1->running)
		task_defer(h1->conn->worker->loop, &h1->next);
}

/* ---- called by conn.c ---- */

static void h1_open(struct conn *conn)
{
	struct h1 *h1 = xcalloc(1, sizeof(*h1));

	h1->conn = conn;
	conn->codec = h1;
	task_init(&h1->next, h1_next);
	h1_set_deadline(h1);
}

static void h1_input(struct conn *conn)
{
	struct h1 *h1 = conn->codec;

	/* While a response is awaited one read tells whether the client is still there; requests
	 * that it sent ahead wait in the connection's buffer, which bounds them. */
	if (h1->state == H1_WAIT && conn_input(conn).len == 0 && !h1_fill(h1) && !h1->answered)
		return;
	h1_run(h1);
}

static void h1_drained(struct conn *conn)
{
	struct h1 *h1 = conn->codec;

	if (h1->ex != NULL && !h1->answered)
		exchange_response_resume(h1->ex);
	else
		h1_go_on(h1);
}

/* Nothing of what it was sent has the client taken since the last look? */
static bool h1_stuck(struct h1 *h1)
{
	uint64_t taken = conn_taken(h1->conn);
	bool owed = conn_pending(h1->conn) > 0;
	bool stuck = owed && h1->owed_then && taken == h1->taken_then;

	h1->taken_then = taken;
	h1->owed_then = owed;
	return stuck;
}

static void h1_timeout(struct conn *conn)
{
	struct h1 *h1 = conn->codec;
	bool waits = h1->state == H1_WAIT || (h1->state == H1_BODY && h1->paused);
	bool stuck = h1_stuck(h1);

	if ((h1->owed_then || waits) && !stuck &&
	    h1_time_left(h1) > 0) { /* it goes on, or the backend's deadline decides */
		h1_set_deadline(h1);
		return;
	}
	if (h1->state != H1_IDLE)
		metric_add(&conn->worker->metrics.timeouts, 1);
	if (h1->ex == NULL) {
		h1_close(h1);
	} else if (h1->answered && !stuck) {
		h1_close(h1);
	} else if (stuck || h1->ex->response_started || h1->state == H1_TUNNEL) {
		h1_abort_conn(h1);
	} else {
		h1_refuse(h1, &(struct http_bad){.status = 408, .reason = "request_timeout"});
		h1_go_on(h1);
	}
}

static void h1_drain(struct conn *conn)
{
	struct h1 *h1 = conn->codec;

	if (h1->state == H1_IDLE || h1->answered)
		h1_close(h1);
}

static void h1_closed(struct conn *conn)
{
	struct h1 *h1 = conn->codec;

	task_cancel(&h1->next);
	if (h1->ex != NULL)
		exchange_close(h1->ex);
	conn->codec = NULL;
	free(h1);
}

/* ---- called by exchange.c ---- */

static void h1_respond(struct exchange *ex)
{
	struct h1 *h1 = ex->stream;
	struct http_response *response = &ex->response;
	struct buf *head = exchange_scratch(ex->worker);
	struct h1_reply reply = {.date = worker_date(ex->worker),
				 .client_minor = ex->request.minor};

	http_response_reframe(response, ex->request.minor);
	h1->close = h1->close || h1->conn->draining || h1->conn->peer_closed ||
		    response->framing == BODY_UNTIL_CLOSE ||
		    (!ex->request_ended && !h1_rest_is_short(h1));
	reply.keep_alive = !h1->close;
	if (h1_write_response(head, response, &reply))
		conn_write(h1->conn, buf_view(head));
	else
		h1_abort_conn(h1);
}

static void h1_inform(struct exchange *ex, const struct http_response *interim)
{
	struct h1 *h1 = ex->stream;
	struct buf *head = exchange_scratch(ex->worker);
	struct h1_reply reply = {.client_minor = 1, .keep_alive = true};

	if (ex->request.minor == 0) /* RFC 9110, section 15.2 */
		return;
	if (h1_write_response(head, interim, &reply))
		conn_write(h1->conn, buf_view(head));
}

static bool h1_body_out(struct exchange *ex, struct str_view bytes)
{
	struct conn *conn = ((struct h1 *)ex->stream)->conn;
	bool chunked = ex->response.framing == BODY_CHUNKED && !ex->upgraded;
	char head[H1_CHUNK_HEAD_MAX];

	if (bytes.len == 0)
		return true;
	if (chunked)
		conn_write(conn, sv_new(head, h1_chunk_head(bytes.len, head)));
	conn_write(conn, bytes);
	if (chunked)
		conn_write(conn, H1_CHUNK_TAIL);
	if (ex->upgraded) /* a tunnel is idle when both directions are */
		h1_set_deadline(ex->stream);
	return !conn_full(conn);
}

static void h1_finish(struct exchange *ex, const struct fields *trailers)
{
	struct h1 *h1 = ex->stream;
	bool chunked = ex->response.framing == BODY_CHUNKED && !ex->upgraded;
	struct buf *tail = exchange_scratch(ex->worker);

	if (chunked && trailers != NULL && ex->request.te_trailers &&
	    h1_write_last_chunk(tail, trailers))
		conn_write(h1->conn, buf_view(tail));
	else if (chunked)
		conn_write(h1->conn, H1_CHUNK_LAST);
	h1->close = h1->close || ex->upgraded;
	h1->answered = true;
	h1_go_on(h1);
}

/* The client must be able to tell: the last chunk or some of the length is missing; where only the
 * end of the connection says so, it ends with a reset. */
static void h1_abort(struct exchange *ex)
{
	struct h1 *h1 = ex->stream;

	if (ex->response.framing == BODY_UNTIL_CLOSE)
		h1_abort_conn(h1);
	else
		h1_close(h1);
}

static void h1_request_resume(struct exchange *ex)
{
	struct h1 *h1 = ex->stream;

	h1->paused = false;
	h1_go_on(h1);
}

static void h1_tunnel(struct exchange *ex)
{
	struct h1 *h1 = ex->stream;

	h1->state = H1_TUNNEL;
	h1->close = true;
	h1_set_deadline(h1);
	h1_go_on(h1);
}

const struct transport h1_transport = {
	.name = "HTTP/1.1",
	.open = h1_open,
	.input = h1_input,
	.drained = h1_drained,
	.timeout = h1_timeout,
	.drain = h1_drain,
	.closed = h1_closed,
	.respond = h1_respond,
	.inform = h1_inform,
	.body = h1_body_out,
	.finish = h1_finish,
	.abort = h1_abort,
	.request_resume = h1_request_resume,
	.tunnel = h1_tunnel,
};
