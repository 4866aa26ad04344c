/* tests/unit/codec/test_patch.c - codec/patch.c, patch_strategic.c */
#include "codec/patch.h"

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

/* The result must equal want as a value; the document must not have changed. */
static void check(const char *name, const json_t *doc, const char *doc_text, const json_t *result,
		  const char *want)
{
	AUTO(auto_json) json_t *before = parse(doc_text);
	AUTO(auto_json) json_t *wanted = parse(want);
	AUTO(auto_free) char *text = result == NULL ? NULL : json_text(result);

	if (result == NULL || !json_same(result, wanted))
		fail_msg("%s: got %s", name, text == NULL ? "nothing" : text);
	if (!json_same(doc, before))
		fail_msg("%s: changed its input", name);
}

static void test_json_patch(void **state)
{
	static const struct {
		const char *name, *doc, *ops, *result;
	} cases[] = {
		{"A.1 adding a member", "{\"foo\":\"bar\"}",
		 "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
		 "{\"baz\":\"qux\",\"foo\":\"bar\"}"},
		{"A.2 adding an item", "{\"foo\":[\"bar\",\"baz\"]}",
		 "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
		 "{\"foo\":[\"bar\",\"qux\",\"baz\"]}"},
		{"A.3 removing a member", "{\"baz\":\"qux\",\"foo\":\"bar\"}",
		 "[{\"op\":\"remove\",\"path\":\"/baz\"}]", "{\"foo\":\"bar\"}"},
		{"A.4 removing an item", "{\"foo\":[\"bar\",\"qux\",\"baz\"]}",
		 "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]", "{\"foo\":[\"bar\",\"baz\"]}"},
		{"A.5 replacing", "{\"baz\":\"qux\",\"foo\":\"bar\"}",
		 "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
		 "{\"baz\":\"boo\",\"foo\":\"bar\"}"},
		{"A.6 moving a value",
		 "{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
		 "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",
		 "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}"},
		{"A.7 moving an item", "{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
		 "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
		 "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}"},
		{"A.8 testing", "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
		 "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},"
		 "{\"op\":\"test\",\"path\":\"/foo/1\",\"value\":2}]",
		 "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}"},
		{"A.10 a nested member", "{\"foo\":\"bar\"}",
		 "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]",
		 "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}"},
		{"A.11 unknown members are ignored", "{\"foo\":\"bar\"}",
		 "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123}]",
		 "{\"foo\":\"bar\",\"baz\":\"qux\"}"},
		{"A.14 escapes", "{\"/\":9,\"~1\":10}",
		 "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10},"
		 "{\"op\":\"remove\",\"path\":\"/~1\"}]",
		 "{\"~1\":10}"},
		{"A.16 adding a list", "{\"foo\":[\"bar\"]}",
		 "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]}]",
		 "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}"},
		{"add replaces a member", "{\"a\":1}",
		 "[{\"op\":\"add\",\"path\":\"/a\",\"value\":null}]", "{\"a\":null}"},
		{"copy", "{\"a\":{\"b\":[1]}}",
		 "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"},"
		 "{\"op\":\"add\",\"path\":\"/c/b/-\",\"value\":2}]",
		 "{\"a\":{\"b\":[1]},\"c\":{\"b\":[1,2]}}"},
		{"copy into itself", "{\"a\":{}}",
		 "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/a/b\"}]",
		 "{\"a\":{\"b\":{\"a\":{}}}}"},
		{"the whole document", "{\"a\":1}",
		 "[{\"op\":\"replace\",\"path\":\"\",\"value\":[7]},"
		 "{\"op\":\"test\",\"path\":\"/0\",\"value\":7.0}]",
		 "[7]"},
		{"replace an item", "[1,2,3]", "[{\"op\":\"replace\",\"path\":\"/1\",\"value\":9}]",
		 "[1,9,3]"},
		{"a move to where it is", "{\"a\":1}",
		 "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]", "{\"a\":1}"},
		{"the empty member", "{\"\":1}", "[{\"op\":\"remove\",\"path\":\"/\"}]", "{}"},
		{"no operation", "{\"a\":1}", "[]", "{\"a\":1}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		AUTO(auto_json) json_t *doc = parse(cases[i].doc);
		AUTO(auto_json) json_t *ops = parse(cases[i].ops);
		AUTO(auto_json) json_t *result = patch_json(doc, ops, &err);

		if (result == NULL)
			fail_msg("%s: %s", cases[i].name, err.msg);
		check(cases[i].name, doc, cases[i].doc, result, cases[i].result);
	}
}

