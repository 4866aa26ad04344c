/* controller/order_steps.c - the steps of an ACME order that is placed (RFC 8555, section 7.4): one
 * request each
 */
#include "controller/order_step.h"

#include "base/own.h"

#include <stdio.h>
#include <stdlib.h>

#define VALIDATED_FIRST_MS 250 /* after a challenge was answered */
#define PROCESSED_FIRST_MS 25  /* after finalize: most CAs sign at once */
#define VALIDATION_MAX_MS  (INT64_C(600) * 1000)
#define PROCESSING_MAX_S   INT64_C(21600)
#define UNKNOWN_MAX_MS     (INT64_C(600) * 1000)
#define AUTHZ_LOOK_AFTER   3 /* polls of the order; then the authorizations in turn with it */
#define TOLD_MS            60000

/* ---- what an order object says, as status ---- */

static json_t *authorizations_of(const struct acme_order *order)
{
	json_t *list = json_array();

	for (size_t i = 0; i < order->authz_count; i++)
		json_array_append_new(list, json_pack("{s:o}", "url", json_sv(order->authz[i])));
	return list;
}

static void set_text(json_t *status, const char *name, struct str_view text)
{
	if (text.len > 0)
		json_object_set_new(status, name, json_sv(text));
}

json_t *order_status_from(const struct order_look *look, const struct acme_order *order)
{
	json_t *status = order_status(look);
	static const char *const over[] = {"reason", "failureReason", "nextTryTime", "retries"};

	for (size_t i = 0; i < ARRAY_LEN(over); i++)
		json_object_del(status, over[i]);
	set_text(status, "state", order->status_text);
	set_text(status, "finalizeURL", order->finalize);
	set_text(status, "certificateURL", order->certificate);
	set_text(status, "expires", order->expires);
	if (json_member(status, "authorizations") == NULL)
		json_object_set_new(status, "authorizations", authorizations_of(order));
	return status;
}

static bool has_expired(const struct order_look *look, const struct acme_order *order)
{
	int64_t when;

	(void)look;
	return clock_parse_rfc3339(order->expires, &when) && when < ctl_now();
}

/* The order is invalid: by its own error, or one of its authorizations knows why. */
static void order_is_invalid(struct order_look *look, const struct acme_order *order)
{
	struct acme_problem problem;

	if (order->error != NULL) {
		acme_problem_parse(order->error, 0, &problem);
		order_rejected(look, problem.type, problem.text);
	} else if (has_expired(look, order)) {
		order_anew(look, "the order has expired at the CA");
	} else {
		look->run->asked = 0;
		order_learned(look->run, order_status_from(look, order));
	}
}

/* Is it as it was? What we say of it ourselves does not count, and stays. */
static bool is_no_news(const struct order_look *look, json_t *status)
{
	struct str_view reason = json_sv_at(look->status, "reason");

	if (reason.len == 0 || json_member(look->status, "failureReason") != NULL)
		return json_same(status, look->status);
	json_object_set_new(status, "reason", json_sv(reason));
	if (json_same(status, look->status))
		return true;
	json_object_del(status, "reason");
	return false;
}

/* A wait that is long enough for somebody to ask what it is about. */
static void note_wait(json_t *status, int64_t retry_after_ms)
{
	char when[CLOCK_TEXT_SIZE];

	json_object_del(status, "reason");
	if (retry_after_ms < TOLD_MS)
		return;
	clock_rfc3339(ctl_now() + retry_after_ms / 1000, when);
	json_object_set_new(status, "reason",
			    json_fmt("the CA is at work and is not to be asked before %s", when));
}

/* What the CA says about the order now; more: it is news. */
static void take_order(struct order_look *look, const struct acme_result *result)
{
	struct order_run *run = look->run;
	struct acme_order order;
	struct err err = {0};
	json_t *status;

	if (acme_order_read(result->body, &order, &err) != 0) {
		order_back_off(look, "", err.msg, result->retry_after_ms);
		return;
	}
	if (order.status == ORDER_INVALID) {
		order_is_invalid(look, &order);
		return;
	}
	status = order_status_from(look, &order);
	if (is_no_news(look, status)) {
		note_wait(status, result->retry_after_ms);
		if (json_same(status, look->status))
			json_decref(status);
		else
			order_learned(run, status);
		order_poll_later(run,
				 order.status == ORDER_PROCESSING ? PROCESSED_FIRST_MS
								  : VALIDATED_FIRST_MS,
				 result->retry_after_ms);
		return;
	}
	if (!sv_eq(order.status_text, json_sv_at(look->status, "state")))
		order_progress(run);
	if (order.status == ORDER_READY)
		ctl_event(run->ctl, kind_of_order(), look->object, "Normal", "Validated",
			  "The CA has validated every name of the order");
	if (look->finalized)
		json_object_set_new(status, "finalizedTime", json_time(ctl_now()));
	if (order.status == ORDER_PROCESSING)
		note_wait(status, result->retry_after_ms);
	order_learned(run, status);
	if (order.status == ORDER_PROCESSING)
		order_poll_later(run, PROCESSED_FIRST_MS, result->retry_after_ms);
}

