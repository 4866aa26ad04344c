/* tests/unit/pki/test_x509.c - pki/x509.c, sign.c */
#include "pki_fixture.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* ---- chains as PEM ---- */

struct family { /* root, intermediate, leaf */
	EVP_PKEY *keys[3];
	X509 *certs[3];
};

static void family_init(struct family *family)
{
	const struct str_view dns = SV("example.com");
	const struct cert_names names = {.dns = &dns, .dns_count = 1};

	for (size_t i = 0; i < 3; i++)
		family->keys[i] = fixture_key();
	family->certs[0] = fixture_ca(family->keys[0], "root", NULL, NULL);
	family->certs[1] = fixture_ca(family->keys[1], "middle", family->certs[0], family->keys[0]);
	family->certs[2] =
		fixture_cert(family->keys[2], &names,
			     (struct x509_sign_how){.issuer = family->certs[1],
						    .issuer_key = family->keys[1],
						    .usages.purposes = X509_USAGE_SERVER});
}

static void family_deinit(struct family *family)
{
	for (size_t i = 0; i < 3; i++) {
		EVP_PKEY_free(family->keys[i]);
		X509_free(family->certs[i]);
	}
}

/* PEM of the certificates in that order, with text between them. */
static void pem_of(X509 *const *certs, const char *order, struct buf *out)
{
	for (; *order != '\0'; order++) {
		struct cert_chain one = {.count = 1, .certs = {certs[*order - '0']}};

		buf_add(out, SV(" s:/CN=x\nsome text\n"));
		assert_int_equal(chain_to_pem(&one, out, NULL), 0);
	}
}