static void test_json_patch_refuses(void **state)
{
	static const struct {
		const char *name, *doc, *ops, *says;
	} cases[] = {
		{"A.9 a failing test, after a change", "{\"baz\":\"qux\"}",
		 "[{\"op\":\"remove\",\"path\":\"/baz\"},"
		 "{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]",
		 "operation 2 (test /baz)"},
		{"another value", "{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":2}]",
		 "another one"},
		{"A.12 no parent", "{\"foo\":\"bar\"}",
		 "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]", "hold \"bat\""},
		{"A.15 a string is no number", "{\"/\":9,\"~1\":10}",
		 "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]", "another one"},
		{"past the end", "[1]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":1}]",
		 "the list ends at 1"},
		{"no number", "[1]", "[{\"op\":\"add\",\"path\":\"/x\",\"value\":1}]",
		 "no place in"},
		{"a leading zero", "[1,2]", "[{\"op\":\"remove\",\"path\":\"/01\"}]",
		 "no such path"},
		{"minus removes nothing", "[1]", "[{\"op\":\"remove\",\"path\":\"/-\"}]",
		 "no such path"},
		{"replace of nothing", "{}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]",
		 "no such path"},
		{"into itself", "{\"a\":{}}",
		 "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]", "into itself"},
		{"the root into itself", "{}", "[{\"op\":\"move\",\"from\":\"\",\"path\":\"/b\"}]",
		 "into itself"},
		{"the root away", "{}", "[{\"op\":\"remove\",\"path\":\"\"}]", "whole object"},
		{"a relative path", "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"a\"}]",
		 "begins with /"},
		{"a broken escape", "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/~2\"}]", "tilde"},
		{"an escape cut off", "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/a~\"}]",
		 "tilde"},
		{"unknown op", "{}", "[{\"op\":\"drop\",\"path\":\"/a\"}]", "op is not"},
		{"no op", "{}", "[{\"path\":\"/a\"}]", "op is not"},
		{"no object", "{}", "[7]", "op is not"},
		{"no path", "{}", "[{\"op\":\"remove\"}]", "path is missing"},
		{"no value", "{}", "[{\"op\":\"add\",\"path\":\"/a\"}]", "value is missing"},
		{"no from", "{}", "[{\"op\":\"copy\",\"path\":\"/a\"}]", "from is missing"},
		{"not a list", "{}", "{\"op\":\"remove\"}", "list of operations, not an object"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		AUTO(auto_json) json_t *doc = parse(cases[i].doc);
		AUTO(auto_json) json_t *before = parse(cases[i].doc);
		AUTO(auto_json) json_t *ops = parse(cases[i].ops);
		AUTO(auto_json) json_t *result = patch_json(doc, ops, &err);

		if (result != NULL || err.code != ERR_INVALID ||
		    strstr(err.msg, cases[i].says) == NULL)
			fail_msg("%s: %p \"%s\"", cases[i].name, (void *)result, err.msg);
		assert_true(json_same(doc, before));
	}
}

