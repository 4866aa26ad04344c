/* controller/order_step.h - what the files of the steps share
 *
 *     order_new.c         from nothing to an order at the CA
 *     order_steps.c       from there to a certificate's URL
 *     order_download.c    from there to the certificate
 */
#ifndef CONTROLLER_ORDER_STEP_H
#define CONTROLLER_ORDER_STEP_H

#include "controller/order_run.h"

/* The call has ended: counts it. false: nobody waits for it any more. */
bool order_answered(struct order_run *run, const struct acme_result *result,
		    struct order_look *look);
/* A new status from what is stored and an order object; back-off and reasons are over. */
json_t *order_status_from(const struct order_look *look, const struct acme_order *order);

/* Without a URL: looks whether it may be ordered, stores the intent, orders. */
void order_place(struct order_look *look);
/* With a certificate's URL. */
void order_download(struct order_look *look);

#endif
