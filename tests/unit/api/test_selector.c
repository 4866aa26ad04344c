/* Which objects selectors mean, and which selectors are refused. */
#include "api/selector.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_labels(void **state)
{
	static const struct {
		const char *text;
		int want; /* -1: refused */
	} cases[] = {
		{"", 1},
		{"app=x", 1},
		{"app==x", 1},
		{" app = x ", 1},
		{"app=y", 0},
		{"app=", 0},
		{"empty=", 1},
		{"app!=x", 0},
		{"app!=y", 1},
		{"other!=y", 1},
		{"other=y", 0},
		{"other=", 0},
		{"app", 1},
		{"other", 0},
		{"!app", 0},
		{"! other", 1},
		{"app in (x)", 1},
		{"app in (y, x)", 1},
		{"app in (y,z)", 0},
		{"other in (y)", 0},
		{"app notin (x,y)", 0},
		{"app notin (y)", 1},
		{"other notin (y)", 1},
		{"app in (x,y),a.b/c=1", 1},
		{"app in (x,y),a.b/c=2", 0},
		{"app,", 1},
		{",app", -1},
		{"app,,app", -1},
		{"a=b=c", -1},
		{"=b", -1},
		{"!", -1},
		{"app in x", -1},
		{"app in (x", -1},
		{"app on (x)", -1},
		{"in (x)", -1},
		{"app>1", -1},
		{"app=x y", -1},
		{"a\nb", -1},
	};
	AUTO(auto_json)
	json_t *object = json_pack("{s:{s:{s:s,s:s,s:s}}}", "metadata", "labels", "app", "x",
				   "a.b/c", "1", "empty", "");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct selector selector = {.count = 0};
		struct err err = {.code = ERR_NONE};
		int got = -1;

		if (selector_add_labels(&selector, cases[i].text, &err) == 0)
			got = selector_matches(&selector, object);
		if (got != cases[i].want)
			fail_msg("%s: %d (%s)", cases[i].text, got, err.msg);
	}
}

static void test_fields(void **state)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{"metadata.name=a", 1},
		{"metadata.name==a,involvedObject.name=g", 1},
		{"metadata.name!=a", 0},
		{"involvedObject.namespace=", 1},
		{"involvedObject.uid!=u", 1},
		{"type=Normal", 1},
		{"spec.x=1", -1},
		{"metadata.name", -1},
		{"metadata.name in (a)", -1},
	};
	const struct kind *kind = kind_by_gvk(SV("v1"), SV("Event"));
	AUTO(auto_json)
	json_t *object = json_pack("{s:{s:s},s:{s:s},s:s}", "metadata", "name", "a",
				   "involvedObject", "name", "g", "type", "Normal");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct selector selector = {.count = 0};
		struct err err = {.code = ERR_NONE};
		int got = -1;

		if (selector_add_fields(&selector, kind, cases[i].text, &err) == 0)
			got = selector_matches(&selector, object);
		if (got != cases[i].want)
			fail_msg("%s: %d (%s)", cases[i].text, got, err.msg);
	}
}

static void test_too_many(void **state)
{
	struct selector selector = {.count = 0};
	struct err err = {.code = ERR_NONE};
	struct buf text;

	(void)state;
	buf_init(&text, 4096);
	for (size_t i = 0; i < SELECTOR_TERMS_MAX; i++)
		buf_addf(&text, "a%zu,", i);
	assert_int_equal(selector_add_labels(&selector, buf_cstr(&text), &err), 0);
	assert_int_equal(selector_add_labels(&selector, "b", &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	buf_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
