#include "fakeca.h"
#include "acme/account.h"

#include "acme/order.h"
#include "acme/revoke.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/own.h"
#include "codec/json.h"
#include "pki/jws.h"
#include "pki/x509.h"

#include <stdio.h>
#include <stdlib.h>

#define HOST "https://ca.test"

struct fake_ca fake_ca;

struct acme_client {
	struct list calls;
	char *kid;
	char thumbprint[64];
};

struct acme_call {
	struct list link;
	struct acme_client *client;
	struct task task;
	enum fake_step step;
	char *url;
	char names[FAKE_NAMES_MAX][64];
	size_t count;
	struct buf csr;
	char key[64]; /* thumbprint of the key that signs, or is to sign */
	char replaces[256];
	int reason;
	bool by_key;
	acme_done_fn *done;
	void *arg;
};

/* ---- the model ---- */

static X509 *make_cert(struct str_view csr, EVP_PKEY *own)
{
	struct str_view url = sv_from(fake_ca.issuer_url);
	struct x509_sign_how how = {.issuer = fake_ca.root,
				    .issuer_urls = {.urls = &url, .count = url.len > 0 ? 1 : 0},
				    .issuer_key = fake_ca.key,
				    .not_before = clock_wall() + fake_ca.not_before,
				    .usages.purposes = X509_USAGE_SERVER};

	how.not_after = how.not_before + 90 * INT64_C(86400);
	if (own != NULL) { /* the root itself */
		how.issuer = NULL;
		how.is_ca = true;
		how.not_before = clock_wall() - 3600;
	}
	return cert_sign(csr, &how, NULL);
}

void fake_ca_reset(struct loop *loop)
{
	struct cert_names names = {.common_name = SV("Fake CA")};
	struct buf csr;

	fake_ca_free();
	fake_ca.loop = loop;
	fake_ca.key = key_make(KEY_ECDSA_P256, NULL);
	buf_init(&csr, 65536);
	if (csr_make(fake_ca.key, &names, &csr, NULL) == 0)
		fake_ca.root = make_cert(buf_view(&csr), fake_ca.key);
	buf_deinit(&csr);
}

void fake_ca_free(void)
{
	for (size_t i = 0; i < FAKE_ORDERS_MAX; i++)
		X509_free(fake_ca.order[i].cert);
	EVP_PKEY_free(fake_ca.key);
	X509_free(fake_ca.root);
	json_decref(fake_ca.directory);
	json_decref(fake_ca.renewal_info);
	fake_ca = (struct fake_ca){0};
}

static json_t *order_body(unsigned number)
{
	const struct fake_order *order = &fake_ca.order[number];
	json_t *body =
		json_pack("{s:s, s:o, s:[], s:[]}", "status", order->status, "finalize",
			  json_fmt(HOST "/finalize/%u", number), "authorizations", "identifiers");

	for (size_t i = 0; i < order->count; i++) {
		json_array_append_new(json_object_get(body, "authorizations"),
				      json_fmt(HOST "/authz/%u/%zu", number, i));
		json_array_append_new(
			json_object_get(body, "identifiers"),
			json_pack("{s:s, s:s}", "type", "dns", "value", order->names[i]));
	}
	if (strcmp(order->status, "valid") == 0)
		json_object_set_new(body, "certificate", json_fmt(HOST "/cert/%u", number));
	return body;
}

static json_t *authz_body(unsigned number, unsigned index)
{
	const struct fake_order *order = &fake_ca.order[number];
	const char *status = order->authz[index];
	json_t *challenge = json_pack("{s:s, s:o, s:o, s:s}", "type", "http-01", "url",
				      json_fmt(HOST "/chall/%u/%u", number, index), "token",
				      json_fmt("token-of-order-%04u-name-%04u", number, index),
				      "status", status);

	if (strcmp(status, "invalid") == 0)
		json_object_set_new(
			challenge, "error",
			json_pack("{s:o, s:s}", "type",
				  json_fmt("urn:ietf:params:acme:error:%s", fake_ca.invalid_type),
				  "detail", "nobody answers there"));
	return json_pack("{s:s, s:{s:s, s:s}, s:[o]}", "status", status, "identifier", "type",
			 "dns", "value", order->names[index], "challenges", challenge);
}

