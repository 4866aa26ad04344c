/* controller/certificate_revoke.c - a certificate is revoked as the user asks (RFC 8555,
 * section 7.6)
 *
 * The annotation is an order that is carried out once: what came of it is written down with its
 * text, then the annotation goes (or stays, when a file brings it back). What was revoked is
 * replaced: certificate_check.c sees that it is no certificate any more.
 */
#include "acme/revoke.h"
#include "controller/certificate.h"

#include "base/own.h"
#include "controller/renewal.h"
#include "controller/revocation.h"
#include "resource/apply.h"

#include <stdlib.h>

static const struct revoke_reason reasons[] = {
	{"unspecified", "Unspecified", 0},
	{"keyCompromise", "KeyCompromise", 1},
	{"affiliationChanged", "AffiliationChanged", 3},
	{"superseded", "Superseded", 4},
	{"cessationOfOperation", "CessationOfOperation", 5},
};

struct revocation { /* under way */
	struct account_use use;
	struct cert_run *run;
	struct acme_call *call;
	char *request, *serial;
	const struct revoke_reason *reason;
	bool by_key;
};

const struct revoke_reason *revoke_reason(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (strcmp(reasons[i].word, word) == 0)
			return &reasons[i];
	}
	return NULL;
}

/* ---- what is known ---- */

static json_t *info_of(const struct cert_look *look)
{
	return json_object_get(look->status, "revocation");
}

bool certificate_was_revoked(const struct cert_look *look, const char **reason, const char **serial)
{
	const json_t *info = info_of(look);

	*reason = json_str_at(info, "reason");
	*serial = json_str_at(info, "serial");
	return json_str_at(info, "time") != NULL && *serial != NULL && *reason != NULL &&
	       look->run->facts.parsed && sv_hash(sv_from(*serial)) == look->run->facts.serial_hash;
}

bool certificate_key_is_compromised(const struct cert_look *look)
{
	const char *reason, *serial;

	return certificate_was_revoked(look, &reason, &serial) &&
	       strcmp(reason, "keyCompromise") == 0;
}

/* ---- how it ends ---- */

/* Stored by the next reconcile; takes info. */
static void note(struct cert_run *run, json_t *info)
{
	json_decref(run->revoked);
	run->revoked = info;
	ctl_queue(run->ctl, CTL_CERTIFICATE, sv_from(run->key));
}

static void end(struct revocation *revocation)
{
	revocation->run->revocation = NULL;
	if (revocation->use.account != NULL)
		account_release(&revocation->use);
	free(revocation->request);
	free(revocation->serial);
	free(revocation);
}

void certificate_forget_revocation(struct cert_run *run)
{
	json_decref(TAKE(run->revoked));
	if (run->revocation == NULL)
		return;
	if (run->revocation->call != NULL)
		acme_cancel(TAKE(run->revocation->call));
	end(run->revocation);
}

void certificate_take_revocation(struct cert_look *look)
{
	struct cert_run *run = look->run;
	const json_t *info = run->revoked;
	const char *reason, *words;
	bool done;

	if (info == NULL)
		return;
	done = json_str_at(info, "time") != NULL;
	reason = json_str_at(info, "conditionReason");
	words = json_str_at(info, "message");
	status_condition(look->status, look->cert, "Revoked", done ? COND_TRUE : COND_FALSE,
			 reason == NULL ? "Failed" : reason, "%s", words == NULL ? "" : words);
	ctl_event(look->ctl, kind_of_certificate(), look->cert, done ? "Normal" : "Warning",
		  done ? "Revoked" : "RevocationFailed", "%s", words == NULL ? "" : words);
	json_object_set_new(look->status, "revocation", TAKE(run->revoked));
	json_object_del(info_of(look), "conditionReason");
	if (run->facts.secret_revision != 0 && !run->facts.parsed)
		run->facts.noted_generation = -1; /* the Secret is to be looked into */
}

