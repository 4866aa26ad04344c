/* tests/unit/resource/test_gateway.c - resource/gateway.c, grant.c */
#include "admit.h"
#include "resource/condition.h"

#define CLASS                                                                                  \
	"{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: c}, " \
	"spec: {controllerName: sallyport.dev/gateway-controller}}"
#define GATEWAY                                                                            \
	"{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gw}, " \
	"spec: {gatewayClassName: sallyport, listeners: [{name: http, port: 80, "          \
	"protocol: HTTP}, {name: https, port: 443, protocol: HTTPS, hostname: "            \
	"www.example.com, tls: {certificateRefs: [{name: cert}]}}]}}"
#define GRANT                                                                           \
	"{apiVersion: gateway.networking.k8s.io/v1, kind: ReferenceGrant, metadata: "   \
	"{name: g}, spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, " \
	"namespace: web}], to: [{group: '', kind: Service}]}}"
#define L1 "spec.listeners.1"

static void test_valid(void **state)
{
	static const char *const texts[] = {
		CLASS,
		GATEWAY,
		GRANT,
		"{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: "
		"c}, spec: {controllerName: example.com/a/b, description: words, parametersRef: "
		"{group: a.io, kind: P, name: n, namespace: x}}}",
		"{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gw, "
		"annotations: {cert-manager.io/cluster-issuer: le}}, spec: {gatewayClassName: c, "
		"addresses: [{type: IPAddress, value: 127.0.0.9}, {type: IPAddress, value: "
		"'::1'}, {value: 127.0.0.8}, {type: IPAddress}, {type: Hostname, value: "
		"a.example}, {type: NamedAddress, value: x}, {type: example.com/own, value: y}], "
		"infrastructure: {labels: {a: b}, annotations: {a/b: c}, parametersRef: {group: "
		"a.io, kind: P, name: n}}, allowedListeners: {namespaces: {from: Selector, "
		"selector: {matchLabels: {allowed: 'true'}}}}, tls: {backend: "
		"{clientCertificateRef: {group: '', kind: Secret, name: s}}, frontend: {default: "
		"{validation: {mode: AllowInsecureFallback, caCertificateRefs: [{group: '', "
		"kind: ConfigMap, name: ca}]}}, perPort: [{port: 8443, tls: {validation: "
		"{caCertificateRefs: [{group: '', kind: ConfigMap, name: ca, namespace: x}]}}}]}}, "
		"listeners: [{name: a, port: 80, protocol: HTTP, hostname: '*.example.com', "
		"allowedRoutes: {namespaces: {from: Selector, selector: {matchExpressions: [{key: "
		"env, operator: In, values: [a, b]}]}}, kinds: [{kind: HTTPRoute}]}}, {name: b, "
		"port: 80, protocol: HTTP}, {name: c, port: 443, protocol: TLS, tls: {mode: "
		"Passthrough}}, {name: d, port: 53, protocol: UDP}, {name: e, port: 53, protocol: "
		"TCP}, {name: f, port: 99, protocol: example.com/own}, {name: g, port: 444, "
		"protocol: HTTPS, tls: {options: {example.com/x: y}}}]}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		check_valid(texts[i]);
}

static void test_defaults(void **state)
{
	static const struct filled filled[] = {
		{"spec.listeners.0.allowedRoutes", "{namespaces: {from: Same}}"},
		{"spec.listeners.0.tls", NULL},
		{"spec.listeners.1.tls.mode", "Terminate"},
		{"spec.listeners.1.tls.certificateRefs.0", "{group: '', kind: Secret, name: cert}"},
		{"spec.addresses", NULL},
		{"spec.allowedListeners", NULL},
	};

	(void)state;
	check_filled(GATEWAY, filled, ARRAY_LEN(filled));
}

static void test_first_status(void **state)
{
	static const struct {
		const char *text, *type;
	} cases[] = {{GATEWAY, "Accepted"}, {GATEWAY, "Programmed"}, {CLASS, "Accepted"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *object = stored(cases[i].text);
		const json_t *condition =
			condition_find(json_at(object, "status.conditions"), cases[i].type);

		assert_non_null(condition);
		assert_string_equal(json_str_at(condition, "status"), "Unknown");
		assert_string_equal(json_str_at(condition, "reason"), "Pending");
		assert_int_equal(json_int_at(condition, "observedGeneration", 0), 1);
	}
}

static void test_class_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec", NULL, "spec", CAUSE_REQUIRED, NULL},
		{"spec.controllerName", NULL, "spec.controllerName", CAUSE_REQUIRED, NULL},
		{"spec.controllerName", "nodomain", "spec.controllerName", CAUSE_INVALID, NULL},
		{"spec.description",
		 "a1234567890123456789012345678901234567890123456789012345678901234",
		 "spec.description", CAUSE_TOO_LONG, "64 characters"},
	};
	static const struct mistake change = {"spec.controllerName", "example.com/other",
					      "spec.controllerName", CAUSE_INVALID, "immutable"};
	AUTO(auto_json) json_t *old = stored(CLASS);

	(void)state;
	check_mistakes(CLASS, mistakes, ARRAY_LEN(mistakes));
	check_mistake(CLASS, old, &change);
}

