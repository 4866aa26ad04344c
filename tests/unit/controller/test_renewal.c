#include "base/own.h"
#include "controller/renewal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HOUR INT64_C(3600)
#define DAY  (24 * HOUR)
#define BORN INT64_C(1767322800)

static void test_renewal_time(void **state)
{
	static const struct {
		const char *name;
		int64_t lifetime;
		struct renewal_wish wish;
		int64_t after; /* renewal, from the beginning */
	} cases[] = {
		{"90 days: a third left", 90 * DAY, {0}, 60 * DAY},
		{"10 days: a third left", 10 * DAY, {0}, 10 * DAY - 10 * DAY / 3},
		{"just under 10 days: half", 10 * DAY - 2, {0}, 5 * DAY - 1},
		{"a minute: half", 60, {0}, 30},
		{"renewBefore", 90 * DAY, {.before_s = 20 * DAY}, 70 * DAY},
		{"renewBefore longer than the life", 90 * DAY, {.before_s = 100 * DAY}, 60 * DAY},
		{"renewBefore that would never end", 90 * DAY, {.before_s = 89 * DAY}, 60 * DAY},
		{"percentage", 90 * DAY, {.percentage = 50}, 45 * DAY},
		{"percentage out of range", 90 * DAY, {.percentage = 100}, 60 * DAY},
		{"ends before it begins", -DAY, {0}, -DAY},
		{"year 9999", 250000000000, {0}, 250000000000 - 250000000000 / 3},
		{"year 9999, percentage", 250000000000, {.percentage = 10}, 225000000000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t when =
			renewal_time(BORN, BORN + cases[i].lifetime, cases[i].wish, 0) - BORN;

		if (when != cases[i].after)
			fail_msg("%s: %lld instead of %lld", cases[i].name, (long long)when,
				 (long long)cases[i].after);
	}
}

static void test_spread(void **state)
{
	(void)state;
	for (uint64_t random = 0; random < 100000; random += 37) {
		int64_t when =
			renewal_time(BORN, BORN + 90 * DAY, (struct renewal_wish){0}, random);

		assert_true(when <= BORN + 60 * DAY && when >= BORN + 60 * DAY - HOUR);
		when = renewal_time(BORN, BORN + 60, (struct renewal_wish){0}, random);
		assert_int_equal(when, BORN + 30);
	}
}

static void test_latest(void **state)
{
	(void)state;
	assert_int_equal(renewal_latest(BORN, BORN + 20 * DAY), BORN + 19 * DAY);
	assert_int_equal(renewal_latest(BORN, BORN), BORN);
	assert_int_equal(renewal_latest(BORN, BORN - 5), BORN - 5);
	assert_int_equal(renewal_latest(0, 250000000000), 237500000000);
}

static void test_info_wait(void **state)
{
	(void)state;
	assert_int_equal(renewal_info_wait(-1), 6 * HOUR * 1000);
	assert_int_equal(renewal_info_wait(0), 60000);
	assert_int_equal(renewal_info_wait(61000), 61000);
	assert_int_equal(renewal_info_wait(INT64_MAX), DAY * 1000);
}

static void test_attempt_delay(void **state)
{
	static const struct {
		int64_t failures, middle;
	} cases[] = {{-1, 60},  {0, 60},  {1, 60},  {2, 600},
		     {3, 6000}, {4, DAY}, {5, DAY}, {1000000, DAY}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t low = cases[i].middle * 4 / 5, high = cases[i].middle * 6 / 5;

		assert_int_equal(attempt_delay(cases[i].failures, 0), low);
		for (uint32_t random = 0; random < 1000000; random += 997) {
			int64_t delay = attempt_delay(cases[i].failures, random);

			assert_true(delay >= low && delay <= high);
		}
	}
}

static void test_attempt_waits(void **state)
{
	(void)state;
	assert_true(attempt_waits(BORN + 1, BORN));
	assert_true(attempt_waits(BORN + 30 * HOUR, BORN));
	assert_false(attempt_waits(BORN, BORN));
	assert_false(attempt_waits(BORN - DAY, BORN));
	assert_false(attempt_waits(BORN + 365 * DAY, BORN)); /* the clock was set back */
}

static void test_wall_wait(void **state)
{
	static const struct {
		int64_t due, now, wait;
	} cases[] = {
		{BORN, BORN, 1},          {BORN - 100, BORN, 1},          {BORN + 5, BORN, 5000},
		{BORN + 60, BORN, 60000}, {BORN + 90 * DAY, BORN, 60000}, {INT64_MAX, 0, 60000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(wall_wait_ms(cases[i].due, cases[i].now, 60000), cases[i].wait);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_renewal_time),  cmocka_unit_test(test_spread),
		cmocka_unit_test(test_latest),        cmocka_unit_test(test_info_wait),
		cmocka_unit_test(test_attempt_delay), cmocka_unit_test(test_attempt_waits),
		cmocka_unit_test(test_wall_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
