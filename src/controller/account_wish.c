/* controller/account_wish.c - what the user wants of an ACME account (annotations of its issuer),
 * and the terms that its CA wants agreed to
 *
 * Rollover (RFC 8555, section 7.3.5): the next key is stored, the CA is told, and whatever it
 * answers, a key replaces the other only when the CA has shown that it knows it. An answer that got
 * lost locks nobody out: both keys are kept until then.
 */
#include "acme/account.h"
#include "controller/issuer_look.h"

#include "base/own.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK_AGAIN_MS 60000
#define BUSY_LOOK_MS  100                    /* calls of orders end by themselves */
#define TRY_AGAIN_MS  (INT64_C(600) * 1000)  /* a wish that did not come true */
#define PROVE_MS      60000                  /* which key is in force is not known */
#define TERMS_LOOK_S  3600                   /* somebody may have agreed on a page of the CA's */
#define TERMS_GAP_MS  (INT64_C(3600) * 1000) /* between two times that we agree by policy */

static int64_t now_ms(const struct account *account)
{
	return loop_now(account->ctl->config.loop);
}

static json_t *acme_status(json_t *status)
{
	json_t *acme = json_object_get(status, "acme");

	if (!json_is_object(acme)) {
		acme = json_object();
		json_object_set_new(status, "acme", acme);
	}
	return acme;
}

static void again_in(const struct issuer_look *look, int64_t delay_ms)
{
	ctl_queue_in(look->ctl, CTL_ISSUER, sv_from(look->account->key), delay_ms);
}

/* Something did not work: what is said, and not again before a while. */
static void put_off(const struct issuer_look *look, int64_t delay_ms, int64_t asked_ms)
{
	int64_t delay = asked_ms > delay_ms ? asked_ms : delay_ms;

	delay += random_u32() % 5000;
	look->account->wish_not_before = now_ms(look->account) + delay;
	again_in(look, delay);
}

static bool is_put_off(const struct issuer_look *look)
{
	int64_t left = look->account->wish_not_before - now_ms(look->account);

	if (left > 0)
		again_in(look, left);
	return left > 0;
}

/* ---- the end of an account ---- */

/* As the user wished: nothing is asked of the CA with this key. */
static bool account_is_ended(const struct issuer_look *look)
{
	return sv_eq(json_sv_at(look->issuer->object->json, "status.acme.deactivatedKey"),
		     sv_from(look->account->thumbprint));
}

static void ended(void *arg, const struct acme_result *result)
{
	struct account *account = arg;
	char words[ACME_WORDS_MAX];
	struct issuer_look look;
	struct issuer issuer;
	json_t *status;

	account->call = NULL;
	account_count(account->ctl, result);
	if (!issuer_look_at(account, &issuer, &look))
		return;
	if (result->outcome != ACME_OK && result->outcome != ACME_GONE) {
		account_words(result, words, sizeof(words));
		issuer_not_ready(
			&look, "AccountDeactivationFailed",
			"the account is not used any more, but could not be deactivated: %s",
			words);
		put_off(&look, TRY_AGAIN_MS, result->retry_after_ms);
		return;
	}
	status = status_copy(issuer.object);
	json_object_set_new(acme_status(status), "deactivatedKey",
			    json_string(account->thumbprint));
	json_object_set_new(acme_status(status), "deactivatedTime", json_time(ctl_now()));
	issuer_keep_result(account, status);
	ctl_event(account->ctl, issuer.kind, issuer.object, "Normal", "AccountDeactivated",
		  "the account was deactivated, as annotation " NOTE_ACCOUNT_DEACTIVATE " asks");
}

static bool ending(const struct issuer_look *look)
{
	struct account *account = look->account;
	const json_t *acme = json_at(look->issuer->object->json, "status.acme");
	const char *note = note_of(look->issuer->object, NOTE_ACCOUNT_DEACTIVATE);
	const char *uri = json_str_at(acme, "uri"), *when = json_str_at(acme, "deactivatedTime");

	if (account_is_ended(look)) {
		issuer_not_ready(
			look, "AccountDeactivated",
			"the account %s was deactivated on %s, as was asked for; for a new "
			"one remove annotation " NOTE_ACCOUNT_DEACTIVATE " and delete Secret %s/%s",
			uri == NULL ? "" : uri, when == NULL ? "" : when,
			issuer_namespace(look->issuer),
			json_str_at(look->spec, "privateKeySecretRef.name"));
		return true;
	}
	if (note == NULL)
		return false;
	if (!issuer_knows_key(look, account->thumbprint))
		issuer_not_ready(look, "AccountDeactivated",
				 "no account is made while the issuer has "
				 "annotation " NOTE_ACCOUNT_DEACTIVATE);
	else if (!is_put_off(look))
		account->call = acme_account_deactivate(account->client, ended, account);
	return true;
}

