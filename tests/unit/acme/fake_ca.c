#include "fake_ca.h"

#include "acme/words.h"
#include "base/list.h"
#include "base/own.h"
#include "codec/json.h"
#include "pki/jws.h"

#include <stdio.h>
#include <stdlib.h>

#define NONCES_MAX 4096
#define HOLDS_MAX  32

struct fake_ca ca;

/* ---- the loop: virtual time ---- */

static struct {
	int64_t now;
	struct list tasks;
	struct timer *timers[64];
	struct list fetches;
	unsigned next_nonce;
	bool used[NONCES_MAX];
	struct {
		char url[128];
		int64_t until;
	} holds[HOLDS_MAX];
	unsigned hold_count;
} world;

int64_t loop_now(const struct loop *loop)
{
	(void)loop;
	return world.now;
}

void timer_init(struct timer *timer, void (*fire)(struct timer *self))
{
	*timer = (struct timer){.fire = fire};
}

void timer_set(struct loop *loop, struct timer *timer, int64_t deadline)
{
	timer_stop(loop, timer);
	for (size_t i = 0; i < ARRAY_LEN(world.timers); i++) {
		if (world.timers[i] == NULL) {
			world.timers[i] = timer;
			timer->deadline = deadline;
			return;
		}
	}
	abort();
}

void timer_in(struct loop *loop, struct timer *timer, int64_t delay_ms)
{
	timer_set(loop, timer, world.now + delay_ms);
}

void timer_stop(struct loop *loop, struct timer *timer)
{
	(void)loop;
	timer->deadline = 0;
	for (size_t i = 0; i < ARRAY_LEN(world.timers); i++) {
		if (world.timers[i] == timer)
			world.timers[i] = NULL;
	}
}

void task_init(struct task *task, void (*run)(struct task *self))
{
	list_init(&task->link);
	task->run = run;
}

void task_defer(struct loop *loop, struct task *task)
{
	(void)loop;
	if (!list_linked(&task->link))
		list_append(&world.tasks, &task->link);
}

void task_cancel(struct task *task)
{
	list_remove(&task->link);
}

/* ---- signing: as text ---- */

const char *jws_alg(EVP_PKEY *key)
{
	(void)key;
	return "ES256";
}

int jwk_public(EVP_PKEY *key, struct buf *out, struct err *err)
{
	(void)key, (void)err;
	return buf_add(out, SV("{\"kty\":\"EC\"}")) ? 0 : -1;
}

int jws_sign(EVP_PKEY *key, struct str_view header, struct str_view payload, struct buf *out,
	     struct err *err)
{
	(void)key, (void)err;
	buf_addf(out, "{\"header\":%.*s,\"payload\":%.*s}", SV_ARG(header),
		 SV_ARG(payload.len == 0 ? SV("null") : payload));
	return 0;
}

int jws_sign_hmac(struct str_view alg, struct str_view mac_key, struct str_view header,
		  struct str_view payload, struct buf *out, struct err *err)
{
	(void)alg, (void)mac_key;
	return jws_sign(NULL, header, payload, out, err);
}

/* ---- the network ---- */

struct fetch {
	struct list link;
	char *method, *url;
	json_t *body;
	fetch_done_fn *done;
	void *arg;
};

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
			  fetch_done_fn *done, void *arg)
{
	struct fetch *fetch = xcalloc(1, sizeof(*fetch));

	(void)fetcher;
	fetch->method = xstrdup(request->method);
	fetch->url = xstrdup(request->url);
	fetch->body = request->body.len > 0 ? json_parse(request->body, NULL) : NULL;
	fetch->done = done;
	fetch->arg = arg;
	list_append(&world.fetches, &fetch->link);
	return fetch;
}

void fetch_cancel(struct fetch *fetch)
{
	list_remove(&fetch->link);
	free(fetch->method);
	free(fetch->url);
	json_decref(fetch->body);
	free(fetch);
}

/* ---- the CA ---- */

static void violation(const char *what, const char *url)
{
	ca.violations++;
	snprintf(ca.violation, sizeof(ca.violation), "%s: %s", what, url);
}

struct reply {
	struct fetch_answer answer;
	char body[8192], nonce[32], location[128];
	long status;
};

