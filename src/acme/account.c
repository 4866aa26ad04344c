/* Accounts (RFC 8555, sections 7.3 and 7.3.4). */
#include "acme/account.h"
#include "acme/call.h"

#include "base/enc.h"
#include "base/own.h"
#include "codec/json.h"
#include "pki/jws.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

struct account_call {
	char *email, *eab_kid, *eab_alg;
	char *eab_key; /* secret: never in a message, cleared before it is freed */
	size_t eab_key_len;
};

static void account_free(void *own)
{
	struct account_call *account = own;

	OPENSSL_cleanse(account->eab_key, account->eab_key_len);
	free(account->eab_key);
	free(account->email);
	free(account->eab_kid);
	free(account->eab_alg);
	free(account);
}

/* The account's public key, signed with the key that the CA gave out of band. */
static json_t *external_binding(const struct acme_call *call, struct err *err)
{
	const struct account_call *account = call->own;
	const char *url = call->client->directory.urls[ACME_NEW_ACCOUNT];
	AUTO(auto_json) json_t *header = json_object();
	AUTO(auto_free) char *header_text = NULL;
	AUTO(buf_deinit) struct buf jwk, jws;
	struct str_view alg = sv_from(account->eab_alg);

	buf_init(&jwk, 8192);
	buf_init(&jws, 65536);
	json_object_set_new(header, "alg", json_sv(alg));
	json_object_set_new(header, "kid", json_sv(sv_from(account->eab_kid)));
	json_object_set_new(header, "url", json_sv(sv_from(url)));
	header_text = json_text(header);
	if (jwk_public(call->client->key, &jwk, err) != 0 ||
	    jws_sign_hmac(alg, sv_new(account->eab_key, account->eab_key_len), sv_from(header_text),
			  buf_view(&jwk), &jws, err) != 0)
		return NULL;
	return json_parse(buf_view(&jws), err);
}

static json_t *contact_of(const char *email)
{
	json_t *contact = json_array();

	if (email[0] != '\0')
		json_array_append_new(contact, json_fmt("mailto:%s", email));
	return contact;
}

static int account_payload(const struct acme_call *call, char **payload, struct err *err)
{
	const struct account_call *account = call->own;
	AUTO(auto_json) json_t *body = json_object();
	json_t *binding;

	json_object_set_new(body, "termsOfServiceAgreed", json_true());
	if (account->email[0] != '\0')
		json_object_set_new(body, "contact", contact_of(account->email));
	if (account->eab_kid != NULL) {
		binding = external_binding(call, err);
		if (binding == NULL)
			return -1;
		json_object_set_new(body, "externalAccountBinding", binding);
	}
	*payload = json_text(body);
	return 0;
}

/* Without the binding that the CA wants, an account can be found but not made. */
static int account_prepare(struct acme_call *call, struct acme_result *result)
{
	const struct account_call *account = call->own;
	struct err err = {0};

	free(TAKE(call->request.payload)); /* of another directory */
	if (account->eab_kid == NULL && directory_needs_eab(&call->client->directory)) {
		call->request.payload = xstrdup("{\"onlyReturnExisting\":true}");
		return 0;
	}
	if (account_payload(call, &call->request.payload, &err) == 0)
		return 0;
	result->outcome = ACME_BROKEN;
	snprintf(result->problem.text, sizeof(result->problem.text), "%.800s", err.msg);
	return -1;
}

static void account_good(struct acme_call *call)
{
	struct str_view status = json_sv_at(call->body, "status");

	if (call->location == NULL) {
		call_bad_answer(call,
				"the answer has no Location, so the account's URL is unknown");
		return;
	}
	if (status.len > 0 && !sv_eq(status, SV("valid"))) {
		call_end(call, ACME_REFUSED, "the account is %.*s at the CA",
			 SV_ARG(sv_head(status, 40)));
		return;
	}
	client_set_kid(call->client, call->location);
	call_ok(call);
}

static bool account_failed(struct acme_call *call)
{
	struct acme_problem *problem = &call->result.problem;
	const struct account_call *account = call->own;

	if (call->result.outcome != ACME_REFUSED)
		return false;
	if (problem->type[0] == '\0') { /* our words about the account's status */
		memcpy(problem->type, "unauthorized", sizeof("unauthorized"));
	} else if (strcmp(problem->type, "accountDoesNotExist") == 0 && account->eab_kid == NULL &&
		   directory_needs_eab(&call->client->directory)) {
		*problem = (struct acme_problem){
			.type = "externalAccountRequired",
			.text = "the CA makes accounts only with an external account binding: give "
				"its key ID and key in spec.acme.externalAccountBinding",
		};
	}
	return false;
}

static const struct call_kind account_kind = {
	.prepare = account_prepare, .failed = account_failed, .free_own = account_free};

struct acme_call *acme_account(struct acme_client *client, struct str_view email,
			       const struct acme_eab *eab, acme_done_fn *done, void *arg)
{
	struct acme_call *call = call_new(client, &account_kind, done, arg);
	struct account_call *account = xcalloc(1, sizeof(*account));
	struct call_request request = {
		.step = "newAccount", .resource = ACME_NEW_ACCOUNT, .jwk = true};

	account->email = sv_dup(email);
	if (eab != NULL) {
		account->eab_kid = sv_dup(eab->kid);
		account->eab_alg = sv_dup(eab->alg);
		account->eab_key = sv_dup(eab->mac_key);
		account->eab_key_len = eab->mac_key.len;
	}
	call->own = account;
	call_send(call, &request, account_good);
	return call;
}

