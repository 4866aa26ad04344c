/* h2_head.c: what RFC 9113, section 8 calls malformed, and what becomes a request */
#include "http/h2_head.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define GET  ":method\0GET\0:scheme\0https\0:path\0/x\0"
#define POST ":method\0POST\0:scheme\0https\0:path\0/x\0"
#define AT_H ":authority\0h.test\0"
#define TEXT(s)                                   \
	{                                         \
		.data = (s), .len = sizeof(s) - 1 \
	}

struct section_case {
	const char *name;
	struct str_view section; /* name NUL value NUL … */
	bool body;               /* DATA follows */
	int status;              /* 0: fine */
};

static const struct section_case cases[] = {
	{"plain", TEXT(GET AT_H), false, 0},
	{"host only", TEXT(GET "host\0h.test\0"), false, 0},
	{"host agrees", TEXT(GET AT_H "host\0H.TEST:443\0"), false, 0},
	{"te", TEXT(GET AT_H "te\0trailers\0"), false, 0},
	{"8-bit value", TEXT(GET AT_H "x-a\0caf\xc3\xa9\xff\0"), false, 0},
	{"empty value", TEXT(GET AT_H "x-a\0\0"), false, 0},
	{"*", TEXT(":method\0OPTIONS\0:scheme\0http\0:path\0*\0" AT_H), false, 0},
	{"length", TEXT(POST AT_H "content-length\0005\0"), true, 0},
	{"length 0", TEXT(POST AT_H "content-length\0000\0"), false, 0},
	{"CONNECT", TEXT(":method\0CONNECT\0:authority\0h.test:80\0"), true, 0},
	{"no authority", TEXT(GET), false, 400},
	{"host disagrees", TEXT(GET AT_H "host\0evil.test\0"), false, 400},
	{"two hosts", TEXT(GET AT_H "host\0h.test\0host\0h.test\0"), false, 400},
	{"bad host", TEXT(GET "host\0a b\0"), false, 400},
	{"empty authority", TEXT(GET ":authority\0\0"), false, 400},
	{"authority with user", TEXT(GET ":authority\0u@h\0"), false, 400},
	{"authority with path", TEXT(GET ":authority\0h/x\0"), false, 400},
	{"authority with LF", TEXT(GET ":authority\0h\n\0"), false, 400},
	{"authority with port 99999", TEXT(GET ":authority\0h:99999\0"), false, 400},
	{"two paths", TEXT(GET AT_H ":path\0/y\0"), false, 400},
	{"two methods", TEXT(GET AT_H ":method\0GET\0"), false, 400},
	{"two authorities", TEXT(GET AT_H AT_H), false, 400},
	{"pseudo behind regular", TEXT(GET "x-a\0b\0" AT_H), false, 400},
	{"unknown pseudo", TEXT(GET AT_H ":foo\0bar\0"), false, 400},
	{":protocol", TEXT(GET AT_H ":protocol\0websocket\0"), false, 400},
	{":status", TEXT(GET AT_H ":status\000200\0"), false, 400},
	{"no method", TEXT(":scheme\0https\0:path\0/\0" AT_H), false, 400},
	{"no scheme", TEXT(":method\0GET\0:path\0/\0" AT_H), false, 400},
	{"no path", TEXT(":method\0GET\0:scheme\0https\0" AT_H), false, 400},
	{"empty path", TEXT(":method\0GET\0:scheme\0https\0:path\0\0" AT_H), false, 400},
	{"query only", TEXT(":method\0GET\0:scheme\0https\0:path\0?x\0" AT_H), false, 400},
	{"absolute path", TEXT(":method\0GET\0:scheme\0https\0:path\0http://h/x\0" AT_H), false,
	 400},
	{"blank in the path", TEXT(":method\0GET\0:scheme\0https\0:path\0/a b\0" AT_H), false, 400},
	{"CRLF in the path", TEXT(":method\0GET\0:scheme\0https\0:path\0/a\r\nb\0" AT_H), false,
	 400},
	{"* of GET", TEXT(":method\0GET\0:scheme\0https\0:path\0*\0" AT_H), false, 400},
	{"empty method", TEXT(":method\0\0:scheme\0https\0:path\0/\0" AT_H), false, 400},
	{"blank in the method", TEXT(":method\0G T\0:scheme\0https\0:path\0/\0" AT_H), false, 400},
	{"CRLF in the method", TEXT(":method\0GET\r\n\0:scheme\0https\0:path\0/\0" AT_H), false,
	 400},
	{"gopher", TEXT(":method\0GET\0:scheme\0gopher\0:path\0/\0" AT_H), false, 400},
	{"scheme with more", TEXT(":method\0GET\0:scheme\0http://h/?\0:path\0/\0" AT_H), false,
	 400},
	{"CONNECT with a path", TEXT(":method\0CONNECT\0:authority\0h:80\0:path\0/\0"), true, 400},
	{"CONNECT without a port", TEXT(":method\0CONNECT\0:authority\0h\0"), true, 400},
	{"CONNECT without authority", TEXT(":method\0CONNECT\0"), true, 400},
	{"upper case", TEXT(GET AT_H "X-A\0b\0"), false, 400},
	{"upper case coding", TEXT(GET AT_H "Transfer-Encoding\0chunked\0"), false, 400},
	{"no name", TEXT(GET AT_H "\0b\0"), false, 400},
	{"colon in a name", TEXT(GET AT_H "x:a\0b\0"), false, 400},
	{"CRLF in a name", TEXT(GET AT_H "x\r\na\0b\0"), false, 400},
	{"slash in a name", TEXT(GET AT_H "x/a\0b\0"), false, 400},
	{"blank before a value", TEXT(GET AT_H "x-a\0 b\0"), false, 400},
	{"tab behind a value", TEXT(GET AT_H "x-a\0b\t\0"), false, 400},
	{"CR in a value", TEXT(GET AT_H "x-a\0a\rb\0"), false, 400},
	{"LF in a value", TEXT(GET AT_H "x-a\0a\nb\0"), false, 400},
	{"control in a value", TEXT(GET AT_H "x-a\0a\001b\0"), false, 400},
	{"connection", TEXT(GET AT_H "connection\0close\0"), false, 400},
	{"keep-alive", TEXT(GET AT_H "keep-alive\0x\0"), false, 400},
	{"proxy-connection", TEXT(GET AT_H "proxy-connection\0x\0"), false, 400},
	{"upgrade", TEXT(GET AT_H "upgrade\0h2c\0"), false, 400},
	{"transfer-encoding", TEXT(GET AT_H "transfer-encoding\0chunked\0"), false, 400},
	{"te gzip", TEXT(GET AT_H "te\0trailers, gzip\0"), false, 400},
	{"length +5", TEXT(POST AT_H "content-length\0+5\0"), true, 400},
	{"length 5,5", TEXT(POST AT_H "content-length\0005,5\0"), true, 400},
	{"two lengths", TEXT(POST AT_H "content-length\0005\0content-length\0005\0"), true, 400},
	{"length without DATA", TEXT(POST AT_H "content-length\0005\0"), false, 400},
	{"TRACE with content", TEXT(":method\0TRACE\0:scheme\0http\0:path\0/\0" AT_H), true, 400},
	{"expectation", TEXT(POST AT_H "expect\0x\0"), true, 417},
};

