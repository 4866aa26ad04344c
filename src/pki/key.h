/* pki/key.h - private keys: make, load, store, name */
#ifndef PKI_KEY_H
#define PKI_KEY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <openssl/evp.h>

enum key_type {
	KEY_ECDSA_P256,
	KEY_ECDSA_P384,
	KEY_RSA_2048,
	KEY_RSA_3072,
	KEY_RSA_4096,
	KEY_ED25519,
	KEY_TYPE_COUNT
};

#define KEY_RSA_BITS_MIN 2048 /* a shorter one is refused: nobody trusts it any more */
#define KEY_RSA_BITS_MAX 8192 /* a longer one takes seconds for each handshake */

/* Blocking. P-256 under 10 ms; RSA up to a second: job thread. The caller frees with EVP_PKEY_free.
 */
EVP_PKEY *key_make(enum key_type type, struct err *err);
/* cert-manager's words: algorithm "RSA" "ECDSA" "Ed25519" (empty: RSA), size 0 for the default. */
bool key_type_parse(struct str_view algorithm, int64_t size, enum key_type *type);
bool key_is_slow(enum key_type type); /* to the job thread */

enum key_encoding { KEY_PKCS1, KEY_PKCS8 }; /* PKCS1: "RSA PRIVATE KEY" / "EC PRIVATE KEY" */
/* The first private key in the text; never asks for a passphrase: an encrypted key is an error. */
EVP_PKEY *key_from_pem(struct str_view pem, struct err *err);
/* Ed25519 has no PKCS1 form and is always written as PKCS8. Release out with secret_deinit. */
int key_to_pem(EVP_PKEY *key, enum key_encoding encoding, struct buf *out, struct err *err);
/* Does the key meet the type asked for (rotation when the spec changes)? */
bool key_is(EVP_PKEY *key, enum key_type type);
bool key_same_public(EVP_PKEY *a, EVP_PKEY *b);
void auto_key(EVP_PKEY **key);

/* buf_deinit that overwrites the memory first: AUTO(secret_deinit) struct buf pem. A buf that grew
 * has left copies behind: give it its size with buf_room() first where that matters. */
void secret_deinit(struct buf *buf);

#endif
