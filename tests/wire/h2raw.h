/* tests/wire/h2raw.h - a client of HTTP/2 that may say anything: frames out, frames in
 *
 * Frames are written as given, so that they can be wrong; header blocks are literals without
 * indexing (RFC 7541, section 6.2.2). Nothing is sent by itself: no acknowledgement, no window.
 */
#ifndef TESTS_H2RAW_H
#define TESTS_H2RAW_H

#include "base/buf.h"
#include "base/str.h"

#include <nghttp2/nghttp2.h>
#include <stdint.h>

#define H2_MAGIC "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum { H2_END_STREAM = 1, H2_ACK = 1, H2_END_HEADERS = 4 };

struct h2raw {
	int fd;
	nghttp2_hd_inflater *inflater;
	struct buf out;  /* frames that h2_flush will send */
	struct buf text; /* fields of the last header block: "name: value\n" */
	char payload[65536];
};

struct h2_frame {
	uint8_t type, flags;
	int32_t stream;
	struct str_view payload;
	uint32_t code; /* of RST_STREAM and GOAWAY */
	int32_t last;  /* of GOAWAY */
	const char
		*fields; /* of HEADERS: text of the block; "(never: x)" behind x: never indexed */
};

void h2_open(struct h2raw *h2, int fd);   /* takes fd; sends preface and empty SETTINGS */
void h2_accept(struct h2raw *h2, int fd); /* takes fd; reads the preface, sends empty SETTINGS */
/* As h2_accept, and its SETTINGS say this. */
void h2_accept_saying(struct h2raw *h2, int fd, uint16_t setting, uint32_t value);
void h2_close(struct h2raw *h2);

/* ---- into out ---- */
void h2_frame(struct h2raw *h2, uint8_t type, uint8_t flags, int32_t stream,
	      struct str_view payload);
/* rows: "name: value" lines, pseudo-fields first, "!name: value" never to be indexed; flags besides
 * END_HEADERS. */
void h2_headers(struct h2raw *h2, int32_t stream, uint8_t flags, const char *rows);
/* "METHOD /path", host a.test, and more rows. */
void h2_request(struct h2raw *h2, int32_t stream, uint8_t flags, const char *what);
void h2_data(struct h2raw *h2, int32_t stream, uint8_t flags, struct str_view bytes);
void h2_number(struct h2raw *h2, uint8_t type, int32_t stream, uint32_t number); /* RST, WINDOW */
void h2_setting(struct h2raw *h2, uint16_t id, uint32_t value);
/* Header block of such rows; appended to block. */
void h2_block(struct buf *block, const char *rows);

void h2_flush(struct h2raw *h2); /* blocks until all is written, or the other side is gone */

/* ---- from the server ---- */
bool h2_next(struct h2raw *h2, struct h2_frame *frame); /* false: the connection has ended */
/* Skips other frames; fails the program when the connection ends first. stream -1: any. */
void h2_await(struct h2raw *h2, uint8_t type, int32_t stream, struct h2_frame *frame);
/* Reads content of a stream up to END_STREAM; how many bytes. */
size_t h2_await_end(struct h2raw *h2, int32_t stream);

#endif
