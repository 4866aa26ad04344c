/* Certificates of a CA whose key is in a Secret: roots, CAs below them, servers, clients, requests
 * made by hand. */
#include "certlab.h"

#include <openssl/x509v3.h>

#define ISSUER  "cert-manager.io/issuers/default/"
#define REQUEST "cert-manager.io/certificaterequests/default/"

static const char root_ca[] = "apiVersion: cert-manager.io/v1\n"
			      "kind: Issuer\n"
			      "metadata: {name: self}\n"
			      "spec: {selfSigned: {}}\n"
			      "---\n"
			      "apiVersion: cert-manager.io/v1\n"
			      "kind: Certificate\n"
			      "metadata: {name: root}\n"
			      "spec:\n"
			      "  secretName: root\n"
			      "  isCA: true\n"
			      "  commonName: Test root\n"
			      "  duration: 48h\n"
			      "  subject: {organizations: ['Example, Ltd'], countries: [CH]}\n"
			      "  privateKey: {algorithm: ECDSA, size: 384}\n"
			      "  issuerRef: {name: self}\n"
			      "---\n"
			      "apiVersion: cert-manager.io/v1\n"
			      "kind: Issuer\n"
			      "metadata: {name: ca}\n"
			      "spec:\n"
			      "  ca:\n"
			      "    secretName: root\n"
			      "    crlDistributionPoints: ['http://crl.example/root.crl']\n"
			      "    ocspServers: ['http://ocsp.example/']\n"
			      "    issuingCertificateURLs: ['http://ca.example/root.der']\n";

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

static void apply_certificate(struct certlab *lab, const char *name, const char *more)
{
	AUTO(auto_free)
	char *yaml = xasprintf("apiVersion: cert-manager.io/v1\n"
			       "kind: Certificate\n"
			       "metadata: {name: %s}\n"
			       "spec:\n"
			       "  secretName: %s\n"
			       "  privateKey: {algorithm: ECDSA}\n"
			       "%s",
			       name, name, more);

	certlab_apply(lab, yaml);
}

static void read_chain(struct certlab *lab, const char *secret, const char *name,
		       struct cert_chain *chain)
{
	AUTO(auto_free) char *key = xasprintf(SECRET_KEY("%s"), secret);
	AUTO(buf_deinit) struct buf pem;
	struct err err = {0};

	if (!secret_value(store_get(lab->store, sv_from(key)), name, &pem))
		fail_msg("%s has no %s", key, name);
	if (chain_from_pem(buf_view(&pem), chain, &err) < 0)
		fail_msg("%s", err.msg);
}

static void make_root(struct certlab *lab)
{
	certlab_apply(lab, root_ca);
	certlab_expect(lab, CERT_KEY("root"), "Ready", "True/Ready");
	certlab_expect(lab, ISSUER "ca", "Ready", "True/KeyPairVerified");
}

/* ---- what is signed ---- */

static void test_server(void **state)
{
	struct certlab *lab = *state;
	AUTO(auto_chain) struct cert_chain chain = {0}, ca = {0}, root = {0};
	struct cert_info info, root_info;

	make_root(lab);
	apply_certificate(lab, "site",
			  "  dnsNames: [site.example]\n"
			  "  ipAddresses: [192.0.2.1]\n"
			  "  issuerRef: {name: ca}\n");
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	read_chain(lab, "site", "tls.crt", &chain);
	read_chain(lab, "site", "ca.crt", &ca);
	read_chain(lab, "root", "tls.crt", &root);
	assert_int_equal(chain.count, 1); /* clients know the root already */
	assert_int_equal(X509_cmp(ca.certs[0], root.certs[0]), 0);
	assert_int_equal(X509_verify(chain.certs[0], X509_get0_pubkey(ca.certs[0])), 1);
	assert_int_equal(X509_get_extended_key_usage(chain.certs[0]), XKU_SSL_SERVER);
	assert_int_equal(X509_check_ca(chain.certs[0]), 0);
	assert_int_equal(cert_info_read(chain.certs[0], &info, NULL), 0);
	assert_int_equal(cert_info_read(root.certs[0], &root_info, NULL), 0);
	/* 90 days were asked for, and the CA has two */
	assert_int_equal(info.not_after, root_info.not_after);
	assert_true(root_info.is_ca);
	assert_int_equal(X509_get_extended_key_usage(root.certs[0]), UINT32_MAX); /* for anything */
	assert_string_equal(root_info.subject, "CN=Test root,O=Example\\, Ltd,C=CH");
	assert_string_equal(info.issuer, root_info.subject);
	cert_info_deinit(&info);
	cert_info_deinit(&root_info);
	assert_true(X509_get_ext_by_NID(chain.certs[0], NID_crl_distribution_points, -1) >= 0);
	assert_true(X509_get_ext_by_NID(chain.certs[0], NID_info_access, -1) >= 0);
}

