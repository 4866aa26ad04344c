/* Certificates of a selfSigned issuer, from apply to the Secret: no CA is needed for the life of a
 * Certificate. */
#include "certlab.h"

static const char issuer[] = "apiVersion: cert-manager.io/v1\n"
			     "kind: Issuer\n"
			     "metadata: {name: self}\n"
			     "spec: {selfSigned: {}}\n";

static const char other_issuer[] = "apiVersion: cert-manager.io/v1\n"
				   "kind: ClusterIssuer\n"
				   "metadata: {name: other}\n"
				   "spec: {selfSigned: {}}\n";

static char *certificate(const char *name, const char *more)
{
	return xasprintf("apiVersion: cert-manager.io/v1\n"
			 "kind: Certificate\n"
			 "metadata: {name: %s}\n"
			 "spec:\n"
			 "  secretName: %s\n"
			 "  privateKey: {algorithm: ECDSA}\n"
			 "%s",
			 name, name, more);
}

static void apply_certificate(struct certlab *lab, const char *name, const char *more)
{
	AUTO(auto_free) char *yaml = certificate(name, more);

	certlab_apply(lab, yaml);
}

#define SITE "  dnsNames: [site.example]\n  issuerRef: {name: self}\n"

static int setup(void **state)
{
	struct certlab *lab = xcalloc(1, sizeof(*lab));

	certlab_open(lab, NULL, "127.0.0.1:9");
	certlab_start(lab);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	certlab_close(*state);
	free(*state);
	return 0;
}

static bool is_absent(struct certlab *lab, const void *arg)
{
	return certlab_get(lab, arg) == NULL;
}

static size_t count_keys(struct certlab *lab, const char *prefix)
{
	return store_count(lab->store, sv_from(prefix));
}

static bool one_secret(struct certlab *lab, const void *arg)
{
	(void)arg;
	return count_keys(lab, "core/secrets/default/site") == 1;
}

static void test_issued(void **state)
{
	struct certlab *lab = *state;
	char serial[65];
	const json_t *secret, *cert;

	apply_certificate(lab, "site", SITE);
	certlab_expect(lab, CERT_KEY("site"), "Ready", "False/DoesNotExist");
	certlab_apply(lab, issuer); /* it comes later, and is waited for */
	certlab_expect(lab, "cert-manager.io/issuers/default/self", "Ready", "True/IsReady");
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "False/Issued");
	certlab_check_pair(lab, SECRET_KEY("site"), "site.example", serial);
	certlab_until(lab, one_secret, NULL, "the next private key to be removed");
	secret = certlab_get(lab, SECRET_KEY("site"));
	assert_string_equal(json_str_at(secret, "type"), "kubernetes.io/tls");
	assert_true(json_same(json_member(json_member(secret, "data"), "ca.crt"),
			      json_member(json_member(secret, "data"), "tls.crt")));
	cert = certlab_get(lab, CERT_KEY("site"));
	assert_int_equal(json_int_at(cert, "status.revision", 0), 1);
	assert_null(json_at(cert, "status.nextPrivateKeySecretName"));
	assert_non_null(json_at(cert, "status.renewalTime"));
}

static char serial_before[65];

static bool has_another_serial(struct certlab *lab, const void *arg)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(buf_deinit) struct buf pem;
	struct cert_info info;
	bool differs;

	if (!secret_value(store_get(lab->store, sv_from(arg)), "tls.crt", &pem) ||
	    chain_from_pem(buf_view(&pem), &chain, NULL) < 0)
		return false;
	assert_int_equal(cert_info_read(chain.certs[0], &info, NULL), 0);
	differs = strcmp(info.serial, serial_before) != 0;
	cert_info_deinit(&info);
	return differs &&
	       strcmp(certlab_condition(lab, CERT_KEY("site"), "Issuing"), "False/Issued") == 0;
}

static void issue_site(struct certlab *lab, const char *more)
{
	certlab_apply(lab, issuer);
	certlab_apply(lab, other_issuer);
	apply_certificate(lab, "site", more);
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "False/Issued");
	certlab_check_pair(lab, SECRET_KEY("site"), "site.example", serial_before);
}

static void renew(struct certlab *lab)
{
	certlab_set_status(lab, CERT_KEY("site"), "conditions.1",
			   json_pack("{s:s, s:s, s:s, s:s}", "type", "Issuing", "status", "True",
				     "reason", "ManuallyTriggered", "message", "by hand"));
}

