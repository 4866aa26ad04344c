/* tests/unit/resource/test_l4route.c - resource/l4route.c */
#include "admit.h"

#define ROUTE(version, kind, more)                                        \
	"{apiVersion: gateway.networking.k8s.io/" version ", kind: " kind \
	", metadata: {name: r}, spec: {parentRefs: [{name: gw}], " more   \
	"rules: [{backendRefs: [{name: db, port: 5432}]}]}}"
#define TLS ROUTE("v1", "TLSRoute", "hostnames: [db.example.com], ")
#define TCP ROUTE("v1", "TCPRoute", "")
#define REF "spec.rules.0.backendRefs.0"

static void test_valid(void **state)
{
	static const char *const texts[] = {
		TLS,
		TCP,
		ROUTE("v1", "UDPRoute", ""),
		"{apiVersion: gateway.networking.k8s.io/v1, kind: TCPRoute, metadata: {name: r}, "
		"spec: {parentRefs: [{name: gw, namespace: x, sectionName: a, port: 5432}, {name: "
		"gw, namespace: x, sectionName: b, port: 5432}], rules: [{name: all, backendRefs: "
		"[{name: db, port: 5432, weight: 0}, {group: gateway.envoyproxy.io, kind: Backend, "
		"name: b, namespace: y, weight: 9}]}]}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		check_valid(texts[i]);
}

/* The versions have one schema. */
static void test_versions(void **state)
{
	static const char *const texts[] = {
		ROUTE("v1alpha3", "TLSRoute", "hostnames: ['*.example.com', a.b], "),
		ROUTE("v1alpha2", "TLSRoute", "hostnames: [a.b], "),
		ROUTE("v1alpha2", "TCPRoute", ""),
		ROUTE("v1alpha2", "UDPRoute", ""),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		AUTO(auto_json) json_t *object = stored(texts[i]);

		assert_string_equal(json_str_at(object, "apiVersion"),
				    "gateway.networking.k8s.io/v1");
	}
}

static void test_defaults(void **state)
{
	static const struct filled filled[] = {
		{"spec.parentRefs.0",
		 "{group: gateway.networking.k8s.io, kind: Gateway, name: gw}"},
		{REF, "{group: '', kind: Service, name: db, port: 5432, weight: 1}"},
		{"status", "{parents: []}"},
	};

	(void)state;
	check_filled(TLS, filled, ARRAY_LEN(filled));
	check_filled(TCP, filled, ARRAY_LEN(filled));
}

static void test_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec", NULL, "spec", CAUSE_REQUIRED, NULL},
		{"spec.rules", NULL, "spec.rules", CAUSE_REQUIRED, NULL},
		{"spec.rules", "[]", "spec.rules", CAUSE_INVALID, "at least 1 item"},
		{"spec.rules.1", "{backendRefs: [{name: b, port: 1}]}", "spec.rules",
		 CAUSE_TOO_LONG, NULL},
		{"spec.rules.0.name", "A_b", "spec.rules[0].name", CAUSE_INVALID, NULL},
		{"spec.rules.0.backendRefs", NULL, "spec.rules[0].backendRefs", CAUSE_REQUIRED,
		 NULL},
		{"spec.rules.0.backendRefs", "[]", "spec.rules[0].backendRefs", CAUSE_INVALID,
		 "at least 1 item"},
		{REF ".name", NULL, "spec.rules[0].backendRefs[0].name", CAUSE_REQUIRED, NULL},
		{REF ".port", NULL, "spec.rules[0].backendRefs[0].port", CAUSE_REQUIRED,
		 "named with its port"},
		{REF ".port", "65536", "spec.rules[0].backendRefs[0].port", CAUSE_INVALID, NULL},
		{REF ".weight", "-1", "spec.rules[0].backendRefs[0].weight", CAUSE_INVALID, NULL},
		{REF ".weight", "1000001", "spec.rules[0].backendRefs[0].weight", CAUSE_INVALID,
		 NULL},
		{REF ".namespace", "A", "spec.rules[0].backendRefs[0].namespace", CAUSE_INVALID,
		 NULL},
		{"spec.parentRefs.0.name", NULL, "spec.parentRefs[0].name", CAUSE_REQUIRED, NULL},
		{"spec.parentRefs.1", "{name: gw}", "spec.parentRefs[1]", CAUSE_DUPLICATE, NULL},
		{"spec.parentRefs.1", "{name: gw, port: 1}", "spec.parentRefs[1]", CAUSE_INVALID,
		 "in both"},
		{"spec.useDefaultGateways", "All", "spec.useDefaultGateways", CAUSE_FORBIDDEN,
		 NULL},
	};

	(void)state;
	check_mistakes(TLS, mistakes, ARRAY_LEN(mistakes));
	check_mistakes(TCP, mistakes, ARRAY_LEN(mistakes));
}