static void test_client(void **state)
{
	struct certlab *lab = *state;
	AUTO(auto_chain) struct cert_chain chain = {0};
	GENERAL_NAMES *names;
	struct cert_info info;

	make_root(lab);
	apply_certificate(lab, "alice",
			  "  commonName: alice\n"
			  "  emailAddresses: [alice@example.com]\n"
			  "  uris: ['spiffe://example.com/alice']\n"
			  "  subject: {organizationalUnits: [staff], serialNumber: '7'}\n"
			  "  usages: [client auth, digital signature]\n"
			  "  issuerRef: {name: ca}\n");
	certlab_expect(lab, CERT_KEY("alice"), "Ready", "True/Ready");
	read_chain(lab, "alice", "tls.crt", &chain);
	assert_int_equal(X509_get_extended_key_usage(chain.certs[0]), XKU_SSL_CLIENT);
	assert_int_equal(X509_get_key_usage(chain.certs[0]), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_check_purpose(chain.certs[0], X509_PURPOSE_SSL_CLIENT, 0), 1);
	assert_int_equal(X509_check_purpose(chain.certs[0], X509_PURPOSE_SSL_SERVER, 0), 0);
	assert_int_equal(cert_info_read(chain.certs[0], &info, NULL), 0);
	assert_string_equal(info.subject, "CN=alice,serialNumber=7,OU=staff");
	cert_info_deinit(&info);
	names = X509_get_ext_d2i(chain.certs[0], NID_subject_alt_name, NULL, NULL);
	assert_int_equal(sk_GENERAL_NAME_num(names), 2);
	GENERAL_NAMES_free(names);
	/* it stays, and another subject is another certificate */
	certlab_settle(lab);
	assert_int_equal(json_int_at(certlab_get(lab, CERT_KEY("alice")), "status.revision", 0), 1);
	apply_certificate(lab, "alice",
			  "  commonName: alice\n"
			  "  usages: [client auth, digital signature]\n"
			  "  issuerRef: {name: ca}\n");
	certlab_settle(lab);
	certlab_expect(lab, CERT_KEY("alice"), "Ready", "True/Ready");
	assert_int_equal(json_int_at(certlab_get(lab, CERT_KEY("alice")), "status.revision", 0), 2);
}

static void test_ca_below(void **state)
{
	struct certlab *lab = *state;
	AUTO(auto_chain) struct cert_chain chain = {0}, ca = {0}, root = {0};

	make_root(lab);
	apply_certificate(lab, "below",
			  "  isCA: true\n"
			  "  commonName: Below\n"
			  "  issuerRef: {name: ca}\n");
	certlab_apply(lab, "apiVersion: cert-manager.io/v1\n"
			   "kind: Issuer\n"
			   "metadata: {name: below}\n"
			   "spec: {ca: {secretName: below}}\n");
	certlab_expect(lab, ISSUER "below", "Ready", "True/KeyPairVerified");
	apply_certificate(lab, "site", "  dnsNames: [a.example]\n  issuerRef: {name: below}\n");
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	read_chain(lab, "site", "tls.crt", &chain);
	read_chain(lab, "site", "ca.crt", &ca);
	read_chain(lab, "root", "tls.crt", &root);
	assert_int_equal(chain.count, 2);
	assert_int_equal(X509_verify(chain.certs[1], X509_get0_pubkey(root.certs[0])), 1);
	assert_int_equal(X509_cmp(ca.certs[0], root.certs[0]), 0);
}

/* ---- a pair that is no CA's ---- */

#define HOUR INT64_C(3600)

static char *secret_yaml(EVP_PKEY *key, X509 *cert)
{
	struct cert_chain chain = {.count = 1, .certs = {cert}};
	AUTO(buf_deinit) struct buf pem;
	AUTO(auto_json) json_t *data = key_data("tls.key", key, KEY_PKCS8, NULL);
	AUTO(auto_json) json_t *crt = NULL;

	buf_init(&pem, ISSUANCE_TEXT_MAX);
	assert_int_equal(chain_to_pem(&chain, &pem, NULL), 0);
	crt = json_base64(buf_view(&pem));
	return xasprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: pair}\n"
			 "data: {tls.key: %s, tls.crt: %s}\n",
			 json_string_value(json_object_get(data, "tls.key")),
			 json_string_value(crt));
}

struct pair_case {
	const char *what, *reason, *says;
	int64_t from, to; /* hours from now */
	bool is_ca, other_key;
};

