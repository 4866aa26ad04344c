/* tests/unit/resource/test_core.c - resource/core.c, service.c, event.c, apps.c, backend.c,
 * tigera.c */
#include "admit.h"

#define NAMESPACE "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}"
#define CONFIG                                                                       \
	"{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a.b: text}, " \
	"binaryData: {bin: YQ==}}"
#define SERVICE                                                                              \
	"{apiVersion: v1, kind: Service, metadata: {name: shop}, spec: {selector: "          \
	"{app: shop}, ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP, " \
	"targetPort: dns}]}}"
#define SLICE                                                                            \
	"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: shop, " \
	"labels: {kubernetes.io/service-name: shop}}, addressType: IPv4, ports: "        \
	"[{name: http, port: 8080}], endpoints: [{addresses: [127.0.0.1], "              \
	"conditions: {ready: true}}]}"
#define EVENT                                                                                  \
	"{apiVersion: v1, kind: Event, metadata: {name: e}, involvedObject: {kind: "           \
	"Gateway, name: gw, namespace: default}, reason: Programmed, type: Normal, count: 2, " \
	"message: bound, lastTimestamp: '2026-01-02T03:04:05Z'}"
#define DEPLOYMENT                                                                          \
	"{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop}, spec: {selector: " \
	"{matchLabels: {app: shop}}, template: {metadata: {labels: {app: shop, v: '1'}}, "  \
	"spec: {containers: [{name: x, anything: [1, null]}]}}}}"
#define BACKEND                                                                             \
	"{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: Backend, metadata: {name: b}, " \
	"spec: {endpoints: [{ip: {address: 127.0.0.1, port: 8080}}, {unix: {path: "         \
	"/run/shop.sock}}]}}"
#define INSTALLATION                                                                          \
	"{apiVersion: operator.tigera.io/v1, kind: Installation, metadata: {name: default}, " \
	"spec: {kubeletVolumePluginPath: None, kubernetesProvider: EKS, cni: {type: "         \
	"AmazonVPC}, calicoNetwork: {bgp: Disabled}}}"

static void test_valid(void **state)
{
	static const char *const texts[] = {
		NAMESPACE,
		CONFIG,
		SERVICE,
		SLICE,
		EVENT,
		DEPLOYMENT,
		BACKEND,
		INSTALLATION,
		"{apiVersion: operator.tigera.io/v1, kind: GatewayAPI, metadata: {name: default}}",
		"{apiVersion: v1, kind: Service, metadata: {name: shop, labels: {app: demo}}, "
		"spec: {type: ClusterIP, ports: [{name: http, port: 80, targetPort: 8081}]}}",
		"{apiVersion: v1, kind: Service, metadata: {name: h2}, spec: {clusterIP: None, "
		"ports: [{port: 81, appProtocol: kubernetes.io/h2c, targetPort: 3001}]}}",
		"{apiVersion: v1, kind: Service, metadata: {name: out}, spec: {type: "
		"ExternalName, externalName: www.example.com}}",
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: six}, "
		"addressType: IPv6, ports: [{port: 1}], endpoints: [{addresses: ['::1']}]}",
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: none}, "
		"addressType: IPv4, ports: [{name: p, port: 3000, protocol: TCP}]}",
		"{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: Backend, metadata: {name: f}, "
		"spec: {type: Endpoints, fallback: true, appProtocols: "
		"[gateway.envoyproxy.io/h2c], endpoints: [{fqdn: {hostname: shop.internal., "
		"port: 80}, zone: a}]}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		check_valid(texts[i]);
}

static void test_namespace(void **state)
{
	static const struct filled filled[] = {
		{"status.phase", "Active"},
		{"metadata.generation", NULL},
	};
	AUTO(auto_json) json_t *object = stored(NAMESPACE);
	const json_t *labels = json_at(object, "metadata.labels");

	(void)state;
	check_filled(NAMESPACE, filled, ARRAY_LEN(filled));
	assert_string_equal(json_string_value(json_member(labels, "kubernetes.io/metadata.name")),
			    "shop");
}

