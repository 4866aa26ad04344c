/* tests/unit/cli/test_jsonpath.c - cli/jsonpath.c */
#include "cli/jsonpath.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char object_text[] =
	"{\"metadata\":{\"name\":\"web\",\"annotations\":{\"a.b/c\":\"note\"}},"
	"\"spec\":{\"replicas\":2,\"on\":true,\"nothing\":null,\"list\":[\"x\",\"y\",\"z\"]},"
	"\"status\":{\"conditions\":[{\"type\":\"Accepted\",\"status\":\"True\",\"n\":1},"
	"{\"type\":\"Ready\",\"status\":\"False\",\"message\":\"a } b\"}]}}";

static void test_templates(void **state)
{
	static const struct {
		const char *template, *want;
	} cases[] = {
		{"{.metadata.name}", "web"},
		{".metadata.name", "web"},
		{"{$.metadata.name}", "web"},
		{"{ .metadata.name }", "web"},
		{"name={.metadata.name};", "name=web;"},
		{"{.spec.replicas} {.spec.on} {.spec.nothing}", "2 true null"},
		{"{.spec.list}", "[\"x\",\"y\",\"z\"]"},
		{"{.spec.list[0]}{.spec.list[-1]}", "xz"},
		{"{.spec.list[7]}", ""},
		{"{.spec.list[*]}", "x y z"},
		{"{.absent.name}", ""},
		{"{.spec.replicas.name}", ""},
		{"{['metadata'].name}", "web"},
		{"{.metadata['name']}", "web"},
		{"{.metadata.annotations.a\\.b/c}", "note"},
		{"{.metadata.annotations['a.b/c']}", "note"},
		{"{.status.conditions[*].type}", "Accepted Ready"},
		{"{.status.conditions[?(@.type==\"Ready\")].status}", "False"},
		{"{.status.conditions[?(@.type=='Ready')].status}", "False"},
		{"{.status.conditions[?( @.type != \"Ready\" )].status}", "True"},
		{"{.status.conditions[?(@.message)].type}", "Ready"},
		{"{.status.conditions[?(@.n==1)].type}", "Accepted"},
		{"{.status.conditions[?(@.message==\"a } b\")].type}", "Ready"},
		{"{range .spec.list[*]}<{.}>{end}", "<x><y><z>"},
		{"{range .status.conditions[*]}{.type}{\"\\t\"}{.status}{\"\\n\"}{end}",
		 "Accepted\tTrue\nReady\tFalse\n"},
		{"{range .status.conditions[*]}{range $.type}{.}{end};{end}", "Accepted;Ready;"},
		{"{\"{}\"}", "{}"},
		{"", ""},
		{"only text", "only text"},
		{"{.metadata.*}", "web {\"a.b/c\":\"note\"}"},
	};
	AUTO(auto_json) json_t *object = json_parse(sv_from(object_text), NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {.code = ERR_NONE};
		struct buf out;

		buf_init(&out, 65536);
		if (jsonpath_text(sv_from(cases[i].template), object, &out, &err) < 0)
			fail_msg("%s: %s", cases[i].template, err.msg);
		if (strcmp(buf_cstr(&out), cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].template, buf_cstr(&out));
		buf_deinit(&out);
	}
}

static void test_errors(void **state)
{
	static const char *const templates[] = {
		"{",
		"{.a",
		"{a}",
		"{.a..b}",
		"{.a b}",
		"{.spec.list[}",
		"{.spec.list[x]}",
		"{.spec.list[99999999999]}",
		"{.spec.list['x}",
		"{.spec.list[?(x)]}",
		"{.spec.list[?(@.a==\"b)]}",
		"{.spec.list[?(@.a>3)]}",
		"{range .spec.list[*]}x",
		"{end}",
		"{\"a}",
		"{\"a\"b}",
	};
	AUTO(auto_json) json_t *object = json_parse(sv_from(object_text), NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
		struct err err = {.code = ERR_NONE};
		struct buf out;

		buf_init(&out, 65536);
		if (jsonpath_text(sv_from(templates[i]), object, &out, &err) == 0)
			fail_msg("%s: taken, %s", templates[i], buf_cstr(&out));
		assert_true(err.msg[0] != '\0');
		buf_deinit(&out);
	}
}

/* Ranges in ranges multiply: the number of values that are visited is limited. */
static void test_limits(void **state)
{
	struct buf template, out;
	struct err err = {.code = ERR_NONE};
	AUTO(auto_json) json_t *object = json_object();
	json_t *list = json_array();

	(void)state;
	json_object_set_new(object, "l", list);
	for (int i = 0; i < 400; i++)
		json_array_append_new(list, json_pack("{s:[i,i,i,i,i,i,i,i,i,i]}", "l", 1, 2, 3, 4,
						      5, 6, 7, 8, 9, 0));
	buf_init(&out, 1u << 20);
	assert_int_equal(jsonpath_text(SV("{range .l[*]}{.l[*]}{end}"), object, &out, &err), 0);
	buf_init(&template, 65536);
	for (int i = 0; i < 60; i++)
		buf_addf(&template, "{range .l[*]}{.l[*]}{end}");
	assert_int_equal(jsonpath_text(buf_view(&template), object, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	buf_reset(&template);
	for (int i = 0; i < 20; i++)
		buf_addf(&template, "{range .}");
	for (int i = 0; i < 20; i++)
		buf_addf(&template, "{end}");
	assert_int_equal(jsonpath_text(buf_view(&template), object, &out, &err), -1);
	buf_deinit(&template);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
