/* http/field.h - a section of header or trailer fields (RFC 9110, sections 5 and 7.6.1)
 *
 * Names are stored in lower case, always: what is matched, forwarded and sent over HTTP/2 is the
 * same text. Values are without white space at their ends. Order is kept. Everything lives in one
 * arena; views that are added must outlive the section (copy with arena_dup when in doubt).
 */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* id, name, and its first, last but one and last letter: the hash must see constants. */
#define HTTP_FIELDS(X)                                                           \
	X(ACCEPT_ENCODING, "accept-encoding", 'a', 'n', 'g')                     \
	X(ALT_SVC, "alt-svc", 'a', 'v', 'c')                                     \
	X(AUTHORIZATION, "authorization", 'a', 'o', 'n')                         \
	X(CACHE_CONTROL, "cache-control", 'c', 'o', 'l')                         \
	X(CONNECTION, "connection", 'c', 'o', 'n')                               \
	X(CONTENT_ENCODING, "content-encoding", 'c', 'n', 'g')                   \
	X(CONTENT_LENGTH, "content-length", 'c', 't', 'h')                       \
	X(CONTENT_RANGE, "content-range", 'c', 'g', 'e')                         \
	X(CONTENT_TYPE, "content-type", 'c', 'p', 'e')                           \
	X(COOKIE, "cookie", 'c', 'i', 'e')                                       \
	X(DATE, "date", 'd', 't', 'e')                                           \
	X(EXPECT, "expect", 'e', 'c', 't')                                       \
	X(FORWARDED, "forwarded", 'f', 'e', 'd')                                 \
	X(HOST, "host", 'h', 's', 't')                                           \
	X(HTTP2_SETTINGS, "http2-settings", 'h', 'g', 's')                       \
	X(KEEP_ALIVE, "keep-alive", 'k', 'v', 'e')                               \
	X(LOCATION, "location", 'l', 'o', 'n')                                   \
	X(MAX_FORWARDS, "max-forwards", 'm', 'd', 's')                           \
	X(ORIGIN, "origin", 'o', 'i', 'n')                                       \
	X(PROXY_AUTHENTICATE, "proxy-authenticate", 'p', 't', 'e')               \
	X(PROXY_AUTHORIZATION, "proxy-authorization", 'p', 'o', 'n')             \
	X(PROXY_CONNECTION, "proxy-connection", 'p', 'o', 'n')                   \
	X(RANGE, "range", 'r', 'g', 'e')                                         \
	X(REFERER, "referer", 'r', 'e', 'r')                                     \
	X(SEC_WEBSOCKET_ACCEPT, "sec-websocket-accept", 's', 'p', 't')           \
	X(SEC_WEBSOCKET_KEY, "sec-websocket-key", 's', 'e', 'y')                 \
	X(SEC_WEBSOCKET_PROTOCOL, "sec-websocket-protocol", 's', 'o', 'l')       \
	X(SEC_WEBSOCKET_VERSION, "sec-websocket-version", 's', 'o', 'n')         \
	X(SERVER, "server", 's', 'e', 'r')                                       \
	X(SET_COOKIE, "set-cookie", 's', 'i', 'e')                               \
	X(STRICT_TRANSPORT_SECURITY, "strict-transport-security", 's', 't', 'y') \
	X(TE, "te", 't', 't', 'e')                                               \
	X(TRAILER, "trailer", 't', 'e', 'r')                                     \
	X(TRANSFER_ENCODING, "transfer-encoding", 't', 'n', 'g')                 \
	X(UPGRADE, "upgrade", 'u', 'd', 'e')                                     \
	X(USER_AGENT, "user-agent", 'u', 'n', 't')                               \
	X(VIA, "via", 'v', 'i', 'a')                                             \
	X(WWW_AUTHENTICATE, "www-authenticate", 'w', 't', 'e')                   \
	X(X_FORWARDED_FOR, "x-forwarded-for", 'x', 'o', 'r')                     \
	X(X_FORWARDED_HOST, "x-forwarded-host", 'x', 's', 't')                   \
	X(X_FORWARDED_PORT, "x-forwarded-port", 'x', 'r', 't')                   \
	X(X_FORWARDED_PROTO, "x-forwarded-proto", 'x', 't', 'o')                 \
	X(X_REAL_IP, "x-real-ip", 'x', 'i', 'p')                                 \
	X(X_REQUEST_ID, "x-request-id", 'x', 'i', 'd')

