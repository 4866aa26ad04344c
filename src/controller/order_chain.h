/* controller/order_chain.h - a certificate that came alone gets the one that has issued it
 */
#ifndef CONTROLLER_ORDER_CHAIN_H
#define CONTROLLER_ORDER_CHAIN_H

#include "controller/order_run.h"

/* A chain of one certificate that names where its issuer's is (caIssuers, RFC 5280, section
 * 4.2.2.1): true: it is being fetched, and run->alone is the chain meanwhile. */
bool order_fetch_issuer(struct order_look *look, struct str_view pem, fetch_done_fn *done);
/* What came of it, when it has issued the certificate; NULL: nothing. The fetch has ended. */
X509 *order_fetched_issuer(struct order_run *run, const struct fetch_answer *answer);
/* Adds to a chain of one certificate what issued it: the one that was fetched (may be NULL), or one
 * from the Secret of the Certificate or of another with the same issuer. NULL: neither; else where
 * it is from. The caller checks the chain. */
const char *order_complete_chain(const struct order_look *look, struct cert_chain *chain,
				 X509 *fetched);
void order_end_fetch(struct order_run *run);

#endif
