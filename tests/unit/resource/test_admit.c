/* tests/unit/resource/test_admit.c - resource/admit.c, meta.c, schema.c, causes.c */
#include "admit.h"
#include "resource/condition.h"

#define GATEWAY                                                                            \
	"{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gw}, " \
	"spec: {gatewayClassName: sallyport, listeners: [{name: http, port: 80, "          \
	"protocol: HTTP}]}}"
#define CONFIG "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}"

/* ---- metadata ---- */

static void test_birth(void **state)
{
	AUTO(auto_json) json_t *a = stored(GATEWAY), *b = stored(GATEWAY);

	(void)state;
	assert_string_equal(json_str_at(a, "metadata.creationTimestamp"), "2026-01-02T03:04:05Z");
	assert_string_equal(json_str_at(a, "metadata.namespace"), "default");
	assert_int_equal(json_int_at(a, "metadata.generation", 0), 1);
	assert_int_equal(strlen(json_str_at(a, "metadata.uid")), 36);
	assert_int_equal(json_str_at(a, "metadata.uid")[14], '4');
	assert_string_not_equal(json_str_at(a, "metadata.uid"), json_str_at(b, "metadata.uid"));
	assert_null(json_at(a, "metadata.resourceVersion"));
}

static void test_what_the_writer_cannot_set(void **state)
{
	AUTO(auto_json)
	json_t *object = stored(
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: c, uid: mine, generation: 9, "
		"resourceVersion: '7', creationTimestamp: '2001-01-01T00:00:00Z', "
		"deletionTimestamp: '2001-01-01T00:00:00Z', selfLink: /x, managedFields: [{}]}}");

	(void)state;
	assert_string_not_equal(json_str_at(object, "metadata.uid"), "mine");
	assert_string_equal(json_str_at(object, "metadata.creationTimestamp"),
			    "2026-01-02T03:04:05Z");
	assert_null(json_at(object, "metadata.generation"));
	assert_null(json_at(object, "metadata.resourceVersion"));
	assert_null(json_at(object, "metadata.deletionTimestamp"));
	assert_null(json_at(object, "metadata.selfLink"));
	assert_null(json_at(object, "metadata.managedFields"));
}

static void test_generate_name(void **state)
{
	AUTO(auto_json)
	json_t *a = stored("{apiVersion: v1, kind: ConfigMap, "
			   "metadata: {generateName: c-}}");
	AUTO(auto_json)
	json_t *b = stored("{apiVersion: v1, kind: ConfigMap, "
			   "metadata: {generateName: c-, name: given}}");
	const char *name = json_str_at(a, "metadata.name");

	(void)state;
	assert_int_equal(strlen(name), 7);
	assert_memory_equal(name, "c-", 2);
	assert_string_equal(json_str_at(b, "metadata.name"), "given");
}

static void test_update_keeps_identity(void **state)
{
	AUTO(auto_json) json_t *old = stored(GATEWAY);
	AUTO(auto_json) json_t *body = doc(GATEWAY);
	AUTO(auto_json) json_t *status = doc("{conditions: [{type: Accepted, status: 'True'}]}");

	(void)state;
	json_set_at(old, "metadata.resourceVersion", json_string("41"));
	json_set_at(old, "status", json_incref(status));
	json_set_at(body, "metadata.resourceVersion", json_string("40"));
	json_set_at(body, "metadata.labels", doc("{a: b}"));
	json_set_at(body, "status", doc("{conditions: []}"));

	AUTO(admitted_deinit) struct admitted now = admit(body, old, FIELDS_STRICT);

	assert_non_null(now.object);
	assert_string_equal(json_str_at(now.object, "metadata.uid"),
			    json_str_at(old, "metadata.uid"));
	assert_string_equal(json_str_at(now.object, "metadata.resourceVersion"), "41");
	assert_string_equal(json_str_at(now.object, "metadata.labels.a"), "b");
	assert_int_equal(json_int_at(now.object, "metadata.generation", 0), 1);
	assert_true(json_same(json_at(now.object, "status"), status));
}

