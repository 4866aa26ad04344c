/* Calls of one request, and those that look before they repeat it (RFC 8555, sections 7.4 to 7.6).
 */
#include "acme/call.h"

#include "acme/order.h"
#include "acme/revoke.h"
#include "base/enc.h"
#include "base/own.h"
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>

static char *base64url_text(struct str_view bytes)
{
	struct buf out;

	buf_init(&out, bytes.len * 2 + 16);
	enc_base64url(&out, bytes);
	return buf_detach(&out);
}

/* ---- POST-as-GET ---- */

static int check_shape(const json_t *body, struct err *err)
{
	struct acme_order order;
	struct acme_authz authz;
	struct err unfit = {0};

	if (!json_is_object(body))
		return err_set(err, ERR_PROTOCOL, "the answer is not a JSON object");
	if (!json_is_string(json_member(body, "status")))
		return err_set(err, ERR_PROTOCOL,
			       "the member \"status\" is missing or not a string");
	if (json_member(body, "authorizations") != NULL || json_member(body, "finalize") != NULL)
		return acme_order_read(body, &order, err);
	if (json_member(body, "challenges") == NULL && json_member(body, "identifier") == NULL)
		return 0;
	/* A token that is not fit is for the caller to judge: asking again does not help. */
	if (acme_authz_read(body, &authz, &unfit) != 0 && unfit.code == ERR_PROTOCOL)
		return err_set(err, ERR_PROTOCOL, "%s", unfit.msg);
	return 0;
}

static int check_order(const json_t *body, struct err *err)
{
	struct acme_order order;

	return acme_order_read(body, &order, err);
}

static const struct call_kind plain_kind = {0};

struct acme_call *acme_get(struct acme_client *client, const char *url, acme_done_fn *done,
			   void *arg)
{
	struct acme_call *call = call_new(client, &plain_kind, done, arg);
	struct call_request request = {
		.step = "read", .resource = CALL_URL, .url = xstrdup(url), .check = check_shape};

	call_send(call, &request, call_ok);
	return call;
}

struct acme_call *acme_deactivate_authorization(struct acme_client *client, const char *url,
						acme_done_fn *done, void *arg)
{
	struct acme_call *call = call_new(client, &plain_kind, done, arg);
	struct call_request request = {
		.step = "deactivate authorization",
		.resource = CALL_URL,
		.url = xstrdup(url),
		.payload = xstrdup("{\"status\":\"deactivated\"}"),
		.want = WANT_NOTHING,
	};

	call_send(call, &request, call_ok);
	return call;
}

/* ---- challenges ---- */

static struct call_request challenge_request(const char *url, bool read)
{
	return (struct call_request){
		.step = "challenge",
		.resource = CALL_URL,
		.url = xstrdup(url),
		.payload = read ? NULL : xstrdup("{}"),
		.once = !read,
		.check = check_shape,
	};
}

struct challenge_call {
	char *url;
	bool looked; /* after a refusal: once */
};

static void challenge_free(void *own)
{
	struct challenge_call *challenge = own;

	free(challenge->url);
	free(challenge);
}

static void challenge_seen(struct acme_call *call)
{
	const struct challenge_call *challenge = call->own;
	struct call_request request;

	if (!sv_eq(json_sv_at(call->body, "status"), SV("pending"))) {
		call_ok(call);
		return;
	}
	request = challenge_request(challenge->url, false);
	call_resend(call, &request, call_ok);
}

static void challenge_lost(struct acme_call *call)
{
	const struct challenge_call *challenge = call->own;
	struct call_request request = challenge_request(challenge->url, true);

	call_send(call, &request, challenge_seen);
}

/* Refused, since it was answered before (a crash, an authorization that is valid already)? */
static bool challenge_failed(struct acme_call *call)
{
	struct challenge_call *challenge = call->own;

	if (call->result.outcome != ACME_REFUSED ||
	    strcmp(call->result.problem.type, "malformed") != 0 || challenge->looked)
		return false;
	challenge->looked = true;
	call->main_retry = call->retry;
	challenge_lost(call);
	return true;
}

static const struct call_kind challenge_kind = {
	.lost = challenge_lost, .failed = challenge_failed, .free_own = challenge_free};

struct acme_call *acme_challenge_answer(struct acme_client *client, const char *url,
					acme_done_fn *done, void *arg)
{
	struct acme_call *call = call_new(client, &challenge_kind, done, arg);
	struct challenge_call *challenge = xcalloc(1, sizeof(*challenge));
	struct call_request request = challenge_request(url, false);

	challenge->url = xstrdup(url);
	call->own = challenge;
	call_send(call, &request, call_ok);
	return call;
}

/* ---- finalize ---- */