static void validate(unsigned number, unsigned index)
{
	struct fake_order *order = &fake_ca.order[number];
	AUTO(auto_free) char *token = xasprintf("token-of-order-%04u-name-%04u", number, index);
	bool all = true;

	if (fake_ca.fetched != NULL)
		fake_ca.fetched(fake_ca.fetched_arg, sv_from(token));
	order->authz[index] = fake_ca.invalid_type == NULL ? "valid" : "invalid";
	for (size_t i = 0; i < order->count; i++)
		all = all && strcmp(order->authz[i], "valid") == 0;
	if (fake_ca.invalid_type != NULL)
		order->status = "invalid";
	else if (all)
		order->status = "ready";
}

static void make_order(const struct acme_call *call)
{
	struct fake_order *order = &fake_ca.order[fake_ca.orders++];

	memcpy(fake_ca.replaces, call->replaces, sizeof(fake_ca.replaces));
	memcpy(order->names, call->names, sizeof(order->names));
	order->count = call->count;
	order->status = "pending";
	for (size_t i = 0; i < order->count; i++)
		order->authz[i] = "pending";
}

static void finalize(unsigned number, struct str_view csr)
{
	struct fake_order *order = &fake_ca.order[number];

	if (strcmp(order->status, "ready") != 0)
		return;
	fake_ca.finalized++;
	order->status = "processing";
	order->cert = make_cert(csr, NULL);
}

/* ---- answers ---- */

struct answer {
	struct acme_result result;
	json_t *body;
	struct buf text;
	char location[64];
};

static void find_order(const struct acme_call *call, struct answer *answer)
{
	for (unsigned i = fake_ca.orders; i-- > 0;) {
		const struct fake_order *order = &fake_ca.order[i];

		if (order->count != call->count || strcmp(order->status, "valid") == 0 ||
		    strcmp(order->status, "invalid") == 0 ||
		    memcmp(order->names, call->names, sizeof(order->names)) != 0)
			continue;
		answer->body = order_body(i);
		snprintf(answer->location, sizeof(answer->location), HOST "/order/%u", i);
		return;
	}
	answer->result.outcome = ACME_GONE;
	answer->result.step = "orders";
}

static void get_certificate(unsigned number, struct answer *answer)
{
	struct cert_chain chain = {.count = 2, .certs = {fake_ca.order[number].cert, fake_ca.root}};

	if (fake_ca.wrong_key) {
		chain.certs[0] = fake_ca.root;
		chain.count = 1;
	}
	if (fake_ca.leaf_only)
		chain.count = 1;
	buf_init(&answer->text, 65536);
	(void)chain_to_pem(&chain, &answer->text, NULL);
	answer->result.text = buf_view(&answer->text);
}

static void refuse(struct answer *answer, const char *type)
{
	answer->result.outcome = ACME_REFUSED;
	answer->result.http_status = 400;
	snprintf(answer->result.problem.type, sizeof(answer->result.problem.type), "%s", type);
	snprintf(answer->result.problem.text, sizeof(answer->result.problem.text), "%s", type);
}

static void account(const struct acme_call *call, struct answer *answer)
{
	bool known = strcmp(fake_ca.account_key, call->client->thumbprint) == 0;

	if (known && fake_ca.ended) {
		refuse(answer, "unauthorized");
		return;
	}
	if (!known && call->step == FAKE_ACCOUNT_FIND) {
		refuse(answer, "accountDoesNotExist");
		return;
	}
	fake_ca.accounts += known ? 0 : 1;
	fake_ca.ended = false;
	memcpy(fake_ca.account_key, call->client->thumbprint, sizeof(fake_ca.account_key));
	snprintf(answer->location, sizeof(answer->location), HOST "/account/%u", fake_ca.accounts);
}

