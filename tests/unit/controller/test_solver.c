/* Which solver is for a name: selectors as cert-manager ranks them, what a type can prove, what the
 * CA offers. */
#include "base/own.h"
#include "controller/solver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define HTTP(mark, selector) "{\"http01\":{\"mark\":\"" mark "\"},\"selector\":{" selector "}}"
#define LABELS(text)         "\"matchLabels\":{" text "}"
#define NAMES(text)          "\"dnsNames\":[" text "]"
#define ZONES(text)          "\"dnsZones\":[" text "]"

struct choice {
	const char *name, *solvers, *labels, *asked, *offers;
	const char *mark;  /* of the one chosen; NULL: none */
	const char *words; /* in the sentence */
};

static json_t *parse(const char *text)
{
	json_t *value = text == NULL ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);

	assert_true(text == NULL || value != NULL);
	return value;
}

static const char *mark_of(const json_t *solver)
{
	const char *member;
	json_t *value;

	json_object_foreach((json_t *)solver, member, value)
	{
		const char *mark = json_string_value(json_object_get(value, "mark"));

		if (mark != NULL)
			return mark;
	}
	return "";
}

static void check(const struct choice *wanted)
{
	AUTO(auto_json) json_t *solvers = parse(wanted->solvers);
	AUTO(auto_json) json_t *labels = parse(wanted->labels);
	AUTO(auto_json) json_t *offers = parse(wanted->offers);
	AUTO(auto_json) json_t *solver = NULL;
	struct solver_question question = {.solvers = solvers,
					   .issuer = "Issuer i",
					   .labels = labels,
					   .name = sv_from(wanted->asked),
					   .offers = offers};
	struct err err = {0};
	const struct solver_type *type = solver_choose(&question, &solver, &err);

	if ((type != NULL) != (wanted->mark != NULL) ||
	    (type != NULL && strcmp(mark_of(solver), wanted->mark) != 0))
		fail_msg("%s: %s %s", wanted->name, type == NULL ? "none" : mark_of(solver),
			 err.msg);
	if (wanted->words != NULL && strstr(err.msg, wanted->words) == NULL)
		fail_msg("%s: \"%s\" is not in \"%s\"", wanted->name, wanted->words, err.msg);
}

static void test_selectors(void **state)
{
	static const struct choice cases[] = {
		{"no solvers: HTTP-01", NULL, NULL, "a.example", NULL, "", NULL},
		{"an empty list: HTTP-01", "[]", NULL, "a.example", NULL, "", NULL},
		{"without selector", "[{\"http01\":{\"mark\":\"a\"}}]", NULL, "a.example", NULL,
		 "a", NULL},
		{"the first of equals", "[" HTTP("a", "") "," HTTP("b", "") "]", NULL, "a.example",
		 NULL, "a", NULL},
		{"labels before none",
		 "[" HTTP("a", "") "," HTTP("b", LABELS("\"team\":\"x\"")) "]", "{\"team\":\"x\"}",
		 "a.example", NULL, "b", NULL},
		{"more labels first",
		 "[" HTTP("a", LABELS("\"t\":\"x\"")) "," HTTP(
			 "b", LABELS("\"t\":\"x\",\"u\":\"y\"")) "]",
		 "{\"t\":\"x\",\"u\":\"y\"}", "a.example", NULL, "b", NULL},
		{"another label", "[" HTTP("a", LABELS("\"team\":\"x\"")) "]", "{\"team\":\"y\"}",
		 "a.example", NULL, NULL, "no solver of Issuer i is for this name"},
		{"no label", "[" HTTP("a", LABELS("\"team\":\"x\"")) "]", NULL, "a.example", NULL,
		 NULL, "no solver"},
		{"a zone before labels",
		 "[" HTTP("a", LABELS("\"t\":\"x\",\"u\":\"y\"")) "," HTTP(
			 "b", ZONES("\"example\"")) "]",
		 "{\"t\":\"x\",\"u\":\"y\"}", "a.example", NULL, "b", NULL},
		{"the longest zone",
		 "[" HTTP("a", ZONES("\"example\"")) "," HTTP(
			 "b", ZONES("\"x.test\",\"sub.a.example\",\"a."
				    "example\"")) "," HTTP("c", ZONES("\"other."
								      "test\"")) "]",
		 NULL, "www.a.example", NULL, "b", NULL},
		{"the zone itself", "[" HTTP("a", ZONES("\"a.example\"")) "]", NULL, "A.Example",
		 NULL, "a", NULL},
		{"no zone by letters alone", "[" HTTP("a", ZONES("\"a.example\"")) "]", NULL,
		 "ba.example", NULL, NULL, "no solver"},
		{"same zone, more labels",
		 "[" HTTP("a", ZONES("\"example\"")) "," HTTP(
			 "b", ZONES("\"example\"") "," LABELS("\"t\":\"x\"")) "]",
		 "{\"t\":\"x\"}", "a.example", NULL, "b", NULL},
		{"a name before the zone",
		 "[" HTTP("a", ZONES("\"a.example\"")) "," HTTP("b", NAMES("\"a.example\"")) "]",
		 NULL, "a.example", NULL, "b", NULL},
		{"another name", "[" HTTP("a", NAMES("\"b.example\"")) "]", NULL, "a.example", NULL,
		 NULL, "no solver"},
		{"name and zone must both fit",
		 "[" HTTP("a", NAMES("\"a.example\"") "," ZONES("\"test\"")) "]", NULL, "a.example",
		 NULL, NULL, "no solver"},
		{"a name longer than the asked one", "[" HTTP("a", ZONES("\"www.a.example\"")) "]",
		 NULL, "a.example", NULL, NULL, "no solver"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&cases[i]);
}

static void test_what_a_type_can_prove(void **state)
{
	static const struct choice cases[] = {
		{"wildcard", "[" HTTP("a", "") "]", NULL, "*.a.example", NULL, NULL,
		 "a wildcard name can only be validated by DNS-01, and the solver of Issuer i for "
		 "this name is http01: add a dns01 solver"},
		{"wildcard without solvers", NULL, NULL, "*.a.example", NULL, NULL, "DNS-01"},
		{"an address", "[" HTTP("a", "") "]", NULL, "192.0.2.1", NULL, "a", NULL},
		{"a type that is not known", "[{\"later01\":{}}]", NULL, "a.example", NULL, NULL,
		 "of an unknown type"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&cases[i]);
}

static void test_what_is_offered(void **state)
{
	static const struct choice cases[] = {
		{"offered", "[" HTTP("a", "") "]", NULL, "a.example",
		 "[{\"type\":\"dns-01\"},{\"type\":\"http-01\"}]", "a", NULL},
		{"not offered", "[" HTTP("a", "") "]", NULL, "a.example",
		 "[{\"type\":\"dns-01\"},{\"type\":\"tls-alpn-01\"}]", NULL,
		 "the CA offers no http-01 challenge for a.example, but only: dns-01, tls-alpn-01; "
		 "the solver of Issuer i for this name is http01"},
		{"nothing is offered", "[" HTTP("a", "") "]", NULL, "a.example", "[]", NULL,
		 "but only: nothing"},
		{"types of a hostile length are cut", "[" HTTP("a", "") "]", NULL, "a.example",
		 "[{\"type\":"
		 "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}]",
		 NULL, "the CA offers no http-01"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&cases[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_selectors),
					   cmocka_unit_test(test_what_a_type_can_prove),
					   cmocka_unit_test(test_what_is_offered)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
