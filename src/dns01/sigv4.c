#include "dns01/sigv4.h"

#include "base/enc.h"
#include "base/own.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <time.h>

#define DIGEST_LEN    32
#define CANONICAL_MAX 16384
#define DATE_LEN      8 /* of the day */

void sigv4_date(int64_t now, char out[SIGV4_DATE_SIZE])
{
	time_t when = (time_t)now;
	struct tm parts;

	if (gmtime_r(&when, &parts) == NULL ||
	    strftime(out, SIGV4_DATE_SIZE, "%Y%m%dT%H%M%SZ", &parts) == 0)
		out[0] = '\0';
}

static int add_digest(struct buf *out, struct str_view bytes, struct err *err)
{
	unsigned char digest[DIGEST_LEN];
	size_t len = 0;

	if (EVP_Q_digest(NULL, "SHA256", NULL, bytes.data == NULL ? "" : bytes.data, bytes.len,
			 digest, &len) != 1)
		return err_set(err, ERR_IO, "cannot compute SHA-256");
	enc_hex(out, sv_new((const char *)digest, len));
	return 0;
}

static int hmac(struct str_view key, struct str_view input, unsigned char out[DIGEST_LEN],
		struct err *err)
{
	size_t len;

	if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key.data, key.len,
		      (const unsigned char *)input.data, input.len, out, DIGEST_LEN, &len) == NULL)
		return err_set(err, ERR_IO, "cannot compute HMAC-SHA-256");
	return 0;
}

static int add_canonical(struct buf *out, const struct sigv4_request *request, const char *date,
			 struct err *err)
{
	buf_addf(out, "%s\n%.*s\n%.*s\nhost:%.*s\nx-amz-date:%s\n\nhost;x-amz-date\n",
		 request->method, SV_ARG(request->path), SV_ARG(request->query),
		 SV_ARG(request->host), date);
	if (add_digest(out, request->body, err) < 0)
		return -1;
	return out->spent ? err_set(err, ERR_LIMIT, "the request is too long to be signed") : 0;
}

/* The key of the day, the region and the service, into key. */
static int derive_key(const struct sigv4_request *request, const char *date,
		      unsigned char key[DIGEST_LEN], struct err *err)
{
	const struct str_view parts[] = {sv_head(sv_from(date), DATE_LEN), sv_from(request->region),
					 sv_from(request->service), SV("aws4_request")};
	AUTO(auto_free)
	char *first = xasprintf("AWS4%.*s", SV_ARG(request->secret_key));
	struct str_view with = sv_from(first);
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts) && rc == 0; i++) {
		rc = hmac(with, parts[i], key, err);
		with = sv_new((const char *)key, DIGEST_LEN);
	}
	OPENSSL_cleanse(first, strlen(first));
	return rc;
}

int sigv4_authorization(const struct sigv4_request *request, struct buf *out, struct err *err)
{
	AUTO(buf_deinit) struct buf canonical, to_sign;
	unsigned char key[DIGEST_LEN], signature[DIGEST_LEN];
	char date[SIGV4_DATE_SIZE], scope[128];
	int rc;

	buf_init(&canonical, CANONICAL_MAX);
	buf_init(&to_sign, 1024);
	sigv4_date(request->now, date);
	snprintf(scope, sizeof(scope), "%.8s/%s/%s/aws4_request", date, request->region,
		 request->service);
	buf_addf(&to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n", date, scope);
	if (add_canonical(&canonical, request, date, err) < 0 ||
	    add_digest(&to_sign, buf_view(&canonical), err) < 0 ||
	    derive_key(request, date, key, err) < 0)
		return -1;
	rc = hmac(sv_new((const char *)key, sizeof(key)), buf_view(&to_sign), signature, err);
	OPENSSL_cleanse(key, sizeof(key));
	if (rc < 0)
		return -1;
	buf_addf(out,
		 "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=host;x-amz-date, Signature=",
		 request->access_key, scope);
	enc_hex(out, sv_new((const char *)signature, sizeof(signature)));
	return out->spent ? err_set(err, ERR_LIMIT, "the credentials are too long") : 0;
}
