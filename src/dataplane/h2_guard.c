#include "dataplane/h2_guard.h"

#include <nghttp2/nghttp2.h>

static double less(double level, double amount)
{
	return level > amount ? level - amount : 0;
}

static void leak(struct h2_guard *guard, int64_t now)
{
	double seconds = (double)(now - guard->since) / 1000.0;

	guard->since = now;
	guard->resets = less(guard->resets, seconds * H2_RESETS_PER_SECOND);
	guard->noise = less(guard->noise, seconds * H2_NOISE_PER_SECOND);
}

void h2_guard_init(struct h2_guard *guard, int64_t now)
{
	*guard = (struct h2_guard){.since = now};
}

bool h2_guard_reset(struct h2_guard *guard, int64_t now)
{
	leak(guard, now);
	guard->resets += 1;
	return guard->resets <= H2_RESETS_MAX;
}

bool h2_guard_stalled(struct h2_guard *guard, int64_t now)
{
	leak(guard, now);
	guard->resets += H2_STALLED_COSTS;
	return guard->resets <= H2_RESETS_MAX;
}

bool h2_guard_noise(struct h2_guard *guard, int64_t now)
{
	leak(guard, now);
	guard->noise += 1;
	return guard->noise <= H2_NOISE_MAX;
}

/* A request costs a client a few frames of bookkeeping. */
void h2_guard_work(struct h2_guard *guard)
{
	guard->noise = less(guard->noise, 4);
}

void h2_guard_content(struct h2_guard *guard, uint64_t bytes)
{
	guard->noise = less(guard->noise, 1 + (double)bytes / 512);
}

/* Who takes content opens windows for it, some clients for every few kilobytes and some with a PING
 * for every message. Who opens them octet by octet is not forgiven for it. */
void h2_guard_sent(struct h2_guard *guard, uint64_t bytes, bool all)
{
	guard->noise = less(guard->noise, (all ? 4 : 0) + (double)bytes / 512);
}

enum h2_attack h2_guard_attack(unsigned type)
{
	static const enum h2_attack attacks[] = {
		[NGHTTP2_DATA] = H2_ATTACK_EMPTY_DATA,
		[NGHTTP2_HEADERS] = H2_ATTACK_INVALID_FRAMES,
		[NGHTTP2_PRIORITY] = H2_ATTACK_PRIORITY,
		[NGHTTP2_RST_STREAM] = H2_ATTACK_CLOSED_STREAMS,
		[NGHTTP2_SETTINGS] = H2_ATTACK_SETTINGS,
		[NGHTTP2_PUSH_PROMISE] = H2_ATTACK_INVALID_FRAMES,
		[NGHTTP2_PING] = H2_ATTACK_PING,
		[NGHTTP2_GOAWAY] = H2_ATTACK_INVALID_FRAMES,
		[NGHTTP2_WINDOW_UPDATE] = H2_ATTACK_WINDOW_UPDATE,
		[NGHTTP2_CONTINUATION] = H2_ATTACK_CONTINUATION,
	};

	return type < sizeof(attacks) / sizeof(attacks[0]) ? attacks[type]
							   : H2_ATTACK_UNKNOWN_FRAMES;
}
