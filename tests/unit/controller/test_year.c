/* A year of 10,000 certificates in a few seconds: the decisions of renewal.c and spread.c with a
 * simulated clock and CA. CERTIFICATES=… for other numbers. */
#include "base/own.h"
#include "controller/renewal.h"
#include "controller/spread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define STEP   INT64_C(300)
#define HOUR   INT64_C(3600)
#define DAY    (24 * HOUR)
#define BEGIN  INT64_C(1767225600) /* 2026-01-01 */
#define YEAR   (365 * DAY)
#define STEPS  (YEAR / STEP)
#define FUTURE (STEPS + 1)

enum state { RESTS, BLOCKED };

struct cert {
	int64_t lifetime, not_before, not_after;
	int64_t due, planned, period;
	int64_t window_start, window_end; /* of the CA (RFC 9773); 0: it has none */
	enum state state;
	int64_t failures;
	uint32_t next; /* in the list of a step; index + 1 */
};

struct year {
	struct cert *certs;
	size_t count;
	uint32_t *steps; /* what is to be looked at then: head of a list */
	struct spread *spread;
	unsigned blocked;
	uint32_t random;
	unsigned hours[YEAR / HOUR + 1], renewed, expired, outside;
	bool with_windows;
};

static uint32_t random_of(struct year *year)
{
	year->random = year->random * 1664525u + 1013904223u;
	return year->random >> 8;
}

/* Two outages of three days. */
static bool is_down(int64_t now)
{
	int64_t day = (now - BEGIN) / DAY;

	return (day >= 100 && day < 103) || (day >= 250 && day < 253);
}

/* Nor can a window be kept that ends in an outage, or while what has waited is caught up with. */
static bool is_excused(int64_t window_end)
{
	return is_down(window_end) || is_down(window_end - DAY) || is_down(window_end - 2 * DAY) ||
	       is_down(window_end - 3 * DAY);
}

static void look_at(struct year *year, struct cert *cert, int64_t when)
{
	int64_t step = (when - BEGIN + STEP - 1) / STEP;

	if (step < 0)
		step = 0;
	if (step >= FUTURE)
		return;
	cert->next = year->steps[step];
	year->steps[step] = (uint32_t)(cert - year->certs) + 1;
}

/* The CA's wish: a sixth of the lifetime, which ends when a third of it is left, or half. */
static void set_window(struct cert *cert)
{
	cert->window_end = cert->not_after - cert->lifetime / (cert->lifetime < 10 * DAY ? 2 : 3);
	cert->window_start = cert->window_end - cert->lifetime / 6;
}

static void issue(struct year *year, struct cert *cert, int64_t now)
{
	uint64_t bits = random_of(year);
	int64_t latest, earliest;

	if (cert->planned != 0)
		spread_remove(year->spread, cert->planned, cert->period);
	cert->not_before = now;
	cert->not_after = now + cert->lifetime;
	cert->failures = 0;
	if (cert->window_end != 0) {
		set_window(cert);
		earliest = cert->window_start;
		latest = earliest +
			 (int64_t)(bits % (uint64_t)(cert->window_end - cert->window_start - HOUR));
	} else {
		latest = renewal_time(cert->not_before, cert->not_after, (struct renewal_wish){0},
				      bits);
		earliest = latest - renewal_leeway(cert->not_before, cert->not_after, latest);
	}
	cert->due = cert->planned = spread_pick(year->spread, earliest, latest, bits);
	cert->period = cert->planned - now;
	spread_add(year->spread, cert->planned, cert->period);
	look_at(year, cert, cert->due);
}

static void fails(struct year *year, struct cert *cert, int64_t now)
{
	int64_t delay = attempt_delay(++cert->failures, random_of(year));

	if (cert->state == RESTS)
		year->blocked++;
	cert->state = BLOCKED;
	look_at(year, cert, now + attempt_delay_before(delay, cert->not_after - now));
}

