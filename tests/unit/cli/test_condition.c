/* tests/unit/cli/test_condition.c - cli/condition.c, cli/story.c */
#include "cli/condition.h"

#include "base/own.h"
#include "cli/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
	struct err err = {.code = ERR_NONE};
	json_t *value = json_parse(sv_from(text), &err);

	if (value == NULL)
		fail_msg("%s: %s", text, err.msg);
	return value;
}

static void test_met(void **state)
{
	static const struct {
		const char *name, *object, *type, *value;
		bool met;
	} cases[] = {
		{"true", "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
		 "Ready", "True", true},
		{"types and values in any case",
		 "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
		 "ready", "true", true},
		{"false",
		 "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]}}",
		 "Ready", "True", false},
		{"false is asked for",
		 "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]}}",
		 "Ready", "False", true},
		{"absent", "{\"status\":{\"conditions\":[]}}", "Ready", "True", false},
		{"no status", "{}", "Ready", "True", false},
		{"about an older generation",
		 "{\"metadata\":{\"generation\":2},\"status\":{\"conditions\":[{\"type\":\"Ready\","
		 "\"status\":\"True\",\"observedGeneration\":1}]}}",
		 "Ready", "True", false},
		{"about this generation",
		 "{\"metadata\":{\"generation\":2},\"status\":{\"conditions\":[{\"type\":\"Ready\","
		 "\"status\":\"True\",\"observedGeneration\":2}]}}",
		 "Ready", "True", true},
		{"the status as a whole is older",
		 "{\"metadata\":{\"generation\":2},\"status\":{\"observedGeneration\":1,"
		 "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
		 "Ready", "True", false},
		{"all parents of a route",
		 "{\"status\":{\"parents\":[{\"conditions\":[{\"type\":\"Accepted\",\"status\":"
		 "\"True\"}]},{\"conditions\":[{\"type\":\"Accepted\",\"status\":\"True\"}]}]}}",
		 "Accepted", "True", true},
		{"one parent of a route",
		 "{\"status\":{\"parents\":[{\"conditions\":[{\"type\":\"Accepted\",\"status\":"
		 "\"True\"}]},{\"conditions\":[{\"type\":\"Accepted\",\"status\":\"False\"}]}]}}",
		 "Accepted", "True", false},
		{"a route without parents", "{\"status\":{\"parents\":[]}}", "Accepted", "True",
		 false},
		{"odd values", "{\"status\":{\"conditions\":[3,null,{\"type\":7}]}}", "Ready",
		 "True", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *object = parse(cases[i].object);

		if (condition_met(object, sv_from(cases[i].type), sv_from(cases[i].value)) !=
		    cases[i].met)
			fail_msg("%s", cases[i].name);
	}
}

static void test_words(void **state)
{
	AUTO(auto_json)
	json_t *object = parse(
		"{\"metadata\":{\"generation\":2},\"status\":{\"conditions\":[{\"type\":"
		"\"Ready\",\"status\":\"False\",\"reason\":\"Missing\",\"message\":\"no Secret\","
		"\"observedGeneration\":1}]}}");
	struct buf text;

	(void)state;
	buf_init(&text, 1024);
	condition_words(object, SV("Ready"), &text);
	assert_string_equal(buf_cstr(&text), "Ready is False (Missing): no Secret; this is about "
					     "an older generation of the object");
	buf_reset(&text);
	condition_words(object, SV("Issuing"), &text);
	assert_string_equal(buf_cstr(&text), "it has no condition Issuing yet");
	buf_deinit(&text);
}

/* ---- the story of an order ---- */

#define CERTIFICATE(status) "{\"metadata\":{\"name\":\"c\",\"uid\":\"c1\"},\"status\":" status "}"
#define ISSUING             CERTIFICATE("{\"conditions\":[{\"type\":\"Issuing\",\"status\":\"True\"}]}")
#define REQUEST(uid, revision)                                                             \
	"{\"metadata\":{\"name\":\"c-" revision "\",\"uid\":\"" uid "\",\"annotations\":"  \
	"{\"cert-manager.io/certificate-revision\":\"" revision "\"},\"ownerReferences\":" \
	"[{\"uid\":\"c1\"}]}}"
#define ORDER(owner, status)                                                                  \
	"{\"metadata\":{\"name\":\"o\",\"uid\":\"o1\",\"ownerReferences\":[{\"uid\":\"" owner \
	"\"}]},\"status\":" status "}"
#define CHALLENGE(state)                                                                \
	"{\"metadata\":{\"ownerReferences\":[{\"uid\":\"o1\"}]},\"spec\":{\"dnsName\":" \
	"\"a.test\"},\"status\":{\"state\":\"" state "\"}}"

static void test_steps(void **state)
{
	static const struct {
		const char *name, *certificate, *requests, *orders, *challenges;
		enum step step;
		const char *note;
	} cases[] = {
		{"ready",
		 CERTIFICATE("{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}"), "[]",
		 "[]", "[]", STEP_DONE, ""},
		{"nothing yet", ISSUING, "[]", "[]", "[]", STEP_ACCOUNT, ""},
		{"a request", ISSUING, "[" REQUEST("r1", "1") "]", "[]", "[]", STEP_ACCOUNT, ""},
		{"a new order", ISSUING, "[" REQUEST("r1", "1") "]", "[" ORDER("r1", "{}") "]",
		 "[]", STEP_ORDER, ""},
		{"pending", ISSUING, "[" REQUEST("r1", "1") "]",
		 "[" ORDER("r1", "{\"state\":\"pending\"}") "]", "[]", STEP_ORDER, ""},
		{"challenges", ISSUING, "[" REQUEST("r1", "1") "]",
		 "[" ORDER("r1", "{\"state\":\"pending\"}") "]",
		 "[" CHALLENGE("valid") "," CHALLENGE("pending") "]", STEP_CHALLENGE, "a.test"},
		{"all names proved", ISSUING, "[" REQUEST("r1", "1") "]",
		 "[" ORDER("r1", "{\"state\":\"pending\"}") "]", "[" CHALLENGE("valid") "]",
		 STEP_FINALIZE, ""},
		{"ready", ISSUING, "[" REQUEST("r1", "1") "]",
		 "[" ORDER("r1", "{\"state\":\"ready\"}") "]", "[]", STEP_FINALIZE, ""},
		{"valid", ISSUING, "[" REQUEST("r1", "1") "]",
		 "[" ORDER("r1", "{\"state\":\"valid\"}") "]", "[]", STEP_CERTIFICATE, ""},
		{"failed", ISSUING, "[" REQUEST("r1", "1") "]",
		 "[" ORDER("r1", "{\"state\":\"invalid\",\"reason\":\"CAA\"}") "]", "[]",
		 STEP_FAILED, "CAA"},
		{"the newest request counts", ISSUING,
		 "[" REQUEST("r10", "10") "," REQUEST("r9", "9") "]",
		 "[" ORDER("r10", "{\"state\":\"ready\"}") "," ORDER("r9",
								     "{\"state\":\"valid\"}") "]",
		 "[]", STEP_FINALIZE, ""},
		{"the last renewal's request does not",
		 CERTIFICATE("{\"revision\":1,\"conditions\":[{\"type\":\"Issuing\",\"status\":"
			     "\"True\"}]}"),
		 "[" REQUEST("r1", "1") "]", "[" ORDER("r1", "{\"state\":\"valid\"}") "]", "[]",
		 STEP_ACCOUNT, ""},
		{"an order of the certificate itself", ISSUING, "[]",
		 "[" ORDER("c1", "{\"state\":\"ready\"}") "]", "[]", STEP_FINALIZE, ""},
		{"somebody else's order", ISSUING, "[" REQUEST("r1", "1") "]",
		 "[" ORDER("zz", "{\"state\":\"ready\"}") "]", "[]", STEP_ACCOUNT, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *certificate = parse(cases[i].certificate);
		AUTO(auto_json) json_t *requests = parse(cases[i].requests);
		AUTO(auto_json) json_t *orders = parse(cases[i].orders);
		AUTO(auto_json) json_t *challenges = parse(cases[i].challenges);
		struct story story;
		struct buf note;
		enum step step;

		story_init(&story, certificate, requests, orders);
		story_add_challenges(&story, challenges);
		step = story_step(&story);
		buf_init(&note, 1024);
		story_note(&story, step, &note);
		if (step != cases[i].step || strcmp(buf_cstr(&note), cases[i].note) != 0)
			fail_msg("%s: %s %s", cases[i].name, step_word(step), buf_cstr(&note));
		buf_deinit(&note);
		story_deinit(&story);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_met),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
