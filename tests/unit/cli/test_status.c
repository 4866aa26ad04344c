/* tests/unit/cli/test_status.c - cli/status_report.c, cli/status_certs.c, cli/status_print.c */
#include "cli/status.h"

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

#define CONDITION(type, status)                                                    \
	"{\"type\":\"" type "\",\"status\":\"" status "\",\"reason\":\"Because\"," \
	"\"message\":\"of something\"}"
#define GATEWAY(whole, listener)                                                                 \
	"[{\"kind\":\"Gateway\",\"metadata\":{\"name\":\"web\",\"namespace\":\"default\"},"      \
	"\"spec\":{\"listeners\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"HTTP\"}]},"      \
	"\"status\":{\"addresses\":[{\"value\":\"0.0.0.0\"},{\"value\":\"::\"}],"                \
	"\"conditions\":[" CONDITION("Programmed", whole) "],\"listeners\":[{\"name\":"          \
							  "\"http\",\"conditions\":[" CONDITION( \
								  "Programmed", listener) "]}]}}]"
#define ROUTE(accepted, resolved)                                                         \
	"[{\"kind\":\"HTTPRoute\",\"metadata\":{\"name\":\"r\",\"namespace\":\"shop\"},"  \
	"\"spec\":{\"hostnames\":[\"a.test\",\"b.test\"]},\"status\":{\"parents\":["      \
	"{\"conditions\":[" CONDITION("Accepted", accepted) "," CONDITION("ResolvedRefs", \
									  resolved) "]}]}}]"
#define CERTIFICATE(ready, times)                                                             \
	"[{\"kind\":\"Certificate\",\"metadata\":{\"name\":\"c\",\"namespace\":\"default\"}," \
	"\"spec\":{\"dnsNames\":[\"a.test\"],\"issuerRef\":{\"name\":\"le\",\"kind\":"        \
	"\"ClusterIssuer\"}},\"status\":{" times                                              \
	"\"conditions\":[" CONDITION("Ready", ready) "]}}]"
#define FRESH                                                    \
	"\"notAfter\":\"2026-03-02T03:05:00Z\",\"renewalTime\":" \
	"\"2026-02-02T03:05:00Z\","
#define ISSUER(server)                                                                     \
	"[{\"kind\":\"ClusterIssuer\",\"metadata\":{\"name\":\"le\"},\"spec\":{\"acme\":{" \
	"\"server\":\"" server                                                             \
	"\"}},\"status\":{\"conditions\":[" CONDITION("Ready", "True") "]}}]"

static json_t *report(const char *gateways, const char *routes, const char *certificates,
		      const char *issuers, const char *events)
{
	AUTO(auto_json) json_t *g = parse(gateways);
	AUTO(auto_json) json_t *r = parse(routes);
	AUTO(auto_json) json_t *c = parse(certificates);
	AUTO(auto_json) json_t *i = parse(issuers);
	AUTO(auto_json) json_t *e = parse(events);
	struct status_lists lists = {
		.gateways = g, .routes = r, .certificates = c, .issuers = i, .events = e};

	return status_report(&lists, NOW);
}