static const char *path_of(const struct fetch *fetch)
{
	return fetch->url + strlen(CA);
}

static bool path_is(const struct fetch *fetch, const char *path)
{
	const char *own = path_of(fetch);

	if (ca.moved_to != NULL && strncmp(own, ca.moved_to, strlen(ca.moved_to)) == 0)
		own += strlen(ca.moved_to);
	return strncmp(own, path, strlen(path)) == 0;
}

static const char *prefix(void)
{
	return ca.moved_to == NULL ? "" : ca.moved_to;
}

static void problem(struct reply *reply, long status, const char *type)
{
	reply->status = status;
	snprintf(reply->body, sizeof(reply->body),
		 "{\"type\":\"urn:ietf:params:acme:error:%s\",\"detail\":\"detail of %s\"}", type,
		 type);
}

static void order_body(struct reply *reply, unsigned number)
{
	reply->status = reply->status == 0 ? 200 : reply->status;
	snprintf(reply->body, sizeof(reply->body),
		 "{\"status\":\"%s\",\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example\"}],"
		 "\"authorizations\":[\"" CA "/authz/%u\"],\"finalize\":\"" CA "/finalize/%u\","
		 "\"certificate\":\"" CA "/cert/%u\"}",
		 ca.order_status, number, number, number);
}

static void answer_new_account(const struct fetch *fetch, struct reply *reply)
{
	const json_t *payload = json_member(fetch->body, "payload");

	if (json_is_true(json_member(payload, "onlyReturnExisting"))) {
		ca.find_account++;
		if (!ca.has_account) {
			problem(reply, 400, "accountDoesNotExist");
			return;
		}
	} else if (ca.needs_eab && json_member(payload, "externalAccountBinding") == NULL) {
		problem(reply, 403, "externalAccountRequired");
		return;
	}
	ca.account++;
	ca.has_account = true;
	reply->status = 201;
	snprintf(reply->body, sizeof(reply->body), "{\"status\":\"valid\"}");
	snprintf(reply->location, sizeof(reply->location), CA "%s/acct/1", prefix());
}

static void answer_directory(struct reply *reply)
{
	ca.directory++;
	reply->status = 200;
	snprintf(reply->body, sizeof(reply->body),
		 "{\"newNonce\":\"" CA "%s/newNonce\",\"newAccount\":\"" CA "%s/newAccount\","
		 "\"%s\":\"" CA "%s/newOrder\",\"revokeCert\":\"" CA "%s/revoke\","
		 "\"keyChange\":\"" CA "%s/keyChange\",\"%s\":\"" CA "%s/renewal\","
		 "\"meta\":{\"externalAccountRequired\":%s}}",
		 prefix(), prefix(), ca.no_new_order_member ? "newOrdr" : "newOrder", prefix(),
		 prefix(), prefix(), ca.no_renewal_info ? "renewalInf" : "renewalInfo", prefix(),
		 ca.needs_eab ? "true" : "false");
}

/* The inner JWS is signed by the new key for the same URL, and names account and old key. */
static void answer_key_change(const struct fetch *fetch, struct reply *reply)
{
	const json_t *inner = json_member(fetch->body, "payload");
	const json_t *header = json_member(inner, "header");
	const json_t *payload = json_member(inner, "payload");

	ca.key_change++;
	if (!sv_eq(json_sv_at(header, "url"), sv_from(fetch->url)) ||
	    json_member(header, "jwk") == NULL || json_member(header, "nonce") != NULL ||
	    !sv_eq(json_sv_at(payload, "account"), SV(CA "/acct/1")) ||
	    json_member(payload, "oldKey") == NULL)
		violation("key change", fetch->url);
	reply->status = 200;
}

static void answer_revocation(const struct fetch *fetch, struct reply *reply)
{
	if (json_member(json_member(fetch->body, "header"), "jwk") != NULL)
		ca.own_key_revocations++;
	problem(reply, 400, "alreadyRevoked");
}

