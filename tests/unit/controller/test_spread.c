/* tests/unit/controller/test_spread.c - controller/spread.c, and how tries come closer to the end
 */
#include "base/own.h"
#include "controller/renewal.h"
#include "controller/spread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HOUR INT64_C(3600)
#define DAY  (24 * HOUR)
#define NOW  (INT64_C(490000) * HOUR)

static void test_pick(void **state)
{
	struct spread *spread = spread_new();
	int64_t latest = NOW + 10 * DAY;

	(void)state;
	/* alone it is not moved */
	assert_int_equal(spread_pick(spread, NOW, latest, 5), latest);
	for (unsigned i = 0; i < 4; i++)
		spread_add(spread, latest, 60 * DAY);
	/* a crowd: the hour before, at a place of its own */
	assert_int_equal(spread_pick(spread, NOW, latest, 5), latest - HOUR + 5);
	/* but not before the earliest */
	assert_int_equal(spread_pick(spread, latest - 10, latest, 5), latest - 10);
	assert_int_equal(spread_pick(spread, latest - HOUR + 50, latest, 5), latest - HOUR + 50);
	spread_remove(spread, latest, 60 * DAY);
	assert_int_equal(spread_pick(spread, NOW, latest, 5), latest);
	/* a time that is not one of this world is taken as it is */
	assert_int_equal(spread_pick(spread, INT64_MIN / 2, -5, 5), -5);
	assert_true(spread_pick(spread, 0, INT64_MAX / 2, 5) > 0);
	spread_free(spread);
}

static void test_all_hours_full(void **state)
{
	struct spread *spread = spread_new();
	int64_t when;

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		spread_add(spread, NOW + i / 5 * HOUR, 10000 * DAY);
	spread_remove(spread, NOW + 3 * HOUR, 10000 * DAY);
	spread_add(spread, NOW + 4 * HOUR, 10000 * DAY);
	spread_add(spread, NOW + 3 * HOUR, 10000 * DAY);
	spread_remove(spread, NOW + 7 * HOUR, 10000 * DAY);
	spread_add(spread, NOW + 8 * HOUR, 10000 * DAY);
	when = spread_pick(spread, NOW, NOW + 11 * HOUR, 77);
	assert_int_equal(when, NOW + 7 * HOUR + 77); /* the emptiest */
	spread_free(spread);
}

static uint64_t random_bits(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state ^ *state >> 29;
}

/* A notice to all certificates at once: each stays in the window, and no hour of it gets many more
 * than its share, the cut ones at both ends neither. */
static void test_within(void **state)
{
	static const struct {
		unsigned certificates;
		int64_t begin, end; /* from now */
	} cases[] = {{3000, HOUR / 2, DAY + HOUR / 2},
		     {3000, 59 * 60, 5 * HOUR + 60},
		     {20000, 0, 2 * DAY},
		     {50, 600, 1200},
		     {1000, HOUR - 1, HOUR + 1},
		     {500, 0, 10 * DAY}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t begin = NOW + cases[i].begin, end = NOW + cases[i].end;
		double share = (double)cases[i].certificates * (double)HOUR / (double)(end - begin);
		struct spread *spread = spread_new();
		unsigned hours[11 * 24] = {0};
		uint64_t bits = 7;

		for (unsigned n = 0; n < cases[i].certificates; n++) {
			int64_t when = spread_within(spread, begin, end, random_bits(&bits));

			assert_true(when >= begin && when < end);
			spread_add(spread, when, 60 * DAY);
			hours[(when - NOW) / HOUR]++;
		}
		for (int64_t hour = 0; hour * HOUR < cases[i].end; hour++) {
			int64_t from = hour * HOUR > cases[i].begin ? hour * HOUR : cases[i].begin;
			int64_t to =
				(hour + 1) * HOUR < cases[i].end ? (hour + 1) * HOUR : cases[i].end;
			double fair = share * (double)(to - from) / (double)HOUR;

			if (hours[hour] > fair * 1.1 + 4)
				fail_msg("case %zu, hour %d: %u, and %.0f would be fair", i,
					 (int)hour, hours[hour], fair);
		}
		spread_free(spread);
	}
}

