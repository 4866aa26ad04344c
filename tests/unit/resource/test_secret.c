/* tests/unit/resource/test_secret.c - resource/secret.c */
#include "admit.h"
#include "base/enc.h"
#include "pki/x509.h"

#define SECRET                                                                                 \
	"{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {user: YQ==}, stringData: " \
	"{password: hunter2, user: bob}}"

static void test_defaults(void **state)
{
	static const struct filled filled[] = {
		{"type", "Opaque"},   {"data.password", "aHVudGVyMg=="}, {"data.user", "Ym9i"},
		{"stringData", NULL}, {"metadata.generation", NULL},
	};

	(void)state;
	check_filled(SECRET, filled, ARRAY_LEN(filled));
	check_valid("{apiVersion: v1, kind: Secret, metadata: {name: s}, type: example.com/own}");
	check_valid("{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: '', b: YQ==}}");
}

static void test_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"data.word", "bob!", "data[word]", CAUSE_INVALID, "must be base64"},
		{"data.word", "7", "data[word]", CAUSE_TYPE, "quote it"},
		{"data", "{a b: YQ==}", "data[a b]", CAUSE_INVALID, "Invalid key"},
		{"stringData", "[]", "stringData", CAUSE_TYPE, NULL},
		{"immutable", "1", "immutable", CAUSE_TYPE, NULL},
		{"type", "7", "type", CAUSE_TYPE, NULL},
	};

	(void)state;
	check_mistakes(SECRET, mistakes, ARRAY_LEN(mistakes));
}

/* What is secret stays out of every message, whatever is wrong with it. */
static void test_values_are_never_told(void **state)
{
	static const struct {
		const char *path, *value, *secret;
	} cases[] = {
		{"stringData.pin", "271828", "271828"},
		{"data.pin", "271828", "271828"},
		{"data.word", "'hunter2!'", "hunter2"},
		{"data.list", "[hunter2]", "hunter2"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *body = doc(SECRET);

		json_set_at(body, cases[i].path, value_of(cases[i].value));

		AUTO(admitted_deinit) struct admitted now = admit(body, NULL, FIELDS_STRICT);

		assert_null(now.object);
		if (now.causes.count == 0 || strstr(now.err.msg, cases[i].secret) != NULL)
			fail_msg("%s: %s", cases[i].path, now.err.msg);
	}
}

static void test_what_may_not_change(void **state)
{
	static const char fixed[] = "{apiVersion: v1, kind: Secret, metadata: {name: s}, "
				    "immutable: true, data: {a: YQ==}}";
	static const struct mistake mistakes[] = {
		{"type", "example.com/other", "type", CAUSE_INVALID, "immutable"},
		{"data.a", "Yg==", "data", CAUSE_FORBIDDEN, "delete the object"},
		{"immutable", "false", "immutable", CAUSE_FORBIDDEN, NULL},
		{"metadata.labels", "{a: b}", NULL, 0, NULL},
	};
	AUTO(auto_json) json_t *old = stored(fixed);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++)
		check_mistake(fixed, old, &mistakes[i]);
}

static void test_size(void **state)
{
	AUTO(auto_json) json_t *body = doc(SECRET);
	size_t length = (1u << 20) + 16;
	char *text = xmalloc(length + 1);

	(void)state;
	memset(text, 'x', length);
	text[length] = '\0';
	json_set_at(body, "stringData.password", json_string(text));

	AUTO(admitted_deinit) struct admitted now = admit(body, NULL, FIELDS_STRICT);

	free(text);
	assert_null(now.object);
	assert_int_equal(now.causes.list[0].reason, CAUSE_TOO_LONG);
}

/* ---- TLS ---- */

struct pair {
	struct buf crt, key; /* PEM */
};

static struct pair pair_new(void)
{
	static const struct str_view name = SV_INIT("shop.example");
	struct cert_names names = {.dns = &name, .dns_count = 1};
	struct err err = {0};
	AUTO(auto_key) EVP_PKEY *key = key_make(KEY_ECDSA_P256, &err);
	struct x509_sign_how how = {.issuer_key = key, .not_before = 0, .not_after = NOW};
	struct cert_chain chain = {0};
	struct buf der;
	struct pair pair;

	buf_init(&der, 4096);
	buf_init(&pair.crt, 8192);
	buf_init(&pair.key, 8192);
	assert_int_equal(csr_make(key, &names, &der, &err), 0);
	chain.certs[chain.count++] = cert_sign(buf_view(&der), &how, &err);
	assert_non_null(chain.certs[0]);
	assert_int_equal(chain_to_pem(&chain, &pair.crt, &err), 0);
	assert_int_equal(key_to_pem(key, KEY_PKCS8, &pair.key, &err), 0);
	chain_deinit(&chain);
	buf_deinit(&der);
	return pair;
}

