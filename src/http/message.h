/* http/message.h - one request or response head as this program understands it (RFC 9110)
 *
 * HTTP/1 and HTTP/2 end in the same structs, and what is sent on is written from them, never copied
 * from the wire. The fields hold what is end to end: hop-by-hop fields, those that Connection
 * nominated, Host, Content-Length and Transfer-Encoding are gone from there, and are said below.
 */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include "http/field.h"
#include "http/method.h"
#include "http/target.h"

#include <stdbool.h>
#include <stdint.h>

enum body_framing {
	BODY_NONE,       /* no content, and no field that says so */
	BODY_LENGTH,     /* length bytes; 0 is possible (Content-Length: 0) */
	BODY_CHUNKED,    /* chunks, or HTTP/2 DATA without content-length */
	BODY_UNTIL_CLOSE /* responses only: all that comes until the connection ends */
};

struct http_request {
	enum http_method method_id;
	struct str_view method;
	uint8_t major, minor; /* 1.0, 1.1 or 2.0 */
	/* Host as decided: of the target when that has one, else of the Host field or :authority.
	 * They agree, or the request was refused. host is "" only in HTTP/1.0 without Host. */
	struct http_authority authority;
	struct http_target target; /* target.path is the normalised path */
	struct fields fields;
	enum body_framing framing;
	uint64_t length;      /* BODY_LENGTH */
	bool keep_alive;      /* the client lets the connection live on */
	bool expect_continue; /* waits for 100 before it sends the body (never without a body) */
	bool upgrade;         /* Connection: upgrade was there with any Upgrade (which is gone) */
	bool websocket; /* GET with Upgrade: websocket alone, a key, no body: may become a tunnel */
	bool connect;   /* asked for by extended CONNECT (RFC 8441), with websocket */
	bool te_trailers; /* TE: trailers */
};

struct http_response {
	int status;    /* 100 to 599 */
	uint8_t minor; /* of the origin: 1.0 or 1.1 */
	struct fields fields;
	enum body_framing framing;
	bool has_length; /* Content-Length was given: also without a body (HEAD, 304) */
	uint64_t length; /* when has_length */
	bool keep_alive; /* the connection can be used again once the body has ended */
	bool websocket;  /* 101 with Connection: upgrade and Upgrade: websocket alone */
};

/* A call of gRPC (grpc.io, PROTOCOL-HTTP2): POST with Content-Type application/grpc, perhaps with
 * "+" and what encodes the messages. */
bool http_is_grpc(const struct http_request *request);

static inline bool http_is_interim(int status) /* 1xx, but 101 ends HTTP on the connection */
{
	return status >= 100 && status < 200 && status != 101;
}

/* A body this response cannot have, whatever its fields say (RFC 9112, section 6.3)? */
static inline bool http_status_no_body(int status)
{
	return status < 200 || status == 204 || status == 304;
}

/* Chooses how the body is framed towards an HTTP/1 client: an unknown length is chunked for 1.1 (so
 * that a cut is seen) and until-close for 1.0. Only framing changes. HTTP/2 clients need no call.
 */
void http_response_reframe(struct http_response *response, uint8_t client_minor);

#endif
