/* tests/unit/resource/test_listenerset.c - resource/listenerset.c; listeners are gateway.c's */
#include "admit.h"

#define HEAD "apiVersion: gateway.networking.k8s.io/v1, kind: ListenerSet, metadata: {name: s}"
#define SET                                                                                   \
	"{" HEAD ", spec: {parentRef: {name: gw}, listeners: [{name: a, port: 80, protocol: " \
	"HTTP, hostname: a.example}]}}"
#define L "spec.listeners.0"

static void test_valid(void **state)
{
	(void)state;
	check_valid(SET);
	check_valid(
		"{" HEAD ", spec: {parentRef: {group: gateway.networking.k8s.io, kind: Gateway, "
		"name: gw, namespace: infra}, listeners: [{name: a, port: 443, protocol: HTTPS, "
		"tls: {certificateRefs: [{name: c}]}, allowedRoutes: {namespaces: {from: All}}}, "
		"{name: b, port: 443, protocol: TLS, hostname: b.example, tls: {mode: "
		"Passthrough}}]}}");
}

static void test_defaults(void **state)
{
	static const struct filled filled[] = {
		{"spec.parentRef", "{group: gateway.networking.k8s.io, kind: Gateway, name: gw}"},
		{L ".allowedRoutes", "{namespaces: {from: Same}}"},
		{"status.conditions.0.reason", "Pending"},
	};

	(void)state;
	check_filled(SET, filled, ARRAY_LEN(filled));
}

static void test_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec.parentRef", NULL, "spec.parentRef", CAUSE_REQUIRED, NULL},
		{"spec.parentRef.name", NULL, "spec.parentRef.name", CAUSE_REQUIRED, NULL},
		{"spec.listeners", "[]", "spec.listeners", CAUSE_INVALID, NULL},
		{L ".port", NULL, "spec.listeners[0].port", CAUSE_REQUIRED, NULL},
		{L ".tls", "{certificateRefs: [{name: c}]}", "spec.listeners[0].tls",
		 CAUSE_FORBIDDEN, NULL},
		{"spec.listeners.1", "{name: b, port: 80, protocol: HTTP, hostname: a.example}",
		 "spec.listeners[1]", CAUSE_DUPLICATE, NULL},
		{"spec.listeners.1", "{name: a, port: 81, protocol: HTTP}",
		 "spec.listeners[1].name", CAUSE_DUPLICATE, NULL},
	};

	(void)state;
	check_mistakes(SET, mistakes, ARRAY_LEN(mistakes));
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