static bool add_all(struct h2_head *head, struct str_view section)
{
	bool good = true;

	while (section.len > 0) {
		struct str_view name = sv_split(&section, '\0');
		struct str_view value = sv_split(&section, '\0');

		good = h2_head_add(head, name, value);
	}
	return good;
}

static void test_sections(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct h2_head head;
		struct http_request request;
		bool good;

		arena_init(&arena, 65536);
		h2_head_init(&head, H2_REQUEST, &arena, &H2_LIMITS_DEFAULT);
		add_all(&head, cases[i].section);
		good = h2_head_request(&head, !cases[i].body, &request);
		if (good != (cases[i].status == 0) || head.bad.status != cases[i].status)
			fail_msg("%s: status %d %s", cases[i].name, head.bad.status,
				 good ? "" : head.bad.reason);
		arena_deinit(&arena);
	}
}

static void test_model(void **state)
{
	static const struct str_view section = TEXT(
		":method\0POST\0:path\0/a/../b?q\0:scheme\0https\0:authority\0H.test:8443\0"
		"cookie\0a=1\0x-a\0v\0cookie\0b=2\0te\0trailers\0host\0h.test:8443\0cookie\0c=3\0"
		"expect\000100-continue\0");
	struct arena arena;
	struct h2_head head;
	struct http_request r;

	(void)state;
	arena_init(&arena, 65536);
	h2_head_init(&head, H2_REQUEST, &arena, &H2_LIMITS_DEFAULT);
	assert_true(add_all(&head, section));
	assert_true(h2_head_request(&head, false, &r));
	assert_int_equal(r.major, 2);
	assert_int_equal(r.method_id, METHOD_POST);
	assert_true(sv_eq(r.authority.host, SV("h.test")));
	assert_int_equal(r.authority.port, 8443);
	assert_true(sv_eq(r.target.path, SV("/b")));
	assert_true(sv_eq(r.target.query, SV("q")));
	assert_true(sv_eq(r.target.scheme, SV("https")));
	assert_int_equal(r.framing, BODY_CHUNKED);
	assert_true(r.te_trailers && r.keep_alive && r.expect_continue);
	assert_int_equal(r.fields.count, 3);
	assert_true(sv_eq(r.fields.items[0].value, SV("a=1; b=2; c=3")));
	assert_int_equal(r.fields.items[0].id, FIELD_COOKIE);
	assert_true(sv_eq(r.fields.items[1].name, SV("x-a")));
	arena_deinit(&arena);
}

