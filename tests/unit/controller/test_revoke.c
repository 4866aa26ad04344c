/* Revocation that a user asks for: by the account, by the certificate's key, once, and replaced. */
#include "certlab.h"
#include "fakeca.h"

#include "base/list.h"

#define ISSUER "cert-manager.io/clusterissuers//fake"

static void apply_certificate(struct certlab *lab, const char *notes)
{
	AUTO(auto_free)
	char *yaml = xasprintf("apiVersion: cert-manager.io/v1\n"
			       "kind: Certificate\n"
			       "metadata: {name: site, annotations: {%s}}\n"
			       "spec:\n"
			       "  secretName: site\n"
			       "  dnsNames: [a.example]\n"
			       "  privateKey: {algorithm: ECDSA, rotationPolicy: Never}\n"
			       "  issuerRef: {name: fake, kind: ClusterIssuer}\n",
			       notes);

	certlab_apply(lab, yaml);
}

static void apply_issuer(struct certlab *lab, const char *notes)
{
	AUTO(auto_free)
	char *yaml = xasprintf("apiVersion: cert-manager.io/v1\n"
			       "kind: ClusterIssuer\n"
			       "metadata:\n"
			       "  name: fake\n"
			       "  annotations: {sallyport.dev/self-check: 'off'%s}\n"
			       "spec: {acme: {server: https://ca.test/dir,\n"
			       "  privateKeySecretRef: {name: account}}}\n",
			       notes);

	certlab_apply(lab, yaml);
}

