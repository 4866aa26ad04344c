/* controller/certificate_issue.c - one attempt to get a certificate, step by step
 *
 * name of the next key -> key -> CertificateRequest -> its certificate, checked -> Secret -> done.
 * Each step is told from what is stored, so an attempt goes on after a kill where it stood. Name,
 * key and request need nobody else and are stored together, in one transaction; the key is used
 * outside (by the Order, which is made when the request is there) only after that.
 */
#include "controller/certificate.h"

#include "base/own.h"
#include "controller/certificate_issuer.h"
#include "controller/issuer.h"
#include "controller/order.h"
#include "controller/renewal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SKEW_S        300 /* a certificate from a CA whose clock is ahead of ours */
#define FAR_SKEW_S    (INT64_C(100) * 365 * 86400)
#define REASON_MANUAL "ManuallyTriggered"

struct attempt {
	struct cert_look *look;
	const char *key_secret; /* status.nextPrivateKeySecretName */
	int64_t revision;       /* the one that is wanted */
	EVP_PKEY *key;          /* borrowed */
	const struct object *request;
};

bool certificate_is_issuing(const struct cert_look *look)
{
	const json_t *issuing = condition_find(json_member(look->status, "conditions"), "Issuing");

	return sv_eq(json_sv_at(issuing, "status"), SV("True"));
}

/* Also while the condition of the look has been changed in this reconcile. */
static struct str_view issuing_member(const struct cert_look *look, const char *member)
{
	return json_sv_at(condition_find(json_member(look->status, "conditions"), "Issuing"),
			  member);
}

void certificate_forget_failures(struct cert_look *look)
{
	json_object_del(look->status, "lastFailureTime");
	json_object_del(look->status, "failedIssuanceAttempts");
	json_object_del(look->status, "nextAttemptTime");
	json_object_del(look->status, "triedWith");
}

/* ---- how an attempt ends ---- */

static const char *trigger_words(const struct cert_look *look)
{
	if (look->reason != NULL)
		return look->words;
	if (sv_eq(issuing_member(look, "reason"), SV(REASON_MANUAL)))
		return "Certificate re-issuance manually triggered";
	return "Renewing certificate";
}

/* Waits for others; what for stands in the conditions. type: what is in the way, or NULL. */
static void waits(struct cert_look *look, const char *type, const char *words)
{
	bool manual = sv_eq(issuing_member(look, "reason"), SV(REASON_MANUAL));
	const char *trigger = look->reason != NULL ? look->reason : "Renewing";

	status_condition(look->status, look->cert, "Issuing", COND_TRUE,
			 type != NULL ? type
			 : manual     ? REASON_MANUAL
				      : trigger,
			 "%s: %s", trigger_words(look), words);
	if (look->reason != NULL)
		status_condition(look->status, look->cert, "Ready", COND_FALSE, look->reason,
				 "%s: %s", look->words, words);
}

/* What will be refused again is not asked for before a day has passed. */
static bool is_permanent(const char *type)
{
	static const char *const types[] = {"RejectedIdentifier", "UnsupportedIdentifier", "Caa",
					    "InvalidProfile"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(types[i], type) == 0)
			return true;
	}
	return false;
}

