/* pki/p12.h - key and certificates as one file (PKCS #12, RFC 7292) */
#ifndef PKI_P12_H
#define PKI_P12_H

#include "pki/x509.h"

/* DER to out; encrypted with password (empty: with the empty one) by AES-256 and PBKDF2. name: what
 * the key is called in it. Release out with secret_deinit. */
struct p12_how {
	const char *password, *name;
};
int p12_make(EVP_PKEY *key, const struct cert_chain *chain, const struct p12_how *how,
	     struct buf *out, struct err *err);
/* Does a file of that kind hold this key and these certificates? (Two files of the same are never
 * equal: each has a salt of its own.) */
bool p12_holds(struct str_view der, const char *password, EVP_PKEY *key,
	       const struct cert_chain *chain);

#endif
