/* tests/unit/resource/test_backendtls.c - resource/backendtls.c */
#include "admit.h"

#define POLICY(version)                                                                         \
	"{apiVersion: gateway.networking.k8s.io/" version                                       \
	", kind: BackendTLSPolicy, metadata: {name: p}, spec: {targetRefs: [{group: '', kind: " \
	"Service, name: shop}], validation: {hostname: shop.example.com, caCertificateRefs: "   \
	"[{group: '', kind: ConfigMap, name: ca}]}}}"
#define V  "spec.validation"
#define RT "spec.targetRefs"

static void test_valid(void **state)
{
	static const char *const texts[] = {
		POLICY("v1"),
		"{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: "
		"{name: p}, spec: {targetRefs: [{group: '', kind: Service, name: a, sectionName: "
		"x}, {group: '', kind: Service, name: a, sectionName: y}, {group: '', kind: "
		"Service, name: b}], validation: {hostname: a.b, wellKnownCACertificates: System, "
		"subjectAltNames: [{type: Hostname, hostname: '*.a.b'}, {type: URI, uri: "
		"'spiffe://a/b'}]}, options: {example.com/a: b}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		check_valid(texts[i]);
}

static void test_versions(void **state)
{
	AUTO(auto_json) json_t *object = stored(POLICY("v1alpha3"));

	(void)state;
	assert_string_equal(json_str_at(object, "apiVersion"), "gateway.networking.k8s.io/v1");
}

static void test_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec", NULL, "spec", CAUSE_REQUIRED, NULL},
		{RT, NULL, RT, CAUSE_REQUIRED, NULL},
		{RT, "[]", RT, CAUSE_INVALID, "at least 1 item"},
		{RT ".0.name", NULL, RT "[0].name", CAUSE_REQUIRED, NULL},
		{RT ".0.group", NULL, RT "[0].group", CAUSE_REQUIRED, NULL},
		{RT ".1", "{group: '', kind: Service, name: shop}", RT "[1]", CAUSE_INVALID,
		 "sectionName must be specified"},
		{RT,
		 "[{group: '', kind: Service, name: a, sectionName: x}, {group: '', kind: Service, "
		 "name: a, sectionName: x}]",
		 RT "[1]", CAUSE_DUPLICATE, NULL},
		{V, NULL, V, CAUSE_REQUIRED, NULL},
		{V ".hostname", NULL, V ".hostname", CAUSE_REQUIRED, NULL},
		{V ".hostname", "'*.example.com'", V ".hostname", CAUSE_INVALID, NULL},
		{V ".caCertificateRefs", NULL, V, CAUSE_REQUIRED, "caCertificateRefs"},
		{V ".caCertificateRefs", "[]", V, CAUSE_REQUIRED, NULL},
		{V ".wellKnownCACertificates", "System", V, CAUSE_INVALID, "both"},
		{V ".subjectAltNames", "[{type: DNS, hostname: a.b}]", V ".subjectAltNames[0].type",
		 CAUSE_NOT_SUPPORTED, NULL},
		{V ".subjectAltNames", "[{type: URI}]", V ".subjectAltNames[0].uri", CAUSE_REQUIRED,
		 NULL},
		{V ".subjectAltNames", "[{type: Hostname, hostname: a.b, uri: 'a://b'}]",
		 V ".subjectAltNames[0].uri", CAUSE_FORBIDDEN, NULL},
		{V ".subjectAltNames", "[{type: URI, uri: nothing}]", V ".subjectAltNames[0].uri",
		 CAUSE_INVALID, "URI"},
		{V ".subjectAltNames", "[{type: URI, uri: 'urn:a:b'}]", V ".subjectAltNames[0].uri",
		 CAUSE_INVALID, NULL},
		{V ".subjectAltNames", "[{type: URI, uri: 'a/b://c'}]", V ".subjectAltNames[0].uri",
		 CAUSE_INVALID, NULL},
		{V, "{hostname: a.b, wellKnownCACertificates: system}",
		 V ".wellKnownCACertificates", CAUSE_INVALID, "System"},
		{V, "{hostname: a.b, wellKnownCACertificates: a.example/b/c}",
		 V ".wellKnownCACertificates", CAUSE_INVALID, NULL},
	};

	(void)state;
	check_mistakes(POLICY("v1"), mistakes, ARRAY_LEN(mistakes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