static void test_severity(void **state)
{
	static const struct {
		const char *name, *gateways, *routes, *certificates;
		enum severity severity;
		size_t problems;
	} cases[] = {
		{"nothing there", "[]", "[]", "[]", SEVERITY_OK, 0},
		{"all is well", GATEWAY("True", "True"), ROUTE("True", "True"),
		 CERTIFICATE("True", FRESH), SEVERITY_OK, 0},
		{"a listener is not programmed", GATEWAY("True", "False"), "[]", "[]",
		 SEVERITY_DEGRADED, 1},
		{"a Gateway is not served", GATEWAY("False", "False"), "[]", "[]",
		 SEVERITY_CRITICAL, 2},
		{"a Gateway waits for its controller", GATEWAY("Unknown", "True"), "[]", "[]",
		 SEVERITY_DEGRADED, 1},
		{"a Gateway without status",
		 "[{\"kind\":\"Gateway\",\"metadata\":{\"name\":\"w\"},\"spec\":{\"listeners\":[{"
		 "\"name\":\"a\"}]}}]",
		 "[]", "[]", SEVERITY_DEGRADED, 2},
		{"a route is not accepted", "[]", ROUTE("False", "True"), "[]", SEVERITY_DEGRADED,
		 1},
		{"a backend is missing", "[]", ROUTE("True", "False"), "[]", SEVERITY_DEGRADED, 1},
		{"a route that nobody took", "[]",
		 "[{\"kind\":\"HTTPRoute\",\"metadata\":{\"name\":\"r\"}}]", "[]",
		 SEVERITY_DEGRADED, 1},
		{"a certificate is not there yet", "[]", "[]", CERTIFICATE("False", ""),
		 SEVERITY_DEGRADED, 1},
		{"renewal is due", "[]", "[]",
		 CERTIFICATE("True", "\"notAfter\":\"2026-01-30T00:00:00Z\",\"renewalTime\":"
				     "\"2026-01-01T00:00:00Z\","),
		 SEVERITY_OK, 0},
		{"a quarter of the time to renew is left", "[]", "[]",
		 CERTIFICATE("True", "\"notAfter\":\"2026-01-08T00:00:00Z\",\"renewalTime\":"
				     "\"2025-12-08T00:00:00Z\","),
		 SEVERITY_DEGRADED, 1},
		{"expired", "[]", "[]",
		 CERTIFICATE("True", "\"notAfter\":\"2026-01-02T03:05:00Z\",\"renewalTime\":"
				     "\"2025-12-08T00:00:00Z\","),
		 SEVERITY_CRITICAL, 1},
		{"odd objects", "[{},3,null]", "[{},[]]", "[{\"status\":{\"notAfter\":3}}]",
		 SEVERITY_DEGRADED, 6},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json)
		json_t *made = report(cases[i].gateways, cases[i].routes, cases[i].certificates,
				      "[]", "[]");
		AUTO(auto_free) char *text = json_text(made);

		if (status_severity(made) != cases[i].severity ||
		    json_array_size(json_member(made, "problems")) != cases[i].problems)
			fail_msg("%s: %s", cases[i].name, text);
	}
}

static void test_staging(void **state)
{
	static const struct {
		const char *issuers;
		bool staging;
	} cases[] = {
		{ISSUER("https://acme-staging-v02.api.letsencrypt.org/directory"), true},
		{ISSUER("https://dv.acme-v02.test-api.pki.goog/directory"), true},
		{ISSUER("https://api.test4.buypass.no/acme/directory"), true},
		{ISSUER("https://acme-v02.api.letsencrypt.org/directory"), false},
		{ISSUER("https://ca.example.test/staging"), false},
		{ISSUER("https://latest.example/"), false},
		{ISSUER(""), false},
		{"[]", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json)
		json_t *made =
			report("[]", "[]", CERTIFICATE("True", FRESH), cases[i].issuers, "[]");

		if (json_bool_at(made, "certificates.0.staging", false) != cases[i].staging)
			fail_msg("%s", cases[i].issuers);
	}
}

static void test_not_ready(void **state)
{
	struct status_lists lists = {.not_ready = "the disk is full"};
	AUTO(auto_json) json_t *made = status_report(&lists, NOW);
	AUTO(auto_json) json_t *down = status_down("cannot connect");

	(void)state;
	assert_int_equal(status_severity(made), SEVERITY_CRITICAL);
	assert_int_equal(status_severity(down), SEVERITY_CRITICAL);
	assert_string_equal(json_str_at(down, "problems.0.message"), "cannot connect");
}

static void print(const json_t *made, char *text, size_t size)
{
	FILE *file = tmpfile();
	struct out out;

	assert_non_null(file);
	out_init(&out, file);
	out.terminal = true; /* 80 columns wide; files get tables as wide as they are */
	status_print(&out, made, NOW);
	rewind(file);
	memset(text, 0, size);
	assert_true(fread(text, 1, size - 1, file) > 0);
	fclose(file);
}