enum field_id {
	FIELD_OTHER, /* a name this program attaches no meaning to */
#define X(id, name, first, next, last) FIELD_##id,
	HTTP_FIELDS(X) FIELD_ID_COUNT
#undef X
};

enum field_id field_id_parse(struct str_view name); /* any case */
struct str_view field_id_name(enum field_id id);    /* lower case; FIELD_OTHER: "" */

struct field {
	struct str_view name, value; /* name in lower case */
	enum field_id id;
	bool never_indexed; /* by HTTP/2 (RFC 7541, section 7.1.3) */
};

struct fields {
	struct field *items;
	size_t count, size, max; /* in use, allocated, limit */
	struct arena *arena;
	struct str_view nominated; /* of a head that was stripped: what Connection named, a list */
};

/* Empty; at most max lines. The arena serves them and must outlive them. */
void fields_init(struct fields *fields, struct arena *arena, size_t max);

/* Name in any case (lowered into the arena when needed); false when the limit or the arena is
 * full, and then nothing was changed. Neither checks the text: see field_name_ok, field_value_ok.
 */
bool fields_add(struct fields *fields, struct str_view name, struct str_view value);
bool fields_add_id(struct fields *fields, enum field_id id, struct str_view value);
bool fields_set(struct fields *fields, struct str_view name,
		struct str_view value); /* replaces all */
bool fields_set_id(struct fields *fields, enum field_id id, struct str_view value);

size_t fields_remove(struct fields *fields, struct str_view name); /* how many went; any case */
size_t fields_remove_id(struct fields *fields, enum field_id id);

/* First field of that name, or NULL. Name in any case. */
const struct field *fields_find(const struct fields *fields, struct str_view name);
const struct field *fields_find_id(const struct fields *fields, enum field_id id);
struct str_view fields_value(const struct fields *fields, enum field_id id); /* first, or SV_NONE */
size_t fields_count_id(const struct fields *fields, enum field_id id);

/* The values of all fields of that name as one, joined with ", " (RFC 9110, section 5.3) in the
 * arena when there are several; SV_NONE when there is none or the arena is full. */
struct str_view fields_joined(const struct fields *fields, struct str_view name);
struct str_view fields_joined_with(const struct fields *fields, struct str_view name,
				   struct str_view separator);

bool field_name_ok(struct str_view name);   /* token */
bool field_value_ok(struct str_view value); /* VCHAR, obs-text, SP, HTAB; no CR, LF, NUL */

/* Next element of a comma list (RFC 9110, section 5.6.1): trimmed, empty ones skipped, commas in
 * quoted strings belong to the element. for (struct str_view it = value, el; list_next(&it, &el);)
 */
bool list_next(struct str_view *rest, struct str_view *element);

/* Fields that belong to one connection (RFC 9110, section 7.6.1): Connection, Keep-Alive,
 * Proxy-Connection, Transfer-Encoding, TE, Upgrade, HTTP2-Settings. Trailer stays. */
bool field_is_hop_by_hop(enum field_id id);

/* May Connection never nominate it? Those that all recipients need or that this proxy vouches for:
 * Host, Content-*, Authorization, Cookie, Date, Expect, Via, Forwarded, X-Forwarded-*, X-Real-IP,
 * X-Request-ID, Cache-Control, Range, Sec-WebSocket-*. In a request such a nomination is an attempt
 * to make the two ends see different requests: the parsers answer 400. (In a response the origin
 * only hurts itself: the field goes.) */
bool field_is_protected(enum field_id id);

/* Takes away the hop-by-hop fields and those that Connection nominates. In time and space linear:
 * at most FIELDS_NOMINATED_MAX names are honoured; false when there are more (nothing was changed).
 * The parsers of this room have done it already. */
#define FIELDS_NOMINATED_MAX 64
bool fields_strip_hop_by_hop(struct fields *fields);

/* The same for the trailers of a message whose head was stripped: a field that Connection names is
 * for one connection wherever it stands (RFC 9110, section 7.6.1). */
void fields_strip_trailers(struct fields *trailers, const struct fields *head);

/* May it stand in a trailer section (RFC 9110, section 6.5.1)? Not framing, routing, request
 * modifiers, authentication, content format. */
bool field_trailer_ok(enum field_id id);

/* Decimal digits only, at most INT64_MAX (RFC 9110, section 8.6): no sign, list, blank. */
bool content_length_parse(struct str_view value, uint64_t *length);

#endif
