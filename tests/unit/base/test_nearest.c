/* base/nearest.c */
#include "base/nearest.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const char *const known[] = {"get",       "label",    "listeners", "hostname",
				    "hostnames", "describe", "port",      "protocol",
				    "rules",     "tls",      "gateways",  "httproutes"};

static void test_words(void **state)
{
	static const struct {
		const char *word, *best;
	} cases[] = {
		{"gte", "get"},
		{"gett", "get"},
		{"ge", "get"},
		{"gatways", "gateways"},
		{"Gateways", "gateways"},
		{"listners", "listeners"},
		{"lsitenres", "listeners"},
		{"hostname", "hostname"},
		{"hostnme", "hostname"},
		{"hostnamess", "hostnames"},
		{"descirbe", "describe"},
		{"potr", "port"},
		{"pods", NULL}, /* two letters of four are another word */
		{"colour", NULL},
		{"", NULL},
		{"g", NULL},
		{"backendRefs", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct nearest nearest;

		nearest_init(&nearest, sv_from(cases[i].word));
		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			nearest_offer(&nearest, known[k]);
		if ((nearest.best == NULL) != (cases[i].best == NULL) ||
		    (nearest.best != NULL && strcmp(nearest.best, cases[i].best) != 0))
			fail_msg("%s: %s", cases[i].word,
				 nearest.best == NULL ? "none" : nearest.best);
	}
}

static void test_long_words(void **state)
{
	char text[NEAREST_LEN_MAX + 2];
	struct nearest nearest;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[NEAREST_LEN_MAX + 1] = '\0';
	nearest_init(&nearest, sv_from(text));
	nearest_offer(&nearest, text);
	assert_null(nearest.best);
	text[NEAREST_LEN_MAX] = '\0';
	nearest_init(&nearest, sv_from(text));
	nearest_offer(&nearest, text);
	assert_string_equal(nearest.best, text);
	nearest_init(&nearest, SV("ab"));
	nearest_offer(&nearest, text);
	nearest_offer(&nearest, "");
	assert_null(nearest.best);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_long_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
