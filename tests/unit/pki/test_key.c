/* tests/unit/pki/test_key.c - pki/key.c */
#include "pki/key.h"

#include "base/own.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static EVP_PKEY *make(enum key_type type)
{
	struct err err = {0};
	EVP_PKEY *key = key_make(type, &err);

	if (key == NULL)
		fail_msg("%s", err.msg);
	return key;
}

static void test_type_parse(void **state)
{
	static const struct {
		struct str_view algorithm;
		int64_t size;
		bool known, slow;
		enum key_type type;
	} cases[] = {
		{SV_INIT(""), 0, true, true, KEY_RSA_2048},
		{SV_INIT("RSA"), 0, true, true, KEY_RSA_2048},
		{SV_INIT("RSA"), 3072, true, true, KEY_RSA_3072},
		{SV_INIT("RSA"), 4096, true, true, KEY_RSA_4096},
		{SV_INIT("RSA"), 1024, false, false, KEY_RSA_2048},
		{SV_INIT("ECDSA"), 0, true, false, KEY_ECDSA_P256},
		{SV_INIT("ECDSA"), 256, true, false, KEY_ECDSA_P256},
		{SV_INIT("ECDSA"), 384, true, false, KEY_ECDSA_P384},
		{SV_INIT("ECDSA"), 2048, false, false, KEY_ECDSA_P256},
		{SV_INIT("Ed25519"), 0, true, false, KEY_ED25519},
		{SV_INIT("Ed25519"), 256, true, false, KEY_ED25519},
		{SV_INIT("rsa"), 2048, false, false, KEY_RSA_2048},
		{SV_INIT("DSA"), 0, false, false, KEY_RSA_2048},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum key_type type = KEY_TYPE_COUNT;
		bool known = key_type_parse(cases[i].algorithm, cases[i].size, &type);

		if (known != cases[i].known || (known && type != cases[i].type) ||
		    (known && key_is_slow(type) != cases[i].slow))
			fail_msg("%.*s %d", SV_ARG(cases[i].algorithm), (int)cases[i].size);
	}
}

static void test_pem_round_trip(void **state)
{
	static const struct {
		enum key_type type;
		enum key_encoding encoding;
		const char *label;
	} cases[] = {
		{KEY_ECDSA_P256, KEY_PKCS1, "-----BEGIN EC PRIVATE KEY-----\n"},
		{KEY_ECDSA_P256, KEY_PKCS8, "-----BEGIN PRIVATE KEY-----\n"},
		{KEY_ECDSA_P384, KEY_PKCS8, "-----BEGIN PRIVATE KEY-----\n"},
		{KEY_RSA_2048, KEY_PKCS1, "-----BEGIN RSA PRIVATE KEY-----\n"},
		{KEY_RSA_2048, KEY_PKCS8, "-----BEGIN PRIVATE KEY-----\n"},
		{KEY_ED25519, KEY_PKCS1, "-----BEGIN PRIVATE KEY-----\n"},
		{KEY_ED25519, KEY_PKCS8, "-----BEGIN PRIVATE KEY-----\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_key) EVP_PKEY *key = make(cases[i].type);
		AUTO(auto_key) EVP_PKEY *again = NULL;
		AUTO(secret_deinit) struct buf pem = {0};
		struct err err = {0};

		buf_init(&pem, 8192);
		assert_int_equal(key_to_pem(key, cases[i].encoding, &pem, &err), 0);
		assert_true(sv_starts(buf_view(&pem), sv_from(cases[i].label)));
		again = key_from_pem(buf_view(&pem), &err);
		assert_true(key_same_public(key, again));
		for (int type = 0; type < KEY_TYPE_COUNT; type++)
			assert_int_equal(key_is(again, (enum key_type)type),
					 type == (int)cases[i].type);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void test_same_public(void **state)
{
	AUTO(auto_key) EVP_PKEY *a = make(KEY_ECDSA_P256);
	AUTO(auto_key) EVP_PKEY *b = make(KEY_ECDSA_P256);
	AUTO(auto_key) EVP_PKEY *c = make(KEY_ED25519);

	(void)state;
	assert_true(key_same_public(a, a));
	assert_false(key_same_public(a, b));
	assert_false(key_same_public(a, c));
	assert_false(key_same_public(a, NULL));
	assert_false(key_same_public(NULL, NULL));
	assert_false(key_is(NULL, KEY_ECDSA_P256));
	assert_int_equal(ERR_peek_error(), 0);
}

static void test_pem_refuses(void **state)
{
	AUTO(auto_key) EVP_PKEY *key = make(KEY_ECDSA_P256);
	AUTO(auto_key) EVP_PKEY *weak = EVP_RSA_gen(1024);
	AUTO(auto_free) char *huge = xcalloc(1, 1u << 20);
	AUTO(secret_deinit) struct buf locked = {0}, half = {0}, shorter = {0};
	struct {
		const char *name;
		struct str_view pem;
		const char *says;
	} cases[] = {
		{"nothing", SV_INIT(""), "no readable PEM private key"},
		{"no PEM", SV_INIT("hello\n"), "no readable PEM private key"},
		{"a certificate's label",
		 SV_INIT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		 "no readable"},
		{"an empty block",
		 SV_INIT("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
		 "no readable"},
		{"encrypted", SV_NONE, "without a passphrase"},
		{"cut off", SV_NONE, "no readable"},
		{"too weak", SV_NONE, "1024 bits is too short"},
		{"huge", SV_NONE, "too long"},
	};
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;

	(void)state;
	PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL);
	buf_init(&locked, 8192);
	buf_add(&locked, sv_new(NULL, 0));
	long len = BIO_get_mem_data(bio, &data);
	buf_add(&locked, sv_new(data, (size_t)len));
	BIO_free(bio);
	buf_init(&half, 8192);
	key_to_pem(key, KEY_PKCS8, &half, NULL);
	buf_init(&shorter, 8192);
	key_to_pem(weak, KEY_PKCS8, &shorter, NULL);
	cases[4].pem = buf_view(&locked);
	cases[5].pem = sv_head(buf_view(&half), buf_len(&half) / 2);
	cases[6].pem = buf_view(&shorter);
	cases[7].pem = sv_new(huge, 1u << 20);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		AUTO(auto_key) EVP_PKEY *read = key_from_pem(cases[i].pem, &err);

		if (read != NULL || strstr(err.msg, cases[i].says) == NULL ||
		    strstr(err.msg, "secret") != NULL)
			fail_msg("%s: %p \"%s\"", cases[i].name, (void *)read, err.msg);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void test_full_buffer(void **state)
{
	AUTO(auto_key) EVP_PKEY *key = make(KEY_ECDSA_P256);
	AUTO(secret_deinit) struct buf pem = {0};
	struct err err = {0};

	(void)state;
	buf_init(&pem, 16);
	assert_int_equal(key_to_pem(key, KEY_PKCS8, &pem, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_type_parse),  cmocka_unit_test(test_pem_round_trip),
		cmocka_unit_test(test_same_public), cmocka_unit_test(test_pem_refuses),
		cmocka_unit_test(test_full_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
