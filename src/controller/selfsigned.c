/* controller/selfsigned.c - issuers of type selfSigned: the request is signed with its own key */
#include "controller/issuer.h"

#include "base/own.h"

#include <stdlib.h>

static void self_signed_reconcile(struct controllers *ctl, const struct issuer *issuer)
{
	issuer_put_ready(
		ctl, issuer, status_copy(issuer->object),
		&(struct condition){
			.type = "Ready", .status = COND_TRUE, .reason = "IsReady", .message = ""});
}

static X509 *sign(const struct request *request, struct str_view csr, EVP_PKEY *key,
		  struct err *err)
{
	struct str_view crls[ISSUER_URLS_MAX];
	struct x509_sign_how how = {.issuer_key = key};

	request_sign_how(request, &how);
	how.crls = issuer_urls(
		json_at(request->issuer.object->json, "spec.selfSigned.crlDistributionPoints"),
		crls);
	return cert_sign(csr, &how, err);
}

static void issue(struct request *request, struct str_view csr, EVP_PKEY *key)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(buf_deinit) struct buf pem;
	struct err err = {0};

	buf_init(&pem, ISSUANCE_TEXT_MAX);
	chain.certs[0] = sign(request, csr, key, &err);
	chain.count = chain.certs[0] == NULL ? 0 : 1;
	if (chain.count == 0 || chain_to_pem(&chain, &pem, &err) < 0)
		request_failed(request, "", "the request cannot be signed: %s", err.msg);
	else
		request_issued(request, buf_view(&pem), buf_view(&pem));
}

static void self_signed_sign(struct request *request)
{
	const char *name = note_of(request->object, NOTE_KEY_SECRET);
	const char *ns = object_namespace(request->object);
	const struct object *secret =
		name == NULL ? NULL : ctl_get(request->ctl, kind_of_secret(), ns, name);
	AUTO(auto_key) EVP_PKEY *key = NULL;
	AUTO(buf_deinit) struct buf csr;
	struct err err = {0};

	buf_init(&csr, ISSUANCE_TEXT_MAX);
	if (name == NULL) {
		request_failed(request, "",
			       "a selfSigned issuer signs with the request's own key: name its "
			       "Secret in the annotation " NOTE_KEY_SECRET);
	} else if (secret == NULL) {
		request_pending(request, "Secret %s with the private key does not exist", name);
	} else if (request_csr(request->object, &csr, &err) < 0) {
		request_failed(request, "", "%s", err.msg);
	} else {
		key = secret_key(secret, "tls.key", &err);
		if (key == NULL)
			request_failed(request, "", "the private key in Secret %s: %s", name,
				       err.msg);
		else
			issue(request, buf_view(&csr), key);
	}
}

const struct issuer_type issuer_self_signed = {
	.member = "selfSigned", .reconcile = self_signed_reconcile, .sign = self_signed_sign};
