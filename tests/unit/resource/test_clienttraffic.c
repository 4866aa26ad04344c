/* tests/unit/resource/test_clienttraffic.c - resource/clienttraffic.c and quantity.c */
#include "admit.h"

#include "resource/quantity.h"

#define HEAD                                                                                       \
	"apiVersion: gateway.envoyproxy.io/v1alpha1, kind: ClientTrafficPolicy, metadata: {name: " \
	"p}"
#define TARGET "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge}]"
#define POLICY                                                                                  \
	"{" HEAD ", spec: {" TARGET ", proxyProtocol: {optional: true}, clientIPDetection: "    \
	"{xForwardedFor: {numTrustedHops: 2}}, timeout: {http: {requestReceivedTimeout: 10s, "  \
	"idleTimeout: 1h, streamIdleTimeout: 500ms}}, connection: {connectionLimit: {value: "   \
	"100, maxRequestsPerConnection: 5}, bufferLimit: 32Ki}, http2: {maxConcurrentStreams: " \
	"10, initialStreamWindowSize: 128Ki, initialConnectionWindowSize: 1Mi, "                \
	"onInvalidMessage: TerminateStream}}}"
#define FOUND "spec.clientIPDetection"

static void test_valid(void **state)
{
	static const char *const texts[] = {
		POLICY,
		"{" HEAD ", spec: {" TARGET "}}",
		"{" HEAD ", spec: {targetRef: {group: gateway.networking.k8s.io, kind: Gateway, "
		"name: edge, sectionName: https}, enableProxyProtocol: true}}",
		"{" HEAD ", spec: {" TARGET ", clientIPDetection: {xForwardedFor: {trustedCIDRs: "
		"[10.0.0.0/8, 192.0.2.1/32, 0.0.0.0/0, '2001:db8::/32', '::/0']}}}}",
		"{" HEAD ", spec: {" TARGET ", clientIPDetection: {customHeader: {name: "
		"X-Client, failClosed: true}}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		check_valid(texts[i]);
}

static void test_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec.targetRefs", NULL, "spec.targetRefs", CAUSE_REQUIRED, "Gateways"},
		{"spec.targetRef", "{group: gateway.networking.k8s.io, kind: Gateway, name: a}",
		 "spec.targetRef", CAUSE_FORBIDDEN, "only one"},
		{"spec.targetRefs.0.kind", "HTTPRoute", "spec.targetRefs[0].kind",
		 CAUSE_NOT_SUPPORTED, NULL},
		{"spec.targetRefs.0.name", NULL, "spec.targetRefs[0].name", CAUSE_REQUIRED, NULL},
		{"spec.targetSelectors", "[]", "spec.targetSelectors", CAUSE_FORBIDDEN, NULL},
		{FOUND ".customHeader", "{name: a}", FOUND, CAUSE_FORBIDDEN, "only one"},
		{FOUND ".xForwardedFor.trustedCIDRs", "[10.0.0.0/8]", FOUND ".xForwardedFor",
		 CAUSE_FORBIDDEN, "only one"},
		{FOUND, "{}", FOUND, CAUSE_REQUIRED, NULL},
		{FOUND ".xForwardedFor", "{}", FOUND ".xForwardedFor", CAUSE_REQUIRED, NULL},
		{FOUND ".xForwardedFor.numTrustedHops", "0", FOUND ".xForwardedFor.numTrustedHops",
		 CAUSE_INVALID, NULL},
		{FOUND ".xForwardedFor", "{trustedCIDRs: [10.0.0.0]}",
		 FOUND ".xForwardedFor.trustedCIDRs[0]", CAUSE_INVALID, "network"},
		{FOUND ".xForwardedFor", "{trustedCIDRs: [10.0.0.0/33]}",
		 FOUND ".xForwardedFor.trustedCIDRs[0]", CAUSE_INVALID, "network"},
		{FOUND ".xForwardedFor", "{trustedCIDRs: [10.0.0.0/08]}",
		 FOUND ".xForwardedFor.trustedCIDRs[0]", CAUSE_INVALID, "network"},
		{FOUND, "{customHeader: {name: 'a b'}}", FOUND ".customHeader.name", CAUSE_INVALID,
		 NULL},
		{"spec.timeout.http.idleTimeout", "0s", "spec.timeout.http.idleTimeout",
		 CAUSE_INVALID, "100ms"},
		{"spec.timeout.http.idleTimeout", "soon", "spec.timeout.http.idleTimeout",
		 CAUSE_INVALID, NULL},
		{"spec.timeout.tcp", "{}", "spec.timeout.tcp", CAUSE_FORBIDDEN, NULL},
		{"spec.connection.bufferLimit", "1Ki", "spec.connection.bufferLimit", CAUSE_INVALID,
		 "between 4096"},
		{"spec.connection.bufferLimit", "1.5Mi", "spec.connection.bufferLimit",
		 CAUSE_INVALID, "number of bytes"},
		{"spec.connection.bufferLimit", "true", "spec.connection.bufferLimit",
		 CAUSE_INVALID, "number of bytes"},
		{"spec.http2.initialStreamWindowSize", "1", "spec.http2.initialStreamWindowSize",
		 CAUSE_INVALID, "65535"},
		{"spec.http2.onInvalidMessage", "TerminateConnection",
		 "spec.http2.onInvalidMessage", CAUSE_NOT_SUPPORTED, NULL},
		{"spec.path", "{disableMergeSlashes: true}", "spec.path", CAUSE_FORBIDDEN,
		 "sallyport-httproute(5)"},
		{"spec.tls", "{}", "spec.tls", CAUSE_FORBIDDEN, NULL},
		{"spec.http3", "{}", "spec.http3", CAUSE_FORBIDDEN, NULL},
	};

	(void)state;
	check_mistakes(POLICY, mistakes, ARRAY_LEN(mistakes));
}

static void test_quantities(void **state)
{
	static const struct {
		const char *value;
		bool good;
		uint64_t bytes;
	} rows[] = {
		{"65536", true, 65536},
		{"'65536'", true, 65536},
		{"64Ki", true, 65536},
		{"3Mi", true, 3 << 20},
		{"1Gi", true, 1 << 30},
		{"2k", true, 2000},
		{"1M", true, 1000000},
		{"1G", true, 1000000000},
		{"0", true, 0},
		{"-1", false, 0},
		{"'-1'", false, 0},
		{"1.5", false, 0},
		{"Ki", false, 0},
		{"''", false, 0},
		{"1Ti", false, 0},
		{"1e3x", false, 0},
		{"' 1'", false, 0},
		{"null", false, 0},
		{"[]", false, 0},
		{"'99999999999999999999'", false, 0},
		{"18446744073709551615Gi", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(auto_json) json_t *value = value_of(rows[i].value);
		uint64_t bytes = 0;

		if (quantity_bytes(value, &bytes) != rows[i].good ||
		    (rows[i].good && bytes != rows[i].bytes))
			fail_msg("%s: %llu", rows[i].value, (unsigned long long)bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_quantities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
