/* controller/tickets.h - keys that seal TLS session tickets: made here, rotated, never stored */
#ifndef CONTROLLER_TICKETS_H
#define CONTROLLER_TICKETS_H

#include "dataplane/snapshot.h"

#define TICKET_ROTATE_S 28800 /* a ticket can be used for two of these at most */

struct tickets {
	struct ticket_key keys[TICKET_KEYS]; /* newest first */
	int64_t made;                        /* monotonic ms; 0: not yet */
};

/* Makes the first key, or a new one when it is time. True: they are others now. Without random
 * bytes there are no tickets. */
bool tickets_rotate(struct tickets *tickets, int64_t now);
void tickets_deinit(struct tickets *tickets);

#endif