static void assert_over_limit(const char *doc_text, const char *op, size_t count, const char *says)
{
	AUTO(auto_json) json_t *doc = parse(doc_text);
	AUTO(auto_json) json_t *ops = json_array();
	AUTO(auto_json) json_t *result = NULL;
	struct err err = {0};

	for (size_t i = 0; i < count; i++)
		json_array_append_new(ops, parse(op));
	result = patch_json(doc, ops, &err);
	if (result != NULL || err.code != ERR_LIMIT || strstr(err.msg, says) == NULL)
		fail_msg("%p \"%s\"", (void *)result, err.msg);
}

/* count copies of piece */
static char *repeated(const char *piece, size_t count)
{
	struct buf text;

	buf_init(&text, 4096);
	for (size_t i = 0; i < count; i++)
		buf_add(&text, sv_from(piece));
	return buf_detach(&text);
}

static void test_json_patch_limits(void **state)
{
	AUTO(auto_free) char *open = repeated("[", 60);
	AUTO(auto_free) char *close = repeated("]", 60);
	AUTO(auto_free) char *path = repeated("/0", 60);
	AUTO(auto_free) char *doc = xasprintf("%s%s", open, close);
	AUTO(auto_free)
	char *op = xasprintf("{\"op\":\"add\",\"path\":\"%s\",\"value\":[[[[[]]]]]}", path);

	(void)state;
	assert_over_limit(doc, op, 1, "nested more than 64");
	/* each step doubles the document */
	assert_over_limit("[[1,2,3,4]]", "{\"op\":\"copy\",\"from\":\"\",\"path\":\"/0/0\"}", 100,
			  "copies and moves");
	assert_over_limit("[\"a\"]", "{\"op\":\"copy\",\"from\":\"\",\"path\":\"/-\"}", 40,
			  "copies and moves");
	assert_over_limit("{}", "{\"op\":\"test\",\"path\":\"\",\"value\":{}}", PATCH_OPS_MAX + 1,
			  "10000 operations");
}

