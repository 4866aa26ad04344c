/* controller/order_end.c - what follows when a step of an order fails */
#include "controller/order_run.h"

#include "base/own.h"
#include "controller/renewal.h"

#include <stdio.h>

#define ANEW_MAX  1     /* orders that may replace a lost one */
#define BROKEN_MS 60000 /* trust or configuration: not asked more than once a minute */

/* ---- again ---- */

static void try_again_at(struct order_look *look, json_t *status, int64_t next, const char *type,
			 const char *words)
{
	char when[CLOCK_TEXT_SIZE], reason[80];

	clock_rfc3339(next, when);
	reason_from(type, "Retrying", reason, sizeof(reason));
	json_object_set_new(status, "nextTryTime", json_string(when));
	json_object_set_new(status, "reason", json_fmt("%s; next try at %s", words, when));
	json_object_set_new(status, "failureReason", json_string(reason));
	account_leave_place(&look->run->use);
	order_learned(look->run, status);
	ctl_event(look->ctl, kind_of_order(), look->object, "Warning", reason, "%s", words);
}

void order_back_off(struct order_look *look, const char *type, const char *words,
		    int64_t at_least_ms)
{
	json_t *status = order_status(look);
	int64_t retries = json_int_at(status, "retries", 0) + 1;
	int64_t expires = look->run->use.rank; /* 0: there is no certificate yet */
	int64_t delay = attempt_delay_before(attempt_delay(retries, random_u32()),
					     expires == 0 ? 0 : expires - ctl_now());
	int64_t asked = at_least_ms > 0 ? (at_least_ms + 999) / 1000 + random_u32() % 6 : 0;

	json_object_set_new(status, "retries", json_integer(retries));
	try_again_at(look, status, ctl_now() + (delay > asked ? delay : asked), type, words);
}

static void pause_broken(struct order_look *look, const struct acme_result *result,
			 const char *words)
{
	const char *type = result->failure == FETCH_TLS      ? "TLSVerificationFailed"
			   : result->problem.type[0] != '\0' ? result->problem.type
							     : "InvalidDirectory";
	int64_t wait = result->retry_after_ms > BROKEN_MS ? result->retry_after_ms : BROKEN_MS;

	try_again_at(look, order_status(look), ctl_now() + wait / 1000 + random_u32() % 6, type,
		     words);
}

/* ---- anew ---- */

void order_anew(struct order_look *look, const char *words)
{
	int64_t lost = json_int_at(look->status, "ordersLost", 0);

	if (lost >= ANEW_MAX) {
		order_fails(look, "errored", "OrderLost", words);
		return;
	}
	order_drop_challenges(look);
	order_progress(look->run);
	look->run->fresh = true;
	look->run->inherited = false;
	look->run->asked = 0;
	order_learned(look->run, json_pack("{s:o, s:I}", "intent", json_time(ctl_now()),
					   "ordersLost", (json_int_t)(lost + 1)));
	ctl_event(look->ctl, kind_of_order(), look->object, "Warning", "OrderedAnew", "%s", words);
}

/* ---- the end ---- */

static void deactivated(void *arg, const struct acme_result *result)
{
	account_count(arg, result);
}

/* What is still to be validated is given back: CAs count pending authorizations. */
static void deactivate_rest(struct order_look *look)
{
	const json_t *entry;

	if (look->client == NULL)
		return;
	for (size_t i = 0; (entry = order_authz(look->status, i)) != NULL; i++) {
		const char *url = json_str_at(entry, "url");

		if (url != NULL && i != look->run->asked &&
		    sv_eq(json_sv_at(entry, "initialState"), SV("pending")))
			(void)acme_deactivate_authorization(look->client, url, deactivated,
							    look->ctl);
	}
}

void order_fails(struct order_look *look, const char *state, const char *type, const char *words)
{
	json_t *status = order_status(look);
	char reason[80];

	reason_from(type, "Failed", reason, sizeof(reason));
	json_object_set_new(status, "state", json_string(state));
	json_object_set_new(status, "reason", json_sv(sv_from(words)));
	json_object_set_new(status, "failureReason", json_string(reason));
	json_object_set_new(status, "failureTime", json_time(ctl_now()));
	json_object_del(status, "nextTryTime");
	account_leave_place(&look->run->use);
	order_learned(look->run, status);
	if (strcmp(state, "invalid") == 0)
		deactivate_rest(look);
	ctl_event(look->ctl, kind_of_order(), look->object, "Warning", reason, "%s", words);
}

