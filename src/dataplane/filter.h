/* dataplane/filter.h - what a rule does to a request before it is sent on, and to a response
 *
 * Pure over the exchange: changes ex->request and ex->response inside the exchange's arena. False:
 * the arena or the field limit is full (the caller answers 431 or 502).
 */
#ifndef DATAPLANE_FILTER_H
#define DATAPLANE_FILTER_H

#include "dataplane/exchange.h"

#define FILTER_HOPS_MAX 8 /* times that a request may come through a sallyport */

/* X-Forwarded-For/-Proto/-Host of this connection in place of what the client claimed, and Via.
 * False with ex->looped: Via says that it goes round (RFC 9110, section 7.6.3): 508. */
bool filter_forwarded(struct exchange *ex);
/* HTTPHeaderFilter: set, then add, then remove. */
bool filter_headers(struct fields *fields, const struct header_mods *mods);
/* HTTPURLRewriteFilter; prefix: what the match took. */
bool filter_rewrite(struct exchange *ex, const struct rewrite *rewrite, struct str_view prefix);
/* Location of HTTPRequestRedirectFilter; SV_NONE: the arena is full. */
struct str_view filter_location(struct exchange *ex, const struct redirect *redirect,
				struct str_view prefix, const struct snap_port *port);

#endif