static void test_configmap(void **state)
{
	static const struct mistake mistakes[] = {
		{"data", "{a: 1}", "data[a]", CAUSE_TYPE, "quote it"},
		{"data", "{a/b: x}", "data[a/b]", CAUSE_INVALID, "Invalid key"},
		{"data", "{bin: x}", "binaryData[bin]", CAUSE_INVALID, "is in data"},
		{"binaryData", "{a: '?'}", "binaryData[a]", CAUSE_INVALID, "base64"},
		{"immutable", "'yes'", "immutable", CAUSE_TYPE, "remove the quotes"},
	};

	(void)state;
	check_mistakes(CONFIG, mistakes, ARRAY_LEN(mistakes));
}

static void test_configmap_immutable(void **state)
{
	static const struct mistake mistakes[] = {
		{"data", "{a: x}", "data", CAUSE_FORBIDDEN, "immutable"},
		{"immutable", NULL, "immutable", CAUSE_FORBIDDEN, "immutable"},
		{"metadata.labels", "{a: b}", NULL, 0, NULL},
	};
	static const char text[] = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, "
				   "immutable: true, data: {a: b}}";
	AUTO(auto_json) json_t *old = stored(text);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++)
		check_mistake(text, old, &mistakes[i]);
}

static void test_service_defaults(void **state)
{
	static const struct filled filled[] = {
		{"spec.type", "ClusterIP"},       {"spec.clusterIP", "None"},
		{"spec.ports.0.protocol", "TCP"}, {"spec.ports.0.targetPort", "80"},
		{"spec.ports.1.protocol", "UDP"}, {"spec.ports.1.targetPort", "dns"},
		{"status.loadBalancer", "{}"},
	};
	AUTO(auto_json) json_t *old = stored(SERVICE), *body = doc(SERVICE);

	(void)state;
	check_filled(SERVICE, filled, ARRAY_LEN(filled));
	json_set_at(old, "spec.clusterIP", json_string("10.0.0.1"));

	AUTO(admitted_deinit) struct admitted now = admit(body, old, FIELDS_STRICT);

	assert_string_equal(json_str_at(now.object, "spec.clusterIP"), "10.0.0.1");
}

static void test_service_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec", NULL, "spec", CAUSE_REQUIRED, NULL},
		{"spec.type", "Cluster", "spec.type", CAUSE_NOT_SUPPORTED, "\"NodePort\""},
		{"spec.type", "ExternalName", "spec.externalName", CAUSE_REQUIRED, NULL},
		{"spec.externalName", "a.example", "spec.externalName", CAUSE_FORBIDDEN, NULL},
		{"spec.clusterIP", "here", "spec.clusterIP", CAUSE_INVALID, NULL},
		{"spec.clusterIP", "''", NULL, 0, NULL},
		{"spec.ports.0.port", "0", "spec.ports[0].port", CAUSE_INVALID,
		 "between 1 and 65535"},
		{"spec.ports.0.port", "65536", "spec.ports[0].port", CAUSE_INVALID, NULL},
		{"spec.ports.0.port", "80.5", "spec.ports[0].port", CAUSE_TYPE, "an integer"},
		{"spec.ports.0.port", NULL, "spec.ports[0].port", CAUSE_REQUIRED, NULL},
		{"spec.ports.0.name", NULL, "spec.ports[0].name", CAUSE_REQUIRED, NULL},
		{"spec.ports.1.name", "http", "spec.ports[1].name", CAUSE_DUPLICATE, NULL},
		{"spec.ports.0.protocol", "tcp", "spec.ports[0].protocol", CAUSE_NOT_SUPPORTED,
		 NULL},
		{"spec.ports.0.targetPort", "0", "spec.ports[0].targetPort", CAUSE_INVALID, NULL},
		{"spec.ports.0.targetPort", "A_B", "spec.ports[0].targetPort", CAUSE_INVALID, NULL},
		{"spec.ports.0.targetPort", "[]", "spec.ports[0].targetPort", CAUSE_TYPE, NULL},
		{"spec.ports.2", "{name: more, port: 80}", "spec.ports[2].port", CAUSE_DUPLICATE,
		 NULL},
		{"spec.ports", "{}", "spec.ports", CAUSE_TYPE, "a list, got an object"},
		{"spec.selector", "{app: true}", "spec.selector[app]", CAUSE_TYPE, "quote it"},
		{"spec.ports", NULL, NULL, 0, NULL},
	};

	(void)state;
	check_mistakes(SERVICE, mistakes, ARRAY_LEN(mistakes));
}