static void test_generation_counts_changes(void **state)
{
	static const struct {
		const char *path, *value;
		int64_t generation;
	} cases[] = {
		{"metadata.annotations", "{a: b}", 1},
		{"metadata.labels", "{a: b}", 1},
		{"status", "{conditions: []}", 1},
		{"spec.gatewayClassName", "sallyport", 1},
		{"spec.gatewayClassName", "other", 2},
		{"spec.listeners.0.allowedRoutes", "{namespaces: {from: Same}}", 1},
		{"spec.listeners.0.port", "81", 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *old = stored(GATEWAY), *body = doc(GATEWAY);

		json_set_at(body, cases[i].path, value_of(cases[i].value));

		AUTO(admitted_deinit) struct admitted now = admit(body, old, FIELDS_STRICT);

		if (json_int_at(now.object, "metadata.generation", 0) != cases[i].generation)
			fail_msg("%s: %s", cases[i].path, now.err.msg);
	}
}

static void test_cluster_scope_drops_namespace(void **state)
{
	AUTO(auto_json)
	json_t *object =
		stored("{apiVersion: v1, kind: Namespace, metadata: {name: a, namespace: b}}");

	(void)state;
	assert_null(json_at(object, "metadata.namespace"));
}

static void test_metadata_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"metadata.name", NULL, "metadata.name", CAUSE_REQUIRED, "generateName"},
		{"metadata.name", "''", "metadata.name", CAUSE_INVALID, NULL},
		{"metadata.name", "Upper", "metadata.name", CAUSE_INVALID, "\"Upper\""},
		{"metadata.name", "a/b", "metadata.name", CAUSE_INVALID, NULL},
		{"metadata.name", "..", "metadata.name", CAUSE_INVALID, NULL},
		{"metadata.name", "true", "metadata.name", CAUSE_TYPE, "got a boolean: quote it"},
		{"metadata.name", "7", "metadata.name", CAUSE_TYPE, "got a number: quote it"},
		{"metadata.namespace", "a.b", "metadata.namespace", CAUSE_INVALID, NULL},
		{"metadata.namespace", "a/b", "metadata.namespace", CAUSE_INVALID, NULL},
		{"metadata.labels", "{a: true}", "metadata.labels[a]", CAUSE_TYPE,
		 "got a boolean: quote it"},
		{"metadata.labels", "{a: 'b c'}", "metadata.labels[a]", CAUSE_INVALID, NULL},
		{"metadata.labels", "{'-a': b}", "metadata.labels[-a]", CAUSE_INVALID,
		 "Invalid key"},
		{"metadata.labels", "[]", "metadata.labels", CAUSE_TYPE, "an object, got a list"},
		{"metadata.annotations", "{a: 1}", "metadata.annotations[a]", CAUSE_TYPE,
		 "quote it"},
		{"metadata.annotations", "{'a/b/c': x}", "metadata.annotations[a/b/c]",
		 CAUSE_INVALID, NULL},
		{"metadata.annotations", "{'Example.com/a': 'any text, e.g. {}'}", NULL, 0, NULL},
		{"metadata.finalizers", "[a, a]", "metadata.finalizers[1]", CAUSE_DUPLICATE, NULL},
		{"metadata.ownerReferences", "[{apiVersion: v1, kind: X, name: a}]",
		 "metadata.ownerReferences[0].uid", CAUSE_REQUIRED, NULL},
		{"metadata.labels", "null", NULL, 0, NULL},
		{"metadata.creationTimestamp", "null", NULL, 0, NULL},
	};

	(void)state;
	check_mistakes(CONFIG, mistakes, ARRAY_LEN(mistakes));
}