static void test_chain_is_sorted(void **state)
{
	static const char *const orders[] = {"210", "012", "102",   "120",
					     "201", "021", "22110", "0120121"};
	AUTO(family_deinit) struct family family;

	(void)state;
	family_init(&family);
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		AUTO(buf_deinit) struct buf pem = {0};
		AUTO(auto_chain) struct cert_chain chain = {0};
		struct err err = {0};

		buf_init(&pem, 65536);
		pem_of(family.certs, orders[i], &pem);
		if (chain_from_pem(buf_view(&pem), &chain, &err) != 0)
			fail_msg("%s: %s", orders[i], err.msg);
		assert_int_equal(chain.count, 3);
		for (size_t j = 0; j < 3; j++)
			assert_int_equal(X509_cmp(chain.certs[j], family.certs[2 - j]), 0);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void test_stranger_goes_last(void **state)
{
	AUTO(family_deinit) struct family family;
	AUTO(buf_deinit) struct buf pem = {0};
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(auto_key) EVP_PKEY *key = fixture_key();
	X509 *stranger = fixture_ca(key, "stranger", NULL, NULL);
	X509 *certs[3];

	(void)state;
	family_init(&family);
	certs[0] = stranger;
	certs[1] = family.certs[1];
	certs[2] = family.certs[2];
	buf_init(&pem, 65536);
	pem_of(certs, "210", &pem);
	assert_int_equal(chain_from_pem(buf_view(&pem), &chain, NULL), 0);
	assert_int_equal(chain.count, 3);
	assert_int_equal(X509_cmp(chain.certs[0], family.certs[2]), 0);
	assert_int_equal(X509_cmp(chain.certs[1], family.certs[1]), 0);
	assert_int_equal(X509_cmp(chain.certs[2], stranger), 0);
	X509_free(stranger);
}

static void test_chain_refuses(void **state)
{
	AUTO(auto_key) EVP_PKEY *key = fixture_key();
	X509 *cert = fixture_ca(key, "a", NULL, NULL);
	AUTO(secret_deinit) struct buf with_key = {0}, half = {0}, many = {0};
	struct {
		const char *name;
		struct str_view pem;
		const char *says;
	} cases[] = {
		{"nothing", SV_INIT(""), "no PEM certificate"},
		{"text only", SV_INIT("hello\n"), "no PEM certificate"},
		{"an empty block",
		 SV_INIT("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), ""},
		{"no certificate inside",
		 SV_INIT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		 "certificate 1 is unreadable"},
		{"no base64 inside",
		 SV_INIT("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"),
		 "broken"},
		{"a block of another kind",
		 SV_INIT("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"), "X509 CRL"},
		{"a key", SV_NONE, "a private key stands among"},
		{"cut off", SV_NONE, "broken"},
		{"too many", SV_NONE, "more than 10 certificates"},
	};

	(void)state;
	buf_init(&with_key, 65536);
	pem_of(&cert, "0", &with_key);
	buf_init(&half, 65536);
	buf_add(&half, sv_head(buf_view(&with_key), buf_len(&with_key) - 10));
	key_to_pem(key, KEY_PKCS8, &with_key, NULL);
	buf_init(&many, 65536);
	for (int i = 0; i <= X509_CHAIN_MAX; i++) {
		X509 *other = fixture_ca(key, "b", NULL, NULL);

		pem_of(&other, "0", &many);
		X509_free(other);
	}
	cases[6].pem = buf_view(&with_key);
	cases[7].pem = buf_view(&half);
	cases[8].pem = buf_view(&many);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cert_chain chain;
		struct err err = {0};

		if (chain_from_pem(cases[i].pem, &chain, &err) != -1 || chain.count != 0 ||
		    strstr(err.msg, cases[i].says) == NULL)
			fail_msg("%s: \"%s\"", cases[i].name, err.msg);
		assert_int_equal(ERR_peek_error(), 0);
	}
	X509_free(cert);
}

/* ---- what a certificate says ---- */

static void test_info(void **state)
{
	AUTO(family_deinit) struct family family;
	struct cert_info info;

	(void)state;
	family_init(&family);
	assert_int_equal(cert_info_read(family.certs[2], &info, NULL), 0);
	assert_int_equal(info.not_before, FIXTURE_NOW - FIXTURE_DAY);
	assert_int_equal(info.not_after, FIXTURE_NOW + 89 * FIXTURE_DAY);
	assert_string_equal(info.issuer, "CN=middle");
	assert_string_equal(info.subject, "");
	assert_int_equal(strlen(info.serial), 40);
	assert_int_equal(strspn(info.serial, "0123456789abcdef"), 40);
	assert_int_equal(info.name_count, 1);
	assert_string_equal(info.names[0], "example.com");
	assert_false(info.is_ca);
	cert_info_deinit(&info);

	assert_int_equal(cert_info_read(family.certs[1], &info, NULL), 0);
	assert_true(info.is_ca);
	assert_int_equal(info.name_count, 0);
	assert_string_equal(info.subject, "CN=middle");
	cert_info_deinit(&info);
}

static void test_long_subject_is_cut_between_characters(void **state)
{
	static const char umlauts[] = "\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC"
				      "\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC";
	AUTO(auto_key) EVP_PKEY *key = fixture_key();
	X509 *cert = fixture_ca(key, "x", NULL, NULL);
	struct cert_info info;

	(void)state;
	for (int i = 0; i < 12; i++)
		X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_organizationName,
					   MBSTRING_UTF8, (const unsigned char *)umlauts, -1, -1,
					   0);
	X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_organizationName, MBSTRING_UTF8,
				   (const unsigned char *)"a", -1, -1, 0);
	assert_int_equal(cert_info_read(cert, &info, NULL), 0);
	/* "O=a," and eight times 31 bytes and "O=": the next character is two bytes, one fits */
	assert_int_equal(strlen(info.subject), 254);
	assert_int_equal(info.subject[253], '=');
	cert_info_deinit(&info);
	X509_free(cert);
}