static void test_slice_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"addressType", NULL, "addressType", CAUSE_REQUIRED, NULL},
		{"addressType", "IPv5", "addressType", CAUSE_NOT_SUPPORTED, NULL},
		{"addressType", "IPv6", "endpoints[0].addresses[0]", CAUSE_INVALID, "IPv6"},
		{"endpoints.0.addresses", "[a.example]", "endpoints[0].addresses[0]", CAUSE_INVALID,
		 "IPv4"},
		{"endpoints.0.addresses", "[]", "endpoints[0].addresses", CAUSE_INVALID,
		 "at least 1 item"},
		{"endpoints.0.addresses", NULL, "endpoints[0].addresses", CAUSE_REQUIRED, NULL},
		{"endpoints.0.conditions", "{ready: 'true'}", "endpoints[0].conditions.ready",
		 CAUSE_TYPE, "remove the quotes"},
		{"ports.0.port", "70000", "ports[0].port", CAUSE_INVALID, NULL},
		{"ports.1", "{name: http, port: 1}", "ports[1].name", CAUSE_DUPLICATE, NULL},
	};

	(void)state;
	check_mistakes(SLICE, mistakes, ARRAY_LEN(mistakes));
}

static void test_slice_address_type_stays(void **state)
{
	static const char fqdn[] = "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, "
				   "metadata: {name: s}, addressType: FQDN}";
	static const struct mistake change = {"addressType", "IPv4", "addressType", CAUSE_INVALID,
					      "immutable"};
	AUTO(auto_json) json_t *old = stored(fqdn);

	(void)state;
	check_mistake(fqdn, old, &change);
}

static void test_too_many(void **state)
{
	AUTO(auto_json) json_t *body = doc(SLICE);
	json_t *list = json_array();

	(void)state;
	for (int i = 0; i < 1001; i++)
		json_array_append_new(list, value_of("{addresses: [192.0.2.1]}"));
	json_set_at(body, "endpoints", list);

	AUTO(admitted_deinit) struct admitted now = admit(body, NULL, FIELDS_STRICT);

	assert_null(now.object);
	assert_int_equal(now.causes.count, 1);
	assert_string_equal(now.causes.list[0].message,
			    "Too many: 1001: must have at most 1000 items");
}

static void test_event_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"involvedObject", NULL, "involvedObject", CAUSE_REQUIRED, NULL},
		{"type", "Bad", "type", CAUSE_NOT_SUPPORTED, NULL},
		{"lastTimestamp", "now", "lastTimestamp", CAUSE_INVALID, "a time such as"},
		{"count", "-1", "count", CAUSE_INVALID, NULL},
	};

	(void)state;
	check_mistakes(EVENT, mistakes, ARRAY_LEN(mistakes));
}

static void test_deployment(void **state)
{
	static const struct filled filled[] = {
		{"spec.replicas", "1"},
		{"spec.template.spec.containers.0.anything", "[1, null]"},
	};
	static const struct mistake mistakes[] = {
		{"spec.selector", NULL, "spec.selector", CAUSE_REQUIRED, NULL},
		{"spec.template.metadata.labels", "{v: '1'}", "spec.template.metadata.labels",
		 CAUSE_INVALID, "spec.selector"},
		{"spec.replicas", "-1", "spec.replicas", CAUSE_INVALID, NULL},
		{"spec.replicas", "0", NULL, 0, NULL},
	};
	AUTO(auto_json) json_t *body = doc(DEPLOYMENT);
	AUTO(admitted_deinit) struct admitted now = admit(body, NULL, FIELDS_STRICT);
	AUTO(admitted_deinit) struct admitted again = admit(body, now.object, FIELDS_STRICT);

	(void)state;
	check_filled(DEPLOYMENT, filled, ARRAY_LEN(filled));
	check_mistakes(DEPLOYMENT, mistakes, ARRAY_LEN(mistakes));
	assert_int_equal(json_array_size(now.warnings), 1);
	assert_non_null(strstr(json_str_at(now.warnings, "0"), "runs none"));
	assert_int_equal(json_array_size(again.warnings), 0);
}

