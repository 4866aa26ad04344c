/* tests/unit/pki/test_chain.c - pki/chain.c: each failure by its own sentence */
#include "pki_fixture.h"

#include <openssl/x509v3.h>

static const struct str_view dns[] = {SV_INIT("example.com"), SV_INIT("*.example.com")};
static const struct str_view ips[] = {SV_INIT("192.0.2.7")};
static const struct cert_names leaf_names = {.dns = dns, .dns_count = 2, .ips = ips, .ip_count = 1};

/* root issued middle, middle issued leaf; stranger is a CA that issued nothing here. */
struct pki {
	EVP_PKEY *root_key, *middle_key, *leaf_key, *stranger_key;
	X509 *root, *middle, *leaf, *stranger;
};

static int pki_setup(void **state)
{
	struct pki *pki = xcalloc(1, sizeof(*pki));

	pki->root_key = fixture_key();
	pki->middle_key = fixture_key();
	pki->leaf_key = fixture_key();
	pki->stranger_key = fixture_key();
	pki->root = fixture_ca(pki->root_key, "root", NULL, NULL);
	pki->middle = fixture_ca(pki->middle_key, "middle", pki->root, pki->root_key);
	pki->stranger = fixture_ca(pki->stranger_key, "stranger", NULL, NULL);
	pki->leaf = fixture_cert(pki->leaf_key, &leaf_names,
				 (struct x509_sign_how){.issuer = pki->middle,
							.issuer_key = pki->middle_key,
							.usages.purposes = X509_USAGE_SERVER});
	*state = pki;
	return 0;
}

static int pki_teardown(void **state)
{
	struct pki *pki = *state;

	EVP_PKEY_free(pki->root_key);
	EVP_PKEY_free(pki->middle_key);
	EVP_PKEY_free(pki->leaf_key);
	EVP_PKEY_free(pki->stranger_key);
	X509_free(pki->root);
	X509_free(pki->middle);
	X509_free(pki->leaf);
	X509_free(pki->stranger);
	free(pki);
	return 0;
}

static void expect(const struct cert_chain *chain, EVP_PKEY *key, const char *says)
{
	struct err err = {0};
	int rc = chain_check(chain, key, &leaf_names, FIXTURE_NOW, 60, &err);

	if (says == NULL && rc != 0)
		fail_msg("refused: %s", err.msg);
	if (says != NULL && (rc != -1 || strstr(err.msg, says) == NULL))
		fail_msg("expected \"%s\", got %d \"%s\"", says, rc, err.msg);
	assert_int_equal(ERR_peek_error(), 0);
}

static void test_holds(void **state)
{
	const struct pki *pki = *state;
	struct err err = {0};

	expect(&(struct cert_chain){2, {pki->leaf, pki->middle}}, pki->leaf_key, NULL);
	expect(&(struct cert_chain){3, {pki->leaf, pki->middle, pki->root}}, pki->leaf_key, NULL);
	expect(&(struct cert_chain){1, {pki->leaf}}, pki->leaf_key, NULL);
	assert_int_equal(chain_check(&(struct cert_chain){1, {pki->root}}, pki->root_key, NULL,
				     FIXTURE_NOW, 60, &err),
			 0);
}

static void test_key(void **state)
{
	const struct pki *pki = *state;
	const struct cert_chain chain = {2, {pki->leaf, pki->middle}};

	expect(&(struct cert_chain){0}, pki->leaf_key, "holds no certificate");
	expect(&chain, pki->middle_key, "belongs to another private key");
	expect(&chain, NULL, "belongs to another private key");
}

