/* controller/order.h - what other controllers may know of an Order */
#ifndef CONTROLLER_ORDER_H
#define CONTROLLER_ORDER_H

#include "controller/ctl.h"

#include <stdbool.h>

bool order_is_valid(const struct object *order);  /* and its certificate is there */
bool order_has_ended(const struct object *order); /* valid, invalid, expired, errored */

/* The next try is now, whatever the back-off says. */
void order_nudge(struct controllers *ctl, struct str_view order_key);

/* Name of the Order of a CertificateRequest (request_order.c). Heap. */
char *request_order_name(const struct object *request);

#endif
