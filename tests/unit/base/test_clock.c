/* tests/unit/base/test_clock.c - dates, ages, durations */
#include "base/clock.h"

#include "base/own.h"

#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_rfc3339(void **state)
{
	static const struct {
		struct str_view text;
		bool good;
		int64_t wall;
	} cases[] = {
		{SV_INIT("1970-01-01T00:00:00Z"), true, 0},
		{SV_INIT("2026-01-02T03:04:05Z"), true, 1767323045},
		{SV_INIT("2000-02-29T23:59:59Z"), true, 951868799},
		{SV_INIT("2026-01-02t03:04:05.999999z"), true, 1767323045},
		{SV_INIT("2026-01-02T04:04:05+01:00"), true, 1767323045},
		{SV_INIT("2026-01-01T21:34:05-05:30"), true, 1767323045},
		{SV_INIT("2016-12-31T23:59:60Z"), true, 1483228800},
		{SV_INIT("1969-12-31T23:59:59Z"), true, -1},
		{SV_INIT("9999-12-31T23:59:59Z"), true, 253402300799},
		{SV_INIT("2100-02-29T00:00:00Z"), false, 0},
		{SV_INIT("2026-13-01T00:00:00Z"), false, 0},
		{SV_INIT("2026-00-01T00:00:00Z"), false, 0},
		{SV_INIT("2026-01-00T00:00:00Z"), false, 0},
		{SV_INIT("2026-04-31T00:00:00Z"), false, 0},
		{SV_INIT("2026-01-01T24:00:00Z"), false, 0},
		{SV_INIT("2026-01-01T00:60:00Z"), false, 0},
		{SV_INIT("2026-01-01T00:00:61Z"), false, 0},
		{SV_INIT("2026-01-01T00:00:00"), false, 0},
		{SV_INIT("2026-01-01T00:00:00.Z"), false, 0},
		{SV_INIT("2026-01-01T00:00:00+1:00"), false, 0},
		{SV_INIT("2026-01-01T00:00:00+24:00"), false, 0},
		{SV_INIT("2026-01-01 00:00:00Z"), false, 0},
		{SV_INIT("2026-01-01T00:00:00Z "), false, 0},
		{SV_INIT("0000-01-01T00:00:00Z"), false, 0},
		{SV_INIT("2026-1-1T00:00:00Z"), false, 0},
		{SV_INIT("2026-01-01T00:00"), false, 0},
		{SV_INIT(""), false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t wall = 0;

		if (clock_parse_rfc3339(cases[i].text, &wall) != cases[i].good ||
		    wall != cases[i].wall)
			fail_msg("%.*s: %lld", SV_ARG(cases[i].text), (long long)wall);
	}
}

/* Our calendar against the C library's, over all the years we print. */
static void test_against_libc(void **state)
{
	(void)state;
	for (int64_t wall = 0; wall <= 253402300799; wall += 12345678) {
		char ours[CLOCK_TEXT_SIZE], theirs[CLOCK_TEXT_SIZE], http[CLOCK_TEXT_SIZE];
		time_t seconds = (time_t)wall;
		int64_t back = -1;
		struct tm tm;

		gmtime_r(&seconds, &tm);
		strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &tm);
		clock_rfc3339(wall, ours);
		assert_string_equal(ours, theirs);
		assert_true(clock_parse_rfc3339(sv_from(ours), &back));
		assert_int_equal(back, wall);
		strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		clock_http_date(wall, http);
		assert_string_equal(http, theirs);
		assert_true(clock_parse_http_date(sv_from(http), &back));
		assert_int_equal(back, wall);
	}
}