static void test_names(void **state)
{
	static const struct {
		struct str_view dns, ip;
		const char *says;
	} cases[] = {
		{SV_INIT("www.example.com"), SV_INIT("192.0.2.7"), NULL},
		{SV_INIT("*.example.com"), SV_INIT("192.0.2.7"), NULL},
		{SV_INIT("example.org"), SV_INIT("192.0.2.7"), "does not cover example.org"},
		{SV_INIT("*.example.org"), SV_INIT("192.0.2.7"), "does not cover *.example.org"},
		{SV_INIT("example.com"), SV_INIT("192.0.2.8"), "does not cover 192.0.2.8"},
	};
	const struct pki *pki = *state;
	const struct cert_chain chain = {2, {pki->leaf, pki->middle}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct cert_names names = {
			.dns = &cases[i].dns, .dns_count = 1, .ips = &cases[i].ip, .ip_count = 1};
		struct err err = {0};
		int rc = chain_check(&chain, pki->leaf_key, &names, FIXTURE_NOW, 60, &err);

		if (rc != (cases[i].says == NULL ? 0 : -1) ||
		    (rc != 0 && strstr(err.msg, cases[i].says) == NULL))
			fail_msg("%zu: \"%s\"", i, err.msg);
	}
}

static void test_dates(void **state)
{
	static const struct {
		int64_t not_before, not_after;
		const char *says;
	} cases[] = {
		{FIXTURE_NOW - FIXTURE_DAY, FIXTURE_NOW + FIXTURE_DAY, NULL},
		{FIXTURE_NOW + 60, FIXTURE_NOW + FIXTURE_DAY, NULL},
		{FIXTURE_NOW + 61, FIXTURE_NOW + FIXTURE_DAY,
		 "certificate 1 () is not valid before 2026-01-02T03:01:01Z"},
		{FIXTURE_NOW - FIXTURE_DAY, FIXTURE_NOW, NULL},
		{FIXTURE_NOW - FIXTURE_DAY, FIXTURE_NOW - 1, "expired at 2026-01-02T02:59:59Z"},
	};
	const struct pki *pki = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		X509 *leaf = fixture_cert(pki->leaf_key, &leaf_names,
					  (struct x509_sign_how){.issuer = pki->middle,
								 .issuer_key = pki->middle_key,
								 .not_before = cases[i].not_before,
								 .not_after = cases[i].not_after});

		expect(&(struct cert_chain){2, {leaf, pki->middle}}, pki->leaf_key, cases[i].says);
		X509_free(leaf);
	}
}

static void test_expired_issuer(void **state)
{
	const struct pki *pki = *state;
	const struct cert_names names = {.common_name = SV("middle")};
	X509 *middle = fixture_cert(pki->middle_key, &names,
				    (struct x509_sign_how){.issuer = pki->root,
							   .issuer_key = pki->root_key,
							   .not_after = FIXTURE_NOW - 1,
							   .is_ca = true});

	expect(&(struct cert_chain){2, {pki->leaf, middle}}, pki->leaf_key,
	       "certificate 2 (CN=middle) expired");
	X509_free(middle);
}

static void test_links(void **state)
{
	const struct pki *pki = *state;
	X509 *impostor = fixture_ca(pki->stranger_key, "middle", pki->root, pki->root_key);
	const struct cert_names names = {.common_name = SV("middle")};
	X509 *no_ca = fixture_cert(
		pki->middle_key, &names,
		(struct x509_sign_how){.issuer = pki->root, .issuer_key = pki->root_key});

	expect(&(struct cert_chain){2, {pki->leaf, pki->stranger}}, pki->leaf_key,
	       "certificate 2 (CN=stranger) is not the issuer of certificate 1, which is "
	       "CN=middle");
	expect(&(struct cert_chain){2, {pki->leaf, pki->root}}, pki->leaf_key,
	       "is not the issuer of certificate 1");
	expect(&(struct cert_chain){3, {pki->leaf, pki->middle, pki->stranger}}, pki->leaf_key,
	       "certificate 3 (CN=stranger) is not the issuer of certificate 2");
	expect(&(struct cert_chain){2, {pki->leaf, impostor}}, pki->leaf_key,
	       "signature of certificate 1 () is not by the key of certificate 2");
	expect(&(struct cert_chain){2, {pki->leaf, no_ca}}, pki->leaf_key, "is not that of a CA");
	X509_free(impostor);
	X509_free(no_ca);
}

