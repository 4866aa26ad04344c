/* tests/unit/pki/test_jwk.c - pki/jwk.c and pki/p12.c */
#include "pki/jwk.h"

#include "base/own.h"
#include "pki/csr.h"
#include "pki/p12.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* RFC 7517, appendix A.2: one EC and one RSA key. */
#define EC_X "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
#define EC_Y "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
#define EC_D "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"
#define RSA_N                                                                              \
	"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1" \
	"L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4" \
	"QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbO" \
	"pbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csF" \
	"Cur-kEgU8awapJzKnqDKgw"
#define RSA_D                                                                              \
	"X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH-HLLKD9M7dx5oo7GURknchnrRweUkC7hT5f" \
	"JLM0WbFAKNLWY2vv7B6NqXSzUvxT0_YSfqijwp3RTzlBaCxWp4doFk5N2o8Gy_nHNKroADIkJ46pRUoh" \
	"sXywbReAdYaMwFs9tv8d_cPVY3i07a3t8MN6TNwm0dSawm9v47UiCl3Sk5ZiG7xojPLu4sbg1U2jx4IB" \
	"TNBznbJSzFHK66jT8bgkuqsk0GjskDJk19Z4qwjwbsnn4j2WBii3RL-Us2lGVkY8fkFzme1z0HbIkfz0" \
	"Y6mqnOYtqc0X4jfcKoAC8Q"
#define RSA_P                                                                              \
	"83i-7IvMGXoMXCskv73TKr8637FiO7Z27zv8oj6pbWUQyLPQBQxtPVnwD20R-60eTDmD2ujnMt5PoqMr" \
	"m8RfmNhVWDtjjMmCMjOpSXicFHj7XOuVIYQyqVWlWEh6dN36GVZYk93N8Bc9vY41xy8B9RzzOGVQzXvN" \
	"Evn7O0nVbfs"
#define RSA_Q                                                                              \
	"3dfOR9cuYq-0S-mkFLzgItgMEfFzB2q3hWehMuG0oCuqnb3vobLyumqjVZQO1dIrdwgTnCdpYzBcOfW5" \
	"r370AFXjiWft_NGEiovonizhKpo9VVS78TzFgxkIdrecRezsZ-1kYd_s1qDbxtkDEgfAITAG9LUnADun" \
	"4vIcb6yelxk"
#define RSA_DP                                                                             \
	"G4sPXkc6Ya9y8oJW9_ILj4xuppu0lzi_H7VTkS8xj5SdX3coE0oimYwxIi2emTAue0UOa5dpgFGyBJ4c" \
	"8tQ2VF402XRugKDTP8akYhFo5tAA77Qe_NmtuYZc3C3m3I24G2GvR5sSDxUyAN2zq8Lfn9EUms6rY3Ob" \
	"8YeiKkTiBj0"
#define RSA_DQ                                                                             \
	"s9lAH9fggBsoFR8Oac2R_E2gw282rT2kGOAhvIllETE1efrA6huUUvMfBcMpn8lqeW6vzznYY5SSQF7p" \
	"MdC_agI3nG8Ibp1BUb0JUiraRNqUfLhcQb_d9GF4Dh7e74WbRsobRonujTYN1xCaP6TO61jvWrX-L18t" \
	"xXw494Q_cgk"
#define RSA_QI                                                                             \
	"GyM_p6JrXySiz1toFgKbWV-JdI3jQ4ypu9rbMWx3rQJBfmt0FoYzgUIZEVFEcOqwemRN81zoDAaa-Bk0" \
	"KWNGDjJHZDdDmFhW3AN7lI-puxk_mHZGJ11rxyR8O55XLSe3SPmRfKwZI6yU24ZxvQKFYItdldUKGzO6" \
	"Ia6zTKhAVRU"

#define EC_JWK                                                                     \
	{                                                                          \
		.kty = SV_INIT("EC"), .crv = SV_INIT("P-256"), .x = SV_INIT(EC_X), \
		.y = SV_INIT(EC_Y), .d = SV_INIT(EC_D)                             \
	}
#define RSA_JWK                                                                     \
	{                                                                           \
		.kty = SV_INIT("RSA"), .n = SV_INIT(RSA_N), .e = SV_INIT("AQAB"),   \
		.d = SV_INIT(RSA_D), .p = SV_INIT(RSA_P), .q = SV_INIT(RSA_Q),      \
		.dp = SV_INIT(RSA_DP), .dq = SV_INIT(RSA_DQ), .qi = SV_INIT(RSA_QI) \
	}

static void test_keys_of_the_rfc(void **state)
{
	static const struct jwk_members ec = EC_JWK, rsa = RSA_JWK;
	struct err err = {.code = ERR_NONE};
	AUTO(auto_key) EVP_PKEY *first = key_from_jwk(&ec, &err);
	AUTO(auto_key) EVP_PKEY *second = key_from_jwk(&rsa, &err);
	AUTO(secret_deinit) struct buf pem;

	(void)state;
	assert_string_equal(err.msg, "");
	assert_true(first != NULL && key_is(first, KEY_ECDSA_P256));
	assert_true(second != NULL && key_is(second, KEY_RSA_2048));
	buf_init(&pem, 65536);
	assert_int_equal(key_to_pem(second, KEY_PKCS1, &pem, &err), 0);
	assert_true(sv_starts(buf_view(&pem), SV("-----BEGIN RSA PRIVATE KEY-----")));
}

