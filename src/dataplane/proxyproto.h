/* dataplane/proxyproto.h - the PROXY protocol, versions 1 and 2: who is behind a load balancer
 *
 * Reads the header that stands before the first byte of a connection (haproxy.org, proxy-protocol
 * specification of 2020). Strict and bounded: what is not exactly a header is none. Pure.
 */
#ifndef DATAPLANE_PROXYPROTO_H
#define DATAPLANE_PROXYPROTO_H

#include "base/str.h"
#include "loop/sock.h"

#define PROXY_V1_MAX 107  /* bytes of a line of version 1, with CRLF */
#define PROXY_V2_MAX 4096 /* bytes of a header of version 2, extensions and all; ours */

enum proxy_result {
	PROXY_MORE,   /* so far it may be one */
	PROXY_DONE,   /* header->len bytes are one */
	PROXY_ABSENT, /* the connection begins with something else */
	PROXY_BAD     /* it begins as one and is none */
};

struct proxy_header {
	size_t len;
	/* The client; len 0: the balancer speaks for itself (LOCAL), or does not know (UNKNOWN,
	 * UNSPEC, a Unix socket): the connection's own address holds. */
	struct sock_addr source;
};

/* input: the first bytes of a connection, at most PROXY_V2_MAX of them are looked at. header is
 * filled when it is PROXY_DONE. */
enum proxy_result proxy_parse(struct str_view input, struct proxy_header *header);

#endif
