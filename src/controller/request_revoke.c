/* controller/request_revoke.c - the certificate of a CertificateRequest is revoked
 *
 * By the account only: the key is the user's, or has gone with the attempt.
 */
#include "acme/revoke.h"
#include "controller/revocation.h"

#include "base/own.h"
#include "controller/renewal.h"
#include "resource/apply.h"

#include <stdlib.h>

#define LOOK_AGAIN_MS 60000 /* the wall clock may be set meanwhile */

struct revoking { /* under way, or to be stored; ctl->state[CTL_REQUEST] has them by key */
	struct account_use use;
	struct controllers *ctl;
	struct acme_call *call;
	char *key, *request, *serial;
	const struct revoke_reason *reason;
	json_t *info; /* what came of it */
};

static struct map *all_of(struct controllers *ctl)
{
	return ctl->state[CTL_REQUEST];
}

static void revoking_free(void *value)
{
	struct revoking *revoking = value;

	if (revoking->call != NULL)
		acme_cancel(revoking->call);
	if (revoking->use.account != NULL)
		account_release(&revoking->use);
	json_decref(revoking->info);
	free(revoking->key);
	free(revoking->request);
	free(revoking->serial);
	free(revoking);
}

void request_revoke_forget(struct controllers *ctl, struct str_view key)
{
	struct revoking *revoking = map_remove(all_of(ctl), key);

	if (revoking != NULL)
		revoking_free(revoking);
}

static void use_changed(struct account_use *use, bool lost)
{
	struct revoking *revoking = CONTAINER_OF(use, struct revoking, use);

	if (lost)
		revoking->call = NULL;
	ctl_queue(revoking->ctl, CTL_REQUEST, sv_from(revoking->key));
}

static struct revoking *revoking_get(struct controllers *ctl, const struct object *request,
				     const char *text)
{
	struct revoking *revoking = map_get(all_of(ctl), sv_from(request->key));

	if (revoking != NULL && strcmp(revoking->request, text) == 0)
		return revoking;
	request_revoke_forget(ctl, sv_from(request->key)); /* another wish */
	revoking = xcalloc(1, sizeof(*revoking));
	revoking->ctl = ctl;
	revoking->key = xstrdup(request->key);
	revoking->request = xstrdup(text);
	revoking->use.changed = use_changed;
	(void)map_put(all_of(ctl), sv_from(request->key), revoking);
	return revoking;
}

/* ---- asking ---- */

static void answered(void *arg, const struct acme_result *result)
{
	struct revoking *revoking = arg;
	const struct object *request =
		store_get(revoking->ctl->config.store, sv_from(revoking->key));

	revoking->call = NULL;
	account_count(revoking->ctl, result);
	if (request == NULL)
		return; /* its deletion ends this */
	revoking->info =
		result->outcome == ACME_OK
			? revoke_done(revoking->request, revoking->reason, revoking->serial, false)
			: revoke_failed(
				  revoking->request, result,
				  json_int_at(request->json, "status.revocation.failures", 0));
	ctl_queue(revoking->ctl, CTL_REQUEST, sv_from(revoking->key));
}

/* The serial of the first certificate, which is sent. */
static void ask(struct revoking *revoking, struct acme_client *client, X509 *leaf)
{
	struct acme_revocation what = {.reason = revoking->reason->code};
	struct cert_info info;
	unsigned char *der = NULL;
	int len;

	if (cert_info_read(leaf, &info, NULL) < 0)
		return;
	free(revoking->serial);
	revoking->serial = xstrdup(info.serial);
	cert_info_deinit(&info);
	len = i2d_X509(leaf, &der);
	if (len <= 0)
		return;
	what.cert_der = sv_new((char *)der, (size_t)len);
	revoking->call = acme_revoke(client, &what, answered, revoking);
	OPENSSL_free(der);
}

static bool chain_of(const struct object *request, struct cert_chain *chain)
{
	AUTO(buf_deinit) struct buf pem;

	buf_init(&pem, ISSUANCE_TEXT_MAX);
	return base64_at(request->json, "status.certificate", &pem) &&
	       chain_from_pem(buf_view(&pem), chain, NULL) == 0 && chain->count > 0;
}

