/* tests/unit/resource/test_httproute.c - resource/httproute.c, filter.c, refs.c */
#include "admit.h"

#define HEAD "apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r}"
#define ROUTE                                                                               \
	"{" HEAD ", spec: {parentRefs: [{name: gw}], hostnames: [www.example.com], rules: " \
	"[{matches: [{path: {type: PathPrefix, value: /a}}], backendRefs: [{name: shop, "   \
	"port: 80}]}]}}"
/* A rule with a redirect, whose filter the cases replace. */
#define REDIRECT                                                                         \
	"{" HEAD ", spec: {rules: [{filters: [{type: RequestRedirect, requestRedirect: " \
	"{scheme: https}}]}]}}"
#define RULE    "spec.rules.0"
#define AT      "spec.rules[0]"
#define FILTERS RULE ".filters"

static void test_valid(void **state)
{
	static const char *const texts[] = {
		ROUTE,
		REDIRECT,
		"{" HEAD ", spec: {}}",
		"{" HEAD ", spec: {parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, "
		"name: gw, namespace: default, port: 80, sectionName: http}], rules: [{filters: "
		"[{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301, port: "
		"443}}], matches: [{path: {type: PathPrefix, value: /}}]}]}}",
		"{" HEAD ", spec: {rules: [{backendRefs: [{group: '', kind: Service, name: a, "
		"namespace: b, port: 80, weight: 1}], matches: [{path: {type: PathPrefix, value: "
		"/}}]}]}}",
		"{" HEAD ", spec: {parentRefs: [{name: gw, sectionName: a}, {name: gw, "
		"sectionName: b}, {name: gw2, port: 1}, {name: gw2, port: 2}, {name: gw, "
		"namespace: x}], hostnames: ['*.example.com', a.b], rules: [{name: one, matches: "
		"[{path: {type: Exact, value: '/a%20b;c=d'}, headers: [{name: X-A, value: one "
		"two}, {type: RegularExpression, name: B, value: '^a(b|c)$'}], queryParams: "
		"[{name: q, value: '1'}, {name: Q, type: RegularExpression, value: .+}], method: "
		"PATCH}, {path: {type: RegularExpression, value: '/v[0-9]+/#//'}}], timeouts: "
		"{request: 10s, backendRequest: 500ms}, retry: {attempts: 2, codes: [500, 503], "
		"backoff: 100ms}, backendRefs: [{name: a, port: 1, weight: 0, filters: [{type: "
		"ResponseHeaderModifier, responseHeaderModifier: {set: [{name: A, value: b}], "
		"add: [{name: C, value: d}], remove: [E, Connection]}}]}, {group: "
		"gateway.envoyproxy.io, kind: Backend, name: b}]}, {name: two, filters: [{type: "
		"RequestMirror, requestMirror: {percent: 0, backendRef: {name: m, port: 1}}}, "
		"{type: RequestMirror, requestMirror: {fraction: {numerator: 1, denominator: 3}, "
		"backendRef: {name: n, port: 1}}}, {type: CORS, cors: {allowOrigins: "
		"['https://*.example.com', 'http://a:8080'], allowMethods: [GET, POST], "
		"allowHeaders: ['*'], exposeHeaders: [X, Y], allowCredentials: true, maxAge: 1}}, "
		"{type: ExtensionRef, extensionRef: {group: a.io, kind: F, name: f}}]}]}}",
		"{" HEAD ", spec: {rules: [{matches: [{path: {value: /x}}], filters: [{type: "
		"URLRewrite, urlRewrite: {hostname: a.example, path: {type: ReplacePrefixMatch, "
		"replacePrefixMatch: ''}}}]}, {filters: [{type: URLRewrite, urlRewrite: {path: "
		"{type: ReplaceFullPath, replaceFullPath: /new}}}]}, {timeouts: {request: 0s, "
		"backendRequest: 1h}}]}}",
		/* Names that differ in case are one name, of which the first counts. */
		"{" HEAD ", spec: {rules: [{matches: [{headers: [{name: X-A, value: b}, {name: "
		"x-a, value: c}]}], filters: [{type: RequestHeaderModifier, "
		"requestHeaderModifier: {set: [{name: X-A, value: b}, {name: x-a, value: c}], "
		"add: [{name: B, value: b}, {name: b, value: c}], remove: [C, c]}}]}]}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		check_valid(texts[i]);
}

static void test_defaults(void **state)
{
	static const struct {
		const char *text;
		struct filled filled[4];
	} cases[] = {
		{"{" HEAD ", spec: {}}",
		 {{"spec.rules", "[{matches: [{path: {type: PathPrefix, value: /}}]}]"},
		  {"spec.parentRefs", NULL},
		  {"status.parents", "[]"}}},
		{"{" HEAD ", spec: {parentRefs: [{name: a}], rules: [{matches: [{headers: [{name: "
		 "a, value: b}]}, {path: {value: /x}}], backendRefs: [{name: s, port: 1}]}]}}",
		 {{"spec.parentRefs.0",
		   "{group: gateway.networking.k8s.io, kind: Gateway, name: a}"},
		  {"spec.rules.0.matches.0",
		   "{path: {type: PathPrefix, value: /}, headers: [{type: Exact, name: a, value: "
		   "b}]}"},
		  {"spec.rules.0.matches.1.path", "{type: PathPrefix, value: /x}"},
		  {"spec.rules.0.backendRefs.0",
		   "{group: '', kind: Service, name: s, port: 1, weight: 1}"}}},
		{REDIRECT,
		 {{"spec.rules.0.filters.0.requestRedirect", "{scheme: https, statusCode: 302}"},
		  {"spec.rules.0.matches", "[{path: {type: PathPrefix, value: /}}]"}}},
		{"{" HEAD ", spec: {rules: [{matches: []}]}}", {{"spec.rules.0.matches", "[]"}}},
		{"{" HEAD ", spec: {rules: [{filters: [{type: CORS, cors: {}}, {type: "
		 "RequestMirror, requestMirror: {fraction: {numerator: 5}, backendRef: {name: m, "
		 "port: 1}}}]}]}}",
		 {{"spec.rules.0.filters.0.cors", "{maxAge: 5}"},
		  {"spec.rules.0.filters.1.requestMirror.fraction.denominator", "100"},
		  {"spec.rules.0.filters.1.requestMirror.backendRef.kind", "Service"}}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t count = 0;

		while (count < 4 && cases[i].filled[count].path != NULL)
			count++;
		check_filled(cases[i].text, cases[i].filled, count);
	}
}

static void test_parent_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec.parentRefs.0.name", NULL, "spec.parentRefs[0].name", CAUSE_REQUIRED, NULL},
		{"spec.parentRefs.0.port", "0", "spec.parentRefs[0].port", CAUSE_INVALID, NULL},
		{"spec.parentRefs.1", "{name: gw}", "spec.parentRefs[1]", CAUSE_DUPLICATE, NULL},
		{"spec.parentRefs.1", "{name: gw, sectionName: a}", "spec.parentRefs[1]",
		 CAUSE_INVALID, "sectionName or port must be specified"},
		{"spec.parentRefs.1", "{name: gw, namespace: b}", NULL, 0, NULL},
		{"spec.hostnames", "[192.0.2.1]", "spec.hostnames[0]", CAUSE_INVALID, NULL},
		{"spec.hostnames", "[a.example, 'b.example:80']", "spec.hostnames[1]",
		 CAUSE_INVALID, NULL},
		{"spec.hostnames", "a.example", "spec.hostnames", CAUSE_TYPE, NULL},
		{"spec.useDefaultGateways", "All", "spec.useDefaultGateways", CAUSE_FORBIDDEN,
		 NULL},
	};

	(void)state;
	check_mistakes(ROUTE, mistakes, ARRAY_LEN(mistakes));
}

