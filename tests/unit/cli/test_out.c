/* tests/unit/cli/test_out.c - cli/out.c, cli/columns.c */
#include "cli/out.h"

#include "base/own.h"
#include "cli/columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_escape(void **state)
{
	static const struct {
		const char *name;
		struct str_view text;
		enum escape how;
		const char *want;
	} cases[] = {
		{"plain text", SV_INIT("a b-c/d"), ESCAPE_ALL, "a b-c/d"},
		{"umlauts and others stay", SV_INIT("gr\xc3\xbc\xc3\x9f \xe6\x97\xa5"), ESCAPE_ALL,
		 "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5"},
		{"escape sequences are shown", SV_INIT("\033[31mred"), ESCAPE_LINES,
		 "\\x1b[31mred"},
		{"a bell, a backspace, DEL", SV_INIT("\a\b\x7f"), ESCAPE_LINES, "\\x07\\x08\\x7f"},
		{"a carriage return", SV_INIT("a\rb"), ESCAPE_LINES, "a\\x0db"},
		{"NUL", SV_INIT("a\0b"), ESCAPE_LINES, "a\\x00b"},
		{"lines stay", SV_INIT("a\n\tb"), ESCAPE_LINES, "a\n\tb"},
		{"lines go", SV_INIT("a\n\tb"), ESCAPE_ALL, "a\\x0a\\x09b"},
		{"C1 controls",
		 SV_INIT("\xc2\x9b"
			 "31m"),
		 ESCAPE_ALL, "\\u009b31m"},
		{"right to left",
		 SV_INIT("a\xe2\x80\xae"
			 "b"),
		 ESCAPE_ALL, "a\\u202eb"},
		{"no width",
		 SV_INIT("a\xe2\x80\x8b"
			 "b"),
		 ESCAPE_ALL, "a\\u200bb"},
		{"a stray byte",
		 SV_INIT("a\x9b"
			 "b"),
		 ESCAPE_ALL, "a\\x9bb"},
		{"overlong", SV_INIT("\xc0\x9b"), ESCAPE_ALL, "\\xc0\\x9b"},
		{"overlong, three bytes", SV_INIT("\xe0\x82\x9b"), ESCAPE_ALL, "\\xe0\\x82\\x9b"},
		{"a surrogate", SV_INIT("\xed\xa0\x80"), ESCAPE_ALL, "\\xed\\xa0\\x80"},
		{"cut off", SV_INIT("a\xe6\x97"), ESCAPE_ALL, "a\\xe6\\x97"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;

		buf_init(&out, 1024);
		text_escape(&out, cases[i].text, cases[i].how);
		if (strcmp(buf_cstr(&out), cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].name, buf_cstr(&out));
		buf_deinit(&out);
	}
}

static void test_width(void **state)
{
	(void)state;
	assert_int_equal(text_width(SV("")), 0);
	assert_int_equal(text_width(SV("abc")), 3);
	assert_int_equal(text_width(SV("gr\xc3\xbc\xc3\x9f")), 4);
	assert_int_equal(text_head(SV("gr\xc3\xbc\xc3\x9f"), 3).len, 4);
	assert_int_equal(text_head(SV("ab"), 3).len, 2);
}

/* What is no terminal gets the bytes as they are; a terminal none that it would obey. */
static void test_terminal(void **state)
{
	struct str_view text = SV("a\033[2Jb\n");
	char got[64] = {0};
	struct out out;
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	out_init(&out, file);
	assert_false(out.terminal);
	assert_false(out.colour);
	assert_int_equal(out.width, 80);
	out_text(&out, text);
	out.terminal = true;
	out_fmt(&out, "%.*s", SV_ARG(text));
	out_styled(&out, STYLE_BAD, SV("c"));
	out_clear_line(&out);
	out.colour = true;
	out_styled(&out, STYLE_BAD, SV("d\033"));
	rewind(file);
	assert_true(fread(got, 1, sizeof(got) - 1, file) > 0);
	assert_string_equal(got, "a\033[2Jb\na\\x1b[2Jb\nc\033[31md\\x1b\033[0m");
	fclose(file);
}

static void add_line(struct columns *columns, const char *const *cells)
{
	for (; *cells != NULL; cells++)
		columns_add(columns, sv_from(*cells));
	columns_end(columns);
}

static void check_text(const struct columns *columns, size_t indent, const char *want)
{
	struct buf out;

	buf_init(&out, 4096);
	columns_text(columns, indent, &out);
	if (strcmp(buf_cstr(&out), want) != 0)
		fail_msg("got:\n%s", buf_cstr(&out));
	buf_deinit(&out);
}

static void test_columns(void **state)
{
	struct columns columns;

	(void)state;
	columns_init(&columns);
	add_line(&columns, (const char *[]){"NAME", "A", "AGE", NULL});
	add_line(&columns, (const char *[]){"web", "", "5s", NULL});
	add_line(&columns, (const char *[]){"gr\xc3\xbc\xc3\x9f"
					    "e",
					    "\033[1m", "two\nlines", NULL});
	check_text(&columns, 0,
		   "NAME    A         AGE\n"
		   "web               5s\n"
		   "gr\xc3\xbc\xc3\x9f"
		   "e   \\x1b[1m   two...\n");
	columns_restart(&columns);
	add_line(&columns, (const char *[]){"x", "y", "z", NULL});
	check_text(&columns, 2, "  x       y         z\n");
	columns_deinit(&columns);
}

static void test_columns_fit(void **state)
{
	struct columns columns;

	(void)state;
	columns_init(&columns);
	columns.gap = 2;
	add_line(&columns, (const char *[]){"short", "a-very-long-cell-that-goes-on", "end", NULL});
	columns_fit(&columns, 2, 26);
	check_text(&columns, 2, "  short  a-very-lo...  end\n");
	columns_deinit(&columns);
	columns_init(&columns);
	add_line(&columns, (const char *[]){"", NULL});
	columns_fit(&columns, 0, 0);
	check_text(&columns, 0, "\n");
	columns_deinit(&columns);
}

static void test_many_columns(void **state)
{
	struct columns columns;

	(void)state;
	columns_init(&columns);
	for (size_t i = 0; i < COLUMNS_MAX + 5; i++)
		columns_add(&columns, SV("x"));
	columns_end(&columns);
	assert_int_equal(columns.count, COLUMNS_MAX);
	columns_deinit(&columns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),      cmocka_unit_test(test_width),
		cmocka_unit_test(test_terminal),    cmocka_unit_test(test_columns),
		cmocka_unit_test(test_columns_fit), cmocka_unit_test(test_many_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
