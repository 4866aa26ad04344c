/* dataplane/h2_scan.h - where HTTP/2 frames begin, and whether their stream may still have them.
 * Pure.
 *
 * The framing library silently ignores what comes on streams that are no more; RFC 9113 (sections
 * 5.1, 5.1.1) calls it an error. Only those frames may be innocent that come on a stream which we
 * have ended early: they were under way. PRIORITY, too, it passes over unread, although not every
 * one is right.
 */
#ifndef DATAPLANE_H2_SCAN_H
#define DATAPLANE_H2_SCAN_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define H2_CLOSED_MAX     512 /* streams that are remembered after their end */
#define H2_HEAD_LEN       9
#define H2_DEPENDENCY_LEN 4 /* what is read of the payload of PRIORITY */

struct h2_scan {
	uint64_t left; /* bytes to the end of the frame (or, at first, of the preface) */
	unsigned char head[H2_HEAD_LEN + H2_DEPENDENCY_LEN];
	size_t head_len;               /* bytes of the next frame's head that were seen */
	int32_t last_id;               /* newest stream that the client has opened */
	int32_t closed[H2_CLOSED_MAX]; /* the latest; negative: ended early by us; 0: none */
	size_t closed_next;
};

enum h2_verdict {
	H2_FINE,            /* or the library's matter */
	H2_LATE,            /* ignored: it was under way when we ended the stream */
	H2_BACKWARDS,       /* opens a stream that was passed over: PROTOCOL_ERROR */
	H2_POINTLESS,       /* PRIORITY of no stream, or to itself: PROTOCOL_ERROR */
	H2_STREAM_IS_CLOSED /* STREAM_CLOSED */
};

void h2_scan_init(struct h2_scan *scan);

/* How many bytes of input may be given to the library now: up to the end of one frame. *complete: a
 * frame's head has just become complete; then ask h2_scan_verdict before they are given. */
size_t h2_scan_next(struct h2_scan *scan, struct str_view input, bool *complete);

/* The stream of that frame head; 0 for the connection. */
int32_t h2_scan_stream(const struct h2_scan *scan);
unsigned h2_scan_type(const struct h2_scan *scan);
uint32_t h2_scan_length(const struct h2_scan *scan); /* of its payload */
/* Does the library pass over such frames without a word (PRIORITY, extensions)? */
bool h2_scan_ignored(const struct h2_scan *scan);
/* open: the library has that stream. Opening a stream is noted here. */
enum h2_verdict h2_scan_verdict(struct h2_scan *scan, bool open);

/* early: the client had not finished with it. */
void h2_scan_closed(struct h2_scan *scan, int32_t id, bool early);

#endif
