#include "dataplane/exchange.h"

#include "base/own.h"
#include "dataplane/access.h"
#include "dataplane/conn.h"
#include "dataplane/filter.h"
#include "dataplane/local.h"
#include "dataplane/match.h"
#include "dataplane/upstream.h"
#include "dataplane/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

#define SPARE_EXCHANGES_MAX 256
#define TRIES_MAX           3
#define FIELDS_OF_OURS      16 /* room for X-Forwarded-*, Via and filters above the client's limit */

#define EXCHANGE_CHECK(ex) assert((ex)->magic == EXCHANGE_MAGIC)

uint64_t exchange_random(struct worker *worker)
{
	uint64_t *state = &worker->exchanges.random;

	while (*state == 0) {
		if (getrandom(state, sizeof(*state), 0) != sizeof(*state))
			*state = (uint64_t)loop_now(worker->loop) + worker->index + 1;
	}
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

struct buf *exchange_scratch(struct worker *worker)
{
	struct buf *scratch = &worker->exchanges.scratch;

	if (scratch->max == 0)
		buf_init(scratch, (size_t)worker->config->limits.head * 4);
	buf_reset(scratch);
	return scratch;
}

/* ---- birth and death ---- */

static void exchange_timeout(struct timer *timer)
{
	struct exchange *ex = CONTAINER_OF(timer, struct exchange, timer);
	bool request = ex->request_deadline_ms != 0 &&
		       loop_now(ex->worker->loop) >= ex->request_deadline_ms;

	EXCHANGE_CHECK(ex);
	metric_add(&ex->worker->metrics.upstream_timeouts, 1);
	upstream_detach(ex);
	exchange_fail(ex, 504, request ? "request_timeout" : "backend_timeout");
}

struct exchange *exchange_new(struct conn *conn, void *stream)
{
	struct worker *worker = conn->worker;
	struct exchange_pool *pool = &worker->exchanges;
	struct exchange *ex = pool->spare;
	struct arena arena;

	if (ex == NULL) {
		ex = xmalloc(sizeof(*ex));
		arena_init(&arena, 0);
	} else {
		pool->spare = ex->next_spare;
		pool->count--;
		arena = ex->arena;
	}
	arena.max = (size_t)worker->config->limits.head * 3;
	*ex = (struct exchange){.magic = EXCHANGE_MAGIC,
				.arena = arena,
				.worker = worker,
				.conn = conn,
				.proto = conn->proto,
				.stream = stream,
				.started_ms = loop_now(worker->loop)};
	buf_init(&ex->unsent, 0);
	timer_init(&ex->timer, exchange_timeout);
	return ex;
}

static void exchange_release(struct exchange *ex)
{
	arena_deinit(&ex->arena);
	free(ex);
}

void exchange_pool_deinit(struct exchange_pool *pool)
{
	while (pool->spare != NULL) {
		struct exchange *ex = pool->spare;

		pool->spare = ex->next_spare;
		exchange_release(ex);
	}
	pool->count = 0;
	buf_deinit(&pool->scratch);
}

static void count_status(struct exchange *ex)
{
	unsigned class = ex->status / 100u;

	metric_add(&ex->worker->metrics.status_class[class <= 5 ? class : 0], 1);
}

void exchange_close(struct exchange *ex)
{
	struct exchange_pool *pool = &ex->worker->exchanges;

	EXCHANGE_CHECK(ex);
	upstream_detach(ex);
	timer_stop(ex->worker->loop, &ex->timer);
	if (ex->routed || ex->status != 0) {
		count_status(ex);
		access_write(ex->worker->access, ex);
	}
	if (ex->backend != NULL)
		part_unpin(&ex->backend->part);
	if (ex->rule != NULL)
		part_unpin(&ex->rule->part);
	buf_deinit(&ex->unsent);
	ex->magic = 0;
	if (pool->count >= SPARE_EXCHANGES_MAX) {
		exchange_release(ex);
		return;
	}
	arena_reset(&ex->arena);
	ex->next_spare = pool->spare;
	pool->spare = ex;
	pool->count++;
}

void exchange_abandon(struct exchange *ex)
{
	EXCHANGE_CHECK(ex);
	upstream_detach(ex);
	timer_stop(ex->worker->loop, &ex->timer);
	ex->response_ended = true;
}

/* ---- answers from here ---- */

void exchange_fail(struct exchange *ex, uint16_t status, const char *failure)
{
	EXCHANGE_CHECK(ex);
	if (ex->response_ended)
		return;
	if (failure != NULL)
		ex->failure = failure;
	upstream_detach(ex);
	timer_stop(ex->worker->loop, &ex->timer);
	if (!ex->response_started) {
		local_error(ex, status);
		return;
	}
	ex->response_ended = true;
	ex->proto->abort(ex);
}

/* Before routing, redirects and everything else (design: our own tokens, with their Host). */
static bool answer_challenge(struct exchange *ex)
{
	const struct challenge *challenge;

	if (ex->conn->tls != NULL || ex->worker->snapshot->challenge_count == 0 ||
	    (ex->request.method_id != METHOD_GET && ex->request.method_id != METHOD_HEAD))
		return false;
	challenge = match_challenge(ex->worker->snapshot, ex->request.authority.host,
				    ex->request.target.path);
	if (challenge == NULL)
		return false;
	metric_add(&ex->worker->metrics.challenges, 1);
	worker_challenge_fetched(ex->worker, challenge->token);
	local_answer(ex, 200, SV(""), challenge->key_authorization);
	return true;
}

/* ---- from match to upstream ---- */

static void pin_rule(struct exchange *ex, struct rule *rule)
{
	part_pin(&rule->part);
	ex->rule = rule;
}

static struct backend *choose_backend(struct exchange *ex)
{
	const struct rule *rule = ex->rule;
	uint64_t at;

	if (rule->backend_count == 1 && rule->weight_total > 0)
		return rule->backends[0];
	if (rule->weight_total == 0)
		return NULL;
	at = exchange_random(ex->worker) % rule->weight_total;
	for (size_t i = 0; i < rule->backend_count; i++) {
		if (at < rule->backends[i]->weight)
			return rule->backends[i];
		at -= rule->backends[i]->weight;
	}
	return NULL;
}

static void arm_timeouts(struct exchange *ex)
{
	int64_t now = loop_now(ex->worker->loop);
	int64_t first;

	if (ex->rule->request_timeout_ms != 0)
		ex->request_deadline_ms = ex->started_ms + ex->rule->request_timeout_ms;
	if (ex->rule->backend_timeout_ms != 0)
		ex->backend_deadline_ms = now + ex->rule->backend_timeout_ms;
	first = ex->request_deadline_ms;
	if (ex->backend_deadline_ms != 0 && (first == 0 || ex->backend_deadline_ms < first))
		first = ex->backend_deadline_ms;
	if (first != 0)
		timer_set(ex->worker->loop, &ex->timer, first);
}

/* RFC 9110, section 7.6.2; 0 was answered here. */
static bool count_down(struct exchange *ex)
{
	struct str_view value = fields_value(&ex->request.fields, FIELD_MAX_FORWARDS);
	uint64_t left;

	if (ex->request.method_id != METHOD_OPTIONS || !sv_to_u64(value, &left) || left == 0)
		return true;
	value = arena_printf(&ex->arena, "%llu", (unsigned long long)left - 1);
	return fields_set_id(&ex->request.fields, FIELD_MAX_FORWARDS, value);
}

static bool prepare(struct exchange *ex, struct str_view prefix)
{
	struct fields *fields = &ex->request.fields;

	/* Answered by the codec, which reads the content anyway. */
	fields_remove_id(fields, FIELD_EXPECT);
	fields->max += FIELDS_OF_OURS + ex->rule->request_headers.set_count +
		       ex->rule->request_headers.add_count +
		       ex->backend->request_headers.set_count +
		       ex->backend->request_headers.add_count;
	return count_down(ex) && filter_forwarded(ex) &&
	       filter_headers(fields, &ex->rule->request_headers) &&
	       filter_headers(fields, &ex->backend->request_headers) &&
	       (!ex->rule->rewrite.present || filter_rewrite(ex, &ex->rule->rewrite, prefix));
}

static void forward(struct exchange *ex, struct str_view prefix)
{
	struct backend *backend = choose_backend(ex);

	if (backend == NULL) {
		exchange_fail(ex, 500, "no_backend");
		return;
	}
	part_pin(&backend->part);
	ex->backend = backend;
	if (backend->fail_status != 0 || backend->endpoint_count == 0) {
		exchange_fail(ex, backend->fail_status != 0 ? backend->fail_status : 503,
			      backend->fail_status == 500 ? "unresolved_backend" : "no_endpoint");
		return;
	}
	if (!prepare(ex, prefix)) {
		exchange_fail(ex, 431, "head_too_large");
		return;
	}
	arm_timeouts(ex);
	ex->tries = 1;
	upstream_begin(ex);
}

static void run_rule(struct exchange *ex, const struct match_result *match,
		     const struct snap_port *port)
{
	const struct redirect *redirect = &match->rule->redirect;
	struct str_view location;

	pin_rule(ex, match->rule);
	if (match->rule->fail_status != 0) {
		exchange_fail(ex, match->rule->fail_status, "invalid_rule");
		return;
	}
	if (!redirect->present) {
		forward(ex, match->prefix);
		return;
	}
	location = filter_location(ex, redirect, match->prefix, port);
	if (location.len == 0)
		exchange_fail(ex, 431, "head_too_large");
	else
		local_answer(ex, redirect->status, location, SV(""));
}

static void route(struct exchange *ex)
{
	const struct snap_port *port = conn_port(ex->conn);
	struct match_result match = {.answer = MATCH_NONE};

	if (port != NULL)
		match = match_request(port, conn_sni(ex->conn), &ex->request);
	switch (match.answer) {
	case MATCH_RULE:
		run_rule(ex, &match, port);
		return;
	case MATCH_NONE:
		exchange_fail(ex, 404, "no_route");
		return;
	case MATCH_MISDIRECTED:
		exchange_fail(ex, 421, "misdirected");
		return;
	case MATCH_AMBIGUOUS:
		exchange_fail(ex, 400, "ambiguous_path");
		return;
	}
}

void exchange_start(struct exchange *ex)
{
	EXCHANGE_CHECK(ex);
	ex->routed = true;
	if (ex->request.method_id == METHOD_CONNECT || ex->request.method_id == METHOD_TRACE) {
		/* Neither makes sense at a gateway: one asks for a proxy, the other shows secrets.
		 */
		exchange_fail(ex, 405, "method_refused");
		return;
	}
	if (ex->request.target.form == TARGET_ASTERISK ||
	    (ex->request.method_id == METHOD_OPTIONS &&
	     sv_eq(fields_value(&ex->request.fields, FIELD_MAX_FORWARDS), SV("0")))) {
		local_answer(ex, 204, SV(""), SV("")); /* asks about us, not about a backend */
		return;
	}
	if (!answer_challenge(ex))
		route(ex);
}

bool exchange_request_body(struct exchange *ex, struct str_view bytes)
{
	EXCHANGE_CHECK(ex);
	ex->bytes_in += bytes.len;
	return ex->upstream == NULL || upstream_body(ex, bytes);
}

void exchange_request_end(struct exchange *ex, const struct fields *trailers)
{
	EXCHANGE_CHECK(ex);
	if (ex->request_ended)
		return;
	ex->request_ended = true;
	if (ex->upstream != NULL)
		upstream_end(ex, trailers);
}

void exchange_response_resume(struct exchange *ex)
{
	if (ex->upstream != NULL)
		upstream_resume(ex);
}

/* ---- from the upstream ---- */

void exchange_upstream_head(struct exchange *ex)
{
	struct fields *fields = &ex->response.fields;

	fields->max += FIELDS_OF_OURS + ex->rule->response_headers.set_count +
		       ex->rule->response_headers.add_count +
		       ex->backend->response_headers.set_count +
		       ex->backend->response_headers.add_count;
	if (!filter_headers(fields, &ex->rule->response_headers) ||
	    !filter_headers(fields, &ex->backend->response_headers)) {
		exchange_fail(ex, 502, "response_head_too_large");
		return;
	}
	ex->response_started = true;
	ex->status = (uint16_t)ex->response.status;
	ex->upgraded = ex->response.status == 101;
	ex->proto->respond(ex);
	if (ex->upgraded) {
		timer_stop(ex->worker->loop, &ex->timer);
		ex->request_ended = false; /* the tunnel has an end of its own */
		ex->proto->tunnel(ex);
	}
}

void exchange_upstream_interim(struct exchange *ex, const struct http_response *interim)
{
	if (!ex->response_started)
		ex->proto->inform(ex, interim);
}

bool exchange_upstream_body(struct exchange *ex, struct str_view bytes)
{
	ex->bytes_out += bytes.len;
	return ex->proto->body(ex, bytes);
}

void exchange_upstream_end(struct exchange *ex, const struct fields *trailers)
{
	if (ex->response_ended)
		return;
	ex->response_ended = true;
	timer_stop(ex->worker->loop, &ex->timer);
	ex->proto->finish(ex, trailers);
}

void exchange_upstream_room(struct exchange *ex)
{
	if (!ex->request_ended)
		ex->proto->request_resume(ex);
}

/* At once, on another endpoint when there is one: nothing was lost but time. */
static bool try_elsewhere(struct exchange *ex, enum leg_fate fate)
{
	if (ex->response_started || ex->tries >= TRIES_MAX || fate == LEG_SEEN ||
	    (fate == LEG_UNREACHED && ex->backend->endpoint_count == 1))
		return false;
	ex->tries++;
	ex->fresh = fate != LEG_UNREACHED;
	upstream_begin(ex);
	return true;
}

void exchange_upstream_failed(struct exchange *ex, uint16_t status, const char *failure,
			      enum leg_fate fate)
{
	EXCHANGE_CHECK(ex);
	metric_add(&ex->worker->metrics.upstream_failures, 1);
	if (!try_elsewhere(ex, fate))
		exchange_fail(ex, status, failure);
}
