/* controller/order_chain.c - a chain that the CA left incomplete (RFC 8555, section 9.1) */
#include "controller/order_run.h"

#include "base/own.h"

#include <openssl/x509v3.h>

/* What the Certificate's Secret holds now: most renewals have the same intermediates. */
static bool stored_chain(const struct order_look *look, struct cert_chain *chain)
{
	const struct object *request = owner_of_kind(look->ctl, look->object, kind_of_request());
	const struct object *cert =
		request == NULL ? NULL : owner_of_kind(look->ctl, request, kind_of_certificate());
	const char *name = cert == NULL ? NULL : json_str_at(cert->json, "spec.secretName");
	AUTO(secret_deinit) struct buf pem = {0};

	return name != NULL &&
	       secret_value(ctl_get(look->ctl, kind_of_secret(), object_namespace(cert), name),
			    "tls.crt", &pem) &&
	       chain_from_pem(buf_view(&pem), chain, NULL) == 0;
}

static bool signs(X509 *issuer, X509 *cert)
{
	return X509_check_issued(issuer, cert) == X509_V_OK &&
	       X509_verify(cert, X509_get0_pubkey(issuer)) == 1;
}

bool order_complete_chain(const struct order_look *look, struct cert_chain *chain)
{
	AUTO(auto_chain) struct cert_chain stored = {0};

	if (chain->count != 1 || !stored_chain(look, &stored))
		return false;
	for (size_t i = 1; i < stored.count; i++) {
		if (chain->count == 1 ? signs(stored.certs[i], chain->certs[0])
				      : chain->count < X509_CHAIN_MAX)
			chain->certs[chain->count++] = TAKE(stored.certs[i]);
	}
	return chain->count > 1;
}