/* ---- terms of service ---- */

static bool policy_accepts(const struct object *issuer)
{
	return sv_eq(sv_from(note_of(issuer, NOTE_TERMS)), SV("accept"));
}

bool account_terms(struct controllers *ctl, const struct issuer *issuer, const char *words)
{
	struct account *account = account_get(ctl, sv_from(issuer->object->key));
	int64_t now = now_ms(account);
	bool agrees = policy_accepts(issuer->object) &&
		      (account->agreed_at == 0 || now - account->agreed_at > TERMS_GAP_MS);

	if (agrees) {
		account->agreed_at = now;
		account->agrees = true;
	} else {
		free(account->terms);
		account->terms = xstrdup(words);
	}
	account->held = true;
	account->usable = false;
	ctl_queue(ctl, CTL_ISSUER, sv_from(account->key));
	return agrees;
}

static void note_terms(const struct issuer_look *look)
{
	json_t *status = status_copy(look->issuer->object);
	AUTO(auto_free) char *words = TAKE(look->account->terms);
	char when[CLOCK_TEXT_SIZE];

	clock_rfc3339(ctl_now() + TERMS_LOOK_S, when);
	json_object_set_new(acme_status(status), "termsAskedUntil", json_string(when));
	status_condition(status, look->issuer->object, "Ready", COND_FALSE, "UserActionRequired",
			 "the CA wants its terms of service agreed to: %s; agree there, or set "
			 "annotation " NOTE_TERMS ": accept; looked at again at %s",
			 words, when);
	issuer_keep_result(look->account, status);
	ctl_event(look->ctl, look->issuer->kind, look->issuer->object, "Warning",
		  "UserActionRequired", "%s", words);
}

/* true: the terms are in the way. */
static bool terms(const struct issuer_look *look)
{
	struct account *account = look->account;
	int64_t until;

	if (account->terms != NULL) {
		note_terms(look);
		return true;
	}
	if (json_time_at(look->issuer->object->json, "status.acme.termsAskedUntil", &until)) {
		if (!policy_accepts(look->issuer->object)) {
			int64_t left = until - ctl_now();

			if (left > 0 && left <= TERMS_LOOK_S)
				again_in(look,
					 left * 1000 < LOOK_AGAIN_MS ? left * 1000 : LOOK_AGAIN_MS);
			return left > 0 && left <= TERMS_LOOK_S;
		}
		account->agrees = account->agrees || account->agreed_at == 0;
		account->agreed_at = now_ms(account);
	}
	if (!account->agrees)
		return false;
	account->agrees = false;
	issuer_register(look);
	return account->call != NULL;
}

/* ---- another key ---- */

static const char *rollover_note(const struct issuer_look *look)
{
	return note_of(look->issuer->object, NOTE_ACCOUNT_ROLLOVER);
}

static void note_rollover(const struct issuer_look *look, json_t *status, enum cond_status value,
			  const char *reason, const char *words)
{
	const char *note = rollover_note(look);

	json_object_set_new(acme_status(status), "lastRollover",
			    json_string(note == NULL ? "" : note));
	status_condition(status, look->issuer->object, "AccountRollover", value, reason, "%s",
			 words);
	ctl_event(look->ctl, look->issuer->kind, look->issuer->object,
		  value == COND_TRUE ? "Normal" : "Warning", reason, "%s", words);
}

/* The CA knows the next key: it is the account's. */
static void took(const struct issuer_look *look, EVP_PKEY *next)
{
	json_t *status = status_copy(look->issuer->object);
	AUTO(auto_free) char *thumbprint = account_key_thumbprint(next, NULL);
	json_t *acme = acme_status(status);

	json_object_set_new(acme, "lastPrivateKeyHash", json_string(thumbprint));
	json_object_set_new(acme, "keyAlgorithm", json_string(account_key_word(next)));
	json_object_set_new(acme, "lastRolloverTime", json_time(ctl_now()));
	note_rollover(look, status, COND_TRUE, "RolledOver", "the account has a new key");
	issuer_keep_result(look->account, status);
}