void order_rejected(struct order_look *look, const char *type, const char *words)
{
	if (look->run->inherited && json_int_at(look->status, "ordersLost", 0) < ANEW_MAX)
		order_anew(look, words);
	else
		order_fails(look, "invalid", type, words);
}

/* ---- answers that are no good ---- */

static void is_gone(struct order_look *look, const struct acme_result *result, const char *words)
{
	bool account = strcmp(result->problem.type, "accountDoesNotExist") == 0;

	if (account && look->issuer.object != NULL)
		account_gone(look->ctl, &look->issuer);
	if (json_str_at(look->status, "url") != NULL)
		order_anew(look, words);
	else if (account)
		order_again(look->run, 0); /* waits until the account is there again */
	else
		order_back_off(look, result->problem.type, words, result->retry_after_ms);
}

/* The CA does not take the order as the successor of a certificate (RFC 9773, section 5): it was
 * replaced already, or issued for another account. Then it is an order like any other. */
static bool is_about_replaces(const struct order_look *look, const struct acme_result *result)
{
	static const char *const types[] = {"alreadyReplaced", "malformed", "unauthorized"};

	if (strcmp(result->step, "newOrder") != 0 ||
	    json_sv_at(look->object->json, "spec.replaces").len == 0 ||
	    json_bool_at(look->status, "withoutReplaces", false))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(result->problem.type, types[i]) == 0)
			return true;
	}
	return false;
}

static void order_without_replaces(struct order_look *look, const char *words)
{
	json_t *status = order_status(look);

	json_object_set_new(status, "withoutReplaces", json_true());
	order_learned(look->run, status);
	ctl_event(look->ctl, kind_of_order(), look->object, "Normal", "WithoutReplaces",
		  "ordered again without naming the certificate that is replaced: %s", words);
}

static void is_refused(struct order_look *look, const struct acme_result *result, const char *words)
{
	const char *type = result->problem.type;

	bool unknown_kid = strcmp(type, "malformed") == 0 && strcmp(result->step, "newOrder") == 0;

	if (is_about_replaces(look, result)) {
		order_without_replaces(look, words);
		return;
	}
	if ((strcmp(type, "unauthorized") == 0 || unknown_kid) && look->issuer.object != NULL)
		account_suspect(look->ctl, &look->issuer);
	if (strcmp(type, "userActionRequired") == 0 && look->issuer.object != NULL) {
		if (account_terms(look->ctl, &look->issuer, words))
			order_again(look->run, 0); /* when they are agreed to */
		else
			order_back_off(look, type, words, result->retry_after_ms);
		return;
	}
	/* A CA that has moved does not take the account's old URL: it is looked up meanwhile. */
	if (strcmp(type, "orderNotReady") == 0 || unknown_kid)
		order_back_off(look, type, words, result->retry_after_ms);
	else
		order_fails(look, "errored", type, words);
}

static void is_broken(struct order_look *look, const struct acme_result *result, const char *words)
{
	bool about_url = result->failure == FETCH_FINE && strcmp(result->step, "directory") != 0;

	if (about_url)
		order_fails(look, "errored", "UntrustedURL", words);
	else
		pause_broken(look, result, words);
}

bool order_answer_failed(struct order_look *look, const struct acme_result *result)
{
	char words[ACME_WORDS_MAX];

	account_words(result, words, sizeof(words));
	switch (result->outcome) {
	case ACME_OK:
		return false;
	case ACME_RETRY_LATER:
		order_back_off(look, result->problem.type, words, result->retry_after_ms);
		break;
	case ACME_REFUSED:
		is_refused(look, result, words);
		break;
	case ACME_GONE:
		is_gone(look, result, words);
		break;
	case ACME_BROKEN:
		is_broken(look, result, words);
		break;
	}
	return true;
}
