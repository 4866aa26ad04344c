/* When to try again: back-off with jitter and an end, and the server's Retry-After. */
#include "acme/retry.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void test_backoff_doubles(void **state)
{
	static const int64_t base[] = {500, 1000, 2000, 4000};

	(void)state;
	for (uint32_t random = 0; random < 5000; random += 7) {
		struct retry retry = {0};
		int64_t now = 1000;

		for (size_t i = 0; i < ARRAY_LEN(base); i++) {
			int64_t delay = retry_next(&retry, now, -1, random);

			assert_in_range(delay, base[i] / 2, base[i] + base[i] / 2);
			now += delay;
		}
		assert_int_equal(retry_next(&retry, now, -1, random), -1);
	}
}

static void test_jitter_spreads(void **state)
{
	int64_t least = INT64_MAX, most = 0;

	(void)state;
	for (uint32_t random = 0; random < 100000; random += 13) {
		struct retry retry = {0};
		int64_t delay = retry_next(&retry, 0, -1, random);

		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
	}
	assert_int_equal(least, 250);
	assert_int_equal(most, 750);
}

static void test_server_is_obeyed(void **state)
{
	(void)state;
	for (uint32_t random = 0; random < 100000; random += 13) {
		struct retry retry = {0};
		int64_t delay = retry_next(&retry, 50, 3000, random);

		assert_in_range(delay, 3001, 3600);
	}
}

static void test_long_waits_are_not_ours(void **state)
{
	struct retry retry = {0};

	(void)state;
	assert_int_equal(retry_next(&retry, 0, RETRY_DELAY_MAX_MS + 1, 0), -1);
	retry = (struct retry){0};
	assert_true(retry_next(&retry, 0, -1, 1) > 0);
	assert_int_equal(retry_next(&retry, RETRY_TOTAL_MS, -1, 1), -1);
}

static void test_retry_after(void **state)
{
	static const struct {
		const char *value, *date;
		int64_t ms;
	} cases[] = {
		{"0", "", 0},
		{"3", "", 3000},
		{" 120 ", "", 120000},
		{"315360000", "", RETRY_AFTER_MAX_MS},
		{"99999999999999999999999", "", RETRY_AFTER_MAX_MS},
		{"-1", "", -1},
		{"+1", "", -1},
		{"1.5", "", -1},
		{"soon", "", -1},
		{"", "", -1},
		{"Sun, 06 Nov 1994 08:49:40 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 3000},
		{"Sun, 06 Nov 1994 08:49:40 GMT", "", 40000}, /* from our clock */
		{"Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:40 GMT", -1},
		{"Sun, 06 Nov 2044 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:40 GMT",
		 RETRY_AFTER_MAX_MS},
		{"Sun, 06 Nov 1994 08:49:40 GMT", "yesterday", 40000},
	};
	const int64_t wall = 784111740; /* Sun, 06 Nov 1994 08:49:00 GMT */

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ms = retry_after_ms(sv_from(cases[i].value), sv_from(cases[i].date), wall);

		if (ms != cases[i].ms)
			fail_msg("%s / %s: %lld", cases[i].value, cases[i].date, (long long)ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backoff_doubles),
		cmocka_unit_test(test_jitter_spreads),
		cmocka_unit_test(test_server_is_obeyed),
		cmocka_unit_test(test_long_waits_are_not_ours),
		cmocka_unit_test(test_retry_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
