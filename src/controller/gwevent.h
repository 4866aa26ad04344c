/* controller/gwevent.h - Events of Gateways: when one is served, when one is not, and why
 *
 * Told when the conditions Accepted and Programmed change, once, so the log has a line about it
 * too.
 */
#ifndef CONTROLLER_GWEVENT_H
#define CONTROLLER_GWEVENT_H

#include "controller/ctl.h"
#include "controller/gateway.h"
#include "controller/gwstatus.h"

/* status: what is about to be stored in place of the Gateway's present status; borrowed. */
void gwevent_tell(struct controllers *ctl, struct gateway *gateway, const json_t *status,
		  const struct gwstatus_env *env);

#endif
