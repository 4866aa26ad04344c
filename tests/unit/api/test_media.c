/* Media types, and what a Status says. */
#include "api/media.h"
#include "api/status.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void test_content_types(void **state)
{
	static const struct {
		const char *text;
		enum media media;
	} cases[] = {
		{NULL, MEDIA_JSON},
		{"", MEDIA_JSON},
		{"application/json", MEDIA_JSON},
		{"Application/JSON; charset=utf-8", MEDIA_JSON},
		{"application/yaml", MEDIA_YAML},
		{"application/json-patch+json", MEDIA_JSON_PATCH},
		{"application/merge-patch+json ;x", MEDIA_MERGE_PATCH},
		{"application/strategic-merge-patch+json", MEDIA_STRATEGIC_PATCH},
		{"application/apply-patch+yaml", MEDIA_APPLY},
		{"application/vnd.kubernetes.protobuf", MEDIA_OTHER},
		{"application/jsonx", MEDIA_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (media_of(cases[i].text) != cases[i].media)
			fail_msg("%s", cases[i].text == NULL ? "none" : cases[i].text);
	}
}

static void test_views(void **state)
{
	static const struct {
		const char *text;
		enum view view;
	} cases[] = {
		{NULL, VIEW_OBJECT},
		{"", VIEW_OBJECT},
		{"application/json", VIEW_OBJECT},
		{"application/json;as=Table;v=v1;g=meta.k8s.io,application/json", VIEW_TABLE},
		{"application/json; as=Table; g=meta.k8s.io; v=v1", VIEW_TABLE},
		{"application/json,application/json;as=Table;v=v1;g=meta.k8s.io", VIEW_OBJECT},
		{"application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,"
		 "application/json;as=Table;v=v1;g=meta.k8s.io",
		 VIEW_TABLE},
		{"application/json;as=Table;v=v9;g=meta.k8s.io", VIEW_OBJECT},
		{"application/json;as=Chair;v=v1;g=meta.k8s.io", VIEW_OBJECT},
		{"application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", VIEW_METADATA},
		{"application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", VIEW_METADATA},
		{",;=,;;", VIEW_OBJECT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (media_view(cases[i].text) != cases[i].view)
			fail_msg("%s", cases[i].text == NULL ? "none" : cases[i].text);
	}
}

#define GROUPS(version) \
	"application/json;g=apidiscovery.k8s.io;v=" version ";as=APIGroupDiscoveryList"

static void test_discovery(void **state)
{
	static const struct {
		const char *text, *version;
	} cases[] = {
		{NULL, NULL},
		{"application/json", NULL},
		{"*/*", NULL},
		{GROUPS("v2"), "v2"},
		{GROUPS("v2") "," GROUPS("v2beta1") ",application/json", "v2"},
		{GROUPS("v2beta1") ",application/json", "v2beta1"},
		{GROUPS("v3") "," GROUPS("v2beta1"), "v2beta1"},
		{GROUPS("v3") ",application/json," GROUPS("v2"), NULL},
		{"application/json," GROUPS("v2"), NULL},
		{"application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as="
		 "APIGroupDiscoveryList",
		 NULL},
		{"application/json;g=meta.k8s.io;v=v2;as=APIGroupDiscoveryList", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *version = media_discovery(cases[i].text);

		if ((version == NULL) != (cases[i].version == NULL) ||
		    (version != NULL && strcmp(version, cases[i].version) != 0))
			fail_msg("%s", cases[i].text == NULL ? "none" : cases[i].text);
	}
}

static void test_codes(void **state)
{
	static const struct {
		enum err_code code;
		unsigned http;
		const char *reason;
	} cases[] = {
		{ERR_INVALID, 400, "BadRequest"},
		{ERR_NOT_FOUND, 404, "NotFound"},
		{ERR_EXISTS, 409, "AlreadyExists"},
		{ERR_CONFLICT, 409, "Conflict"},
		{ERR_DENIED, 403, "Forbidden"},
		{ERR_GONE, 410, "Expired"},
		{ERR_LIMIT, 413, "RequestEntityTooLarge"},
		{ERR_IO, 500, "InternalError"},
		{ERR_TIMEOUT, 504, "Timeout"},
		{ERR_PROTOCOL, 400, "BadRequest"},
		{ERR_UNSUPPORTED, 415, "UnsupportedMediaType"},
	};

	(void)state;
	assert_int_equal(ARRAY_LEN(cases), ERR_CODE_COUNT - 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct status status = {.reason = reason_of(cases[i].code), .message = "m"};
		AUTO(auto_json) json_t *object = status_new(&status);

		assert_int_equal(reason_http(status.reason), cases[i].http);
		assert_int_equal(json_int_at(object, "code", 0), cases[i].http);
		assert_string_equal(json_str_at(object, "reason"), cases[i].reason);
		assert_string_equal(json_str_at(object, "status"), "Failure");
	}
}

static void test_details(void **state)
{
	const struct kind *gateway = kind_by_gvk(SV("gateway.networking.k8s.io/v1"), SV("Gateway"));
	struct causes causes;

	(void)state;
	causes_init(&causes);
	causes_add(&causes, CAUSE_REQUIRED, "spec.listeners", "Required value");

	AUTO(auto_json)
	json_t *invalid = status_new(&(struct status){.reason = REASON_INVALID,
						      .message = "m",
						      .kind = gateway,
						      .name = "g",
						      .causes = &causes});
	AUTO(auto_json)
	json_t *done = status_new(&(struct status){
		.reason = REASON_SUCCESS, .kind = gateway, .name = "g", .uid = "u"});

	assert_string_equal(json_str_at(invalid, "details.kind"), "Gateway");
	assert_string_equal(json_str_at(invalid, "details.causes.0.field"), "spec.listeners");
	assert_string_equal(json_str_at(invalid, "details.causes.0.reason"), "FieldValueRequired");
	assert_string_equal(json_str_at(done, "details.kind"), "gateways");
	assert_string_equal(json_str_at(done, "details.group"), "gateway.networking.k8s.io");
	assert_string_equal(json_str_at(done, "details.uid"), "u");
	assert_string_equal(json_str_at(done, "status"), "Success");
	assert_null(json_object_get(done, "reason"));
	causes_deinit(&causes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content_types), cmocka_unit_test(test_views),
		cmocka_unit_test(test_discovery),     cmocka_unit_test(test_codes),
		cmocka_unit_test(test_details),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