static void answer_renewal_info(const struct fetch *fetch, struct reply *reply)
{
	ca.renewal_info++;
	if (strcmp(fetch->method, "GET") != 0 || strcmp(path_of(fetch), "/renewal/aki.serial") != 0)
		violation("renewalInfo", fetch->url);
	reply->status = 200;
	snprintf(reply->body, sizeof(reply->body),
		 "{\"suggestedWindow\":{\"start\":\"2026-01-01T00:00:00Z\","
		 "\"end\":\"2026-01-02T00:00:00Z\"}}");
	reply->answer.retry_after = SV("21600");
}

static void answer_list(const struct fetch *fetch, struct reply *reply)
{
	unsigned page = (unsigned)strtoul(strchr(fetch->url, '=') + 1, NULL, 10);
	char links[64] = "";

	reply->status = 200;
	if (page < ca.orders) { /* one to a page */
		snprintf(links, sizeof(links), "<" CA "/orders?page=%u>;rel=\"next\"", page + 1);
		memcpy(reply->location, links, sizeof(links)); /* lent to links below */
	}
	if (ca.orders == 0)
		snprintf(reply->body, sizeof(reply->body), "{\"orders\":[]}");
	else
		snprintf(reply->body, sizeof(reply->body), "{\"orders\":[\"" CA "/order/%u\"]}",
			 page);
}

static void answer_resource(const struct fetch *fetch, struct reply *reply)
{
	bool reads = json_is_null(json_member(fetch->body, "payload"));

	reply->status = 200;
	ca.reads += reads ? 1 : 0;
	if (path_is(fetch, "/order/")) {
		order_body(reply, (unsigned)strtoul(strrchr(fetch->url, '/') + 1, NULL, 10));
	} else if (path_is(fetch, "/finalize/")) {
		ca.finalize++;
		if (strcmp(ca.order_status, "ready") != 0) {
			problem(reply, 403, "orderNotReady");
			return;
		}
		ca.order_status = "processing";
		order_body(reply, 1);
	} else if (path_is(fetch, "/challenge/")) {
		if (!reads && strcmp(ca.challenge_status, "pending") != 0) {
			problem(reply, 400, "malformed"); /* as Pebble does */
			return;
		}
		if (!reads) {
			ca.challenge++;
			ca.challenge_status = "processing";
		}
		snprintf(reply->body, sizeof(reply->body),
			 "{\"type\":\"http-01\",\"status\":\"%s\",\"url\":\"%s\",\"token\":\"t\"}",
			 ca.challenge_status, fetch->url);
	} else if (path_is(fetch, "/acct/")) {
		ca.deactivate +=
			sv_eq(json_sv_at(fetch->body, "payload.status"), SV("deactivated"));
		snprintf(reply->body, sizeof(reply->body), "{\"status\":\"valid\"%s}",
			 ca.no_orders_list ? "" : ",\"orders\":\"" CA "/orders?page=1\"");
	} else if (path_is(fetch, "/orders")) {
		answer_list(fetch, reply);
	} else {
		problem(reply, 404, "malformed");
	}
}

static void check_signed(const struct fetch *fetch)
{
	const json_t *header = json_member(fetch->body, "header");
	const char *nonce = json_str_at(header, "nonce");
	unsigned long number = nonce == NULL ? 0 : strtoul(nonce + 1, NULL, 10);

	if (number == 0 || number > world.next_nonce || world.used[number % NONCES_MAX])
		violation("nonce used twice or made up", fetch->url);
	world.used[number % NONCES_MAX] = true;
	if (json_str_at(header, "url") == NULL ||
	    strcmp(json_str_at(header, "url"), fetch->url) != 0)
		violation("signed for another URL", fetch->url);
	if ((json_member(header, "kid") == NULL) != path_is(fetch, "/newAccount") &&
	    !path_is(fetch, "/revoke"))
		violation("jwk instead of kid, or the other way", fetch->url);
}

static void check_hold(const struct fetch *fetch)
{
	for (unsigned i = 0; i < world.hold_count; i++) {
		if (strcmp(world.holds[i].url, fetch->url) == 0 && world.now < world.holds[i].until)
			violation("before its Retry-After", fetch->url);
	}
}