static void apply_pair(struct certlab *lab, const struct pair_case *wanted)
{
	AUTO(auto_key) EVP_PKEY *key = key_make(KEY_ECDSA_P256, NULL);
	AUTO(auto_key) EVP_PKEY *other = key_make(KEY_ECDSA_P256, NULL);
	const struct cert_names names = {.common_name = SV("pair")};
	struct x509_sign_how how = {.issuer_key = key,
				    .is_ca = wanted->is_ca,
				    .not_before = clock_wall() + wanted->from * HOUR,
				    .not_after = clock_wall() + wanted->to * HOUR};
	AUTO(buf_deinit) struct buf csr;
	AUTO(auto_free) char *yaml = NULL;
	X509 *cert;

	buf_init(&csr, ISSUANCE_TEXT_MAX);
	assert_int_equal(csr_make(key, &names, &csr, NULL), 0);
	cert = cert_sign(buf_view(&csr), &how, NULL);
	assert_non_null(cert);
	yaml = secret_yaml(wanted->other_key ? other : key, cert);
	X509_free(cert);
	certlab_apply(lab, yaml);
}

static void test_bad_pairs(void **state)
{
	static const struct pair_case cases[] = {
		{"no CA", "False/ErrInvalidKeyPair", "basic constraint", -1, 100, false, false},
		{"another key", "False/ErrInvalidKeyPair", "not the key", -1, 100, true, true},
		{"expired", "False/ErrInvalidKeyPair", "expired at", -9, -1, true, false},
		{"too early", "False/ErrInvalidKeyPair", "not valid before", 1, 9, true, false},
		{"fine", "True/KeyPairVerified", "Signing CA verified; it ends at", -1, 100, true,
		 false},
		{"fine for long", "True/KeyPairVerified", "Signing CA verified", -1, 10000, true,
		 false},
	};
	struct certlab *lab = *state;

	certlab_apply(lab, "apiVersion: cert-manager.io/v1\n"
			   "kind: Issuer\n"
			   "metadata: {name: pair}\n"
			   "spec: {ca: {secretName: pair}}\n");
	certlab_expect(lab, ISSUER "pair", "Ready", "False/ErrGetKeyPair");
	apply_certificate(lab, "site", "  dnsNames: [a.example]\n  issuerRef: {name: pair}\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct object *issuer;

		print_message("%s\n", cases[i].what);
		apply_pair(lab, &cases[i]);
		certlab_settle(lab);
		certlab_expect(lab, ISSUER "pair", "Ready", cases[i].reason);
		issuer = store_get(lab->store, SV(ISSUER "pair"));
		if (strstr(condition_text(issuer, "Ready", "message"), cases[i].says) == NULL)
			fail_msg("%s", condition_text(issuer, "Ready", "message"));
	}
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready"); /* it has waited */
}

/* ---- by hand ---- */

static void apply_request(struct certlab *lab, const char *name, const struct cert_names *names,
			  const char *more)
{
	AUTO(auto_key) EVP_PKEY *key = key_make(KEY_ECDSA_P256, NULL);
	AUTO(auto_json) json_t *request = NULL;
	AUTO(auto_free) char *yaml = NULL;
	AUTO(buf_deinit) struct buf csr;

	buf_init(&csr, ISSUANCE_TEXT_MAX);
	assert_int_equal(csr_make(key, names, &csr, NULL), 0);
	request = json_request(buf_view(&csr));
	yaml = xasprintf("apiVersion: cert-manager.io/v1\n"
			 "kind: CertificateRequest\n"
			 "metadata: {name: %s}\n"
			 "spec:\n"
			 "  request: %s\n"
			 "  issuerRef: {name: ca}\n"
			 "%s",
			 name, json_string_value(request), more);
	certlab_apply(lab, yaml);
}

static void test_by_hand(void **state)
{
	static const struct {
		const char *name, *more, *ready;
	} cases[] = {
		{"plain", "", "True/Issued"},
		{"client", "  usages: [client auth]\n  duration: 10m\n", "True/Issued"},
		{"sign", "  usages: [cert sign]\n", "False/Failed"},
	};
	const struct str_view dns = SV("hand.example");
	const struct cert_names names = {.dns = &dns, .dns_count = 1};
	struct certlab *lab = *state;

	make_root(lab);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free) char *key = xasprintf(REQUEST "%s", cases[i].name);
		AUTO(buf_deinit) struct buf pem, ca;
		bool issued = cases[i].ready[0] == 'T';

		buf_init(&pem, ISSUANCE_TEXT_MAX);
		buf_init(&ca, ISSUANCE_TEXT_MAX);
		apply_request(lab, cases[i].name, &names, cases[i].more);
		certlab_expect(lab, key, "Ready", cases[i].ready);
		certlab_expect(lab, key, "Approved", "True/cert-manager.io");
		assert_int_equal(base64_at(certlab_get(lab, key), "status.certificate", &pem),
				 issued);
		assert_int_equal(base64_at(certlab_get(lab, key), "status.ca", &ca), issued);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_server),    TEST(test_client),  TEST(test_ca_below),
		TEST(test_bad_pairs), TEST(test_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
