/* tests/unit/codec/test_yaml.c - codec/yaml.c, yaml_scalar.c, yaml_text.c */
#include "codec/yaml.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Compact JSON of the documents in text; fails the test when it is refused. */
static char *read_yaml(struct str_view text)
{
	struct err err = {0};
	AUTO(auto_json) json_t *documents = yaml_parse(text, &err);

	if (documents == NULL)
		fail_msg("%.*s: %s", SV_ARG(text), err.msg);
	return json_text(documents);
}

static void test_plain_scalars(void **state)
{
	static const char *const cases[][2] = {
		{"yes", "true"},
		{"No", "false"},
		{"ON", "true"},
		{"off", "false"},
		{"True", "true"},
		{"FALSE", "false"},
		{"y", "\"y\""},
		{"n", "\"n\""},
		{"yEs", "\"yEs\""},
		{"~", "null"},
		{"Null", "null"},
		{"", "null"},
		{"nil", "\"nil\""},
		{"80", "80"},
		{"-7", "-7"},
		{"+7", "7"},
		{"0", "0"},
		{"0644", "420"},
		{"0o17", "15"},
		{"0x1F", "31"},
		{"-0x10", "-16"},
		{"0b101", "5"},
		{"089", "89"},
		{"1_000", "1000"},
		{"0x", "\"0x\""},
		{"0xZZ", "\"0xZZ\""},
		{"9223372036854775807", "9223372036854775807"},
		{"-9223372036854775808", "-9223372036854775808"},
		{"1.5", "1.5"},
		{"-.5", "-0.5"},
		{".5", "0.5"},
		{"80.0", "80"},
		{"1e3", "1000"},
		{"1.", "1"},
		{".", "\".\""},
		{"1.2.3", "\"1.2.3\""},
		{"10.0.0.1", "\"10.0.0.1\""},
		{"1e", "\"1e\""},
		{"1e999", "\"1e999\""},
		{"12:30", "\"12:30\""},
		{"2026-01-02", "\"2026-01-02\""},
		{"2026-01-02T03:04:05Z", "\"2026-01-02T03:04:05Z\""},
		{"'80'", "\"80\""},
		{"\"yes\"", "\"yes\""},
		{"''", "\"\""},
		{"hello world", "\"hello world\""},
		{"1s", "\"1s\""},
		{"!!str 80", "\"80\""},
		{"!!str yes", "\"yes\""},
		{"!!int '80'", "80"},
		{"!!float 80", "80"},
		{"!!bool 'yes'", "true"},
		{"!!null ''", "null"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free) char *text = xasprintf("v: %s\n", cases[i][0]);
		AUTO(auto_free) char *want = xasprintf("[{\"v\":%s}]", cases[i][1]);
		AUTO(auto_free) char *got = read_yaml(sv_from(text));

		if (strcmp(got, want) != 0)
			fail_msg("%s: got %s", cases[i][0], got);
	}
}

static void test_documents(void **state)
{
	static const struct {
		const char *name, *yaml, *json;
	} cases[] = {
		{"nothing", "", "[]"},
		{"comments only", "# a\n---\n# b\n---\n", "[]"},
		{"two, an empty one between", "a: 1\n---\n---\nb: 2\n...\n",
		 "[{\"a\":1},{\"b\":2}]"},
		{"block and flow", "a:\n- x\n- {b: [1, 'c']}\n",
		 "[{\"a\":[\"x\",{\"b\":[1,\"c\"]}]}]"},
		{"block scalars", "a: |\n  x\n  y\nb: >-\n  p\n  q\n",
		 "[{\"a\":\"x\\ny\\n\",\"b\":\"p q\"}]"},
		{"JSON is YAML", "{\"a\":\"\\ud83d\\ude00\\/\",\n\t\"b\":[1,2]}",
		 "[{\"a\":\"\xF0\x9F\x98\x80/\",\"b\":[1,2]}]"},
		{"several JSON values", "{\"a\":1}\n{\"a\":2}\n", "[{\"a\":1},{\"a\":2}]"},
		{"a null among JSON values", "[1] null {}", "[[1],{}]"},
		{"flow style that is no JSON", "{a: yes, b: [x]}", "[{\"a\":true,\"b\":[\"x\"]}]"},
		{"keys become texts", "80: a\ntrue: b\n1.5: c\n'~': d\n",
		 "[{\"80\":\"a\",\"true\":\"b\",\"1.5\":\"c\",\"~\":\"d\"}]"},
		{"alias", "a: &x {k: [1]}\nb: *x\n", "[{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]}}]"},
		{"an anchor is set anew", "- &x 1\n- *x\n- &x 2\n- *x\n", "[[1,1,2,2]]"},
		{"a key by alias", "a: &x k\n*x : 1\n", "[{\"a\":\"k\",\"k\":1}]"},
		{"merge", "b: &x {p: 1, q: 2}\nc:\n  <<: *x\n  q: 3\n",
		 "[{\"b\":{\"p\":1,\"q\":2},\"c\":{\"q\":3,\"p\":1}}]"},
		{"merge of a list, the first wins",
		 "- &x {p: 1}\n- &y {p: 2, q: 2}\n- {r: 0, <<: [*x, *y]}\n",
		 "[[{\"p\":1},{\"p\":2,\"q\":2},{\"r\":0,\"p\":1,\"q\":2}]]"},
		{"a quoted << is a key", "'<<': 1\n", "[{\"<<\":1}]"},
		{"UTF-8 with a mark", "\xEF\xBB\xBFname: caf\xC3\xA9\n",
		 "[{\"name\":\"caf\xC3\xA9\"}]"},
		{"CRLF", "a: 1\r\nb: 2\r\n", "[{\"a\":1,\"b\":2}]"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free) char *got = read_yaml(sv_from(cases[i].yaml));

		if (strcmp(got, cases[i].json) != 0)
			fail_msg("%s: got %s", cases[i].name, got);
	}
}