static void succeeds(struct year *year, struct cert *cert, int64_t now)
{
	if (cert->state == BLOCKED)
		year->blocked--;
	cert->state = RESTS;
	year->renewed++;
	year->hours[(now - BEGIN) / HOUR]++;
	if (cert->window_end != 0 && (now < cert->window_start || (now > cert->window_end + STEP &&
								   !is_excused(cert->window_end))))
		year->outside++;
	issue(year, cert, now);
}

static void look(struct year *year, struct cert *cert, int64_t now)
{
	bool in_window = cert->window_end != 0 && now < cert->window_end;
	struct spread_due what = {.due = in_window ? cert->window_start : cert->due,
				  .deadline = in_window ? cert->window_end : cert->not_after,
				  .expiry = cert->not_after,
				  .blocked = year->blocked};

	if (now >= cert->not_after) {
		year->expired++;
		issue(year, cert, now);
	} else if (cert->state == RESTS && !spread_begin(year->spread, &what, now)) {
		look_at(year, cert, now + spread_wait(&what, now, random_of(year)));
	} else if (is_down(now)) {
		fails(year, cert, now);
	} else {
		succeeds(year, cert, now);
	}
}

static void run(struct year *year)
{
	for (int64_t step = 0; step < STEPS; step++) {
		while (year->steps[step] != 0) {
			struct cert *cert = &year->certs[year->steps[step] - 1];

			year->steps[step] = cert->next;
			look(year, cert, BEGIN + step * STEP);
		}
	}
}

struct year_case {
	const char *what;
	int64_t lifetimes[3]; /* hours, in equal parts */
	bool with_windows;    /* of every other certificate */
};

static size_t certificate_count(void)
{
	const char *text = getenv("CERTIFICATES");
	unsigned long count = text == NULL ? 0 : strtoul(text, NULL, 10);

	return count == 0 ? 10000 : (size_t)count;
}

/* All are issued on the first day. */
static void begin(struct year *year, const struct year_case *wanted)
{
	*year = (struct year){.count = certificate_count(), .random = 7};
	year->certs = xcalloc(year->count, sizeof(*year->certs));
	year->steps = xcalloc(FUTURE, sizeof(*year->steps));
	year->spread = spread_new();
	for (size_t i = 0; i < year->count; i++) {
		struct cert *cert = &year->certs[i];

		cert->lifetime = wanted->lifetimes[i % 3] * HOUR;
		cert->window_end = wanted->with_windows && i / 3 % 2 == 0;
		issue(year, cert, BEGIN + (int64_t)i * DAY / (int64_t)year->count);
	}
}

static void check(struct year *year, const char *what)
{
	double mean = (double)year->renewed / (double)(YEAR / HOUR);
	size_t most = 0;

	for (size_t hour = 0; hour < YEAR / HOUR; hour++) {
		if (year->hours[hour] > year->hours[most])
			most = hour;
	}
	print_message("%s: %u renewals, %.1f an hour, at most %u (day %zu), %u expired, %u outside "
		      "of the CA's window\n",
		      what, year->renewed, mean, year->hours[most], most / 24, year->expired,
		      year->outside);
	assert_int_equal(year->expired, 0);
	assert_int_equal(year->outside, 0);
	assert_true(year->renewed > 2 * year->count);
	if (year->hours[most] > 4) /* so few are no crowd */
		assert_true((double)year->hours[most] <= 3 * mean);
	spread_free(year->spread);
	free(year->certs);
	free(year->steps);
}

static void test_year(void **state)
{
	static const struct year_case cases[] = {
		{"90, 45 and 6 days", {2160, 1080, 160}, false},
		{"90, 45 and 6 days, half of them with a window", {2160, 1080, 160}, true},
		{"90 days", {2160, 2160, 2160}, false},
		{"45 days", {1080, 1080, 1080}, false},
		{"6 days", {160, 160, 160}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct year year;

		begin(&year, &cases[i]);
		run(&year);
		check(&year, cases[i].what);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_year)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