static const struct call_kind contact_kind = {0};

struct acme_call *acme_account_contact(struct acme_client *client, struct str_view email,
				       acme_done_fn *done, void *arg)
{
	struct acme_call *call = call_new(client, &contact_kind, done, arg);
	AUTO(auto_free) char *address = sv_dup(email);
	AUTO(auto_json) json_t *body = json_object();
	struct call_request request = {.step = "account", .resource = CALL_URL};

	json_object_set_new(body, "contact", contact_of(address));
	request.payload = json_text(body);
	call_send(call, &request, call_ok);
	return call;
}

/* ---- an account that is there already ---- */

struct acme_call *acme_account_find(struct acme_client *client, acme_done_fn *done, void *arg)
{
	struct acme_call *call = call_new(client, &contact_kind, done, arg);
	struct call_request request = {.step = "newAccount",
				       .resource = ACME_NEW_ACCOUNT,
				       .payload = xstrdup("{\"onlyReturnExisting\":true}"),
				       .jwk = true};

	call_send(call, &request, account_good);
	return call;
}

/* Nobody is asked twice to end it: one that is refused now was ended before. */
static bool deactivate_failed(struct acme_call *call)
{
	if (call->result.outcome != ACME_REFUSED ||
	    strcmp(call->result.problem.type, "unauthorized") != 0)
		return false;
	call_ok(call);
	return true;
}

static const struct call_kind deactivate_kind = {.failed = deactivate_failed};

struct acme_call *acme_account_deactivate(struct acme_client *client, acme_done_fn *done, void *arg)
{
	struct acme_call *call = call_new(client, &deactivate_kind, done, arg);
	struct call_request request = {.step = "deactivate account",
				       .resource = CALL_URL,
				       .payload = xstrdup("{\"status\":\"deactivated\"}"),
				       .want = WANT_NOTHING};

	call_send(call, &request, call_ok);
	return call;
}

/* ---- another key ---- */

static json_t *jwk_of(EVP_PKEY *key, struct err *err)
{
	struct buf text;
	json_t *value;

	buf_init(&text, 8192);
	value = jwk_public(key, &text, err) == 0 ? json_parse(buf_view(&text), err) : NULL;
	buf_deinit(&text);
	return value;
}

/* The inner JWS: the new key says whose it wants to be (RFC 8555, section 7.3.5). */
static int change_payload(const struct acme_call *call, EVP_PKEY *key, struct buf *jws,
			  struct err *err)
{
	const struct acme_client *client = call->client;
	const char *alg = jws_alg(key), *url = client->directory.urls[ACME_KEY_CHANGE];
	AUTO(auto_json) json_t *old = jwk_of(client->key, err), *fresh = jwk_of(key, err);
	AUTO(auto_json) json_t *header = NULL, *payload = NULL;
	AUTO(auto_free) char *header_text = NULL, *payload_text = NULL;

	if (old == NULL || fresh == NULL)
		return -1;
	if (alg == NULL || client->kid == NULL)
		return err_set(err, ERR_UNSUPPORTED,
			       "the new account key is of a type that ACME cannot use");
	header = json_pack("{s:s, s:O, s:s}", "alg", alg, "jwk", fresh, "url", url);
	payload = json_pack("{s:s, s:O}", "account", client->kid, "oldKey", old);
	header_text = json_text(header);
	payload_text = json_text(payload);
	return jws_sign(key, sv_from(header_text), sv_from(payload_text), jws, err);
}

static int change_prepare(struct acme_call *call, struct acme_result *result)
{
	struct err err = {0};
	struct buf jws;
	int rc = -1;

	buf_init(&jws, 1u << 16);
	if (call->client->directory.urls[ACME_KEY_CHANGE] == NULL)
		err_set(&err, ERR_UNSUPPORTED, "the directory has no keyChange");
	else
		rc = change_payload(call, call->own, &jws, &err);
	free(TAKE(call->request.payload)); /* of another directory */
	if (rc == 0)
		call->request.payload = sv_dup(buf_view(&jws));
	buf_deinit(&jws);
	result->outcome = ACME_REFUSED;
	snprintf(result->problem.text, sizeof(result->problem.text), "%.800s", err.msg);
	return rc;
}

static void change_free(void *own)
{
	EVP_PKEY_free(own);
}

static const struct call_kind change_kind = {.prepare = change_prepare, .free_own = change_free};

struct acme_call *acme_key_change(struct acme_client *client, EVP_PKEY *key, acme_done_fn *done,
				  void *arg)
{
	struct acme_call *call = call_new(client, &change_kind, done, arg);
	struct call_request request = {
		.step = "keyChange", .resource = ACME_KEY_CHANGE, .want = WANT_NOTHING};

	EVP_PKEY_up_ref(key);
	call->own = key;
	call_send(call, &request, call_ok);
	return call;
}