static void test_backend_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec.endpoints", "[]", "spec.endpoints", CAUSE_INVALID, "at least 1 item"},
		{"spec.endpoints", NULL, "spec.endpoints", CAUSE_REQUIRED, NULL},
		{"spec.endpoints.0", "{}", "spec.endpoints[0]", CAUSE_REQUIRED,
		 "one of ip, fqdn or unix"},
		{"spec.endpoints.0.unix", "{path: /a}", "spec.endpoints[0]", CAUSE_INVALID,
		 "only one"},
		{"spec.endpoints.0", "{fqdn: {hostname: a.example, port: 1}}", "spec.endpoints",
		 CAUSE_INVALID, "cannot be mixed"},
		{"spec.endpoints.0.ip.address", "localhost", "spec.endpoints[0].ip.address",
		 CAUSE_INVALID, "IPv4 or IPv6"},
		{"spec.endpoints.0.ip.port", "0", "spec.endpoints[0].ip.port", CAUSE_INVALID, NULL},
		{"spec.endpoints.0.ip.port", NULL, "spec.endpoints[0].ip.port", CAUSE_REQUIRED,
		 NULL},
		{"spec.endpoints.1.unix.path", "run/a", "spec.endpoints[1].unix.path",
		 CAUSE_INVALID, "absolute"},
		{"spec.endpoints.1.unix.path", "''", "spec.endpoints[1].unix.path", CAUSE_INVALID,
		 "empty"},
		{"spec.endpoints.1.unix.path",
		 "/run/0123456789012345678901234567890123456789012345678901234567890123456789"
		 "01234567890123456789012345678901",
		 NULL, 0, NULL},
		{"spec.endpoints.1.unix.path",
		 "/run/0123456789012345678901234567890123456789012345678901234567890123456789"
		 "012345678901234567890123456789012",
		 "spec.endpoints[1].unix.path", CAUSE_TOO_LONG, "107"},
		{"spec.type", "DynamicResolver", "spec.type", CAUSE_NOT_SUPPORTED, NULL},
		{"spec.tls", "{sni: a.example}", "spec.tls", CAUSE_REQUIRED,
		 "wellKnownCACertificates"},
		{"spec.tls", "{wellKnownCACertificates: System}", "spec.tls.sni", CAUSE_REQUIRED,
		 NULL},
		{"spec.tls", "{wellKnownCACertificates: System, sni: a.example}", NULL, 0, NULL},
		{"spec.appProtocols", "[h2c]", "spec.appProtocols[0]", CAUSE_NOT_SUPPORTED, NULL},
	};

	(void)state;
	check_mistakes(BACKEND, mistakes, ARRAY_LEN(mistakes));
}

static void test_installation_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec.kubernetesProvider", "Nomad", "spec.kubernetesProvider", CAUSE_NOT_SUPPORTED,
		 NULL},
		{"spec.cni.type", NULL, "spec.cni.type", CAUSE_REQUIRED, NULL},
		{"spec.calicoNetwork.bgp", "off", "spec.calicoNetwork.bgp", CAUSE_TYPE,
		 "got a boolean: quote it"},
		{"spec", NULL, NULL, 0, NULL},
	};

	(void)state;
	check_mistakes(INSTALLATION, mistakes, ARRAY_LEN(mistakes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_namespace),
		cmocka_unit_test(test_configmap),
		cmocka_unit_test(test_configmap_immutable),
		cmocka_unit_test(test_service_defaults),
		cmocka_unit_test(test_service_mistakes),
		cmocka_unit_test(test_slice_mistakes),
		cmocka_unit_test(test_slice_address_type_stays),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_event_mistakes),
		cmocka_unit_test(test_deployment),
		cmocka_unit_test(test_backend_mistakes),
		cmocka_unit_test(test_installation_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
