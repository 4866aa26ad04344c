/* dataplane/local.h - answers made here: errors, redirects, challenges */
#ifndef DATAPLANE_LOCAL_H
#define DATAPLANE_LOCAL_H

#include "dataplane/exchange.h"

/* Sends a whole response. A body is text/plain; location is added when not empty. Only before the
 * response started. The views must live in the arena or for ever. */
void local_answer(struct exchange *ex, uint16_t status, struct str_view location,
		  struct str_view body);
/* "404 Not Found\n" (no body for HEAD). */
void local_error(struct exchange *ex, uint16_t status);

#endif
