/* tests/unit/cli/test_fault.c - cli/fault.c */
#include "cli/fault.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_texts(void **state)
{
	static const struct {
		const char *name;
		long http;
		const char *body, *context, *want;
	} cases[] = {
		{"a Status", 404,
		 "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"gateways.g \\\"x\\\" "
		 "not "
		 "found\"}",
		 NULL, "Error from server (NotFound): gateways.g \"x\" not found\n"},
		{"with what was being done", 409,
		 "{\"reason\":\"AlreadyExists\",\"message\":\"it already exists\"}",
		 "error when creating \"STDIN\": ",
		 "Error from server (AlreadyExists): error when creating \"STDIN\": it already "
		 "exists\n"},
		{"without reason", 500, "{\"message\":\"boom\"}", NULL,
		 "Error from server: boom\n"},
		{"invalid, one cause", 422,
		 "{\"reason\":\"Invalid\",\"message\":\"all\",\"details\":{\"name\":\"bad\","
		 "\"kind\":"
		 "\"Gateway\",\"causes\":[{\"field\":\"spec.x\",\"message\":\"Required value\"}]}}",
		 "error when creating \"STDIN\": ",
		 "The Gateway \"bad\" is invalid: spec.x: Required value\n"},
		{"invalid, several causes", 422,
		 "{\"reason\":\"Invalid\",\"message\":\"all\",\"details\":{\"name\":\"bad\","
		 "\"kind\":"
		 "\"Gateway\",\"causes\":[{\"field\":\"a\",\"message\":\"A\"},{\"message\":\"B\"}]}"
		 "}",
		 NULL, "The Gateway \"bad\" is invalid: \n* a: A\n* B\n"},
		{"invalid, no cause", 422, "{\"reason\":\"Invalid\",\"message\":\"all\"}", NULL,
		 "The request is invalid: all\n"},
		{"no Status", 502, "<html>", NULL, "error: the server answered 502: <html>\n"},
		{"JSON, but no Status", 500, "[1]", NULL, "error: the server answered 500: [1]\n"},
		{"nothing", 500, "", NULL, "error: the server answered 500: \n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fault fault;
		struct buf text;

		fault_init(&fault);
		assert_false(fault_is_set(&fault));
		fault_set_answer(&fault, cases[i].http, sv_from(cases[i].body));
		assert_true(fault_is_set(&fault));
		buf_init(&text, 65536);
		fault_text(&fault, cases[i].context, &text);
		if (strcmp(buf_cstr(&text), cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].name, buf_cstr(&text));
		buf_deinit(&text);
		fault_deinit(&fault);
	}
}

static void test_own_words(void **state)
{
	struct fault fault;
	struct buf text;

	(void)state;
	fault_init(&fault);
	err_set(&fault.err, ERR_IO, "cannot connect");
	assert_true(fault_is_set(&fault));
	assert_false(fault_is(&fault, "NotFound"));
	buf_init(&text, 1024);
	fault_text(&fault, NULL, &text);
	assert_string_equal(buf_cstr(&text), "error: cannot connect\n");
	buf_deinit(&text);
	fault_deinit(&fault);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_own_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
