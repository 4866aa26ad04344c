/* tests/unit/pki/pki_fixture.h - keys, requests and certificates for the tests of this room */
#ifndef SALLYPORT_TESTS_PKI_FIXTURE_H
#define SALLYPORT_TESTS_PKI_FIXTURE_H

#include "base/own.h"
#include "pki/x509.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define FIXTURE_NOW INT64_C(1767322800) /* 2026-01-02T03:00:00Z */
#define FIXTURE_DAY INT64_C(86400)

static inline EVP_PKEY *fixture_key(void)
{
	struct err err = {0};
	EVP_PKEY *key = key_make(KEY_ECDSA_P256, &err);

	if (key == NULL)
		fail_msg("%s", err.msg);
	return key;
}

/* A certificate for names, signed as how says, from a day ago for 90 days unless how has dates. */
static inline X509 *fixture_cert(EVP_PKEY *key, const struct cert_names *names,
				 struct x509_sign_how how)
{
	AUTO(buf_deinit) struct buf csr = {0};
	struct err err = {0};
	X509 *cert = NULL;

	if (how.not_after == 0) {
		how.not_before = FIXTURE_NOW - FIXTURE_DAY;
		how.not_after = FIXTURE_NOW + 89 * FIXTURE_DAY;
	}
	buf_init(&csr, 65536);
	if (csr_make(key, names, &csr, &err) == 0)
		cert = cert_sign(buf_view(&csr), &how, &err);
	if (cert == NULL)
		fail_msg("%s", err.msg);
	return cert;
}

/* A CA of that common name; self-signed when issuer is NULL. */
static inline X509 *fixture_ca(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key)
{
	struct cert_names names = {.common_name = sv_from(name)};

	return fixture_cert(key, &names,
			    (struct x509_sign_how){.issuer = issuer,
						   .issuer_key = issuer == NULL ? key : issuer_key,
						   .is_ca = true});
}

#endif
