/* http/h2_head.h - a field section of HTTP/2 becomes the same model (RFC 9113, section 8)
 *
 * The framing library hands over names and values one by one; they are copied into the arena.
 * Whatever RFC 9113 calls malformed is refused here, whether or not the library has looked.
 */
#ifndef HTTP_H2_HEAD_H
#define HTTP_H2_HEAD_H

#include "base/arena.h"
#include "base/str.h"
#include "http/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct h2_limits {
	size_t bytes; /* of the section, counted as SETTINGS_MAX_HEADER_LIST_SIZE does (+32 a field)
		       */
	size_t fields; /* field lines without pseudo-fields */
};

#define H2_LIMITS_DEFAULT ((struct h2_limits){.bytes = 65536, .fields = 200})

enum h2_section { H2_REQUEST, H2_RESPONSE, H2_TRAILER };

struct h2_head {
	enum h2_section section;
	struct arena *arena;
	struct h2_limits limits;
	struct str_view method, scheme, authority, path, protocol, status; /* data NULL: not seen */
	struct fields fields; /* regular fields; of a trailer: those that may be there */
	size_t bytes;         /* that came, also beyond the limit */
	bool regular;         /* a field has been seen: no pseudo-field may follow */
	struct http_bad bad;  /* 400: malformed (RST_STREAM, PROTOCOL_ERROR); 431: too big;
				 others: to be answered */
};

/* The arena serves the fields and must outlive the head. */
void h2_head_init(struct h2_head *head, enum h2_section section, struct arena *arena,
		  const struct h2_limits *limits);

/* False: malformed, head->bad says why. That sticks: further calls are harmless. */
bool h2_head_add(struct h2_head *head, struct str_view name, struct str_view value);

/* The request's section is complete. CONNECT with :protocol "websocket" (RFC 8441) becomes what
 * HTTP/1.1 says for the same: GET, request->websocket, and request->connect; the caller adds a
 * Sec-WebSocket-Key. Any other :protocol is 501.  end_stream: no DATA follows. Framing becomes
 * BODY_LENGTH with content-length (the caller counts DATA against length: more or less is
 * malformed), else BODY_CHUNKED, else BODY_NONE. target.scheme is :scheme ("http" or "https";
 * whether it fits the connection is the caller's to judge). False: malformed, head->bad says why.
 */
bool h2_head_request(struct h2_head *head, bool end_stream, struct http_request *request);

/* The response's section is complete, interim ones too (101 is malformed: RFC 9113, section 8.6).
 * Framing as above, and BODY_NONE for what has no content by its method or status: the caller
 * refuses DATA then; what ends with its head is BODY_LENGTH of 0, said by content-length or not.
 * keep_alive is set. False: malformed, head->bad says why. */
bool h2_head_response(struct h2_head *head, bool end_stream, enum http_method method,
		      struct http_response *response);

/* The single checks, for other callers. */
bool h2_name_ok(struct str_view name);   /* token, no upper case */
bool h2_value_ok(struct str_view value); /* field_value_ok, and no SP or HTAB at the ends */
/* RFC 9113, section 8.2.2 (TE is not among them: "te: trailers" is allowed). */
bool h2_connection_specific(enum field_id id);

#endif
