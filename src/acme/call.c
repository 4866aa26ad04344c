#include "acme/call.h"

#include "acme/link.h"
#include "acme/words.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "codec/json.h"
#include "pki/jws.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NONCE_TRIES_MAX 10
#define JSON_BODY_MAX   (256u << 10)
#define FRESH_MS        60000
#define CAREFUL_MS      600000
#define BROKEN_RETRY_MS 60000
#define FIND_ACCOUNT    "{\"onlyReturnExisting\":true}"
#define QUOTED_MAX      200
#define MISSED_MAX      3

static void call_go(struct acme_call *call);
static void on_answer(void *arg, const struct fetch_answer *answer);

/* ---- what is asked for now: the request itself, or the account's URL before it ---- */

static enum acme_resource target_resource(const struct acme_call *call)
{
	return call->finding_account ? ACME_NEW_ACCOUNT : call->request.resource;
}

static const char *target_step(const struct acme_call *call)
{
	if (call->state == CALL_NONCE)
		return acme_resource_name(ACME_NEW_NONCE);
	return call->finding_account ? acme_resource_name(ACME_NEW_ACCOUNT) : call->request.step;
}

static const char *target_url(const struct acme_call *call)
{
	enum acme_resource resource = target_resource(call);
	const char *url = call->request.url;

	if (resource != CALL_URL)
		return call->client->directory.urls[resource];
	return url != NULL ? url : call->client->kid;
}

/* ---- gates ---- */

static void gate_leave(struct acme_call *call)
{
	struct acme_client *client = call->client;

	if (call->gate == CALL_URL)
		return;
	client->gates[call->gate].in_flight--;
	call->gate = CALL_URL;
	LIST_EACH(&client->calls, node)
	{
		struct acme_call *other = LIST_ENTRY(node, struct acme_call, link);

		if (other->state == CALL_GATE && other != call)
			task_defer(client->loop, &other->task);
	}
}

static void gate_enter(struct acme_call *call, enum acme_resource resource)
{
	call->gate = resource;
	if (resource != CALL_URL)
		call->client->gates[resource].in_flight++;
}

/* Nobody asks this resource before the time that the CA named. */
static void gate_close(struct acme_call *call, int64_t retry_after_ms, bool careful)
{
	int64_t now = loop_now(call->client->loop);

	if (target_resource(call) == CALL_URL && call->state != CALL_NONCE)
		return;

	struct gate *gate = &call->client->gates[call->state == CALL_NONCE ? ACME_NEW_NONCE
									   : target_resource(call)];

	if (retry_after_ms >= 0 && gate->not_before < now + retry_after_ms)
		gate->not_before = now + retry_after_ms;
	if (careful)
		gate->careful_until = now + CAREFUL_MS + (retry_after_ms > 0 ? retry_after_ms : 0);
	gate->problem = call->result.problem;
}

/* true: the call waits, or has ended because the wait would be too long. */
static bool gate_holds(struct acme_call *call, enum acme_resource resource)
{
	struct loop *loop = call->client->loop;
	int64_t now = loop_now(loop);

	if (resource == CALL_URL)
		return false;

	const struct gate *gate = &call->client->gates[resource];
	int64_t wait = gate->not_before - now;

	if (wait > RETRY_DELAY_MAX_MS) {
		call->result =
			(struct acme_result){.retry_after_ms = wait, .problem = gate->problem};
		call->state = CALL_READY;
		call_end(call, ACME_RETRY_LATER, "%s", "");
		return true;
	}
	if (wait <= 0 && !(now < gate->careful_until && gate->in_flight > 0))
		return false;
	call->state = CALL_GATE;
	timer_in(loop, &call->timer,
		 wait > 0 ? retry_spread(wait, client_random()) : RETRY_DELAY_MAX_MS);
	return true;
}

/* ---- the end ---- */

static void request_deinit(struct call_request *request)
{
	free(request->url);
	free(request->payload);
	*request = (struct call_request){0};
}

/* After this nothing of the loop or the client leads to the call, nor the other way. */
static void detach(struct acme_call *call)
{
	gate_leave(call);
	list_remove(&call->link);
	task_cancel(&call->task);
	timer_stop(call->client->loop, &call->timer);
	if (call->fetch != NULL)
		fetch_cancel(TAKE(call->fetch));
}

static void release(struct acme_call *call)
{
	if (call->own != NULL)
		call->kind->free_own(call->own);
	request_deinit(&call->request);
	json_decref(call->body);
	free(call->location);
	free(call);
}