struct finalize_call {
	char *order_url, *url, *payload;
	bool looked; /* after orderNotReady: once */
};

static void finalize_free(void *own)
{
	struct finalize_call *finalize = own;

	free(finalize->order_url);
	free(finalize->url);
	free(finalize->payload);
	free(finalize);
}

static struct call_request finalize_request(const struct finalize_call *finalize)
{
	return (struct call_request){
		.step = "finalize",
		.resource = CALL_URL,
		.url = xstrdup(finalize->url),
		.payload = xstrdup(finalize->payload),
		.once = true,
		.check = check_order,
	};
}

static void order_seen(struct acme_call *call)
{
	struct call_request request;

	if (!sv_eq(json_sv_at(call->body, "status"), SV("ready"))) {
		call_ok(call);
		return;
	}
	request = finalize_request(call->own);
	call_resend(call, &request, call_ok);
}

static void finalize_lost(struct acme_call *call)
{
	const struct finalize_call *finalize = call->own;
	struct call_request request = {.step = "order",
				       .resource = CALL_URL,
				       .url = xstrdup(finalize->order_url),
				       .check = check_order};

	call_send(call, &request, order_seen);
}

static bool finalize_failed(struct acme_call *call)
{
	struct finalize_call *finalize = call->own;

	if (strcmp(call->result.problem.type, "orderNotReady") != 0 || finalize->looked)
		return false;
	finalize->looked = true;
	call->main_retry = call->retry;
	finalize_lost(call);
	return true;
}

static const struct call_kind finalize_kind = {
	.lost = finalize_lost, .failed = finalize_failed, .free_own = finalize_free};

struct acme_call *acme_finalize(struct acme_client *client, const struct acme_finalization *what,
				acme_done_fn *done, void *arg)
{
	struct acme_call *call = call_new(client, &finalize_kind, done, arg);
	struct finalize_call *finalize = xcalloc(1, sizeof(*finalize));
	AUTO(auto_free) char *csr = base64url_text(what->csr_der);
	struct call_request request;

	finalize->order_url = xstrdup(what->order_url);
	finalize->url = xstrdup(what->url);
	finalize->payload = xasprintf("{\"csr\":\"%s\"}", csr);
	call->own = finalize;
	request = finalize_request(finalize);
	call_send(call, &request, call_ok);
	return call;
}

/* ---- revocation ---- */

static bool revoke_failed(struct acme_call *call)
{
	if (strcmp(call->result.problem.type, "alreadyRevoked") != 0)
		return false;
	call_ok(call);
	return true;
}

static void revoke_free(void *own)
{
	EVP_PKEY_free(own);
}

static const struct call_kind revoke_kind = {.failed = revoke_failed, .free_own = revoke_free};

struct acme_call *acme_revoke(struct acme_client *client, const struct acme_revocation *what,
			      acme_done_fn *done, void *arg)
{
	struct acme_call *call = call_new(client, &revoke_kind, done, arg);
	AUTO(auto_free) char *cert = base64url_text(what->cert_der);
	struct call_request request = {
		.step = "revokeCert",
		.resource = ACME_REVOKE_CERT,
		.payload = xasprintf("{\"certificate\":\"%s\",\"reason\":%d}", cert, what->reason),
		.jwk = what->key != NULL,
		.key = what->key,
		.want = WANT_NOTHING,
	};

	if (what->key != NULL)
		EVP_PKEY_up_ref(what->key);
	call->own = what->key;
	call_send(call, &request, call_ok);
	return call;
}

/* ---- renewal information (RFC 9773) ---- */

static int renewal_prepare(struct acme_call *call, struct acme_result *result)
{
	const char *base = call->client->directory.urls[ACME_RENEWAL_INFO];
	const char *id = call->own;
	size_t len = base == NULL ? 0 : strlen(base);

	if (base == NULL) {
		result->outcome = ACME_REFUSED;
		snprintf(result->problem.text, sizeof(result->problem.text),
			 "the directory has no renewalInfo");
		return -1;
	}
	free(call->request.url);
	call->request.url =
		xasprintf("%s%s%s", base, len > 0 && base[len - 1] == '/' ? "" : "/", id);
	return 0;
}

static const struct call_kind renewal_kind = {.prepare = renewal_prepare, .free_own = free};

struct acme_call *acme_renewal_info(struct acme_client *client, struct str_view id,
				    acme_done_fn *done, void *arg)
{
	struct acme_call *call = call_new(client, &renewal_kind, done, arg);
	struct call_request request = {.step = "renewalInfo", .resource = CALL_URL, .plain = true};

	call->own = sv_dup(id);
	call_send(call, &request, call_ok);
	return call;
}
