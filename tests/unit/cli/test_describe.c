/* tests/unit/cli/test_describe.c - cli/describe_value.c, cli/describe_events.c */
#include "cli/describe.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1767323100 /* 2026-01-02T03:05:00Z */

static json_t *parse(const char *text)
{
	struct err err = {.code = ERR_NONE};
	json_t *value = json_parse(sv_from(text), &err);

	if (value == NULL)
		fail_msg("%s: %s", text, err.msg);
	return value;
}

static void check(const char *name, struct buf *out, const char *want)
{
	if (strcmp(buf_cstr(out), want) != 0)
		fail_msg("%s:\n%s", name, buf_cstr(out));
	buf_deinit(out);
}

static void test_labels(void **state)
{
	static const struct {
		const char *key, *want;
	} cases[] = {
		{"name", "Name"},
		{"creationTimestamp", "Creation Timestamp"},
		{"uid", "UID"},
		{"acme", "ACME"},
		{"dnsNames", "DNS Names"},
		{"finalizeURL", "Finalize URL"},
		{"http01", "Http01"},
		{"gatewayHTTPRoute", "Gateway HTTPRoute"},
		{"tls.crt", "tls.crt"},
		{"a-b", "a-b"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;

		buf_init(&out, 256);
		describe_label(cases[i].key, &out);
		check(cases[i].key, &out, cases[i].want);
	}
}

static void test_members(void **state)
{
	static const struct {
		const char *name, *kind, *object, *want;
	} cases[] = {
		{"scalars", "A", "{\"a\":\"x\",\"longName\":3,\"on\":true,\"no\":null}",
		 "A:          x\nLong Name:  3\nNo:         <none>\nOn:         true\n"},
		{"objects", "A", "{\"b\":{\"c\":{\"d\":\"e\"}},\"f\":{}}",
		 "B:\n  C:\n    D:  e\nF:  <none>\n"},
		{"lists", "A",
		 "{\"l\":[\"a\",2],\"o\":[{\"z\":1,\"name\":\"n\"},{\"name\":\"m\"}],\"e\":[]}",
		 "E:  <none>\nL:\n  a\n  2\nO:\n  - Name:  n\n    Z:     1\n  - Name:  m\n"},
		{"conditions", "A",
		 "{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"reason\":\"Ok\","
		 "\"message\":\"all is well\",\"lastTransitionTime\":\"2026-01-02T03:04:05Z\"},"
		 "{\"type\":\"Issuing\",\"status\":\"False\"}]}",
		 "Conditions:\n"
		 "  Type     Status  Reason  Age        Message\n"
		 "  ----     ------  ------  ---        -------\n"
		 "  Ready    True    Ok      55s        all is well\n"
		 "  Issuing  False           <unknown>  \n"},
		{"several lines", "A", "{\"message\":\"one\\ntwo\\n\"}",
		 "Message:  one\n          two\n"},
		{"keys of challenges are hidden", "Challenge",
		 "{\"spec\":{\"key\":\"abc.def\",\"token\":\"t\",\"dnsName\":\"a\"}}",
		 "Spec:\n  DNS Name:  a\n  Key:       <hidden>\n  Token:     <hidden>\n"},
		{"other keys are not", "A", "{\"key\":\"k\"}", "Key:  k\n"},
		{"bulk", "A",
		 "{\"caBundle\":"
		 "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		 "AAAA\"}",
		 "CA Bundle:  <72 bytes>\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *object = parse(cases[i].object);
		struct describe_how how = {.kind = cases[i].kind, .now = NOW};
		struct buf out;

		buf_init(&out, 65536);
		describe_members(&how, object, &out);
		check(cases[i].name, &out, cases[i].want);
	}
}

static void test_maps(void **state)
{
	AUTO(auto_json)
	json_t *map = parse("{\"b\":\"2\",\"a\":\"1\",\"kubectl.kubernetes.io/"
			    "last-applied-configuration\":\"secret\"}");
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	describe_map("Labels:", map, &out);
	describe_map("Annotations:", NULL, &out);
	check("maps", &out, "Labels:       a=1\n              b=2\nAnnotations:  <none>\n");
}

static void test_secret(void **state)
{
	AUTO(auto_json)
	json_t *secret = parse(
		"{\"type\":\"kubernetes.io/tls\",\"data\":{\"tls.crt\":\"aGVsbG8=\",\"tls.key\":"
		"\"d29ybGQh\",\"odd\":\"%%%\"}}");
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	describe_secret(secret, &out);
	assert_null(strstr(buf_cstr(&out), "aGVs"));
	assert_null(strstr(buf_cstr(&out), "hello"));
	check("a Secret", &out,
	      "\nType:  kubernetes.io/tls\n\nData\n====\nodd:      0 bytes\ntls.crt:  5 bytes\n"
	      "tls.key:  6 bytes\n");
}

static void test_events(void **state)
{
	AUTO(auto_json)
	json_t *events = parse(
		"[{\"type\":\"Warning\",\"reason\":\"Failed\",\"message\":\"no\",\"count\":3,"
		"\"firstTimestamp\":\"2026-01-02T03:02:05Z\",\"lastTimestamp\":\"2026-01-02T03:04:"
		"58Z\","
		"\"source\":{\"component\":\"sallyport\"},\"involvedObject\":{\"kind\":\"Order\","
		"\"name\":\"o\"}},"
		"{\"type\":\"Normal\",\"reason\":\"Made\",\"message\":\"yes\","
		"\"lastTimestamp\":\"2026-01-02T03:04:00Z\",\"source\":{\"component\":"
		"\"sallyport\"},"
		"\"involvedObject\":{\"kind\":\"Certificate\",\"name\":\"c\"}}]");
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	describe_events(events, false, NOW, &out);
	check("events, oldest first", &out,
	      "Events:\n"
	      "  Type     Reason  Age                 From       Message\n"
	      "  ----     ------  ---                 ----       -------\n"
	      "  Normal   Made    60s                 sallyport  yes\n"
	      "  Warning  Failed  2s (x3 over 2m55s)  sallyport  no\n");
	buf_init(&out, 65536);
	describe_events(NULL, true, NOW, &out);
	check("none", &out, "Events:       <none>\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels), cmocka_unit_test(test_members),
		cmocka_unit_test(test_maps),   cmocka_unit_test(test_secret),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