/* type: why, as a reason, or "". not_before: asked for by the CA, 0: not. */
static void fails(struct cert_look *look, const char *type, int64_t not_before, const char *words)
{
	if (certificate_next_issuer(look, type, words))
		return;
	certificate_want_rehearsal(look, type);
	int64_t failures = json_int_at(look->status, "failedIssuanceAttempts", 0) + 1;
	int64_t delay = attempt_delay(is_permanent(type) ? INT64_MAX : failures, random_u32());
	int64_t left = look->dated && !is_permanent(type) ? look->not_after - look->now : 0;
	int64_t next = look->now + attempt_delay_before(delay, left);
	AUTO(auto_free) char *print = certificate_issuers_print(look);
	char when[CLOCK_TEXT_SIZE];

	if (next < not_before)
		next = not_before + random_u32() % 6;
	clock_rfc3339(next, when);
	json_object_del(look->status, "nextPrivateKeySecretName");
	json_object_set_new(look->status, "lastFailureTime", json_time(look->now));
	json_object_set_new(look->status, "failedIssuanceAttempts", json_integer(failures));
	json_object_set_new(look->status, "nextAttemptTime", json_string(when));
	json_object_set_new(look->status, "triedWith", json_string(print));
	status_condition(look->status, look->cert, "Issuing", COND_FALSE,
			 type[0] == '\0' ? "Failed" : type,
			 "The certificate request has failed to complete and will be retried: %s; "
			 "next try at %s",
			 words, when);
	ctl_event(look->ctl, kind_of_certificate(), look->cert, "Warning", "Failed",
		  "The certificate request has failed to complete and will be retried: %s", words);
}

static void succeeds(const struct attempt *attempt)
{
	struct cert_look *look = attempt->look;

	certificate_forget_failures(look);
	certificate_issued_by(look);
	json_object_del(look->status, "nextPrivateKeySecretName");
	json_object_set_new(look->status, "revision", json_integer(attempt->revision));
	status_condition(look->status, look->cert, "Issuing", COND_FALSE, "Issued",
			 "The certificate has been successfully issued");
	ctl_event(look->ctl, kind_of_certificate(), look->cert, "Normal", "Issuing",
		  "The certificate has been successfully issued");
}

/* ---- from the request to the Secret ---- */

/* Fit to be served, now or from its notBefore on. */
static int check_chain(const struct attempt *attempt, struct str_view pem, int64_t *from,
		       struct err *err)
{
	const struct cert_look *look = attempt->look;
	AUTO(auto_chain) struct cert_chain chain = {0};
	struct cert_info info;
	struct name_list names;
	struct cert_names view;
	int rc;

	if (chain_from_pem(pem, &chain, err) < 0)
		return -1;
	name_list_from_spec(&names, look->spec);
	view = name_list_view(&names);
	rc = chain_check(&chain, attempt->key, &view, look->now, FAR_SKEW_S, err);
	name_list_deinit(&names);
	if (rc < 0 || cert_info_read(chain.certs[0], &info, err) < 0)
		return -1;
	*from = info.not_before;
	cert_info_deinit(&info);
	return 0;
}

static void install(const struct attempt *attempt)
{
	struct cert_look *look = attempt->look;
	AUTO(buf_deinit) struct buf chain, ca;
	char when[CLOCK_TEXT_SIZE], words[CERT_WORDS_MAX];
	struct err err = {0};
	int64_t from = 0;

	buf_init(&chain, ISSUANCE_TEXT_MAX);
	buf_init(&ca, ISSUANCE_TEXT_MAX);
	(void)base64_at(attempt->request->json, "status.ca", &ca);
	if (!base64_at(attempt->request->json, "status.certificate", &chain))
		err_set(&err, ERR_INVALID, "the CertificateRequest holds no certificate");
	if (err.code == ERR_NONE &&
	    certificate_is_installed(look, buf_view(&chain), buf_view(&ca))) {
		succeeds(attempt);
		return;
	}
	if (err.code != ERR_NONE || check_chain(attempt, buf_view(&chain), &from, &err) < 0) {
		snprintf(words, sizeof(words), "the certificate that was issued is refused: %.900s",
			 err.msg);
		fails(look, "CertificateRefused", 0, words);
	} else if (from > look->now + SKEW_S) {
		clock_rfc3339(from, when);
		snprintf(words, sizeof(words),
			 "the new certificate is valid from %s and is served from then on: is this "
			 "host's clock right?",
			 when);
		waits(look, "NotYetValid", words);
		certificate_look_at(look, from - SKEW_S);
	} else if (look->secret != NULL && json_bool_at(look->secret->json, "immutable", false)) {
		waits(look, "SecretImmutable",
		      "the certificate is there, but its Secret is immutable: delete the Secret");
	} else {
		certificate_install(look, attempt->key, buf_view(&chain), buf_view(&ca));
	}
}

