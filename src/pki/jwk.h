/* pki/jwk.h - private keys as JSON Web Keys have them (RFC 7517, RFC 7518 section 6) */
#ifndef PKI_JWK_H
#define PKI_JWK_H

#include "pki/key.h"

/* Members of the object, base64url as they stand there; data NULL: absent. */
struct jwk_members {
	struct str_view kty, crv;                  /* "RSA", or "EC" with "P-256" or "P-384" */
	struct str_view n, e, d, p, q, dp, dq, qi; /* RSA; d of EC too */
	struct str_view x, y;                      /* EC */
};

/* The key, or NULL: err says which member is wrong. The parts must belong together. The caller
 * frees with EVP_PKEY_free. */
EVP_PKEY *key_from_jwk(const struct jwk_members *jwk, struct err *err);

#endif
