/* tests/fuzz/fuzz_csr.c - pki/csr.c and sign.c: signing requests, as PEM or as DER */
#include "fuzz.h"

#include "base/own.h"
#include "pki/x509.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

/* A CA of our own, made once: it signs whatever request is well-formed. */
static struct {
	EVP_PKEY *key;
	X509 *cert;
} ca;

static void ca_init(void)
{
	const struct cert_names names = {.common_name = SV("ca")};
	AUTO(buf_deinit) struct buf csr = {0};
	struct x509_sign_how how = {.not_after = 1767322800, .is_ca = true};

	ca.key = how.issuer_key = key_make(KEY_ECDSA_P256, NULL);
	buf_init(&csr, 4096);
	csr_make(ca.key, &names, &csr, NULL);
	ca.cert = cert_sign(buf_view(&csr), &how, NULL);
	if (ca.cert == NULL)
		abort();
}

static void check(struct str_view der)
{
	const struct x509_sign_how how = {.issuer = ca.cert,
					  .issuer_key = ca.key,
					  .not_after = 1767322800,
					  .usages.purposes = X509_USAGE_SERVER};
	AUTO(buf_deinit) struct buf pem = {0}, again = {0};
	struct err err = {0};
	X509 *cert;

	buf_init(&pem, 1u << 20);
	buf_init(&again, 1u << 20);
	if (csr_to_pem(der, &pem, &err) == 0 && csr_from_pem(buf_view(&pem), &again, &err) != 0 &&
	    buf_len(&pem) <= (256u << 10))
		abort();
	cert = cert_sign(der, &how, &err);
	if (cert == NULL && err.msg[0] == '\0')
		abort();
	if (cert != NULL && X509_check_ca(cert) != 0)
		abort();
	X509_free(cert);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view text = sv_new((const char *)data, size);
	AUTO(buf_deinit) struct buf der = {0};
	struct err err = {0};

	if (ca.cert == NULL)
		ca_init();
	buf_init(&der, 1u << 20);
	if (csr_from_pem(text, &der, &err) == 0)
		check(buf_view(&der));
	else if (err.msg[0] == '\0')
		abort();
	check(text);
	if (ERR_peek_error() != 0)
		abort();
	return 0;
}