static void test_limits(void **state)
{
	static const struct {
		const char *name;
		struct h2_limits limits;
	} limits[] = {
		{"bytes", {.bytes = 1000, .fields = 1000}},
		{"fields", {.bytes = 1000000, .fields = 20}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct arena arena;
		struct h2_head head;
		struct http_request request;
		int count = 0;

		arena_init(&arena, 65536);
		h2_head_init(&head, H2_REQUEST, &arena, &limits[i].limits);
		assert_true(add_all(&head, (struct str_view)TEXT(GET AT_H)));
		while (count < 1000 && h2_head_add(&head, SV("x-a"), SV("b")))
			count++;
		if (count < 19 || count > 30 || head.bad.status != 431)
			fail_msg("%s: %d fields, status %d", limits[i].name, count,
				 head.bad.status);
		assert_false(h2_head_request(&head, true, &request));
		arena_deinit(&arena);
	}
}

static void test_trailers(void **state)
{
	static const struct {
		struct str_view section;
		int status;
		size_t count;
	} sections[] = {
		{TEXT("x-t\0v\0grpc-status\0000\0"), 0, 2},
		{TEXT("x-t\0v\0content-length\0005\0host\0h\0"), 0, 1},
		{TEXT(":path\0/x\0"), 400, 0},
		{TEXT("transfer-encoding\0chunked\0"), 400, 0},
		{TEXT("X-T\0v\0"), 400, 0},
		{TEXT("x-t\0a\r\nb\0"), 400, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		struct arena arena;
		struct h2_head head;

		arena_init(&arena, 65536);
		h2_head_init(&head, H2_TRAILER, &arena, &H2_LIMITS_DEFAULT);
		add_all(&head, sections[i].section);
		if (head.bad.status != sections[i].status || head.fields.count != sections[i].count)
			fail_msg("row %zu: status %d, %zu fields", i, head.bad.status,
				 head.fields.count);
		arena_deinit(&arena);
	}
}

static void test_full_arena(void **state)
{
	bool good;
	size_t max = 0;

	(void)state;
	do {
		struct arena arena;
		struct h2_head head;
		struct http_request request;

		arena_init(&arena, max++);
		h2_head_init(&head, H2_REQUEST, &arena, &H2_LIMITS_DEFAULT);
		add_all(&head, (struct str_view)TEXT(GET AT_H "x-a\0b\0cookie\0a\0cookie\0b\0"));
		good = h2_head_request(&head, true, &request);
		if (!good && head.bad.status != 431 && head.bad.status != 400)
			fail_msg("arena of %zu: status %d", max - 1, head.bad.status);
		arena_deinit(&arena);
	} while (!good && max < 4096);
	assert_true(good && max > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections),   cmocka_unit_test(test_model),
		cmocka_unit_test(test_limits),     cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_full_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
