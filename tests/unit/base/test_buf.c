/* tests/unit/base/test_buf.c - growing bytes with a ceiling */
#include "base/buf.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_append(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100);
	assert_string_equal(buf_cstr(&buf), "");
	assert_true(buf_add(&buf, SV("ab")));
	assert_true(buf_add(&buf, SV_NONE));
	assert_true(buf_addc(&buf, '-'));
	assert_true(buf_addf(&buf, "%d/%s", 7, "x"));
	assert_string_equal(buf_cstr(&buf), "ab-7/x");
	buf_take(&buf, 3);
	assert_string_equal(buf_cstr(&buf), "7/x");
	assert_true(sv_eq(buf_view(&buf), SV("7/x")));
	buf_reset(&buf);
	assert_int_equal(buf_len(&buf), 0);
	assert_non_null(buf.data);
	buf_release(&buf);
	assert_null(buf.data);
	assert_true(buf_addc(&buf, 'z'));
	buf_deinit(&buf);
}

static void test_ceiling_sticks(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 4);
	assert_true(buf_add(&buf, SV("abc")));
	assert_false(buf_add(&buf, SV("de")));
	assert_true(buf.spent);
	assert_false(buf_addc(&buf, 'd')); /* it would fit, but not behind a gap */
	assert_false(buf_addf(&buf, "%s", ""));
	assert_string_equal(buf_cstr(&buf), "abc");
	buf_reset(&buf);
	assert_true(buf_addf(&buf, "%s", "wxyz"));
	assert_false(buf_addf(&buf, "%d", 1));
	assert_string_equal(buf_cstr(&buf), "wxyz");
	buf_deinit(&buf);
	buf_init(&buf, 0);
	assert_true(buf_add(&buf, SV_NONE));
	assert_false(buf_addc(&buf, 'a'));
	buf_deinit(&buf);
}

static void test_room(void **state)
{
	struct buf buf;
	char *room;

	(void)state;
	buf_init(&buf, 10);
	assert_null(buf_room(&buf, 11));
	assert_null(buf_room(&buf, SIZE_MAX));
	assert_false(buf.spent); /* asking is free */
	room = buf_room(&buf, 10);
	assert_non_null(room);
	memcpy(room, "0123456789", 10);
	buf_wrote(&buf, 10);
	assert_null(buf_room(&buf, 1));
	buf_take(&buf, 1);
	room = buf_room(&buf, 1); /* the free byte is in front: the rest moves */
	assert_non_null(room);
	*room = 'x';
	buf_wrote(&buf, 1);
	assert_string_equal(buf_cstr(&buf), "123456789x");
	buf_deinit(&buf);
}

/* A stream through a small buffer in steps of every size comes out as it went in. */
static void test_stream(void **state)
{
	struct buf buf;

	(void)state;
	for (size_t max = 1; max < 700; max += 23) {
		unsigned char in = 0, out = 0;

		buf_init(&buf, max);
		for (size_t step = 0; step < 300; step++) {
			size_t count = step * 7 % (max + 1), taken;
			char *room = buf_room(&buf, count);

			if (room != NULL) {
				for (size_t i = 0; i < count; i++)
					room[i] = (char)in++;
				buf_wrote(&buf, count);
			}
			taken = buf_len(&buf) * (step % 5) / 4;
			for (size_t i = 0; i < taken; i++)
				assert_int_equal((unsigned char)buf_view(&buf).data[i], out++);
			buf_take(&buf, taken);
			assert_true(buf.size <= max + 1);
		}
		buf_deinit(&buf);
	}
}

static void test_detach(void **state)
{
	AUTO(auto_free) char *text = NULL;
	AUTO(auto_free) char *empty = NULL;
	struct buf buf;

	(void)state;
	buf_init(&buf, SIZE_MAX);
	buf_add(&buf, SV("abcdef"));
	buf_take(&buf, 2);
	text = buf_detach(&buf);
	assert_string_equal(text, "cdef");
	assert_int_equal(buf_len(&buf), 0);
	empty = buf_detach(&buf);
	assert_string_equal(empty, "");
	buf_deinit(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append), cmocka_unit_test(test_ceiling_sticks),
		cmocka_unit_test(test_room),   cmocka_unit_test(test_stream),
		cmocka_unit_test(test_detach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