bool order_answered(struct order_run *run, const struct acme_result *result,
		    struct order_look *look)
{
	run->call = NULL;
	account_count(run->ctl, result);
	return order_look_of(run, look);
}

/* ---- authorizations ---- */

static const char *authz_words(const struct acme_authz *authz, struct acme_problem *problem)
{
	for (size_t i = 0; i < authz->count; i++) {
		if (authz->offers[i].error != NULL) {
			acme_problem_parse(authz->offers[i].error, 0, problem);
			return problem->text;
		}
	}
	return "the CA gave no reason";
}

static void authz_is_invalid(struct order_look *look, const struct acme_authz *authz)
{
	struct acme_problem problem = {0};
	const char *why = authz_words(authz, &problem);
	char words[sizeof(problem.text) + 300];

	snprintf(words, sizeof(words), "%.*s was not validated: %s",
		 SV_ARG(sv_head(authz->identifier, 253)), why);
	order_count_failure(look, authz->identifier);
	order_rejected(look, problem.type, words);
}

static bool same_address(struct str_view a, struct str_view b)
{
	struct sock_addr left, right;

	return sock_addr_ip(&left, a, 0) && sock_addr_ip(&right, b, 0) &&
	       sock_addr_eq(&left, &right);
}

/* The name is one that was ordered (a wildcard stands without its "*." there). */
static bool authz_is_ours(const struct order_look *look, const struct acme_authz *authz)
{
	struct acme_new_order order;
	struct name_list names;
	bool ours = false;

	order_names(look, &order, &names);
	for (size_t i = 0; i < order.dns_count && !ours; i++) {
		struct str_view name = order.dns[i];
		bool wildcard = sv_starts(name, SV("*."));

		ours = sv_eq(authz->identifier_type, SV("dns")) &&
		       sv_eq_nocase(sv_skip(name, wildcard ? 2 : 0), authz->identifier);
	}
	for (size_t i = 0; i < order.ip_count && !ours; i++)
		ours = sv_eq(authz->identifier_type, SV("ip")) &&
		       same_address(order.ips[i], authz->identifier);
	name_list_deinit(&names);
	return ours;
}

static json_t *offers_of(const struct acme_authz *authz)
{
	json_t *list = json_array();

	for (size_t i = 0; i < authz->count; i++)
		json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "type",
						      json_sv(authz->offers[i].type), "url",
						      json_sv(authz->offers[i].url), "token",
						      json_sv(authz->offers[i].token)));
	return list;
}

/* Stores what was read, when there is a solver for it. */
static void note_authz(struct order_look *look, const struct acme_authz *authz)
{
	/* What others of the bunch have told is in the result already. */
	AUTO(auto_json)
	json_t *status = order_status(look);
	json_t *entry = order_authz(status, look->run->asked);
	AUTO(auto_json) json_t *solver = NULL;
	AUTO(auto_free) char *name = NULL;
	struct err err = {0};

	json_object_set_new(entry, "identifier", json_sv(authz->identifier));
	if (authz->wildcard)
		json_object_set_new(entry, "wildcard", json_true());
	json_object_set_new(entry, "initialState",
			    authz->status == AUTHZ_PENDING ? json_string("pending")
							   : json_sv(authz->status_text));
	json_object_set_new(entry, "challenges", offers_of(authz));
	name = authz_name(entry);
	if (authz->status == AUTHZ_PENDING &&
	    order_solver(look, sv_from(name), json_member(entry, "challenges"), &solver, &err) ==
		    NULL) {
		order_fails(look, "errored", "NoChallenge", err.msg);
		return;
	}
	order_progress(look->run);
	look->run->noted = true;
	order_learned(look->run, TAKE(status));
}

