/* tests/unit/resource/test_grpcroute.c - resource/grpcroute.c, and filter.c for it */
#include "admit.h"

#define HEAD "apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: r}"
#define ROUTE                                                                               \
	"{" HEAD ", spec: {parentRefs: [{name: gw}], hostnames: [rpc.example.com], rules: " \
	"[{matches: [{method: {service: shop.v1.Cart, method: Add}}], filters: [{type: "    \
	"RequestHeaderModifier, requestHeaderModifier: {remove: [a]}}], backendRefs: "      \
	"[{name: shop, port: 80}]}]}}"
#define RULE "spec.rules.0"
#define AT   "spec.rules[0]"

static void test_valid(void **state)
{
	static const char *const texts[] = {
		ROUTE,
		"{" HEAD ", spec: {}}",
		"{" HEAD ", spec: {rules: [{}]}}",
		"{" HEAD ", spec: {rules: [{name: one, matches: [{method: {service: A_b.C9}}, "
		"{method: {method: _x}}, {method: {service: .a.B}}, {method: {type: "
		"RegularExpression, service: 'shop[.]v[0-9]+[.].*'}}, {headers: [{name: a, value: "
		"b}, {name: c, value: '^d$', type: RegularExpression}]}], backendRefs: [{name: s, "
		"port: 1, weight: 0, filters: [{type: RequestMirror, requestMirror: {percent: 5, "
		"backendRef: {name: m, port: 1}}}]}]}, {name: two, filters: [{type: "
		"ResponseHeaderModifier, responseHeaderModifier: {set: [{name: a, value: b}]}}, "
		"{type: ExtensionRef, extensionRef: {group: a.io, kind: F, name: f}}]}]}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		check_valid(texts[i]);
}

static void test_defaults(void **state)
{
	static const struct filled filled[] = {
		{"spec.parentRefs.0",
		 "{group: gateway.networking.k8s.io, kind: Gateway, name: gw}"},
		{RULE ".matches.0.method", "{type: Exact, service: shop.v1.Cart, method: Add}"},
		{RULE ".backendRefs.0", "{group: '', kind: Service, name: shop, port: 80, weight: "
					"1}"},
		{"status.parents", "[]"},
	};
	static const struct filled bare[] = {{"spec.rules", NULL}};

	(void)state;
	check_filled(ROUTE, filled, ARRAY_LEN(filled));
	check_filled("{" HEAD ", spec: {}}", bare, ARRAY_LEN(bare));
}

static void test_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{RULE ".matches.0.method", "{}", AT ".matches[0].method", CAUSE_REQUIRED,
		 "service, method or both"},
		{RULE ".matches.0.method", "{service: '', method: a}",
		 AT ".matches[0].method.service", CAUSE_INVALID, NULL},
		{RULE ".matches.0.method", "{service: a, method: ''}",
		 AT ".matches[0].method.method", CAUSE_INVALID, NULL},
		{RULE ".matches.0.method.type", "Prefix", AT ".matches[0].method.type",
		 CAUSE_NOT_SUPPORTED, NULL},
		{RULE ".matches.0.method.service", "a/b", AT ".matches[0].method.service",
		 CAUSE_INVALID, "full name of a service"},
		{RULE ".matches.0.method.service", "a..b", AT ".matches[0].method.service",
		 CAUSE_INVALID, NULL},
		{RULE ".matches.0.method.service", "a.", AT ".matches[0].method.service",
		 CAUSE_INVALID, NULL},
		{RULE ".matches.0.method.service", "a.9b", AT ".matches[0].method.service",
		 CAUSE_INVALID, NULL},
		{RULE ".matches.0.method.method", "a.b", AT ".matches[0].method.method",
		 CAUSE_INVALID, "name of a method"},
		{RULE ".matches.0.method.method", "1", AT ".matches[0].method.method", CAUSE_TYPE,
		 NULL},
		{RULE ".matches.0.headers", "[{name: a, value: b}, {name: a, value: c}]",
		 AT ".matches[0].headers[1].name", CAUSE_DUPLICATE, NULL},
		{RULE ".filters.0", "{type: Rewrite}", AT ".filters[0].type", CAUSE_NOT_SUPPORTED,
		 NULL},
		{RULE ".filters.1", "{type: RequestHeaderModifier, requestHeaderModifier: {}}",
		 AT ".filters", CAUSE_INVALID, "cannot be repeated"},
		{RULE ".filters.0.requestHeaderModifier.set", "[{name: te, value: a}]",
		 AT ".filters[0].requestHeaderModifier.set[0].name", CAUSE_FORBIDDEN, NULL},
		{RULE ".backendRefs.0.port", NULL, AT ".backendRefs[0].port", CAUSE_REQUIRED, NULL},
		{RULE ".sessionPersistence", "{}", AT ".sessionPersistence", CAUSE_FORBIDDEN, NULL},
		{"spec.rules", "[{name: a}, {name: a}]", "spec.rules[1].name", CAUSE_DUPLICATE,
		 NULL},
		{"spec.parentRefs.1", "{name: gw}", "spec.parentRefs[1]", CAUSE_DUPLICATE, NULL},
	};

	(void)state;
	check_mistakes(ROUTE, mistakes, ARRAY_LEN(mistakes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
