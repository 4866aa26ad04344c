#include "controller/spread.h"

#include "base/own.h"

#include <stdlib.h>

#define HOUR      INT64_C(3600)
#define HOURS     16384 /* that are counted: nearly two years */
#define FEW       4     /* in an hour are never a crowd */
#define CROWD     2.3   /* times the mean: no more are planned for one hour */
#define BEGIN_MIN 1.2   /* times the mean may begin in an hour when there is time left, */
#define BEGIN_MAX 2.6   /* and when there is hardly any */
#define FLEET     2500  /* certificates: with more of them */
#define BEGIN_FEW 12    /* so many may always begin in an hour; with fewer */
#define BEGIN_ALL 100   /* so many, which is what Let's Encrypt takes of one account */
#define NEAR      20    /* the last part of the time before it expires: waits for nothing */

struct spread {
	double rate; /* renewals a second, spread evenly */
	unsigned count;
	int64_t begun_hour;
	unsigned begun; /* in that hour */
	uint32_t planned[HOURS];
};

struct spread *spread_new(void)
{
	return xcalloc(1, sizeof(struct spread));
}

void spread_free(struct spread *spread)
{
	free(spread);
}

static int64_t hour_of(int64_t when)
{
	return when < 0 ? 0 : when / HOUR;
}

static uint32_t *slot(struct spread *spread, int64_t hour)
{
	return &spread->planned[hour % HOURS];
}

static uint32_t planned(const struct spread *spread, int64_t hour)
{
	return spread->planned[hour % HOURS];
}

void spread_add(struct spread *spread, int64_t when, int64_t period)
{
	++*slot(spread, hour_of(when));
	spread->count++;
	spread->rate += 1.0 / (double)(period < 1 ? 1 : period);
}

void spread_remove(struct spread *spread, int64_t when, int64_t period)
{
	if (*slot(spread, hour_of(when)) > 0)
		--*slot(spread, hour_of(when));
	if (spread->count > 0)
		spread->count--;
	spread->rate -= 1.0 / (double)(period < 1 ? 1 : period);
	if (spread->rate < 0)
		spread->rate = 0;
}

double spread_mean(const struct spread *spread)
{
	return spread->rate * (double)HOUR;
}

static double at_least(double few, double count)
{
	return count < few ? few : count;
}

static int64_t within(int64_t when, int64_t earliest, int64_t latest)
{
	return when < earliest ? earliest : when > latest ? latest : when;
}

int64_t spread_pick(const struct spread *spread, int64_t earliest, int64_t latest, uint64_t bits)
{
	double limit = at_least(FEW, CROWD * spread_mean(spread));
	int64_t hour = hour_of(latest), best = hour;
	int64_t first = hour_of(earliest);

	if (hour - first > HOURS / 2)
		first = hour - HOURS / 2;
	for (; hour >= first; hour--) {
		if ((double)planned(spread, hour) + 1 <= limit) {
			best = hour;
			break;
		}
		if (planned(spread, hour) < planned(spread, best))
			best = hour;
	}
	if (best == hour_of(latest))
		return latest; /* has a spread of its own */
	return within(best * HOUR + (int64_t)(bits % (uint64_t)HOUR), earliest, latest);
}

struct part { /* of an hour, that lies within a window */
	int64_t from, len;
};

static struct part part_of(int64_t hour, int64_t earliest, int64_t latest)
{
	int64_t from = within(hour * HOUR, earliest, latest);

	return (struct part){.from = from,
			     .len = within((hour + 1) * HOUR, earliest, latest) - from};
}

/* Renewals an hour, as if all of that hour were like the part of it. */
static double crowd_of(const struct spread *spread, int64_t hour, struct part part)
{
	return (planned(spread, hour) + 1.0) * (double)HOUR / (double)part.len;
}

int64_t spread_within(const struct spread *spread, int64_t earliest, int64_t latest,
		      uint64_t random)
{
	double least = at_least(FEW, CROWD * spread_mean(spread));
	int64_t hit, hours, first = hour_of(earliest);
	struct part place;

	if (latest <= earliest)
		return earliest;
	hit = earliest + (int64_t)(random % (uint64_t)(latest - earliest));
	place = part_of(hour_of(hit), earliest, latest);
	if (crowd_of(spread, hour_of(hit), place) <= least)
		return hit;
	least = crowd_of(spread, hour_of(hit), place);
	hours = hour_of(latest - 1) - first + 1;
	hours = hours < HOURS / 2 ? hours : HOURS / 2;
	for (int64_t i = 1; i < hours; i++) {
		int64_t hour = first + (hour_of(hit) - first + i) % hours;
		struct part part = part_of(hour, earliest, latest);

		if (crowd_of(spread, hour, part) < least) {
			least = crowd_of(spread, hour, part);
			place = part;
		}
	}
	return place.from + (int64_t)((random >> 32) % (uint64_t)place.len);
}

/* How much of the time between due and deadline is left: 1 all, 0 nothing. */
static double time_left(const struct spread_due *what, int64_t deadline, int64_t now)
{
	int64_t whole = deadline - what->due, left = deadline - now;

	if (left <= 0 || whole <= 0)
		return 0;
	return left >= whole ? 1 : (double)left / (double)whole;
}

bool spread_begin(struct spread *spread, const struct spread_due *what, int64_t now)
{
	double left = time_left(what, what->deadline, now);
	double share = BEGIN_MAX - left * (BEGIN_MAX - BEGIN_MIN);
	bool near = time_left(what, what->expiry, now) * NEAR <= 1;
	double few = spread->count > FLEET ? BEGIN_FEW : BEGIN_ALL;
	bool closes = now < what->deadline && what->deadline - now <= HOUR;

	if (spread->begun_hour != hour_of(now)) {
		spread->begun_hour = hour_of(now);
		spread->begun = 0;
	}
	if (!near && what->blocked >= SPREAD_BLOCKED_MAX)
		return false;
	if (!near && !closes &&
	    (double)spread->begun + 1 > at_least(few, share * spread_mean(spread)))
		return false;
	spread->begun++;
	return true;
}

int64_t spread_wait(const struct spread_due *what, int64_t now, uint32_t random)
{
	int64_t left = what->deadline - now;
	int64_t most = left / NEAR < HOUR ? left / NEAR : HOUR;

	if (most < 60)
		most = 60;
	return most / 2 + (int64_t)(random % (uint32_t)(most / 2 + 1));
}
