/* dataplane/mirror.h - copies of requests for other backends, whose answers nobody waits for
 * (HTTPRequestMirrorFilter)
 *
 * A copy is an exchange of its own without a client. It never holds up the request that it copies:
 * one that falls behind by limits.buffer is dropped, and so is one above MIRRORS_MAX.
 */
#ifndef DATAPLANE_MIRROR_H
#define DATAPLANE_MIRROR_H

#include "dataplane/exchange.h"

#define MIRRORS_MAX 256 /* copies under way, per worker */

/* Begins the copies that these filters ask for; ex->request is as it will be sent. */
void mirror_begin(struct exchange *ex, const struct mirror *mirrors, size_t count);
void mirror_body(struct exchange *ex, struct str_view bytes);
void mirror_end(struct exchange *ex, const struct fields *trailers);
/* The exchange ends: copies of a whole request live on, others are dropped. */
void mirror_part(struct exchange *ex);

void mirrors_stop(struct worker *worker); /* drops all */

#endif
