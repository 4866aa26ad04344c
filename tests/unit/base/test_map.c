/* tests/unit/base/test_map.c - text to pointers */
#include "base/map.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_put_get_remove(void **state)
{
	static char one[] = "1", two[] = "2";
	struct map map = {0}; /* as good as map_init */

	(void)state;
	assert_null(map_get(&map, SV("a")));
	assert_null(map_remove(&map, SV("a")));
	assert_null(map_put(&map, SV("a"), one));
	assert_null(map_put(&map, SV(""), two));
	assert_null(map_put(&map, SV("a\0b"), two));
	assert_ptr_equal(map_get(&map, SV("a")), one);
	assert_ptr_equal(map_get(&map, SV("")), two);
	assert_ptr_equal(map_put(&map, SV("a"), two), one);
	assert_int_equal(map.count, 3);
	assert_ptr_equal(map_remove(&map, SV("a")), two);
	assert_null(map_remove(&map, SV("a")));
	assert_int_equal(map.count, 2);
	map_deinit(&map, NULL);
	assert_int_equal(map.count, 0);
}

static struct str_view key_of(char text[16], unsigned number)
{
	return sv_new(text, (size_t)snprintf(text, 16, "key%u", number));
}

/* Against an array that knows what must be there; a few thousand keys come and go. */
static void test_many(void **state)
{
	static void *model[2000];
	struct map map;
	char text[16];
	unsigned random = 1;
	size_t count = 0;

	(void)state;
	map_init(&map);
	for (int step = 0; step < 20000; step++) {
		unsigned n;
		void *before;

		random = random * 1103515245u + 12345u;
		n = (random >> 8) % 2000;
		before = random >> 28 < 7 ? map_remove(&map, key_of(text, n))
					  : map_put(&map, key_of(text, n), &model[(step % 1999)]);
		assert_ptr_equal(before, model[n]);
		count -= before != NULL;
		model[n] = random >> 28 < 7 ? NULL : &model[(step % 1999)];
		count += model[n] != NULL;
		assert_int_equal(map.count, count);
	}
	for (unsigned n = 0; n < 2000; n++)
		assert_ptr_equal(map_get(&map, key_of(text, n)), model[n]);
	assert_true(map.size <= 8192);
	map_deinit(&map, NULL);
}

static void test_one_key_forever(void **state)
{
	struct map map;

	(void)state;
	map_init(&map);
	for (unsigned i = 0; i < 10000; i++) { /* tombs must not fill the table */
		char text[16];

		map_put(&map, key_of(text, i), &map);
		assert_ptr_equal(map_remove(&map, key_of(text, i)), &map);
	}
	assert_int_equal(map.size, 16);
	map_deinit(&map, NULL);
}

static void test_iterate_and_remove(void **state)
{
	unsigned seen[100] = {0};
	struct str_view key;
	struct map map;
	void *value;

	(void)state;
	map_init(&map);
	for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
		char text[16];

		map_put(&map, key_of(text, i), &seen[i]);
	}
	for (size_t it = 0; map_next(&map, &it, &key, &value);) {
		AUTO(auto_free) char *copy = sv_dup(key);

		++*(unsigned *)value;
		assert_ptr_equal(map_remove(&map, sv_from(copy)), value);
	}
	for (unsigned i = 0; i < ARRAY_LEN(seen); i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(map.count, 0);
	map_deinit(&map, NULL);
}

static void count_down(void *value)
{
	--*(int *)value;
}

static void test_deinit_frees_values(void **state)
{
	struct map map;
	int left = 3;

	(void)state;
	map_init(&map);
	map_put(&map, SV("a"), &left);
	map_put(&map, SV("b"), &left);
	map_put(&map, SV("c"), &left);
	map_deinit(&map, count_down);
	assert_int_equal(left, 0);
	map_deinit(&map, count_down);
	assert_int_equal(left, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_get_remove),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_one_key_forever),
		cmocka_unit_test(test_iterate_and_remove),
		cmocka_unit_test(test_deinit_frees_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
