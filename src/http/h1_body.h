/* http/h1_body.h - where the content is among the bytes (RFC 9112, sections 6 and 7)
 *
 * Decoding copies nothing: the caller shows what it has, and is told which run of it is content.
 * Every byte shown is either content or done with; nothing has to be kept. (Trailers are gathered
 * in the arena, up to their limit.)
 */
#ifndef HTTP_H1_BODY_H
#define HTTP_H1_BODY_H

#include "base/arena.h"
#include "base/str.h"
#include "http/field.h"
#include "http/h1_head.h"
#include "http/message.h"

#include <stdbool.h>
#include <stdint.h>

#define H1_BODY_CHUNK_LINE  4096  /* bytes of one chunk-size line with its extensions */
#define H1_BODY_CHUNK_EXTRA 16384 /* of extensions in all, on top of an eighth of the content */
#define H1_BODY_TRAILER     8192  /* bytes of the trailer section */
#define H1_BODY_TRAILERS    64    /* its field lines */

struct h1_body {
	enum body_framing framing;
	int state;         /* of the chunk machine */
	uint64_t left;     /* bytes of content to come: of the body, or of this chunk */
	uint64_t received; /* bytes of content so far */
	uint64_t extra;    /* bytes of chunk extensions so far */
	size_t line_len;   /* bytes of the chunk-size line so far */
	struct arena *arena;
	char *trailer; /* raw trailer section, H1_BODY_TRAILER bytes; NULL until one comes */
	size_t trailer_len, trailer_line;
	struct fields trailers; /* after H1_DONE; fields that may not be trailers are left out */
	struct http_bad bad;    /* after H1_BAD: 400 or 431 (of a response: treat as a cut) */
};

/* length counts for BODY_LENGTH only. The arena serves trailers and must outlive the body. */
void h1_body_init(struct h1_body *body, enum body_framing framing, uint64_t length,
		  struct arena *arena);

/* One step over in: *used bytes of it are done with, *content (maybe empty) is a run of content
 * that lies within those. H1_MORE: call again with what follows behind *used, or with new bytes
 * when there is none left. H1_DONE: the body has ended, maybe with this content; bytes behind *used
 * belong to the next message. For a body of no bytes the first call (in may be empty) says H1_DONE.
 */
enum h1_result h1_body_step(struct h1_body *body, struct str_view in, size_t *used,
			    struct str_view *content);

bool h1_body_done(const struct h1_body *body);
/* The connection has ended: is that the end of the body (true), or a cut (false)? */
bool h1_body_eof(struct h1_body *body);

#define H1_CHUNK_HEAD_MAX 18 /* 16 digits, CRLF */
#define H1_CHUNK_TAIL     SV("\r\n")
#define H1_CHUNK_LAST     SV("0\r\n\r\n") /* last chunk, no trailers */

/* "1f4\r\n"; returns the number of bytes. size is not 0 (that would be the last chunk). */
size_t h1_chunk_head(uint64_t size, char out[H1_CHUNK_HEAD_MAX]);

#endif