static void begin(struct revoking *revoking, const struct object *request)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	struct acme_client *client;
	const char *words = NULL;
	struct issuer issuer;

	revoking->reason = revoke_reason(revoking->request);
	if (revoking->reason == NULL)
		words = NOTE_REVOKE_WORDS;
	else if (!chain_of(request, &chain))
		words = "not revoked: the request holds no certificate";
	else if (!issuer_find(revoking->ctl, object_namespace(request),
			      json_at(request->json, "spec.issuerRef"), &issuer) ||
		 issuer_type_of(issuer.object) != &issuer_acme)
		words = "not revoked: the certificate was not issued by an ACME issuer that is "
			"still there";
	if (words != NULL) {
		revoking->info = revoke_info(revoking->request, "NotPossible", words);
		return;
	}
	client = account_client(revoking->ctl, &issuer, &revoking->use);
	if (client != NULL) /* else the use tells when it can be had */
		ask(revoking, client, chain.certs[0]);
}

/* ---- what came of it ---- */

static void store_info(struct revoking *revoking, const struct object *request)
{
	struct controllers *ctl = revoking->ctl;
	json_t *status = status_copy(request);
	json_t *info = json_deep_copy(revoking->info);
	bool done = json_str_at(info, "time") != NULL;
	const char *words = json_str_at(info, "message");

	status_condition(status, request, "Revoked", done ? COND_TRUE : COND_FALSE,
			 json_str_at(info, "conditionReason"), "%s", words);
	json_object_del(info, "conditionReason");
	json_object_set_new(status, "revocation", info);
	if (json_same(json_member(request->json, "status"), status)) { /* it is stored */
		ctl_event(revoking->ctl, kind_of_request(), request, done ? "Normal" : "Warning",
			  done ? "Revoked" : "RevocationFailed", "%s", words);
		json_decref(status);
		request_revoke_forget(ctl, sv_from(request->key)); /* frees revoking */
		ctl_queue(ctl, CTL_REQUEST, sv_from(request->key));
		return;
	}
	ctl_put_status(revoking->ctl, CTL_REQUEST, request, status);
}

static void drop_note(struct controllers *ctl, const struct object *request)
{
	json_t *body;

	if (note_of(request, SOURCE_ANNOTATION) != NULL)
		return;
	body = json_deep_copy(request->json);
	json_object_del(json_object_get(json_object_get(body, "metadata"), "annotations"),
			NOTE_REVOKE);
	json_object_del(json_object_get(json_object_get(body, "status"), "revocation"), "request");
	put_object(&(struct wake){ctl, CTL_REQUEST, request->key}, kind_of_request(), request,
		   body);
}

void request_revoke(struct controllers *ctl, const struct object *request)
{
	const char *text = note_of(request, NOTE_REVOKE);
	const json_t *info = json_at(request->json, "status.revocation");
	struct revoking *revoking = map_get(all_of(ctl), sv_from(request->key));
	int64_t next;

	if (text == NULL) {
		request_revoke_forget(ctl, sv_from(request->key));
		return;
	}
	if ((revoking == NULL || revoking->info == NULL) &&
	    sv_eq(json_sv_at(info, "request"), sv_from(text))) {
		if (!json_time_at(info, "nextTryTime", &next)) {
			drop_note(ctl, request);
			return;
		}
		if (attempt_waits(next, ctl_now())) {
			ctl_queue_in(ctl, CTL_REQUEST, sv_from(request->key),
				     wall_wait_ms(next, ctl_now(), LOOK_AGAIN_MS));
			return;
		}
	}
	revoking = revoking_get(ctl, request, text);
	if (revoking->call == NULL && revoking->info == NULL)
		begin(revoking, request);
	if (revoking->info != NULL)
		store_info(revoking, request);
}

/* ---- life ---- */

int request_revoke_start(struct controllers *ctl, struct err *err)
{
	(void)err;
	ctl->state[CTL_REQUEST] = xcalloc(1, sizeof(struct map));
	return 0;
}

/* The clients of the accounts have ended, and the calls with them: CTL_ISSUER stops first. */
void request_revoke_stop(struct controllers *ctl)
{
	map_deinit(all_of(ctl), revoking_free);
	free(TAKE(ctl->state[CTL_REQUEST]));
}
