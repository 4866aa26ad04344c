#include "controller/renewal.h"

#include "base/own.h"

#include <stddef.h>

#define DAY              INT64_C(86400)
#define SPREAD_MAX       INT64_C(3600)
#define INFO_WAIT_MS     (INT64_C(21600) * 1000)
#define INFO_WAIT_MIN_MS INT64_C(60000)
#define SOON_S           INT64_C(900)

int64_t renewal_time(int64_t not_before, int64_t not_after, struct renewal_wish wish,
		     uint64_t spread)
{
	int64_t lifetime = not_after > not_before ? not_after - not_before : 0;
	int64_t before = lifetime < 10 * DAY ? lifetime / 2 : lifetime / 3;
	int64_t most = lifetime / 100 < SPREAD_MAX ? lifetime / 100 : SPREAD_MAX;
	int64_t wished = wish.before_s;

	if (wish.percentage > 0 && wish.percentage < 100) /* in parts: years 9999 do not overflow */
		wished = lifetime / 100 * wish.percentage + lifetime % 100 * wish.percentage / 100;
	if (wished > 0 && wished <= lifetime - lifetime / 10)
		before = wished;
	return not_after - before - (int64_t)(spread % (uint64_t)(most + 1));
}

int64_t renewal_latest(int64_t not_before, int64_t not_after)
{
	int64_t lifetime = not_after > not_before ? not_after - not_before : 0;

	return not_after - lifetime / 20;
}

int64_t renewal_info_wait(int64_t retry_after_ms)
{
	int64_t wait = retry_after_ms < 0 ? INFO_WAIT_MS : retry_after_ms;

	if (wait < INFO_WAIT_MIN_MS)
		return INFO_WAIT_MIN_MS;
	return wait < DAY * 1000 ? wait : DAY * 1000;
}

int64_t attempt_delay(int64_t failures, uint32_t random)
{
	static const int64_t steps[] = {60, 600, 6000, DAY};
	size_t last = ARRAY_LEN(steps) - 1;
	size_t step = failures < 1 ? 0 : failures > (int64_t)last ? last : (size_t)(failures - 1);
	int64_t fifth = steps[step] / 5;

	return steps[step] - fifth + (int64_t)(random % (uint32_t)(2 * fifth + 1));
}

int64_t attempt_delay_before(int64_t delay, int64_t left)
{
	int64_t most = left / 8 > SOON_S ? left / 8 : SOON_S;

	return left <= 0 || delay < most ? delay : most;
}

int64_t renewal_leeway(int64_t not_before, int64_t not_after, int64_t renewal)
{
	int64_t lifetime = not_after > not_before ? not_after - not_before : 0;
	int64_t leeway = lifetime < DAY ? 0 : lifetime / 10 * 3;
	int64_t tenth = renewal - not_before - lifetime / 10; /* never within the first tenth */

	return tenth < leeway ? (tenth > 0 ? tenth : 0) : leeway;
}

enum renewal_alarm renewal_alarm(int64_t renewal, int64_t not_after, int64_t now, int64_t *next)
{
	int64_t whole = not_after > renewal ? not_after - renewal : 0;
	int64_t late = not_after - whole / 2, soon = not_after - whole / 6;

	*next = now < late ? late : now < soon ? soon : not_after;
	return now < late        ? ALARM_NONE
	       : now < soon      ? ALARM_LATE
	       : now < not_after ? ALARM_SOON
				 : ALARM_EXPIRED;
}

bool attempt_waits(int64_t next, int64_t now)
{
	return next > now && next - now <= 2 * DAY;
}

int64_t wall_wait_ms(int64_t due, int64_t now, int64_t limit_ms)
{
	if (due <= now)
		return 1;
	return due - now >= limit_ms / 1000 ? limit_ms : (due - now) * 1000;
}