static void test_text(void **state)
{
	AUTO(auto_json)
	json_t *made = report(
		GATEWAY("True", "True"), ROUTE("True", "False"), CERTIFICATE("True", FRESH),
		ISSUER("https://acme-staging-v02.api.letsencrypt.org/directory"),
		"[{\"type\":\"Warning\",\"reason\":\"OrderFailed\",\"message\":\"no\","
		"\"lastTimestamp\":\"2026-01-02T03:00:00Z\",\"involvedObject\":{\"kind\":"
		"\"Certificate\",\"name\":\"c\"}},{\"type\":\"Normal\",\"reason\":\"Fine\","
		"\"lastTimestamp\":\"2026-01-02T03:00:00Z\"},{\"type\":\"Warning\",\"reason\":"
		"\"Old\",\"lastTimestamp\":\"2026-01-02T01:00:00Z\"}]");
	char text[8192];

	(void)state;
	print(made, text, sizeof(text));
	assert_string_equal(text,
			    "DEGRADED: 1 listener, 1 route, 1 certificate\n"
			    "\nListeners\n"
			    "  GATEWAY  ADDRESS     PORT  PROTOCOL  HOSTNAME  PROGRAMMED\n"
			    "  web      0.0.0.0,::  80    HTTP      *         yes\n"
			    "\nRoutes\n"
			    "  ROUTE   KIND       HOSTNAMES      ACCEPTED  BACKENDS\n"
			    "  shop/r  HTTPRoute  a.test,b.test  yes       Because\n"
			    "\nCertificates\n"
			    "  CERTIFICATE  NAMES   LEFT  RENEWAL     ISSUER  STATE\n"
			    "  c            a.test  59d   2026-02-02  le      ready (STAGING)\n"
			    "\nProblems\n"
			    "  HTTPRoute shop/r: ResolvedRefs is False (Because): of something\n"
			    "  Certificate c: OrderFailed, 5m ago: no\n");
}

static void test_many_problems(void **state)
{
	AUTO(auto_json) json_t *made = status_down("first");
	char text[16384];

	(void)state;
	for (int i = 0; i < 30; i++)
		report_problem(made, SEVERITY_OK, "x", SV("another"));
	print(made, text, sizeof(text));
	assert_non_null(strstr(text, "sallyportd: first\n"));
	assert_non_null(strstr(text, "  ... and 11 more (status -o json)\n"));
}

/* However long names and messages are, and whatever is in them. */
static void test_fits(void **state)
{
	AUTO(auto_json) json_t *name = json_fmt("%0200d", 7);
	AUTO(auto_json)
	json_t *made = report(GATEWAY("False", "False"), ROUTE("False", "False"),
			      CERTIFICATE("False", FRESH), "[]", "[]");
	char text[16384];

	(void)state;
	json_set_at(made, "listeners.0.gateway", json_incref(name));
	json_set_at(made, "listeners.0.hostname", json_incref(name));
	json_set_at(made, "routes.0.name", json_incref(name));
	json_set_at(made, "routes.0.hostnames.0", json_incref(name));
	json_set_at(made, "certificates.0.names.0", json_incref(name));
	json_set_at(made, "certificates.0.issuer", json_incref(name));
	json_set_at(made, "problems.0.message",
		    json_fmt("%0300d and words \033[31m\n %0100d", 1, 2));
	print(made, text, sizeof(text));
	for (char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (text_width(sv_new(line, len)) > 80)
			fail_msg("a line of %zu: %.*s", len, (int)len, line);
		line += len + (line[len] == '\n');
	}
	assert_null(strchr(text, '\033'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_severity),  cmocka_unit_test(test_staging),
		cmocka_unit_test(test_not_ready), cmocka_unit_test(test_text),
		cmocka_unit_test(test_fits),      cmocka_unit_test(test_many_problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
