/* dataplane/transport.h - what a downstream codec implements: h1.c and h2.c, and of
 * the first group stream.c
 *
 * Two sides: conn.c calls the first group, exchange.c the second. A codec calls conn_* and
 * exchange_*. No callback frees the object that called it: freeing is deferred to the end of the
 * turn (worker.h).
 */
#ifndef DATAPLANE_TRANSPORT_H
#define DATAPLANE_TRANSPORT_H

#include "base/str.h"
#include "http/message.h"

#include <stdbool.h>

struct conn;
struct exchange;

struct transport {
	const char *name; /* "HTTP/1.1", "HTTP/2" for the access log */

	/* ---- called by conn.c ---- */
	void (*open)(struct conn *conn); /* the connection may be used; makes conn->codec */
	void (*input)(
		struct conn *conn); /* readable: conn_fill until IO_AGAIN or until back-pressure */
	void (*drained)(struct conn *conn); /* output fell below the low-water mark */
	void (*timeout)(struct conn *conn); /* the deadline passed */
	void (*drain)(
		struct conn *conn); /* say good-bye: GOAWAY, Connection: close; close when idle */
	void (*closed)(struct conn *conn); /* it is gone: cancel exchanges, free codec */

	/* ---- called by exchange.c, with ex->stream made by the codec ---- */
	/* ex->response is complete: send the head. Body follows unless its framing is BODY_NONE. */
	void (*respond)(struct exchange *ex);
	/* A 1xx head (100, 103); never 101. */
	void (*inform)(struct exchange *ex, const struct http_response *interim);
	/* Body bytes: all are taken. false: no more until exchange_response_resume. */
	bool (*body)(struct exchange *ex, struct str_view bytes);
	/* The response is complete; trailers may be NULL. After it the codec owes ex nothing but
	 * exchange_close. */
	void (*finish)(struct exchange *ex, const struct fields *trailers);
	/* The response cannot be completed: make that visible (close without last chunk;
	 * RST_STREAM). */
	void (*abort)(struct exchange *ex);
	/* The upstream has room again for request body. */
	void (*request_resume)(struct exchange *ex);
	/* 101 / extended CONNECT was accepted: from now on raw bytes both ways
	 * (exchange_request_body, body). */
	void (*tunnel)(struct exchange *ex);
};

extern const struct transport h1_transport;
extern const struct transport h2_transport;
extern const struct transport
	stream_transport; /* bytes, to the backend of a TLSRoute or TCPRoute */

#endif
