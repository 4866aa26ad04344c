/* pki/jws.h - JSON Web Signatures as ACME uses them (RFC 7515, RFC 7518, RFC 7638, RFC 8555 section
 * 6.2)

 * Text only: what goes in and out is JSON that the caller wrote. Knows no JSON library. All append
 * to out; after an error what stands there is of no use.
 */
#ifndef PKI_JWS_H
#define PKI_JWS_H

#include "pki/key.h"

/* {"crv":…,"kty":…} of the public key, members in the order of RFC 7638. */
int jwk_public(EVP_PKEY *key, struct buf *out, struct err *err);
/* base64url(SHA-256(jwk_public)) (RFC 7638). */
int jwk_thumbprint(EVP_PKEY *key, struct buf *out, struct err *err);
/* "ES256" "ES384" "RS256"; NULL: a key that ACME cannot use. */
const char *jws_alg(EVP_PKEY *key);
/* Flattened JWS {"protected":…,"payload":…,"signature":…} over the header and payload texts. */
int jws_sign(EVP_PKEY *key, struct str_view header, struct str_view payload, struct buf *out,
	     struct err *err);
/* The same with HMAC (external account binding): alg "HS256" "HS384" "HS512". */
int jws_sign_hmac(struct str_view alg, struct str_view mac_key, struct str_view header,
		  struct str_view payload, struct buf *out, struct err *err);
/* token "." thumbprint (RFC 8555, section 8.1). A token that is empty, over 512 characters or not
 * base64url is ERR_PROTOCOL. */
int jws_key_authorization(EVP_PKEY *account, struct str_view token, struct buf *out,
			  struct err *err);

#endif
