/* dataplane/tls_bio.h - OpenSSL between memory and memory: no system call is made in here */
#ifndef DATAPLANE_TLS_BIO_H
#define DATAPLANE_TLS_BIO_H

#include "dataplane/buffers.h"

#include <openssl/bio.h>

typedef int tls_bio_read_fn(BIO *bio, char *out, int len);
typedef int tls_bio_write_fn(BIO *bio, const char *data, int len);

/* Ends the process when there is no memory, as xmalloc. Freed with BIO_meth_free. */
BIO_METHOD *tls_bio_method_new(const char *name, tls_bio_read_fn *read, tls_bio_write_fn *write);
/* What a read function answers: bytes out of cipher, or "again". Never an end: whoever reads the
 * socket sees that. */
int tls_bio_take(BIO *bio, struct window *cipher, char *out, int len);

#endif