static void test_nothing(void **state)
{
	struct err err = {.code = ERR_NONE};
	AUTO(auto_json) json_t *none = yaml_parse(SV_NONE, &err);
	AUTO(auto_json) json_t *empty = yaml_parse(SV(""), &err);

	(void)state;
	assert_true(json_is_array(none) && json_array_size(none) == 0);
	assert_true(json_is_array(empty) && json_array_size(empty) == 0);
}

static void test_refused(void **state)
{
	static const struct {
		const char *name;
		struct str_view yaml;
		const char *says;
	} cases[] = {
		{"duplicate key", SV_INIT("a: 1\nb: 2\na: 3\n"), "line 3, column 1: key \"a\""},
		{"duplicate key in JSON", SV_INIT("{\"a\":1,\"a\":2}"), "key \"a\""},
		{"the same key in two spellings", SV_INIT("yes: 1\n'true': 2\n"), "\"true\""},
		{"a tab", SV_INIT("a:\n\tb: 1\n"), "line 2, column 1: a tab"},
		{"bad indentation", SV_INIT("a:\n  b: 1\n c: 2\n"), "line 3"},
		{"indentation", SV_INIT("a:\n  b: 1\n c: 2\n"), "(indent it as the lines around"},
		{"unquoted star", SV_INIT("a: *.b\n"), "(quote a text that begins with '*'"},
		{"unquoted at", SV_INIT("a: @b\n"), "(quote a text that begins with '@'"},
		{"two colons", SV_INIT("a: b: c\n"), "(quote a text that holds ': '"},
		{"unclosed quote", SV_INIT("a: \"b\n"), "(a quote is not closed)"},
		{"unclosed list", SV_INIT("a: [1, 2\nb: 3\n"), "(a comma is missing, or a"},
		{"Latin 1", SV_INIT("a: \xe4\n"), "(save the file as UTF-8)"},
		{"a template", SV_INIT("a: {{ .Values.a }}\n"), "render it first"},
		{"open bracket", SV_INIT("a: [1, 2\n"), "line 2"},
		{"open quote", SV_INIT("a: 'x\n"), "began at line 1"},
		{"unknown tag", SV_INIT("a: !secret x\n"), "line 1, column 4: tag !secret"},
		{"unknown tag on a list", SV_INIT("a: !!set [x]\n"), "tag set"},
		{"binary", SV_INIT("a: !!binary aGk=\n"), "tag binary"},
		{"not what its tag says", SV_INIT("a: !!int x\n"), "\"x\" is not a !!int"},
		{"unknown alias", SV_INIT("a: *b\n"), "no &b stands before"},
		{"an anchor of the last document", SV_INIT("a: &b 1\n---\nc: *b\n"), "line 3"},
		{"an anchor that holds itself", SV_INIT("a: &b [*b]\n"), "may not hold itself"},
		{"merge of a scalar", SV_INIT("<<: 1\n"), "<< needs a mapping"},
		{"merge of a list of scalars", SV_INIT("<<: [1]\n"), "<< needs a mapping"},
		{"two merges", SV_INIT("<<: {a: 1}\n<<: {b: 1}\n"), "a second <<"},
		{"null key", SV_INIT("~: 1\n"), "a key must be a text, not null"},
		{"a list as key", SV_INIT("? [a]\n: 1\n"), "not a list"},
		{"infinity", SV_INIT("a: .inf\n"), "JSON cannot hold"},
		{"beyond 64 bits", SV_INIT("a: 9223372036854775808\n"), "quote it"},
		{"NUL", SV_INIT("a: \"x\\0\"\n"), "NUL"},
		{"bad UTF-8", SV_INIT("a: \xff\n"), "byte 3"},
		{"control character", SV_INIT("a: \x01\n"), "control characters"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		AUTO(auto_json) json_t *value = yaml_parse(cases[i].yaml, &err);

		if (value != NULL || err.code != ERR_INVALID ||
		    strstr(err.msg, cases[i].says) == NULL)
			fail_msg("%s: %p \"%s\"", cases[i].name, (void *)value, err.msg);
	}
}

static void assert_refused(const struct buf *text, const char *says)
{
	struct err err = {0};
	AUTO(auto_json) json_t *value = yaml_parse(buf_view(text), &err);

	if (value != NULL || strstr(err.msg, says) == NULL)
		fail_msg("%p \"%s\"", (void *)value, err.msg);
}

static void test_limits(void **state)
{
	AUTO(buf_deinit) struct buf text = {0};

	(void)state;
	buf_init(&text, 2 * YAML_TEXT_MAX);
	for (size_t i = 0; i <= YAML_DEPTH_MAX; i++)
		buf_addf(&text, "%*s-\n", (int)i, "");
	assert_refused(&text, "64 levels");

	buf_reset(&text); /* nine levels of nine: 9^9 values if they were written out */
	buf_add(&text, SV("a0: &a0 [x,x,x,x,x,x,x,x,x]\n"));
	for (int i = 1; i <= 9; i++)
		buf_addf(&text, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i,
			 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	assert_refused(&text, "aliases copy more than 1000 values");

	buf_reset(&text); /* each alias goes one level deeper than the last */
	buf_add(&text, SV("- &a [x]\n"));
	for (int i = 0; i < 20; i++)
		buf_add(&text, SV("- &a [[[[*a]]]]\n"));
	assert_refused(&text, "nested more than 64 levels");

	buf_reset(&text);
	for (size_t i = 0; i < YAML_TEXT_MAX / 2; i++)
		buf_add(&text, SV("- "));
	assert_refused(&text, "64 levels");
	buf_add(&text, SV("x"));
	assert_refused(&text, "over the limit");
}

static void test_text(void **state)
{
	static const struct {
		const char *name, *json, *yaml;
	} cases[] = {
		{"members sorted, lists not indented",
		 "{\"spec\":{\"listeners\":[{\"port\":80,\"name\":\"http\"}]},\"kind\":"
		 "\"Gateway\"}",
		 "kind: Gateway\nspec:\n  listeners:\n  - name: http\n    port: 80\n"},
		{"empty ones", "{\"a\":{},\"b\":[],\"c\":null,\"d\":\"\"}",
		 "a: {}\nb: []\nc: null\nd: \"\"\n"},
		{"texts that read as something else",
		 "[\"yes\",\"80\",\"null\",\"0x1\",\"~\",\"1e3\",\"y\",\"12:30\",\"<<\",\".inf\"]",
		 "- \"yes\"\n- \"80\"\n- \"null\"\n- \"0x1\"\n- \"~\"\n- \"1e3\"\n- \"y\"\n"
		 "- \"12:30\"\n- \"<<\"\n- \".inf\"\n"},
		{"dates are quoted", "{\"creationTimestamp\":\"2026-01-02T03:04:05Z\"}",
		 "creationTimestamp: \"2026-01-02T03:04:05Z\"\n"},
		{"signs of YAML in texts", "[\"a: b\",\"- x\",\"#c\",\"*\",\"@\",\" lead\"]",
		 "- 'a: b'\n- '- x'\n- '#c'\n- '*'\n- '@'\n- ' lead'\n"},
		{"several lines", "{\"a\":\"x\\ny\\n\",\"b\":\"x\\ny\"}",
		 "a: |\n  x\n  y\nb: |-\n  x\n  y\n"},
		{"unprintable", "[\"a\\u0001\\tb\"]", "- \"a\\x01\\tb\"\n"},
		{"numbers and booleans", "[1,-2,1.5,0.1,true,false]",
		 "- 1\n- -2\n- 1.5\n- 0.1\n- true\n- false\n"},
		{"keys are quoted too", "{\"yes\":1,\"80\":2}", "\"80\": 2\n\"yes\": 1\n"},
		{"not only ASCII", "[\"caf\xC3\xA9\"]", "- caf\xC3\xA9\n"},
		{"list in a list", "[[1,[2]]]", "- - 1\n  - - 2\n"},
		{"a scalar", "\"x\"", "x\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *value = json_parse(sv_from(cases[i].json), NULL);
		AUTO(auto_free) char *text = yaml_text(value);
		AUTO(auto_json) json_t *again = yaml_parse(sv_from(text), NULL);

		if (strcmp(text, cases[i].yaml) != 0)
			fail_msg("%s: got\n%s", cases[i].name, text);
		assert_true(json_same(json_array_get(again, 0), value));
	}
}

static void test_long_text_is_one_line(void **state)
{
	AUTO(auto_free) char *line = xmalloc(4001);
	AUTO(auto_json) json_t *value = NULL;
	AUTO(auto_free) char *text = NULL;

	(void)state;
	memset(line, 'x', 4000);
	for (size_t i = 20; i < 4000; i += 21)
		line[i] = ' ';
	line[4000] = '\0';
	value = json_pack("{s:s}", "a", line);
	text = yaml_text(value);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_scalars),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_long_text_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