json_t *revoke_info(const char *request, const char *reason, const char *words)
{
	return json_pack("{s:s, s:s, s:o}", "request", request, "conditionReason", reason,
			 "message", json_sv(sv_from(words)));
}

json_t *revoke_done(const char *request, const struct revoke_reason *reason, const char *serial,
		    bool by_key)
{
	AUTO(auto_free)
	char *words = xasprintf("the certificate with serial number %s was revoked (%s)%s", serial,
				reason->word, by_key ? " by its own key" : "");
	json_t *info = revoke_info(request, reason->reason, words);

	json_object_set_new(info, "reason", json_string(reason->word));
	json_object_set_new(info, "serial", json_string(serial));
	json_object_set_new(info, "time", json_time(ctl_now()));
	return info;
}

json_t *revoke_failed(const char *request, const struct acme_result *result, int64_t failures)
{
	int64_t asked = result->retry_after_ms > 0 ? result->retry_after_ms / 1000 + 1 : 0;
	int64_t delay = attempt_delay(failures + 1, random_u32());
	bool final = result->outcome == ACME_REFUSED;
	int64_t next = ctl_now() + (delay > asked ? delay : asked);
	char words[ACME_WORDS_MAX], when[CLOCK_TEXT_SIZE], reason[80];
	AUTO(auto_free) char *text = NULL;
	json_t *info;

	account_words(result, words, sizeof(words));
	clock_rfc3339(next, when);
	reason_from(result->problem.type, "Failed", reason, sizeof(reason));
	text = xasprintf("not revoked: %s%s%s", words, final ? "" : "; next try at ",
			 final ? "" : when);
	info = revoke_info(request, reason, text);
	if (!final) {
		json_object_set_new(info, "failures", json_integer(failures + 1));
		json_object_set_new(info, "nextTryTime", json_string(when));
	}
	return info;
}

static void has_failed(const struct revocation *revocation, const struct acme_result *result)
{
	struct cert_run *run = revocation->run;
	const struct object *cert = store_get(run->ctl->config.store, sv_from(run->key));
	int64_t failures =
		cert == NULL ? 0 : json_int_at(cert->json, "status.revocation.failures", 0);

	note(run, revoke_failed(revocation->request, result, failures));
}

static void answered(void *arg, const struct acme_result *result)
{
	struct revocation *revocation = arg;
	struct cert_run *run = revocation->run;
	bool account = result->outcome == ACME_GONE ||
		       strcmp(result->problem.type, "unauthorized") == 0 ||
		       strcmp(result->problem.type, "accountDoesNotExist") == 0;

	revocation->call = NULL;
	account_count(run->ctl, result);
	if (result->outcome == ACME_OK) {
		note(run, revoke_done(revocation->request, revocation->reason, revocation->serial,
				      revocation->by_key));
	} else if (account && !revocation->by_key) {
		/* Not by this account; the certificate's own key can always do it. */
		revocation->by_key = true;
		ctl_queue(run->ctl, CTL_CERTIFICATE, sv_from(run->key));
		return;
	} else {
		has_failed(revocation, result);
	}
	end(revocation);
}

/* ---- asking for it ---- */

static void use_changed(struct account_use *use, bool lost)
{
	struct revocation *revocation = CONTAINER_OF(use, struct revocation, use);

	if (lost)
		revocation->call = NULL;
	ctl_queue(revocation->run->ctl, CTL_CERTIFICATE, sv_from(revocation->run->key));
}

static void ask(struct revocation *revocation, struct acme_client *client, X509 *leaf,
		EVP_PKEY *key)
{
	struct acme_revocation what = {.reason = revocation->reason->code,
				       .key = revocation->by_key ? key : NULL};
	unsigned char *der = NULL;
	int len = i2d_X509(leaf, &der);

	if (len <= 0)
		return;
	what.cert_der = sv_new((char *)der, (size_t)len);
	revocation->call = acme_revoke(client, &what, answered, revocation);
	OPENSSL_free(der);
}