static void test_gateway_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec.infrastructure.annotations", "{Example.com/a: b}",
		 "spec.infrastructure.annotations[Example.com/a]", CAUSE_INVALID, NULL},
		{"spec.gatewayClassName", NULL, "spec.gatewayClassName", CAUSE_REQUIRED, NULL},
		{"spec.gatewayClassName", "''", "spec.gatewayClassName", CAUSE_INVALID, NULL},
		{"spec.listeners", NULL, "spec.listeners", CAUSE_REQUIRED, NULL},
		{"spec.listeners", "[]", "spec.listeners", CAUSE_INVALID, "at least 1 item"},
		{"spec.listeners", "text", "spec.listeners", CAUSE_TYPE, "a list, got a string"},
		{"spec.listeners.0", "null", "spec.listeners[0]", CAUSE_TYPE, "got null"},
		{"spec.listeners.0.port", "0", "spec.listeners[0].port", CAUSE_INVALID,
		 "Invalid value: 0: must be between 1 and 65535"},
		{"spec.listeners.0.port", "'80'", "spec.listeners[0].port", CAUSE_TYPE,
		 "remove the quotes"},
		{"spec.listeners.0.name", NULL, "spec.listeners[0].name", CAUSE_REQUIRED, NULL},
		{"spec.listeners.0.name", "https", "spec.listeners[1].name", CAUSE_DUPLICATE,
		 "\"https\""},
		{"spec.listeners.0.name", "A_B", "spec.listeners[0].name", CAUSE_INVALID, NULL},
		{"spec.listeners.0.name", "on", "spec.listeners[0].name", CAUSE_TYPE, "quote it"},
		{"spec.listeners.0.protocol", "HT TP", "spec.listeners[0].protocol", CAUSE_INVALID,
		 NULL},
		{"spec.listeners.0.protocol", "INVALID", NULL, 0, NULL},
		{"spec.listeners.0.hostname", "''", "spec.listeners[0].hostname", CAUSE_INVALID,
		 "empty"},
		{"spec.listeners.0.hostname", "192.0.2.1", "spec.listeners[0].hostname",
		 CAUSE_INVALID, NULL},
		{"spec.listeners.0.hostname", "'*'", "spec.listeners[0].hostname", CAUSE_INVALID,
		 NULL},
		{"spec.listeners.0.tls", "{certificateRefs: [{name: a}]}", "spec.listeners[0].tls",
		 CAUSE_FORBIDDEN, "HTTP has no TLS"},
		{L1 ".tls", NULL, "spec.listeners[1].tls", CAUSE_REQUIRED, NULL},
		{L1 ".tls", "{}", "spec.listeners[1].tls.certificateRefs", CAUSE_REQUIRED, NULL},
		{L1 ".tls.mode", "Passthrough", "spec.listeners[1].tls.mode", CAUSE_INVALID,
		 "must be Terminate"},
		{L1 ".tls.mode", "Off", "spec.listeners[1].tls.mode", CAUSE_TYPE, "quote it"},
		{L1 ".tls.mode", "None", "spec.listeners[1].tls.mode", CAUSE_NOT_SUPPORTED,
		 "supported values: \"Terminate\", \"Passthrough\""},
		{L1 ".tls.certificateRefs.0.name", NULL,
		 "spec.listeners[1].tls.certificateRefs[0].name", CAUSE_REQUIRED, NULL},
		{L1 ".tls.certificateRefs.0.namespace", "A",
		 "spec.listeners[1].tls.certificateRefs[0].namespace", CAUSE_INVALID, NULL},
		{"spec.listeners.2", "{name: udp, port: 53, protocol: UDP, hostname: a.example}",
		 "spec.listeners[2].hostname", CAUSE_FORBIDDEN, "UDP knows no hostname"},
		{"spec.listeners.2", "{name: tls, port: 44, protocol: TLS}",
		 "spec.listeners[2].tls", CAUSE_REQUIRED, NULL},
		{"spec.listeners.2", "{name: again, port: 80, protocol: HTTP}", "spec.listeners[2]",
		 CAUSE_DUPLICATE, "spec.listeners[0]"},
		{"spec.listeners.2", "{name: other, port: 80, protocol: HTTP, hostname: a.example}",
		 NULL, 0, NULL},
		{"spec.listeners.0.allowedRoutes", "{namespaces: {from: Some}}",
		 "spec.listeners[0].allowedRoutes.namespaces.from", CAUSE_NOT_SUPPORTED, NULL},
		{"spec.listeners.0.allowedRoutes", "{kinds: [{group: ''}]}",
		 "spec.listeners[0].allowedRoutes.kinds[0].kind", CAUSE_REQUIRED, NULL},
		{"spec.addresses", "[{value: localhost}]", "spec.addresses[0].value", CAUSE_INVALID,
		 "IPv4 or IPv6"},
		{"spec.addresses", "[{value: 127.0.0.1}, {value: 127.0.0.1}]",
		 "spec.addresses[1].value", CAUSE_DUPLICATE, NULL},
		{"spec.addresses", "[{type: Hostname, value: A}]", "spec.addresses[0].value",
		 CAUSE_INVALID, NULL},
		{"spec.addresses", "[{type: Other, value: A}]", "spec.addresses[0].type",
		 CAUSE_INVALID, NULL},
		{"spec.tls", "{frontend: {}}", "spec.tls.frontend.default", CAUSE_REQUIRED, NULL},
		{"spec.tls",
		 "{frontend: {default: {}, perPort: [{port: 1, tls: {}}, {port: 1, tls: {}}]}}",
		 "spec.tls.frontend.perPort[1].port", CAUSE_DUPLICATE, NULL},
		{"spec.defaultScope", "All", "spec.defaultScope", CAUSE_FORBIDDEN, NULL},
	};

	(void)state;
	check_mistakes(GATEWAY, mistakes, ARRAY_LEN(mistakes));
}