/* A request that is signed with the account's key, or with none. */
static bool is_signed_well(const struct acme_call *call)
{
	return call->step == FAKE_ACCOUNT || call->step == FAKE_ACCOUNT_FIND ||
	       call->step == FAKE_RENEWAL_INFO || call->by_key || fake_ca.any_account ||
	       (!fake_ca.ended && strcmp(fake_ca.account_key, call->client->thumbprint) == 0);
}

static void act(const struct acme_call *call, struct answer *answer)
{
	unsigned number = 0, index = 0;
	const char *digits = call->url == NULL ? NULL : strpbrk(call->url, "0123456789");

	if (digits != NULL)
		(void)sscanf(digits, "%u/%u", &number, &index);
	if (!is_signed_well(call)) {
		refuse(answer, "unauthorized");
		return;
	}
	switch (call->step) {
	case FAKE_ACCOUNT:
	case FAKE_ACCOUNT_FIND:
		account(call, answer);
		break;
	case FAKE_ACCOUNT_END:
		fake_ca.ended = true;
		break;
	case FAKE_KEY_CHANGE:
		memcpy(fake_ca.account_key, call->key, sizeof(fake_ca.account_key));
		break;
	case FAKE_REVOKE:
		fake_ca.revoked++;
		fake_ca.reason = call->reason;
		fake_ca.revoked_by_key = call->by_key;
		break;
	case FAKE_RENEWAL_INFO:
		answer->body = json_incref(fake_ca.renewal_info);
		answer->result.outcome = answer->body == NULL ? ACME_GONE : ACME_OK;
		break;
	case FAKE_ORDER_NEW:
		make_order(call);
		answer->body = order_body(fake_ca.orders - 1);
		snprintf(answer->location, sizeof(answer->location), HOST "/order/%u",
			 fake_ca.orders - 1);
		break;
	case FAKE_ORDER_FIND:
		find_order(call, answer);
		break;
	case FAKE_AUTHZ:
		answer->body = authz_body(number, index);
		break;
	case FAKE_CHALLENGE:
		validate(number, index);
		answer->body = json_pack("{s:s}", "status", "processing");
		break;
	case FAKE_FINALIZE:
		finalize(number, buf_view(&call->csr));
		answer->body = order_body(number);
		break;
	case FAKE_ORDER:
		answer->body = order_body(number);
		if (strcmp(fake_ca.order[number].status, "processing") == 0)
			fake_ca.order[number].status = "valid"; /* at the next look */
		break;
	case FAKE_CERTIFICATE:
		get_certificate(number, answer);
		break;
	case FAKE_ACCOUNT_LOOK:
		answer->body = json_pack("{s:s}", "status", "valid");
		break;
	case FAKE_CONTACT:
	case FAKE_DEACTIVATE:
	case FAKE_STEP_COUNT:
		break;
	}
}

static bool faulty(const struct acme_call *call)
{
	struct fake_fault *fault = &fake_ca.fault;

	return fault->result.step != NULL && fault->step == call->step &&
	       (fault->times == 0 || fault->hits < fault->times);
}

static void call_free(struct acme_call *call)
{
	list_remove(&call->link);
	task_cancel(&call->task);
	buf_deinit(&call->csr);
	free(call->url);
	free(call);
}

static void deliver(struct acme_call *call, struct answer *answer)
{
	if (answer->location[0] != '\0')
		answer->result.location = answer->location;
	answer->result.body = answer->body;
	if (answer->location[0] != '\0' && strstr(answer->location, "/account/") != NULL) {
		free(call->client->kid);
		call->client->kid = xstrdup(answer->location);
	}
	call->done(call->arg, &answer->result);
	call_free(call);
}