static void test_out_of_range(void **state)
{
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	clock_rfc3339(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	clock_rfc3339(INT64_MIN, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
}

static void test_http_date(void **state)
{
	static const struct {
		struct str_view text;
		bool good;
	} cases[] = {
		{SV_INIT("Sun, 06 Nov 1994 08:49:37 GMT"), true},
		{SV_INIT("Sunday, 06-Nov-94 08:49:37 GMT"), true},
		{SV_INIT("Sun Nov  6 08:49:37 1994"), true},
		{SV_INIT("Sun Nov 06 08:49:37 1994"), true},
		{SV_INIT("Sun, 06 Nov 1994 08:49:37 UTC"), false},
		{SV_INIT("Sun, 06 Nov 1994 08:49:37"), false},
		{SV_INIT("Sun, 6 Nov 1994 08:49:37 GMT"), false},
		{SV_INIT("sun, 06 Nov 1994 08:49:37 GMT"), false},
		{SV_INIT("Sun, 06 nov 1994 08:49:37 GMT"), false},
		{SV_INIT("Sun, 31 Feb 1994 08:49:37 GMT"), false},
		{SV_INIT("Sun, 06 Nov 1994 08:49:37 GMT "), false},
		{SV_INIT("Sun Nov  6 08:49:37 94"), false},
		{SV_INIT("Sunday"), false},
		{SV_INIT("784111777"), false},
		{SV_INIT(""), false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t wall = 784111777;

		if (clock_parse_http_date(cases[i].text, &wall) != cases[i].good ||
		    wall != 784111777)
			fail_msg("%.*s: %lld", SV_ARG(cases[i].text), (long long)wall);
	}
}

static void test_age(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{-5, "0s"},           {0, "0s"},           {119, "119s"},
		{120, "2m"},          {200, "3m20s"},      {599, "9m59s"},
		{600, "10m"},         {10799, "179m"},     {10800, "3h"},
		{11100, "3h5m"},      {28799, "7h59m"},    {28800, "8h"},
		{172799, "47h"},      {172800, "2d"},      {183600, "2d3h"},
		{691199, "7d23h"},    {691200, "8d"},      {7776000, "90d"},
		{63072000, "2y"},     {65664000, "2y30d"}, {252288000, "8y"},
		{INT64_MAX, "8035y"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[CLOCK_TEXT_SIZE];

		clock_age(cases[i].seconds, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_duration(void **state)
{
	static const struct {
		struct str_view text;
		bool good, gep2257;
		int64_t ms;
	} cases[] = {
		{SV_INIT("1h30m"), true, true, 5400000},
		{SV_INIT("500ms"), true, true, 500},
		{SV_INIT("10s"), true, true, 10000},
		{SV_INIT("1h2m3s4ms"), true, true, 3723004},
		{SV_INIT("99999h"), true, true, 359996400000},
		{SV_INIT("0s"), true, true, 0},
		{SV_INIT("1h1h1h1h1h"), true, false, 18000000},
		{SV_INIT("100000s"), true, false, 100000000},
		{SV_INIT("2160h0m0s"), true, true, 7776000000},
		{SV_INIT("1.5h"), true, false, 5400000},
		{SV_INIT(".5s"), true, false, 500},
		{SV_INIT("1.s"), true, false, 1000},
		{SV_INIT("0.0001s"), true, false, 0},
		{SV_INIT("0.1234567890123456789s"), true, false, 123},
		{SV_INIT("1500us"), true, false, 1},
		{SV_INIT("1500\xc2\xb5s"), true, false, 1},
		{SV_INIT("999999ns"), true, false, 0},
		{SV_INIT("0"), true, false, 0},
		{SV_INIT("2562047h"), true, false, 9223369200000},
		{SV_INIT("2562048h"), false, false, 0},
		{SV_INIT("9999999999999999999999h"), false, false, 0},
		{SV_INIT(""), false, false, 0},
		{SV_INIT("1"), false, false, 0},
		{SV_INIT("s"), false, false, 0},
		{SV_INIT(".s"), false, false, 0},
		{SV_INIT("-1s"), false, false, 0},
		{SV_INIT("1d"), false, false, 0},
		{SV_INIT("1s "), false, false, 0},
		{SV_INIT("1 s"), false, false, 0},
		{SV_INIT("1S"), false, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ms = 0;

		if (clock_parse_duration(cases[i].text, &ms) != cases[i].good ||
		    ms != cases[i].ms ||
		    clock_duration_is_gep2257(cases[i].text) != cases[i].gep2257)
			fail_msg("%.*s: %lld", SV_ARG(cases[i].text), (long long)ms);
	}
}

static void test_now(void **state)
{
	int64_t before = clock_mono_ms(), second = clock_wall(), fraction = clock_wall_us();

	(void)state;
	assert_true(second > 1700000000);
	assert_in_range(fraction / 1000000, second, clock_wall());
	assert_true(clock_mono_ms() >= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3339),      cmocka_unit_test(test_against_libc),
		cmocka_unit_test(test_out_of_range), cmocka_unit_test(test_http_date),
		cmocka_unit_test(test_age),          cmocka_unit_test(test_duration),
		cmocka_unit_test(test_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