static void test_match_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{RULE ".matches.0.path.value", "a", AT ".matches[0].path.value", CAUSE_INVALID,
		 "begins with '/'"},
		{RULE ".matches.0.path.value", "''", AT ".matches[0].path.value", CAUSE_INVALID,
		 "begins with '/'"},
		{RULE ".matches.0.path.value", "/a//b", AT ".matches[0].path.value", CAUSE_INVALID,
		 "must not contain '//'"},
		{RULE ".matches.0.path.value", "/a/./b", AT ".matches[0].path.value", CAUSE_INVALID,
		 "must not contain '/./'"},
		{RULE ".matches.0.path.value", "/a/../b", AT ".matches[0].path.value",
		 CAUSE_INVALID, "must not contain '/../'"},
		{RULE ".matches.0.path.value", "/a%2fb", AT ".matches[0].path.value", CAUSE_INVALID,
		 "must not contain '%2f'"},
		{RULE ".matches.0.path.value", "/a%2Fb", AT ".matches[0].path.value", CAUSE_INVALID,
		 "must not contain '%2F'"},
		{RULE ".matches.0.path.value", "'/a#b'", AT ".matches[0].path.value", CAUSE_INVALID,
		 "must not contain '#'"},
		{RULE ".matches.0.path.value", "/a/..", AT ".matches[0].path.value", CAUSE_INVALID,
		 "must not end with '/..'"},
		{RULE ".matches.0.path.value", "/a/.", AT ".matches[0].path.value", CAUSE_INVALID,
		 "must not end with '/.'"},
		{RULE ".matches.0.path.value", "/a b", AT ".matches[0].path.value", CAUSE_INVALID,
		 "only characters"},
		{RULE ".matches.0.path.value", "/a?b", AT ".matches[0].path.value", CAUSE_INVALID,
		 "only characters"},
		{RULE ".matches.0.path.value", "/%zz", AT ".matches[0].path.value", CAUSE_INVALID,
		 "only characters"},
		{RULE ".matches.0.path.type", "Prefix", AT ".matches[0].path.type",
		 CAUSE_NOT_SUPPORTED, NULL},
		{RULE ".matches.0.method", "get", AT ".matches[0].method", CAUSE_NOT_SUPPORTED,
		 NULL},
		{RULE ".matches.0.headers", "[{name: a, value: b}, {name: a, value: c}]",
		 AT ".matches[0].headers[1].name", CAUSE_DUPLICATE, "\"a\""},
		{RULE ".matches.0.headers", "[{name: A}]", AT ".matches[0].headers[0].value",
		 CAUSE_REQUIRED, NULL},
		{RULE ".matches.0.headers", "[{name: 'A B', value: c}]",
		 AT ".matches[0].headers[0].name", CAUSE_INVALID, NULL},
		{RULE ".matches.0.headers", "[{name: A, value: true}]",
		 AT ".matches[0].headers[0].value", CAUSE_TYPE, "quote it"},
		{RULE ".matches.0.headers", "[{name: A, value: b, type: Prefix}]",
		 AT ".matches[0].headers[0].type", CAUSE_NOT_SUPPORTED, NULL},
		{RULE ".matches.0.queryParams", "[{name: a, value: b}, {name: a, value: c}]",
		 AT ".matches[0].queryParams[1].name", CAUSE_DUPLICATE, NULL},
		{RULE ".matches.0.queryParams", "[{name: a, value: b}, {name: A, value: c}]", NULL,
		 0, NULL},
	};

	(void)state;
	check_mistakes(ROUTE, mistakes, ARRAY_LEN(mistakes));
}

