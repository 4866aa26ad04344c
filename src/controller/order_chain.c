/* controller/order_chain.c - a chain that the CA left incomplete (RFC 8555, section 9.1) */
#include "controller/order_run.h"

#include "base/own.h"

#include <openssl/x509v3.h>

#define SECRETS_MAX 1000 /* that are looked through, for what is a rare fault */

struct search {
	const struct order_look *look;
	X509 *leaf;
	struct cert_chain *found; /* of an earlier certificate with the same issuer */
	size_t seen;
};

static bool signs(X509 *issuer, X509 *cert)
{
	return X509_check_issued(issuer, cert) == X509_V_OK &&
	       X509_verify(cert, X509_get0_pubkey(issuer)) == 1;
}

/* true: this Secret holds the issuer of the certificate, and the chain is kept. */
static bool look_into(struct search *search, const struct object *secret)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(secret_deinit) struct buf pem = {0};

	if (secret == NULL || !secret_value(secret, "tls.crt", &pem) ||
	    chain_from_pem(buf_view(&pem), &chain, NULL) != 0)
		return false;
	for (size_t i = 1; i < chain.count; i++) {
		if (signs(chain.certs[i], search->leaf)) {
			*search->found = chain;
			chain = (struct cert_chain){0}; /* moved */
			return true;
		}
	}
	return false;
}

static const struct object *secret_of(const struct order_look *look, const struct object *cert)
{
	const char *name = cert == NULL ? NULL : json_str_at(cert->json, "spec.secretName");

	return name == NULL ? NULL
			    : ctl_get(look->ctl, kind_of_secret(), object_namespace(cert), name);
}

static bool look_at_other(void *arg, const struct object *cert)
{
	struct search *search = arg;

	if (!sv_eq(json_sv_at(cert->json, "spec.issuerRef.name"),
		   json_sv_at(search->look->object->json, "spec.issuerRef.name")))
		return true;
	return !look_into(search, secret_of(search->look, cert)) && ++search->seen < SECRETS_MAX;
}

/* In the Certificate's own Secret first: most renewals have the same intermediates. */
static bool stored_chain(const struct order_look *look, X509 *leaf, struct cert_chain *chain)
{
	const struct object *request = owner_of_kind(look->ctl, look->object, kind_of_request());
	const struct object *cert =
		request == NULL ? NULL : owner_of_kind(look->ctl, request, kind_of_certificate());
	struct search search = {.look = look, .leaf = leaf, .found = chain};

	if (!look_into(&search, secret_of(look, cert)))
		store_each(look->ctl->config.store, SV("cert-manager.io/certificates/"),
			   look_at_other, &search);
	return chain->count > 0;
}

bool order_complete_chain(const struct order_look *look, struct cert_chain *chain)
{
	AUTO(auto_chain) struct cert_chain stored = {0};

	if (chain->count != 1 || !stored_chain(look, chain->certs[0], &stored))
		return false;
	for (size_t i = 1; i < stored.count; i++) {
		if (chain->count == 1 ? signs(stored.certs[i], chain->certs[0])
				      : chain->count < X509_CHAIN_MAX)
			chain->certs[chain->count++] = TAKE(stored.certs[i]);
	}
	return chain->count > 1;
}