/* The CA does not know the next key: the old one is in force. */
static void stays(const struct issuer_look *look)
{
	struct account *account = look->account;
	json_t *status;

	account->unproven = false;
	if (!account->change_refused) {
		put_off(look, TRY_AGAIN_MS, 0);
		ctl_queue(look->ctl, CTL_ISSUER, sv_from(account->key));
		return;
	}
	status = status_copy(look->issuer->object);
	note_rollover(look, status, COND_FALSE, "RolloverRefused", account->change_words);
	issuer_keep_result(account, status);
	account_key_settle(look, false);
}

/* The CA has said something about the next key: that key, and the issuer as it is now. NULL:
 * nothing is to be done with what it said. */
static EVP_PKEY *next_key_now(struct account *account, const struct acme_result *result,
			      struct issuer *issuer, struct issuer_look *look)
{
	EVP_PKEY *next;

	account_count(account->ctl, result);
	if (!issuer_look_at(account, issuer, look))
		return NULL;
	next = account_key_next(look);
	if (next == NULL)
		ctl_queue(account->ctl, CTL_ISSUER, sv_from(account->key));
	return next;
}

static void proven(void *arg, const struct acme_result *result)
{
	struct account *account = arg;
	struct issuer_look look;
	struct issuer issuer;
	AUTO(auto_key) EVP_PKEY *next = next_key_now(account, result, &issuer, &look);

	account->proof = NULL;
	if (next == NULL)
		return;
	if (result->outcome == ACME_OK)
		took(&look, next);
	else if (result->outcome == ACME_REFUSED)
		stays(&look);
	else
		put_off(&look, PROVE_MS, result->retry_after_ms);
}

static void changed(void *arg, const struct acme_result *result)
{
	struct account *account = arg;
	struct issuer_look look;
	struct issuer issuer;
	AUTO(auto_key) EVP_PKEY *next = next_key_now(account, result, &issuer, &look);

	account->call = NULL;
	if (next == NULL)
		return;
	if (result->outcome == ACME_OK) {
		took(&look, next);
		return;
	}
	account->unproven = true;
	account->change_refused = result->outcome == ACME_REFUSED || result->outcome == ACME_BROKEN;
	account_words(result, account->change_words, sizeof(account->change_words));
	acme_client_free(TAKE(account->next_client));
	account->next_client = account_other_client(account, &issuer, next);
	if (account->next_client == NULL)
		put_off(&look, PROVE_MS, 0);
	else
		account->proof = acme_account_find(account->next_client, proven, account);
}

static bool is_wanted(const struct issuer_look *look)
{
	const char *note = rollover_note(look);

	return note != NULL &&
	       !sv_eq(json_sv_at(look->issuer->object->json, "status.acme.lastRollover"),
		      sv_from(note));
}

static bool rolling(const struct issuer_look *look)
{
	struct account *account = look->account;
	AUTO(auto_key) EVP_PKEY *next = account_key_next(look);
	bool known = issuer_knows_key(look, account->thumbprint) &&
		     acme_client_kid(account->client) != NULL;

	if (account->proof != NULL)
		return true;
	if (next == NULL) {
		account->unproven = false;
		if (is_wanted(look) && known)
			account_key_make_next(look);
		return false;
	}
	if (!known) { /* the key was replaced by hand meanwhile */
		account_key_settle(look, false);
		return false;
	}
	if (is_put_off(look))
		return account->unproven;
	if (acme_client_busy(account->client))
		again_in(look, BUSY_LOOK_MS);
	else
		account->call = acme_key_change(account->client, next, changed, account);
	return true;
}

bool account_finish_rollover(const struct issuer_look *look)
{
	AUTO(auto_key) EVP_PKEY *next = account_key_next(look);
	AUTO(auto_free) char *thumbprint = NULL;

	if (next == NULL)
		return false;
	thumbprint = account_key_thumbprint(next, NULL);
	if (thumbprint == NULL || !issuer_knows_key(look, thumbprint))
		return false;
	account_key_settle(look, true);
	return true;
}

bool account_wishes(const struct issuer_look *look)
{
	return ending(look) || terms(look) || rolling(look);
}
