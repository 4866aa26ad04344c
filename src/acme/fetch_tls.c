#include "acme/fetch_tls.h"

#include "acme/words.h"
#include "base/clock.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

static void add_common_name(struct fetch_tls *seen, const char *before, const X509_NAME *name)
{
	char text[64] = "";

	if (X509_NAME_get_text_by_NID((X509_NAME *)name, NID_commonName, text, sizeof(text)) <= 0)
		X509_NAME_oneline(name, text, sizeof(text));
	words_addf(seen->certificate, sizeof(seen->certificate), "%s\"%.40s\"", before, text);
}

static void add_day(struct fetch_tls *seen, const char *before, const ASN1_TIME *time)
{
	struct tm tm = {0};

	if (ASN1_TIME_to_tm(time, &tm) == 1)
		words_addf(seen->certificate, sizeof(seen->certificate), "%s%04d-%02d-%02d", before,
			   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static int note_and_verify(X509_STORE_CTX *ctx, void *arg)
{
	struct fetch_tls *seen = arg;
	const X509 *leaf = X509_STORE_CTX_get0_cert(ctx);

	seen->certificate[0] = '\0';
	if (leaf != NULL) {
		add_common_name(seen, "certificate of ", X509_get_subject_name(leaf));
		add_common_name(seen, ", issued by ", X509_get_issuer_name(leaf));
		add_day(seen, ", valid ", X509_get0_notBefore(leaf));
		add_day(seen, " to ", X509_get0_notAfter(leaf));
	}
	return X509_verify_cert(ctx);
}

/* Renegotiation is refused: it would verify again on a kept connection, when seen may be gone. */
static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *arg)
{
	(void)easy;
	SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_cert_verify_callback(ssl_ctx, note_and_verify, arg);
	return CURLE_OK;
}

static void set_store(CURL *easy, const struct fetch_trust *trust)
{
	struct curl_blob blob = {.flags = CURL_BLOB_COPY};

	/* Only a trust store read from one file is cached by curl; the folder would add the
	 * system's. */
	curl_easy_setopt(easy, CURLOPT_CAPATH, trust->bundle == NULL ? trust->path : NULL);
	if (trust->bundle != NULL) {
		blob.data = (char *)trust->bundle;
		blob.len = strlen(trust->bundle);
		curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
	} else if (trust->file != NULL) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, trust->file);
	}
}

void fetch_tls_set(CURL *easy, const struct fetch_trust *trust, struct fetch_tls *seen)
{
	seen->certificate[0] = '\0';
	set_store(easy, trust);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, trust->skip ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, trust->skip ? 0L : 2L);
	if (trust->skip)
		return;
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, seen);
}
