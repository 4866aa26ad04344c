/* pki/ossl.c - OpenSSL's habits turned into ours */
#include "pki/ossl.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

void auto_bio(BIO **bio)
{
	BIO_free(*bio);
}

void auto_bignum(BIGNUM **number)
{
	BN_clear_free(*number);
}

void auto_md_ctx(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

void auto_x509(X509 **cert)
{
	X509_free(*cert);
}

void auto_x509_req(X509_REQ **req)
{
	X509_REQ_free(*req);
}

void auto_general_names(GENERAL_NAMES **names)
{
	GENERAL_NAMES_free(*names);
}

int ossl_fail(struct err *err, enum err_code code, const char *fmt, ...)
{
	char sentence[ERR_MSG_MAX / 2];
	unsigned long first = ERR_get_error();
	const char *reason = first == 0 ? NULL : ERR_reason_error_string(first);
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	ERR_clear_error();
	if (reason == NULL)
		return err_set(err, code, "%s", sentence);
	return err_set(err, code, "%s (OpenSSL: %s)", sentence, reason);
}

BIO *bio_over(struct str_view text, size_t max)
{
	if (text.len > max || text.len > INT_MAX)
		return NULL;
	return BIO_new_mem_buf(text.len == 0 ? "" : text.data, (int)text.len);
}

int bio_drain(BIO *bio, struct buf *out, struct err *err)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);

	if (len < 0 || !buf_add(out, sv_new(data, (size_t)len)))
		return err_set(err, ERR_LIMIT, "no room for %ld bytes of output", len);
	return 0;
}
