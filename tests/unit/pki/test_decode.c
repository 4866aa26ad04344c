/* tests/unit/pki/test_decode.c - pki/decode.c */
#include "pki/decode.h"

#include "pki/key.h"
#include "pki_fixture.h"

#include <pthread.h>

struct form {
	const char *label;
	unsigned char *der;
	int len;
};

static struct str_view bytes_of(const struct form *form)
{
	return sv_new((const char *)form->der, (size_t)form->len);
}

static struct form form_of(EVP_PKEY *key, const char *label)
{
	struct form form = {.label = label};

	if (strcmp(label, "PUBLIC KEY") == 0) {
		form.len = i2d_PUBKEY(key, &form.der);
	} else if (strcmp(label, "PRIVATE KEY") == 0) {
		PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);

		form.len = i2d_PKCS8_PRIV_KEY_INFO(info, &form.der);
		PKCS8_PRIV_KEY_INFO_free(info);
	} else {
		form.len = i2d_PrivateKey(key, &form.der);
	}
	assert_true(form.len > 0);
	return form;
}

static bool decodes_to(const struct form *form, EVP_PKEY *key)
{
	bool is_public = strcmp(form->label, "PUBLIC KEY") == 0;
	AUTO(auto_key)
	EVP_PKEY *other = is_public ? decode_public(bytes_of(form))
				    : decode_private(sv_from(form->label), bytes_of(form));

	assert_int_equal(ERR_peek_error(), 0);
	return other != NULL && EVP_PKEY_eq(key, other) == 1;
}

static const struct {
	enum key_type type;
	const char *label;
} usual[] = {
	{KEY_ECDSA_P256, "PRIVATE KEY"}, {KEY_ECDSA_P256, "EC PRIVATE KEY"},
	{KEY_ECDSA_P256, "PUBLIC KEY"},  {KEY_ECDSA_P384, "PRIVATE KEY"},
	{KEY_RSA_2048, "PRIVATE KEY"},   {KEY_RSA_2048, "RSA PRIVATE KEY"},
	{KEY_RSA_2048, "PUBLIC KEY"},    {KEY_ED25519, "PRIVATE KEY"},
	{KEY_ED25519, "PUBLIC KEY"},
};

/* Each twice, with something broken in between: a decoder is used again and again. */
static void decode_all(void)
{
	for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
		struct err err = {0};
		AUTO(auto_key) EVP_PKEY *key = key_make(usual[i].type, &err);
		struct form form = form_of(key, usual[i].label);
		struct form cut = {form.label, form.der, form.len - 1};

		assert_true(decodes_to(&form, key));
		assert_false(decodes_to(&cut, key));
		assert_true(decodes_to(&form, key));
		OPENSSL_free(form.der);
	}
}

static void test_usual(void **state)
{
	(void)state;
	decode_all();
}

static void *other_thread(void *arg)
{
	decode_all();
	return arg;
}

static void test_threads(void **state)
{
	pthread_t threads[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, other_thread, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* A public key is never taken for a private one, whatever the label says. */
static void test_labels(void **state)
{
	static const char *const labels[] = {"PUBLIC KEY", "EC PRIVATE KEY", "PRIVATE KEY"};
	AUTO(auto_key) EVP_PKEY *key = fixture_key();
	struct form form = form_of(key, "PUBLIC KEY");
	struct form private = form_of(key, "PRIVATE KEY");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		assert_null(decode_private(sv_from(labels[i]), bytes_of(&form)));
	assert_null(decode_public(bytes_of(&private)));
	assert_null(decode_private(SV("ENCRYPTED PRIVATE KEY"), bytes_of(&private)));
	assert_null(decode_private(SV("PRIVATE KEY"), SV_NONE));
	assert_null(decode_public(SV_NONE));
	OPENSSL_free(form.der);
	OPENSSL_free(private.der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
