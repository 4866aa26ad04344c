/* dataplane/cors.h - cross-origin requests (HTTPCORSFilter of the Gateway API; Fetch, section 3.2)
 *
 * Pure over the exchange: reads ex->request, adds to ex->response, inside the exchange's arena. An
 * origin that is not allowed gets no field: it is the browser that then withholds the response.
 */
#ifndef DATAPLANE_CORS_H
#define DATAPLANE_CORS_H

#include "dataplane/exchange.h"

/* The filter that counts for the exchange: its backend's, else its rule's, else NULL. */
const struct cors *cors_of(const struct exchange *ex);

/* OPTIONS with Origin and Access-Control-Request-Method: answered here, never forwarded. */
bool cors_is_preflight(const struct http_request *request);

/* What a preflight response says / any other response. False: the arena or the field limit is
 * full. */
bool cors_preflight(struct exchange *ex, const struct cors *cors);
bool cors_response(struct exchange *ex, const struct cors *cors);

#endif
