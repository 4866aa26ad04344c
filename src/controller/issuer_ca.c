/* controller/issuer_ca.c - issuers of type ca: a Secret holds the key that signs
 *
 * The pair is checked whenever it changes and each time it signs: a CA that has expired, or whose
 * key is another one's, would be found out only by the clients.
 */
#include "controller/issuer.h"

#include "base/own.h"
#include "controller/renewal.h"

#include <openssl/x509v3.h>

#define LOOK_AGAIN_MS (INT64_C(3600) * 1000) /* the wall clock may be set meanwhile */
#define WARN_S        (30 * INT64_C(86400))  /* before the CA's own end */

struct ca_pair {
	struct cert_chain chain; /* the CA's certificate first */
	EVP_PKEY *key;
	int64_t not_after; /* the earliest end in the chain */
};

static void auto_pair(struct ca_pair *pair)
{
	chain_deinit(&pair->chain);
	EVP_PKEY_free(pair->key);
}

static const char *secret_name(const struct issuer *issuer)
{
	return json_str_at(issuer->object->json, "spec.ca.secretName");
}

/* ---- the CA's certificate and key ---- */

static int check_dates(struct ca_pair *pair, int64_t now, struct err *err)
{
	char when[CLOCK_TEXT_SIZE];

	pair->not_after = INT64_MAX;
	for (size_t i = 0; i < pair->chain.count; i++) {
		struct cert_info info;
		int64_t from, to;

		if (cert_info_read(pair->chain.certs[i], &info, err) < 0)
			return -1;
		from = info.not_before;
		to = info.not_after;
		cert_info_deinit(&info);
		clock_rfc3339(from > now ? from : to, when);
		if (from > now)
			return err_set(err, ERR_INVALID,
				       "tls.crt: certificate %zu is not valid before %s: is this "
				       "host's clock right?",
				       i + 1, when);
		if (to <= now)
			return err_set(err, ERR_INVALID,
				       "tls.crt: certificate %zu expired at %s: renew the CA",
				       i + 1, when);
		pair->not_after = to < pair->not_after ? to : pair->not_after;
	}
	return 0;
}

static int check_pair(struct ca_pair *pair, struct err *err)
{
	X509 *ca = pair->chain.certs[0];

	if (!key_same_public(X509_get0_pubkey(ca), pair->key))
		return err_set(err, ERR_INVALID,
			       "tls.key is not the key of the first certificate in tls.crt");
	if (X509_check_ca(ca) != 1)
		return err_set(err, ERR_INVALID,
			       "tls.crt is not a CA's certificate: it has no basic constraint "
			       "CA:TRUE");
	if ((X509_get_key_usage(ca) & X509v3_KU_KEY_CERT_SIGN) == 0)
		return err_set(
			err, ERR_INVALID,
			"tls.crt may not sign certificates: its key usage lacks keyCertSign");
	return check_dates(pair, ctl_now(), err);
}

/* 0, or -1 with a sentence and cert-manager's word for the reason. */
static int pair_load(struct controllers *ctl, const struct issuer *issuer, struct ca_pair *pair,
		     const char **reason, struct err *err)
{
	const char *ns = issuer_namespace(issuer), *name = secret_name(issuer);
	const struct object *secret = ctl_get(ctl, kind_of_secret(), ns, name);
	AUTO(secret_deinit) struct buf crt = {0};
	int rc;

	*pair = (struct ca_pair){0};
	*reason = "ErrGetKeyPair";
	if (secret == NULL)
		return err_set(err, ERR_NOT_FOUND, "Secret %s/%s with the CA's key does not exist",
			       ns, name);
	if (!secret_value(secret, "tls.crt", &crt))
		return err_set(err, ERR_INVALID, "Secret %s/%s has no value tls.crt", ns, name);
	*reason = "ErrInvalidKeyPair";
	pair->key = secret_key(secret, "tls.key", err);
	if (pair->key == NULL)
		return err_prefix(err, "Secret %s/%s: tls.key: ", ns, name);
	rc = chain_from_pem(buf_view(&crt), &pair->chain, err);
	if (rc == 0 && pair->chain.count == 0)
		rc = err_set(err, ERR_INVALID, "tls.crt holds no certificate");
	if (rc == 0)
		rc = check_pair(pair, err);
	return rc == 0 ? 0 : err_prefix(err, "Secret %s/%s: ", ns, name);
}

/* ---- the issuer ---- */

static void look_again(struct controllers *ctl, const struct issuer *issuer, int64_t due)
{
	ctl_queue_in(ctl, CTL_ISSUER, sv_from(issuer->object->key),
		     wall_wait_ms(due, ctl_now(), LOOK_AGAIN_MS));
}

