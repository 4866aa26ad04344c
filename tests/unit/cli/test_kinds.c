/* tests/unit/cli/test_kinds.c - cli/kinds.c */
#include "cli/kinds.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const lists[] = {
	"{\"groupVersion\":\"v1\",\"resources\":["
	"{\"name\":\"services\",\"singularName\":\"service\",\"namespaced\":true,"
	"\"kind\":\"Service\",\"shortNames\":[\"svc\"],\"categories\":[\"all\"]},"
	"{\"name\":\"services/status\",\"kind\":\"Service\"},"
	"{\"name\":\"namespaces\",\"singularName\":\"namespace\",\"namespaced\":false,"
	"\"kind\":\"Namespace\",\"shortNames\":[\"ns\"]}]}",
	"{\"groupVersion\":\"g.io/v1\",\"resources\":["
	"{\"name\":\"gateways\",\"singularName\":\"gateway\",\"namespaced\":true,"
	"\"kind\":\"Gateway\",\"shortNames\":[\"gtw\"]},"
	"{\"name\":\"services\",\"singularName\":\"service\",\"namespaced\":true,"
	"\"kind\":\"Service\"}]}",
	"{\"groupVersion\":\"g.io/v1beta1\",\"resources\":["
	"{\"name\":\"gateways\",\"singularName\":\"gateway\",\"namespaced\":true,"
	"\"kind\":\"Gateway\"},"
	"{\"name\":\"grants\",\"singularName\":\"grant\",\"namespaced\":true,\"kind\":\"Grant\"}]}",
	"{\"groupVersion\":\"odd\",\"resources\":[{\"name\":\"x\"},{\"kind\":\"X\"},7,null]}",
	"{\"resources\":3}",
};

static struct kinds learn(void)
{
	struct kinds kinds;

	kinds_init(&kinds);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		AUTO(auto_json) json_t *list = json_parse(sv_from(lists[i]), NULL);

		assert_non_null(list);
		kinds_add(&kinds, list);
	}
	return kinds;
}

static void test_words(void **state)
{
	static const struct {
		const char *word, *path;
	} cases[] = {
		{"service", "/api/v1/namespaces/a/services"},
		{"services", "/api/v1/namespaces/a/services"},
		{"SVC", "/api/v1/namespaces/a/services"},
		{"Service", "/api/v1/namespaces/a/services"},
		{"services.v1", "/api/v1/namespaces/a/services"},
		{"services.v1.", "/api/v1/namespaces/a/services"},
		{"services.g.io", "/apis/g.io/v1/namespaces/a/services"},
		{"gtw", "/apis/g.io/v1/namespaces/a/gateways"},
		{"gateway.g.io", "/apis/g.io/v1/namespaces/a/gateways"},
		{"gateways.v1beta1.g.io", "/apis/g.io/v1beta1/namespaces/a/gateways"},
		{"grant", "/apis/g.io/v1beta1/namespaces/a/grants"},
		{"namespace", "/api/v1/namespaces"},
		{"gateways.other.io", NULL},
		{"gateways.v2.g.io", NULL},
		{"gatewayses", NULL},
		{"", NULL},
		{"services/status", NULL},
		{"x", NULL},
	};
	struct kinds kinds = learn();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct kind_info *kind = kinds_by_word(&kinds, sv_from(cases[i].word));
		AUTO(auto_free) char *path = kind == NULL ? NULL : kind_path(kind, "a", NULL, NULL);

		if ((path == NULL) != (cases[i].path == NULL) ||
		    (path != NULL && strcmp(path, cases[i].path) != 0))
			fail_msg("%s: %s", cases[i].word, path == NULL ? "nothing" : path);
	}
	kinds_deinit(&kinds);
}

static void test_types(void **state)
{
	struct kinds kinds = learn();
	const struct kind_info *service = kinds_by_gvk(&kinds, SV("v1"), SV("Service"));
	const struct kind_info *gateway = kinds_by_gvk(&kinds, SV("g.io/v1beta1"), SV("Gateway"));
	struct buf text;

	(void)state;
	assert_int_equal(kinds.count, 6);
	assert_non_null(service);
	assert_true(service->has_status);
	assert_true(kind_in_category(service, SV("all")));
	assert_non_null(gateway);
	assert_false(gateway->preferred);
	assert_null(kinds_by_gvk(&kinds, SV("g.io/v2"), SV("Gateway")));
	assert_null(kinds_by_gvk(&kinds, SV("v1"), SV("service")));
	assert_null(kinds_by_gvk(&kinds, SV(""), SV("")));
	buf_init(&text, 256);
	kind_label(gateway, &text);
	buf_addc(&text, ' ');
	kind_label(service, &text);
	buf_addc(&text, ' ');
	kind_api_version(gateway, &text);
	assert_string_equal(buf_cstr(&text), "gateway.g.io service g.io/v1beta1");
	buf_deinit(&text);
	kinds_deinit(&kinds);
}

static void test_paths(void **state)
{
	struct kinds kinds = learn();
	const struct kind_info *gateway = kinds_by_word(&kinds, SV("gateway"));
	const struct kind_info *ns = kinds_by_word(&kinds, SV("ns"));
	AUTO(auto_free) char *object = kind_path(gateway, "a/b", "../x?y", "status");
	AUTO(auto_free) char *all = kind_path(gateway, NULL, NULL, NULL);
	AUTO(auto_free) char *cluster = kind_path(ns, "ignored", "n", NULL);

	(void)state;
	assert_string_equal(object, "/apis/g.io/v1/namespaces/a%2Fb/gateways/..%2Fx%3Fy/status");
	assert_string_equal(all, "/apis/g.io/v1/gateways");
	assert_string_equal(cluster, "/api/v1/namespaces/n");
	path_add(&all, "labelSelector", "a=b,c in (d)");
	path_add(&all, "x", NULL);
	path_add(&all, "y", "");
	path_add(&all, "watch", "true");
	assert_string_equal(all,
			    "/apis/g.io/v1/gateways?labelSelector=a%3Db%2Cc%20in%20%28d%29&watch="
			    "true");
	kinds_deinit(&kinds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
