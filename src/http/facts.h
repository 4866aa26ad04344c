/* http/facts.h - what the fields of one head say about the message (inside this room only)
 *
 * One pass collects, then the rules of RFC 9112 look at the whole: HTTP/1 and HTTP/2 heads,
 * requests and responses, ask the same questions.
 */
#ifndef HTTP_FACTS_H
#define HTTP_FACTS_H

#include "http/message.h"

struct facts {
	unsigned hosts, lengths, codings, expects, upgrades, keys; /* how many lines of each */
	struct str_view host, length, coding, expect, upgrade;     /* the last line of each */
	unsigned options;                                          /* of Connection, all lines */
	bool close, keep_alive;                                    /* connection options */
	bool upgrade_option;
	bool not_token;           /* an option is no token */
	bool nominates_protected; /* see field_is_protected */
	bool te_trailers;
};

/* facts is written whole; its views are borrowed from fields. */
void facts_collect(const struct fields *fields, struct facts *facts);

/* Framing by Content-Length alone; false: refused. */
bool facts_length(const struct facts *facts, uint64_t *length, struct http_bad *bad);

/* Sets expect_continue; any other expectation is refused with 417 (RFC 9110, section 10.1.1). */
bool facts_expect(const struct facts *facts, struct http_request *request, struct http_bad *bad);

/* TRACE has no content (RFC 9110, section 9.3.8). */
bool facts_content_allowed(const struct http_request *request, struct http_bad *bad);

/* Takes what the model says by itself out of the fields: hop-by-hop, Host, Content-Length. */
bool facts_strip(struct fields *fields, struct http_bad *bad);

#endif
