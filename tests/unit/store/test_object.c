/* tests/unit/store/test_object.c - store/object.c */
#include "store/object.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct object *make(const char *text, uint64_t revision)
{
	struct err err = {0};
	json_t *json = json_parse(sv_from(text), &err);

	if (json == NULL)
		fail_msg("%s: %s", text, err.msg);
	return object_new(SV("core/configmaps/default/a"), revision, json);
}

static void test_metadata(void **state)
{
	static const struct {
		const char *json, *name, *ns;
		int64_t generation;
	} cases[] = {
		{"{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\",\"generation\":3}}", "a", "b",
		 3},
		{"{\"metadata\":{\"name\":\"a\"}}", "a", "", 0},
		{"{\"metadata\":{\"name\":1,\"generation\":\"x\"}}", "", "", 0},
		{"{\"metadata\":[]}", "", "", 0},
		{"{}", "", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_object) struct object *object = make(cases[i].json, 7);

		assert_string_equal(object_name(object), cases[i].name);
		assert_string_equal(object_namespace(object), cases[i].ns);
		assert_int_equal(object_generation(object), cases[i].generation);
		assert_string_equal(json_str_at(object->json, "metadata.resourceVersion"), "7");
	}
}

static void test_counting(void **state)
{
	struct object *object = make("{\"metadata\":{\"name\":\"a\"}}", 1);
	struct object *second = object_ref(object);

	(void)state;
	assert_ptr_equal(second, object);
	assert_int_equal(object->refs, 2);
	object_unref(object);
	assert_string_equal(object_name(second), "a");
	object_unref(second);
	object_unref(NULL);
}

static void test_at_another_revision(void **state)
{
	AUTO(auto_object)
	struct object *object = make("{\"metadata\":{\"name\":\"a\"},\"data\":{\"x\":\"y\"}}", 1);
	AUTO(auto_object) struct object *later = object_at(object, 18446744073709551615u);

	(void)state;
	assert_string_equal(json_str_at(object->json, "metadata.resourceVersion"), "1");
	assert_string_equal(json_str_at(later->json, "metadata.resourceVersion"),
			    "18446744073709551615");
	assert_string_equal(json_str_at(later->json, "data.x"), "y");
	assert_string_equal(later->key, object->key);
}

static void test_key(void **state)
{
	static const struct {
		const char *group, *plural, *ns, *name, *key;
	} cases[] = {
		{"core", "secrets", "default", "tls", "core/secrets/default/tls"},
		{"cert-manager.io", "clusterissuers", "", "le",
		 "cert-manager.io/clusterissuers//le"},
		{"core", "secrets", "default", "a/b", NULL},
		{"core", "secrets", "a/b", "c", NULL},
		{"core", "secrets", "default", "", NULL},
		{"", "secrets", "default", "a", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free)
		char *key = object_key(cases[i].group, cases[i].plural, cases[i].ns, cases[i].name);

		if (cases[i].key == NULL ? key != NULL
					 : key == NULL || strcmp(key, cases[i].key) != 0)
			fail_msg("case %zu: got %s", i, key == NULL ? "NULL" : key);
	}
}

static void test_key_split(void **state)
{
	static const struct {
		struct str_view key;
		bool good;
		struct str_view group, plural, ns, name;
	} cases[] = {
		{SV_INIT("core/secrets/default/tls"), true, SV_INIT("core"), SV_INIT("secrets"),
		 SV_INIT("default"), SV_INIT("tls")},
		{SV_INIT("g/p//n"), true, SV_INIT("g"), SV_INIT("p"), SV_INIT(""), SV_INIT("n")},
		{.key = SV_INIT("g/p/n")},
		{.key = SV_INIT("g/p/ns/")},
		{.key = SV_INIT("g/p/ns/a/b")},
		{.key = SV_INIT("/p/ns/a")},
		{.key = SV_INIT("g//ns/a")},
		{.key = SV_INIT("")},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct object_key_parts parts;
		bool good = object_key_split(cases[i].key, &parts);

		if (good != cases[i].good ||
		    (good && (!sv_eq(parts.group, cases[i].group) ||
			      !sv_eq(parts.plural, cases[i].plural) ||
			      !sv_eq(parts.ns, cases[i].ns) || !sv_eq(parts.name, cases[i].name))))
			fail_msg("%.*s: got %d", SV_ARG(cases[i].key), good);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_counting),
		cmocka_unit_test(test_at_another_revision),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_key_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
