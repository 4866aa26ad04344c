/* dataplane/upstream_read.c - responses of HTTP/1.1 backends: heads, content, ends */
#include "dataplane/upstream_priv.h"
#include "dataplane/websocket.h"

#include <errno.h>
#include <unistd.h>

#define INTERIMS_MAX 32
#define READS_A_TURN 8 /* of one connection */

/* Both messages ended where their framing says, and nothing is left over, neither here nor in the
 * kernel: somebody else may have it. */
static bool up_reusable(const struct upstream_conn *up, size_t surplus)
{
	return up->request_done && buf_len(&up->out) == 0 && surplus == 0 && !up->readable &&
	       !up->eof && up->leg.ex->response.keep_alive && !up->leg.ex->upgraded &&
	       up->endpoint->idle_count < up_limits(up)->upstream_idle;
}

static void drop_input(struct upstream_conn *up)
{
	if (up->in != NULL)
		worker_buffer_give(up->owner->worker, up->in);
	up->in = NULL;
	up->in_len = 0;
}

void up_finished(struct upstream_conn *up, size_t surplus)
{
	struct exchange *ex = up->leg.ex;
	bool keep = up_reusable(up, surplus);

	up->response_done = true;
	pool_worked(up->endpoint);
	leg_part(&up->leg);
	drop_input(up);
	if (keep)
		up_idle(up);
	fields_strip_trailers(&up->body.trailers, &ex->response.fields);
	exchange_upstream_end(ex, up->body.trailers.count > 0 ? &up->body.trailers : NULL);
	if (!keep)
		up_close(up);
}

static void begin_body(struct upstream_conn *up)
{
	const struct http_response *response = &up->leg.ex->response;

	up->head_done = true;
	h1_body_init(&up->body, response->framing, response->length, &up->leg.ex->arena);
	up->streams = sv_starts(fields_value(&response->fields, FIELD_CONTENT_TYPE),
				SV("text/event-stream"));
}

/* 101 only to who asked for it, with the protocol that was asked for (RFC 9110, section 7.8). */
static bool head_acceptable(struct upstream_conn *up)
{
	const struct http_response *response = &up->leg.ex->response;

	if (response->status == 101)
		return up->leg.ex->request.websocket && response->websocket &&
		       (!up->leg.ex->request.connect ||
			websocket_proved(&up->leg.ex->request, response));
	return !http_is_interim(response->status) || ++up->interims <= INTERIMS_MAX;
}

/* One head out of run; how many bytes it took. 0: more is needed, or the leg has failed (up->leg.ex
 * NULL). */
static size_t parse_head(struct upstream_conn *up, struct str_view run)
{
	struct exchange *ex = up->leg.ex;
	enum h1_result result =
		h1_head_response(&up->head, run, ex->request.method_id, &ex->response);

	if (result == H1_MORE)
		return 0;
	if (result == H1_BAD || !head_acceptable(up)) {
		up_fail(up, 502, "upstream_malformed");
		return 0;
	}
	if (http_is_interim(ex->response.status)) {
		size_t used = up->head.consumed;

		up_arm(up); /* a head is progress, some bytes of one are not */
		/* A client that waits for 100 has had ours (h1.c, h2.c). */
		if (ex->response.status != 100)
			exchange_upstream_interim(ex, &ex->response);
		h1_head_init(&up->head, &up->head.limits, &ex->arena);
		return used;
	}
	begin_body(up);
	if (ex->response.status == 101)
		up->request_done = false; /* the tunnel has an end of its own */
	exchange_upstream_head(ex);
	if (up->leg.ex != NULL)
		up_arm(up);
	return up->head.consumed;
}

/* Pieces of content that are passed on as one. */
static void pass_on(struct upstream_conn *up, struct str_view *content)
{
	if (content->len > 0 && !exchange_upstream_body(up->leg.ex, *content))
		up->paused = true;
	content->len = 0;
}

/* A backend that sends small chunks would cost the client a chunk, or a frame, for each: the pieces
 * of one read are pushed together over the framing between them, which is done with. */
static void gather(struct str_view *content, struct str_view piece)
{
	if (content->len == 0)
		*content = piece;
	if (piece.len == 0 || content->data == piece.data)
		return;
	memmove((char *)content->data + content->len, piece.data, piece.len);
	content->len += piece.len;
}

