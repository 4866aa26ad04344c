/* dataplane/client_hello.h - what a TLS client asks for before anything is decided: server name and
 * first application protocol
 *
 * Reads the ClientHello (RFC 8446, section 4.1.2) of a stream without taking it: whoever forwards
 * the stream forwards the same bytes. Strict: lengths that do not fit, extensions or names that
 * come twice, and bytes left over are refused. Pure: no socket, no clock.
 */
#ifndef DATAPLANE_CLIENT_HELLO_H
#define DATAPLANE_CLIENT_HELLO_H

#include "base/str.h"

#include <stdint.h>

#define CLIENT_HELLO_MAX      16384 /* bytes of the handshake message */
#define CLIENT_HELLO_WIRE_MAX 24576 /* and of the records that carry it, headers included */

enum hello_step {
	HELLO_MORE, /* complete so far, not whole */
	HELLO_DONE,
	HELLO_BAD /* not TLS, malformed, or larger than the limits */
};

struct client_hello {  /* all zero is a fresh one */
	size_t at;     /* of the next record's header in the stream */
	size_t have;   /* bytes of the message in whole records before it */
	size_t needed; /* of the message, with its header; 0: not known yet */
	unsigned records;
	uint8_t name_len, alpn_len;
	char name[255]; /* lower case */
	char alpn[255]; /* the first of the list */
};

/* stream: all bytes since the connection began. Called again with more, it goes on where it was:
 * each record is looked at once. After HELLO_DONE or HELLO_BAD it must not be called again. */
enum hello_step client_hello_read(struct client_hello *hello, struct str_view stream);

/* After HELLO_DONE; "" when the client did not say. */
struct str_view client_hello_name(const struct client_hello *hello);
struct str_view client_hello_alpn(const struct client_hello *hello);

#endif