static void test_renewed_by_hand(void **state)
{
	struct certlab *lab = *state;

	issue_site(lab, SITE);
	for (int64_t revision = 2; revision < 5; revision++) {
		renew(lab);
		certlab_until(lab, has_another_serial, SECRET_KEY("site"), "another certificate");
		certlab_check_pair(lab, SECRET_KEY("site"), "site.example", serial_before);
		assert_int_equal(
			json_int_at(certlab_get(lab, CERT_KEY("site")), "status.revision", 0),
			revision);
		certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	}
	certlab_until(lab, one_secret, NULL, "the next private keys to be removed");
	certlab_until(lab, is_absent, "cert-manager.io/certificaterequests/default/site-3",
		      "old requests to go");
	assert_int_equal(count_keys(lab, "cert-manager.io/certificaterequests/"), 1);
}

static void test_reissued(void **state)
{
	static const struct {
		const char *what, *more, *reason;
	} cases[] = {
		{"more names",
		 "  dnsNames: [site.example, www.site.example]\n  issuerRef: {name: self}\n",
		 "RequestChanged"},
		{"another issuer",
		 "  dnsNames: [site.example]\n  issuerRef: {name: other, kind: ClusterIssuer}\n",
		 "IncorrectIssuer"},
		{"usages", SITE "  usages: [server auth, client auth]\n", "RequestChanged"},
	};
	struct certlab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].what);
		issue_site(lab, SITE);
		apply_certificate(lab, "site", cases[i].more);
		certlab_until(lab, has_another_serial, SECRET_KEY("site"), cases[i].what);
		certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
		certlab_delete(lab, CERT_KEY("site"));
		certlab_delete(lab, SECRET_KEY("site"));
		certlab_settle(lab);
		assert_int_equal(count_keys(lab, "cert-manager.io/certificaterequests/"), 0);
	}
}

static void test_same_is_kept(void **state)
{
	struct certlab *lab = *state;

	issue_site(lab, SITE);
	apply_certificate(lab, "site", SITE "  secretTemplate: {labels: {a: b}}\n");
	certlab_settle(lab);
	certlab_kill(lab); /* nor does a restart change it */
	certlab_start(lab);
	certlab_settle(lab);
	assert_false(has_another_serial(lab, SECRET_KEY("site")));
	assert_string_equal(json_str_at(certlab_get(lab, SECRET_KEY("site")), "metadata.labels.a"),
			    "b");
	assert_int_equal(json_int_at(certlab_get(lab, CERT_KEY("site")), "status.revision", 0), 1);
}

static void test_key_is_kept(void **state)
{
	static const char more[] = "  dnsNames: [site.example]\n"
				   "  issuerRef: {name: self}\n";
	static const char never[] = "apiVersion: cert-manager.io/v1\n"
				    "kind: Certificate\n"
				    "metadata: {name: site}\n"
				    "spec:\n"
				    "  secretName: site\n"
				    "  dnsNames: [site.example]\n"
				    "  issuerRef: {name: self}\n"
				    "  privateKey: {algorithm: ECDSA, rotationPolicy: Never}\n";
	struct certlab *lab = *state;
	AUTO(auto_json) json_t *before = NULL;
	const json_t *after;

	issue_site(lab, more);
	certlab_apply(lab, never);
	certlab_settle(lab);
	before = json_deep_copy(json_member(certlab_get(lab, SECRET_KEY("site")), "data"));
	renew(lab);
	certlab_until(lab, has_another_serial, SECRET_KEY("site"), "another certificate");
	after = json_member(certlab_get(lab, SECRET_KEY("site")), "data");
	assert_true(json_same(json_member(before, "tls.key"), json_member(after, "tls.key")));
	assert_false(json_same(json_member(before, "tls.crt"), json_member(after, "tls.crt")));
}

/* RSA keys are made on the job thread; here the type of the key changes to it and back. */
static void test_key_type_changes(void **state)
{
	static const char rsa[] = "apiVersion: cert-manager.io/v1\n"
				  "kind: Certificate\n"
				  "metadata: {name: site}\n"
				  "spec:\n"
				  "  secretName: site\n"
				  "  dnsNames: [site.example]\n"
				  "  issuerRef: {name: self}\n";
	struct certlab *lab = *state;
	AUTO(auto_key) EVP_PKEY *key = NULL;

	issue_site(lab, SITE);
	certlab_apply(lab, rsa);
	certlab_until(lab, has_another_serial, SECRET_KEY("site"), "an RSA certificate");
	key = secret_key(store_get(lab->store, SV(SECRET_KEY("site"))), "tls.key", NULL);
	assert_true(key_is(key, KEY_RSA_2048));
}

