/* http/h1_write.h - message heads written from the model, byte for byte our own (RFC 9112) */
#ifndef HTTP_H1_WRITE_H
#define HTTP_H1_WRITE_H

#include "base/buf.h"
#include "base/str.h"
#include "http/message.h"

#include <stdbool.h>
#include <stdint.h>

/* Head of a request to an upstream, HTTP/1.1 in origin-form: method, target.path, query, Host of
 * request->authority, fields, and the framing of the model (BODY_LENGTH: Content-Length,
 * BODY_CHUNKED: Transfer-Encoding: chunked). Adds Connection and Upgrade when request->websocket.
 * Nothing else is added: X-Forwarded-*, Via are fields that the caller has set. Hop-by-hop fields,
 * Host and framing fields among request->fields are left out. False: out is full, nothing written.
 */
bool h1_write_request(struct buf *out, const struct http_request *request);

struct h1_reply {
	struct str_view date; /* added when the response has none; may be empty */
	uint8_t client_minor; /* 0 or 1: Connection is said in that version's way */
	bool keep_alive;      /* false: "connection: close" */
};

/* Head of a response to an HTTP/1 client: HTTP/1.1 with our reason phrase, fields, Date, framing of
 * the model (see http_response_reframe; Content-Length also without a body when has_length, but not
 * with 1xx and 204), Connection. False: out is full, nothing written. */
bool h1_write_response(struct buf *out, const struct http_response *response,
		       const struct h1_reply *reply);

/* Last chunk with trailers (fields that may not be trailers are left out). False: out is full,
 * nothing written. Without trailers H1_CHUNK_LAST says the same. */
bool h1_write_last_chunk(struct buf *out, const struct fields *trailers);

#endif
