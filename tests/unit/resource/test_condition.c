/* tests/unit/resource/test_condition.c - resource/condition.c */
#include "base/own.h"
#include "resource/condition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct condition ready = {
	.type = "Ready",
	.status = COND_TRUE,
	.reason = "Issued",
	.message = "the certificate is there",
	.observed_generation = 2,
};

static void test_set_appends(void **state)
{
	AUTO(auto_json) json_t *list = json_array();
	const json_t *entry;

	(void)state;
	assert_true(condition_set(list, &ready, 0));
	entry = condition_find(list, "Ready");
	assert_non_null(entry);
	assert_string_equal(json_str_at(entry, "status"), "True");
	assert_string_equal(json_str_at(entry, "reason"), "Issued");
	assert_string_equal(json_str_at(entry, "lastTransitionTime"), "1970-01-01T00:00:00Z");
	assert_int_equal(json_int_at(entry, "observedGeneration", 0), 2);
	assert_null(condition_find(list, "ready"));
}

static void test_same_is_no_change(void **state)
{
	AUTO(auto_json) json_t *list = json_array();

	(void)state;
	condition_set(list, &ready, 0);
	assert_false(condition_set(list, &ready, 1000));
	assert_int_equal(json_array_size(list), 1);
}

static void test_time_moves_with_status_only(void **state)
{
	AUTO(auto_json) json_t *list = json_array();
	struct condition other = ready;

	(void)state;
	condition_set(list, &ready, 0);
	other.message = "other words";
	other.observed_generation = 3;
	assert_true(condition_set(list, &other, 60));
	assert_string_equal(json_str_at(list, "0.lastTransitionTime"), "1970-01-01T00:00:00Z");
	assert_string_equal(json_str_at(list, "0.message"), "other words");
	assert_int_equal(json_int_at(list, "0.observedGeneration", 0), 3);
	other.status = COND_UNKNOWN;
	assert_true(condition_set(list, &other, 60));
	assert_string_equal(json_str_at(list, "0.lastTransitionTime"), "1970-01-01T00:01:00Z");
	assert_string_equal(json_str_at(list, "0.status"), "Unknown");
	assert_int_equal(json_array_size(list), 1);
}

static void test_remove(void **state)
{
	AUTO(auto_json) json_t *list = json_array();
	struct condition second = ready;

	(void)state;
	second.type = "Issuing";
	condition_set(list, &ready, 0);
	condition_set(list, &second, 0);
	assert_true(condition_remove(list, "Ready"));
	assert_false(condition_remove(list, "Ready"));
	assert_null(condition_find(list, "Ready"));
	assert_non_null(condition_find(list, "Issuing"));
}

static void test_is_true(void **state)
{
	static const struct {
		const char *object;
		bool want;
	} cases[] = {
		{"{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}", true},
		{"{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]}}",
		 false},
		{"{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":true}]}}", false},
		{"{\"status\":{\"conditions\":[1,null,{\"type\":7}]}}", false},
		{"{\"status\":{\"conditions\":{}}}", false},
		{"{}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *object = json_parse(sv_from(cases[i].object), NULL);

		if (condition_is_true(object, "Ready") != cases[i].want)
			fail_msg("%s", cases[i].object);
	}
	assert_false(condition_is_true(NULL, "Ready"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_appends),
		cmocka_unit_test(test_same_is_no_change),
		cmocka_unit_test(test_time_moves_with_status_only),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_is_true),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