static void test_within_alone(void **state)
{
	struct spread *spread = spread_new();

	(void)state;
	assert_int_equal(spread_within(spread, NOW, NOW + DAY, 5), NOW + 5);
	assert_int_equal(spread_within(spread, NOW, NOW + DAY, DAY - 1), NOW + DAY - 1);
	assert_int_equal(spread_within(spread, NOW, NOW, 5), NOW);
	assert_int_equal(spread_within(spread, NOW, NOW - 1, 5), NOW);
	assert_int_equal(spread_within(spread, NOW, NOW + 1, UINT64_MAX), NOW);
	assert_true(spread_within(spread, 0, INT64_MAX / 2, UINT64_MAX) >= 0);
	/* its hour is full: another one of the window, if there is one */
	for (unsigned i = 0; i < 8; i++)
		spread_add(spread, NOW, 60 * DAY);
	assert_true(spread_within(spread, NOW, NOW + 2 * HOUR, 5) >= NOW + HOUR);
	assert_int_equal(spread_within(spread, NOW, NOW + 60, 5), NOW);
	spread_free(spread);
}

static unsigned begun(struct spread *spread, const struct spread_due *what, int64_t now)
{
	unsigned count = 0;

	while (count < 1000 && spread_begin(spread, what, now))
		count++;
	return count;
}

static void test_begin(void **state)
{
	static const struct {
		const char *what;
		int64_t due, deadline, expiry; /* from now */
		unsigned blocked, fewest, most;
	} cases[] = {
		{"just due", 0, 30 * DAY, 30 * DAY, 0, 100, 100},
		{"long due", -29 * DAY, 3 * DAY, 3 * DAY, 0, 100, 100},
		{"expires soon", -29 * DAY, HOUR, HOUR, 0, 1000, 1000},
		{"has expired", -29 * DAY, -HOUR, -HOUR, 0, 1000, 1000},
		{"the CA is down", 0, 30 * DAY, 30 * DAY, 8, 0, 0},
		{"the CA may be down", 0, 30 * DAY, 30 * DAY, 7, 100, 100},
		{"the CA is down, and it expires soon", -29 * DAY, HOUR, HOUR, 8, 1000, 1000},
		{"the window closes", -DAY, HOUR, 30 * DAY, 0, 1000, 1000},
		{"the window closes, the CA is down", -DAY, HOUR, 30 * DAY, 8, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spread *spread = spread_new();
		struct spread_due what = {.due = NOW + cases[i].due,
					  .deadline = NOW + cases[i].deadline,
					  .expiry = NOW + cases[i].expiry,
					  .blocked = cases[i].blocked};
		unsigned count = begun(spread, &what, NOW);

		if (count < cases[i].fewest || count > cases[i].most)
			fail_msg("%s: %u", cases[i].what, count);
		if (count > 0) /* the next hour is another one */
			assert_true(spread_begin(spread, &what, NOW + HOUR));
		assert_in_range(spread_wait(&what, NOW, 123456), 30, HOUR);
		spread_free(spread);
	}
}

/* Of many certificates those with less time left go first. */
static void test_begin_many(void **state)
{
	struct spread *spread = spread_new();
	struct spread_due fresh = {
		.due = NOW, .deadline = NOW + 30 * DAY, .expiry = NOW + 30 * DAY};
	struct spread_due old = {
		.due = NOW - 20 * DAY, .deadline = NOW + 5 * DAY, .expiry = NOW + 5 * DAY};

	(void)state;
	for (unsigned i = 0; i < 72000; i++)
		spread_add(spread, NOW + 90 * DAY, 60 * DAY); /* 50 an hour */
	assert_in_range((unsigned)(spread_mean(spread) + 0.5), 50, 50);
	assert_in_range(begun(spread, &fresh, NOW), 50, 75);
	assert_in_range(begun(spread, &old, NOW), 40, 80);
	spread_free(spread);
}

static void test_delay_before(void **state)
{
	static const struct {
		int64_t delay, left, want;
	} cases[] = {
		{DAY, 30 * DAY, DAY},    {DAY, 2 * DAY, DAY / 4}, {DAY, HOUR, 900},
		{60, HOUR, 60},          {DAY, 0, DAY},           {DAY, -5, DAY},
		{6000, 16 * HOUR, 6000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(attempt_delay_before(cases[i].delay, cases[i].left),
				 cases[i].want);
}

static void test_leeway(void **state)
{
	static const struct {
		int64_t lifetime, renewal, want;
	} cases[] = {
		{90 * DAY, 60 * DAY, 27 * DAY},
		{90 * DAY, 12 * DAY, 3 * DAY}, /* not within the first tenth */
		{90 * DAY, 5 * DAY, 0},
		{HOUR, 1800, 0},
		{-DAY, -DAY, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(
			renewal_leeway(NOW, NOW + cases[i].lifetime, NOW + cases[i].renewal),
			cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_within), cmocka_unit_test(test_within_alone),
		cmocka_unit_test(test_pick),   cmocka_unit_test(test_all_hours_full),
		cmocka_unit_test(test_begin),  cmocka_unit_test(test_begin_many),
		cmocka_unit_test(test_leeway), cmocka_unit_test(test_delay_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
