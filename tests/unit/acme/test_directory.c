/* The directory and what it leads to: members, URLs, links, nonces. */
#include "acme/directory.h"

#include "acme/link.h"
#include "acme/nonce.h"
#include "base/own.h"
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MEMBERS(nonce, account, order) \
	"{\"newNonce\":\"" nonce "\",\"newAccount\":\"" account "\",\"newOrder\":\"" order "\"}"

static void test_read(void **state)
{
	static const struct {
		const char *url, *body, *error;
	} cases[] = {
		{"https://ca.example/dir",
		 MEMBERS("https://ca.example/n", "https://ca.example/a", "https://ca.example/o"),
		 NULL},
		{"https://ca.example/dir",
		 MEMBERS("https://CA.example:443/n", "https://api.example/a",
			 "https://ca.example/o"),
		 NULL},
		{"https://127.0.0.1:14000/dir",
		 MEMBERS("https://127.0.0.1:14000/n", "https://127.0.0.9:1/a", "https://[::1]:1/o"),
		 NULL},
		{"https://ca.example/dir",
		 MEMBERS("https://ca.example/n", "https://ca.example/a", "http://ca.example/o"),
		 "\"newOrder\" is an http URL"},
		{"https://ca.example/dir",
		 MEMBERS("https://ca.example/n", "https://127.0.0.9:1/a", "https://ca.example/o"),
		 "\"newAccount\" points to 127.0.0.9"},
		{"https://ca.example/dir",
		 MEMBERS("https://localhost/n", "https://ca.example/a", "https://ca.example/o"),
		 "\"newNonce\" points to localhost"},
		{"https://127.0.0.1/dir",
		 MEMBERS("https://169.254.169.254/n", "https://127.0.0.1/a", "https://127.0.0.1/o"),
		 "\"newNonce\" points to 169.254.169.254"},
		{"https://ca.example/dir",
		 MEMBERS("https://[fe80::1]/n", "https://ca.example/a", "https://ca.example/o"),
		 "\"newNonce\" points to fe80::1"},
		{"https://ca.example/dir",
		 MEMBERS("file:///etc/passwd", "https://ca.example/a", "https://ca.example/o"),
		 "\"newNonce\""},
		{"https://ca.example/dir",
		 MEMBERS("https://u:p@ca.example/n", "https://ca.example/a",
			 "https://ca.example/o"),
		 "\"newNonce\""},
		{"https://ca.example/dir", "{\"newNonce\":\"https://ca.example/n\"}",
		 "no member \"newAccount\""},
		{"https://ca.example/dir", "{\"newNonce\":7}", "\"newNonce\" is not a string"},
		{"https://ca.example/dir", "[]", "not a JSON object"},
		{"http://ca.example/dir",
		 MEMBERS("https://ca.example/n", "https://ca.example/a", "https://ca.example/o"),
		 "not at an https URL"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *body = json_parse(sv_from(cases[i].body), NULL);
		AUTO(directory_deinit) struct directory directory = {0};
		struct err err = {0};
		int rc = directory_read(&directory, body, cases[i].url, &err);

		assert_non_null(body);
		if (cases[i].error == NULL ? rc != 0
					   : rc == 0 || strstr(err.msg, cases[i].error) == NULL)
			fail_msg("%zu %s: %s", i, cases[i].body, err.msg);
	}
}

/* What nothing depends on may be anything: then it is not offered. */
static void test_of_no_use(void **state)
{
	AUTO(auto_json)
	json_t *body = json_parse(SV("{\"newNonce\":\"https://ca.example/n\","
				     "\"newAccount\":\"https://ca.example/a\","
				     "\"newOrder\":\"https://ca.example/o\",\"keyChange\":null,"
				     "\"revokeCert\":\"http://ca.example/r\","
				     "\"renewalInfo\":\"https://169.254.169.254/i\"}"),
				  NULL);
	AUTO(directory_deinit) struct directory directory = {0};
	struct err err;

	(void)state;
	assert_int_equal(directory_read(&directory, body, "https://ca.example/dir", &err), 0);
	assert_null(directory.urls[ACME_KEY_CHANGE]);
	assert_null(directory.urls[ACME_REVOKE_CERT]);
	assert_null(directory.urls[ACME_RENEWAL_INFO]);
	assert_false(directory_allows(&directory, "https://169.254.169.254/i"));
}

static void test_bad_one_keeps_the_old(void **state)
{
	AUTO(auto_json)
	json_t *good = json_parse(
		SV(MEMBERS("https://ca.example/n", "https://ca.example/a", "https://ca.example/o")),
		NULL);
	AUTO(auto_json) json_t *bad = json_object();
	AUTO(directory_deinit) struct directory directory = {0};
	struct err err;

	(void)state;
	assert_int_equal(directory_read(&directory, good, "https://ca.example/dir", &err), 0);
	assert_int_equal(directory_read(&directory, bad, "https://ca.example/dir", &err), -1);
	assert_string_equal(directory.urls[ACME_NEW_ORDER], "https://ca.example/o");
	assert_null(directory.urls[ACME_REVOKE_CERT]);
}

static void test_allows(void **state)
{
	static const struct {
		const char *url;
		bool allowed;
	} cases[] = {
		{"https://ca.example/order/1", true},
		{"https://ca.example:443/order/1", true},
		{"https://api.example/order/1", true},
		{"https://ca.example:8443/order/1", false},
		{"http://ca.example/order/1", false},
		{"https://evil.example/order/1", false},
		{"https://ca.example@evil.example/1", false},
		{"https://ca.example.evil.example/1", false},
		{"https://ca.example\\@evil.example/1", false},
		{"//ca.example/1", false},
		{"/order/1", false},
		{"", false},
	};
	AUTO(auto_json)
	json_t *body = json_parse(SV(MEMBERS("https://ca.example/n", "https://ca.example/a",
					     "https://api.example/o")),
				  NULL);
	AUTO(directory_deinit) struct directory directory = {0};

	(void)state;
	assert_int_equal(directory_read(&directory, body, "https://ca.example/dir", NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (directory_allows(&directory, cases[i].url) != cases[i].allowed)
			fail_msg("%s", cases[i].url);
	}
}

static void test_profiles(void **state)
{
	AUTO(directory_deinit) struct directory directory = {0};
	char listed[64] = "";

	(void)state;
	directory.json =
		json_parse(SV("{\"meta\":{\"profiles\":{\"classic\":\"u\",\"short\":\"u\"},"
			      "\"externalAccountRequired\":true}}"),
			   NULL);
	assert_true(directory_has_profile(&directory, SV("short"), listed, sizeof(listed)));
	assert_true(directory_has_profile(&directory, SV_NONE, listed, sizeof(listed)));
	assert_false(directory_has_profile(&directory, SV("shor"), listed, sizeof(listed)));
	assert_string_equal(listed, "classic, short");
	assert_true(directory_needs_eab(&directory));
}

static void test_links(void **state)
{
	static const struct {
		const char *links, *rel, *targets;
	} cases[] = {
		{"<https://ca.example/dir>;rel=\"index\", <https://ca.example/2>;rel=\"alternate\"",
		 "alternate", "https://ca.example/2 "},
		{"<a>;rel=alternate,<b>; REL=\"next alternate\" ,<c>;rel=next", "alternate",
		 "a b "},
		{"<a,b;c>;title=\"x, <y>; rel=alternate\";rel=\"alternate\"", "alternate",
		 "a,b;c "},
		{"<a>;title=\"\\\"\";rel=next", "next", "a "},
		{"<a;rel=next", "next", ""},
		{"a>;rel=next,<b>", "next", ""},
		{"", "next", ""},
		{"<a>;rel=\"", "next", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str_view rest = sv_from(cases[i].links), target;
		char found[128] = "";

		while (link_next(&rest, sv_from(cases[i].rel), &target)) {
			strncat(found, target.data, target.len);
			strcat(found, " ");
		}
		if (strcmp(found, cases[i].targets) != 0)
			fail_msg("%s: %s", cases[i].links, found);
	}
}

static void test_nonces(void **state)
{
	static const char *const refused[] = {"", "a b", "a+b", "a=", "!! not base64 !!", "a\tb"};
	struct nonce_pool *pool = xcalloc(1, sizeof(*pool));
	char nonce[NONCE_LEN_MAX + 1], *huge = xcalloc(1, NONCE_LEN_MAX + 2);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_false(nonce_put(pool, sv_from(refused[i])));
	memset(huge, 'a', NONCE_LEN_MAX + 1);
	assert_false(nonce_put(pool, sv_from(huge)));
	assert_false(nonce_take(pool, nonce));
	for (int i = 0; i < NONCE_POOL_MAX + 5; i++) {
		snprintf(nonce, sizeof(nonce), "n_-%d", i);
		assert_true(nonce_put(pool, sv_from(nonce)));
	}
	for (int i = NONCE_POOL_MAX + 4; i >= 5; i--) { /* the newest first, the oldest are gone */
		char want[16];

		snprintf(want, sizeof(want), "n_-%d", i);
		assert_true(nonce_take(pool, nonce));
		assert_string_equal(nonce, want);
	}
	assert_false(nonce_take(pool, nonce));
	assert_false(nonce_put(pool, SV("n_-5"))); /* used a moment ago */
	assert_false(nonce_take(pool, nonce));
	nonce_put(pool, SV("x"));
	nonce_clear(pool);
	assert_false(nonce_take(pool, nonce));
	free(pool);
	free(huge);
}

static void test_url_resolve(void **state)
{
	static const struct {
		const char *location, *url;
	} cases[] = {
		{"https://other.example/x", "https://other.example/x"},
		{"/x/y", "https://ca.example:14000/x/y"},
		{"y", "https://ca.example:14000/a/y"},
		{"//other.example/x", "https://other.example/x"},
		{"a b", NULL},
		{"", NULL},
		{"a\nb", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free)
		char *url = url_resolve("https://ca.example:14000/a/b", sv_from(cases[i].location));

		if ((url == NULL) != (cases[i].url == NULL) ||
		    (url != NULL && strcmp(url, cases[i].url) != 0))
			fail_msg("%s: %s", cases[i].location, url == NULL ? "NULL" : url);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_of_no_use),
		cmocka_unit_test(test_bad_one_keeps_the_old),
		cmocka_unit_test(test_allows),
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_nonces),
		cmocka_unit_test(test_url_resolve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
