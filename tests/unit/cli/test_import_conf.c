/* tests/unit/cli/test_import_conf.c - cli/import_conf.c */
#include "cli/import_conf.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct conf_case {
	const char *name, *text;
	const char *want;  /* sorted JSON; NULL: refused */
	const char *words; /* of the refusal */
};

typedef json_t *parse_fn(struct str_view text, struct err *err);

static void check(const struct conf_case *one, parse_fn *parse)
{
	struct err err = {.code = ERR_NONE};
	AUTO(auto_json) json_t *conf = parse(sv_from(one->text), &err);
	AUTO(auto_free) char *text = conf == NULL ? NULL : json_text_sorted(conf);

	if (one->want == NULL && (conf != NULL || strstr(err.msg, one->words) == NULL))
		fail_msg("%s: %s %s", one->name, text == NULL ? "refused:" : text, err.msg);
	if (one->want != NULL && (text == NULL || strcmp(text, one->want) != 0))
		fail_msg("%s: %s %s", one->name, text == NULL ? "refused:" : text, err.msg);
}

static void test_ini(void **state)
{
	static const struct conf_case cases[] = {
		{"nothing", "", "{}", NULL},
		{"comments and empty lines", "# a = b\n\n  \n", "{}", NULL},
		{"values", "a = b\nc=d\n  e   =   f g  \n",
		 "{\"a\":\"b\",\"c\":\"d\",\"e\":\"f g\"}", NULL},
		{"no value", "a =\n", "{\"a\":\"\"}", NULL},
		{"an equals sign in the value", "hook = a=b\n", "{\"hook\":\"a=b\"}", NULL},
		{"quotes", "a = \"b c\"\nd = 'e'\n", "{\"a\":\"b c\",\"d\":\"e\"}", NULL},
		{"sections", "a = 1\n[s]\nb = 2\n[[t-u]]\n*.c.d = 3\n[v]\ne = 4\n",
		 "{\"a\":\"1\",\"s/b\":\"2\",\"s/t-u/*.c.d\":\"3\",\"v/e\":\"4\"}", NULL},
		{"line ends of Windows", "a = b\r\n", "{\"a\":\"b\"}", NULL},
		{"the last one counts", "a = b\na = c\n", "{\"a\":\"c\"}", NULL},
		{"no equals sign", "a = b\nhello\n", NULL, "line 2: KEY = VALUE"},
		{"no key", "= b\n", NULL, "line 1"},
		{"a key of other characters", "a b = c\n", NULL, "line 1"},
		{"quotes that do not end", "a = \"b\n", NULL, "quotes do not end"},
		{"quotes within", "a = \"b\"c\"\n", NULL, "quotes do not end"},
		{"a section that does not end", "[a\n", NULL, "a section is due"},
		{"an empty section", "[]\n", NULL, "a section is due"},
		{"uneven brackets", "[[a]\n", NULL, "a section is due"},
		{"a lone bracket", "[\n", NULL, "a section is due"},
		{"no UTF-8", "a = \xff\n", NULL, "no UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&cases[i], conf_parse_ini);
}

static void test_shell(void **state)
{
	static const struct conf_case cases[] = {
		{"nothing", "", "{}", NULL},
		{"values", "A='b c'\nLe_D=\"e\"\nF=g\nH=\n#I='j'\n",
		 "{\"A\":\"b c\",\"F\":\"g\",\"H\":\"\",\"Le_D\":\"e\"}", NULL},
		{"nothing is evaluated", "A='$(id) `id`'\n", "{\"A\":\"$(id) `id`\"}", NULL},
		{"a bare word with more in it", "A=$(id)\n", NULL, "line 1"},
		{"two words", "A=b c\n", NULL, "line 1"},
		{"quotes that do not end", "A='b\n", NULL, "line 1"},
		{"quotes in quotes", "A='b'; rm 'c'\n", NULL, "line 1"},
		{"a command", "id\n", NULL, "line 1"},
		{"export", "export A='b'\n", NULL, "line 1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&cases[i], conf_parse_shell);
}

static void test_nul_and_number(void **state)
{
	struct err err = {.code = ERR_NONE};
	struct buf text;

	(void)state;
	assert_null(conf_parse_ini(sv_new("a = b\0c\n", 8), &err));
	assert_int_equal(err.code, ERR_INVALID);
	buf_init(&text, 1u << 20);
	for (int i = 0; i <= CONF_VALUES_MAX; i++)
		buf_addf(&text, "a%d = b\n", i);
	assert_null(conf_parse_ini(buf_view(&text), &err));
	assert_int_equal(err.code, ERR_LIMIT);
	buf_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ini),
		cmocka_unit_test(test_shell),
		cmocka_unit_test(test_nul_and_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