static int setup(void **state)
{
	struct certlab *lab = xcalloc(1, sizeof(*lab));

	certlab_open(lab, NULL, "127.0.0.1:9");
	fake_ca_reset(lab->loop);
	certlab_start(lab);
	certlab_apply(lab, "apiVersion: gateway.networking.k8s.io/v1\n"
			   "kind: Gateway\n"
			   "metadata: {name: gw}\n"
			   "spec:\n"
			   "  gatewayClassName: sallyport\n"
			   "  addresses: [{type: IPAddress, value: 127.0.0.1}]\n"
			   "  listeners: [{name: http, port: %P%, protocol: HTTP}]\n");
	apply_issuer(lab, "");
	apply_certificate(lab, "");
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
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

static bool orders_are(struct certlab *lab, const void *arg)
{
	const unsigned *count = arg;

	return fake_ca.orders == *count &&
	       strcmp(certlab_condition(lab, CERT_KEY("site"), "Ready"), "True/Ready") == 0 &&
	       strcmp(certlab_condition(lab, CERT_KEY("site"), "Issuing"), "False/Issued") == 0;
}

static void expect_orders(struct certlab *lab, unsigned count)
{
	certlab_until(lab, orders_are, &count, "the orders");
}

static EVP_PKEY *site_key(struct certlab *lab)
{
	return secret_key(store_get(lab->store, SV(SECRET_KEY("site"))), "tls.key", NULL);
}

static bool note_is_gone(struct certlab *lab, const void *arg)
{
	const json_t *notes = json_at(certlab_get(lab, CERT_KEY("site")), "metadata.annotations");

	(void)arg;
	return json_member(notes, "sallyport.dev/revoke") == NULL;
}

struct reason_case {
	const char *word, *condition;
	int code;
	bool same_key;
};

static void test_reasons(void **state)
{
	static const struct reason_case cases[] = {
		{"superseded", "True/Superseded", 4, true},
		{"keyCompromise", "True/KeyCompromise", 1, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct certlab *lab = *state;
		AUTO(auto_key) EVP_PKEY *before = site_key(lab);
		AUTO(auto_key) EVP_PKEY *after = NULL;
		AUTO(auto_free) char *note = xasprintf("sallyport.dev/revoke: %s", cases[i].word);

		apply_certificate(lab, note);
		certlab_expect(lab, CERT_KEY("site"), "Revoked", cases[i].condition);
		expect_orders(lab, 2);
		certlab_until(lab, note_is_gone, NULL, "the annotation to go");
		after = site_key(lab);
		assert_int_equal(fake_ca.revoked, 1);
		assert_int_equal(fake_ca.reason, cases[i].code);
		assert_false(fake_ca.revoked_by_key);
		assert_int_equal(key_same_public(before, after), cases[i].same_key);
		/* once; and once more when it is asked for again */
		certlab_kill(lab);
		certlab_start(lab);
		certlab_settle(lab);
		assert_int_equal(fake_ca.revoked, 1);
		apply_certificate(lab, note);
		expect_orders(lab, 3);
		assert_int_equal(fake_ca.revoked, 2);
		teardown(state);
		setup(state);
	}
}

/* The account is not the CA's any more, or does not know the certificate. */
static void test_by_key(void **state)
{
	struct certlab *lab = *state;

	apply_issuer(lab, ", sallyport.dev/account-deactivate: 'yes'");
	certlab_expect(lab, ISSUER, "Ready", "False/AccountDeactivated");
	apply_certificate(lab, "sallyport.dev/revoke: unspecified");
	certlab_expect(lab, CERT_KEY("site"), "Revoked", "True/Unspecified");
	assert_true(fake_ca.revoked_by_key);
	teardown(state);
	setup(state);
	lab = *state;
	fake_ca.fault = (struct fake_fault){.step = FAKE_REVOKE,
					    .result = {.step = "revokeCert",
						       .outcome = ACME_REFUSED,
						       .http_status = 403,
						       .problem = {"unauthorized", "not yours"}},
					    .times = 1};
	apply_certificate(lab, "sallyport.dev/revoke: superseded");
	certlab_expect(lab, CERT_KEY("site"), "Revoked", "True/Superseded");
	assert_true(fake_ca.revoked_by_key);
	expect_orders(lab, 2);
}

static void test_refused(void **state)
{
	struct certlab *lab = *state;

	fake_ca.fault = (struct fake_fault){.step = FAKE_REVOKE,
					    .result = {.step = "revokeCert",
						       .outcome = ACME_REFUSED,
						       .http_status = 400,
						       .problem = {"badRevocationReason", "no"}}};
	apply_certificate(lab, "sallyport.dev/revoke: superseded");
	certlab_expect(lab, CERT_KEY("site"), "Revoked", "False/BadRevocationReason");
	certlab_until(lab, note_is_gone, NULL, "the annotation to go");
	certlab_settle(lab);
	assert_int_equal(fake_ca.asked[FAKE_REVOKE], 1);
	assert_int_equal(fake_ca.orders, 1);
	apply_certificate(lab, "sallyport.dev/revoke: because");
	certlab_expect(lab, CERT_KEY("site"), "Revoked", "False/NotPossible");
	assert_int_equal(fake_ca.asked[FAKE_REVOKE], 1);
}

/* Tried again later, over a restart, and not sooner. */
static void test_tried_again(void **state)
{
	struct certlab *lab = *state;

	fake_ca.fault = (struct fake_fault){
		.step = FAKE_REVOKE,
		.result = {.step = "revokeCert", .outcome = ACME_RETRY_LATER, .http_status = 503},
		.times = 1};
	apply_certificate(lab, "sallyport.dev/revoke: superseded");
	certlab_expect(lab, CERT_KEY("site"), "Revoked", "False/Failed");
	certlab_kill(lab);
	certlab_start(lab);
	certlab_settle(lab);
	assert_int_equal(fake_ca.asked[FAKE_REVOKE], 1);
	certlab_set_status(lab, CERT_KEY("site"), "revocation.nextTryTime",
			   json_time(clock_wall() - 1));
	certlab_expect(lab, CERT_KEY("site"), "Revoked", "True/Superseded");
	expect_orders(lab, 2);
}

/* A file would bring the annotation back: it stays, and is carried out once. */
static void test_of_a_file(void **state)
{
	struct certlab *lab = *state;

	apply_certificate(lab, "sallyport.dev/source: /a/b.yaml, sallyport.dev/revoke: superseded");
	certlab_expect(lab, CERT_KEY("site"), "Revoked", "True/Superseded");
	expect_orders(lab, 2);
	certlab_settle(lab);
	assert_false(note_is_gone(lab, NULL));
	certlab_kill(lab);
	certlab_start(lab);
	certlab_settle(lab);
	assert_int_equal(fake_ca.revoked, 1);
}

/* ---- of a CertificateRequest ---- */

#define REQUEST "cert-manager.io/certificaterequests/default/site-1"

static void annotate_request(struct certlab *lab, const char *reason)
{
	AUTO(auto_json) json_t *copy = json_deep_copy(certlab_get(lab, REQUEST));
	AUTO(auto_free) char *text = NULL;

	assert_non_null(copy);
	json_object_del(copy, "status");
	json_object_set_new(json_object_get(json_object_get(copy, "metadata"), "annotations"),
			    "sallyport.dev/revoke", json_string(reason));
	text = json_dumps(copy, 0);
	certlab_apply(lab, text);
}

static bool request_note_is_gone(struct certlab *lab, const void *arg)
{
	const json_t *notes = json_at(certlab_get(lab, REQUEST), "metadata.annotations");

	(void)arg;
	return json_member(notes, "sallyport.dev/revoke") == NULL;
}

/* By the account, once; nothing is ordered. */
static void test_of_a_request(void **state)
{
	struct certlab *lab = *state;

	annotate_request(lab, "superseded");
	certlab_expect(lab, REQUEST, "Revoked", "True/Superseded");
	certlab_until(lab, request_note_is_gone, NULL, "the annotation to go");
	assert_int_equal(fake_ca.revoked, 1);
	assert_int_equal(fake_ca.reason, 4);
	assert_false(fake_ca.revoked_by_key);
	certlab_kill(lab);
	certlab_start(lab);
	certlab_settle(lab);
	assert_int_equal(fake_ca.revoked, 1);
	assert_int_equal(fake_ca.orders, 1);
	assert_string_equal(certlab_condition(lab, REQUEST, "Ready"), "True/Issued");
	annotate_request(lab, "because");
	certlab_expect(lab, REQUEST, "Revoked", "False/NotPossible");
	assert_int_equal(fake_ca.asked[FAKE_REVOKE], 1);
}

static void test_of_a_request_tried_again(void **state)
{
	struct certlab *lab = *state;

	fake_ca.fault = (struct fake_fault){
		.step = FAKE_REVOKE,
		.result = {.step = "revokeCert", .outcome = ACME_RETRY_LATER, .http_status = 503},
		.times = 1};
	annotate_request(lab, "keyCompromise");
	certlab_expect(lab, REQUEST, "Revoked", "False/Failed");
	certlab_kill(lab);
	certlab_start(lab);
	certlab_settle(lab);
	assert_int_equal(fake_ca.asked[FAKE_REVOKE], 1);
	certlab_set_status(lab, REQUEST, "revocation.nextTryTime", json_time(clock_wall() - 1));
	certlab_expect(lab, REQUEST, "Revoked", "True/KeyCompromise");
	certlab_until(lab, request_note_is_gone, NULL, "the annotation to go");
	assert_int_equal(fake_ca.asked[FAKE_REVOKE], 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reasons),
		TEST(test_by_key),
		TEST(test_refused),
		TEST(test_tried_again),
		TEST(test_of_a_file),
		TEST(test_of_a_request),
		TEST(test_of_a_request_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
