/* dataplane/tls_bio.c - what the BIOs of clients and of backends share */
#include "dataplane/tls_bio.h"

#include <stdlib.h>

#define BIO_TYPE_OUR_OWN (100 | BIO_TYPE_SOURCE_SINK)

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_method_new(const char *name, tls_bio_read_fn *read, tls_bio_write_fn *write)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_OUR_OWN, name);

	if (method == NULL || !BIO_meth_set_read(method, read) ||
	    !BIO_meth_set_write(method, write) || !BIO_meth_set_ctrl(method, bio_ctrl))
		abort();
	return method;
}

int tls_bio_take(BIO *bio, struct window *cipher, char *out, int len)
{
	size_t got = window_take(cipher, out, (size_t)len);

	BIO_clear_retry_flags(bio);
	if (got > 0)
		return (int)got;
	BIO_set_retry_read(bio);
	return -1;
}
