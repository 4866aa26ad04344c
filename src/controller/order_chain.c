/* controller/order_chain.c - a chain that the CA left incomplete (RFC 8555, section 9.1) */
#include "controller/order_run.h"

#include "acme/url.h"
#include "base/own.h"
#include "controller/order_chain.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX           2048u
#define ISSUER_MAX        (64u << 10) /* bytes of an issuer's certificate */
#define ISSUER_TIMEOUT_MS 10000
#define SECRETS_MAX       1000 /* that are looked through, for what is a rare fault */

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

/* ---- fetching it ---- */

static bool is_web_url(struct str_view url)
{
	return url.len <= URL_MAX && memchr(url.data, '\0', url.len) == NULL &&
	       (sv_starts(url, SV("http://")) || sv_starts(url, SV("https://")));
}

/* Heap; NULL: the certificate names none. */
static char *issuer_url(X509 *cert)
{
	AUTHORITY_INFO_ACCESS *all = X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);
	char *found = NULL;

	for (int i = 0; found == NULL && i < sk_ACCESS_DESCRIPTION_num(all); i++) {
		const ACCESS_DESCRIPTION *access = sk_ACCESS_DESCRIPTION_value(all, i);
		const GENERAL_NAME *where = access->location;
		struct str_view url;

		if (OBJ_obj2nid(access->method) != NID_ad_ca_issuers || where->type != GEN_URI)
			continue;
		url = sv_new(
			(const char *)ASN1_STRING_get0_data(where->d.uniformResourceIdentifier),
			(size_t)ASN1_STRING_length(where->d.uniformResourceIdentifier));
		if (is_web_url(url))
			found = sv_dup(url);
	}
	AUTHORITY_INFO_ACCESS_free(all);
	return found;
}

/* A CA elsewhere has no business with what listens on this host's loopback. */
static bool is_local_ca(const struct order_look *look)
{
	struct url server;

	return look->issuer.object != NULL &&
	       url_read(json_sv_at(look->issuer.object->json, "spec.acme.server"), &server, NULL) ==
		       0 &&
	       url_is_loopback(&server);
}

bool order_fetch_issuer(struct order_look *look, struct str_view pem, fetch_done_fn *done)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(auto_free) char *url = NULL;
	struct fetch_request request = {.method = "GET",
					.follow_redirects = true,
					.close_connection = true,
					.no_loopback = !is_local_ca(look),
					.body_max = ISSUER_MAX,
					.timeout_ms = ISSUER_TIMEOUT_MS};

	if (chain_from_pem(pem, &chain, NULL) < 0 || chain.count != 1)
		return false;
	url = issuer_url(chain.certs[0]);
	if (url == NULL)
		return false;
	request.url = url;
	free(look->run->alone);
	look->run->alone = sv_dup(pem);
	look->run->issuer_fetch = fetch_start(look->ctl->config.fetcher, &request, done, look->run);
	return look->run->issuer_fetch != NULL;
}

X509 *order_fetched_issuer(struct order_run *run, const struct fetch_answer *answer)
{
	const unsigned char *der = (const unsigned char *)answer->body.data;
	AUTO(auto_chain) struct cert_chain chain = {0};
	X509 *issuer;

	run->issuer_fetch = NULL;
	if (answer->failure != FETCH_FINE || answer->status != 200 || run->alone == NULL ||
	    chain_from_pem(sv_from(run->alone), &chain, NULL) < 0)
		return NULL;
	issuer = d2i_X509(NULL, &der, (long)answer->body.len); /* at most ISSUER_MAX bytes */
	if (issuer != NULL && signs(issuer, chain.certs[0]))
		return issuer;
	ERR_clear_error();
	X509_free(issuer);
	return NULL;
}

void order_end_fetch(struct order_run *run)
{
	if (run->issuer_fetch != NULL)
		fetch_cancel(TAKE(run->issuer_fetch));
	free(TAKE(run->alone));
}

/* ---- completing ---- */

const char *order_complete_chain(const struct order_look *look, struct cert_chain *chain,
				 X509 *fetched)
{
	AUTO(auto_chain) struct cert_chain stored = {0};

	if (fetched != NULL && chain->count == 1) {
		X509_up_ref(fetched);
		chain->certs[chain->count++] = fetched;
		return "the one that it names is taken";
	}
	if (chain->count != 1 || !stored_chain(look, chain->certs[0], &stored))
		return NULL;
	for (size_t i = 1; i < stored.count; i++) {
		if (chain->count == 1 ? signs(stored.certs[i], chain->certs[0])
				      : chain->count < X509_CHAIN_MAX)
			chain->certs[chain->count++] = TAKE(stored.certs[i]);
	}
	return chain->count > 1 ? "the one of an earlier certificate is taken" : NULL;
}
