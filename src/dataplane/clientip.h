/* dataplane/clientip.h - which client a request comes from, when proxies before us may say so
 *
 * Without a policy that trusts somebody the client is who made the connection, and nothing that a
 * request says of it is believed.
 */
#ifndef DATAPLANE_CLIENTIP_H
#define DATAPLANE_CLIENTIP_H

#include "dataplane/exchange.h"

/* Once, before routing: writes ex->client and ex->trusted. False: the policy wants an address and
 * the request has none (403). */
bool clientip_find(struct exchange *ex);
/* The X-Forwarded-For for the backend: what was believed, and who made the connection. */
struct str_view clientip_forwarded(struct exchange *ex);

#endif