static void test_rule_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec.rules", "[]", "spec.rules", CAUSE_INVALID, "at least 1 item"},
		{RULE ".name", "A", AT ".name", CAUSE_INVALID, NULL},
		{"spec.rules", "[{name: a}, {name: a}]", "spec.rules[1].name", CAUSE_DUPLICATE,
		 NULL},
		{RULE ".backendRefs.0.port", NULL, AT ".backendRefs[0].port", CAUSE_REQUIRED,
		 "Service"},
		{RULE ".backendRefs.0.name", NULL, AT ".backendRefs[0].name", CAUSE_REQUIRED, NULL},
		{RULE ".backendRefs.0.weight", "-1", AT ".backendRefs[0].weight", CAUSE_INVALID,
		 "between 0 and 1000000"},
		{RULE ".backendRefs.0.weight", "1000001", AT ".backendRefs[0].weight",
		 CAUSE_INVALID, NULL},
		{RULE ".backendRefs.0.kind", "Backend", NULL, 0, NULL},
		{RULE ".timeouts", "{request: 1s, backendRequest: 2s}",
		 AT ".timeouts.backendRequest", CAUSE_INVALID, "cannot be longer"},
		{RULE ".timeouts", "{request: '10'}", AT ".timeouts.request", CAUSE_INVALID,
		 "a duration"},
		{RULE ".timeouts", "{request: 10}", AT ".timeouts.request", CAUSE_TYPE, "quote it"},
		{RULE ".retry", "{attempts: 0}", AT ".retry.attempts", CAUSE_INVALID, NULL},
		{RULE ".retry", "{codes: [399]}", AT ".retry.codes[0]", CAUSE_INVALID,
		 "between 400 and 599"},
		{RULE ".retry", "{codes: [500, 500]}", AT ".retry.codes[1]", CAUSE_DUPLICATE, NULL},
		{RULE ".sessionPersistence", "{sessionName: a}", AT ".sessionPersistence",
		 CAUSE_FORBIDDEN, "not supported"},
	};

	(void)state;
	check_mistakes(ROUTE, mistakes, ARRAY_LEN(mistakes));
}