static void test_merge_patch(void **state)
{
	static const char *const cases[][3] = {
		/* RFC 7396, appendix A */
		{"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
		{"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
		{"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
		{"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
		 "{\"a\":{\"b\":\"d\"}}"},
		{"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
		{"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
		{"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
		{"{\"a\":\"foo\"}", "null", "null"},
		{"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
		{"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
		{"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
		{"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *doc = parse(cases[i][0]);
		AUTO(auto_json) json_t *patch = parse(cases[i][1]);
		AUTO(auto_json) json_t *result = patch_merge(doc, patch);

		check(cases[i][1], doc, cases[i][0], result, cases[i][2]);
	}
}

static void test_merge_patch_shares_nothing(void **state)
{
	AUTO(auto_json) json_t *doc = parse("{\"a\":{\"b\":1}}");
	AUTO(auto_json) json_t *patch = parse("{\"c\":{\"d\":1}}");
	AUTO(auto_json) json_t *result = patch_merge(doc, patch);

	(void)state;
	json_set_at(result, "a.b", json_integer(2));
	json_set_at(result, "c.d", json_integer(2));
	assert_int_equal(json_int_at(doc, "a.b", 0), 1);
	assert_int_equal(json_int_at(patch, "c.d", 0), 1);
}

/* ---- strategic ---- */

static const char *key_of(void *arg, const char *path)
{
	static const char *const keys[][2] = {
		{"spec.ports", "port"},
		{"metadata.finalizers", ""},
		{"spec.template.spec.containers", "name"},
		{"spec.template.spec.containers.env", "name"},
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i][0], path) == 0)
			return keys[i][1];
	return NULL;
}

static void test_strategic(void **state)
{
	static const struct {
		const char *name, *doc, *patch, *result;
	} cases[] = {
		{"a second apply of a Service",
		 "{\"spec\":{\"type\":\"ClusterIP\",\"ports\":[{\"port\":80,\"targetPort\":8},"
		 "{\"port\":81}]}}",
		 "{\"metadata\":{\"annotations\":{\"a\":\"b\"}},\"spec\":{\"$setElementOrder/"
		 "ports\":"
		 "[{\"port\":80}],\"ports\":[{\"port\":80,\"targetPort\":9},{\"$patch\":\"delete\","
		 "\"port\":81}]}}",
		 "{\"metadata\":{\"annotations\":{\"a\":\"b\"}},\"spec\":{\"type\":\"ClusterIP\","
		 "\"ports\":[{\"port\":80,\"targetPort\":9}]}}"},
		{"null deletes, scalars replace", "{\"a\":1,\"b\":{\"c\":1,\"d\":2}}",
		 "{\"a\":null,\"b\":{\"c\":3,\"x\":null}}", "{\"b\":{\"c\":3,\"d\":2}}"},
		{"nulls do not come in with a new object", "{}", "{\"a\":{\"b\":null,\"c\":1}}",
		 "{\"a\":{\"c\":1}}"},
		{"a list without a key is replaced", "{\"x\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
		 "{\"x\":[{\"name\":\"b\",\"v\":1}]}", "{\"x\":[{\"name\":\"b\",\"v\":1}]}"},
		{"a new item is appended", "{\"spec\":{\"ports\":[{\"port\":1}]}}",
		 "{\"spec\":{\"ports\":[{\"port\":2}]}}",
		 "{\"spec\":{\"ports\":[{\"port\":1},{\"port\":2}]}}"},
		{"lists in items of lists",
		 "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\",\"env\":[{"
		 "\"name\":\"X\",\"value\":\"1\"},{\"name\":\"Y\",\"value\":\"1\"}]}]}}}}",
		 "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\",\"env\":[{"
		 "\"name\":\"Y\",\"value\":\"2\"}]}]}}}}",
		 "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\",\"env\":[{"
		 "\"name\":\"X\",\"value\":\"1\"},{\"name\":\"Y\",\"value\":\"2\"}]}]}}}}"},
		{"replace an object", "{\"a\":{\"x\":1,\"y\":2}}",
		 "{\"a\":{\"$patch\":\"replace\",\"z\":3}}", "{\"a\":{\"z\":3}}"},
		{"delete an object", "{\"a\":{\"x\":1}}", "{\"a\":{\"$patch\":\"delete\"}}",
		 "{\"a\":{}}"},
		{"merge is what happens anyway", "{\"a\":{\"x\":1}}",
		 "{\"a\":{\"$patch\":\"merge\",\"y\":2}}", "{\"a\":{\"x\":1,\"y\":2}}"},
		{"replace a list", "{\"spec\":{\"ports\":[{\"port\":1},{\"port\":2}]}}",
		 "{\"spec\":{\"ports\":[{\"port\":3},{\"$patch\":\"replace\"}]}}",
		 "{\"spec\":{\"ports\":[{\"port\":3}]}}"},
		{"replace an item", "{\"spec\":{\"ports\":[{\"port\":1,\"name\":\"a\"}]}}",
		 "{\"spec\":{\"ports\":[{\"$retainKeys\":[\"port\"],\"port\":1}]}}",
		 "{\"spec\":{\"ports\":[{\"port\":1}]}}"},
		{"retain keys", "{\"a\":{\"x\":1,\"y\":2,\"z\":3}}",
		 "{\"a\":{\"$retainKeys\":[\"x\",\"w\"],\"w\":4}}", "{\"a\":{\"x\":1,\"w\":4}}"},
		{"a set of scalars", "{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}",
		 "{\"metadata\":{\"finalizers\":[\"b\",\"c\"]}}",
		 "{\"metadata\":{\"finalizers\":[\"a\",\"b\",\"c\"]}}"},
		{"out of a set", "{\"metadata\":{\"finalizers\":[\"a\",\"b\",\"a\"]}}",
		 "{\"metadata\":{\"$deleteFromPrimitiveList/finalizers\":[\"a\",\"x\"]}}",
		 "{\"metadata\":{\"finalizers\":[\"b\"]}}"},
		{"out of nothing", "{\"metadata\":{}}",
		 "{\"metadata\":{\"$deleteFromPrimitiveList/finalizers\":[\"a\"]}}",
		 "{\"metadata\":{}}"},
		{"order alone", "{\"spec\":{\"ports\":[{\"port\":1},{\"port\":2},{\"port\":3}]}}",
		 "{\"spec\":{\"$setElementOrder/ports\":[{\"port\":3},{\"port\":1},{\"port\":2}]}}",
		 "{\"spec\":{\"ports\":[{\"port\":3},{\"port\":1},{\"port\":2}]}}"},
		{"items that the order does not name stay where they were",
		 "{\"spec\":{\"ports\":[{\"port\":1},{\"port\":7},{\"port\":2},{\"port\":9}]}}",
		 "{\"spec\":{\"$setElementOrder/ports\":[{\"port\":4},{\"port\":1},{\"port\":2}],"
		 "\"ports\":[{\"port\":4}]}}",
		 "{\"spec\":{\"ports\":[{\"port\":4},{\"port\":1},{\"port\":7},{\"port\":2},"
		 "{\"port\":9}]}}"},
		{"order of a set", "{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}",
		 "{\"metadata\":{\"$setElementOrder/finalizers\":[\"c\",\"b\",\"a\"],"
		 "\"finalizers\":[\"c\"]}}",
		 "{\"metadata\":{\"finalizers\":[\"c\",\"b\",\"a\"]}}"},
		{"order of a list that is not there", "{\"spec\":{}}",
		 "{\"spec\":{\"$setElementOrder/ports\":[{\"port\":1}]}}", "{\"spec\":{}}"},
		{"a scalar becomes an object", "{\"a\":1}", "{\"a\":{\"b\":1}}",
		 "{\"a\":{\"b\":1}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		AUTO(auto_json) json_t *doc = parse(cases[i].doc);
		AUTO(auto_json) json_t *patch = parse(cases[i].patch);
		AUTO(auto_json) json_t *result = patch_strategic(doc, patch, key_of, NULL, &err);

		if (result == NULL)
			fail_msg("%s: %s", cases[i].name, err.msg);
		check(cases[i].name, doc, cases[i].doc, result, cases[i].result);
	}
}

static void test_strategic_refuses(void **state)
{
	static const struct {
		const char *name, *patch, *says;
	} cases[] = {
		{"no object", "[]", "is an object, not a list"},
		{"an item without key", "{\"spec\":{\"ports\":[{\"name\":\"x\"}]}}",
		 "spec.ports: an item lacks the key"},
		{"a scalar item", "{\"spec\":{\"ports\":[80]}}", "spec.ports: an item lacks"},
		{"unknown directive", "{\"spec\":{\"$patch\":\"drop\"}}", "spec: $patch is not"},
		{"directive of another type", "{\"$patch\":1}", "at the top: $patch is not"},
		{"retain keys", "{\"$retainKeys\":{}}", "$retainKeys must be"},
		{"delete from", "{\"$deleteFromPrimitiveList/a\":1}", "must be a (short) list"},
		{"order", "{\"spec\":{\"$setElementOrder/ports\":1}}",
		 "spec.ports: $setElementOrder"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		AUTO(auto_json) json_t *doc = parse("{\"spec\":{\"ports\":[{\"port\":1}]}}");
		AUTO(auto_json) json_t *patch = parse(cases[i].patch);
		AUTO(auto_json) json_t *result = patch_strategic(doc, patch, key_of, NULL, &err);

		if (result != NULL || strstr(err.msg, cases[i].says) == NULL)
			fail_msg("%s: %p \"%s\"", cases[i].name, (void *)result, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_patch),
		cmocka_unit_test(test_json_patch_refuses),
		cmocka_unit_test(test_json_patch_limits),
		cmocka_unit_test(test_merge_patch),
		cmocka_unit_test(test_merge_patch_shares_nothing),
		cmocka_unit_test(test_strategic),
		cmocka_unit_test(test_strategic_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
