/* Problem documents: what they say, fit for a terminal, and what follows from them. */
#include "acme/problem.h"

#include "acme/words.h"
#include "base/own.h"
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define URN "urn:ietf:params:acme:error:"

static void test_parse(void **state)
{
	static const struct {
		const char *name, *body;
		long status;
		const char *type, *text;
	} cases[] = {
		{"inside an object, without words", "{\"type\":\"" URN "rateLimited\"}", 0,
		 "rateLimited", "rateLimited without a reason"},
		{"a plain problem", "{\"type\":\"" URN "malformed\",\"detail\":\"no\"}", 400,
		 "malformed", "no"},
		{"RFC 8555, section 6.7.1: subproblems",
		 "{\"type\":\"" URN "malformed\",\"detail\":\"Some of the identifiers\","
		 "\"subproblems\":[{\"type\":\"" URN
		 "malformed\",\"detail\":\"Invalid underscore\","
		 "\"identifier\":{\"type\":\"dns\",\"value\":\"_example.org\"}},"
		 "{\"type\":\"" URN "rejectedIdentifier\",\"detail\":\"will not issue\","
		 "\"identifier\":{\"type\":\"dns\",\"value\":\"example.net\"}}]}",
		 403, "malformed",
		 "Some of the identifiers; _example.org: Invalid underscore (malformed); "
		 "example.net: will not issue (rejectedIdentifier)"},
		{"control characters do not pass",
		 "{\"type\":\"" URN "dns\",\"detail\":\"a\\u001b[2Jb\\nc\\u009bd\\u202ee\"}", 400,
		 "dns", "a?[2Jb c?d?e"},
		{"other languages do", "{\"detail\":\"gr\\u00fc\\u00df\"}", 400, "",
		 "gr\xc3\xbc\xc3\x9f"},
		{"a type of somebody else's", "{\"type\":\"https://x.example/e\",\"detail\":\"d\"}",
		 400, "", "d (type https://x.example/e)"},
		{"a type that is no word", "{\"type\":\"" URN "a b\",\"detail\":\"d\"}", 400, "",
		 "d (type " URN "a b)"},
		{"a title for want of a detail", "{\"title\":\"t\"}", 400, "", "t"},
		{"wrong types everywhere", "{\"type\":7,\"detail\":[],\"subproblems\":{\"a\":1}}",
		 500, "", "HTTP status 500 without a reason"},
		{"an array", "[1]", 502, "", "HTTP status 502 without a reason"},
		{"subproblems that are no objects", "{\"detail\":\"d\",\"subproblems\":[1,null]}",
		 400, "", "d; ; "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *body = json_parse(sv_from(cases[i].body), NULL);
		struct acme_problem problem;

		assert_non_null(body);
		acme_problem_parse(body, cases[i].status, &problem);
		if (strcmp(problem.type, cases[i].type) != 0 ||
		    strcmp(problem.text, cases[i].text) != 0)
			fail_msg("%s: %s: %s", cases[i].name, problem.type, problem.text);
	}
}

static void test_cut(void **state)
{
	struct acme_problem problem;
	AUTO(auto_json) json_t *body = json_object();
	json_t *list = json_array();
	char *detail = xcalloc(1, 5001);

	(void)state;
	memset(detail, 'x', 5000);
	json_object_set_new(body, "detail", json_string(detail));
	for (int i = 0; i < 1000; i++)
		json_array_append_new(list, json_object());
	json_object_set_new(body, "subproblems", list);
	acme_problem_parse(body, 400, &problem);
	assert_int_equal(strlen(problem.text), sizeof(problem.text) - 1);
	assert_true(sv_ends(sv_from(problem.text), SV("x...")));

	json_object_set_new(body, "detail", json_string("d"));
	acme_problem_parse(body, 400, &problem);
	assert_true(sv_ends(sv_from(problem.text), SV("; and 992 more")));
	acme_problem_parse(NULL, 0, &problem);
	assert_string_equal(problem.text, "");
	free(detail);
}

static void test_words_end_on_characters(void **state)
{
	char out[12] = "";

	(void)state;
	words_add(out, sizeof(out), SV("1234567\xc3\xbc\xc3\xbc\xc3\xbc"));
	assert_string_equal(out, "1234567...");
	out[0] = '\0';
	words_add(out, sizeof(out), SV("a\xff\xc3(\xed\xa0\x80z"));
	assert_string_equal(out, "a?"
				 "?("
				 "???z");
}

static void test_verdict(void **state)
{
	static const struct {
		const char *type;
		long status;
		enum acme_verdict verdict;
	} cases[] = {
		{"badNonce", 400, ACME_VERDICT_NONCE},
		{"accountDoesNotExist", 400, ACME_VERDICT_ACCOUNT_GONE},
		{"rateLimited", 429, ACME_VERDICT_RATE_LIMITED},
		{"rateLimited", 503, ACME_VERDICT_RATE_LIMITED},
		{"", 429, ACME_VERDICT_RATE_LIMITED},
		{"serverInternal", 500, ACME_VERDICT_RETRY},
		{"serverInternal", 400, ACME_VERDICT_RETRY},
		{"malformed", 400, ACME_VERDICT_PERMANENT},
		{"malformed", 503, ACME_VERDICT_RETRY},
		{"unauthorized", 401, ACME_VERDICT_PERMANENT},
		{"unauthorized", 0, ACME_VERDICT_RETRY},
		{"connection", 0, ACME_VERDICT_RETRY},
		{"caa", 403, ACME_VERDICT_PERMANENT},
		{"caa", 0, ACME_VERDICT_PERMANENT},
		{"rejectedIdentifier", 400, ACME_VERDICT_PERMANENT},
		{"somethingNew", 403, ACME_VERDICT_PERMANENT},
		{"", 403, ACME_VERDICT_RETRY},
		{"", 502, ACME_VERDICT_RETRY},
		{"", 408, ACME_VERDICT_RETRY},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct acme_problem problem = {0};
		enum acme_verdict verdict;

		words_add(problem.type, sizeof(problem.type), sv_from(cases[i].type));
		verdict = acme_problem_verdict(&problem, cases[i].status);
		if (verdict != cases[i].verdict)
			fail_msg("%s %ld: %d", cases[i].type, cases[i].status, verdict);
	}
}

static void test_words_of_a_page(void **state)
{
	static const struct {
		const char *page, *want;
	} cases[] = {
		{"plain words", "plain words"},
		{"<html>\r\n<head><title>503</title></head>\n<h1>Not <b>now</b></h1>\n</html>",
		 "503 Not now"},
		{"<p>cut off <a hre", "cut off"},
		{"", ""},
		{" \n ", ""},
		{"a > b", "a > b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[64] = "";

		words_add_page(out, sizeof(out), sv_from(cases[i].page));
		assert_string_equal(out, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_words_end_on_characters),
		cmocka_unit_test(test_words_of_a_page),
		cmocka_unit_test(test_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