/* ---- the request ---- */

static json_t *request_spec(const struct attempt *attempt, struct err *err)
{
	static const char *const members[] = {"duration", "isCA", "usages"};
	json_t *spec = json_object();
	AUTO(buf_deinit) struct buf der;
	struct name_list names;
	struct cert_names view;
	int rc;

	buf_init(&der, ISSUANCE_TEXT_MAX);
	name_list_from_spec(&names, attempt->look->spec);
	view = name_list_view(&names);
	rc = csr_make(attempt->key, &view, &der, err);
	name_list_deinit(&names);
	if (rc < 0) {
		json_decref(spec);
		return NULL;
	}
	json_object_set_new(spec, "request", json_request(buf_view(&der)));
	json_object_set_new(spec, "issuerRef",
			    json_deep_copy(certificate_issuer_ref(attempt->look)));
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_t *value = json_object_get(attempt->look->spec, members[i]);

		if (value != NULL)
			json_object_set(spec, members[i], value);
	}
	return spec;
}

static char *request_name(const struct attempt *attempt)
{
	return derived_name(object_name(attempt->look->cert), "-%lld",
			    (long long)attempt->revision);
}

static void make_request(const struct attempt *attempt, const char *name)
{
	struct cert_look *look = attempt->look;
	AUTO(auto_free) char *replaced = certificate_replaced_id(look);
	struct err err = {0};
	json_t *spec = request_spec(attempt, &err);
	char revision[24];
	json_t *body;

	if (spec == NULL) {
		fails(look, "InvalidRequest", 0, err.msg);
		return;
	}
	body = body_new(kind_of_request(), object_namespace(look->cert), name,
			kind_of_certificate(), look->cert);
	snprintf(revision, sizeof(revision), "%lld", (long long)attempt->revision);
	body_note(body, NOTE_CERTIFICATE, object_name(look->cert));
	body_note(body, NOTE_REVISION, revision);
	body_note(body, NOTE_KEY_SECRET, attempt->key_secret);
	if (replaced != NULL)
		body_note(body, NOTE_REPLACES, replaced);
	json_set_at(body, "metadata.labels",
		    json_incref(json_object_get(json_object_get(look->cert->json, "metadata"),
						"labels")));
	json_object_set_new(body, "spec", spec);
	put_object(&(struct wake){look->ctl, CTL_CERTIFICATE, look->cert->key}, kind_of_request(),
		   NULL, body);
	ctl_event(look->ctl, kind_of_certificate(), look->cert, "Normal", "Requested",
		  "Created new CertificateRequest resource \"%s\"", name);
}

static bool request_is_for(const struct object *request, EVP_PKEY *key, const json_t *spec)
{
	AUTO(buf_deinit) struct buf der;
	struct name_list names;
	struct cert_names view;
	bool same;

	buf_init(&der, ISSUANCE_TEXT_MAX);
	if (request_csr(request, &der, NULL) < 0)
		return false;
	name_list_from_spec(&names, spec);
	view = name_list_view(&names);
	same = csr_is_for(buf_view(&der), key, &view);
	name_list_deinit(&names);
	return same;
}

