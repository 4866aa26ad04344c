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

/* What a connection was ended for; id, label of the metric. */
#define H2_ATTACKS(X)                       \
	X(RAPID_RESET, "rapid_reset")       \
	X(MADE_YOU_RESET, "made_you_reset") \
	X(CONTINUATION, "continuation")     \
	X(HPACK, "hpack")                   \
	X(SETTINGS, "settings")             \
	X(PING, "ping")                     \
	X(PRIORITY, "priority")             \
	X(WINDOW_UPDATE, "window_update")   \
	X(EMPTY_DATA, "empty_data")         \
	X(EXCESS_STREAMS, "excess_streams") \
	X(CLOSED_STREAMS, "closed_streams") \
	X(IDLE_STREAMS, "idle_streams")     \
	X(ZERO_WINDOW, "zero_window")       \
	X(INVALID_FRAMES, "invalid_frames") \
	X(UNKNOWN_FRAMES, "unknown_frames")

enum h2_attack {
#define X(id, label) H2_ATTACK_##id,
	H2_ATTACKS(X) H2_ATTACK_COUNT
#undef X
};

#define H2_RESETS_MAX        160  /* wasted streams in a burst: leaving a page costs up to 128 */
#define H2_RESETS_PER_SECOND 10   /* that are forgiven */
#define H2_STALLED_COSTS     4    /* a stream on which nothing moved counts as so many */
#define H2_CONTINUATIONS_MAX 8    /* frames behind one HEADERS */
#define H2_EXPANSION_MAX     8    /* octets of fields for an octet of HPACK, above the limit */
#define H2_NOISE_MAX         1000 /* idle frames in a burst */
#define H2_NOISE_PER_SECOND  100  /* that are forgiven */

struct h2_guard {
	int64_t since; /* ms: when the buckets were last emptied */
	double resets, noise;
};

void h2_guard_init(struct h2_guard *guard, int64_t now);
/* False: enough, end the connection (ENHANCE_YOUR_CALM). */
bool h2_guard_reset(struct h2_guard *guard, int64_t now);
bool h2_guard_stalled(struct h2_guard *guard, int64_t now);
bool h2_guard_noise(struct h2_guard *guard, int64_t now);
void h2_guard_work(struct h2_guard *guard);                    /* a request */
void h2_guard_content(struct h2_guard *guard, uint64_t bytes); /* of a request */
/* Of a response. all: nothing waits for a larger window. */
void h2_guard_sent(struct h2_guard *guard, uint64_t bytes, bool all);
/* The attack that too many frames of a type are (RFC 9113, section 6); any number. */
enum h2_attack h2_guard_attack(unsigned type);

#endif
