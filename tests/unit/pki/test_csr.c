/* tests/unit/pki/test_csr.c - pki/csr.c */
#include "pki_fixture.h"

#include <openssl/x509v3.h>

static void test_names(void **state)
{
	const struct str_view dns[] = {SV("example.com"), SV("*.example.com")};
	const struct str_view ips[] = {SV("192.0.2.7"), SV("2001:db8::1")};
	const struct cert_names names = {.dns = dns,
					 .dns_count = 2,
					 .ips = ips,
					 .ip_count = 2,
					 .common_name = SV("example.com")};
	AUTO(auto_key) EVP_PKEY *key = fixture_key();
	X509 *cert = fixture_cert(key, &names, (struct x509_sign_how){.issuer_key = key});
	struct cert_info info;

	(void)state;
	assert_int_equal(cert_info_read(cert, &info, NULL), 0);
	assert_int_equal(info.name_count, 4);
	assert_string_equal(info.names[0], "example.com");
	assert_string_equal(info.names[1], "*.example.com");
	assert_string_equal(info.names[2], "192.0.2.7");
	assert_string_equal(info.names[3], "2001:db8::1");
	assert_string_equal(info.subject, "CN=example.com");
	cert_info_deinit(&info);
	X509_free(cert);
}

static void test_refuses(void **state)
{
	static const struct {
		const char *name;
		struct str_view dns, ip, common_name;
		const char *says;
	} cases[] = {
		{"no name at all", SV_INIT(""), SV_INIT(""), SV_INIT(""), "at least one name"},
		{"an empty label", SV_INIT("*."), SV_INIT(""), SV_INIT(""), "no host name"},
		{"a wildcard inside", SV_INIT("a.*.com"), SV_INIT(""), SV_INIT(""), "no host name"},
		{"a comma", SV_INIT("a.com,DNS:b.com"), SV_INIT(""), SV_INIT(""), "no host name"},
		{"a NUL", SV_INIT("a.com\0.b"), SV_INIT(""), SV_INIT(""), "no host name"},
		{"not ASCII", SV_INIT("m\xC3\xBCller.de"), SV_INIT(""), SV_INIT(""),
		 "no host name"},
		{"no address", SV_INIT(""), SV_INIT("300.1.1.1"), SV_INIT(""), "no IP address"},
		{"a prefix", SV_INIT(""), SV_INIT("10.0.0.0/8"), SV_INIT(""), "no IP address"},
		{"long common name", SV_INIT(""), SV_INIT(""),
		 SV_INIT("12345678901234567890123456789012345678901234567890123456789012345"),
		 "over 64"},
	};
	AUTO(auto_key) EVP_PKEY *key = fixture_key();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct cert_names names = {.dns = &cases[i].dns,
						 .dns_count = cases[i].dns.len > 0,
						 .ips = &cases[i].ip,
						 .ip_count = cases[i].ip.len > 0,
						 .common_name = cases[i].common_name};
		AUTO(buf_deinit) struct buf der = {0};
		struct err err = {0};

		buf_init(&der, 65536);
		if (csr_make(key, &names, &der, &err) == 0 ||
		    strstr(err.msg, cases[i].says) == NULL)
			fail_msg("%s: \"%s\"", cases[i].name, err.msg);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void test_round_trip(void **state)
{
	static const enum key_type types[] = {KEY_ECDSA_P256, KEY_ECDSA_P384, KEY_RSA_2048,
					      KEY_ED25519};
	const struct str_view dns = SV("example.com");
	const struct cert_names names = {.dns = &dns, .dns_count = 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		AUTO(auto_key) EVP_PKEY *key = key_make(types[i], NULL);
		AUTO(buf_deinit) struct buf der = {0}, pem = {0}, again = {0};
		struct err err = {0};

		buf_init(&der, 65536);
		buf_init(&pem, 65536);
		buf_init(&again, 65536);
		assert_int_equal(csr_make(key, &names, &der, &err), 0);
		assert_int_equal(csr_to_pem(buf_view(&der), &pem, &err), 0);
		assert_int_equal(csr_from_pem(buf_view(&pem), &again, &err), 0);
		assert_true(sv_eq(buf_view(&der), buf_view(&again)));
	}
}

static void test_forged(void **state)
{
	const struct str_view dns = SV("example.com");
	const struct cert_names names = {.dns = &dns, .dns_count = 1};
	AUTO(auto_key) EVP_PKEY *key = fixture_key();
	AUTO(buf_deinit) struct buf der = {0}, pem = {0};
	struct err err = {0};
	size_t at;

	(void)state;
	buf_init(&der, 65536);
	buf_init(&pem, 65536);
	assert_int_equal(csr_make(key, &names, &der, &err), 0);
	at = sv_find_sv(buf_view(&der), SV("example.com"));
	assert_int_not_equal(at, SV_NOT_FOUND);
	der.data[der.start + at] = 'E';
	assert_int_equal(csr_to_pem(buf_view(&der), &pem, &err), -1);
	assert_non_null(strstr(err.msg, "not signed by its own key"));

	der.data[der.start + at] = 'e';
	buf_addc(&der, 'x');
	assert_int_equal(csr_to_pem(buf_view(&der), &pem, &err), -1);
	assert_non_null(strstr(err.msg, "not a certificate signing request"));
	assert_int_equal(csr_to_pem(SV(""), &pem, &err), -1);
	assert_int_equal(csr_from_pem(SV("nothing"), &pem, &err), -1);
	assert_int_equal(csr_from_pem(SV(""), &pem, &err), -1);
	assert_int_equal(buf_len(&pem), 0);
	assert_int_equal(ERR_peek_error(), 0);
}

static void test_info(void **state)
{
	const struct str_view dns[] = {SV("a.example.com"), SV("*.example.com")};
	const struct str_view ips[] = {SV("192.0.2.1"), SV("2001:db8::1")};
	const struct cert_names names = {.dns = dns,
					 .dns_count = 2,
					 .ips = ips,
					 .ip_count = 2,
					 .common_name = SV("a.example.com")};
	AUTO(auto_key) EVP_PKEY *key = fixture_key();
	AUTO(buf_deinit) struct buf der = {0};
	struct csr_info info;
	struct err err = {0};

	(void)state;
	buf_init(&der, 65536);
	assert_int_equal(csr_make(key, &names, &der, &err), 0);
	assert_int_equal(csr_info_read(buf_view(&der), &info, &err), 0);
	assert_int_equal(info.dns_count, 2);
	assert_string_equal(info.dns[0], "a.example.com");
	assert_string_equal(info.dns[1], "*.example.com");
	assert_int_equal(info.ip_count, 2);
	assert_string_equal(info.ips[0], "192.0.2.1");
	assert_string_equal(info.ips[1], "2001:db8::1");
	assert_string_equal(info.common_name, "a.example.com");
	assert_true(key_same_public(info.key, key));
	csr_info_deinit(&info);
	assert_int_equal(csr_info_read(SV("nothing"), &info, &err), -1);
	assert_int_equal(ERR_peek_error(), 0);
}

/* A certificate that asks for what a request was made for, and for nothing else. */
static void test_is_for(void **state)
{
	const struct str_view dns[] = {SV("a.example.com"), SV("b.example.com")};
	const struct str_view uri = SV("spiffe://example.com/a"), email = SV("a@example.com");
	const struct subject_part subject[] = {{"C", SV("CH")}, {"O", SV("Example")}};
	const struct cert_names all = {.dns = dns,
				       .dns_count = 2,
				       .uris = &uri,
				       .uri_count = 1,
				       .emails = &email,
				       .email_count = 1,
				       .subject = subject,
				       .subject_count = 2,
				       .common_name = SV("a.example.com")};
	AUTO(auto_key) EVP_PKEY *key = fixture_key();
	AUTO(auto_key) EVP_PKEY *other = fixture_key();
	AUTO(buf_deinit) struct buf der = {0};
	struct cert_names less[6];
	struct csr_info info;

	(void)state;
	buf_init(&der, 65536);
	assert_int_equal(csr_make(key, &all, &der, NULL), 0);
	assert_true(csr_is_for(buf_view(&der), key, &all));
	assert_false(csr_is_for(buf_view(&der), other, &all));
	assert_false(csr_is_for(SV("nothing"), key, &all));
	for (size_t i = 0; i < ARRAY_LEN(less); i++)
		less[i] = all;
	less[0].dns_count = 1;
	less[1].uri_count = 0;
	less[2].email_count = 0;
	less[3].subject_count = 1;
	less[4].common_name = SV("");
	less[5].common_name = SV("b.example.com");
	for (size_t i = 0; i < ARRAY_LEN(less); i++)
		assert_false(csr_is_for(buf_view(&der), key, &less[i]));
	assert_int_equal(csr_info_read(buf_view(&der), &info, NULL), 0);
	assert_int_equal(info.text_count, 2);
	assert_false(info.wants_ca || info.wants_usages);
	csr_info_deinit(&info);
	assert_int_equal(ERR_peek_error(), 0);
}

static void test_refuses_texts(void **state)
{
	static const struct {
		struct str_view uri, email, country;
		const char *says;
	} cases[] = {
		{SV_INIT("no scheme"), SV_INIT(""), SV_INIT(""), "absolute URI"},
		{SV_INIT(":nothing"), SV_INIT(""), SV_INIT(""), "absolute URI"},
		{SV_INIT("a:\xC3\xBC"), SV_INIT(""), SV_INIT(""), "absolute URI"},
		{SV_INIT("a:b\0c"), SV_INIT(""), SV_INIT(""), "absolute URI"},
		{SV_INIT(""), SV_INIT("@example.com"), SV_INIT(""), "mail address"},
		{SV_INIT(""), SV_INIT("a@"), SV_INIT(""), "mail address"},
		{SV_INIT(""), SV_INIT("a b@c"), SV_INIT(""), "mail address"},
		{SV_INIT(""), SV_INIT(""), SV_INIT("Switzerland"), "subject as C"},
	};
	AUTO(auto_key) EVP_PKEY *key = fixture_key();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct subject_part subject = {"C", cases[i].country};
		const struct cert_names names = {.common_name = SV("a"),
						 .uris = &cases[i].uri,
						 .uri_count = cases[i].uri.len > 0,
						 .emails = &cases[i].email,
						 .email_count = cases[i].email.len > 0,
						 .subject = &subject,
						 .subject_count = cases[i].country.len > 0};
		AUTO(buf_deinit) struct buf der = {0};
		struct err err = {0};

		buf_init(&der, 65536);
		if (csr_make(key, &names, &der, &err) == 0 ||
		    strstr(err.msg, cases[i].says) == NULL)
			fail_msg("%zu: \"%s\"", i, err.msg);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

/* What a request made elsewhere would like to be. */
static void test_wishes(void **state)
{
	static const struct {
		int nid;
		const char *value;
		bool wants_ca, wants_usages, other;
		unsigned key, purposes;
	} cases[] = {
		{NID_basic_constraints, "critical,CA:TRUE", true, false, false, 0, 0},
		{NID_basic_constraints, "CA:FALSE", false, false, false, 0, 0},
		{NID_key_usage, "digitalSignature,keyCertSign", false, true, false,
		 X509v3_KU_DIGITAL_SIGNATURE | X509v3_KU_KEY_CERT_SIGN, 0},
		{NID_ext_key_usage, "serverAuth,clientAuth", false, true, false, 0,
		 X509_USAGE_SERVER | X509_USAGE_CLIENT},
		{NID_ext_key_usage, "1.2.3.4", false, true, true, 0, 0},
	};
	AUTO(auto_key) EVP_PKEY *key = fixture_key();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		STACK_OF(X509_EXTENSION) *all = sk_X509_EXTENSION_new_null();
		X509_REQ *req = X509_REQ_new();
		unsigned char *der = NULL;
		struct csr_info info;
		struct err err = {0};
		int len;

		sk_X509_EXTENSION_push(
			all, X509V3_EXT_nconf_nid(NULL, NULL, cases[i].nid, cases[i].value));
		assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
		assert_int_equal(X509_REQ_add_extensions(req, all), 1);
		assert_true(X509_REQ_sign(req, key, EVP_sha256()) > 0);
		len = i2d_X509_REQ(req, &der);
		if (csr_info_read(sv_new((const char *)der, (size_t)len), &info, &err) != 0)
			fail_msg("%zu: %s", i, err.msg);
		assert_int_equal(info.wants_ca, cases[i].wants_ca);
		assert_int_equal(info.wants_usages, cases[i].wants_usages);
		assert_int_equal(info.other_usages, cases[i].other);
		assert_int_equal(info.usages.key, cases[i].key);
		assert_int_equal(info.usages.purposes, cases[i].purposes);
		csr_info_deinit(&info);
		OPENSSL_free(der);
		X509_REQ_free(req);
		sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_info),    cmocka_unit_test(test_names),
		cmocka_unit_test(test_refuses), cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_forged),  cmocka_unit_test(test_is_for),
		cmocka_unit_test(test_wishes),  cmocka_unit_test(test_refuses_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