#define F       AT ".filters"
#define HDR(s)  "[{type: RequestHeaderModifier, requestHeaderModifier: {" s "}}]"
#define RED(s)  "[{type: RequestRedirect, requestRedirect: {" s "}}]"
#define MIR(s)  "[{type: RequestMirror, requestMirror: {backendRef: {name: a, port: 1}, " s "}}]"
#define CORS(s) "[{type: CORS, cors: {" s "}}]"

static void test_filter_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{FILTERS, "[{requestRedirect: {}}]", F "[0].type", CAUSE_REQUIRED, NULL},
		{FILTERS, "[{type: Redirect}]", F "[0].type", CAUSE_NOT_SUPPORTED,
		 "\"RequestRedirect\""},
		{FILTERS, "[{type: RequestRedirect}]", F "[0].requestRedirect", CAUSE_REQUIRED,
		 NULL},
		{FILTERS, "[{type: URLRewrite, urlRewrite: {}, cors: {}}]", F "[0].cors",
		 CAUSE_FORBIDDEN, "only with type CORS"},
		{FILTERS, "[{type: URLRewrite, urlRewrite: {}, externalAuth: {}}]",
		 F "[0].externalAuth", CAUSE_FORBIDDEN, "not supported"},
		{FILTERS, "[{type: ExternalAuth}]", F "[0].type", CAUSE_NOT_SUPPORTED, NULL},
		{FILTERS,
		 "[{type: URLRewrite, urlRewrite: {}}, {type: URLRewrite, urlRewrite: {}}]", F,
		 CAUSE_INVALID, "URLRewrite cannot be repeated"},
		{FILTERS,
		 "[{type: URLRewrite, urlRewrite: {}}, {type: RequestRedirect, requestRedirect: "
		 "{}}]",
		 F, CAUSE_INVALID, "not both"},
		{FILTERS, HDR("set: [{name: a, value: b}, {name: a, value: c}]"),
		 F "[0].requestHeaderModifier.set[1].name", CAUSE_DUPLICATE, NULL},
		{FILTERS, HDR("add: [{name: Content-Length, value: '5'}]"),
		 F "[0].requestHeaderModifier.add[0].name", CAUSE_FORBIDDEN, "frames the message"},
		{FILTERS, HDR("set: [{name: A, value: \"b\\r\\nC: d\"}]"),
		 F "[0].requestHeaderModifier.set[0].value", CAUSE_INVALID, NULL},
		{FILTERS, HDR("remove: [a, a]"), F "[0].requestHeaderModifier.remove[1]",
		 CAUSE_DUPLICATE, NULL},
		{FILTERS, RED("scheme: ftp"), F "[0].requestRedirect.scheme", CAUSE_NOT_SUPPORTED,
		 NULL},
		{FILTERS, RED("statusCode: 300"), F "[0].requestRedirect.statusCode",
		 CAUSE_NOT_SUPPORTED, "301, 302, 303, 307, 308"},
		{FILTERS, RED("statusCode: 308"), NULL, 0, NULL},
		{FILTERS, RED("hostname: '*.a.b'"), F "[0].requestRedirect.hostname", CAUSE_INVALID,
		 NULL},
		{FILTERS, RED("port: 0"), F "[0].requestRedirect.port", CAUSE_INVALID, NULL},
		{FILTERS, RED("path: {type: ReplaceFullPath}"),
		 F "[0].requestRedirect.path.replaceFullPath", CAUSE_REQUIRED, NULL},
		{FILTERS,
		 RED("path: {type: ReplaceFullPath, replaceFullPath: /a, replacePrefixMatch: "
		     "/b}"),
		 F "[0].requestRedirect.path.replacePrefixMatch", CAUSE_FORBIDDEN, NULL},
		{FILTERS, RED("path: {type: ReplaceFullPath, replaceFullPath: \"/a\\r\\nX: y\"}"),
		 F "[0].requestRedirect.path.replaceFullPath", CAUSE_INVALID, NULL},
		{FILTERS, RED("path: {type: ReplacePrefixMatch, replacePrefixMatch: /a}"), NULL, 0,
		 NULL},
		{FILTERS, MIR("percent: 101"), F "[0].requestMirror.percent", CAUSE_INVALID, NULL},
		{FILTERS, MIR("percent: 1, fraction: {numerator: 1}"),
		 F "[0].requestMirror.fraction", CAUSE_FORBIDDEN, "only one"},
		{FILTERS, MIR("fraction: {numerator: 3, denominator: 2}"),
		 F "[0].requestMirror.fraction", CAUSE_INVALID, "less than or equal"},
		{FILTERS, "[{type: RequestMirror, requestMirror: {backendRef: {name: a}}}]",
		 F "[0].requestMirror.backendRef.port", CAUSE_REQUIRED, NULL},
		{FILTERS, CORS("allowOrigins: ['*', 'https://a']"), F "[0].cors.allowOrigins[0]",
		 CAUSE_INVALID, "stands alone"},
		{FILTERS, CORS("allowOrigins: ['ftp://a']"), F "[0].cors.allowOrigins[0]",
		 CAUSE_INVALID, "an origin"},
		{FILTERS, CORS("allowOrigins: ['https://a.']"), F "[0].cors.allowOrigins[0]",
		 CAUSE_INVALID, NULL},
		{FILTERS, CORS("allowOrigins: ['https://a:99999']"), F "[0].cors.allowOrigins[0]",
		 CAUSE_INVALID, NULL},
		{FILTERS, CORS("allowMethods: [FETCH]"), F "[0].cors.allowMethods[0]",
		 CAUSE_NOT_SUPPORTED, NULL},
		{FILTERS, CORS("allowHeaders: [A, A]"), F "[0].cors.allowHeaders[1]",
		 CAUSE_DUPLICATE, NULL},
		{FILTERS, CORS("maxAge: 0"), F "[0].cors.maxAge", CAUSE_INVALID, NULL},
	};

	(void)state;
	check_mistakes(REDIRECT, mistakes, ARRAY_LEN(mistakes));
}