static void test_names(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec.hostnames", NULL, "spec.hostnames", CAUSE_REQUIRED, NULL},
		{"spec.hostnames", "[]", "spec.hostnames", CAUSE_INVALID, "at least 1 item"},
		{"spec.hostnames.0", "192.0.2.1", "spec.hostnames[0]", CAUSE_INVALID, NULL},
		{"spec.hostnames.0", "'*'", "spec.hostnames[0]", CAUSE_INVALID, NULL},
		{"spec.hostnames.0", "'a.*.example'", "spec.hostnames[0]", CAUSE_INVALID, NULL},
		{"spec.hostnames.0", "A.example", "spec.hostnames[0]", CAUSE_INVALID, NULL},
		{"spec.hostnames.1", "''", "spec.hostnames[1]", CAUSE_INVALID, NULL},
	};

	(void)state;
	check_mistakes(TLS, mistakes, ARRAY_LEN(mistakes));
}

/* Members of HTTP have no place here. */
static void test_foreign_members(void **state)
{
	static const char *const texts[] = {
		ROUTE("v1", "TCPRoute", "hostnames: [a.b], "),
		"{apiVersion: gateway.networking.k8s.io/v1, kind: TCPRoute, metadata: {name: r}, "
		"spec: {rules: [{matches: [], backendRefs: [{name: db, port: 1}]}]}}",
		"{apiVersion: gateway.networking.k8s.io/v1, kind: TLSRoute, metadata: {name: r}, "
		"spec: {hostnames: [a.b], rules: [{backendRefs: [{name: db, port: 1, filters: "
		"[]}]}]}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		AUTO(auto_json) json_t *body = doc(texts[i]);
		AUTO(admitted_deinit) struct admitted admitted = admit(body, NULL, FIELDS_STRICT);

		assert_null(admitted.object);
		assert_non_null(strstr(admitted.err.msg, "unknown field"));
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *word, *kind;
	} cases[] = {{"tlsroute", "TLSRoute"},  {"tlsr", "TLSRoute"}, {"TCPRoute", "TCPRoute"},
		     {"tcproutes", "TCPRoute"}, {"tcpr", "TCPRoute"}, {"udproute", "UDPRoute"},
		     {"udpr", "UDPRoute"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct kind *kind = kind_by_word(sv_from(cases[i].word));

		assert_non_null(kind);
		assert_string_equal(kind->kind, cases[i].kind);
	}
}

static void test_cells(void **state)
{
	AUTO(auto_json) json_t *object = stored(TLS);
	const struct kind *kind = kind_by_word(SV("tlsroute"));
	static const char *const want[] = {"[\"db.example.com\"]", "db:5432"};

	(void)state;
	assert_int_equal(kind->column_count, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		AUTO(auto_json) json_t *cell = kind->columns[i].cell(object, NOW);

		assert_string_equal(json_string_value(cell), want[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),    cmocka_unit_test(test_versions),
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_names),    cmocka_unit_test(test_foreign_members),
		cmocka_unit_test(test_words),    cmocka_unit_test(test_cells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
