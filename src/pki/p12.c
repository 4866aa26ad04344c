/* pki/p12.c - key and certificates as one file (PKCS #12) */
#include "pki/p12.h"

#include "pki/key.h"
#include "pki/ossl.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>

#define ROUNDS 10000 /* of PBKDF2: the password is a formality beside the file's mode */

static void auto_p12(PKCS12 **p12)
{
	PKCS12_free(*p12);
}

static void auto_stack(STACK_OF(X509) * *stack)
{
	sk_X509_free(*stack); /* what is in it is borrowed */
}

int p12_make(EVP_PKEY *key, const struct cert_chain *chain, const struct p12_how *how,
	     struct buf *out, struct err *err)
{
	AUTO(auto_stack) STACK_OF(X509) *others = sk_X509_new_null();
	AUTO(auto_p12) PKCS12 *p12 = NULL;
	unsigned char *room;
	int len;

	ERR_clear_error();
	for (size_t i = 1; i < chain->count && others != NULL; i++)
		(void)sk_X509_push(others, chain->certs[i]);
	p12 = PKCS12_create(how->password, how->name, key, chain->certs[0], others, NID_aes_256_cbc,
			    NID_aes_256_cbc, ROUNDS, ROUNDS, 0);
	len = p12 == NULL ? -1 : i2d_PKCS12(p12, NULL);
	if (len <= 0)
		return ossl_fail(err, ERR_IO, "cannot make a PKCS #12 file");
	room = (unsigned char *)buf_room(out, (size_t)len);
	if (room == NULL)
		return err_set(err, ERR_LIMIT, "the PKCS #12 file has %d bytes, more than %zu", len,
			       out->max);
	len = i2d_PKCS12(p12, &room);
	buf_wrote(out, (size_t)len);
	return 0;
}

static bool has_all(const STACK_OF(X509) * others, const struct cert_chain *chain)
{
	size_t count = others == NULL ? 0 : (size_t)sk_X509_num(others);

	if (count + 1 != chain->count)
		return false;
	for (size_t i = 1; i < chain->count; i++) {
		bool found = false;

		for (int k = 0; k < sk_X509_num(others); k++)
			found |= X509_cmp(sk_X509_value(others, k), chain->certs[i]) == 0;
		if (!found)
			return false;
	}
	return true;
}

static void auto_owned_stack(STACK_OF(X509) * *stack)
{
	sk_X509_pop_free(*stack, X509_free);
}

bool p12_holds(struct str_view der, const char *password, EVP_PKEY *key,
	       const struct cert_chain *chain)
{
	const unsigned char *data = (const unsigned char *)der.data;
	AUTO(auto_owned_stack) STACK_OF(X509) *others = NULL;
	AUTO(auto_p12) PKCS12 *p12 = NULL;
	AUTO(auto_key) EVP_PKEY *there = NULL;
	AUTO(auto_x509) X509 *leaf = NULL;
	bool same;

	if (der.len == 0 || der.len > PKI_PEM_MAX)
		return false;
	p12 = d2i_PKCS12(NULL, &data, (long)der.len);
	same = p12 != NULL && PKCS12_parse(p12, password, &there, &leaf, &others) == 1 &&
	       there != NULL && leaf != NULL && key_same_public(there, key) &&
	       X509_cmp(leaf, chain->certs[0]) == 0 && has_all(others, chain);
	ERR_clear_error();
	return same;
}
