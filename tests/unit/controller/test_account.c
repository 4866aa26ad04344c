/* What a user wants of an account, and what a CA does to it: against a CA in memory, with answers
 * that get lost and processes that end at each request. */
#include "certlab.h"
#include "fakeca.h"

#include "pki/jws.h"

#define ISSUER  "cert-manager.io/clusterissuers//fake"
#define ACCOUNT "core/secrets/sallyport-system/account"

static void apply_issuer(struct certlab *lab, const char *notes)
{
	AUTO(auto_free)
	char *yaml = xasprintf("apiVersion: cert-manager.io/v1\n"
			       "kind: ClusterIssuer\n"
			       "metadata:\n"
			       "  name: fake\n"
			       "  annotations: {sallyport.dev/self-check: 'off'%s}\n"
			       "spec: {acme: {server: https://ca.test/dir, email: a@b.test,\n"
			       "  privateKeySecretRef: {name: account}}}\n",
			       notes);

	certlab_apply(lab, yaml);
}

static void apply_certificate(struct certlab *lab)
{
	certlab_apply(lab, "apiVersion: gateway.networking.k8s.io/v1\n"
			   "kind: Gateway\n"
			   "metadata: {name: gw}\n"
			   "spec:\n"
			   "  gatewayClassName: sallyport\n"
			   "  addresses: [{type: IPAddress, value: 127.0.0.1}]\n"
			   "  listeners: [{name: http, port: %P%, protocol: HTTP}]\n"
			   "---\n"
			   "apiVersion: cert-manager.io/v1\n"
			   "kind: Certificate\n"
			   "metadata: {name: site}\n"
			   "spec:\n"
			   "  secretName: site\n"
			   "  dnsNames: [a.example]\n"
			   "  privateKey: {algorithm: ECDSA}\n"
			   "  issuerRef: {name: fake, kind: ClusterIssuer}\n");
}

static int setup(void **state)
{
	struct certlab *lab = xcalloc(1, sizeof(*lab));

	certlab_open(lab, NULL, "127.0.0.1:9");
	fake_ca_reset(lab->loop);
	certlab_start(lab);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	certlab_close(*state);
	fake_ca_free();
	free(*state);
	return 0;
}

static void expect_ready(struct certlab *lab)
{
	certlab_expect(lab, ISSUER, "Ready", "True/ACMEAccountRegistered");
}

static void expect_words(struct certlab *lab, const char *type, const char *words)
{
	const json_t *condition =
		condition_find(json_at(certlab_get(lab, ISSUER), "status.conditions"), type);
	const char *message = json_str_at(condition, "message");

	if (message == NULL || strstr(message, words) == NULL)
		fail_msg("%s says: %s", type, message);
}

/* The Secret holds one key, which is the account's. */
static bool has_the_accounts_key(struct certlab *lab, const void *arg)
{
	const struct object *secret = store_get(lab->store, sv_from(ACCOUNT));
	AUTO(auto_key) EVP_PKEY *key = NULL;
	struct buf text;
	bool same;

	(void)arg;
	if (secret == NULL || json_object_size(json_member(secret->json, "data")) != 1)
		return false;
	key = secret_key(secret, "tls.key", NULL);
	buf_init(&text, 256);
	same = key != NULL && jwk_thumbprint(key, &text, NULL) == 0 &&
	       strcmp(buf_cstr(&text), fake_ca.account_key) == 0;
	buf_deinit(&text);
	return same;
}

static bool has_rolled(struct certlab *lab, const void *arg)
{
	return strcmp(certlab_condition(lab, ISSUER, "AccountRollover"), "True/RolledOver") == 0 &&
	       has_the_accounts_key(lab, arg);
}

static bool has_rolled_or_stopped(struct certlab *lab, const void *arg)
{
	return fake_ca.stopped || has_rolled(lab, arg);
}

/* An account, a rollover, and a certificate by the new key. */
static void expect_rolled(struct certlab *lab, const char old[64])
{
	certlab_until(lab, has_rolled, NULL, "the account to have its new key");
	assert_string_not_equal(fake_ca.account_key, old);
	assert_int_equal(fake_ca.accounts, 1);
	expect_ready(lab);
	apply_certificate(lab);
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
}

static void test_rollover(void **state)
{
	struct certlab *lab = *state;
	char old[64];

	apply_issuer(lab, "");
	expect_ready(lab);
	memcpy(old, fake_ca.account_key, sizeof(old));
	apply_issuer(lab, ", sallyport.dev/account-rollover: '1'");
	expect_rolled(lab, old);
	assert_int_equal(fake_ca.asked[FAKE_KEY_CHANGE], 1);
	assert_int_equal(fake_ca.asked[FAKE_ACCOUNT], 1);
	/* once for each wish, over a restart as well */
	certlab_kill(lab);
	certlab_start(lab);
	certlab_settle(lab);
	assert_int_equal(fake_ca.asked[FAKE_KEY_CHANGE], 1);
	apply_issuer(lab, ", sallyport.dev/account-rollover: '2', "
			  "sallyport.dev/account-key: ECDSA-P384");
	memcpy(old, fake_ca.account_key, sizeof(old));
	certlab_settle(lab);
	expect_rolled(lab, old);
	assert_int_equal(fake_ca.asked[FAKE_KEY_CHANGE], 2);
	assert_string_equal(json_str_at(certlab_get(lab, ISSUER), "status.acme.keyAlgorithm"),
			    "ECDSA-P384");
}

