/* target.c, path.c: request targets, authorities, the one form of a path */
#include "http/target.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static bool same(struct str_view got, const char *expected)
{
	return sv_eq(got, sv_from(expected));
}

static void test_paths(void **state)
{
	static const struct {
		const char *path, *normal; /* normal NULL: refused */
		const char *eager;         /* NULL: no second reading */
	} cases[] = {
		{"/", "/", NULL},
		{"/a", "/a", NULL},
		{"/a/", "/a/", NULL},
		{"/a/b/c", "/a/b/c", NULL},
		/* RFC 3986, section 5.4 */
		{"/a/b/c/./../../g", "/a/g", NULL},
		{"/./a", "/a", NULL},
		{"/a/.", "/a/", NULL},
		{"/a/..", "/", NULL},
		{"/a/b/..", "/a/", NULL},
		{"/..", "/", NULL},
		{"/../../x", "/x", NULL},
		{"/a/../..//../b", "/b", NULL},
		{"/...", "/...", NULL},
		{"/.a/..b/c.", "/.a/..b/c.", NULL},
		/* runs of slashes */
		{"//a", "/a", NULL},
		{"/a//b///c//", "/a/b/c/", NULL},
		{"/a//../b", "/b", NULL},
		/* escapes */
		{"/%61%42%7e%2D%5f", "/aB~-_", NULL},
		{"/%2e%2E/x", "/x", NULL},
		{"/a/%2e./b", "/b", NULL},
		{"/%e2%82%ac", "/%E2%82%AC", NULL},
		{"/a%20b", "/a%20b", NULL},
		{"/a%25b", "/a%25b", NULL},
		{"/%252e%252e/x", "/%252e%252e/x", NULL},
		{"/%3f%23", "/%3F%23", NULL},
		{"/a%2fb", "/a%2Fb", "/a/b"},
		{"/a%5Cb", "/a%5Cb", "/a/b"},
		{"/q/%2F/x", "/q/%2F/x", "/q/x"},
		{"/%2fdenied", "/%2Fdenied", "/denied"},
		{"/denied%20/x", "/denied%20/x", "/denied/x"},
		{"/denied;a=b/x", "/denied;a=b/x", "/denied/x"},
		{"/denied%3bx", "/denied%3Bx", "/denied"},
		{"/;/denied", "/;/denied", "/denied"},
		{"/a%2F", "/a%2F", "/a/"},
		/* raw characters of browsers and of the grammar */
		{"/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,=", NULL},
		{"/[a]|{b}^`", "/[a]|{b}^`", NULL},
		/* refused */
		{"/..%2fx", NULL, NULL},
		{"/v/%2e%2e%2fdenied/x", NULL, NULL},
		{"/v%2f..%2fdenied/x", NULL, NULL},
		{"/v/..%5cdenied", NULL, NULL},
		{"/v/..;/denied", NULL, NULL},
		{"/v/..%3b/denied", NULL, NULL},
		{"/v/.;x/denied", NULL, NULL},
		{"/v/..%20/denied", NULL, NULL},
		{"/v/%20../denied", NULL, NULL},
		{"/v/%c0%ae%c0%ae/x", NULL, NULL},
		{"/v/%C1%9C", NULL, NULL},
		{"/v/%e0%80%af", NULL, NULL},
		{"/a\\b", NULL, NULL},
		{"/a\"b", NULL, NULL},
		{"/a<b>", NULL, NULL},
		{"/a b", NULL, NULL},
		{"/a\tb", NULL, NULL},
		{"/a\x7f", NULL, NULL},
		{"/a\x80", NULL, NULL},
		{"/a#b", NULL, NULL},
		{"/%00", NULL, NULL},
		{"/%0d%0a", NULL, NULL},
		{"/%1f", NULL, NULL},
		{"/%7F", NULL, NULL},
		{"/%", NULL, NULL},
		{"/%2", NULL, NULL},
		{"/%zz", NULL, NULL},
		{"/%u0041", NULL, NULL},
		{"/a%2g/..", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct http_target target;
		struct http_bad bad;
		bool good;

		arena_init(&arena, 4096);
		good = http_target_parse(sv_from(cases[i].path), METHOD_GET, &arena, &target, &bad);
		if (good != (cases[i].normal != NULL) || (!good && bad.status != 400))
			fail_msg("%s: %s", cases[i].path, good ? "accepted" : bad.reason);
		if (good && !same(target.path, cases[i].normal))
			fail_msg("%s: %.*s", cases[i].path, SV_ARG(target.path));
		if (good && ((target.path_eager.data == NULL) != (cases[i].eager == NULL) ||
			     (cases[i].eager != NULL && !same(target.path_eager, cases[i].eager))))
			fail_msg("%s: eager %.*s", cases[i].path, SV_ARG(target.path_eager));
		arena_deinit(&arena);
	}
}

/* The normal form of a normal form is itself: what the upstream parses is what we matched. */
static void test_normal_form_is_stable(void **state)
{
	static const char *const paths[] = {"/a/%2E%2e/b//c%2fd", "/%7Ex/./;y", "/a%252e/..",
					    "/x/.."};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct arena arena;
		struct http_target once, twice;
		struct http_bad bad;

		arena_init(&arena, 4096);
		assert_true(http_path_parse(sv_from(paths[i]), METHOD_GET, &arena, &once, &bad));
		assert_true(http_path_parse(once.path, METHOD_GET, &arena, &twice, &bad));
		if (!sv_eq(once.path, twice.path))
			fail_msg("%s", paths[i]);
		arena_deinit(&arena);
	}
}

