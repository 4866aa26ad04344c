/* Orders: what the server may say, and what we make of it. */
#include "acme/order.h"

#include "base/own.h"
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void test_order_status(void **state)
{
	static const struct {
		const char *name;
		struct str_view text;
		bool known;
		enum order_step step;
	} cases[] = {
		{"a new order is authorized first", SV_INIT("pending"), true, STEP_AUTHORIZE},
		{"a ready order is finalized", SV_INIT("ready"), true, STEP_FINALIZE},
		{"one at work is polled", SV_INIT("processing"), true, STEP_POLL},
		{"a valid one is downloaded", SV_INIT("valid"), true, STEP_DOWNLOAD},
		{"an invalid one is given up", SV_INIT("invalid"), true, STEP_ABANDON},
		{"status words are case-sensitive", SV_INIT("Valid"), false, STEP_ABANDON},
		{"no word", SV_INIT(""), false, STEP_ABANDON},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum order_status status;
		bool known = order_status_parse(cases[i].text, &status);

		if (known != cases[i].known || (known && order_next(status) != cases[i].step))
			fail_msg("%s", cases[i].name);
	}
}

static void test_order_read(void **state)
{
	static const struct {
		const char *body;
		enum order_status status;
		const char *error; /* a part of the sentence; NULL: none */
	} cases[] = {
		{"{\"status\":\"pending\",\"finalize\":\"f\",\"authorizations\":[\"a\",\"b\"]}",
		 ORDER_PENDING, NULL},
		{"{\"status\":\"valid\",\"certificate\":\"c\",\"finalize\":\"f\","
		 "\"authorizations\":[]}",
		 ORDER_VALID, NULL},
		{"{\"status\":\"valid\",\"authorizations\":[\"a\"]}", ORDER_PROCESSING, NULL},
		{"{\"status\":\"frobnicating\",\"authorizations\":[]}", ORDER_PROCESSING, NULL},
		{"{\"status\":\"invalid\",\"authorizations\":[],\"error\":{\"type\":\"x\"}}",
		 ORDER_INVALID, NULL},
		{"{\"status\":\"ready\",\"authorizations\":[]}", ORDER_READY, "\"finalize\""},
		{"{\"authorizations\":[]}", 0, "\"status\" is missing"},
		{"{\"status\":7,\"authorizations\":[]}", 0, "\"status\" is not a string"},
		{"{\"status\":\"ready\",\"finalize\":[],\"authorizations\":[]}", 0, "\"finalize\""},
		{"{\"status\":\"ready\",\"finalize\":\"f\",\"authorizations\":\"x\"}", 0,
		 "\"authorizations\" is not an array"},
		{"{\"status\":\"ready\",\"finalize\":\"f\"}", 0, "\"authorizations\" is missing"},
		{"{\"status\":\"ready\",\"finalize\":\"f\",\"authorizations\":[\"a\",{}]}", 0,
		 "\"authorizations.1\""},
		{"[{\"status\":7}]", 0, "not a JSON object"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *body = json_parse(sv_from(cases[i].body), NULL);
		struct acme_order order;
		struct err err = {0};
		int rc = acme_order_read(body, &order, &err);

		assert_non_null(body);
		if (cases[i].error == NULL && (rc != 0 || order.status != cases[i].status))
			fail_msg("%s: %s", cases[i].body, err.msg);
		if (cases[i].error != NULL && (rc == 0 || strstr(err.msg, cases[i].error) == NULL ||
					       err.code != ERR_PROTOCOL))
			fail_msg("%s: %s", cases[i].body, err.msg);
	}
}

static void test_order_too_long(void **state)
{
	AUTO(auto_json) json_t *body = json_object();
	json_t *list = json_array();
	struct acme_order order;
	struct err err = {0};

	(void)state;
	for (int i = 0; i <= ORDER_NAMES_MAX; i++)
		json_array_append_new(list, json_string("https://ca.example/a"));
	json_object_set_new(body, "status", json_string("pending"));
	json_object_set_new(body, "finalize", json_string("f"));
	json_object_set_new(body, "authorizations", list);
	assert_int_equal(acme_order_read(body, &order, &err), -1);
	json_array_remove(list, 0);
	assert_int_equal(acme_order_read(body, &order, &err), 0);
	assert_int_equal(order.authz_count, ORDER_NAMES_MAX);
}

#define DNS(name) "{\"type\":\"dns\",\"value\":\"" name "\"}"
#define IP(text)  "{\"type\":\"ip\",\"value\":\"" text "\"}"

static void test_names_equal(void **state)
{
	static const struct str_view dns[] = {SV_INIT("a.example"), SV_INIT("*.b.example")};
	static const struct str_view ips[] = {SV_INIT("2001:db8::1")};
	static const struct {
		const char *list;
		bool equal;
	} cases[] = {
		{DNS("a.example") "," DNS("*.b.example") "," IP("2001:db8::1"), true},
		{IP("2001:0DB8:0::1") "," DNS("*.B.example") "," DNS("A.example"), true},
		{DNS("a.example") "," DNS("*.b.example"), false},
		{DNS("a.example") "," DNS("*.b.example") "," IP("2001:db8::2"), false},
		{DNS("a.example") "," DNS("*.b.example") "," DNS("2001:db8::1"), false},
		{DNS("a.example") "," DNS("*.b.example") "," IP("2001:db8::1") "," DNS("c.example"),
		 false},
		{DNS("a.example") "," DNS("*.b.example") "," IP("2001:db8::1") ",7", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *body = NULL;
		char text[512];

		snprintf(text, sizeof(text), "{\"identifiers\":[%s]}", cases[i].list);
		body = json_parse(sv_from(text), NULL);
		assert_non_null(body);
		if (acme_order_names_equal(body, dns, 2, ips, 1) != cases[i].equal)
			fail_msg("%s", cases[i].list);
		assert_true(acme_order_same_names(body, body) ==
			    (cases[i].list[0] != '\0' && i != 6));
	}
	assert_false(acme_order_names_equal(NULL, dns, 2, ips, 1));
}

static const char *const good_authz =
	"{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"a.example\"},"
	"\"expires\":\"2030-01-01T00:00:00Z\",\"wildcard\":true,\"challenges\":["
	"{\"type\":\"teapot-01\",\"x\":null},{\"type\":7},{},"
	"{\"type\":\"dns-01\",\"url\":\"https://ca.example/c/2\",\"token\":"
	"\"DGyRejmCefe7v4NfDGDKfA\"},"
	"{\"type\":\"http-01\",\"url\":\"https://ca.example/c/1\",\"status\":\"invalid\","
	"\"token\":\"DGyRejmCefe7v4NfDGDKfA\",\"error\":{\"type\":\"t\"}}]}";

static void test_authz_read(void **state)
{
	AUTO(auto_json) json_t *body = json_parse(sv_from(good_authz), NULL);
	const struct acme_challenge_offer *offer;
	struct acme_authz authz;
	struct err err = {0};

	(void)state;
	assert_int_equal(acme_authz_read(body, &authz, &err), 0);
	assert_int_equal(authz.status, AUTHZ_PENDING);
	assert_true(sv_eq(authz.identifier, SV("a.example")) && authz.wildcard);
	assert_int_equal(authz.count, 3);
	offer = acme_authz_offer(&authz, SV("http-01"));
	assert_non_null(offer);
	assert_true(sv_eq(offer->token, SV("DGyRejmCefe7v4NfDGDKfA")) && offer->error != NULL);
	assert_null(acme_authz_offer(&authz, SV("tls-alpn-01")));
}

static void test_authz_refused(void **state)
{
	static const struct {
		const char *body;
		enum err_code code;
		const char *part;
	} cases[] = {
		{"[]", ERR_PROTOCOL, "JSON object"},
		{"{\"status\":7}", ERR_PROTOCOL, "\"status\""},
		{"{\"status\":\"valid\",\"identifier\":\"a\",\"challenges\":[]}", ERR_PROTOCOL,
		 "\"identifier\""},
		{"{\"status\":\"valid\",\"identifier\":{\"type\":\"dns\",\"value\":\"a\"},"
		 "\"challenges\":{}}",
		 ERR_PROTOCOL, "\"challenges\""},
		{"{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"a\"},"
		 "\"challenges\":[{\"type\":\"http-01\",\"url\":\"u\",\"token\":"
		 "\"../../../tmp/evil-and-long-enough\"}]}",
		 ERR_DENIED, "token"},
		{"{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"a\"},"
		 "\"challenges\":[{\"type\":\"http-01\",\"url\":\"u\",\"token\":\"short\"}]}",
		 ERR_DENIED, "token"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *body = json_parse(sv_from(cases[i].body), NULL);
		struct acme_authz authz;
		struct err err = {0};

		assert_non_null(body);
		if (acme_authz_read(body, &authz, &err) == 0 || err.code != cases[i].code ||
		    strstr(err.msg, cases[i].part) == NULL)
			fail_msg("%s: %s", cases[i].body, err.msg);
		assert_null(strstr(err.msg, "evil"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_status),   cmocka_unit_test(test_order_read),
		cmocka_unit_test(test_order_too_long), cmocka_unit_test(test_names_equal),
		cmocka_unit_test(test_authz_read),     cmocka_unit_test(test_authz_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
