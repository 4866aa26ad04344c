/* tests/unit/base/test_err.c - codes and sentences */
#include "base/err.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_set(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_set(&err, ERR_INVALID, "port: %d is too large", 70000), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_string_equal(err.msg, "port: 70000 is too large");
	assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), -1);
}

static void test_prefix(void **state)
{
	struct err err = {0};

	(void)state;
	err_set(&err, ERR_IO, "no space left");
	assert_int_equal(err_prefix(&err, "file %s: ", "a.yaml"), -1);
	assert_string_equal(err.msg, "file a.yaml: no space left");
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(err_prefix(NULL, "x"), -1);
}

static void test_old_sentence_may_be_an_argument(void **state)
{
	struct err err = {0};

	(void)state;
	err_set(&err, ERR_IO, "inner");
	err_set(&err, ERR_INVALID, "outer: %s", err.msg);
	assert_string_equal(err.msg, "outer: inner");
	err_prefix(&err, "(%s) ", err.msg);
	assert_string_equal(err.msg, "(outer: inner) outer: inner");
}

/* However long the ASCII before it, a cut never leaves half a character. */
static void test_long_sentences_are_cut(void **state)
{
	static const char *const characters[] = {"x", "\xc3\xa4", "\xe2\x82\xac",
						 "\xf0\x9f\x98\x80"};
	char text[2 * ERR_MSG_MAX];

	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(characters); c++) {
		size_t size = strlen(characters[c]);

		for (size_t before = 0; before < 8; before++) {
			struct err err = {0};
			size_t len = before;

			memset(text, 'a', before);
			for (; len + size < sizeof(text); len += size)
				memcpy(text + len, characters[c], size);
			text[len] = '\0';
			err_set(&err, ERR_IO, "%s", text);
			len = strlen(err.msg);
			if (len > ERR_MSG_MAX - 1 || len + size < ERR_MSG_MAX ||
			    (len - before) % size != 0)
				fail_msg("%zu bytes before %s: %zu", before, characters[c], len);
			err_prefix(&err, "%s", text);
			if (strlen(err.msg) > ERR_MSG_MAX - 1)
				fail_msg("prefix: %zu", strlen(err.msg));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_old_sentence_may_be_an_argument),
		cmocka_unit_test(test_long_sentences_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