/* cert, changed by the test, signed again. */
static void sign_again(X509 *cert, EVP_PKEY *key, const EVP_MD *digest)
{
	assert_true(X509_sign(cert, key, digest) > 0);
}

static void test_path_length(void **state)
{
	const struct pki *pki = *state;
	const struct cert_names names = {.common_name = SV("root")};
	X509 *root = fixture_cert(pki->root_key, &names,
				  (struct x509_sign_how){.issuer_key = pki->root_key});
	int at = X509_get_ext_by_NID(root, NID_basic_constraints, -1);
	X509_EXTENSION *limit = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
						    "critical,CA:TRUE,pathlen:0");
	X509_EXTENSION *usage = X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage, "keyCertSign");

	X509_EXTENSION_free(X509_delete_ext(root, at));
	X509_EXTENSION_free(X509_delete_ext(root, X509_get_ext_by_NID(root, NID_key_usage, -1)));
	X509_add_ext(root, limit, -1);
	X509_add_ext(root, usage, -1);
	sign_again(root, pki->root_key, EVP_sha256());
	expect(&(struct cert_chain){3, {pki->leaf, pki->middle, root}}, pki->leaf_key,
	       "certificate 3 (CN=root) allows only 0 CAs below it");
	X509_EXTENSION_free(limit);
	X509_EXTENSION_free(usage);
	X509_free(root);
}

static void test_weak(void **state)
{
	const struct pki *pki = *state;
	AUTO(auto_key) EVP_PKEY *short_key = EVP_RSA_gen(1024);
	X509 *leaf = fixture_cert(
		pki->leaf_key, &leaf_names,
		(struct x509_sign_how){.issuer = pki->middle, .issuer_key = pki->middle_key});
	X509 *small = fixture_cert(
		short_key, &leaf_names,
		(struct x509_sign_how){.issuer = pki->middle, .issuer_key = pki->middle_key});
	X509 *root = X509_dup(pki->root);

	sign_again(leaf, pki->middle_key, EVP_sha1());
	expect(&(struct cert_chain){2, {leaf, pki->middle}}, pki->leaf_key,
	       "the signature of certificate 1 () is too weak");
	expect(&(struct cert_chain){2, {small, pki->middle}}, short_key,
	       "the key of certificate 1 () is too weak");
	/* what a root says of itself is trusted for other reasons */
	sign_again(root, pki->root_key, EVP_sha1());
	expect(&(struct cert_chain){3, {pki->leaf, pki->middle, root}}, pki->leaf_key, NULL);
	X509_free(leaf);
	X509_free(small);
	X509_free(root);
}

/* What a CA may sign for (RFC 5280, section 4.2.1.10). */
static void test_name_constraints(void **state)
{
	static const struct {
		const char *constraint, *says;
	} cases[] = {
		{"critical,permitted;DNS:example.com,permitted;IP:192.0.2.0/255.255.255.0", NULL},
		{"critical,permitted;DNS:example.net", "does not allow the names"},
		{"excluded;IP:192.0.2.7/255.255.255.255", "does not allow the names"},
	};
	struct pki *pki = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		X509_EXTENSION *extension =
			X509V3_EXT_nconf_nid(NULL, NULL, NID_name_constraints, cases[i].constraint);
		X509 *ca = X509_dup(pki->middle);
		const struct cert_chain chain = {.count = 2, .certs = {pki->leaf, ca}};

		assert_non_null(extension);
		assert_int_equal(X509_add_ext(ca, extension, -1), 1);
		assert_true(X509_sign(ca, pki->root_key, EVP_sha256()) > 0);
		expect(&chain, pki->leaf_key, cases[i].says);
		X509_EXTENSION_free(extension);
		X509_free(ca);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_expired_issuer),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_path_length),
		cmocka_unit_test(test_weak),
		cmocka_unit_test(test_name_constraints),
	};

	return cmocka_run_group_tests(tests, pki_setup, pki_teardown);
}