static void test_names_by_kind(void **state)
{
	static const struct {
		const char *type, *name;
		bool good;
	} cases[] = {
		{"apiVersion: v1, kind: Namespace", "a.b", false},
		{"apiVersion: v1, kind: Namespace", "0a", true},
		{"apiVersion: v1, kind: ConfigMap", "a.b", true},
		{"apiVersion: v1, kind: Service, spec: {ports: [{port: 80}]}", "a.b", false},
		{"apiVersion: v1, kind: Service, spec: {ports: [{port: 80}]}", "0a", false},
		{"apiVersion: v1, kind: Service, spec: {ports: [{port: 80}]}", "a0", true},
		{"apiVersion: operator.tigera.io/v1, kind: Installation", "mine", false},
		{"apiVersion: operator.tigera.io/v1, kind: Installation", "default", true},
		{"apiVersion: operator.tigera.io/v1, kind: GatewayAPI", "mine", false},
		{"apiVersion: operator.tigera.io/v1, kind: GatewayAPI", "default", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free)
		char *text = xasprintf("{%s, metadata: {name: %s}}", cases[i].type, cases[i].name);
		AUTO(auto_json) json_t *body = doc(text);
		AUTO(admitted_deinit) struct admitted now = admit(body, NULL, FIELDS_STRICT);

		if ((now.object != NULL) != cases[i].good)
			fail_msg("%s: %s", text, now.err.msg);
	}
}

static void test_identity_does_not_change(void **state)
{
	static const struct mistake mistakes[] = {
		{"metadata.name", "other", "metadata.name", CAUSE_INVALID, "immutable"},
		{"metadata.uid", "other", "metadata.uid", CAUSE_INVALID, "immutable"},
	};
	AUTO(auto_json) json_t *old = stored(CONFIG);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++)
		check_mistake(CONFIG, old, &mistakes[i]);
}

static void test_annotations_have_a_limit(void **state)
{
	AUTO(auto_json) json_t *body = doc(CONFIG);
	size_t length = (256u << 10) - 1;
	char *text = xmalloc(length + 2);

	(void)state;
	memset(text, 'x', length + 1);
	text[length + 1] = '\0';
	json_set_at(body, "metadata.annotations", json_object());
	json_set_at(body, "metadata.annotations.a", json_string(text + 1));

	AUTO(admitted_deinit) struct admitted fits = admit(body, NULL, FIELDS_STRICT);

	json_set_at(body, "metadata.annotations.a", json_string(text));

	AUTO(admitted_deinit) struct admitted over = admit(body, NULL, FIELDS_STRICT);

	free(text);
	assert_non_null(fits.object);
	assert_null(over.object);
	assert_string_equal(over.causes.list[0].field, "metadata.annotations");
	assert_int_equal(over.causes.list[0].reason, CAUSE_TOO_LONG);
}

/* ---- what the body is ---- */