/* By the account when it can be used, else by the certificate's key. */
static struct acme_client *client_for(struct cert_look *look, struct revocation *revocation,
				      const struct issuer *issuer)
{
	struct acme_client *client = account_client(look->ctl, issuer, &revocation->use);

	if (client != NULL || (issuer_ready(issuer->object) && !revocation->by_key))
		return client; /* NULL: it will be there soon */
	revocation->by_key = true;
	return account_client_for_keys(look->ctl, issuer);
}

static void go_on(struct cert_look *look, struct revocation *revocation,
		  const struct issuer *issuer)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(secret_deinit) struct buf crt = {0};
	AUTO(auto_key) EVP_PKEY *key = NULL;
	struct acme_client *client = client_for(look, revocation, issuer);
	struct cert_info info;

	if (client == NULL || !secret_value(look->secret, "tls.crt", &crt) ||
	    chain_from_pem(buf_view(&crt), &chain, NULL) < 0 || chain.count == 0 ||
	    cert_info_read(chain.certs[0], &info, NULL) < 0)
		return;
	key = secret_key(look->secret, "tls.key", NULL);
	free(revocation->serial);
	revocation->serial = xstrdup(info.serial);
	cert_info_deinit(&info);
	if (key != NULL)
		ask(revocation, client, chain.certs[0], key);
}

/* Why nothing can be done; NULL: it can. */
static const char *obstacle(struct cert_look *look, const struct revoke_reason *reason,
			    struct issuer *issuer)
{
	if (reason == NULL)
		return NOTE_REVOKE_WORDS;
	if (!look->dated)
		return "not revoked: the Secret holds no certificate";
	if (!certificate_issuer(look, issuer))
		return "not revoked: the certificate was not issued by an ACME issuer that is "
		       "still there";
	return NULL;
}

/* Is the annotation still to be carried out, now? */
static bool is_due(struct cert_look *look, const char *request)
{
	const json_t *info = info_of(look);
	int64_t next;

	if (!sv_eq(json_sv_at(info, "request"), sv_from(request)))
		return true;
	if (!json_time_at(info, "nextTryTime", &next))
		return false;
	if (!attempt_waits(next, look->now))
		return true;
	certificate_look_at(look, next);
	return false;
}

void certificate_revoke(struct cert_look *look)
{
	const char *request = note_of(look->cert, NOTE_REVOKE), *words;
	struct cert_run *run = look->run;
	struct revocation *revocation = run->revocation;
	const struct revoke_reason *reason;
	struct issuer issuer;

	if (request == NULL || run->revoked != NULL ||
	    (revocation != NULL && revocation->call != NULL) || !is_due(look, request))
		return;
	reason = revoke_reason(request);
	words = obstacle(look, reason, &issuer);
	if (words != NULL) {
		if (revocation != NULL)
			end(revocation);
		note(run, revoke_info(request, "NotPossible", words));
		return;
	}
	if (revocation == NULL) {
		revocation = xcalloc(1, sizeof(*revocation));
		revocation->run = run;
		revocation->use.changed = use_changed;
		revocation->request = xstrdup(request);
		run->revocation = revocation;
	}
	revocation->reason = reason;
	go_on(look, revocation, &issuer);
}

void certificate_drop_note(struct cert_look *look)
{
	const char *request = note_of(look->cert, NOTE_REVOKE);
	const json_t *info = info_of(look);
	json_t *body;

	if (request == NULL || note_of(look->cert, SOURCE_ANNOTATION) != NULL ||
	    look->run->revocation != NULL || look->run->revoked != NULL ||
	    json_str_at(info, "nextTryTime") != NULL ||
	    !sv_eq(json_sv_at(info, "request"), sv_from(request)))
		return;
	body = json_deep_copy(look->cert->json);
	json_object_del(json_object_get(json_object_get(body, "metadata"), "annotations"),
			NOTE_REVOKE);
	json_object_del(json_object_get(json_object_get(body, "status"), "revocation"), "request");
	put_object(&(struct wake){look->ctl, CTL_CERTIFICATE, look->run->key},
		   kind_of_certificate(), look->cert, body);
}