/* Of this attempt, and for what the spec says now. */
static bool request_is_current(const struct attempt *attempt)
{
	static const char *const members[] = {"duration", "isCA", "usages"};
	const json_t *spec = json_member(attempt->request->json, "spec");
	const char *key_secret = note_of(attempt->request, NOTE_KEY_SECRET);
	struct str_view uid = json_sv_at(attempt->request->json, "metadata.uid");
	struct cert_run *run = attempt->look->run;
	bool same;

	if (key_secret == NULL || strcmp(key_secret, attempt->key_secret) != 0 ||
	    !ctl_is_owned_by(attempt->request, attempt->look->cert) ||
	    !json_same(json_member(spec, "issuerRef"), certificate_issuer_ref(attempt->look)))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (!json_same(json_member(spec, members[i]),
			       json_member(attempt->look->spec, members[i])))
			return false;
	}
	if (run->request_uid != NULL && sv_eq(uid, sv_from(run->request_uid)) &&
	    run->request_generation == object_generation(attempt->look->cert))
		return true;
	same = request_is_for(attempt->request, attempt->key, attempt->look->spec);
	free(run->request_uid);
	run->request_uid = same ? sv_dup(uid) : NULL;
	run->request_generation = object_generation(attempt->look->cert);
	return same;
}

/* Somebody wants it now: the order need not wait for its back-off. Once for each time it is asked,
 * since what is in the way replaces the reason. */
static void nudge_order(const struct attempt *attempt)
{
	AUTO(auto_free) char *name = request_order_name(attempt->request);
	AUTO(auto_free)
	char *key = kind_key(kind_of_order(), object_namespace(attempt->request), name);

	if (sv_eq(issuing_member(attempt->look, "reason"), SV(REASON_MANUAL)))
		order_nudge(attempt->look->ctl, sv_from(key));
}

/* The CA is down for everybody, not for these names. */
static bool is_outage(const char *type)
{
	static const char *const types[] = {"Retrying", "ServerInternal", "TLSVerificationFailed",
					    "InvalidDirectory", "FinalizeTimeout"};

	for (size_t i = 0; type != NULL && i < ARRAY_LEN(types); i++) {
		if (strcmp(types[i], type) == 0)
			return true;
	}
	return false;
}

static const struct object *issuer_of(const struct attempt *attempt)
{
	struct issuer issuer;

	return issuer_find(attempt->look->ctl, object_namespace(attempt->request),
			   json_at(attempt->request->json, "spec.issuerRef"), &issuer)
		       ? issuer.object
		       : NULL;
}

/* It waits, and there is another issuer, which is taken now; or it was only a rehearsal. */
static bool gives_up(const struct attempt *attempt, const char *type, const char *words)
{
	struct cert_look *look = attempt->look;
	const struct object *issuer = issuer_of(attempt);

	if (issuer == NULL || !issuer_ready(issuer))
		type = "IssuerNotReady";
	if (type == NULL || !certificate_lost_patience(look, attempt->request, type))
		return false;
	if (!certificate_is_rehearsal(look))
		return certificate_next_issuer(look, type, words);
	certificate_end_rehearsal(look);
	json_object_del(look->status, "rehearse");
	return true;
}

static void follow_request(const struct attempt *attempt)
{
	struct cert_look *look = attempt->look;
	const struct object *request = attempt->request;
	const char *reason = condition_text(request, "Ready", "reason");
	const char *words = condition_text(request, "Ready", "message");
	const char *type = json_str_at(request->json, "status.failureReason");
	int64_t not_before = 0;

	if (condition_is_true(request->json, "Ready") && certificate_is_rehearsal(look)) {
		json_object_del(look->status, "rehearse");
		certificate_end_rehearsal(look);
		waits(look, NULL, "the staging CA has validated the names; now the CA itself");
	} else if (condition_is_true(request->json, "Ready")) {
		install(attempt);
	} else if (strcmp(reason, "Failed") == 0 || strcmp(reason, "Denied") == 0 ||
		   condition_is_true(request->json, "InvalidRequest")) {
		(void)json_time_at(request->json, "status.retryAfterTime", &not_before);
		fails(look, type != NULL ? type : "", not_before, words);
	} else if (gives_up(attempt, type, words)) {
		certificate_blocked(look, NULL);
	} else {
		certificate_blocked(look, is_outage(type) ? issuer_of(attempt) : NULL);
		if (type != NULL)
			nudge_order(attempt);
		if (words[0] != '\0')
			waits(look, type, words);
	}
}

