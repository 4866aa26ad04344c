/* tests/unit/base/test_metric.c - the Prometheus text form */
#include "base/metric.h"

#include "base/own.h"

#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_samples(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{0, "x 0\n"},
		{42, "x 42\n"},
		{0.1, "x 0.1\n"},
		{-1.5, "x -1.5\n"},
		{1e15, "x 1000000000000000\n"},
		{NAN, "x NaN\n"},
		{INFINITY, "x +Inf\n"},
		{-INFINITY, "x -Inf\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;

		buf_init(&out, 100);
		metric_sample(&out, "x", "", cases[i].value);
		assert_string_equal(buf_cstr(&out), cases[i].text);
		buf_deinit(&out);
	}
}

static void test_labels(void **state)
{
	struct buf labels, out;

	(void)state;
	buf_init(&labels, 100);
	buf_init(&out, 200);
	metric_label(&labels, "host", SV("a\"b\\c\nd"));
	metric_label(&labels, "code", SV("200"));
	metric_head(&out, "requests_total", "counter", "Requests.");
	metric_sample(&out, "requests_total", buf_cstr(&labels), 3);
	assert_string_equal(buf_cstr(&out),
			    "# HELP requests_total Requests.\n# TYPE requests_total counter\n"
			    "requests_total{host=\"a\\\"b\\\\c\\nd\",code=\"200\"} 3\n");
	buf_deinit(&labels);
	buf_deinit(&out);
}

static void test_counter(void **state)
{
	metric_counter counter = 0;

	(void)state;
	metric_add(&counter, 2);
	metric_add(&counter, 3);
	assert_int_equal(metric_get(&counter), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
