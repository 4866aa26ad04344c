#include "acme/retry.h"

#include "base/clock.h"

static int64_t backoff_ms(unsigned tries, uint32_t random)
{
	int64_t base = RETRY_FIRST_MS;

	for (unsigned i = 1; i < tries && base < RETRY_DELAY_MAX_MS; i++)
		base *= 2;
	if (base > RETRY_DELAY_MAX_MS)
		base = RETRY_DELAY_MAX_MS;
	return base / 2 + (int64_t)(random % (uint32_t)(base + 1)); /* half to one and a half */
}

int64_t retry_spread(int64_t ms, uint32_t random)
{
	int64_t most = ms / 10 > 250 ? ms / 10 : 250;

	return ms + 1 + (int64_t)(random % (uint32_t)most);
}

int64_t retry_next(struct retry *retry, int64_t now, int64_t retry_after_ms, uint32_t random)
{
	if (retry->tries == 0)
		retry->started = now;
	retry->tries++;
	if (retry->tries >= RETRY_TRIES_MAX || retry_after_ms > RETRY_DELAY_MAX_MS)
		return -1;

	int64_t delay = backoff_ms(retry->tries, random);

	if (retry_after_ms >= 0 && delay < retry_after_ms + 1)
		delay = retry_spread(retry_after_ms, random);
	return now + delay - retry->started > RETRY_TOTAL_MS ? -1 : delay;
}

static bool all_digits(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_digit(text.data[i]))
			return false;
	}
	return text.len > 0;
}

int64_t retry_after_ms(struct str_view value, struct str_view date, int64_t wall)
{
	uint64_t seconds;
	int64_t until, from = wall;

	value = sv_trim(value);
	if (all_digits(value)) {
		if (!sv_to_u64(value, &seconds) || seconds > RETRY_AFTER_MAX_MS / 1000)
			return RETRY_AFTER_MAX_MS;
		return (int64_t)seconds * 1000;
	}
	if (!clock_parse_http_date(value, &until))
		return -1;
	if (!clock_parse_http_date(sv_trim(date), &from))
		from = wall;
	if (until <= from)
		return -1;
	return until - from > RETRY_AFTER_MAX_MS / 1000 ? RETRY_AFTER_MAX_MS
							: (until - from) * 1000;
}