static void test_damaged_secrets(void **state)
{
	static const struct {
		const char *what, *yaml, *reason;
	} cases[] = {
		{"no data", "type: Opaque", "False/MissingData"},
		{"no certificate", "type: Opaque\ndata: {tls.key: YQ==}", "False/MissingData"},
		{"garbage", "type: Opaque\ndata: {tls.key: YQ==, tls.crt: YQ==}",
		 "False/InvalidKeyPair"},
	};
	struct certlab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free)
		char *yaml = xasprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: site}\n%s\n",
				       cases[i].yaml);

		print_message("%s\n", cases[i].what);
		certlab_apply(lab, yaml);
		apply_certificate(lab, "site", SITE);
		certlab_expect(lab, CERT_KEY("site"), "Ready", cases[i].reason);
		certlab_apply(lab, issuer);
		certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
		certlab_delete(lab, CERT_KEY("site"));
		certlab_delete(lab, SECRET_KEY("site"));
		certlab_delete(lab, "cert-manager.io/issuers/default/self");
		certlab_settle(lab);
	}
}

/* Two Certificates for one Secret would replace each other's for ever. */
static void test_one_secret_two_owners(void **state)
{
	static const char twin[] = "apiVersion: cert-manager.io/v1\n"
				   "kind: Certificate\n"
				   "metadata: {name: twin}\n"
				   "spec: {secretName: site, dnsNames: [twin.example],\n"
				   "  privateKey: {algorithm: ECDSA}, issuerRef: {name: self}}\n";
	struct certlab *lab = *state;

	issue_site(lab, SITE);
	certlab_apply(lab, twin);
	certlab_expect(lab, CERT_KEY("twin"), "Ready", "False/IncorrectCertificate");
	certlab_settle(lab);
	assert_false(has_another_serial(lab, SECRET_KEY("site")));
	certlab_delete(lab, CERT_KEY("site")); /* then it is the other's turn */
	certlab_expect(lab, CERT_KEY("twin"), "Ready", "True/Ready");
	certlab_check_pair(lab, SECRET_KEY("site"), "twin.example", serial_before);
}

static void test_refused(void **state)
{
	struct certlab *lab = *state;
	const json_t *cert;
	int64_t next;

	certlab_apply(lab, issuer);
	apply_certificate(lab, "site", SITE "  usages: [cert sign]\n"); /* for CAs only */
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "False/Failed");
	cert = certlab_get(lab, CERT_KEY("site"));
	assert_int_equal(json_int_at(cert, "status.failedIssuanceAttempts", 0), 1);
	assert_true(json_time_at(cert, "status.nextAttemptTime", &next));
	assert_true(next > clock_wall() + 30 && next < clock_wall() + 90);
	certlab_kill(lab); /* the back-off outlives a restart */
	certlab_start(lab);
	certlab_settle(lab);
	cert = certlab_get(lab, CERT_KEY("site"));
	assert_int_equal(json_int_at(cert, "status.failedIssuanceAttempts", 0), 1);
	/* but not a change of the spec */
	certlab_apply(lab, other_issuer);
	apply_certificate(lab, "site",
			  "  dnsNames: [site.example]\n"
			  "  issuerRef: {name: other, kind: ClusterIssuer}\n");
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	cert = certlab_get(lab, CERT_KEY("site"));
	assert_null(json_at(cert, "status.failedIssuanceAttempts"));
	assert_null(json_at(cert, "status.nextAttemptTime"));
}

static void test_short_life(void **state)
{
	struct certlab *lab = *state;
	const json_t *cert;
	int64_t renewal, end;

	issue_site(lab, SITE "  duration: 1h\n");
	cert = certlab_get(lab, CERT_KEY("site"));
	assert_true(json_time_at(cert, "status.renewalTime", &renewal));
	assert_true(json_time_at(cert, "status.notAfter", &end));
	assert_true(end - renewal >= 1800 && end - renewal <= 1800 + 36);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_issued),          TEST(test_renewed_by_hand),
		TEST(test_reissued),        TEST(test_same_is_kept),
		TEST(test_key_is_kept),     TEST(test_key_type_changes),
		TEST(test_damaged_secrets), TEST(test_one_secret_two_owners),
		TEST(test_refused),         TEST(test_short_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