static void test_too_many_names(void **state)
{
	AUTO(auto_key) EVP_PKEY *key = fixture_key();
	struct str_view dns[X509_NAMES_MAX + 1];
	struct cert_names names = {.dns = dns, .dns_count = X509_NAMES_MAX};
	struct cert_info info;
	struct err err = {0};
	X509 *cert;

	(void)state;
	for (size_t i = 0; i <= X509_NAMES_MAX; i++)
		dns[i] = SV("example.com");
	cert = fixture_cert(key, &names, (struct x509_sign_how){.issuer_key = key});
	assert_int_equal(cert_info_read(cert, &info, &err), 0);
	assert_int_equal(info.name_count, X509_NAMES_MAX);
	cert_info_deinit(&info);
	X509_free(cert);

	names.dns_count++;
	cert = fixture_cert(key, &names, (struct x509_sign_how){.issuer_key = key});
	assert_int_equal(cert_info_read(cert, &info, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	X509_free(cert);
}

static void test_covers(void **state)
{
	static const struct {
		struct str_view host;
		bool covered;
	} cases[] = {
		{SV_INIT("example.com"), true},
		{SV_INIT("EXAMPLE.com"), true},
		{SV_INIT("example.com."), true},
		{SV_INIT("www.example.com"), false},
		{SV_INIT("a.shop.example"), true},
		{SV_INIT("*.shop.example"), true},
		{SV_INIT("*.SHOP.example"), true},
		{SV_INIT("a.b.shop.example"), false},
		{SV_INIT("shop.example"), false},
		{SV_INIT("*.example.com"), false},
		{SV_INIT("*.a.shop.example"), false},
		{SV_INIT("192.0.2.7"), true},
		{SV_INIT("192.0.2.8"), false},
		{SV_INIT("2001:db8::1"), true},
		{SV_INIT("2001:0db8:0:0::1"), true},
		{SV_INIT("2001:db8::2"), false},
		{SV_INIT("common"), false},
		{SV_INIT(""), false},
		{SV_INIT("."), false},
		{SV_INIT(".example.com"), false},
		{SV_INIT("example.com\0.evil"), false},
	};
	const struct str_view dns[] = {SV("example.com"), SV("*.shop.example")};
	const struct str_view ips[] = {SV("192.0.2.7"), SV("2001:db8::1")};
	const struct cert_names names = {
		.dns = dns, .dns_count = 2, .ips = ips, .ip_count = 2, .common_name = SV("common")};
	AUTO(auto_key) EVP_PKEY *key = fixture_key();
	X509 *cert = fixture_cert(key, &names, (struct x509_sign_how){.issuer_key = key});

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (cert_covers(cert, cases[i].host) != cases[i].covered)
			fail_msg("%.*s", SV_ARG(cases[i].host));
	X509_free(cert);
}

static void test_ari_id(void **state)
{
	/* RFC 9773, appendix A */
	static const char pem[] =
		"-----BEGIN CERTIFICATE-----\n"
		"MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt\n"
		"cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS\n"
		"BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu\n"
		"7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf\n"
		"qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B\n"
		"yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb\n"
		"+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK\n"
		"-----END CERTIFICATE-----\n";
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(auto_key) EVP_PKEY *key = fixture_key();
	X509 *without = fixture_ca(key, "root", NULL, NULL);
	AUTO(buf_deinit) struct buf out = {0};
	struct cert_info info;
	struct err err = {0};

	(void)state;
	buf_init(&out, 256);
	assert_int_equal(chain_from_pem(sv_from(pem), &chain, &err), 0);
	assert_int_equal(cert_ari_id(chain.certs[0], &out, &err), 0);
	assert_string_equal(buf_cstr(&out), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
	assert_int_equal(cert_info_read(chain.certs[0], &info, &err), 0);
	assert_string_equal(info.serial, "87654321");
	assert_true(info.not_before < -62000000000); /* the year 1 */
	cert_info_deinit(&info);

	assert_int_equal(cert_ari_id(without, &out, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	X509_free(without);
}

/* ---- signing ---- */

static void test_self_signed(void **state)
{
	static const enum key_type types[] = {KEY_ECDSA_P256, KEY_ECDSA_P384, KEY_RSA_2048,
					      KEY_ED25519};
	const struct str_view dns = SV("example.com");
	const struct cert_names names = {.dns = &dns, .dns_count = 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		AUTO(auto_key) EVP_PKEY *key = key_make(types[i], NULL);
		X509 *cert =
			fixture_cert(key, &names,
				     (struct x509_sign_how){.issuer_key = key,
							    .usages.purposes = X509_USAGE_SERVER});

		assert_int_equal(X509_verify(cert, key), 1);
		assert_int_equal(X509_get_version(cert), X509_VERSION_3);
		assert_int_equal(X509_get_extended_key_usage(cert), XKU_SSL_SERVER);
		assert_int_equal((X509_get_key_usage(cert) & KU_KEY_ENCIPHERMENT) != 0,
				 types[i] == KEY_RSA_2048);
		assert_int_equal(X509_check_purpose(cert, X509_PURPOSE_SSL_SERVER, 0), 1);
		assert_int_equal(X509_check_ca(cert), 0);
		/* no subject: the names have to be critical (RFC 5280, section 4.2.1.6) */
		assert_int_equal(
			X509_EXTENSION_get_critical(X509_get_ext(
				cert, X509_get_ext_by_NID(cert, NID_subject_alt_name, -1))),
			1);
		X509_free(cert);
	}
}

static void test_issued_by_a_ca(void **state)
{
	AUTO(family_deinit) struct family family;
	const ASN1_OCTET_STRING *authority, *subject;

	(void)state;
	family_init(&family);
	authority = X509_get0_authority_key_id(family.certs[2]);
	subject = X509_get0_subject_key_id(family.certs[1]);
	assert_non_null(authority);
	assert_int_equal(ASN1_OCTET_STRING_cmp(authority, subject), 0);
	assert_int_equal(X509_verify(family.certs[2], family.keys[1]), 1);
	assert_int_equal(X509_check_ca(family.certs[1]), 1);
	assert_int_equal(X509_get_key_usage(family.certs[1]) & KU_KEY_CERT_SIGN, KU_KEY_CERT_SIGN);
}

static void test_dates_end_with_9999(void **state)
{
	AUTO(auto_key) EVP_PKEY *key = fixture_key();
	const struct cert_names names = {.common_name = SV("forever")};
	X509 *cert = fixture_cert(key, &names,
				  (struct x509_sign_how){.issuer_key = key,
							 .not_before = INT64_MIN,
							 .not_after = INT64_MAX});
	struct cert_info info;

	(void)state;
	assert_int_equal(cert_info_read(cert, &info, NULL), 0);
	assert_int_equal(info.not_before, 0);
	assert_int_equal(info.not_after, 253402300799);
	cert_info_deinit(&info);
	X509_free(cert);
}

/* A request that also asks to be a CA. */
static void ambitious_csr(EVP_PKEY *key, struct buf *out)
{
	X509_REQ *req = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	unsigned char *der = NULL;
	int len;

	X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_ASC,
				   (const unsigned char *)"x", -1, -1, 0);
	sk_X509_EXTENSION_push(extensions,
			       X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE"));
	X509_REQ_add_extensions(req, extensions);
	X509_REQ_set_pubkey(req, key);
	X509_REQ_sign(req, key, EVP_sha256());
	len = i2d_X509_REQ(req, &der);
	buf_add(out, sv_new((const char *)der, (size_t)len));
	OPENSSL_free(der);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	X509_REQ_free(req);
}

static void test_sign_takes_only_names(void **state)
{
	AUTO(auto_key) EVP_PKEY *key = fixture_key();
	AUTO(buf_deinit) struct buf csr = {0};
	struct x509_sign_how how = {.issuer_key = key, .not_after = FIXTURE_NOW};
	X509 *cert;

	(void)state;
	buf_init(&csr, 65536);
	ambitious_csr(key, &csr);
	cert = cert_sign(buf_view(&csr), &how, NULL);
	assert_non_null(cert);
	assert_int_equal(X509_check_ca(cert), 0);
	X509_free(cert);
}

static void test_sign_refuses(void **state)
{
	AUTO(family_deinit) struct family family;
	AUTO(buf_deinit) struct buf csr = {0};
	const struct cert_names names = {.common_name = SV("x")};
	struct err err = {0};

	(void)state;
	family_init(&family);
	buf_init(&csr, 65536);
	assert_int_equal(csr_make(family.keys[2], &names, &csr, &err), 0);

	struct x509_sign_how wrong_key = {
		.issuer = family.certs[1], .issuer_key = family.keys[0], .not_after = FIXTURE_NOW};
	assert_null(cert_sign(buf_view(&csr), &wrong_key, &err));
	assert_non_null(strstr(err.msg, "do not match"));

	struct x509_sign_how not_own = {.issuer_key = family.keys[0], .not_after = FIXTURE_NOW};
	assert_null(cert_sign(buf_view(&csr), &not_own, &err));
	assert_non_null(strstr(err.msg, "do not match"));

	struct x509_sign_how backwards = {.issuer_key = family.keys[2],
					  .not_before = FIXTURE_NOW,
					  .not_after = FIXTURE_NOW - 1};
	assert_null(cert_sign(buf_view(&csr), &backwards, &err));
	assert_non_null(strstr(err.msg, "before it begins"));

	assert_null(cert_sign(SV("x"), &not_own, &err));
	assert_null(cert_sign(SV_NONE, &not_own, &err));
	assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain_is_sorted),
		cmocka_unit_test(test_stranger_goes_last),
		cmocka_unit_test(test_chain_refuses),
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_long_subject_is_cut_between_characters),
		cmocka_unit_test(test_too_many_names),
		cmocka_unit_test(test_covers),
		cmocka_unit_test(test_ari_id),
		cmocka_unit_test(test_self_signed),
		cmocka_unit_test(test_issued_by_a_ca),
		cmocka_unit_test(test_dates_end_with_9999),
		cmocka_unit_test(test_sign_takes_only_names),
		cmocka_unit_test(test_sign_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