static void take_step(struct attempt *attempt)
{
	struct cert_look *look = attempt->look;
	AUTO(auto_free) char *name = request_name(attempt);

	attempt->request =
		ctl_get(look->ctl, kind_of_request(), object_namespace(look->cert), name);
	if (attempt->request == NULL)
		make_request(attempt, name);
	else if (!request_is_current(attempt))
		ctl_delete_object(look->ctl, attempt->request); /* of an earlier attempt */
	else
		follow_request(attempt);
}

/* The name of the next key's Secret. Heap. */
static char *begin(struct cert_look *look)
{
	AUTO(auto_free)
	char *name = derived_name(object_name(look->cert), "-%06x", random_u32() & 0xffffff);

	if (sv_eq(issuing_member(look, "reason"), SV(REASON_MANUAL)))
		certificate_forget_failures(look);
	certificate_choose_issuer(look);
	json_object_set_new(look->status, "nextPrivateKeySecretName", json_string(name));
	ctl_event(look->ctl, kind_of_certificate(), look->cert, "Normal", "Issuing", "%s",
		  trigger_words(look));
	return TAKE(name);
}

void certificate_issue(struct cert_look *look)
{
	const char *name = json_str_at(look->status, "nextPrivateKeySecretName");
	AUTO(auto_free) char *key_secret = NULL;
	struct attempt attempt = {
		.look = look,
		.revision = json_int_at(look->status, "revision", 0) + 1,
	};

	if (look->duplicate) {
		status_condition(look->status, look->cert, "Issuing", COND_FALSE, look->reason,
				 "%s", look->words);
		json_object_del(look->status, "nextPrivateKeySecretName");
		return;
	}
	key_secret = name == NULL || name[0] == '\0' ? begin(look) : xstrdup(name);
	attempt.key_secret = key_secret;
	certificate_keep_issuer(look);
	attempt.key = certificate_next_key(look, key_secret);
	if (attempt.key != NULL)
		take_step(&attempt);
}

/* ---- afterwards ---- */

struct leftovers {
	struct cert_look *look;
	int64_t keep_from; /* revisions before this one go */
};

static bool drop_key(void *arg, const struct object *secret)
{
	const struct leftovers *left = arg;
	const json_t *labels = json_at(secret->json, "metadata.labels");

	if (json_member(labels, "cert-manager.io/next-private-key") != NULL &&
	    ctl_is_owned_by(secret, left->look->cert))
		ctl_delete_object(left->look->ctl, secret);
	return true;
}

static bool drop_request(void *arg, const struct object *request)
{
	const struct leftovers *left = arg;
	const char *revision = note_of(request, NOTE_REVISION);
	uint64_t number;

	if (revision != NULL && sv_to_u64(sv_from(revision), &number) &&
	    number < (uint64_t)left->keep_from && ctl_is_owned_by(request, left->look->cert))
		ctl_delete_object(left->look->ctl, request);
	return true;
}

void certificate_clean_up(struct cert_look *look)
{
	const char *ns = object_namespace(look->cert);
	AUTO(auto_free) char *base = derived_name(object_name(look->cert), "-");
	AUTO(auto_free) char *keys = kind_key(kind_of_secret(), ns, base);
	AUTO(auto_free) char *requests = kind_key(kind_of_request(), ns, base);
	int64_t kept = json_int_at(look->spec, "revisionHistoryLimit", 1);
	struct leftovers left = {.look = look};

	left.keep_from = json_int_at(look->status, "revision", 0) - (kept < 1 ? 1 : kept) + 1;
	certificate_forget_attempt(look->run);
	store_each(look->ctl->config.store, sv_from(keys), drop_key, &left);
	if (left.keep_from > 0)
		store_each(look->ctl->config.store, sv_from(requests), drop_request, &left);
}
