/* dataplane/tls_cert.h - the certificates that one worker has parsed: DER -> X509, bounded LRU */
#ifndef DATAPLANE_TLS_CERT_H
#define DATAPLANE_TLS_CERT_H

#include "dataplane/cert.h"

#include <openssl/x509.h>

struct parsed_cert {
	X509 *leaf;
	STACK_OF(X509) * chain; /* without the leaf */
	EVP_PKEY *key;
};

struct cert_cache;

struct cert_cache *cert_cache_new(size_t limit); /* certificates held */
void cert_cache_free(struct cert_cache *cache);
/* Borrowed until the next call. NULL: it cannot be parsed (logged once while it is remembered). */
const struct parsed_cert *cert_cache_get(struct cert_cache *cache, const struct cert *cert);

#endif
