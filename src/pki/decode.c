/* pki/decode.c - keys from DER, without building OpenSSL's chain of decoders for each */
#include "pki/decode.h"

#include "base/own.h"

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>

static const struct {
	struct str_view label;
	const char *structure; /* OpenSSL's words */
	const char *type;
	int selection;
} forms[] = {
	{SV_INIT("PRIVATE KEY"), "PrivateKeyInfo", "EC", EVP_PKEY_KEYPAIR},
	{SV_INIT("PRIVATE KEY"), "PrivateKeyInfo", "RSA", EVP_PKEY_KEYPAIR},
	{SV_INIT("PRIVATE KEY"), "PrivateKeyInfo", "ED25519", EVP_PKEY_KEYPAIR},
	{SV_INIT("EC PRIVATE KEY"), "type-specific", "EC", EVP_PKEY_KEYPAIR},
	{SV_INIT("RSA PRIVATE KEY"), "type-specific", "RSA", EVP_PKEY_KEYPAIR},
	{SV_INIT("PUBLIC KEY"), "SubjectPublicKeyInfo", "EC", EVP_PKEY_PUBLIC_KEY},
	{SV_INIT("PUBLIC KEY"), "SubjectPublicKeyInfo", "RSA", EVP_PKEY_PUBLIC_KEY},
	{SV_INIT("PUBLIC KEY"), "SubjectPublicKeyInfo", "ED25519", EVP_PKEY_PUBLIC_KEY},
};

struct decoders { /* of one thread */
	OSSL_DECODER_CTX *contexts[ARRAY_LEN(forms)];
	EVP_PKEY *key; /* where the contexts leave what they made */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t of_thread;

static void decoders_free(void *value)
{
	struct decoders *decoders = value;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		OSSL_DECODER_CTX_free(decoders->contexts[i]);
	free(decoders);
}

static void make_key(void)
{
	if (pthread_key_create(&of_thread, decoders_free) != 0)
		abort(); /* 1,024 of them and this program has one */
}

static struct decoders *own_decoders(void)
{
	struct decoders *decoders;

	pthread_once(&once, make_key);
	decoders = pthread_getspecific(of_thread);
	if (decoders != NULL)
		return decoders;
	decoders = xcalloc(1, sizeof(*decoders));
	if (pthread_setspecific(of_thread, decoders) == 0)
		return decoders;
	free(decoders);
	return NULL;
}

/* NULL also without memory. */
static EVP_PKEY *decode_form(struct decoders *decoders, size_t form, struct str_view der)
{
	const unsigned char *at = (const unsigned char *)der.data;
	size_t left = der.len;

	if (decoders->contexts[form] == NULL)
		decoders->contexts[form] = OSSL_DECODER_CTX_new_for_pkey(
			&decoders->key, "DER", forms[form].structure, forms[form].type,
			forms[form].selection, NULL, NULL);
	decoders->key = NULL;
	if (decoders->contexts[form] == NULL ||
	    OSSL_DECODER_from_data(decoders->contexts[form], &at, &left) != 1 || left != 0) {
		EVP_PKEY_free(decoders->key);
		decoders->key = NULL;
	}
	return TAKE(decoders->key);
}

static EVP_PKEY *decode(int selection, struct str_view label, struct str_view der)
{
	struct decoders *decoders = own_decoders();
	EVP_PKEY *key = NULL;

	for (size_t i = 0; decoders != NULL && key == NULL && i < ARRAY_LEN(forms); i++) {
		if (forms[i].selection == selection && sv_eq(forms[i].label, label))
			key = decode_form(decoders, i, der);
	}
	ERR_clear_error();
	return key;
}

EVP_PKEY *decode_private(struct str_view label, struct str_view der)
{
	return decode(EVP_PKEY_KEYPAIR, label, der);
}

EVP_PKEY *decode_public(struct str_view der)
{
	return decode(EVP_PKEY_PUBLIC_KEY, SV("PUBLIC KEY"), der);
}