void call_free(struct acme_call *call)
{
	detach(call);
	release(call);
}

void acme_cancel(struct acme_call *call)
{
	call_free(call);
}

static void finish(struct acme_call *call)
{
	struct acme_result *result = &call->result;

	if (result->outcome == ACME_BROKEN && result->retry_after_ms < BROKEN_RETRY_MS)
		result->retry_after_ms = BROKEN_RETRY_MS;
	if (result->outcome != ACME_OK)
		log_debug("acme", "%s: %s (HTTP %ld, %s)", result->step, result->problem.text,
			  result->http_status, result->problem.type);
	detach(call);
	call->done(call->arg, result); /* may free the client */
	release(call);
}

void call_ok(struct acme_call *call)
{
	call->result.outcome = ACME_OK;
	call->result.step = call->request.step;
	call->result.body = call->body;
	call->result.location = call->location;
	call->result.text = call->text;
	finish(call);
}

void call_end(struct acme_call *call, enum acme_outcome outcome, const char *fmt, ...)
{
	struct acme_problem *problem = &call->result.problem;
	char words[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	if (words[0] != '\0') {
		*problem = (struct acme_problem){0};
		words_add(problem->text, sizeof(problem->text), sv_from(words));
	}
	call->result.outcome = outcome;
	call->result.step = target_step(call);
	if (call->result.failure != FETCH_FINE)
		client_outage(call->client);
	if (call->kind->failed == NULL || !call->kind->failed(call))
		finish(call);
}

/* ---- again ---- */

static void call_retry(struct acme_call *call)
{
	int64_t now = loop_now(call->client->loop);
	int64_t delay = retry_next(&call->retry, now, call->result.retry_after_ms, client_random());

	if (delay < 0) {
		call_end(call, ACME_RETRY_LATER, "%s", "");
		return;
	}
	log_debug("acme", "%s: %s; again in %lld ms", target_step(call), call->result.problem.text,
		  (long long)delay);
	call->state = CALL_PAUSE;
	timer_in(call->client->loop, &call->timer, delay);
}

void call_bad_answer(struct acme_call *call, const char *words)
{
	call->result.problem = (struct acme_problem){0};
	words_add(call->result.problem.text, sizeof(call->result.problem.text), sv_from(words));
	call->lost = call->request.once && !call->finding_account && call->state == CALL_POST;
	call_retry(call);
}

static void call_resume(struct acme_call *call)
{
	if (!call->lost || call->kind->lost == NULL) {
		call_go(call);
		return;
	}
	call->lost = false;
	call->main_retry = call->retry;
	call->kind->lost(call);
}

static void on_timer(struct timer *timer)
{
	call_resume(CONTAINER_OF(timer, struct acme_call, timer));
}

static void on_task(struct task *task)
{
	struct acme_call *call = CONTAINER_OF(task, struct acme_call, task);

	if (call->state != CALL_DIRECTORY_FAILED) {
		call_go(call);
		return;
	}
	call->result = call->client->load.failure;
	if (call->kind->failed == NULL || !call->kind->failed(call))
		finish(call);
}

void call_directory_known(struct acme_client *client, bool known)
{
	LIST_EACH(&client->calls, node)
	{
		struct acme_call *call = LIST_ENTRY(node, struct acme_call, link);

		if (call->state != CALL_DIRECTORY)
			continue;
		call->state = known ? CALL_READY : CALL_DIRECTORY_FAILED;
		task_defer(client->loop, &call->task);
	}
}

/* ---- sending ---- */

static void send_nonce_request(struct acme_call *call)
{
	struct acme_client *client = call->client;
	const char *url = client->directory.urls[ACME_NEW_NONCE];
	struct fetch_request request = {.method = "HEAD", .follow_redirects = true};

	if (gate_holds(call, ACME_NEW_NONCE))
		return;
	client_fill_request(client, url, &request);
	call->state = CALL_NONCE;
	gate_enter(call, ACME_NEW_NONCE);
	call->fetch = fetch_start(client->fetcher, &request, on_answer, call);
}

static EVP_PKEY *signer(const struct acme_call *call)
{
	return call->request.key != NULL ? call->request.key : call->client->key;
}

/* {"alg":…,"jwk" or "kid":…,"nonce":…,"url":…} (RFC 8555, section 6.2). */
static char *protected_header(const struct acme_call *call, const char *nonce, struct err *err)
{
	const struct acme_client *client = call->client;
	const char *alg = jws_alg(signer(call));
	AUTO(auto_json) json_t *header = json_object();
	struct buf jwk;
	json_t *value;

	if (alg == NULL) {
		err_set(err, ERR_UNSUPPORTED, "the account key is of a type that ACME cannot use");
		return NULL;
	}
	json_object_set_new(header, "alg", json_sv(sv_from(alg)));
	if (call->request.jwk || call->finding_account) {
		buf_init(&jwk, 8192);
		value = jwk_public(signer(call), &jwk, err) == 0 ? json_parse(buf_view(&jwk), err)
								 : NULL;
		buf_deinit(&jwk);
		if (value == NULL)
			return NULL;
		json_object_set_new(header, "jwk", value);
	} else {
		json_object_set_new(header, "kid", json_sv(sv_from(client->kid)));
	}
	json_object_set_new(header, "nonce", json_sv(sv_from(nonce)));
	json_object_set_new(header, "url", json_sv(sv_from(target_url(call))));
	return json_text(header);
}

static int sign(const struct acme_call *call, const char *nonce, struct buf *out, struct err *err)
{
	AUTO(auto_free) char *header = protected_header(call, nonce, err);
	const char *payload = call->finding_account ? FIND_ACCOUNT : call->request.payload;

	if (header == NULL)
		return -1;
	return jws_sign(signer(call), sv_from(header), sv_from(payload), out, err);
}

static void send_post(struct acme_call *call, const char *nonce)
{
	struct acme_client *client = call->client;
	struct fetch_request request = {.method = "POST", .content_type = "application/jose+json"};
	struct err err = {0};
	struct buf jws;

	buf_init(&jws, 1u << 20);
	if (sign(call, nonce, &jws, &err) != 0) {
		buf_deinit(&jws);
		call_end(call, ACME_BROKEN, "%s", err.msg);
		return;
	}
	client_fill_request(client, target_url(call), &request);
	request.body = buf_view(&jws);
	request.fresh = call->kept_died || loop_now(client->loop) < client->fresh_until;
	request.body_max = call->request.want == WANT_TEXT ? FETCH_BODY_MAX : JSON_BODY_MAX;
	call->state = CALL_POST;
	gate_enter(call, target_resource(call));
	call->fetch = fetch_start(client->fetcher, &request, on_answer, call);
	buf_deinit(&jws);
}

static void send_get(struct acme_call *call)
{
	struct acme_client *client = call->client;
	struct fetch_request request = {
		.method = "GET", .follow_redirects = true, .body_max = JSON_BODY_MAX};

	client_fill_request(client, target_url(call), &request);
	call->state = CALL_POST;
	gate_enter(call, target_resource(call));
	call->fetch = fetch_start(client->fetcher, &request, on_answer, call);
}

/* The URL exists and may be asked. */
static bool target_fit(struct acme_call *call)
{
	const char *url = target_url(call);

	if (url == NULL) {
		call_end(call, ACME_BROKEN, "the directory has no member \"%s\"",
			 acme_resource_name(target_resource(call)));
		return false;
	}
	if (!directory_allows(&call->client->directory, url)) {
		call_end(call, ACME_BROKEN,
			 "%.200s is not at the CA's own https address; it is not asked", url);
		return false;
	}
	return true;
}

static bool prepare(struct acme_call *call)
{
	if (call->prepared || call->kind->prepare == NULL)
		return true;
	call->prepared = true;
	call->result = (struct acme_result){.retry_after_ms = -1};
	if (call->kind->prepare(call, &call->result) == 0)
		return true;
	call->result.step = call->request.step;
	finish(call);
	return false;
}

/* Takes the call as far as it gets: to the next wait, or to its end. */
static void call_go(struct acme_call *call)
{
	struct acme_client *client = call->client;
	char nonce[NONCE_LEN_MAX + 1];

	timer_stop(client->loop, &call->timer);
	task_cancel(&call->task);
	call->state = CALL_READY;
	if (!client_has_directory(client)) {
		call->state = CALL_DIRECTORY;
		client_read_directory(client);
		return;
	}
	if (!prepare(call))
		return;
	call->finding_account = !call->request.jwk && !call->request.plain && client->kid == NULL;
	if (!target_fit(call) || gate_holds(call, target_resource(call)))
		return;
	if (call->request.plain)
		send_get(call);
	else if (nonce_take(&client->nonces, nonce))
		send_post(call, nonce);
	else
		send_nonce_request(call);
}

/* ---- answers ---- */

static void read_problem(struct acme_call *call, const struct fetch_answer *answer)
{
	struct acme_problem *problem = &call->result.problem;
	AUTO(auto_json) json_t *body = json_parse(answer->body, NULL);
	struct str_view rest = answer->links, terms;

	acme_problem_parse(body, answer->status, problem);
	if (!json_is_object(body) && answer->body.len > 0) {
		words_add(problem->text, sizeof(problem->text), SV(": "));
		words_add_page(problem->text, sizeof(problem->text),
			       sv_head(answer->body, QUOTED_MAX));
	}
	if (strcmp(problem->type, "userActionRequired") == 0 &&
	    link_next(&rest, SV("terms-of-service"), &terms)) {
		words_add(problem->text, sizeof(problem->text), SV("; terms of service: "));
		words_add(problem->text, sizeof(problem->text), sv_head(terms, 300));
	}
}

static void nonce_refused(struct acme_call *call, const struct fetch_answer *answer)
{
	struct acme_client *client = call->client;

	if (++call->nonce_tries >= NONCE_TRIES_MAX) {
		call_end(call, ACME_RETRY_LATER, "%s", "");
		return;
	}
	/* The answer's own nonce first; if that fails too, none that we hold is to be trusted. */
	if (answer->replay_nonce.len == 0 || call->nonce_tries % 2 == 0)
		nonce_clear(&client->nonces);
	call_go(call);
}

/* The CA does not know the account: perhaps its URL has changed; then the key finds it. */
static void account_unknown(struct acme_call *call)
{
	struct acme_client *client = call->client;

	if (call->request.jwk && !call->finding_account) {
		call_end(call, ACME_REFUSED, "%s", "");
		return;
	}
	client_set_kid(client, NULL);
	if (call->account_checked || call->finding_account) {
		call_end(call, ACME_GONE, "%s", "");
		return;
	}
	call->account_checked = true;
	client->load.stale = true;
	call_go(call);
}

static void rate_limited(struct acme_call *call)
{
	int64_t wait = call->result.retry_after_ms;
	struct acme_problem *problem = &call->result.problem;

	if (problem->type[0] == '\0') /* the status alone says so */
		memcpy(problem->type, "rateLimited", sizeof("rateLimited"));
	gate_close(call, wait, true);
	if (wait < 0)
		call_end(call, ACME_RETRY_LATER, "%s", "");
	else
		call_retry(call);
}

static void not_found(struct acme_call *call)
{
	bool listed = call->state == CALL_NONCE || target_resource(call) != CALL_URL;

	if (listed && !call->directory_checked) {
		call->directory_checked = true;
		call->prepared = false; /* what was made from the directory is made again */
		call->client->load.stale = true;
		call_go(call);
	} else if (listed || call->result.retry_after_ms >= 0 ||
		   (call->request.lags && call->missed++ < MISSED_MAX)) {
		call_retry(call);
	} else {
		call_end(call, ACME_GONE, "%s", "");
	}
}

static void failed_for_now(struct acme_call *call)
{
	long status = call->result.http_status;

	if (call->result.retry_after_ms >= 0)
		gate_close(call, call->result.retry_after_ms, false);
	/* A gateway that had no answer in time does not know what the CA behind it did. */
	call->lost = call->request.once && call->state == CALL_POST && !call->finding_account &&
		     (status == 502 || status == 504);
	call_retry(call);
}

static void answered_with_error(struct acme_call *call, const struct fetch_answer *answer)
{
	read_problem(call, answer);
	switch (acme_problem_verdict(&call->result.problem, answer->status)) {
	case ACME_VERDICT_NONCE:
		nonce_refused(call, answer);
		return;
	case ACME_VERDICT_ACCOUNT_GONE:
		account_unknown(call);
		return;
	case ACME_VERDICT_RATE_LIMITED:
		rate_limited(call);
		return;
	case ACME_VERDICT_RETRY:
	case ACME_VERDICT_PERMANENT:
		break;
	}
	if (answer->status == 404 || answer->status == 410)
		not_found(call);
	else if (acme_problem_verdict(&call->result.problem, answer->status) == ACME_VERDICT_RETRY)
		failed_for_now(call);
	else
		call_end(call, ACME_REFUSED, "%s", "");
}

/* Once may be chance: the server gave up an idle connection just now. Twice, and it keeps none. */
static void kept_connection_died(struct acme_call *call)
{
	struct acme_client *client = call->client;
	int64_t now = loop_now(client->loop);

	call->kept_died = true;
	if (client->died_at != 0 && now - client->died_at < FRESH_MS)
		client->fresh_until = now + FRESH_MS;
	client->died_at = now;
}

static void no_answer(struct acme_call *call, const struct fetch_answer *answer)
{
	struct acme_problem *problem = &call->result.problem;
	bool sent = answer->sent && call->state == CALL_POST && !call->finding_account;

	words_add(problem->text, sizeof(problem->text), sv_from(answer->why));
	if (answer->failure == FETCH_TLS || answer->failure == FETCH_DENIED) {
		call_end(call, ACME_BROKEN, "%s", "");
		return;
	}
	call->lost = sent && call->request.once;
	if (answer->reused && answer->failure == FETCH_BROKEN && !call->kept_died) {
		kept_connection_died(call);
		call_resume(call);
	} else {
		call_retry(call);
	}
}

static void account_found(struct acme_call *call)
{
	if (call->location == NULL) {
		call_bad_answer(call,
				"the answer has no Location, so the account's URL is unknown");
		return;
	}
	client_set_kid(call->client, call->location);
	call->finding_account = false;
	call_go(call);
}

static int read_body(struct acme_call *call, const struct fetch_answer *answer, struct err *err)
{
	call->text = answer->body;
	if (call->finding_account || call->request.want == WANT_NOTHING)
		return 0;
	if (answer->body.len == 0)
		return err_set(err, ERR_PROTOCOL, "the answer is empty");
	if (call->request.want == WANT_TEXT)
		return 0;
	call->body = json_parse(answer->body, err);
	if (call->body == NULL)
		return err_prefix(err, "the answer is not JSON that can be used: ");
	return call->request.check == NULL ? 0 : call->request.check(call->body, err);
}

static void answered_well(struct acme_call *call, const struct fetch_answer *answer)
{
	struct err err = {0};

	json_decref(TAKE(call->body));
	free(TAKE(call->location));
	call->links = answer->links;
	if (answer->location.len > 0)
		call->location = url_resolve(target_url(call), answer->location);
	if (read_body(call, answer, &err) != 0)
		call_bad_answer(call, err.msg);
	else if (call->finding_account)
		account_found(call);
	else
		call->good(call);
}

static void nonce_answered(struct acme_call *call, const struct fetch_answer *answer)
{
	if (answer->status >= 400) {
		answered_with_error(call, answer);
	} else if (call->client->nonces.count == 0) {
		call_bad_answer(call, "the answer has no Replay-Nonce that can be used");
	} else {
		call_go(call);
	}
}

static void on_answer(void *arg, const struct fetch_answer *answer)
{
	struct acme_call *call = arg;

	call->fetch = NULL;
	gate_leave(call);
	nonce_put(&call->client->nonces, answer->replay_nonce);
	call->result = (struct acme_result){
		.http_status = answer->status,
		.failure = answer->failure,
		.retry_after_ms = retry_after_ms(answer->retry_after, answer->date, clock_wall()),
	};
	call->lost = false;
	if (answer->failure != FETCH_FINE)
		no_answer(call, answer);
	else if (call->state == CALL_NONCE)
		nonce_answered(call, answer);
	else if (answer->status >= 400)
		answered_with_error(call, answer);
	else if (answer->status >= 300)
		call_bad_answer(call,
				"the CA answered with a redirect, which a signed request does "
				"not follow");
	else
		answered_well(call, answer);
}

/* ---- for the kinds of calls ---- */

struct acme_call *call_new(struct acme_client *client, const struct call_kind *kind,
			   acme_done_fn *done, void *arg)
{
	struct acme_call *call = xcalloc(1, sizeof(*call));

	call->client = client;
	call->kind = kind;
	call->done = done;
	call->arg = arg;
	call->gate = CALL_URL;
	call->state = CALL_READY;
	task_init(&call->task, on_task);
	timer_init(&call->timer, on_timer);
	list_append(&client->calls, &call->link);
	task_defer(client->loop, &call->task);
	return call;
}

static void set_request(struct acme_call *call, const struct call_request *request,
			call_good_fn *good)
{
	bool first = call->good == NULL;

	request_deinit(&call->request);
	call->request = *request;
	call->good = good;
	call->nonce_tries = call->missed = 0;
	call->kept_died = false;
	call->lost = false;
	if (!first) /* the first goes out by the task of call_new */
		call_go(call);
}

void call_send(struct acme_call *call, const struct call_request *request, call_good_fn *good)
{
	call->retry = (struct retry){0};
	set_request(call, request, good);
}

void call_resend(struct acme_call *call, const struct call_request *request, call_good_fn *good)
{
	call->retry = call->main_retry;
	set_request(call, request, good);
}