/* first: it has not been read before; else it is polled. */
static void take_authz(struct order_look *look, const struct acme_result *result, bool first)
{
	struct acme_authz authz;
	struct err err = {0};

	if (acme_authz_read(result->body, &authz, &err) != 0) {
		if (err.code == ERR_DENIED)
			order_fails(look, "errored", "BadToken", err.msg);
		else
			order_back_off(look, "", err.msg, result->retry_after_ms);
	} else if (authz.status == AUTHZ_INVALID) {
		authz_is_invalid(look, &authz);
	} else if (authz.status != AUTHZ_PENDING && authz.status != AUTHZ_VALID) {
		order_anew(look, "an authorization of the order has ended");
	} else if (!authz_is_ours(look, &authz)) {
		order_fails(look, "errored", "WrongIdentifier",
			    "the CA gave an authorization for a name that was not ordered");
	} else if (!first) {
		order_poll_later(look->run, VALIDATED_FIRST_MS, result->retry_after_ms);
	} else {
		note_authz(look, &authz);
	}
}

static void authz_read(void *arg, const struct acme_result *result)
{
	struct order_run *run = arg;
	AUTO(order_look_end) struct order_look look = {0};
	const json_t *entry;

	if (!order_answered(run, result, &look) || order_answer_failed(&look, result))
		return;
	entry = order_authz(look.status, run->asked);
	if (entry != NULL)
		take_authz(&look, result, false);
}

/* One of a bunch; what ends the attempt ends the others as well. */
static void authz_seen(void *arg, const struct acme_result *result)
{
	struct order_side *side = arg;
	struct order_run *run = side->run;
	AUTO(order_look_end) struct order_look look = {0};

	side->call = NULL;
	run->asked = side->index;
	run->noted = false;
	account_count(run->ctl, result);
	if (!order_look_of(run, &look))
		return;
	if (!order_answer_failed(&look, result) && order_authz(look.status, run->asked) != NULL)
		take_authz(&look, result, true);
	if (!run->noted)
		order_side_end_reads(run);
}

static bool read_authz(struct order_look *look, size_t index)
{
	const char *url = json_str_at(order_authz(look->status, index), "url");

	if (url == NULL)
		return false;
	look->run->asked = index;
	look->run->call = acme_get(look->client, url, authz_read, look->run);
	return true;
}

/* The first authorizations that have not been read; false: all have. */
static bool read_next_authz(struct order_look *look)
{
	const json_t *entry;
	bool any = false;

	for (size_t i = 0; (entry = order_authz(look->status, i)) != NULL; i++) {
		if (json_member(entry, "initialState") == NULL &&
		    !order_side_read(look, i, authz_seen))
			break;
		any = any || json_member(entry, "initialState") == NULL;
	}
	return any;
}

static bool authz_was_pending(const json_t *entry)
{
	return sv_eq(json_sv_at(entry, "initialState"), SV("pending"));
}

/* The next one after index that had to be validated; false: there is none. */
static bool read_pending_authz(struct order_look *look, size_t after)
{
	const json_t *entry;

	for (size_t i = after; (entry = order_authz(look->status, i)) != NULL; i++) {
		if (authz_was_pending(entry))
			return read_authz(look, i);
	}
	return false;
}

/* ---- polling ---- */

static void order_read(void *arg, const struct acme_result *result)
{
	struct order_run *run = arg;
	AUTO(order_look_end) struct order_look look = {0};

	if (order_answered(run, result, &look) && !order_answer_failed(&look, result))
		take_order(&look, result);
}

static void read_order(struct order_look *look)
{
	look->run->call =
		acme_get(look->client, json_str_at(look->status, "url"), order_read, look->run);
}

static int64_t waited_ms(const struct order_run *run)
{
	return run->waiting_since == 0 ? 0 : loop_now(run->ctl->config.loop) - run->waiting_since;
}

/* The order itself tells when all of its authorizations are valid, in one request. When that takes
 * long, they are looked at as well: a CA may leave an order pending whose authorization failed. */
static void poll_validation(struct order_look *look)
{
	struct order_run *run = look->run;

	if (waited_ms(run) > VALIDATION_MAX_MS) {
		order_progress(run);
		order_back_off(look, "ValidationTimeout",
			       "the CA has not validated the names within 10 minutes", -1);
	} else if (run->polls == 0) {
		order_poll_later(run, VALIDATED_FIRST_MS, run->asked_to_wait_ms);
		run->asked_to_wait_ms = -1;
	} else if (run->polls <= AUTHZ_LOOK_AFTER || run->polls % 2 == 0 ||
		   (!read_pending_authz(look, run->asked + 1) && !read_pending_authz(look, 0))) {
		read_order(look);
	}
}

