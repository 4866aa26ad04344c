/* tests/unit/store/test_index.c - store/index.c */
#include "store/index.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct object *make(const char *key)
{
	return object_new(sv_from(key), 1, json_object());
}

static void put(struct index *index, const char *key)
{
	object_unref(index_put(index, make(key)));
}

static void test_prefixes(void **state)
{
	static const char *const keys[] = {"b/x/1", "a/z/1", "b/x/2", "b/xy/1",
					   "c",     "b/w/9", "b/x/10"};
	static const struct {
		const char *prefix;
		size_t count;
		const char *first;
	} cases[] = {
		{"", 7, "a/z/1"},   {"b/x/", 3, "b/x/1"}, {"b/x", 4, "b/x/1"},
		{"b/", 5, "b/w/9"}, {"c", 1, "c"},        {"ca", 0, NULL},
		{"b/x/3", 0, NULL}, {"z", 0, NULL},       {"0", 0, NULL},
	};
	struct index index;

	(void)state;
	index_init(&index);
	assert_int_equal(index_count(&index, SV("")), 0);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		put(&index, keys[i]);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str_view prefix = sv_from(cases[i].prefix);
		struct index_place place = index_seek(&index, prefix);
		const struct object *first = index_next(&index, &place);

		if (index_count(&index, prefix) != cases[i].count)
			fail_msg("%s: %zu", cases[i].prefix, index_count(&index, prefix));
		if (cases[i].first != NULL)
			assert_string_equal(first->key, cases[i].first);
	}
	index_deinit(&index);
}

static void test_replace_and_remove(void **state)
{
	struct index index;
	struct object *first = make("k"), *second = make("k");

	(void)state;
	index_init(&index);
	assert_null(index_remove(&index, SV("k")));
	assert_null(index_put(&index, first));
	assert_ptr_equal(index_put(&index, second), first);
	assert_ptr_equal(index_get(&index, SV("k")), second);
	assert_ptr_equal(index_remove(&index, SV("k")), second);
	assert_null(index_get(&index, SV("k")));
	assert_int_equal(index_count(&index, SV("")), 0);
	object_unref(first);
	object_unref(second);
	index_deinit(&index);
}

static void check_order(const struct index *index, size_t count)
{
	struct index_place place = index_seek(index, SV(""));
	const struct object *object, *before = NULL;
	size_t seen = 0;

	while ((object = index_next(index, &place)) != NULL) {
		if (before != NULL)
			assert_true(strcmp(before->key, object->key) < 0);
		before = object;
		seen++;
	}
	assert_int_equal(seen, count);
	assert_int_equal(index_count(index, SV("")), count);
}

/* Orders of arrival: up, down, scattered (a step that is coprime to the count). */
static void test_many(void **state)
{
	static const size_t steps[] = {1, 19999, 7919};
	const size_t count = 20000;

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
		struct index index;
		char key[32];

		index_init(&index);
		for (size_t i = 0; i < count; i++) {
			snprintf(key, sizeof(key), "g/p/ns/%06zu", i * steps[s] % count);
			put(&index, key);
		}
		check_order(&index, count);
		assert_int_equal(index_count(&index, SV("g/p/ns/0123")), 100);
		for (size_t i = 0; i < count; i += 2) {
			snprintf(key, sizeof(key), "g/p/ns/%06zu", i * steps[s] % count);
			object_unref(index_remove(&index, sv_from(key)));
		}
		check_order(&index, count / 2);
		index_deinit(&index);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_replace_and_remove),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
