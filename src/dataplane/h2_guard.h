/* dataplane/h2_guard.h - is this HTTP/2 client at work, or only making us work? Pure.
 *
 * Two leaky buckets for each connection. Streams that were reset before they were answered (by the
 * client, or by us for its mistakes: rapid reset, MadeYouReset) fill one; frames that bring nothing
 * (SETTINGS, PING, PRIORITY, WINDOW_UPDATE, empty DATA) the other, while useful work empties it. An
 * honest client fills neither.
 */
#ifndef DATAPLANE_H2_GUARD_H
#define DATAPLANE_H2_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#define H2_RESETS_MAX        160  /* wasted streams in a burst: leaving a page costs up to 128 */
#define H2_RESETS_PER_SECOND 10   /* that are forgiven */
#define H2_NOISE_MAX         1000 /* idle frames in a burst */
#define H2_NOISE_PER_SECOND  100  /* that are forgiven */

struct h2_guard {
	int64_t since; /* ms: when the buckets were last emptied */
	double resets, noise;
};

void h2_guard_init(struct h2_guard *guard, int64_t now);
/* False: enough, end the connection (ENHANCE_YOUR_CALM). */
bool h2_guard_reset(struct h2_guard *guard, int64_t now);
bool h2_guard_noise(struct h2_guard *guard, int64_t now);
void h2_guard_work(struct h2_guard *guard);                    /* a request */
void h2_guard_content(struct h2_guard *guard, uint64_t bytes); /* of a request */
/* Of a response. all: nothing waits for a larger window. */
void h2_guard_sent(struct h2_guard *guard, uint64_t bytes, bool all);

#endif