static void test_refused(void **state)
{
	static const struct {
		const char *name;
		struct jwk_members jwk;
		const char *words;
	} cases[] = {
		{"empty", {.kty = SV_INIT("")}, "not RSA or EC"},
		{"a secret key", {.kty = SV_INIT("oct")}, "not RSA or EC"},
		{"no members", {.kty = SV_INIT("RSA")}, "lacks \"n\""},
		{"a public key",
		 {.kty = SV_INIT("EC"),
		  .crv = SV_INIT("P-256"),
		  .x = SV_INIT(EC_X),
		  .y = SV_INIT(EC_Y)},
		 "lacks \"d\""},
		{"another curve",
		 {.kty = SV_INIT("EC"),
		  .crv = SV_INIT("P-521"),
		  .x = SV_INIT(EC_X),
		  .y = SV_INIT(EC_Y),
		  .d = SV_INIT(EC_D)},
		 "not P-256"},
		{"a short coordinate",
		 {.kty = SV_INIT("EC"),
		  .crv = SV_INIT("P-256"),
		  .x = SV_INIT("AQAB"),
		  .y = SV_INIT(EC_Y),
		  .d = SV_INIT(EC_D)},
		 "not 32"},
		{"no base64url",
		 {.kty = SV_INIT("EC"),
		  .crv = SV_INIT("P-256"),
		  .x = SV_INIT("A+B/"),
		  .y = SV_INIT(EC_Y),
		  .d = SV_INIT(EC_D)},
		 "base64url"},
		{"a point that is none",
		 {.kty = SV_INIT("EC"),
		  .crv = SV_INIT("P-256"),
		  .x = SV_INIT(EC_Y),
		  .y = SV_INIT(EC_X),
		  .d = SV_INIT(EC_D)},
		 "EC key"},
		{"halves of two keys",
		 {.kty = SV_INIT("EC"),
		  .crv = SV_INIT("P-256"),
		  .x = SV_INIT(EC_X),
		  .y = SV_INIT(EC_Y),
		  .d = SV_INIT(EC_X)},
		 "belong together"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {.code = ERR_NONE};
		EVP_PKEY *key = key_from_jwk(&cases[i].jwk, &err);

		if (key != NULL || strstr(err.msg, cases[i].words) == NULL)
			fail_msg("%s: %s", cases[i].name, err.msg);
	}
}

static void test_factors_that_do_not_fit(void **state)
{
	struct jwk_members jwk = RSA_JWK;
	struct err err = {.code = ERR_NONE};

	(void)state;
	jwk.p = jwk.q;
	assert_null(key_from_jwk(&jwk, &err));
	assert_int_equal(err.code, ERR_INVALID);
}

/* ---- PKCS #12 ---- */

static void make_chain(EVP_PKEY *key, struct cert_chain *chain)
{
	const struct str_view name = SV("a.test");
	struct cert_names names = {.dns = &name, .dns_count = 1};
	struct x509_sign_how how = {
		.issuer_key = key, .not_before = 1700000000, .not_after = 1900000000};
	struct err err = {.code = ERR_NONE};
	AUTO(buf_deinit) struct buf der;

	buf_init(&der, 65536);
	assert_int_equal(csr_make(key, &names, &der, &err), 0);
	chain->certs[0] = cert_sign(buf_view(&der), &how, &err);
	assert_non_null(chain->certs[0]);
	chain->count = 1;
}

static void test_p12(void **state)
{
	struct err err = {.code = ERR_NONE};
	AUTO(auto_key) EVP_PKEY *key = key_make(KEY_ECDSA_P256, &err);
	AUTO(auto_key) EVP_PKEY *other = key_make(KEY_ECDSA_P256, &err);
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(secret_deinit) struct buf der, small;

	(void)state;
	make_chain(key, &chain);
	buf_init(&der, 65536);
	buf_init(&small, 16);
	assert_int_equal(p12_make(key, &chain, &(struct p12_how){"pass", "a"}, &der, &err), 0);
	assert_true(p12_holds(buf_view(&der), "pass", key, &chain));
	assert_false(p12_holds(buf_view(&der), "", key, &chain));
	assert_false(p12_holds(buf_view(&der), "pass", other, &chain));
	assert_false(p12_holds(sv_head(buf_view(&der), buf_len(&der) / 2), "pass", key, &chain));
	assert_false(p12_holds(SV(""), "pass", key, &chain));
	assert_int_equal(p12_make(key, &chain, &(struct p12_how){"pass", "a"}, &small, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_of_the_rfc),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_factors_that_do_not_fit),
		cmocka_unit_test(test_p12),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
