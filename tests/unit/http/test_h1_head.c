/* h1_head.c: heads in both directions; each line of RFC 9112 that a smuggler likes */
#include "http/h1_head.h"

#include "base/buf.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define H "Host: h.test\r\n"

struct request_case {
	const char *name;
	struct str_view head;
	int status; /* 0: accepted */
};

static const struct request_case request_cases[] = {
	/* request line */
	{"plain", SV_INIT("GET / HTTP/1.1\r\n" H "\r\n"), 0},
	{"empty line before", SV_INIT("\r\nGET / HTTP/1.1\r\n" H "\r\n"), 0},
	{"two empty lines before", SV_INIT("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"), 400},
	{"bare LF before", SV_INIT("\nGET / HTTP/1.1\r\n" H "\r\n"), 400},
	{"two blanks", SV_INIT("GET /  HTTP/1.1\r\n" H "\r\n"), 400},
	{"two blanks first", SV_INIT("GET  / HTTP/1.1\r\n" H "\r\n"), 400},
	{"blank at the end", SV_INIT("GET / HTTP/1.1 \r\n" H "\r\n"), 400},
	{"blank at the start", SV_INIT(" GET / HTTP/1.1\r\n" H "\r\n"), 400},
	{"tab", SV_INIT("GET\t/ HTTP/1.1\r\n" H "\r\n"), 400},
	{"second tab", SV_INIT("GET /\tHTTP/1.1\r\n" H "\r\n"), 400},
	{"vertical tab", SV_INIT("GET\v/ HTTP/1.1\r\n" H "\r\n"), 400},
	{"bare CR", SV_INIT("GET /\rx HTTP/1.1\r\n" H "\r\n"), 400},
	{"bare CR as separator", SV_INIT("GET\r/ HTTP/1.1\r\n" H "\r\n"), 400},
	{"LF as separator", SV_INIT("GET /\nHTTP/1.1\r\n" H "\r\n"), 400},
	{"CR CR LF", SV_INIT("GET / HTTP/1.1\r\r\n" H "\r\n"), 400},
	{"bare LF", SV_INIT("GET / HTTP/1.1\n" H "\r\n"), 400},
	{"NUL before", SV_INIT("\0GET / HTTP/1.1\r\n" H "\r\n"), 400},
	{"NUL in the target", SV_INIT("GET /a\0b HTTP/1.1\r\n" H "\r\n"), 400},
	{"method only", SV_INIT("GET\r\n" H "\r\n"), 400},
	{"HTTP/0.9", SV_INIT("GET /\r\n" H "\r\n"), 400},
	{"TLS", SV_INIT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n"), 400},
	{"no target", SV_INIT("GET HTTP/1.1\r\n" H "\r\n"), 400},
	{"no method", SV_INIT("/ HTTP/1.1\r\n" H "\r\n"), 400},
	{"odd method", SV_INIT("G!#$%&'*+-.^_`|~9T / HTTP/1.1\r\n" H "\r\n"), 0},
	{"method with a slash", SV_INIT("GET/ / HTTP/1.1\r\n" H "\r\n"), 400},
	{"method with DEL", SV_INIT("GE\x7fT / HTTP/1.1\r\n" H "\r\n"), 400},
	{"blank in the target", SV_INIT("GET /a b HTTP/1.1\r\n" H "\r\n"), 400},
	{"version in the target", SV_INIT("GET /a HTTP/1.1 x HTTP/1.1\r\n" H "\r\n"), 400},
	{"fragment", SV_INIT("GET /a#b HTTP/1.1\r\n" H "\r\n"), 400},
	{"HTTP/0.9 said", SV_INIT("GET / HTTP/0.9\r\n" H "\r\n"), 505},
	{"HTTP/2.0", SV_INIT("GET / HTTP/2.0\r\n" H "\r\n"), 505},
	{"HTTP/1.2", SV_INIT("GET / HTTP/1.2\r\n" H "\r\n"), 0},
	{"HTTP/1.a", SV_INIT("GET / HTTP/1.a\r\n" H "\r\n"), 400},
	{"HTTP/11.1", SV_INIT("GET / HTTP/11.1\r\n" H "\r\n"), 400},
	{"HTTP/1.01", SV_INIT("GET / HTTP/1.01\r\n" H "\r\n"), 400},
	{"HTTP/1.", SV_INIT("GET / HTTP/1.\r\n" H "\r\n"), 400},
	{"HTTP/1,1", SV_INIT("GET / HTTP/1,1\r\n" H "\r\n"), 400},
	{"HTTP/1.1x", SV_INIT("GET / HTTP/1.1x\r\n" H "\r\n"), 400},
	{"HTTP/1.1 NUL", SV_INIT("GET / HTTP/1.1\0\r\n" H "\r\n"), 400},
	{"http/1.1", SV_INIT("GET / http/1.1\r\n" H "\r\n"), 400},
	{"ICE/1.0", SV_INIT("GET / ICE/1.0\r\n" H "\r\n"), 400},
	/* field lines */
	{"blank before the colon", SV_INIT("GET / HTTP/1.1\r\n" H "X : b\r\n\r\n"), 400},
	{"tab before the colon", SV_INIT("GET / HTTP/1.1\r\n" H "X\t: b\r\n\r\n"), 400},
	{"folded", SV_INIT("GET / HTTP/1.1\r\n" H "X: b\r\n c\r\n\r\n"), 400},
	{"folded by a tab", SV_INIT("GET / HTTP/1.1\r\n" H "X: b\r\n\tc\r\n\r\n"), 400},
	{"folded at once", SV_INIT("GET / HTTP/1.1\r\n " H "\r\n"), 400},
	{"blank line", SV_INIT("GET / HTTP/1.1\r\n" H " \r\n\r\n"), 400},
	{"no colon", SV_INIT("GET / HTTP/1.1\r\n" H "X\r\n\r\n"), 400},
	{"no name", SV_INIT("GET / HTTP/1.1\r\n" H ": v\r\n\r\n"), 400},
	{"colon only", SV_INIT("GET / HTTP/1.1\r\n" H ":\r\n\r\n"), 400},
	{"bare LF behind a value", SV_INIT("GET / HTTP/1.1\r\n" H "X: b\nY: c\r\n\r\n"), 400},
	{"bare LF as last line", SV_INIT("GET / HTTP/1.1\r\n" H "\n"), 400},
	{"CR in a value", SV_INIT("GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n"), 400},
	{"CR hides a field",
	 SV_INIT("GET / HTTP/1.1\r\n" H "x:\rTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"CR at the end", SV_INIT("GET / HTTP/1.1\r\n" H "\rGET / HTTP/1.1\r\n" H "\r\n"), 400},
	{"CR CR LF at the end", SV_INIT("GET / HTTP/1.1\r\n" H "\r\r\n"), 400},
	{"NUL in a value", SV_INIT("GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n"), 400},
	{"NUL in a name", SV_INIT("GET / HTTP/1.1\r\n" H "X\0: a\r\n\r\n"), 400},
	{"control in a value", SV_INIT("GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n"), 400},
	{"DEL in a value", SV_INIT("GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n"), 400},
	{"8 bits in a name", SV_INIT("GET / HTTP/1.1\r\n" H "X\x85: a\r\n\r\n"), 400},
	{"8 bits in a value",
	 SV_INIT("GET / HTTP/1.1\r\n" H "X: \xa0"
		 "caf\xc3\xa9\xff\r\n\r\n"),
	 0},
	{"empty value", SV_INIT("GET / HTTP/1.1\r\n" H "X:\r\n\r\n"), 0},
	/* Host */
	{"no Host", SV_INIT("GET / HTTP/1.1\r\n\r\n"), 400},
	{"no Host in 1.0", SV_INIT("GET / HTTP/1.0\r\n\r\n"), 0},
	{"two Hosts", SV_INIT("GET / HTTP/1.1\r\n" H H "\r\n"), 400},
	{"two Hosts in 1.0", SV_INIT("GET / HTTP/1.0\r\n" H H "\r\n"), 400},
	{"empty Host", SV_INIT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400},
	{"bad Host", SV_INIT("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400},
	{"list of Hosts", SV_INIT("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"), 400},
	{"absolute", SV_INIT("GET http://h.test/x HTTP/1.1\r\n" H "\r\n"), 0},
	{"absolute, default port", SV_INIT("GET http://h.test:80/x HTTP/1.1\r\n" H "\r\n"), 0},
	{"absolute, other host", SV_INIT("GET http://o.test/x HTTP/1.1\r\n" H "\r\n"), 400},
	{"absolute, other port", SV_INIT("GET http://h.test:81/x HTTP/1.1\r\n" H "\r\n"), 400},
	{"absolute, no Host", SV_INIT("GET http://h.test/x HTTP/1.1\r\n\r\n"), 400},
	{"absolute, no Host, 1.0", SV_INIT("GET http://h.test/x HTTP/1.0\r\n\r\n"), 0},
	/* framing */
	{"length", SV_INIT("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n"), 0},
	{"length +5", SV_INIT("POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n"), 400},
	{"length 5, 5", SV_INIT("POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n"), 400},
	{"no length", SV_INIT("POST / HTTP/1.1\r\n" H "Content-Length: \r\n\r\n"), 400},
	{"two lengths",
	 SV_INIT("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), 400},
	{"twice the same length",
	 SV_INIT("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 400},
	{"empty length first",
	 SV_INIT("POST / HTTP/1.1\r\n" H "Content-Length:\r\nContent-Length: 5\r\n\r\n"), 400},
	{"2^63", SV_INIT("POST / HTTP/1.1\r\n" H "Content-Length: 9223372036854775808\r\n\r\n"),
	 400},
	{"chunked", SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: CHUNKED\r\n\r\n"), 0},
	{"chunked and length",
	 SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
	 400},
	{"length and chunked",
	 SV_INIT("POST / HTTP/1.1\r\n" H "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
	 400},
	{"chunked in 1.0", SV_INIT("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n"),
	 400},
	{"chunked twice",
	 SV_INIT("POST / HTTP/1.1\r\n" H
		 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
	 400},
	{"chunked, chunked",
	 SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n"), 400},
	{"chunked, identity",
	 SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n"), 400},
	{"gzip, chunked",
	 SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501},
	{"identity", SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n"), 501},
	{"xchunked", SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n"), 501},
	{"empty coding", SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n"), 400},
	{"comma, chunked", SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: ,chunked\r\n\r\n"),
	 501},
	{"quoted chunked",
	 SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n"), 400},
	{"chunked;q=1", SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked;q=1\r\n\r\n"),
	 400},
	{"NBSP chunked",
	 SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \xa0"
		 "chunked\r\n\r\n"),
	 400},
	{"VT chunked", SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \vchunked\r\n\r\n"),
	 400},
	{"coding with a blank name",
	 SV_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n"), 400},
	{"TRACE with content", SV_INIT("TRACE / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n"), 400},
	{"TRACE", SV_INIT("TRACE / HTTP/1.1\r\n" H "\r\n"), 0},
	/* connection, expectation */
	{"option that is no token", SV_INIT("GET / HTTP/1.1\r\n" H "Connection: a b\r\n\r\n"), 400},
	{"nominates Host", SV_INIT("GET / HTTP/1.1\r\n" H "Connection: Host\r\n\r\n"), 400},
	{"nominates Content-Length",
	 SV_INIT("POST / HTTP/1.1\r\n" H "Connection: content-length\r\nContent-Length: 1\r\n\r\n"),
	 400},
	{"nominates X-Forwarded-For",
	 SV_INIT("GET / HTTP/1.1\r\n" H "Connection: close, X-Forwarded-For\r\n\r\n"), 400},
	{"nominates Authorization",
	 SV_INIT("GET / HTTP/1.1\r\n" H "Connection: authorization\r\n\r\n"), 400},
	{"nominates Transfer-Encoding",
	 SV_INIT("POST / HTTP/1.1\r\n" H
		 "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n"),
	 0},
	{"expectation",
	 SV_INIT("POST / HTTP/1.1\r\n" H "Expect: 100-CONTINUE\r\nContent-Length: 1\r\n\r\n"), 0},
	{"other expectation", SV_INIT("POST / HTTP/1.1\r\n" H "Expect: y 100-continue\r\n\r\n"),
	 417},
	{"expectation of 1.0 is ignored", SV_INIT("POST / HTTP/1.0\r\n" H "Expect: x\r\n\r\n"), 0},
	{"CONNECT", SV_INIT("CONNECT h.test:443 HTTP/1.1\r\nHost: h.test:443\r\n\r\n"), 0},
	{"CONNECT without a port", SV_INIT("CONNECT h.test HTTP/1.1\r\n" H "\r\n"), 400},
	{"* of GET", SV_INIT("GET * HTTP/1.1\r\n" H "\r\n"), 400},
	{"* of OPTIONS", SV_INIT("OPTIONS * HTTP/1.1\r\n" H "\r\n"), 0},
};

/* Shows the run as it grows by step bytes. Each time it is a fresh copy: no view may reach into it.
 */
static enum h1_result parse_request(struct h1_head *head, struct str_view run, size_t step,
				    struct http_request *request)
{
	enum h1_result result = H1_MORE;

	for (size_t len = step; result == H1_MORE; len += step) {
		len = len > run.len ? run.len : len;
		char *copy = sv_dup(sv_head(run, len));

		result = h1_head_request(head, sv_new(copy, len), request);
		memset(copy, '#', len);
		free(copy);
		if (len == run.len)
			break;
	}
	return result;
}

static void test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(request_cases); i++) {
		const struct request_case *c = &request_cases[i];

		for (size_t step = 1; step <= c->head.len; step += step < 8 ? 1 : c->head.len / 2) {
			struct arena arena;
			struct h1_head head;
			struct http_request request;
			enum h1_result result;

			arena_init(&arena, 65536);
			h1_head_init(&head, &H1_LIMITS_DEFAULT, &arena);
			result = parse_request(&head, c->head, step, &request);
			if (result != (c->status == 0 ? H1_DONE : H1_BAD) ||
			    head.bad.status != c->status)
				fail_msg("%s, step %zu: result %d, status %d %s", c->name, step,
					 (int)result, head.bad.status,
					 head.bad.status != 0 ? head.bad.reason : "");
			if (result == H1_DONE && head.consumed != c->head.len)
				fail_msg("%s: %zu consumed", c->name, head.consumed);
			arena_deinit(&arena);
		}
	}
}

static struct http_request parsed(struct arena *arena, const char *text)
{
	struct h1_head head;
	struct http_request request;
	enum h1_result result;

	arena_init(arena, 65536);
	h1_head_init(&head, &H1_LIMITS_DEFAULT, arena);
	result = h1_head_request(&head, sv_from(text), &request);
	if (result != H1_DONE)
		fail_msg("%s: %s", text, head.bad.status != 0 ? head.bad.reason : "incomplete");
	return request;
}

static void test_model(void **state)
{
	struct arena arena;
	struct http_request r =
		parsed(&arena, "POST /a/%7e/../b?q=%2F HTTP/1.1\r\nHOST: H.Test:8080\r\n"
			       "X-Foo: \t v \t\r\nConnection: x-bar, TE\r\nX-Bar: gone\r\n"
			       "Keep-Alive: 5\r\nTE: trailers\r\nContent-Length: 0007\r\n"
			       "Expect: 100-continue\r\nx-foo: w\r\n\r\nrest");

	(void)state;
	assert_int_equal(r.method_id, METHOD_POST);
	assert_true(sv_eq(r.method, SV("POST")));
	assert_int_equal(r.major * 10 + r.minor, 11);
	assert_true(sv_eq(r.authority.host, SV("h.test")));
	assert_int_equal(r.authority.port, 8080);
	assert_true(sv_eq(r.target.path, SV("/a/b")));
	assert_true(sv_eq(r.target.query, SV("q=%2F")));
	assert_int_equal(r.framing, BODY_LENGTH);
	assert_int_equal(r.length, 7);
	assert_true(r.keep_alive && r.expect_continue && r.te_trailers);
	assert_false(r.upgrade || r.websocket);
	assert_int_equal(r.fields.count, 3);
	assert_true(sv_eq(r.fields.items[0].name, SV("x-foo")));
	assert_true(sv_eq(r.fields.items[0].value, SV("v")));
	assert_int_equal(r.fields.items[1].id, FIELD_EXPECT);
	assert_true(sv_eq(r.fields.items[2].value, SV("w")));
	arena_deinit(&arena);
}

static void test_unknown_method_is_kept(void **state)
{
	struct arena arena;
	struct http_request r = parsed(&arena, "get /x HTTP/1.1\r\n" H "\r\n");

	(void)state;
	assert_int_equal(r.method_id, METHOD_OTHER);
	assert_true(sv_eq(r.method, SV("get")));
	arena_deinit(&arena);
}

static void test_connection_flags(void **state)
{
	static const char ws[] = "Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n";
	static const struct {
		const char *name, *line, *fields;
		bool keep_alive, upgrade, websocket, key_gone;
	} cases[] = {
		{"1.1", "GET / HTTP/1.1", "", true, false, false, true},
		{"1.1 close", "GET / HTTP/1.1", "Connection: Close\r\n", false, false, false, true},
		{"close wins", "GET / HTTP/1.1",
		 "Connection: keep-alive\r\nConnection: x, close\t\r\n", false, false, false, true},
		{"1.0", "GET / HTTP/1.0", "", false, false, false, true},
		{"1.0 keep-alive", "GET / HTTP/1.0", "Connection: keep-alive\r\n", true, false,
		 false, true},
		{"websocket", "GET / HTTP/1.1",
		 "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: "
		 "x\r\n",
		 true, true, true, false},
		{"Upgrade alone", "GET / HTTP/1.1", ws, true, false, false, false},
		{"h2c", "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: h2c\r\n", true, true,
		 false, true},
		{"websocket, h2c", "GET / HTTP/1.1",
		 "Connection: upgrade\r\nUpgrade: websocket, h2c\r\nSec-WebSocket-Key: x\r\n", true,
		 true, false, false},
		{"two Upgrades", "GET / HTTP/1.1",
		 "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: "
		 "websocket\r\nSec-WebSocket-Key: "
		 "x\r\n",
		 true, true, false, false},
		{"websocket without a key", "GET / HTTP/1.1",
		 "Connection: upgrade\r\nUpgrade: websocket\r\n", true, true, false, true},
		{"websocket with a body", "GET / HTTP/1.1",
		 "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "
		 "x\r\nContent-Length: "
		 "63\r\n",
		 true, true, false, false},
		{"websocket by POST", "POST / HTTP/1.1",
		 "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n", true,
		 true, false, false},
		{"websocket in 1.0", "GET / HTTP/1.0",
		 "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n", false,
		 false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		char *text = xasprintf("%s\r\n" H "%s\r\n", cases[i].line, cases[i].fields);
		struct http_request r = parsed(&arena, text);

		if (r.keep_alive != cases[i].keep_alive || r.upgrade != cases[i].upgrade ||
		    r.websocket != cases[i].websocket)
			fail_msg("%s: keep_alive %d, upgrade %d, websocket %d", cases[i].name,
				 r.keep_alive, r.upgrade, r.websocket);
		if (fields_count_id(&r.fields, FIELD_UPGRADE) != 0 ||
		    fields_count_id(&r.fields, FIELD_CONNECTION) != 0)
			fail_msg("%s: hop-by-hop fields are left", cases[i].name);
		if ((fields_count_id(&r.fields, FIELD_SEC_WEBSOCKET_KEY) == 0) != cases[i].key_gone)
			fail_msg("%s: the key", cases[i].name);
		free(text);
		arena_deinit(&arena);
	}
}

static void test_limits(void **state)
{
	static const struct {
		const char *name;
		struct str_view start, piece;
		int status;
		size_t most; /* the refusal comes before so many bytes */
	} cases[] = {
		{"endless line", SV_INIT("GET /"), SV_INIT("aaaaaaaaaa"), 414, 16500},
		{"endless name", SV_INIT("GET / HTTP/1.1\r\n"), SV_INIT("nnnnnnnnnn"), 431, 16500},
		{"endless value", SV_INIT("GET / HTTP/1.1\r\nX: "), SV_INIT("vvvvvvvvvv"), 431,
		 16500},
		{"many fields", SV_INIT("GET / HTTP/1.1\r\n"), SV_INIT("X: y\r\n"), 431, 1300},
		{"large head", SV_INIT("GET / HTTP/1.1\r\n"),
		 SV_INIT("X: 0123456789012345678901234567890"
			 "12345678901234567890123456789"
			 "01234567890123456789012345678"
			 "90123456789012345678901234567"
			 "89012345678901234567890123456"
			 "78901234567890123456789012345"
			 "67890123456789012345678901234"
			 "56789012345678901234567890123"
			 "45678901234567890123456789012"
			 "34567890123456789012345678901"
			 "23456789012345678901234567890"
			 "12345678901234567890123456789"
			 "012345678901234567890123456789"
			 "012345678901234567890123456789"
			 "\r\n"),
		 431, 66000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct h1_head head;
		struct http_request request;
		struct buf run;

		arena_init(&arena, 200000);
		buf_init(&run, 200000);
		buf_add(&run, cases[i].start);
		h1_head_init(&head, &H1_LIMITS_DEFAULT, &arena);
		while (h1_head_request(&head, buf_view(&run), &request) == H1_MORE) {
			buf_add(&run, cases[i].piece);
			if (buf_len(&run) > cases[i].most)
				fail_msg("%s: still hungry", cases[i].name);
		}
		if (head.bad.status != cases[i].status)
			fail_msg("%s: status %d", cases[i].name, head.bad.status);
		buf_deinit(&run);
		arena_deinit(&arena);
	}
}

static void test_full_arena(void **state)
{
	struct str_view head_text = SV("FROB /a%2fb?c HTTP/1.1\r\n" H "X-Foo: bar\r\nY: z\r\n\r\n");
	size_t max = 0;
	enum h1_result result;

	(void)state;
	do {
		struct arena arena;
		struct h1_head head;
		struct http_request request;

		arena_init(&arena, max++);
		h1_head_init(&head, &H1_LIMITS_DEFAULT, &arena);
		result = h1_head_request(&head, head_text, &request);
		if (result == H1_BAD && head.bad.status != 431 && head.bad.status != 400)
			fail_msg("arena of %zu: status %d", max - 1, head.bad.status);
		arena_deinit(&arena);
	} while (result == H1_BAD && max < 4096);
	assert_int_equal(result, H1_DONE);
	assert_true(max > 100);
}

static void test_no_http_at_all(void **state)
{
	static const struct {
		struct str_view run;
		enum h1_result result;
	} cases[] = {
		{SV_INIT("\x16\x03\x01\x02"), H1_BAD},
		{SV_INIT("\r\n\x16"), H1_BAD},
		{SV_INIT("\0"), H1_BAD},
		{SV_INIT(" GET"), H1_BAD},
		{SV_INIT("\r"), H1_MORE},
		{SV_INIT("\r\n"), H1_MORE},
		{SV_INIT("\r\n\r"), H1_MORE},
		{SV_INIT("G"), H1_MORE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct h1_head head;
		struct http_request request;

		arena_init(&arena, 4096);
		h1_head_init(&head, &H1_LIMITS_DEFAULT, &arena);
		if (h1_head_request(&head, cases[i].run, &request) != cases[i].result)
			fail_msg("row %zu", i);
		arena_deinit(&arena);
	}
}

static void test_bad_sticks(void **state)
{
	struct arena arena;
	struct h1_head head;
	struct http_request request;
	struct str_view run = SV("GET /\r\nGET / HTTP/1.1\r\n" H "\r\n");

	(void)state;
	arena_init(&arena, 4096);
	h1_head_init(&head, &H1_LIMITS_DEFAULT, &arena);
	assert_int_equal(h1_head_request(&head, run, &request), H1_BAD);
	assert_int_equal(h1_head_request(&head, run, &request), H1_BAD);
	arena_deinit(&arena);
}

struct response_case {
	const char *name;
	enum http_method asked;
	struct str_view head;
	int status; /* 0: refused */
	enum body_framing framing;
	uint64_t length;
	bool keep_alive;
};

#define OK "HTTP/1.1 200 OK\r\n"

static const struct response_case response_cases[] = {
	{"length", METHOD_GET, SV_INIT(OK "Content-Length: 5\r\n\r\n"), 200, BODY_LENGTH, 5, true},
	{"chunked", METHOD_GET, SV_INIT(OK "Transfer-Encoding: chunked\r\n\r\n"), 200, BODY_CHUNKED,
	 0, true},
	{"neither", METHOD_GET, SV_INIT(OK "\r\n"), 200, BODY_UNTIL_CLOSE, 0, false},
	{"1.0", METHOD_GET, SV_INIT("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), 200,
	 BODY_LENGTH, 5, false},
	{"1.0 kept", METHOD_GET,
	 SV_INIT("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n"), 200,
	 BODY_LENGTH, 5, true},
	{"1.0 kept without length", METHOD_GET,
	 SV_INIT("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"), 200, BODY_UNTIL_CLOSE, 0,
	 false},
	{"close", METHOD_GET, SV_INIT(OK "Connection: close\r\nContent-Length: 5\r\n\r\n"), 200,
	 BODY_LENGTH, 5, false},
	{"no reason", METHOD_GET, SV_INIT("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"), 200,
	 BODY_LENGTH, 0, true},
	{"no blank either", METHOD_GET, SV_INIT("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), 200,
	 BODY_LENGTH, 0, true},
	{"8-bit reason", METHOD_GET, SV_INIT("HTTP/1.1 500 Ori\xebnt\r\nContent-Length: 0\r\n\r\n"),
	 500, BODY_LENGTH, 0, true},
	{"599", METHOD_GET, SV_INIT("HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n"), 599,
	 BODY_LENGTH, 0, true},
	{"HEAD", METHOD_HEAD, SV_INIT(OK "Content-Length: 10\r\n\r\n"), 200, BODY_NONE, 10, true},
	{"HEAD chunked", METHOD_HEAD, SV_INIT(OK "Transfer-Encoding: chunked\r\n\r\n"), 200,
	 BODY_NONE, 0, true},
	{"HEAD without length", METHOD_HEAD, SV_INIT(OK "\r\n"), 200, BODY_NONE, 0, true},
	{"304", METHOD_GET, SV_INIT("HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n"), 304,
	 BODY_NONE, 44, true},
	{"204", METHOD_GET, SV_INIT("HTTP/1.1 204 No Content\r\n\r\n"), 204, BODY_NONE, 0, true},
	{"204 with length", METHOD_GET,
	 SV_INIT("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), 204, BODY_NONE, 5, false},
	{"204 chunked", METHOD_GET,
	 SV_INIT("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"), 204, BODY_NONE,
	 0, false},
	{"100", METHOD_GET, SV_INIT("HTTP/1.1 100 Continue\r\n\r\n"), 100, BODY_NONE, 0, true},
	{"103", METHOD_GET, SV_INIT("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), 103,
	 BODY_NONE, 0, true},
	{"101", METHOD_GET,
	 SV_INIT("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"), 101, BODY_NONE,
	 0, false},
	{"nominated", METHOD_GET,
	 SV_INIT(OK "Connection: set-cookie\r\nSet-Cookie: a\r\nContent-Length: 1\r\n\r\n"), 200,
	 BODY_LENGTH, 1, true},
	{"status 99", METHOD_GET, SV_INIT("HTTP/1.1 099 OK\r\n\r\n"), 0, 0, 0, false},
	{"status 600", METHOD_GET, SV_INIT("HTTP/1.1 600 OK\r\n\r\n"), 0, 0, 0, false},
	{"status 2", METHOD_GET, SV_INIT("HTTP/1.1 2 OK\r\n\r\n"), 0, 0, 0, false},
	{"status 2000", METHOD_GET, SV_INIT("HTTP/1.1 2000 OK\r\n\r\n"), 0, 0, 0, false},
	{"status -20", METHOD_GET, SV_INIT("HTTP/1.1 -20 OK\r\n\r\n"), 0, 0, 0, false},
	{"status 20x", METHOD_GET, SV_INIT("HTTP/1.1 20x OK\r\n\r\n"), 0, 0, 0, false},
	{"status 200OK", METHOD_GET, SV_INIT("HTTP/1.1 200OK\r\n\r\n"), 0, 0, 0, false},
	{"tab", METHOD_GET, SV_INIT("HTTP/1.1\t200 OK\r\n\r\n"), 0, 0, 0, false},
	{"tab behind the status", METHOD_GET, SV_INIT("HTTP/1.1 200\tOK\r\n\r\n"), 0, 0, 0, false},
	{"two blanks", METHOD_GET, SV_INIT("HTTP/1.1  200 OK\r\n\r\n"), 0, 0, 0, false},
	{"HTTP/2.0", METHOD_GET, SV_INIT("HTTP/2.0 200 OK\r\n\r\n"), 0, 0, 0, false},
	{"HTTP/1.2", METHOD_GET, SV_INIT("HTTP/1.2 204 OK\r\n\r\n"), 204, BODY_NONE, 0, true},
	{"HTTP/1.a", METHOD_GET, SV_INIT("HTTP/1.a 204 OK\r\n\r\n"), 0, 0, 0, false},
	{"http/1.1", METHOD_GET, SV_INIT("http/1.1 200 OK\r\n\r\n"), 0, 0, 0, false},
	{"version only", METHOD_GET, SV_INIT("HTTP/1.1\r\n\r\n"), 0, 0, 0, false},
	{"empty", METHOD_GET, SV_INIT("\r\nHTTP/1.1 200 OK\r\n\r\n"), 0, 0, 0, false},
	{"NUL in the reason", METHOD_GET, SV_INIT("HTTP/1.1 200 O\0K\r\n\r\n"), 0, 0, 0, false},
	{"CR in the reason", METHOD_GET, SV_INIT("HTTP/1.1 200 O\rK\r\n\r\n"), 0, 0, 0, false},
	{"bare LF", METHOD_GET, SV_INIT("HTTP/1.1 200 OK\n\r\n"), 0, 0, 0, false},
	{"folded", METHOD_GET, SV_INIT(OK "X: a\r\n b\r\n\r\n"), 0, 0, 0, false},
	{"blank before a colon", METHOD_GET, SV_INIT(OK "X : a\r\n\r\n"), 0, 0, 0, false},
	{"two lengths", METHOD_GET, SV_INIT(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 0,
	 0, 0, false},
	{"two lengths of 304", METHOD_GET,
	 SV_INIT("HTTP/1.1 304 N\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"), 0, 0, 0,
	 false},
	{"bad length", METHOD_GET, SV_INIT(OK "Content-Length: 5a\r\n\r\n"), 0, 0, 0, false},
	{"length and coding", METHOD_GET,
	 SV_INIT(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 0, 0, 0, false},
	{"coding of 1.0", METHOD_GET,
	 SV_INIT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 0, 0, 0, false},
	{"unknown coding", METHOD_GET, SV_INIT(OK "Transfer-Encoding: gzip, chunked\r\n\r\n"), 0, 0,
	 0, false},
	{"coding twice", METHOD_GET,
	 SV_INIT(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 0, 0, 0,
	 false},
};

static void test_responses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(response_cases); i++) {
		const struct response_case *c = &response_cases[i];
		struct arena arena;
		struct h1_head head;
		struct http_response r = {.status = 0};
		enum h1_result result = H1_MORE;

		arena_init(&arena, 65536);
		h1_head_init(&head, &H1_LIMITS_DEFAULT, &arena);
		for (size_t len = 1; len <= c->head.len && result == H1_MORE; len++)
			result = h1_head_response(&head, sv_head(c->head, len), c->asked, &r);
		if (result != (c->status == 0 ? H1_BAD : H1_DONE))
			fail_msg("%s: result %d", c->name, (int)result);
		if (result == H1_BAD)
			assert_int_equal(head.bad.status, 502);
		else if (r.status != c->status || r.framing != c->framing ||
			 r.length != c->length || r.keep_alive != c->keep_alive ||
			 head.consumed != c->head.len)
			fail_msg("%s: status %d, framing %d, length %llu, keep_alive %d", c->name,
				 r.status, (int)r.framing, (unsigned long long)r.length,
				 r.keep_alive);
		arena_deinit(&arena);
	}
}

static void test_response_websocket(void **state)
{
	static const struct {
		struct str_view head;
		bool websocket;
	} cases[] = {
		{SV_INIT("HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"),
		 true},
		{SV_INIT("HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"), false},
		{SV_INIT("HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n"), false},
		{SV_INIT("HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: "
			 "websocket\r\nContent-Length: "
			 "4\r\n\r\n"),
		 false},
		{SV_INIT("HTTP/1.1 200 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
		 false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct h1_head head;
		struct http_response r;

		arena_init(&arena, 65536);
		h1_head_init(&head, &H1_LIMITS_DEFAULT, &arena);
		assert_int_equal(h1_head_response(&head, cases[i].head, METHOD_GET, &r), H1_DONE);
		if (r.websocket != cases[i].websocket || r.fields.count != 0)
			fail_msg("row %zu", i);
		arena_deinit(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_unknown_method_is_kept),
		cmocka_unit_test(test_connection_flags),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_full_arena),
		cmocka_unit_test(test_no_http_at_all),
		cmocka_unit_test(test_bad_sticks),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_response_websocket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