/* F49: the CA did it, and nobody heard. */
static void test_rollover_lost(void **state)
{
	struct certlab *lab = *state;
	char old[64];

	apply_issuer(lab, "");
	expect_ready(lab);
	memcpy(old, fake_ca.account_key, sizeof(old));
	fake_ca.fault =
		(struct fake_fault){.step = FAKE_KEY_CHANGE,
				    .result = {.step = "keyChange", .outcome = ACME_RETRY_LATER},
				    .acted = true};
	apply_issuer(lab, ", sallyport.dev/account-rollover: '1'");
	expect_rolled(lab, old);
	assert_int_equal(fake_ca.asked[FAKE_ACCOUNT_FIND], 1);
}

static void test_rollover_refused(void **state)
{
	struct certlab *lab = *state;
	char old[64];

	apply_issuer(lab, "");
	expect_ready(lab);
	memcpy(old, fake_ca.account_key, sizeof(old));
	fake_ca.fault =
		(struct fake_fault){.step = FAKE_KEY_CHANGE,
				    .result = {.step = "keyChange",
					       .outcome = ACME_REFUSED,
					       .http_status = 400,
					       .problem = {"badPublicKey", "not this one"}}};
	apply_issuer(lab, ", sallyport.dev/account-rollover: '1'");
	certlab_expect(lab, ISSUER, "AccountRollover", "False/RolloverRefused");
	expect_words(lab, "AccountRollover", "not this one");
	certlab_until(lab, has_the_accounts_key, NULL, "the next key to go");
	assert_string_equal(fake_ca.account_key, old);
	certlab_settle(lab);
	assert_int_equal(fake_ca.asked[FAKE_KEY_CHANGE], 1);
	expect_ready(lab);
	apply_certificate(lab);
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
}

static bool roll_with_a_kill(struct certlab *lab, unsigned at, bool before)
{
	char old[64];

	apply_issuer(lab, "");
	expect_ready(lab);
	memcpy(old, fake_ca.account_key, sizeof(old));
	fake_ca.requests = 0;
	fake_ca.stop_at = at;
	fake_ca.stop_before = before;
	apply_issuer(lab, ", sallyport.dev/account-rollover: '1'");
	certlab_until(lab, has_rolled_or_stopped, NULL, "the new key, or the end");
	if (!fake_ca.stopped)
		return false;
	certlab_kill(lab);
	fake_ca.stopped = false;
	certlab_start(lab);
	expect_rolled(lab, old);
	return true;
}

static void test_rollover_killed(void **state)
{
	for (int before = 0; before < 2; before++) {
		bool killed = true;
		unsigned at = 1;

		for (; killed; at++) {
			teardown(state);
			setup(state);
			killed = roll_with_a_kill(*state, at, before == 1);
		}
		assert_true(at > 2);
	}
}

static void test_deactivation(void **state)
{
	struct certlab *lab = *state;

	apply_issuer(lab, "");
	expect_ready(lab);
	apply_issuer(lab, ", sallyport.dev/account-deactivate: '1'");
	certlab_expect(lab, ISSUER, "Ready", "False/AccountDeactivated");
	assert_true(fake_ca.ended);
	certlab_until(lab, has_the_accounts_key, NULL, "the key to stay");
	certlab_settle(lab);
	expect_words(lab, "Ready", "as was asked for");
	/* asked once; not used by orders; not made again by itself */
	certlab_kill(lab);
	certlab_start(lab);
	apply_certificate(lab);
	certlab_settle(lab);
	assert_int_equal(fake_ca.asked[FAKE_ACCOUNT_END], 1);
	assert_int_equal(fake_ca.asked[FAKE_ORDER_NEW], 0);
	apply_issuer(lab, ""); /* the key is still of an account that has ended */
	certlab_settle(lab);
	certlab_expect(lab, ISSUER, "Ready", "False/AccountDeactivated");
	certlab_delete(lab, ACCOUNT);
	expect_ready(lab);
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	assert_int_equal(fake_ca.accounts, 2);
}