static void answer_call(struct task *task)
{
	static const char *const words[FAKE_STEP_COUNT] = {"newAccount",
							   "account",
							   "newOrder",
							   "orders",
							   "read",
							   "challenge",
							   "read",
							   "finalize",
							   "certificate",
							   "read",
							   "deactivate authorization",
							   "newAccount",
							   "deactivate account",
							   "keyChange",
							   "revokeCert",
							   "renewalInfo"};
	struct acme_call *call = CONTAINER_OF(task, struct acme_call, task);
	struct answer answer = {
		.result = {.step = words[call->step], .http_status = 200, .retry_after_ms = -1}};
	bool faults = faulty(call), stops = ++fake_ca.requests == fake_ca.stop_at;

	fake_ca.asked[call->step]++;
	if ((!faults || fake_ca.fault.acted) && !(stops && fake_ca.stop_before))
		act(call, &answer);
	if (faults) {
		fake_ca.fault.hits++;
		answer.result = fake_ca.fault.result;
		answer.location[0] = '\0';
		if (strcmp(answer.result.problem.type, "accountDoesNotExist") == 0) {
			free(call->client->kid);
			call->client->kid = NULL;
		}
	}
	if (stops) {
		fake_ca.stopped = true;
		loop_stop(fake_ca.loop);
	} else if (!fake_ca.stopped) {
		deliver(call, &answer);
	}
	json_decref(answer.body);
	buf_deinit(&answer.text);
}

static struct acme_call *call_new(struct acme_client *client, enum fake_step step, const char *url,
				  acme_done_fn *done, void *arg)
{
	struct acme_call *call = xcalloc(1, sizeof(*call));

	call->client = client;
	call->step = step;
	call->url = url == NULL ? NULL : xstrdup(url);
	call->done = done;
	call->arg = arg;
	buf_init(&call->csr, 65536);
	list_append(&client->calls, &call->link);
	task_init(&call->task, answer_call);
	task_defer(fake_ca.loop, &call->task);
	return call;
}

/* ---- acme/client.h ---- */

static void thumbprint_of(EVP_PKEY *key, char out[64])
{
	struct buf text;

	buf_init(&text, 256);
	(void)jwk_thumbprint(key, &text, NULL);
	snprintf(out, 64, "%s", buf_cstr(&text));
	buf_deinit(&text);
}

struct acme_client *acme_client_new(struct loop *loop, struct fetcher *fetcher,
				    const struct acme_config *config, struct err *err)
{
	struct acme_client *client = xcalloc(1, sizeof(*client));

	(void)loop;
	(void)fetcher;
	(void)err;
	list_init(&client->calls);
	client->kid = config->kid == NULL ? NULL : xstrdup(config->kid);
	thumbprint_of(config->key, client->thumbprint);
	return client;
}

void acme_client_free(struct acme_client *client)
{
	if (client == NULL)
		return;
	LIST_EACH(&client->calls, node)
	{
		call_free(LIST_ENTRY(node, struct acme_call, link));
	}
	free(client->kid);
	free(client);
}

const char *acme_client_kid(const struct acme_client *client)
{
	return client->kid;
}

void acme_client_reset_limits(struct acme_client *client)
{
	(void)client;
}

const json_t *acme_client_directory(const struct acme_client *client)
{
	(void)client;
	return fake_ca.directory;
}

bool acme_client_busy(const struct acme_client *client)
{
	return !list_empty(&client->calls);
}

struct acme_call *acme_account_find(struct acme_client *client, acme_done_fn *done, void *arg)
{
	return call_new(client, FAKE_ACCOUNT_FIND, NULL, done, arg);
}

struct acme_call *acme_account_deactivate(struct acme_client *client, acme_done_fn *done, void *arg)
{
	return call_new(client, FAKE_ACCOUNT_END, NULL, done, arg);
}

