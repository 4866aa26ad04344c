/* tests/unit/cli/test_table.c - cli/table.c */
#include "cli/table.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char table_text[] =
	"{\"kind\":\"Table\",\"columnDefinitions\":["
	"{\"name\":\"Name\",\"format\":\"name\",\"priority\":0},"
	"{\"name\":\"Programmed\",\"priority\":0},{\"name\":\"Note\",\"priority\":1},"
	"{\"name\":\"Routes\",\"priority\":0}],"
	"\"rows\":[{\"cells\":[\"web\",true,\"n1\",3],"
	"\"object\":{\"metadata\":{\"namespace\":\"shop\",\"labels\":{\"a\":\"b\",\"c\":\"\"}}}},"
	"{\"cells\":[\"x\",null,\"\\u001b[2J\"],\"object\":{\"metadata\":{}}}]}";

static void test_forms(void **state)
{
	static const struct {
		const char *name;
		struct table_how how;
		const char *want;
	} cases[] = {
		{"plain",
		 {.wide = false},
		 "NAME   PROGRAMMED   ROUTES\nweb    true         3\nx                   \n"},
		{"wide",
		 {.wide = true},
		 "NAME   PROGRAMMED   NOTE      ROUTES\nweb    true         n1        3\n"
		 "x                   \\x1b[2J   \n"},
		{"without headers", {.no_headers = true}, "web   true   3\nx            \n"},
		{"with namespace and labels",
		 {.with_namespace = true, .with_labels = true},
		 "NAMESPACE   NAME   PROGRAMMED   ROUTES   LABELS\n"
		 "shop        web    true         3        a=b,c=\n"
		 "            x                            <none>\n"},
		{"with the kind",
		 {.label = "gateway.g", .no_headers = true},
		 "gateway.g/web   true   3\ngateway.g/x            \n"},
	};
	AUTO(auto_json) json_t *table = json_parse(sv_from(table_text), NULL);

	(void)state;
	assert_true(table_is(table));
	assert_int_equal(table_rows(table), 2);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct columns columns;
		struct buf text;

		columns_init(&columns);
		buf_init(&text, 65536);
		table_headers(&cases[i].how, table, &columns);
		table_lines(&cases[i].how, table, NULL, &columns);
		columns_text(&columns, 0, &text);
		if (strcmp(buf_cstr(&text), cases[i].want) != 0)
			fail_msg("%s:\n%s", cases[i].name, buf_cstr(&text));
		buf_deinit(&text);
		columns_deinit(&columns);
	}
}

/* A server may send anything: nothing is read that is not there. */
static void test_odd_tables(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"kind\":\"Table\"}",
		"{\"kind\":\"Table\",\"rows\":[1,null,{},{\"cells\":3}],\"columnDefinitions\":[{}]"
		"}",
		"{\"kind\":\"Table\",\"rows\":{},\"columnDefinitions\":{}}",
		"{\"kind\":\"Table\",\"rows\":[{\"cells\":[{\"a\":1},[]]}],"
		"\"columnDefinitions\":[{\"name\":1},{\"name\":\"N\",\"format\":\"name\"}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		AUTO(auto_json) json_t *table = json_parse(sv_from(texts[i]), NULL);
		struct table_how how = {.with_labels = true, .with_namespace = true, .label = "k"};
		struct columns columns;
		struct buf text;

		assert_non_null(table);
		columns_init(&columns);
		buf_init(&text, 65536);
		table_headers(&how, table, &columns);
		table_lines(&how, table, NULL, &columns);
		columns_text(&columns, 0, &text);
		assert_true(buf_len(&text) > 0);
		buf_deinit(&text);
		columns_deinit(&columns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_odd_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