static void test_terms(void **state)
{
	static const struct fake_fault refusal = {
		.step = FAKE_ORDER_NEW,
		.result = {.step = "newOrder",
			   .outcome = ACME_REFUSED,
			   .http_status = 403,
			   .problem = {"userActionRequired", "see https://ca.test/terms"}},
		.times = 1};
	struct certlab *lab = *state;

	fake_ca.fault = refusal;
	apply_issuer(lab, "");
	expect_ready(lab);
	apply_certificate(lab);
	certlab_expect(lab, ISSUER, "Ready", "False/UserActionRequired");
	expect_words(lab, "Ready", "https://ca.test/terms");
	certlab_settle(lab);
	assert_int_equal(fake_ca.asked[FAKE_ORDER_NEW], 1);
	/* the user has read them */
	apply_issuer(lab, ", sallyport.dev/terms-of-service: accept");
	expect_ready(lab);
	assert_int_equal(fake_ca.asked[FAKE_ACCOUNT], 2);
	/* by policy: agreed to, and ordered again at once */
	teardown(state);
	setup(state);
	lab = *state;
	fake_ca.fault = refusal;
	apply_issuer(lab, ", sallyport.dev/terms-of-service: accept");
	expect_ready(lab);
	apply_certificate(lab);
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	assert_int_equal(fake_ca.asked[FAKE_ORDER_NEW], 2);
	assert_int_equal(fake_ca.asked[FAKE_ACCOUNT], 2);
	/* a CA that is not content with it does not make a loop */
	teardown(state);
	setup(state);
	lab = *state;
	fake_ca.fault = refusal;
	fake_ca.fault.times = 0;
	apply_issuer(lab, ", sallyport.dev/terms-of-service: accept");
	expect_ready(lab);
	apply_certificate(lab);
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "True/UserActionRequired");
	certlab_settle(lab);
	assert_int_equal(fake_ca.asked[FAKE_ORDER_NEW], 2);
}

struct binding_case {
	const char *name;
	struct acme_result result;
	const char *ready;
};

static void test_bindings(void **state)
{
	static const struct binding_case cases[] = {
		{"none",
		 {.step = "newAccount",
		  .outcome = ACME_REFUSED,
		  .problem = {"externalAccountRequired", "one is needed"}},
		 "False/ExternalAccountRequired"},
		{"wrong",
		 {.step = "newAccount",
		  .outcome = ACME_REFUSED,
		  .http_status = 403,
		  .problem = {"unauthorized", "the MAC does not verify"}},
		 "False/ExternalAccountBindingRefused"},
		{"of an account that has ended",
		 {.step = "newAccount",
		  .outcome = ACME_REFUSED,
		  .http_status = 200,
		  .problem = {"unauthorized", "the account is deactivated at the CA"}},
		 "False/AccountDeactivated"},
	};
	struct certlab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fake_ca.fault =
			(struct fake_fault){.step = FAKE_ACCOUNT, .result = cases[i].result};
		certlab_apply(lab, "apiVersion: v1\nkind: Secret\n"
				   "metadata: {name: mac, namespace: sallyport-system}\n"
				   "stringData: {secret: c2VjcmV0}\n"
				   "---\n"
				   "apiVersion: cert-manager.io/v1\n"
				   "kind: ClusterIssuer\n"
				   "metadata: {name: fake}\n"
				   "spec: {acme: {server: https://ca.test/dir,\n"
				   "  privateKeySecretRef: {name: account},\n"
				   "  externalAccountBinding: {keyID: kid-1,\n"
				   "    keySecretRef: {name: mac, key: secret}}}}\n");
		certlab_expect(lab, ISSUER, "Ready", cases[i].ready);
		certlab_settle(lab);
		assert_int_equal(fake_ca.asked[FAKE_ACCOUNT], 1);
		teardown(state);
		setup(state);
		lab = *state;
	}
}

static void test_key_types(void **state)
{
	static const char *const words[] = {"ECDSA-P384", "RSA-2048", "RSA-3072"};
	struct certlab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		AUTO(auto_free)
		char *note = xasprintf(", sallyport.dev/account-key: %s", words[i]);

		apply_issuer(lab, note);
		expect_ready(lab);
		assert_string_equal(
			json_str_at(certlab_get(lab, ISSUER), "status.acme.keyAlgorithm"),
			words[i]);
		teardown(state);
		setup(state);
		lab = *state;
	}
	apply_issuer(lab, ", sallyport.dev/account-key: RSA-1024");
	certlab_expect(lab, ISSUER, "Ready", "False/InvalidConfig");
	assert_null(certlab_get(lab, ACCOUNT));
}

/* What the CA's directory says is there to be read. */
static void test_directory_is_shown(void **state)
{
	struct certlab *lab = *state;
	AUTO(auto_json) json_t *want = NULL;

	fake_ca.directory = json_pack(
		"{s:s, s:{s:s, s:{s:s}}}", "renewalInfo", "https://ca.test/ari", "meta",
		"termsOfService", "https://ca.test/terms", "profiles", "classic", "the usual one");
	apply_issuer(lab, "");
	expect_ready(lab);
	want = json_pack("{s:s, s:b, s:b, s:{s:s}}", "termsOfService", "https://ca.test/terms",
			 "externalAccountRequired", 0, "renewalInfo", 1, "profiles", "classic",
			 "the usual one");
	assert_true(json_same(json_at(certlab_get(lab, ISSUER), "status.acme.directory"), want));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rollover),        TEST(test_rollover_lost), TEST(test_rollover_refused),
		TEST(test_rollover_killed), TEST(test_deactivation),  TEST(test_terms),
		TEST(test_bindings),        TEST(test_key_types),     TEST(test_directory_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