struct acme_call *acme_key_change(struct acme_client *client, EVP_PKEY *key, acme_done_fn *done,
				  void *arg)
{
	struct acme_call *call = call_new(client, FAKE_KEY_CHANGE, NULL, done, arg);

	thumbprint_of(key, call->key);
	return call;
}

struct acme_call *acme_renewal_info(struct acme_client *client, struct str_view id,
				    acme_done_fn *done, void *arg)
{
	(void)id;
	return call_new(client, FAKE_RENEWAL_INFO, NULL, done, arg);
}

struct acme_call *acme_account(struct acme_client *client, struct str_view email,
			       const struct acme_eab *eab, acme_done_fn *done, void *arg)
{
	(void)email;
	(void)eab;
	return call_new(client, FAKE_ACCOUNT, NULL, done, arg);
}

struct acme_call *acme_account_contact(struct acme_client *client, struct str_view email,
				       acme_done_fn *done, void *arg)
{
	(void)email;
	return call_new(client, FAKE_CONTACT, NULL, done, arg);
}

static struct acme_call *order_call(struct acme_client *client, enum fake_step step,
				    const struct acme_new_order *order, acme_done_fn *done,
				    void *arg)
{
	struct acme_call *call = call_new(client, step, NULL, done, arg);

	for (size_t i = 0; i < order->dns_count && i < FAKE_NAMES_MAX; i++)
		snprintf(call->names[call->count++], sizeof(call->names[0]), "%.*s",
			 SV_ARG(order->dns[i]));
	snprintf(call->replaces, sizeof(call->replaces), "%.*s", SV_ARG(order->replaces));
	return call;
}

struct acme_call *acme_order_new(struct acme_client *client, const struct acme_new_order *order,
				 acme_done_fn *done, void *arg)
{
	return order_call(client, FAKE_ORDER_NEW, order, done, arg);
}

struct acme_call *acme_order_find(struct acme_client *client, const struct acme_new_order *order,
				  acme_done_fn *done, void *arg)
{
	return order_call(client, FAKE_ORDER_FIND, order, done, arg);
}

struct acme_call *acme_orders_list(struct acme_client *client, acme_done_fn *done, void *arg)
{
	return call_new(client, FAKE_ORDER_FIND, NULL, done, arg);
}

struct acme_call *acme_get(struct acme_client *client, const char *url, acme_done_fn *done,
			   void *arg)
{
	enum fake_step step = strstr(url, "/authz/") != NULL     ? FAKE_AUTHZ
			      : strstr(url, "/account/") != NULL ? FAKE_ACCOUNT_LOOK
								 : FAKE_ORDER;

	return call_new(client, step, url, done, arg);
}

struct acme_call *acme_challenge_answer(struct acme_client *client, const char *url,
					acme_done_fn *done, void *arg)
{
	return call_new(client, FAKE_CHALLENGE, url, done, arg);
}

struct acme_call *acme_finalize(struct acme_client *client, const struct acme_finalization *what,
				acme_done_fn *done, void *arg)
{
	struct acme_call *call = call_new(client, FAKE_FINALIZE, what->url, done, arg);

	buf_add(&call->csr, what->csr_der);
	return call;
}

struct acme_call *acme_certificate(struct acme_client *client, const char *url,
				   struct str_view preferred_chain, acme_done_fn *done, void *arg)
{
	(void)preferred_chain;
	return call_new(client, FAKE_CERTIFICATE, url, done, arg);
}

struct acme_call *acme_deactivate_authorization(struct acme_client *client, const char *url,
						acme_done_fn *done, void *arg)
{
	return call_new(client, FAKE_DEACTIVATE, url, done, arg);
}

struct acme_call *acme_revoke(struct acme_client *client, const struct acme_revocation *what,
			      acme_done_fn *done, void *arg)
{
	struct acme_call *call = call_new(client, FAKE_REVOKE, NULL, done, arg);

	call->reason = what->reason;
	call->by_key = what->key != NULL;
	return call;
}

void acme_cancel(struct acme_call *call)
{
	call_free(call);
}