static void test_targets(void **state)
{
	static const struct {
		enum http_method method;
		const char *text;
		int form;                        /* -1: refused */
		const char *host, *path, *query; /* query NULL: none */
		unsigned port;
	} cases[] = {
		{METHOD_GET, "/x?a=b&c=%2F&d=../..", TARGET_ORIGIN, "", "/x", "a=b&c=%2F&d=../..",
		 0},
		{METHOD_GET, "/x?", TARGET_ORIGIN, "", "/x", "", 0},
		{METHOD_GET, "/x?a=|[]{}^`'&b=x?y", TARGET_ORIGIN, "", "/x", "a=|[]{}^`'&b=x?y", 0},
		{METHOD_GET, "/x?q=a%00b", TARGET_ORIGIN, "", "/x", "q=a%00b", 0},
		{METHOD_GET, "/x?q=%zz", -1, "", "", NULL, 0},
		{METHOD_GET, "/x?q=%4", -1, "", "", NULL, 0},
		{METHOD_GET, "/x?q#f", -1, "", "", NULL, 0},
		{METHOD_GET, "/x?q=\x80", -1, "", "", NULL, 0},
		{METHOD_GET, "http://Host.Test/x", TARGET_ABSOLUTE, "host.test", "/x", NULL, 0},
		{METHOD_GET, "HTTPS://h:8443?q", TARGET_ABSOLUTE, "h", "/", "q", 8443},
		{METHOD_GET, "http://h", TARGET_ABSOLUTE, "h", "/", NULL, 0},
		{METHOD_GET, "http://h//a/../b", TARGET_ABSOLUTE, "h", "/b", NULL, 0},
		{METHOD_OPTIONS, "http://h", TARGET_ASTERISK, "h", "*", NULL, 0},
		{METHOD_OPTIONS, "http://h?q", TARGET_ABSOLUTE, "h", "/", "q", 0},
		{METHOD_GET, "http://[::1]:80/", TARGET_ABSOLUTE, "[::1]", "/", NULL, 80},
		{METHOD_GET, "http:///x", -1, "", "", NULL, 0},
		{METHOD_GET, "http:/x", -1, "", "", NULL, 0},
		{METHOD_GET, "http://", -1, "", "", NULL, 0},
		{METHOD_GET, "http://u:p@h/x", -1, "", "", NULL, 0},
		{METHOD_GET, "http://h#f", -1, "", "", NULL, 0},
		{METHOD_GET, "ftp://h/x", -1, "", "", NULL, 0},
		{METHOD_GET, "x", -1, "", "", NULL, 0},
		{METHOD_GET, "?x", -1, "", "", NULL, 0},
		{METHOD_GET, "@h/x", -1, "", "", NULL, 0},
		{METHOD_GET, ":80/x", -1, "", "", NULL, 0},
		{METHOD_GET, "h:80", -1, "", "", NULL, 0},
		{METHOD_GET, "*", -1, "", "", NULL, 0},
		{METHOD_GET, "", -1, "", "", NULL, 0},
		{METHOD_OPTIONS, "*", TARGET_ASTERISK, "", "*", NULL, 0},
		{METHOD_OPTIONS, "**", -1, "", "", NULL, 0},
		{METHOD_CONNECT, "h:443", TARGET_AUTHORITY, "h", "", NULL, 443},
		{METHOD_CONNECT, "h", -1, "", "", NULL, 0},
		{METHOD_CONNECT, "/x", -1, "", "", NULL, 0},
		{METHOD_CONNECT, "http://h:80/", -1, "", "", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct http_target target;
		struct http_bad bad;
		bool good;

		arena_init(&arena, 4096);
		good = http_target_parse(sv_from(cases[i].text), cases[i].method, &arena, &target,
					 &bad);
		if (good != (cases[i].form >= 0))
			fail_msg("%s: %s", cases[i].text, good ? "accepted" : bad.reason);
		if (good &&
		    ((int)target.form != cases[i].form ||
		     !same(target.authority.host, cases[i].host) ||
		     target.authority.port != cases[i].port || !same(target.path, cases[i].path) ||
		     target.has_query != (cases[i].query != NULL) ||
		     !same(target.query, cases[i].query)))
			fail_msg("%s: wrong result", cases[i].text);
		arena_deinit(&arena);
	}
}

static void test_nul_bytes(void **state)
{
	static const struct str_view texts[] = {
		SV_INIT("/a\0b"),
		SV_INIT("/a?b\0c"),
		SV_INIT("http://h?a\0b"),
		SV_INIT("http://h\0x/"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct arena arena;
		struct http_target target;
		struct http_bad bad;

		arena_init(&arena, 4096);
		assert_false(http_target_parse(texts[i], METHOD_GET, &arena, &target, &bad));
		arena_deinit(&arena);
	}
}

static void test_authorities(void **state)
{
	static const struct {
		struct str_view text;
		const char *host; /* NULL: refused */
		unsigned port;
	} cases[] = {
		{SV_INIT("vectors.test"), "vectors.test", 0},
		{SV_INIT("Vectors.TEST:8080"), "vectors.test", 8080},
		{SV_INIT("h:"), "h", 0},
		{SV_INIT("h.:80"), "h", 80},
		{SV_INIT("h:65535"), "h", 65535},
		{SV_INIT("a_b-c~d"), "a_b-c~d", 0},
		{SV_INIT("127.0.0.1:1"), "127.0.0.1", 1},
		{SV_INIT("[::1]"), "[::1]", 0},
		{SV_INIT("[2001:DB8::1]:443"), "[2001:db8::1]", 443},
		{SV_INIT("[::ffff:1.2.3.4]"), "[::ffff:1.2.3.4]", 0},
		{SV_INIT(""), NULL, 0},
		{SV_INIT(":80"), NULL, 0},
		{SV_INIT("."), NULL, 0},
		{SV_INIT(".."), NULL, 0},
		{SV_INIT("h.."), NULL, 0},
		{SV_INIT(".h"), NULL, 0},
		{SV_INIT("a..b"), NULL, 0},
		{SV_INIT("h:port"), NULL, 0},
		{SV_INIT("h:0"), NULL, 0},
		{SV_INIT("h:65536"), NULL, 0},
		{SV_INIT("h:99999"), NULL, 0},
		{SV_INIT("h:000080"), NULL, 0},
		{SV_INIT("h:-1"), NULL, 0},
		{SV_INIT("h:+1"), NULL, 0},
		{SV_INIT("h:80:80"), NULL, 0},
		{SV_INIT("h: 80"), NULL, 0},
		{SV_INIT("u@h"), NULL, 0},
		{SV_INIT("h#x"), NULL, 0},
		{SV_INIT("h?x"), NULL, 0},
		{SV_INIT("h/x"), NULL, 0},
		{SV_INIT("h\\x"), NULL, 0},
		{SV_INIT("h\0x"), NULL, 0},
		{SV_INIT("h x"), NULL, 0},
		{SV_INIT("h\tx"), NULL, 0},
		{SV_INIT("h,x"), NULL, 0},
		{SV_INIT("h%"), NULL, 0},
		{SV_INIT("%68"), NULL, 0},
		{SV_INIT("\"h\""), NULL, 0},
		{SV_INIT("<h>"), NULL, 0},
		{SV_INIT("h\xff"), NULL, 0},
		{SV_INIT("http://h"), NULL, 0},
		{SV_INIT("::1"), NULL, 0},
		{SV_INIT("[::1"), NULL, 0},
		{SV_INIT("::1]"), NULL, 0},
		{SV_INIT("[]"), NULL, 0},
		{SV_INIT("[::1]x"), NULL, 0},
		{SV_INIT("[::1]."), NULL, 0},
		{SV_INIT("[::1]]"), NULL, 0},
		{SV_INIT("[[::1]]"), NULL, 0},
		{SV_INIT("[::1%25lo]"), NULL, 0},
		{SV_INIT("[::1%lo]"), NULL, 0},
		{SV_INIT("[v1.x]"), NULL, 0},
		{SV_INIT("[1.2.3.4]"), NULL, 0},
		{SV_INIT("[::1\0]"), NULL, 0},
		{SV_INIT("[1:2:3:4:5:6:7:8:9]"), NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct http_authority got;
		bool good;

		arena_init(&arena, 4096);
		good = http_authority_parse(cases[i].text, &arena, &got);
		if (good != (cases[i].host != NULL) ||
		    (good && (!same(got.host, cases[i].host) || got.port != cases[i].port)))
			fail_msg("\"%.*s\" (row %zu)", SV_ARG(cases[i].text), i);
		arena_deinit(&arena);
	}
}

static void test_host_length(void **state)
{
	char text[HTTP_HOST_MAX + 1];
	struct arena arena;
	struct http_authority got;

	(void)state;
	memset(text, 'a', sizeof(text));
	arena_init(&arena, 4096);
	assert_true(http_authority_parse(sv_new(text, HTTP_HOST_MAX), &arena, &got));
	assert_false(http_authority_parse(sv_new(text, HTTP_HOST_MAX + 1), &arena, &got));
	arena_deinit(&arena);
}

static void test_same_authority(void **state)
{
	static const struct {
		struct http_authority a, b;
		const char *scheme;
		bool same;
	} cases[] = {
		{{SV_INIT("h"), 0}, {SV_INIT("h"), 0}, "http", true},
		{{SV_INIT("h"), 80}, {SV_INIT("h"), 0}, "http", true},
		{{SV_INIT("h"), 443}, {SV_INIT("h"), 0}, "https", true},
		{{SV_INIT("h"), 443}, {SV_INIT("h"), 0}, "http", false},
		{{SV_INIT("h"), 80}, {SV_INIT("h"), 0}, "", false},
		{{SV_INIT("h"), 0}, {SV_INIT("g"), 0}, "http", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (http_authority_same(&cases[i].a, &cases[i].b, sv_from(cases[i].scheme)) !=
		    cases[i].same)
			fail_msg("row %zu", i);
	}
}

static void test_full_arena(void **state)
{
	static const char *const texts[] = {"/a/long/enough/path", "/a?query=as-long-as-that",
					    "/a%2fb", "http://host.name.example/"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (size_t max = 0; max < 24; max++) {
			struct arena arena;
			struct http_target target;
			struct http_bad bad = {.status = 0};

			arena_init(&arena, max);
			if (!http_target_parse(sv_from(texts[i]), METHOD_GET, &arena, &target,
					       &bad))
				assert_true(bad.status == 431 || bad.status == 400);
			arena_deinit(&arena);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),          cmocka_unit_test(test_normal_form_is_stable),
		cmocka_unit_test(test_targets),        cmocka_unit_test(test_nul_bytes),
		cmocka_unit_test(test_authorities),    cmocka_unit_test(test_host_length),
		cmocka_unit_test(test_same_authority), cmocka_unit_test(test_full_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
