/* http/target.h - what the request is for: request target and authority (RFC 9112, section 3.2)
 *
 * The path is normalised once. The normalised form is what routes are matched against and what the
 * upstream gets. Rules (RFC 3986, section 6.2.2; whatever could be read in two ways is refused):
 *   - escapes of unreserved characters are undone, other escapes get upper-case digits;
 *     nothing is decoded twice (%252e stays)
 *   - runs of '/' become one, then '.' and '..' segments are resolved; '..' stops at the root
 *   - 400: control characters, raw or escaped (%00 to %1F, %7F); backslash, '"', '<', '>', bytes
 *     above 0x7F raw; broken escapes (in the query too); a fragment
 *   - 400: overlong UTF-8 (%C0%AE), and what would become a dot segment if '%2F' and '%5C' were
 *     separators, ';x' were cut off and spaces trimmed ("/a/..%2fb", "/a/..;/b"): no client needs
 *     it, some server resolves it
 *   - '%2F', '%5C' and ';' else stay: they are data ("/@scope%2Fname", "/queues/%2F/x"). But some
 *     servers read them as separators, so a path that holds one has a second, eager reading:
 *     path_eager. The router looks both up, and refuses (400) when they lead to different rules.
 * The query stays as it is.
 */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "base/arena.h"
#include "base/str.h"
#include "http/method.h"

#include <stdbool.h>
#include <stdint.h>

/* Why a message is refused: the status to answer and a short sentence of our own. */
struct http_bad {
	int status; /* 0: nothing wrong */
	const char *reason;
};

static inline bool http_refuse(struct http_bad *bad, int status, const char *reason)
{
	*bad = (struct http_bad){.status = status, .reason = reason};
	return false;
}

enum target_form {
	TARGET_ORIGIN,    /* /path?query */
	TARGET_ABSOLUTE,  /* http://host/path?query */
	TARGET_AUTHORITY, /* host:port, CONNECT only */
	TARGET_ASTERISK   /* *, OPTIONS only */
};

/* uri-host [":" port], strictly: letters, digits, - . _ ~ without empty labels, or an IPv6 address
 * in brackets. No user information, percent-encoding, zone, IPvFuture. */
struct http_authority {
	struct str_view host; /* lower case, brackets kept, one trailing dot taken off; "": none */
	uint16_t port;        /* 0: not given */
};

#define HTTP_HOST_MAX 255 /* longer ones are refused */

struct http_target {
	enum target_form form;
	struct str_view scheme;          /* absolute-form: "http" or "https", else "" */
	struct http_authority authority; /* of absolute- and authority-form */
	struct str_view path; /* starts with '/'; "*" for asterisk-form; "" for CONNECT */
	struct str_view
		path_eager;    /* see above; SV_NONE (data NULL) when there is no second reading */
	struct str_view query; /* without '?' */
	bool has_query;        /* "/x?" has an empty one */
};

/* Views of the result live in the arena. False: bad says why (400; 431 when the arena is full). */
bool http_target_parse(struct str_view text, enum http_method method, struct arena *arena,
		       struct http_target *target, struct http_bad *bad);

/* Path and query alone, as :path brings them (no absolute-form; "*" for OPTIONS only). */
bool http_path_parse(struct str_view text, enum http_method method, struct arena *arena,
		     struct http_target *target, struct http_bad *bad);

/* Host field or :authority. The empty text is refused. False: not an authority, or arena full. */
bool http_authority_parse(struct str_view text, struct arena *arena, struct http_authority *out);

/* The same host, and the same port once the scheme's default is filled in. */
bool http_authority_same(const struct http_authority *a, const struct http_authority *b,
			 struct str_view scheme);

#endif
