/* tests/unit/base/test_arena.c - memory for one exchange */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_alloc(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 1 << 20);
	for (size_t size = 1; size < 9000; size += 97) {
		char *one =
			arena_dup(&arena, SV("x")).data == NULL ? NULL : arena_alloc(&arena, size);

		assert_non_null(one);
		assert_int_equal((uintptr_t)one % _Alignof(max_align_t), 0);
		memset(one, 0xAA, size);
	}
	assert_false(arena.spent);
	arena_deinit(&arena);
}

static void test_ceiling(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 100);
	assert_non_null(arena_alloc(&arena, 60));
	assert_null(arena_alloc(&arena, 41));
	assert_true(arena.spent);
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_printf(&arena, "%0100d", 1).data);
	arena_reset(&arena);
	assert_false(arena.spent);
	assert_non_null(arena_alloc(&arena, 100));
	assert_null(arena_dup(&arena, SV("y")).data);
	assert_true(arena.spent);
	arena_deinit(&arena);
}

static void test_text(void **state)
{
	struct arena arena;
	struct str_view text, copy, empty;

	(void)state;
	arena_init(&arena, 1000);
	text = arena_printf(&arena, "%s:%d", "shop", 80);
	copy = arena_dup(&arena, sv_head(text, 4));
	empty = arena_dup(&arena, SV(""));
	assert_string_equal(text.data, "shop:80");
	assert_true(sv_eq(copy, SV("shop")) && copy.data != text.data);
	assert_true(empty.data != NULL && empty.len == 0);
	arena_deinit(&arena);
}

static void test_zeroed_and_reused(void **state)
{
	static const char zeros[3000];
	struct arena arena;
	char *first;

	(void)state;
	arena_init(&arena, 1 << 20);
	first = arena_alloc(&arena, 3000);
	memset(first, 0xAA, 3000);
	for (int i = 0; i < 100; i++)
		assert_non_null(arena_alloc(&arena, 3000));
	arena_reset(&arena);
	assert_int_equal(arena.used, 0);
	assert_ptr_equal(arena_zalloc(&arena, 3000), first); /* one chunk was kept */
	assert_memory_equal(first, zeros, sizeof(zeros));
	arena_deinit(&arena);
	arena_init(&arena, 1 << 20);
	assert_non_null(arena_alloc(&arena, 100000));
	arena_reset(&arena); /* so large a chunk is not */
	assert_null(arena.chunks);
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_zeroed_and_reused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
