#include "dataplane/exchange.h"

#include "base/own.h"
#include "dataplane/access.h"
#include "dataplane/clientip.h"
#include "dataplane/conn.h"
#include "dataplane/cors.h"
#include "dataplane/filter.h"
#include "dataplane/local.h"
#include "dataplane/match.h"
#include "dataplane/mirror.h"
#include "dataplane/retry.h"
#include "dataplane/tls_clients.h"
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
	if (!request && ex->request_ended) /* else it may be the client that is slow */
		upstream_judge(ex, 504);
	if (!request && retry_after_failure(ex))
		return;
	upstream_detach(ex);
	exchange_fail(ex, 504, request ? "request_timeout" : "backend_timeout");
}

static struct exchange *exchange_alloc(struct worker *worker)
{
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
				.started_ms = loop_now(worker->loop)};
	list_init(&ex->copies);
	timer_init(&ex->timer, exchange_timeout);
	return ex;
}

struct exchange *exchange_new(struct conn *conn, void *stream)
{
	struct exchange *ex = exchange_alloc(conn->worker);

	ex->conn = conn;
	ex->proto = conn->proto;
	ex->stream = stream;
	return ex;
}

struct exchange *exchange_copy_new(struct worker *worker, const struct transport *proto,
				   void *stream)
{
	struct exchange *ex = exchange_alloc(worker);

	ex->proto = proto;
	ex->stream = stream;
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

/* Nothing comes from the backend any more, and no deadline passes. */
static void exchange_stop(struct exchange *ex)
{
	upstream_detach(ex);
	timer_stop(ex->worker->loop, &ex->timer);
	timer_stop(ex->worker->loop, &ex->again);
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
	mirror_part(ex);
	exchange_stop(ex);
	if (ex->conn != NULL && (ex->routed || ex->status != 0)) {
		count_status(ex);
		access_write(ex->worker->access, ex);
	}
	if (ex->backend != NULL)
		part_unpin(&ex->backend->part);
	if (ex->client_cert != NULL)
		part_unpin(&ex->client_cert->part);
	if (ex->rule != NULL)
		part_unpin(&ex->rule->part);
	buf_deinit(&ex->unsent);
	buf_deinit(&ex->replay);
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
	exchange_stop(ex);
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
	exchange_stop(ex);
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
	    (ex->request.method_id != METHOD_GET && ex->request.method_id != METHOD_HEAD) ||
	    ex->request.connect)
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

static void pin_backend(struct exchange *ex, struct backend *backend)
{
	part_pin(&backend->part);
	ex->backend = backend;
}

static void pin_client_cert(struct exchange *ex, struct cert *cert)
{
	part_pin(&cert->part);
	ex->client_cert = cert;
}

static struct backend *choose_backend(struct exchange *ex)
{
	const struct rule *rule = ex->rule;

	if (rule->backend_count == 1 && rule->weight_total > 0)
		return rule->backends[0];
	return match_backend(rule, exchange_random(ex->worker));
}

void exchange_arm(struct exchange *ex)
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

/* May OPTIONS be passed on, and how often? (RFC 9110, section 7.6.2) False: nothing says so. */
static bool forwards_left(const struct exchange *ex, uint64_t *left)
{
	return ex->request.method_id == METHOD_OPTIONS &&
	       sv_to_u64(fields_value(&ex->request.fields, FIELD_MAX_FORWARDS), left);
}

/* 0 was answered here. */
static bool count_down(struct exchange *ex)
{
	struct str_view value;
	uint64_t left;

	if (!forwards_left(ex, &left) || left == 0)
		return true;
	value = arena_printf(&ex->arena, "%llu", (unsigned long long)left - 1);
	return fields_set_id(&ex->request.fields, FIELD_MAX_FORWARDS, value);
}

/* The filters of the rule, copies for its mirrors, then the same of the backendRef. A path is
 * changed once: what the backendRef says takes the place of what the rule says. */
static bool prepare(struct exchange *ex, struct str_view prefix)
{
	const struct rule *rule = ex->rule;
	const struct backend *backend = ex->backend;
	struct fields *fields = &ex->request.fields;
	struct str_view path = ex->request.target.path;

	/* Answered by the codec, which reads the content anyway. */
	fields_remove_id(fields, FIELD_EXPECT);
	fields->max += FIELDS_OF_OURS + rule->request_headers.set_count +
		       rule->request_headers.add_count + backend->request_headers.set_count +
		       backend->request_headers.add_count;
	if (!count_down(ex) || !filter_forwarded(ex) ||
	    !filter_headers(fields, &rule->request_headers) ||
	    (rule->rewrite.present && !filter_rewrite(ex, &rule->rewrite, prefix)))
		return false;
	if (rule->mirror_count > 0)
		mirror_begin(ex, rule->mirrors, rule->mirror_count);
	if (backend->rewrite.path_change != PATH_KEEP)
		ex->request.target.path = path;
	if (!filter_headers(fields, &backend->request_headers) ||
	    (backend->rewrite.present && !filter_rewrite(ex, &backend->rewrite, prefix)))
		return false;
	if (backend->mirror_count > 0)
		mirror_begin(ex, backend->mirrors, backend->mirror_count);
	return true;
}

static void redirect(struct exchange *ex, const struct redirect *redirect, struct str_view prefix,
		     const struct snap_port *port)
{
	struct str_view location = filter_location(ex, redirect, prefix, port);

	/* HTTP/1.0 may leave Host away: then nothing says whither. */
	if (redirect->hostname.len == 0 && ex->request.authority.host.len == 0)
		exchange_fail(ex, 400, "no_host");
	else if (location.len == 0)
		exchange_fail(ex, 431, "head_too_large");
	else
		local_answer(ex, redirect->status, location, SV(""));
}

/* A preflight is answered by the filter, whatever else the rule does. */
static bool answer_preflight(struct exchange *ex, const struct cors *cors)
{
	if (!cors->present || !cors_is_preflight(&ex->request))
		return false;
	local_preflight(ex, cors);
	return true;
}

static void forward(struct exchange *ex, struct str_view prefix, const struct snap_port *port)
{
	struct backend *backend = choose_backend(ex);

	if (backend == NULL) {
		exchange_fail(ex, 500, "no_backend");
		return;
	}
	pin_backend(ex, backend);
	if (answer_preflight(ex, &backend->cors))
		return;
	if (backend->redirect.present) {
		redirect(ex, &backend->redirect, prefix, port);
		return;
	}
	if (backend->fail_status != 0 || backend->endpoint_count == 0) {
		exchange_fail(ex, backend->fail_status != 0 ? backend->fail_status : 503,
			      backend->fail_status == 500 ? "unresolved_backend" : "no_endpoint");
		return;
	}
	if (!prepare(ex, prefix)) {
		if (ex->looped)
			exchange_fail(ex, 508, "request_loop");
		else
			exchange_fail(ex, 431, "head_too_large");
		return;
	}
	exchange_arm(ex);
	ex->tries = 1;
	upstream_begin(ex);
}

void exchange_copy_start(struct exchange *copy, const struct exchange *of, struct backend *backend)
{
	pin_rule(copy, of->rule);
	pin_backend(copy, backend);
	if (of->client_cert != NULL)
		pin_client_cert(copy, of->client_cert);
	copy->request_deadline_ms =
		copy->started_ms + copy->worker->config->limits.upstream_response_ms;
	timer_set(copy->worker->loop, &copy->timer, copy->request_deadline_ms);
	copy->tries = 1;
	upstream_begin(copy);
}

static void run_rule(struct exchange *ex, const struct match_result *match,
		     const struct snap_port *port)
{
	const struct rule *rule = match->rule;

	pin_rule(ex, match->rule);
	if (match->listener->client_cert != NULL)
		pin_client_cert(ex, match->listener->client_cert);
	if (rule->fail_status != 0)
		exchange_fail(ex, rule->fail_status, "invalid_rule");
	else if (answer_preflight(ex, &rule->cors))
		return;
	else if (rule->redirect.present)
		redirect(ex, &rule->redirect, match->prefix, port);
	else
		forward(ex, match->prefix, port);
}

/* A client that was not asked for what this listener asks (by another name, by none, or before the
 * CAs were others) comes with a connection of its own. */
static bool asked_alike(const struct conn *conn, const struct snap_listener *listener)
{
	return listener == NULL || tls_clients_id(listener) == conn_clients(conn);
}

static void route(struct exchange *ex)
{
	const struct snap_port *port = conn_port(ex->conn);
	struct match_result match = {.answer = MATCH_NONE};

	if (port != NULL)
		match = match_request(port, conn_sni(ex->conn), &ex->request);
	if (!asked_alike(ex->conn, match.listener))
		match.answer = MATCH_MISDIRECTED;
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

/* What is asked of https came in the clear, and not from a proxy that is trusted to have decrypted
 * it (RFC 9110, section 7.4). */
static bool scheme_is_false(const struct exchange *ex)
{
	return ex->conn->tls == NULL && !ex->trusted &&
	       sv_eq(ex->request.target.scheme, SV("https"));
}

void exchange_start(struct exchange *ex)
{
	uint64_t left = 1;

	EXCHANGE_CHECK(ex);
	ex->routed = true;
	if (ex->request.method_id == METHOD_CONNECT || ex->request.method_id == METHOD_TRACE) {
		/* Neither makes sense at a gateway: one asks for a proxy, the other shows secrets.
		 */
		exchange_fail(ex, 405, "method_refused");
		return;
	}
	if (ex->request.target.form == TARGET_ASTERISK || (forwards_left(ex, &left) && left == 0)) {
		local_answer(ex, 204, SV(""), SV("")); /* asks about us, not about a backend */
		return;
	}
	if (answer_challenge(ex))
		return;
	if (ex->conn->policy != NULL && !clientip_find(ex))
		exchange_fail(ex, 403, "no_client_address");
	else if (scheme_is_false(ex))
		exchange_fail(ex, 421, "insecure");
	else
		route(ex);
}

bool exchange_request_body(struct exchange *ex, struct str_view bytes)
{
	EXCHANGE_CHECK(ex);
	ex->bytes_in += bytes.len;
	if (!list_empty(&ex->copies))
		mirror_body(ex, bytes);
	if (ex->rule != NULL && ex->rule->retry.present)
		retry_keep(ex, bytes);
	if (ex->upstream != NULL)
		return upstream_body(ex, bytes);
	return !retry_waits(ex) || retry_has_room(ex);
}

void exchange_request_end(struct exchange *ex, const struct fields *trailers)
{
	EXCHANGE_CHECK(ex);
	if (ex->request_ended)
		return;
	ex->request_ended = true;
	ex->request_trailers = trailers;
	if (!list_empty(&ex->copies))
		mirror_end(ex, trailers);
	if (ex->upstream != NULL)
		upstream_end(ex, trailers);
}

void exchange_response_resume(struct exchange *ex)
{
	if (ex->upstream != NULL)
		upstream_resume(ex);
}

/* ---- from the upstream ---- */

static bool filter_response(struct exchange *ex)
{
	struct fields *fields = &ex->response.fields;
	const struct cors *cors = cors_of(ex);

	fields->max += FIELDS_OF_OURS + ex->rule->response_headers.set_count +
		       ex->rule->response_headers.add_count +
		       ex->backend->response_headers.set_count +
		       ex->backend->response_headers.add_count;
	return filter_headers(fields, &ex->rule->response_headers) &&
	       filter_headers(fields, &ex->backend->response_headers) &&
	       (cors == NULL || cors_response(ex, cors));
}

void exchange_upstream_head(struct exchange *ex)
{
	upstream_judge(ex, ex->response.status);
	if (ex->rule->retry.present && retry_after_status(ex, ex->response.status))
		return;
	if (ex->request.connect && ex->response.status / 100 == 2) {
		exchange_fail(ex, 502, "upgrade_refused"); /* it would say that a tunnel is there */
		return;
	}
	if (!filter_response(ex)) {
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
	    (fate == LEG_REPEATABLE && ex->rule->retry.present) || /* that is an attempt, too */
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
	if (try_elsewhere(ex, fate) || retry_after_failure(ex))
		return;
	if (ex->retries > 0 && status == 502)
		status = 503; /* nobody was there, time after time */
	exchange_fail(ex, status, failure);
}