static void test_listener_limit(void **state)
{
	AUTO(auto_json) json_t *body = doc(GATEWAY);
	json_t *list = json_array();

	(void)state;
	json_set_at(body, "spec.listeners", list);
	for (int i = 1; i <= 64; i++) {
		AUTO(auto_free)
		char *text = xasprintf("{name: l%d, port: %d, protocol: HTTP}", i, i);

		json_array_append_new(list, value_of(text));
	}

	AUTO(admitted_deinit) struct admitted fits = admit(body, NULL, FIELDS_STRICT);

	json_array_append_new(list, value_of("{name: l65, port: 65, protocol: HTTP}"));

	AUTO(admitted_deinit) struct admitted over = admit(body, NULL, FIELDS_STRICT);

	assert_non_null(fits.object);
	assert_null(over.object);
	assert_string_equal(over.causes.list[0].field, "spec.listeners");
	assert_int_equal(over.causes.list[0].reason, CAUSE_TOO_LONG);
}

/* A protocol in small letters is none that is known, but may be one of another controller. */
static void test_protocol_remark(void **state)
{
	static const struct {
		const char *protocol;
		size_t warnings;
	} cases[] = {{"HTTP", 0}, {"http", 1}, {"Udp", 1}, {"example.com/proto", 0}, {"SCTP", 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *body = doc(GATEWAY);

		json_set_at(body, "spec.listeners.0.protocol", json_string(cases[i].protocol));

		AUTO(admitted_deinit) struct admitted made = admit(body, NULL, FIELDS_STRICT);

		if (made.object == NULL || json_array_size(made.warnings) != cases[i].warnings)
			fail_msg("%s: %zu", cases[i].protocol, json_array_size(made.warnings));
	}
}

static void test_grant_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec.from", "[]", "spec.from", CAUSE_INVALID, NULL},
		{"spec.to", NULL, "spec.to", CAUSE_REQUIRED, NULL},
		{"spec.from.0.namespace", NULL, "spec.from[0].namespace", CAUSE_REQUIRED, NULL},
		{"spec.from.0.group", NULL, "spec.from[0].group", CAUSE_REQUIRED, NULL},
		{"spec.to.0.kind", "a b", "spec.to[0].kind", CAUSE_INVALID, NULL},
		{"spec.to.0.name", "''", "spec.to[0].name", CAUSE_INVALID, NULL},
		{"spec.to.0.name", "shop", NULL, 0, NULL},
	};

	(void)state;
	check_mistakes(GRANT, mistakes, ARRAY_LEN(mistakes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_first_status),
		cmocka_unit_test(test_class_mistakes),
		cmocka_unit_test(test_gateway_mistakes),
		cmocka_unit_test(test_listener_limit),
		cmocka_unit_test(test_protocol_remark),
		cmocka_unit_test(test_grant_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