/* Content out of run, which lies in our own read buffer; how many bytes are done with. */
static size_t parse_body(struct upstream_conn *up, struct str_view run, struct str_view *content,
			 bool *ended)
{
	size_t used = 0;
	struct str_view piece;
	enum h1_result result;

	if (up->leg.ex->upgraded) {
		*content = run;
		return run.len;
	}
	result = h1_body_step(&up->body, run, &used, &piece);
	gather(content, piece);
	if (result == H1_BAD) {
		pass_on(up, content);
		up_fail(up, 502, "upstream_malformed");
		return run.len;
	}
	*ended = result == H1_DONE;
	return used;
}

/* Everything that run holds; returns how many bytes are done with. After it up->leg.ex may be NULL.
 */
static size_t parse(struct upstream_conn *up, struct str_view run)
{
	struct str_view content = SV_NONE;
	size_t done = 0;

	while (up->leg.ex != NULL && !up->response_done && (done < run.len || up->head_done)) {
		struct str_view rest = sv_skip(run, done);
		bool had_head = up->head_done, ended = false;
		size_t used =
			had_head ? parse_body(up, rest, &content, &ended) : parse_head(up, rest);

		done += used;
		if (ended) {
			pass_on(up, &content);
			up_finished(up, run.len - done);
		} else if (used == 0 && had_head == up->head_done) {
			break;
		} else if (had_head && done == run.len) {
			break;
		}
	}
	if (up->leg.ex != NULL)
		pass_on(up, &content);
	return done;
}

/* cut: by an error, not by an end. With TLS that tells a whole answer from one that somebody cut
 * (RFC 9112, section 9.8). */
static void ended(struct upstream_conn *up, bool cut)
{
	struct exchange *ex = up->leg.ex;

	up->eof = true;
	if (ex == NULL)
		up_close(up);
	else if (ex->upgraded ||
		 (up->head_done && !(cut && up->tls != NULL) && h1_body_eof(&up->body)))
		up_finished(up, 1);
	else
		up_fail(up, 502, up->head_done ? "upstream_truncated" : "upstream_closed");
}

/* What was not taken of a head stays, at the front of a buffer that the connection now holds. */
static void keep_rest(struct upstream_conn *up, char *buffer, size_t done, size_t len)
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

/* len bytes stand in buffer, count of them new. */
static void take_run(struct upstream_conn *up, char *buffer, size_t len)
{
	up->heard = true;
	if (!up->wrote &&
	    !up->leg.ex->upgraded) { /* an answer before the question is not its answer */
		keep_rest(up, buffer, 0, 0);
		up_fail(up, 502, "upstream_unsolicited");
		return;
	}
	if (up->head_done)
		up_arm(up);
	keep_rest(up, buffer, parse(up, sv_new(buffer, len)), len);
}

/* Reads once. False: nothing more to be had now. */
static bool read_once(struct upstream_conn *up)
{
	struct worker *worker = up->owner->worker;
	char *buffer = up->in != NULL ? up->in : worker_buffer_take(worker);
	size_t had = up->in_len, room = WORKER_BUFFER_SIZE - had;
	ssize_t count = up_io_read(up->watch.fd, up->tls, buffer + had, room);
	int error = errno;

	up->in = NULL; /* lent to this function; keep_rest puts it where it belongs */
	up->in_len = 0;
	if (count > 0) {
		up->readable = up_io_more(up->tls, count, room) || up->eof;
		take_run(up, buffer, had + (size_t)count);
		return true;
	}
	keep_rest(up, buffer, 0, had);
	up->readable = false;
	if (count < 0 && up_would_block(error) && !up->eof)
		return false;
	ended(up, count < 0);
	return false;
}

static bool wants_read(const struct upstream_conn *up)
{
	return up->state == UP_ACTIVE && up->readable && !up->paused;
}

void up_read(struct upstream_conn *up)
{
	unsigned reads = 0;

	while (wants_read(up) && reads++ < READS_A_TURN && read_once(up))
		;
	if (wants_read(up)) /* a fast backend with a fast client: the others have their turn */
		task_defer(up_loop(up), &up->turn);
}
