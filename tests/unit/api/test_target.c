/* What targets say, and which objects they mean. */
#include "api/route.h"
#include "api/target.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void test_parts(void **state)
{
	struct err err = {.code = ERR_NONE};
	struct target target;

	(void)state;
	assert_int_equal(target_parse(&target, SV("//a//b%2Fc/?x=1&y=a+b%2B&z&x=2&="), &err), 0);
	assert_int_equal(target.segment_count, 2);
	assert_string_equal(target.segments[0], "a");
	assert_string_equal(target.segments[1], "b/c");
	assert_null(target.segments[2]);
	assert_true(sv_eq(target.path, SV("//a//b%2Fc/")));
	assert_string_equal(target_param(&target, "x"), "2");
	assert_string_equal(target_param(&target, "y"), "a b+");
	assert_string_equal(target_param(&target, "z"), "");
	assert_null(target_param(&target, "w"));
	target_deinit(&target);
}

static void test_flags(void **state)
{
	static const struct {
		const char *query;
		bool flag;
	} cases[] = {
		{"/?f=true", true}, {"/?f=True", true}, {"/?f=1", true}, {"/?f=false", false},
		{"/?f=", false},    {"/?f", false},     {"/", false},    {"/?f=yes", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {.code = ERR_NONE};
		struct target target;

		assert_int_equal(target_parse(&target, sv_from(cases[i].query), &err), 0);
		if (target_flag(&target, "f") != cases[i].flag)
			fail_msg("%s", cases[i].query);
		target_deinit(&target);
	}
}

static void test_refused(void **state)
{
	static const char *const cases[] = {"",       "a",      "*",      "?a",    "/%",
					    "/%0",    "/%00",   "/%zz",   "/?%",   "/?a=%1",
					    "/?%00=", "/?a=%0", "/a%2/b", "/a/%00"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {.code = ERR_NONE};
		struct target target;

		if (target_parse(&target, sv_from(cases[i]), &err) == 0)
			fail_msg("taken: %s", cases[i]);
		assert_int_equal(err.code, ERR_INVALID);
		target_deinit(&target);
	}
}

static void test_limits(void **state)
{
	struct err err = {.code = ERR_NONE};
	struct target target;
	struct buf text;

	(void)state;
	buf_init(&text, 4096);
	for (size_t i = 0; i < TARGET_SEGMENTS_MAX; i++)
		buf_addf(&text, "/a");
	assert_int_equal(target_parse(&target, buf_view(&text), &err), 0);
	target_deinit(&target);
	buf_addf(&text, "/a");
	assert_int_equal(target_parse(&target, buf_view(&text), &err), -1);
	target_deinit(&target);
	buf_reset(&text);
	buf_addf(&text, "/?a");
	for (size_t i = 1; i < TARGET_PARAMS_MAX; i++)
		buf_addf(&text, "&a=%%41");
	assert_int_equal(target_parse(&target, buf_view(&text), &err), 0);
	assert_string_equal(target_param(&target, "a"), "A");
	target_deinit(&target);
	buf_addf(&text, "&a");
	assert_int_equal(target_parse(&target, buf_view(&text), &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	target_deinit(&target);
	buf_deinit(&text);
}

static void test_routes(void **state)
{
	static const struct {
		const char *path, *plural, *version, *ns, *name;
		bool status;
	} cases[] = {
		{"/api/v1/namespaces", "namespaces", "v1", "", NULL, false},
		{"/api/v1/namespaces/a", "namespaces", "v1", "", "a", false},
		{"/api/v1/namespaces/a/status", "namespaces", "v1", "", "a", true},
		{"/api/v1/services", "services", "v1", NULL, NULL, false},
		{"/api/v1/namespaces/a/services", "services", "v1", "a", NULL, false},
		{"/api/v1/namespaces/a/services/s", "services", "v1", "a", "s", false},
		{"/apis/gateway.networking.k8s.io/v1/gateways", "gateways", "v1", NULL, NULL,
		 false},
		{"/apis/gateway.networking.k8s.io/v1beta1/namespaces/a/gateways/g/status",
		 "gateways", "v1beta1", "a", "g", true},
		{"/apis/cert-manager.io/v1/clusterissuers/c", "clusterissuers", "v1", "", "c",
		 false},
		{"/", NULL, NULL, NULL, NULL, false},
		{"/api/v1", NULL, NULL, NULL, NULL, false},
		{"/api/v2/services", NULL, NULL, NULL, NULL, false},
		{"/api/v1/services/s", NULL, NULL, NULL, NULL, false},
		{"/api/v1/namespaces/a/namespaces", NULL, NULL, NULL, NULL, false},
		{"/api/v1/namespaces/a/services/s/status/x", NULL, NULL, NULL, NULL, false},
		{"/api/v1/namespaces/a/services/s/scale", NULL, NULL, NULL, NULL, false},
		{"/api/v1/namespaces/a/secrets/s/status", NULL, NULL, NULL, NULL, false},
		{"/apis/gateway.networking.k8s.io/v1/clusterissuers", NULL, NULL, NULL, NULL,
		 false},
		{"/apis/cert-manager.io/v1/namespaces/a/clusterissuers/c", NULL, NULL, NULL, NULL,
		 false},
		{"/apis//v1/services", NULL, NULL, NULL, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {.code = ERR_NONE};
		struct target target;
		struct route route;
		bool good;

		assert_int_equal(target_parse(&target, sv_from(cases[i].path), &err), 0);
		good = route_find(&target, &route) == (cases[i].plural != NULL);
		if (good && cases[i].plural != NULL)
			good = strcmp(route.kind->plural, cases[i].plural) == 0 &&
			       strcmp(route.version, cases[i].version) == 0 &&
			       (route.ns == NULL) == (cases[i].ns == NULL) &&
			       (route.ns == NULL || strcmp(route.ns, cases[i].ns) == 0) &&
			       (route.name == NULL) == (cases[i].name == NULL) &&
			       (route.name == NULL || strcmp(route.name, cases[i].name) == 0) &&
			       route.status == cases[i].status;
		if (!good)
			fail_msg("%s", cases[i].path);
		target_deinit(&target);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),   cmocka_unit_test(test_flags),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
