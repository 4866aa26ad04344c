/* What apply keeps, replaces and merges. */
#include "resource/apply.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

static json_t *parse(const char *text)
{
	struct err err = {.code = ERR_NONE};
	json_t *value = json_parse(sv_from(text), &err);

	if (value == NULL)
		fail_msg("%s: %s", text, err.msg);
	return value;
}

static void test_apply(void **state)
{
	static const struct {
		const char *name, *old, *doc, *want;
	} cases[] = {
		{"spec is replaced, not merged", "{'metadata':{'name':'a'},'spec':{'x':1,'y':2}}",
		 "{'metadata':{'name':'a'},'spec':{'x':3}}",
		 "{'metadata':{'name':'a'},'spec':{'x':3}}"},
		{"data that the manifest no longer has goes",
		 "{'metadata':{'name':'a'},'data':{'k':'v'},'type':'t'}",
		 "{'metadata':{'name':'a'}}", "{'metadata':{'name':'a'}}"},
		{"status stays, whatever the manifest says",
		 "{'metadata':{},'status':{'ready':true}}", "{'metadata':{},'status':{'ready':0}}",
		 "{'metadata':{},'status':{'ready':true}}"},
		{"a status is not made", "{'metadata':{}}", "{'metadata':{},'status':{'ready':0}}",
		 "{'metadata':{}}"},
		{"labels and annotations are merged",
		 "{'metadata':{'labels':{'a':'1','b':'1'},'annotations':{'x':'1'}}}",
		 "{'metadata':{'labels':{'b':'2','c':'2'},'annotations':{'y':'2'}}}",
		 "{'metadata':{'labels':{'a':'1','b':'2','c':'2'},"
		 "'annotations':{'x':'1','y':'2'}}}"},
		{"null removes a label", "{'metadata':{'labels':{'a':'1','b':'1'}}}",
		 "{'metadata':{'labels':{'a':null}}}", "{'metadata':{'labels':{'b':'1'}}}"},
		{"null labels change none", "{'metadata':{'labels':{'a':'1'}}}",
		 "{'metadata':{'labels':null}}", "{'metadata':{'labels':{'a':'1'}}}"},
		{"a null creationTimestamp leaves the old one",
		 "{'metadata':{'uid':'u','creationTimestamp':'t'}}",
		 "{'metadata':{'creationTimestamp':null}}",
		 "{'metadata':{'uid':'u','creationTimestamp':'t'}}"},
		{"finalizers that the manifest names are its own",
		 "{'metadata':{'finalizers':['a']}}", "{'metadata':{'finalizers':['b']}}",
		 "{'metadata':{'finalizers':['b']}}"},
		{"labels of a wrong type come through to be refused",
		 "{'metadata':{'labels':{'a':'1'}}}", "{'metadata':{'labels':[1]}}",
		 "{'metadata':{'labels':[1]}}"},
		{"metadata of a wrong type come through to be refused", "{'metadata':{'uid':'u'}}",
		 "{'metadata':7}", "{'metadata':7}"},
		{"no metadata at all", "{'metadata':{'uid':'u'}}", "{'spec':{}}",
		 "{'metadata':{'uid':'u'},'spec':{}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *texts[] = {cases[i].old, cases[i].doc, cases[i].want};
		json_t *values[3];

		for (size_t k = 0; k < 3; k++) {
			AUTO(auto_free) char *text = xstrdup(texts[k]);

			for (char *at = text; *at != '\0'; at++)
				*at = *at == '\'' ? '"' : *at;
			values[k] = parse(text);
		}

		AUTO(auto_free) char *before = json_text_sorted(values[0]);
		AUTO(auto_json) json_t *got = kind_apply(values[0], values[1]);
		AUTO(auto_free) char *after = json_text_sorted(values[0]);
		AUTO(auto_free) char *got_text = json_text_sorted(got);

		if (!json_same(got, values[2]))
			fail_msg("%s: got %s", cases[i].name, got_text);
		assert_string_equal(before, after);
		for (size_t k = 0; k < 3; k++)
			json_decref(values[k]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_apply)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