static void authorize(struct order_look *look)
{
	if (!read_next_authz(look) && order_answer_challenges(look))
		poll_validation(look);
}

/* The CA works on it; a state that RFC 8555 does not know has an end sooner. */
static void poll_processing(struct order_look *look)
{
	struct order_run *run = look->run;
	struct str_view state = json_sv_at(look->status, "state");
	bool known = sv_eq(state, SV("processing"));
	int64_t since;
	char words[200];

	if (!json_time_at(look->status, "finalizedTime", &since))
		since = ctl_now();
	bool late = known ? ctl_now() - since > PROCESSING_MAX_S : waited_ms(run) > UNKNOWN_MAX_MS;

	if (late && run->polls > 0 && run->looked_late) {
		snprintf(words, sizeof(words), "the order stays \"%.*s\"%s",
			 SV_ARG(sv_head(state, 60)), known ? "" : " without a certificate");
		order_fails(look, "errored", "ProcessingTimeout", words);
	} else if (run->polls == 0) {
		order_poll_later(run, PROCESSED_FIRST_MS, -1);
	} else {
		run->looked_late = late; /* it may have become valid while nobody looked */
		read_order(look);
	}
}

/* ---- finalize ---- */

static void finalized(void *arg, const struct acme_result *result)
{
	struct order_run *run = arg;
	AUTO(order_look_end) struct order_look look = {0};

	if (!order_answered(run, result, &look) || order_answer_failed(&look, result))
		return;
	order_progress(run);
	look.finalized = true;
	take_order(&look, result);
}

static void finalize(struct order_look *look)
{
	struct acme_finalization what = {.order_url = json_str_at(look->status, "url"),
					 .url = json_str_at(look->status, "finalizeURL")};
	AUTO(buf_deinit) struct buf der;
	struct err err = {0};

	buf_init(&der, ISSUANCE_TEXT_MAX);
	if (waited_ms(look->run) > VALIDATION_MAX_MS) {
		order_progress(look->run);
		order_back_off(look, "FinalizeTimeout",
			       "the CA takes the request but stays \"ready\"", -1);
		return;
	}
	order_drop_challenges(look);
	if (what.url == NULL || request_csr(look->object, &der, &err) < 0) {
		order_fails(look, "errored", "",
			    what.url == NULL ? "the order has no finalize URL" : err.msg);
		return;
	}
	what.csr_der = buf_view(&der);
	look->run->call = acme_finalize(look->client, &what, finalized, look->run);
}

/* ---- why it is invalid: asked of each authorization in turn ---- */

static void reason_read(void *arg, const struct acme_result *result)
{
	struct order_run *run = arg;
	AUTO(order_look_end) struct order_look look = {0};
	struct acme_authz authz;

	if (!order_answered(run, result, &look))
		return;
	if (result->outcome == ACME_OK && acme_authz_read(result->body, &authz, NULL) == 0 &&
	    authz.status == AUTHZ_INVALID) {
		authz_is_invalid(&look, &authz);
		return;
	}
	run->asked++;
	order_again(run, 0);
}

static void ask_why(struct order_look *look)
{
	struct order_run *run = look->run;
	const json_t *entry;

	for (; (entry = order_authz(look->status, run->asked)) != NULL; run->asked++) {
		const char *url = json_str_at(entry, "url");

		if (authz_was_pending(entry) && url != NULL) {
			run->call = acme_get(look->client, url, reason_read, run);
			return;
		}
	}
	order_rejected(look, "", "the CA has declared the order invalid without a reason");
}

/* ---- which step ---- */

void order_take_step(struct order_look *look)
{
	enum order_status state = ORDER_PROCESSING; /* of a word that RFC 8555 does not know */

	if (json_str_at(look->status, "url") == NULL) {
		order_place(look);
		return;
	}
	(void)order_status_parse(json_sv_at(look->status, "state"), &state);
	if (state == ORDER_VALID && json_str_at(look->status, "certificateURL") == NULL)
		state = ORDER_PROCESSING;
	switch (order_next(state)) {
	case STEP_AUTHORIZE:
		authorize(look);
		break;
	case STEP_FINALIZE:
		finalize(look);
		break;
	case STEP_POLL:
		poll_processing(look);
		break;
	case STEP_DOWNLOAD:
		order_download(look);
		break;
	case STEP_ABANDON:
		ask_why(look);
		break;
	}
}
