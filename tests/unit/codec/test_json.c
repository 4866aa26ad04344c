/* tests/unit/codec/test_json.c - codec/json.c */
#include "codec/json.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
	struct err err = {0};
	json_t *value = json_parse(sv_from(text), &err);

	if (value == NULL)
		fail_msg("%s: %s", text, err.msg);
	return value;
}

static void test_parse_refuses(void **state)
{
	static const struct {
		const char *name;
		struct str_view text;
		const char *says;
	} cases[] = {
		{"nothing", SV_INIT(""), "empty"},
		{"white space only", SV_INIT(" \n "), "line"},
		{"half an object", SV_INIT("{\"a\":"), "line 1"},
		{"second value", SV_INIT("{} {}"), "end of file expected"},
		{"duplicate member", SV_INIT("{\"a\":1,\n\"a\":2}"), "line 2"},
		{"NUL in a string", SV_INIT("\"a\\u0000b\""), "\\u0000"},
		{"NUL in the text", SV_INIT("{}\0"), "NUL byte"},
		{"NUL behind a number", SV_INIT("7\0{"), "NUL byte"},
		{"bad UTF-8", SV_INIT("\"\xff\""), "decode byte 0xff"},
		{"trailing comma", SV_INIT("[1,]"), "line"},
		{"number beyond 64 bits", SV_INIT("99999999999999999999"), "big integer"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		AUTO(auto_json) json_t *value = json_parse(cases[i].text, &err);

		if (value != NULL || strstr(err.msg, cases[i].says) == NULL ||
		    err.code != ERR_INVALID)
			fail_msg("%s: got %p, \"%s\"", cases[i].name, (void *)value, err.msg);
	}
}

/* count times open, then count times close. */
static char *nested(size_t count, char open, char close)
{
	char *text = xmalloc(2 * count + 1);

	memset(text, open, count);
	memset(text + count, close, count);
	text[2 * count] = '\0';
	return text;
}

static void test_parse_limits(void **state)
{
	AUTO(auto_free) char *fits = nested(JSON_DEPTH_MAX, '[', ']');
	AUTO(auto_free) char *deep = nested(JSON_DEPTH_MAX + 1, '[', ']');
	AUTO(auto_free) char *many = xmalloc(JSON_TEXT_MAX + 2);
	AUTO(auto_json) json_t *value = parse(fits);
	struct err err = {0};

	(void)state;
	assert_int_equal(json_check(value, &err), 0);
	assert_null(json_parse(sv_from(deep), &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_non_null(strstr(err.msg, "64 levels"));

	memset(many, ' ', JSON_TEXT_MAX + 1);
	assert_null(json_parse(sv_new(many, JSON_TEXT_MAX + 1), &err));
	assert_int_equal(err.code, ERR_LIMIT);

	for (size_t i = 0; i < 2 * (size_t)JSON_VALUES_MAX + 4; i++)
		many[i] = i % 2 == 0 ? '0' : ',';
	many[0] = '[';
	assert_null(json_parse(sv_new(many, 2 * (size_t)JSON_VALUES_MAX + 4), &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_non_null(strstr(err.msg, "values"));
}

/* An answer may be large, but not deep, and is JSON as any other. */
static void test_parse_answer(void **state)
{
	static const char *const refused[] = {"", "{", "{} x", "{\"a\":1,\"a\":2}", "nul"};
	size_t len = 2 * (size_t)JSON_VALUES_MAX + 1;
	AUTO(auto_free) char *many = malloc(len);
	AUTO(auto_json) json_t *value = NULL;
	char deep[2 * (JSON_DEPTH_MAX + 1) + 1] = {0};
	struct err err = {0};

	(void)state;
	assert_non_null(many);
	many[0] = '[';
	for (size_t i = 1; i + 1 < len; i++)
		many[i] = i % 2 == 1 ? '1' : ',';
	many[len - 2] = '1';
	many[len - 1] = ']';
	value = json_parse_answer(sv_new(many, len), &err);
	assert_int_equal(json_array_size(value), JSON_VALUES_MAX);
	memset(deep, '[', JSON_DEPTH_MAX + 1);
	memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_null(json_parse_answer(sv_from(deep), &err));
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_null(json_parse_answer(sv_from(refused[i]), &err));
}

static void test_brackets_in_strings_are_no_depth(void **state)
{
	AUTO(auto_free) char *brackets = nested(100, '[', '{');
	AUTO(auto_free) char *text = xasprintf("{\"a\\\"%s\":\"\\\\\"}", brackets);
	AUTO(auto_json) json_t *value = parse(text);

	(void)state;
	assert_int_equal(json_object_size(value), 1);
}

static void test_stream(void **state)
{
	static const struct {
		struct str_view text;
		const char *result; /* NULL: refused */
	} cases[] = {
		{SV_INIT(""), "[]"},
		{SV_INIT(" {\"a\":1}\n{\"b\":2} "), "[{\"a\":1},{\"b\":2}]"},
		{SV_INIT("[1][2]"), "[[1],[2]]"},
		{SV_INIT("{} nonsense"), NULL},
		{SV_INIT("{}{"), NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		AUTO(auto_json) json_t *value = json_parse_stream(cases[i].text, &err);
		AUTO(auto_free) char *text = value == NULL ? NULL : json_text(value);

		if (cases[i].result == NULL)
			assert_null(value);
		else
			assert_string_equal(text, cases[i].result);
	}
}

static void test_text(void **state)
{
	AUTO(auto_json) json_t *value = parse("{\"b\":[1,true,null,\"\\u00e9\"],\"a\":{}}");
	AUTO(auto_free) char *compact = json_text(value);
	AUTO(auto_free) char *sorted = json_text_sorted(value);
	AUTO(auto_free) char *indented = json_text_indented(value);

	(void)state;
	assert_string_equal(compact, "{\"b\":[1,true,null,\"\xC3\xA9\"],\"a\":{}}");
	assert_string_equal(sorted, "{\"a\":{},\"b\":[1,true,null,\"\xC3\xA9\"]}");
	assert_string_equal(indented, "{\n    \"a\": {},\n    \"b\": [\n        1,\n        true,\n"
				      "        null,\n        \"\xC3\xA9\"\n    ]\n}");
}

static void test_getters(void **state)
{
	AUTO(auto_json)
	json_t *value = parse("{\"spec\":{\"listeners\":[{\"name\":\"a\"},"
			      "{\"name\":\"b\",\"port\":80}],\"on\":true},"
			      "\"x.y\":7,\"s\":\"\"}");

	(void)state;
	assert_string_equal(json_str_at(value, "spec.listeners.1.name"), "b");
	assert_true(sv_eq(json_sv_at(value, "spec.listeners.0.name"), SV("a")));
	assert_int_equal(json_int_at(value, "spec.listeners.1.port", -1), 80);
	assert_int_equal(json_int_at(value, "spec.listeners.0.port", -1), -1);
	assert_true(json_bool_at(value, "spec.on", false));
	assert_true(json_bool_at(value, "spec.off", true));
	assert_null(json_at(value, "spec.listeners.2.name"));
	assert_null(json_at(value, "spec.listeners.-1"));
	assert_null(json_at(value, "spec.listeners.name"));
	assert_null(json_at(value, "x.y"));
	assert_null(json_at(NULL, "x.y"));
	assert_ptr_equal(json_at(value, ""), value);
	assert_int_equal(json_integer_value(json_member(value, "x.y")), 7);
	assert_null(json_member(NULL, "x"));
	assert_null(json_str_at(value, "spec.on"));
	assert_non_null(json_sv_at(value, "nothing").data);
	assert_int_equal(json_sv_at(value, "spec").len, 0);
}

static void test_set_at(void **state)
{
	static const struct {
		const char *name, *doc, *path, *child, *result;
	} cases[] = {
		{"objects on the way", "{}", "status.a.b", "1", "{\"status\":{\"a\":{\"b\":1}}}"},
		{"beside others", "{\"a\":{\"x\":1}}", "a.b", "2", "{\"a\":{\"x\":1,\"b\":2}}"},
		{"replaces", "{\"a\":1}", "a", "[]", "{\"a\":[]}"},
		{"a scalar in the way", "{\"a\":1}", "a.b", "2", "{\"a\":{\"b\":2}}"},
		{"in a list", "{\"a\":[{},{}]}", "a.1.b", "2", "{\"a\":[{},{\"b\":2}]}"},
		{"end of a list", "{\"a\":[1]}", "a.1", "2", "{\"a\":[1,2]}"},
		{"past a list", "{\"a\":[1]}", "a.5", "2", "{\"a\":[1]}"},
		{"removes", "{\"a\":{\"b\":1}}", "a.b", NULL, "{\"a\":{}}"},
		{"removes nothing", "{\"c\":1}", "a.b", NULL, "{\"c\":1}"},
		{"not below a scalar", "7", "a", "1", "7"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *doc = parse(cases[i].doc);
		AUTO(auto_free) char *text = NULL;

		json_set_at(doc, cases[i].path,
			    cases[i].child == NULL ? NULL : parse(cases[i].child));
		text = json_text(doc);
		if (strcmp(text, cases[i].result) != 0)
			fail_msg("%s: %s", cases[i].name, text);
	}
}

static void test_sv(void **state)
{
	static const struct {
		struct str_view in, out;
	} cases[] = {
		{SV_INIT(""), SV_INIT("")},
		{SV_INIT("caf\xC3\xA9 \xF0\x9F\x98\x80"), SV_INIT("caf\xC3\xA9 \xF0\x9F\x98\x80")},
		{SV_INIT("a\xFF"
			 "b"),
		 SV_INIT("a\xEF\xBF\xBD"
			 "b")},
		{SV_INIT("\xC3"), SV_INIT("\xEF\xBF\xBD")},
		{SV_INIT("\xC0\xAF"), SV_INIT("\xEF\xBF\xBD\xEF\xBF\xBD")},
		{SV_INIT("\xED\xA0\x80"), SV_INIT("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD")},
		{SV_INIT("a\0b"), SV_INIT("a\xEF\xBF\xBD"
					  "b")},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *value = json_sv(cases[i].in);
		AUTO(auto_free) char *text = json_text(value);
		AUTO(auto_json) json_t *again = parse(text);

		assert_true(sv_eq(json_sv_at(value, ""), cases[i].out));
		assert_true(json_same(value, again));
	}
}

static void test_fmt(void **state)
{
	AUTO(auto_json) json_t *value = json_fmt("%s-%d", "gw", 7);

	(void)state;
	assert_string_equal(json_string_value(value), "gw-7");
}

static void test_same(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{"{\"a\":1,\"b\":[2]}", "{\"b\":[2],\"a\":1}", true},
		{"{\"a\":1}", "{\"a\":1,\"b\":1}", false},
		{"{\"a\":1}", "{\"b\":1}", false},
		{"[1,2]", "[2,1]", false},
		{"[1]", "[1,1]", false},
		{"1", "1.0", true},
		{"[1.5]", "[1.5]", true},
		{"9007199254740993", "9007199254740992", false},
		{"1", "\"1\"", false},
		{"null", "false", false},
		{"true", "true", true},
		{"\"a\"", "\"b\"", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *a = parse(cases[i].a);
		AUTO(auto_json) json_t *b = parse(cases[i].b);

		if (json_same(a, b) != cases[i].same || json_same(b, a) != cases[i].same)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
	}
	assert_true(json_same(NULL, NULL));
	assert_false(json_same(NULL, json_null()));
}

static void test_kind_words(void **state)
{
	AUTO(auto_json) json_t *value = parse("[{},[],\"\",1,1.5,true,false,null]");
	static const char *const words[] = {"an object", "a list",    "a string",  "a number",
					    "a number",  "a boolean", "a boolean", "null"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_string_equal(json_kind_words(json_array_get(value, i)), words[i]);
	assert_string_equal(json_kind_words(NULL), "nothing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_parse_limits),
		cmocka_unit_test(test_parse_answer),
		cmocka_unit_test(test_brackets_in_strings_are_no_depth),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_getters),
		cmocka_unit_test(test_set_at),
		cmocka_unit_test(test_sv),
		cmocka_unit_test(test_fmt),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_kind_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