static void pair_deinit(struct pair *pair)
{
	buf_deinit(&pair->crt);
	buf_deinit(&pair->key);
}

static json_t *tls_body(struct str_view crt, struct str_view key)
{
	json_t *body = doc("{apiVersion: v1, kind: Secret, metadata: {name: t}, "
			   "type: kubernetes.io/tls, stringData: {}}");
	json_t *data = json_object_get(body, "stringData");

	if (crt.data != NULL)
		json_object_set_new(data, "tls.crt", json_sv(crt));
	if (key.data != NULL)
		json_object_set_new(data, "tls.key", json_sv(key));
	return body;
}

static bool is_about(const json_t *warnings, const char *field)
{
	const char *text = json_string_value(json_array_get(warnings, 0));

	return json_array_size(warnings) == 1 && strncmp(text, field, strlen(field)) == 0 &&
	       strstr(text, "PRIVATE") == NULL;
}

/* What is there, but cannot work, is taken with a warning, as Kubernetes would take it; it never
 * takes the place of a pair that works. */
static void test_tls(void **state)
{
	AUTO(pair_deinit) struct pair one = pair_new(), two = pair_new();
	struct str_view crt = buf_view(&one.crt), key = buf_view(&one.key);
	const struct {
		const char *name;
		struct str_view crt, key;
		const char *field; /* NULL: fine */
		bool refused;      /* on create too */
	} cases[] = {
		{"a pair", crt, key, NULL, false},
		{"another pair", buf_view(&two.crt), buf_view(&two.key), NULL, false},
		{"another's key", crt, buf_view(&two.key), "data[tls.key]", false},
		{"no key", crt, SV_NONE, "data[tls.key]", true},
		{"no certificate", SV_NONE, key, "data[tls.crt]", true},
		{"an empty certificate", SV(""), key, "data[tls.crt]", false},
		{"text for a certificate", SV("hello"), key, "data[tls.crt]", false},
		{"a cut certificate", sv_head(crt, crt.len / 2), key, "data[tls.crt]", false},
		{"a cut key", crt, sv_head(key, key.len / 2), "data[tls.key]", false},
		{"a certificate for a key", crt, crt, "data[tls.key]", false},
	};
	AUTO(auto_json) json_t *good_body = tls_body(crt, key);
	AUTO(admitted_deinit) struct admitted good = admit(good_body, NULL, FIELDS_STRICT);

	(void)state;
	assert_non_null(good.object);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *body = tls_body(cases[i].crt, cases[i].key);
		AUTO(admitted_deinit) struct admitted made = admit(body, NULL, FIELDS_STRICT);
		AUTO(admitted_deinit)
		struct admitted put = admit(body, good.object, FIELDS_STRICT);

		if ((made.object == NULL) != cases[i].refused ||
		    (put.object == NULL) != (cases[i].field != NULL))
			fail_msg("%s: %s%s", cases[i].name, made.err.msg, put.err.msg);
		if (made.object != NULL && cases[i].field != NULL &&
		    !is_about(made.warnings, cases[i].field))
			fail_msg("%s: no warning", cases[i].name);
		if (put.object == NULL && (put.causes.count != 1 ||
					   strcmp(put.causes.list[0].field, cases[i].field) != 0))
			fail_msg("%s: %s", cases[i].name, put.err.msg);
	}
}

/* One that does not work may be changed into another such, or put right. */
static void test_tls_put_right(void **state)
{
	AUTO(pair_deinit) struct pair one = pair_new();
	AUTO(auto_json) json_t *bad_body = tls_body(SV("hello"), SV("hello"));
	AUTO(auto_json) json_t *half_body = tls_body(buf_view(&one.crt), SV("hello"));
	AUTO(auto_json) json_t *good_body = tls_body(buf_view(&one.crt), buf_view(&one.key));
	AUTO(admitted_deinit) struct admitted bad = admit(bad_body, NULL, FIELDS_STRICT);
	AUTO(admitted_deinit) struct admitted half = admit(half_body, bad.object, FIELDS_STRICT);
	AUTO(admitted_deinit) struct admitted good = admit(good_body, half.object, FIELDS_STRICT);

	(void)state;
	assert_non_null(bad.object);
	assert_int_equal(json_array_size(bad.warnings), 2);
	assert_non_null(half.object);
	assert_int_equal(json_array_size(half.warnings), 1);
	assert_non_null(good.object);
	assert_int_equal(json_array_size(good.warnings), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_values_are_never_told),
		cmocka_unit_test(test_what_may_not_change),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_tls_put_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
