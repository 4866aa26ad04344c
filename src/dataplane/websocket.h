/* dataplane/websocket.h - the handshake of RFC 6455, where one side of it speaks HTTP/2
 *
 * Extended CONNECT (RFC 8441) has no key and no proof; the upgrade of HTTP/1.1 needs both, so they
 * are made and judged here.
 */
#ifndef DATAPLANE_WEBSOCKET_H
#define DATAPLANE_WEBSOCKET_H

#include "dataplane/exchange.h"

/* Adds a Sec-WebSocket-Key to the request. False: no room. */
bool websocket_add_key(struct exchange *ex);
/* Does the Sec-WebSocket-Accept of the 101 in response belong to the key that was sent (RFC 6455,
 * section 4.2.2)? A backend that cannot say so has not understood the request. */
bool websocket_proved(const struct http_request *request, const struct http_response *response);
/* The 2xx that a backend of HTTP/2 gave to extended CONNECT becomes what the model calls an
 * upgrade: 101, with the proof that belongs to the client's key. False: no room. */
bool websocket_agreed(struct exchange *ex);

#endif
