/* pki/decode.h - keys from DER, without building OpenSSL's chain of decoders for each
 *
 * d2i_AutoPrivateKey and its like ask every provider for its decoders at each call, which takes
 * fifteen times as long as the decoding. Here each thread keeps the few that are wanted.
 */
#ifndef PKI_DECODE_H
#define PKI_DECODE_H

#include "base/str.h"

#include <openssl/evp.h>

/* By the label of a PEM block ("PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"), as EC, RSA or
 * Ed25519. NULL for whatever else, with OpenSSL's error queue empty: ask d2i_AutoPrivateKey or
 * PEM_read_bio_PrivateKey, which also say what is wrong. Any thread; the caller frees. */
EVP_PKEY *decode_private(struct str_view label, struct str_view der);
/* A SubjectPublicKeyInfo; likewise. */
EVP_PKEY *decode_public(struct str_view der);

#endif
