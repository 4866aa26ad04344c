/* http/h1_head.h - message heads of HTTP/1, strictly and as they come in (RFC 9112)
 *
 * The caller keeps the bytes since the start of the head in one run and shows the whole run each
 * time; the parser remembers how far it got. A wrong line is refused when it is complete, a line
 * that is too long as soon as it is. Nothing is repaired: no bare LF, no folded lines, no blanks
 * before a colon, one empty line at most before a request.
 */
#ifndef HTTP_H1_HEAD_H
#define HTTP_H1_HEAD_H

#include "base/arena.h"
#include "base/str.h"
#include "http/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum h1_result {
	H1_MORE, /* nothing wrong so far, show me more */
	H1_DONE,
	H1_BAD
};

struct h1_limits {
	size_t line;   /* bytes of the start line or one field line, CRLF included */
	size_t head;   /* bytes of the whole head */
	size_t fields; /* field lines */
};

#define H1_LIMITS_DEFAULT ((struct h1_limits){.line = 16384, .head = 65536, .fields = 200})

struct h1_head {
	struct h1_limits limits;
	struct arena *arena;
	size_t start;        /* first byte of the start line (behind an empty line) */
	size_t line;         /* first byte of the line that is being read */
	size_t scanned;      /* no line end before this */
	size_t consumed;     /* after H1_DONE: bytes of the run that belong to the head */
	struct http_bad bad; /* after H1_BAD; for responses the status is 502 */
	bool first;          /* the start line has been read */
	bool skipped;        /* an empty line stood before the request */
};

/* The arena must outlive the message. Used again for the next head after another init. The message
 * is filled line by line: show the same one until the head is done. */
void h1_head_init(struct h1_head *head, const struct h1_limits *limits, struct arena *arena);

/* After H1_DONE every view in the message lives in the arena, and the run's bytes from
 * head->consumed on are not the head's. After H1_BAD: answer head->bad.status and close; the
 * request then holds what was understood (zero it first when a log wants to show that).
 * Statuses: 400, 414, 417, 431, 501, 505. */
enum h1_result h1_head_request(struct h1_head *head, struct str_view run,
			       struct http_request *request);

/* asked: the method of the request that this answers (HEAD has no body). An interim response is
 * H1_DONE as well: see http_is_interim, then init and go on behind head->consumed. */
enum h1_result h1_head_response(struct h1_head *head, struct str_view run, enum http_method asked,
				struct http_response *response);

#endif