static void hold(const struct fetch *fetch, const char *retry_after)
{
	unsigned at = world.hold_count++ % HOLDS_MAX;

	snprintf(world.holds[at].url, sizeof(world.holds[at].url), "%s", fetch->url);
	world.holds[at].until = world.now + (int64_t)strtol(retry_after, NULL, 10) * 1000;
}

static void act(const struct fetch *fetch, struct reply *reply)
{
	if (strcmp(fetch->url, CA_DIRECTORY) == 0) {
		answer_directory(reply);
	} else if (ca.moved_to != NULL &&
		   strncmp(path_of(fetch), ca.moved_to, strlen(ca.moved_to))) {
		problem(reply, 404, "malformed");
	} else if (path_is(fetch, "/newNonce")) {
		ca.nonce++;
		reply->status = 200;
	} else if (path_is(fetch, "/newAccount")) {
		answer_new_account(fetch, reply);
	} else if (path_is(fetch, "/renewal/")) {
		answer_renewal_info(fetch, reply);
	} else if (!ca.has_account && !path_is(fetch, "/revoke")) {
		problem(reply, 400, "accountDoesNotExist");
	} else if (path_is(fetch, "/newOrder")) {
		ca.new_order++;
		ca.orders++;
		reply->status = 201;
		order_body(reply, ca.orders);
		snprintf(reply->location, sizeof(reply->location), CA "/order/%u", ca.orders);
	} else if (path_is(fetch, "/revoke")) {
		answer_revocation(fetch, reply);
	} else if (path_is(fetch, "/keyChange")) {
		answer_key_change(fetch, reply);
	} else {
		answer_resource(fetch, reply);
	}
}

static struct fault *find_fault(const struct fetch *fetch)
{
	for (size_t i = 0; i < ARRAY_LEN(ca.faults); i++) {
		struct fault *fault = &ca.faults[i];

		if (fault->path == NULL || fault->times < 0 || !path_is(fetch, fault->path))
			continue;
		if (fault->times > 0 && --fault->times == 0)
			fault->times = -1;
		return fault;
	}
	return NULL;
}

static void no_answer(struct reply *reply, enum fetch_failure failure, bool sent)
{
	reply->status = 0;
	reply->nonce[0] = reply->location[0] = reply->body[0] = '\0';
	reply->answer.failure = failure;
	reply->answer.sent = sent;
	snprintf(reply->answer.why, sizeof(reply->answer.why), "no answer of kind %d",
		 (int)failure);
}

static void apply(const struct fault *fault, const struct fetch *fetch, struct reply *reply)
{
	bool acts = fault->kind == FAULT_NO_NONCE || fault->kind == FAULT_GARBAGE_NONCE ||
		    fault->kind == FAULT_NO_LOCATION || fault->kind == FAULT_LOST;

	if (acts)
		act(fetch, reply);
	if (fault->retry_after != NULL) {
		hold(fetch, fault->retry_after);
		reply->answer.retry_after = sv_from(fault->retry_after);
	}
	switch (fault->kind) {
	case FAULT_PROBLEM:
		if (strcmp(fetch->method, "HEAD") == 0)
			reply->nonce[0] = '\0';
		problem(reply, fault->status, fault->type == NULL ? "serverInternal" : fault->type);
		break;
	case FAULT_BODY:
		reply->status = fault->status == 0 ? 200 : fault->status;
		snprintf(reply->body, sizeof(reply->body), "%s", fault->text);
		break;
	case FAULT_BAD_NONCE:
		problem(reply, 400, "badNonce");
		break;
	case FAULT_NO_NONCE:
		reply->nonce[0] = '\0';
		break;
	case FAULT_GARBAGE_NONCE:
		memcpy(reply->nonce, "!! no !!", 9);
		break;
	case FAULT_NO_LOCATION:
		reply->location[0] = '\0';
		break;
	case FAULT_LOST:
	case FAULT_CLOSED:
		no_answer(reply, FETCH_BROKEN, true);
		break;
	case FAULT_KEPT_DIED:
		no_answer(reply, FETCH_BROKEN, true);
		reply->answer.reused = true;
		break;
	case FAULT_NOT_SENT:
		no_answer(reply, FETCH_CONNECT, false);
		break;
	case FAULT_TLS:
		no_answer(reply, FETCH_TLS, false);
		break;
	}
}

