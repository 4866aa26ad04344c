/* pki/ossl.h - OpenSSL's habits turned into ours: releases for AUTO, its error queue as a sentence
 *
 * Private to this room.
 */
#ifndef PKI_OSSL_H
#define PKI_OSSL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

void auto_bio(BIO **bio);
void auto_bignum(BIGNUM **number);
void auto_md_ctx(EVP_MD_CTX **ctx);
void auto_x509(X509 **cert);
void auto_x509_req(X509_REQ **req);
void auto_general_names(GENERAL_NAMES **names);

/* Sets the sentence, ": " and OpenSSL's first reason, and empties its queue. Always -1. */
int ossl_fail(struct err *err, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A read-only BIO over text that the caller keeps; NULL when text is longer than max. */
BIO *bio_over(struct str_view text, size_t max);
/* Moves what was written to a memory BIO to out; -1 with a sentence when it does not fit. */
int bio_drain(BIO *bio, struct buf *out, struct err *err);

/* The digest that goes with a key's signatures; NULL for Ed25519, which has its own. */
const EVP_MD *key_digest(EVP_PKEY *key);
/* Is it one that may be used here? RSA has limits. 0 or -1 with a sentence. */
int key_check(EVP_PKEY *key, struct err *err);

/* Seconds since the epoch, at most PKI_TIME_MAX; -1: unreadable. */
int x509_time(const ASN1_TIME *text, int64_t *out);
/* Heap text of a name for hosts, or NULL for the kinds that are left out. */
char *x509_name_text(const GENERAL_NAME *name);

#define PKI_PEM_MAX  (256u << 10) /* bytes of one PEM text: ten certificates of 256 names fit */
#define PKI_TIME_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z: X.509 knows nothing later */

#endif