static void test_filters_and_their_rule(void **state)
{
	static const struct mistake mistakes[] = {
		{RULE ".backendRefs", "[{name: a, port: 80}]", AT ".filters[0]", CAUSE_FORBIDDEN,
		 "together with backendRefs"},
		{RULE,
		 "{matches: [{}, {}], filters: " RED("path: {type: ReplacePrefixMatch, "
						     "replacePrefixMatch: /a}") "}",
		 AT ".filters[0].requestRedirect.path", CAUSE_INVALID, "exactly one match"},
		{RULE,
		 "{matches: [{path: {type: Exact, value: /a}}], backendRefs: [{name: a, "
		 "port: 1, filters: [{type: URLRewrite, urlRewrite: {path: {type: "
		 "ReplacePrefixMatch, replacePrefixMatch: /}}}]}]}",
		 AT ".backendRefs[0].filters[0].urlRewrite.path", CAUSE_INVALID, "PathPrefix"},
	};

	(void)state;
	check_mistakes(REDIRECT, mistakes, ARRAY_LEN(mistakes));
}

/* Rules with a number of matches each; the causes of the route. */
static struct admitted admit_matches(int rules, int matches)
{
	AUTO(auto_json) json_t *body = doc("{" HEAD ", spec: {rules: []}}");

	for (int i = 0; i < rules; i++) {
		json_t *rule = json_object(), *list = json_array();

		for (int j = 0; j < matches; j++)
			json_array_append_new(list, json_object());
		json_object_set_new(rule, "matches", list);
		json_array_append_new(json_at(body, "spec.rules"), rule);
	}
	return admit(body, NULL, FIELDS_STRICT);
}

static void test_limits(void **state)
{
	static const struct {
		int rules, matches;
		const char *field;
	} cases[] = {
		{16, 8, NULL}, {16, 9, "spec.rules"},  {17, 1, "spec.rules"},
		{2, 64, NULL}, {1, 65, AT ".matches"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(admitted_deinit)
		struct admitted now = admit_matches(cases[i].rules, cases[i].matches);

		if ((now.object != NULL) != (cases[i].field == NULL) ||
		    (cases[i].field != NULL &&
		     (now.causes.list[0].reason != CAUSE_TOO_LONG ||
		      strcmp(now.causes.list[0].field, cases[i].field) != 0)))
			fail_msg("%d rules, %d matches: %s", cases[i].rules, cases[i].matches,
				 now.err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_parent_mistakes),
		cmocka_unit_test(test_match_mistakes),
		cmocka_unit_test(test_rule_mistakes),
		cmocka_unit_test(test_filter_mistakes),
		cmocka_unit_test(test_filters_and_their_rule),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
