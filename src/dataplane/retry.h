/* dataplane/retry.h - requests that their rule has repeated (HTTPRouteRetry, GEP-1731)
 *
 * An attempt that ends in one of the rule's codes, in a broken connection or in the rule's
 * backendRequest time-out is followed by another one, as often as the rule says, never before its
 * backoff, and only while all of the request's content is still here (limits.buffer).
 */
#ifndef DATAPLANE_RETRY_H
#define DATAPLANE_RETRY_H

#include "dataplane/exchange.h"

#define RETRY_ATTEMPTS_MAX 10 /* whatever the rule says */
#define RETRY_BACKOFF_MS   25 /* when the rule says nothing */

/* Content of the request comes: keeps it as long as the rule may need it. */
void retry_keep(struct exchange *ex, struct str_view bytes);
/* Between two attempts: content is only kept. */
bool retry_waits(const struct exchange *ex);
/* While it waits: is there room for more? */
bool retry_has_room(const struct exchange *ex);

/* An attempt is over. True: the leg is let go of and another attempt will follow. */
bool retry_after_status(struct exchange *ex, int status);
bool retry_after_failure(struct exchange *ex);

#endif
