/* controller/order_download.c - the certificate of an order (RFC 8555, section 7.4.2): fetched,
 * checked, stored
 */
#include "controller/order_step.h"

#include "base/own.h"
#include "controller/order_chain.h"

#include <stdio.h>
#include <stdlib.h>

#define FAR_SKEW_S (INT64_C(100) * 365 * 86400) /* certificate_issue.c waits for it */

/* Everything that must hold but the day: a certificate that begins later waits for it. */
static int check_chain(const struct order_look *look, struct str_view pem, X509 *issuer,
		       struct buf *out, struct err *err)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(buf_deinit) struct buf der;
	struct acme_new_order order;
	struct cert_names wanted;
	struct name_list names;
	struct csr_info info;
	int rc;

	buf_init(&der, ISSUANCE_TEXT_MAX);
	if (chain_from_pem(pem, &chain, err) < 0 || request_csr(look->object, &der, err) < 0 ||
	    csr_info_read(buf_view(&der), &info, err) < 0)
		return -1;
	order_names(look, &order, &names);
	wanted = name_list_view(&names);
	rc = chain_check(&chain, info.key, &wanted, ctl_now(), FAR_SKEW_S, err);
	if (rc == 0 && chain.count == 1) {
		const char *from = order_complete_chain(look, &chain, issuer);

		if (from != NULL &&
		    chain_check(&chain, info.key, &wanted, ctl_now(), FAR_SKEW_S, NULL) < 0)
			from = NULL;
		while (from == NULL && chain.count > 1)
			X509_free(TAKE(chain.certs[--chain.count]));
		ctl_event(look->ctl, kind_of_order(), look->object, "Warning", "NoIntermediate",
			  "the CA returned the certificate without its issuer's: %s",
			  from != NULL ? from : "some clients will not trust it");
	}
	name_list_deinit(&names);
	csr_info_deinit(&info);
	return rc < 0 ? rc : chain_to_pem(&chain, out, err);
}

/* issuer: of a certificate that came alone; may be NULL. */
static void take_chain(struct order_look *look, struct str_view pem, X509 *issuer)
{
	AUTO(buf_deinit) struct buf chain;
	struct err err = {0};
	char words[ERR_MSG_MAX + 80];
	json_t *status;

	buf_init(&chain, ISSUANCE_TEXT_MAX);
	if (check_chain(look, pem, issuer, &chain, &err) < 0) {
		snprintf(words, sizeof(words),
			 "the certificate that the CA returned is refused: %s", err.msg);
		order_fails(look, "errored", "CertificateRefused", words);
		return;
	}
	status = order_status(look);
	json_object_set_new(status, "certificate", json_base64(buf_view(&chain)));
	json_object_set_new(status, "state", json_string("valid"));
	json_object_del(status, "reason");
	json_object_del(status, "failureReason");
	order_learned(look->run, status);
	order_count(look, ORDER_COUNT_ISSUED);
	ctl_event(look->ctl, kind_of_order(), look->object, "Normal", "Complete",
		  "Order completed successfully");
}

static void issuer_fetched(void *arg, const struct fetch_answer *answer)
{
	struct order_run *run = arg;
	X509 *issuer = order_fetched_issuer(run, answer);
	AUTO(auto_free) char *pem = TAKE(run->alone);
	AUTO(order_look_end) struct order_look look = {0};

	if (order_look_of(run, &look))
		take_chain(&look, sv_from(pem), issuer);
	X509_free(issuer);
}

static void downloaded(void *arg, const struct acme_result *result)
{
	struct order_run *run = arg;
	AUTO(order_look_end) struct order_look look = {0};

	if (order_answered(run, result, &look) && !order_answer_failed(&look, result) &&
	    !order_fetch_issuer(&look, result->text, issuer_fetched))
		take_chain(&look, result->text, NULL);
}

void order_download(struct order_look *look)
{
	struct str_view preferred =
		json_sv_at(look->issuer.object->json, "spec.acme.preferredChain");

	look->run->call =
		acme_certificate(look->client, json_str_at(look->status, "certificateURL"),
				 preferred, downloaded, look->run);
}
