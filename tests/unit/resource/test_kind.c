/* tests/unit/resource/test_kind.c - resource/kind.c: the table of kinds and its look-ups */
#include "admit.h"
#include "resource/schema.h"

static void test_rows_are_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < kind_count; i++) {
		const struct kind *kind = &kinds[i];

		if (kind->group == NULL || kind->versions[0] == NULL || kind->kind == NULL ||
		    kind->plural == NULL || kind->singular == NULL || kind->schema == NULL ||
		    (kind->columns == NULL) != (kind->column_count == 0))
			fail_msg("row %zu (%s)", i, kind->kind);
		for (size_t j = 0; j < kind->column_count; j++) {
			if (kind->columns[j].name == NULL || kind->columns[j].cell == NULL)
				fail_msg("%s column %zu", kind->kind, j);
		}
		if (kind_by_plural(sv_from(kind->group), sv_from(kind->plural)) != kind)
			fail_msg("%s is not found by its plural", kind->kind);
		if (kind_by_word(sv_from(kind->kind)) != kind)
			fail_msg("%s is not found by its name", kind->kind);
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *word, *kind;
	} cases[] = {
		{"gateway", "Gateway"},
		{"gateways", "Gateway"},
		{"gtw", "Gateway"},
		{"GATEWAY", "Gateway"},
		{"gateways.gateway.networking.k8s.io", "Gateway"},
		{"gateway.gateway.networking.k8s.io", "Gateway"},
		{"gateways.v1.gateway.networking.k8s.io", "Gateway"},
		{"gateways.v1beta1.gateway.networking.k8s.io", "Gateway"},
		{"gateways.v2.gateway.networking.k8s.io", NULL},
		{"gateways.example.com", NULL},
		{"ns", "Namespace"},
		{"svc", "Service"},
		{"services.v1", "Service"},
		{"services.", "Service"},
		{"services.apps", NULL},
		{"cm", "ConfigMap"},
		{"ev", "Event"},
		{"gc", "GatewayClass"},
		{"refgrant", "ReferenceGrant"},
		{"ciss", "ClusterIssuer"},
		{"iss", "Issuer"},
		{"cert", "Certificate"},
		{"certs", "Certificate"},
		{"cr", "CertificateRequest"},
		{"be", "Backend"},
		{"deploy", "Deployment"},
		{"tigerastatus", "TigeraStatus"},
		{"tigerastatuses", "TigeraStatus"},
		{"gatewayapi", "GatewayAPI"},
		{"unicorn", NULL},
		{"", NULL},
		{".", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct kind *kind = kind_by_word(sv_from(cases[i].word));
		const char *name = kind == NULL ? "nothing" : kind->kind;

		if (strcmp(name, cases[i].kind == NULL ? "nothing" : cases[i].kind) != 0)
			fail_msg("\"%s\" is %s", cases[i].word, name);
	}
}

static void test_group_version_kind(void **state)
{
	static const struct {
		const char *version, *kind, *plural;
	} cases[] = {
		{"v1", "Secret", "secrets"},
		{"v2", "Secret", NULL},
		{"", "Secret", NULL},
		{"core/v1", "Secret", NULL},
		{"gateway.networking.k8s.io/v1", "Gateway", "gateways"},
		{"gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "referencegrants"},
		{"gateway.networking.k8s.io/v1alpha1", "Gateway", NULL},
		{"gateway.networking.k8s.io/v1", "gateway", NULL},
		{"gateway.networking.k8s.io/v1/x", "Gateway", NULL},
		{"acme.cert-manager.io/v1", "Order", "orders"},
		{"cert-manager.io/v1", "Order", NULL},
		{"gateway.envoyproxy.io/v1alpha1", "Backend", "backends"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct kind *kind =
			kind_by_gvk(sv_from(cases[i].version), sv_from(cases[i].kind));

		if ((kind == NULL) != (cases[i].plural == NULL) ||
		    (kind != NULL && strcmp(kind->plural, cases[i].plural) != 0))
			fail_msg("%s %s", cases[i].version, cases[i].kind);
	}
}

static void test_scope(void **state)
{
	static const char *const cluster[] = {"Namespace",    "GatewayClass", "ClusterIssuer",
					      "Installation", "GatewayAPI",   "TigeraStatus"};

	(void)state;
	for (size_t i = 0; i < kind_count; i++) {
		bool namespaced = true;

		for (size_t j = 0; j < ARRAY_LEN(cluster); j++)
			namespaced = namespaced && strcmp(cluster[j], kinds[i].kind) != 0;
		if (kinds[i].namespaced != namespaced)
			fail_msg("scope of %s", kinds[i].kind);
	}
}

static void test_keys(void **state)
{
	static const struct {
		const char *kind, *ns, *name, *key, *prefix, *all;
	} cases[] = {
		{"secret", "default", "a", "core/secrets/default/a", "core/secrets/default/",
		 "core/secrets/"},
		{"clusterissuer", "", "le", "cert-manager.io/clusterissuers//le",
		 "cert-manager.io/clusterissuers//", "cert-manager.io/clusterissuers/"},
		{"namespace", "ignored", "x", "core/namespaces//x", "core/namespaces//",
		 "core/namespaces/"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct kind *kind = kind_by_word(sv_from(cases[i].kind));
		AUTO(auto_free) char *key = kind_key(kind, cases[i].ns, cases[i].name);
		AUTO(auto_free) char *prefix = kind_prefix(kind, cases[i].ns);
		AUTO(auto_free) char *all = kind_prefix(kind, NULL);

		assert_string_equal(key, cases[i].key);
		assert_string_equal(prefix, cases[i].prefix);
		assert_string_equal(all, cases[i].all);
	}
	assert_null(kind_key(kind_by_word(SV("secret")), "default", "a/b"));
	assert_null(kind_key(kind_by_word(SV("secret")), "a/b", "a"));
}

static void test_api_version(void **state)
{
	AUTO(auto_free)
	char *grant = kind_api_version(kind_by_word(SV("referencegrant")), "v1beta1");
	AUTO(auto_free) char *gateway = kind_api_version(kind_by_word(SV("gateway")), NULL);
	AUTO(auto_free) char *secret = kind_api_version(kind_by_word(SV("secret")), NULL);

	(void)state;
	assert_string_equal(grant, "gateway.networking.k8s.io/v1beta1");
	assert_string_equal(gateway, "gateway.networking.k8s.io/v1");
	assert_string_equal(secret, "v1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_whole),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_group_version_kind),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_api_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