static void test_not_an_object_of_the_kind(void **state)
{
	static const struct {
		const char *body, *words;
	} cases[] = {
		{"[]", "not an object"},
		{"text", "not an object"},
		{"{kind: Secret}", "the object is a Secret, but a ConfigMap was due"},
		{"{apiVersion: v2}", "it is v1"},
		{"{apiVersion: apps/v1}", "not that of a ConfigMap"},
		{"{apiVersion: 1}", "must be strings"},
		{"{metadata: []}", "metadata must be an object"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct admission how = {.kind = kind_by_word(SV("configmap")), .now = NOW};
		AUTO(auto_json) json_t *body = doc(cases[i].body);
		struct causes causes;
		struct err err = {0};

		causes_init(&causes);
		assert_null(kind_admit(&how, body, NULL, &causes, &err));
		assert_int_equal(causes.count, 0);
		assert_int_equal(err.code, ERR_INVALID);
		if (strstr(err.msg, cases[i].words) == NULL)
			fail_msg("%s: %s", cases[i].body, err.msg);
	}
}

static void test_version_of_the_path(void **state)
{
	static const struct {
		const char *path, *body;
		bool good;
	} cases[] = {
		{"v1", "gateway.networking.k8s.io/v1", true},
		{"v1beta1", "gateway.networking.k8s.io/v1beta1", true},
		{"v1beta1", "gateway.networking.k8s.io/v1", false},
		{NULL, "gateway.networking.k8s.io/v1beta1", true},
		{NULL, "gateway.networking.k8s.io/v1alpha2", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct admission how = {
			.kind = kind_by_word(SV("gateway")), .version = cases[i].path, .now = NOW};
		AUTO(auto_json) json_t *body = doc(GATEWAY);
		struct causes causes;
		struct err err = {0};

		causes_init(&causes);
		json_set_at(body, "apiVersion", json_string(cases[i].body));

		AUTO(auto_json) json_t *object = kind_admit(&how, body, NULL, &causes, &err);

		if ((object != NULL) != cases[i].good)
			fail_msg("%s at %s: %s", cases[i].body, cases[i].path, err.msg);
	}
}

static void test_type_is_filled_in(void **state)
{
	struct admission how = {.kind = kind_by_word(SV("configmap")), .now = NOW};
	AUTO(auto_json) json_t *body = doc("{metadata: {name: a}, status: {}}");
	struct causes causes;
	struct err err = {0};

	(void)state;
	causes_init(&causes);
	AUTO(auto_json) json_t *object = kind_admit(&how, body, NULL, &causes, &err);

	if (object == NULL)
		fail_msg("%s", err.msg);
	assert_string_equal(json_str_at(object, "apiVersion"), "v1");
	assert_string_equal(json_str_at(object, "kind"), "ConfigMap");
	assert_null(json_at(object, "status"));
}

static void test_stored_under_one_version(void **state)
{
	AUTO(auto_json)
	json_t *object =
		stored("{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, "
		       "metadata: {name: g}, spec: {from: [{group: '', kind: X, namespace: a}], "
		       "to: [{group: '', kind: Service}]}}");

	(void)state;
	assert_string_equal(json_str_at(object, "apiVersion"), "gateway.networking.k8s.io/v1");
}

/* ---- unknown members ---- */

static void test_unknown_strict(void **state)
{
	static const struct {
		const char *path, *value, *message;
	} cases[] = {
		{"spec.colour", "red", "strict decoding error: unknown field \"spec.colour\""},
		{"colour", "red", "strict decoding error: unknown field \"colour\""},
		{"metadata.colour", "red",
		 "strict decoding error: unknown field \"metadata.colour\""},
		{"spec.listeners.0.tls", "{mod: x}",
		 "strict decoding error: unknown field \"spec.listeners[0].tls.mod\" (is \"mode\" "
		 "meant?); also wrong: "
		 "[spec.listeners[0].tls: Forbidden: protocol HTTP has no TLS, "},
		{"spec.listeners.0.Port", "80",
		 "strict decoding error: unknown field \"spec.listeners[0].Port\""},
		{"spec.listeners.0.extra", "null",
		 "strict decoding error: unknown field \"spec.listeners[0].extra\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *body = doc(GATEWAY);

		json_set_at(body, cases[i].path, value_of(cases[i].value));

		AUTO(admitted_deinit) struct admitted now = admit(body, NULL, FIELDS_STRICT);

		assert_null(now.object);
		assert_int_equal(now.causes.count, 0);
		if (strncmp(now.err.msg, cases[i].message, strlen(cases[i].message)) != 0)
			fail_msg("%s: %s", cases[i].path, now.err.msg);
	}
}

static void test_unknown_all_at_once(void **state)
{
	AUTO(auto_json) json_t *body = doc(GATEWAY);

	(void)state;
	json_set_at(body, "spec.colour", json_string("red"));
	json_set_at(body, "spec.listeners.0.colour", json_string("red"));
	json_set_at(body, "spec.listeners.0.port", json_integer(0));

	AUTO(admitted_deinit) struct admitted now = admit(body, NULL, FIELDS_STRICT);

	assert_null(now.object);
	assert_string_equal(now.err.msg,
			    "strict decoding error: unknown field \"spec.listeners[0].colour\", "
			    "unknown field \"spec.colour\"; also wrong: spec.listeners[0].port: "
			    "Invalid value: 0: must be between 1 and 65535");
}

static void test_unknown_warn_and_ignore(void **state)
{
	AUTO(auto_json) json_t *body = doc(GATEWAY);

	(void)state;
	json_set_at(body, "spec.colour", json_string("red"));

	AUTO(admitted_deinit) struct admitted warned = admit(body, NULL, FIELDS_WARN);
	AUTO(admitted_deinit) struct admitted ignored = admit(body, NULL, FIELDS_IGNORE);

	assert_non_null(warned.object);
	assert_null(json_at(warned.object, "spec.colour"));
	assert_int_equal(json_array_size(warned.warnings), 1);
	assert_string_equal(json_str_at(warned.warnings, "0"), "unknown field \"spec.colour\"");
	assert_non_null(ignored.object);
	assert_null(json_at(ignored.object, "spec.colour"));
	assert_int_equal(json_array_size(ignored.warnings), 0);
}

/* What was spelt wrong, or indented too little, is named. */
static void test_unknown_meant(void **state)
{
	static const struct {
		const char *path, *meant;
	} cases[] = {
		{"spec.listners", "listeners"},
		{"spec.gatewayClasName", "gatewayClassName"},
		{"spec.listeners.0.Port", "port"},
		{"spec.listeners.0.protcol", "protocol"},
		{"spec.certificateRefs", "listeners[].tls.certificateRefs"},
		{"spec.listeners.0.certificateRefs", "tls.certificateRefs"},
		{"spec.port", "listeners[].port"},
		{"metadata.lables", "labels"},
		{"annotations", "metadata.annotations"},
		{"spec.colour", NULL},
		{"spec.listeners.0.x", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *body = doc(GATEWAY);
		AUTO(auto_free) char *words = NULL;

		json_set_at(body, cases[i].path, json_string("x"));

		AUTO(admitted_deinit) struct admitted now = admit(body, NULL, FIELDS_STRICT);

		words = xasprintf("(is \"%s\" meant?)", cases[i].meant);
		if ((strstr(now.err.msg, "meant") != NULL) != (cases[i].meant != NULL) ||
		    (cases[i].meant != NULL && strstr(now.err.msg, words) == NULL))
			fail_msg("%s: %s", cases[i].path, now.err.msg);
	}
}

static void test_long_unknown_name(void **state)
{
	AUTO(auto_json) json_t *body = doc(GATEWAY);
	char name[5000];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	json_object_set_new(json_at(body, "spec"), name, json_true());

	AUTO(admitted_deinit) struct admitted now = admit(body, NULL, FIELDS_STRICT);

	assert_null(now.object);
	assert_int_equal(now.causes.count, 0);
	assert_non_null(strstr(now.err.msg, "unknown field \"spec.nnn"));
}

/* ---- mistakes of types and limits, all at once ---- */

static void test_all_mistakes(void **state)
{
	static const char *const fields[] = {
		"spec.gatewayClassName",  "spec.listeners[0].port", "spec.listeners[1].protocol",
		"spec.listeners[1].port", "metadata.name",
	};
	AUTO(auto_json)
	json_t *body = doc(
		"{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: G}, "
		"spec: {gatewayClassName: 7, listeners: [{name: a, port: 70000, protocol: HTTP}, "
		"{name: b, port: '80'}]}}");
	AUTO(admitted_deinit) struct admitted now = admit(body, NULL, FIELDS_STRICT);

	(void)state;
	assert_null(now.object);
	assert_int_equal(now.causes.count, ARRAY_LEN(fields));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		bool found = false;

		for (size_t j = 0; j < now.causes.count; j++)
			found = found || strcmp(now.causes.list[j].field, fields[i]) == 0;
		if (!found)
			fail_msg("%s is not named in %s", fields[i], now.err.msg);
	}
	assert_ptr_equal(
		strstr(now.err.msg, "Gateway.gateway.networking.k8s.io \"G\" is invalid: [spec."),
		now.err.msg);
}

static void test_causes_are_bounded(void **state)
{
	AUTO(auto_json) json_t *body = doc(CONFIG);
	json_t *data = json_object();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "k%d", i);
		json_object_set_new(data, name, json_true());
	}
	json_set_at(body, "data", data);

	AUTO(admitted_deinit) struct admitted now = admit(body, NULL, FIELDS_STRICT);

	assert_null(now.object);
	assert_int_equal(now.causes.count, CAUSES_MAX);
	assert_int_equal(now.causes.dropped, 1000 - CAUSES_MAX);
}

static void test_causes_text(void **state)
{
	struct causes causes;
	struct buf text;

	(void)state;
	causes_init(&causes);
	buf_init(&text, 1024);
	causes_add(&causes, CAUSE_REQUIRED, "spec.a", "Required value");
	causes_text(&causes, &text);
	assert_string_equal(buf_cstr(&text), "spec.a: Required value");
	buf_reset(&text);
	causes_add(&causes, CAUSE_REQUIRED, "spec.a", "Required value"); /* the same: once */
	causes_add(&causes, CAUSE_INVALID, "spec.b", "Invalid value: %d: no", 7);
	causes_text(&causes, &text);
	assert_string_equal(buf_cstr(&text),
			    "[spec.a: Required value, spec.b: Invalid value: 7: no]");
	assert_string_equal(cause_reason_text(CAUSE_NOT_SUPPORTED), "FieldValueNotSupported");
	buf_deinit(&text);
	causes_deinit(&causes);
}

/* ---- status ---- */

static struct admitted admit_status(const json_t *old, const char *status)
{
	AUTO(auto_json) json_t *body = json_deep_copy(old);
	struct admission how = {.kind = kind_by_word(SV("gateway")),
				.old = old,
				.status_only = true,
				.now = NOW + 60};
	struct admitted admitted = {.warnings = json_array()};

	json_set_at(body, "status", doc(status));
	json_set_at(body, "spec.gatewayClassName", json_string("other"));
	json_set_at(body, "metadata.labels", doc("{a: b}"));
	causes_init(&admitted.causes);
	admitted.object =
		kind_admit(&how, body, admitted.warnings, &admitted.causes, &admitted.err);
	return admitted;
}

static void test_status_write(void **state)
{
	AUTO(auto_json) json_t *old = stored(GATEWAY);
	AUTO(admitted_deinit)
	struct admitted now =
		admit_status(old, "{conditions: [{type: Accepted, status: 'True', reason: A, "
				  "message: '', lastTransitionTime: '2026-01-02T03:04:05Z'}], "
				  "anything: [1]}");

	(void)state;
	if (now.object == NULL)
		fail_msg("%s", now.err.msg);
	assert_true(condition_is_true(now.object, "Accepted"));
	assert_int_equal(json_int_at(now.object, "status.anything.0", 0), 1);
	assert_string_equal(json_str_at(now.object, "spec.gatewayClassName"), "sallyport");
	assert_null(json_at(now.object, "metadata.labels"));
	assert_int_equal(json_int_at(now.object, "metadata.generation", 0), 1);
}

static void test_status_mistakes(void **state)
{
	static const struct {
		const char *status, *field;
	} cases[] = {
		{"{conditions: {}}", "status.conditions"},
		{"{conditions: [{type: A, status: maybe}]}", "status.conditions[0].status"},
		{"{conditions: [{type: A, status: true}]}", "status.conditions[0].status"},
		{"{conditions: [{status: 'True'}]}", "status.conditions[0].type"},
		{"[]", "status"},
	};
	AUTO(auto_json) json_t *old = stored(GATEWAY);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(admitted_deinit) struct admitted now = admit_status(old, cases[i].status);

		if (now.object != NULL || now.causes.count != 1 ||
		    strcmp(now.causes.list[0].field, cases[i].field) != 0)
			fail_msg("%s: %s", cases[i].status, now.err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_birth),
		cmocka_unit_test(test_what_the_writer_cannot_set),
		cmocka_unit_test(test_generate_name),
		cmocka_unit_test(test_update_keeps_identity),
		cmocka_unit_test(test_generation_counts_changes),
		cmocka_unit_test(test_cluster_scope_drops_namespace),
		cmocka_unit_test(test_metadata_mistakes),
		cmocka_unit_test(test_names_by_kind),
		cmocka_unit_test(test_identity_does_not_change),
		cmocka_unit_test(test_annotations_have_a_limit),
		cmocka_unit_test(test_not_an_object_of_the_kind),
		cmocka_unit_test(test_version_of_the_path),
		cmocka_unit_test(test_type_is_filled_in),
		cmocka_unit_test(test_stored_under_one_version),
		cmocka_unit_test(test_unknown_strict),
		cmocka_unit_test(test_unknown_all_at_once),
		cmocka_unit_test(test_unknown_warn_and_ignore),
		cmocka_unit_test(test_unknown_meant),
		cmocka_unit_test(test_long_unknown_name),
		cmocka_unit_test(test_all_mistakes),
		cmocka_unit_test(test_causes_are_bounded),
		cmocka_unit_test(test_causes_text),
		cmocka_unit_test(test_status_write),
		cmocka_unit_test(test_status_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