static void deliver(struct fetch *fetch)
{
	struct reply *reply = xcalloc(1, sizeof(*reply));
	struct fault *fault = find_fault(fetch);

	ca.requests++;
	world.now += 10;
	if (strcmp(fetch->method, "POST") == 0)
		check_signed(fetch);
	check_hold(fetch);
	if (strcmp(fetch->url, CA_DIRECTORY) != 0) {
		snprintf(reply->nonce, sizeof(reply->nonce), "N%u", ++world.next_nonce);
		world.used[world.next_nonce % NONCES_MAX] = false;
	}
	if (fault != NULL)
		apply(fault, fetch, reply);
	else
		act(fetch, reply);
	reply->answer.status = reply->status;
	reply->answer.body = sv_from(reply->body);
	reply->answer.replay_nonce = sv_from(reply->nonce);
	if (reply->location[0] == '<')
		reply->answer.links = sv_from(reply->location);
	else
		reply->answer.location = sv_from(reply->location);
	reply->answer.final_url = fetch->url;
	list_remove(&fetch->link);
	fetch->done(fetch->arg, &reply->answer);
	fetch_cancel(fetch);
	free(reply);
}

/* ---- for the tests ---- */

void fake_reset(void)
{
	ca = (struct fake_ca){
		.has_account = true, .order_status = "pending", .challenge_status = "pending"};
	memset(&world, 0, sizeof(world));
	world.now = 1000000;
	list_init(&world.tasks);
	list_init(&world.fetches);
}

struct acme_client *fake_client(const char *kid)
{
	struct acme_config config = {.directory = CA_DIRECTORY, .kid = kid, .key = EVP_PKEY_new()};
	struct acme_client *client = acme_client_new(NULL, NULL, &config, NULL);

	EVP_PKEY_free(config.key);
	return client;
}

void fake_done(void *arg, const struct acme_result *result)
{
	struct outcome *outcome = arg;

	outcome->calls++;
	outcome->outcome = result->outcome;
	outcome->http_status = result->http_status;
	outcome->retry_after_ms = result->retry_after_ms;
	outcome->failure = result->failure;
	outcome->elapsed_ms = world.now - 1000000;
	snprintf(outcome->step, sizeof(outcome->step), "%s", result->step);
	snprintf(outcome->type, sizeof(outcome->type), "%s", result->problem.type);
	snprintf(outcome->text, sizeof(outcome->text), "%s", result->problem.text);
	snprintf(outcome->location, sizeof(outcome->location), "%s",
		 result->location == NULL ? "" : result->location);
	snprintf(outcome->order_status, sizeof(outcome->order_status), "%.*s",
		 SV_ARG(json_sv_at(result->body, "status")));
	outcome->urls = json_array_size(result->body);
}

static struct timer *first_timer(void)
{
	struct timer *first = NULL;

	for (size_t i = 0; i < ARRAY_LEN(world.timers); i++) {
		if (world.timers[i] != NULL &&
		    (first == NULL || world.timers[i]->deadline < first->deadline))
			first = world.timers[i];
	}
	return first;
}

static bool step(void)
{
	struct timer *timer = first_timer();

	if (!list_empty(&world.tasks)) {
		struct task *task = LIST_ENTRY(world.tasks.next, struct task, link);

		list_remove(&task->link);
		task->run(task);
	} else if (!list_empty(&world.fetches)) {
		deliver(LIST_ENTRY(world.fetches.next, struct fetch, link));
	} else if (timer != NULL) {
		if (timer->deadline > world.now)
			world.now = timer->deadline;
		timer_stop(NULL, timer);
		timer->fire(timer);
	} else {
		return false;
	}
	return true;
}

void fake_steps(int count)
{
	while (count-- > 0 && step())
		;
}

void fake_run(void)
{
	for (int i = 0; i < 100000; i++) {
		if (!step())
			return;
	}
	abort(); /* a loop without end */
}

void fake_advance(int64_t ms)
{
	world.now += ms;
}

int fake_open(void)
{
	int count = first_timer() != NULL ? 1 : 0;

	return count + !list_empty(&world.tasks) + !list_empty(&world.fetches);
}