static void ca_reconcile(struct controllers *ctl, const struct issuer *issuer)
{
	AUTO(auto_pair) struct ca_pair pair;
	struct condition ready = {.type = "Ready", .status = COND_FALSE};
	char when[CLOCK_TEXT_SIZE], words[160];
	struct err err = {0};

	if (pair_load(ctl, issuer, &pair, &ready.reason, &err) < 0) {
		ready.message = err.msg;
		look_again(ctl, issuer, INT64_MAX);
	} else {
		bool ends = pair.not_after - ctl_now() < WARN_S;

		clock_rfc3339(pair.not_after, when);
		snprintf(words, sizeof(words), "Signing CA verified; it ends at %s: renew it",
			 when);
		ready.status = COND_TRUE;
		ready.reason = "KeyPairVerified";
		ready.message = ends ? words : "Signing CA verified";
		look_again(ctl, issuer, ends ? pair.not_after : pair.not_after - WARN_S);
	}
	issuer_put_ready(ctl, issuer, status_copy(issuer->object), &ready);
}

/* ---- signing ---- */

static X509 *sign(const struct request *request, struct ca_pair *pair, struct str_view csr,
		  struct err *err)
{
	const json_t *ca = json_at(request->issuer.object->json, "spec.ca");
	struct str_view crls[ISSUER_URLS_MAX], ocsp[ISSUER_URLS_MAX], issuers[ISSUER_URLS_MAX];
	struct x509_sign_how how = {
		.issuer = pair->chain.certs[0],
		.issuer_key = pair->key,
		.crls = issuer_urls(json_member(ca, "crlDistributionPoints"), crls),
		.ocsp = issuer_urls(json_member(ca, "ocspServers"), ocsp),
		.issuer_urls = issuer_urls(json_member(ca, "issuingCertificateURLs"), issuers),
	};

	request_sign_how(request, &how);
	if (how.not_after > pair->not_after)
		how.not_after = pair->not_after;
	return cert_sign(csr, &how, err);
}

static bool is_root(X509 *cert)
{
	return X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0;
}

/* What a client has to trust: the root when it is known, else the topmost CA that is. */
static int root_to_pem(const struct request *request, const struct ca_pair *pair, struct buf *out,
		       struct err *err)
{
	X509 *top = pair->chain.certs[pair->chain.count - 1];
	struct cert_chain chain = {.count = 1, .certs = {top}};
	const struct object *secret =
		ctl_get(request->ctl, kind_of_secret(), issuer_namespace(&request->issuer),
			secret_name(&request->issuer));
	AUTO(secret_deinit) struct buf given = {0};

	if (!is_root(top) && secret_value(secret, "ca.crt", &given) && buf_len(&given) > 0)
		return buf_add(out, buf_view(&given)) ? 0 : -1;
	return chain_to_pem(&chain, out, err);
}

/* The leaf (taken) with the CAs above it but for the root, which every client has to know already;
 * checked as any other chain is before it is served. */
static int chain_of(struct ca_pair *pair, X509 *leaf, struct str_view csr, struct buf *out,
		    struct err *err)
{
	AUTO(auto_chain) struct cert_chain chain = {.count = 1, .certs = {leaf}};
	struct csr_info info;
	int rc;

	for (size_t i = 0; i < pair->chain.count && chain.count < X509_CHAIN_MAX; i++) {
		X509_up_ref(pair->chain.certs[i]);
		chain.certs[chain.count++] = pair->chain.certs[i];
	}
	if (csr_info_read(csr, &info, err) < 0)
		return -1;
	rc = chain_check(&chain, info.key, NULL, ctl_now(), 0, err);
	csr_info_deinit(&info);
	if (rc < 0)
		return -1;
	if (is_root(chain.certs[chain.count - 1]))
		X509_free(chain.certs[--chain.count]);
	return chain_to_pem(&chain, out, err);
}

static void issue(struct request *request, struct ca_pair *pair)
{
	AUTO(buf_deinit) struct buf csr, pem, root;
	struct err err = {0};
	X509 *leaf = NULL;

	buf_init(&csr, ISSUANCE_TEXT_MAX);
	buf_init(&pem, ISSUANCE_TEXT_MAX);
	buf_init(&root, ISSUANCE_TEXT_MAX);
	if (request_csr(request->object, &csr, &err) == 0)
		leaf = sign(request, pair, buf_view(&csr), &err);
	if (leaf == NULL || chain_of(pair, leaf, buf_view(&csr), &pem, &err) < 0 ||
	    root_to_pem(request, pair, &root, &err) < 0)
		request_failed(request, "", "the request cannot be signed: %s", err.msg);
	else
		request_issued(request, buf_view(&pem), buf_view(&root));
}

static void ca_sign(struct request *request)
{
	AUTO(auto_pair) struct ca_pair pair;
	const char *reason;
	struct err err = {0};

	if (pair_load(request->ctl, &request->issuer, &pair, &reason, &err) == 0) {
		issue(request, &pair);
		return;
	}
	/* found out here first, when it has expired since */
	ctl_queue(request->ctl, CTL_ISSUER, sv_from(request->issuer.object->key));
	request_pending(request, "%s %s cannot sign: %s", ISSUER_ARG(&request->issuer), err.msg);
}

const struct issuer_type issuer_ca = {.member = "ca", .reconcile = ca_reconcile, .sign = ca_sign};
