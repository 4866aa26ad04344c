/* h1_write.c, method.c: the exact bytes that leave */
#include "http/h1_write.h"

#include "base/buf.h"
#include "base/own.h"
#include "http/h1_body.h"
#include "http/h1_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct http_request parse_request(struct arena *arena, const char *text)
{
	struct h1_head head;
	struct http_request request;

	arena_init(arena, 65536);
	h1_head_init(&head, &H1_LIMITS_DEFAULT, arena);
	if (h1_head_request(&head, sv_from(text), &request) != H1_DONE)
		fail_msg("%s: %s", text, head.bad.reason);
	return request;
}

static void test_requests(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"GET /a/../b?q HTTP/1.1\r\nHost: H.test\r\nX-A:  1\r\n\r\n",
		 "GET /b?q HTTP/1.1\r\nhost: h.test\r\nx-a: 1\r\n\r\n"},
		{"GET /? HTTP/1.0\r\nHost: h:\r\nConnection: keep-alive\r\n\r\n",
		 "GET /? HTTP/1.1\r\nhost: h\r\n\r\n"},
		{"GET http://h:81 HTTP/1.1\r\nHost: h:81\r\n\r\n",
		 "GET / HTTP/1.1\r\nhost: h:81\r\n\r\n"},
		{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 007\r\n\r\n",
		 "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 7\r\n\r\n"},
		{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		 "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"},
		{"Frob / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nTE: gzip\r\n\r\n",
		 "Frob / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"},
		{"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"
		 "Sec-WebSocket-Key: k\r\n\r\n",
		 "GET /ws HTTP/1.1\r\nhost: h\r\nsec-websocket-key: k\r\nconnection: upgrade\r\n"
		 "upgrade: websocket\r\n\r\n"},
		{"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "
		 "h2c\r\n"
		 "HTTP2-Settings: AA\r\n\r\n",
		 "GET / HTTP/1.1\r\nhost: h\r\n\r\n"},
		{"OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
		 "OPTIONS * HTTP/1.1\r\nhost: [::1]:80\r\n\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct buf out;
		struct http_request request = parse_request(&arena, cases[i].in);

		buf_init(&out, 4096);
		assert_true(h1_write_request(&out, &request));
		assert_string_equal(buf_cstr(&out), cases[i].out);
		buf_deinit(&out);
		arena_deinit(&arena);
	}
}

/* What a filter has put among the fields by mistake does not get out. */
static void test_own_fields_are_not_copied(void **state)
{
	struct arena arena;
	struct buf out;
	struct http_request r = parse_request(&arena, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");

	(void)state;
	assert_true(fields_add(&r.fields, SV("Transfer-Encoding"), SV("chunked")));
	assert_true(fields_add(&r.fields, SV("Content-Length"), SV("9")));
	assert_true(fields_add(&r.fields, SV("host"), SV("evil")));
	assert_true(fields_add(&r.fields, SV("Connection"), SV("close")));
	buf_init(&out, 4096);
	assert_true(h1_write_request(&out, &r));
	assert_string_equal(buf_cstr(&out), "GET / HTTP/1.1\r\nhost: h\r\n\r\n");
	buf_deinit(&out);
	arena_deinit(&arena);
}

static void test_full_buffer(void **state)
{
	struct arena arena;
	struct buf out;
	struct http_request r = parse_request(&arena, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");

	(void)state;
	buf_init(&out, 26); /* one byte short */
	assert_false(h1_write_request(&out, &r));
	assert_int_equal(buf_len(&out), 0);
	buf_deinit(&out);
	buf_init(&out, 27);
	assert_true(h1_write_request(&out, &r));
	buf_deinit(&out);
	arena_deinit(&arena);
}

struct response_case {
	const char *name;
	int status;
	enum body_framing framing;
	uint64_t length;
	bool has_length;
	struct h1_reply reply;
	const char *out;
};

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static const struct response_case response_cases[] = {
	{"length",
	 200,
	 BODY_LENGTH,
	 5,
	 true,
	 {SV_INIT(DATE), 1, true},
	 "HTTP/1.1 200 OK\r\nx-a: 1\r\ndate: " DATE "\r\ncontent-length: 5\r\n\r\n"},
	{"length 0",
	 404,
	 BODY_LENGTH,
	 0,
	 true,
	 {SV_INIT(""), 1, false},
	 "HTTP/1.1 404 Not Found\r\nx-a: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"},
	{"chunked",
	 200,
	 BODY_CHUNKED,
	 0,
	 false,
	 {SV_INIT(""), 1, true},
	 "HTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n"},
	{"until close",
	 200,
	 BODY_UNTIL_CLOSE,
	 0,
	 false,
	 {SV_INIT(""), 0, true},
	 "HTTP/1.1 200 OK\r\nx-a: 1\r\nconnection: close\r\n\r\n"},
	{"1.0 kept",
	 200,
	 BODY_LENGTH,
	 5,
	 true,
	 {SV_INIT(""), 0, true},
	 "HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\n"},
	{"HEAD",
	 200,
	 BODY_NONE,
	 10,
	 true,
	 {SV_INIT(""), 1, true},
	 "HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 10\r\n\r\n"},
	{"304",
	 304,
	 BODY_NONE,
	 10,
	 true,
	 {SV_INIT(""), 1, true},
	 "HTTP/1.1 304 Not Modified\r\nx-a: 1\r\ncontent-length: 10\r\n\r\n"},
	{"204 has no length",
	 204,
	 BODY_NONE,
	 5,
	 true,
	 {SV_INIT(""), 1, true},
	 "HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n"},
	{"103",
	 103,
	 BODY_NONE,
	 0,
	 false,
	 {SV_INIT(DATE), 1, false},
	 "HTTP/1.1 103 Early Hints\r\nx-a: 1\r\n\r\n"},
	{"101",
	 101,
	 BODY_NONE,
	 0,
	 false,
	 {SV_INIT(DATE), 1, true},
	 "HTTP/1.1 101 Switching Protocols\r\nx-a: 1\r\nconnection: upgrade\r\nupgrade: "
	 "websocket\r\n\r\n"},
	{"unknown status",
	 599,
	 BODY_LENGTH,
	 0,
	 true,
	 {SV_INIT(""), 1, true},
	 "HTTP/1.1 599 \r\nx-a: 1\r\ncontent-length: 0\r\n\r\n"},
};

static void test_responses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(response_cases); i++) {
		const struct response_case *c = &response_cases[i];
		struct http_response r = {.status = c->status,
					  .framing = c->framing,
					  .length = c->length,
					  .has_length = c->has_length};
		struct arena arena;
		struct buf out;

		arena_init(&arena, 4096);
		buf_init(&out, 4096);
		fields_init(&r.fields, &arena, 10);
		fields_add(&r.fields, SV("X-A"), SV("1"));
		assert_true(h1_write_response(&out, &r, &c->reply));
		if (strcmp(buf_cstr(&out), c->out) != 0)
			fail_msg("%s: %s", c->name, buf_cstr(&out));
		buf_deinit(&out);
		arena_deinit(&arena);
	}
}

static void test_date_of_the_origin_stays(void **state)
{
	struct http_response r = {.status = 200, .framing = BODY_LENGTH, .has_length = true};
	struct h1_reply reply = {.date = SV("ours"), .client_minor = 1, .keep_alive = true};
	struct arena arena;
	struct buf out;

	(void)state;
	arena_init(&arena, 4096);
	buf_init(&out, 4096);
	fields_init(&r.fields, &arena, 10);
	fields_add(&r.fields, SV("Date"), SV("theirs"));
	assert_true(h1_write_response(&out, &r, &reply));
	assert_string_equal(buf_cstr(&out),
			    "HTTP/1.1 200 OK\r\ndate: theirs\r\ncontent-length: 0\r\n\r\n");
	buf_deinit(&out);
	arena_deinit(&arena);
}

static void test_reframe(void **state)
{
	static const struct {
		enum body_framing before, after_10, after_11;
	} cases[] = {
		{BODY_NONE, BODY_NONE, BODY_NONE},
		{BODY_LENGTH, BODY_LENGTH, BODY_LENGTH},
		{BODY_CHUNKED, BODY_UNTIL_CLOSE, BODY_CHUNKED},
		{BODY_UNTIL_CLOSE, BODY_UNTIL_CLOSE, BODY_CHUNKED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_response r = {.status = 200, .framing = cases[i].before};

		http_response_reframe(&r, 1);
		assert_int_equal(r.framing, cases[i].after_11);
		r.framing = cases[i].before;
		http_response_reframe(&r, 0);
		assert_int_equal(r.framing, cases[i].after_10);
	}
}

static void test_last_chunk(void **state)
{
	struct fields trailers;
	struct arena arena;
	struct buf out;

	(void)state;
	arena_init(&arena, 4096);
	fields_init(&trailers, &arena, 10);
	buf_init(&out, 4096);
	assert_true(h1_write_last_chunk(&out, &trailers));
	assert_true(sv_eq(buf_view(&out), H1_CHUNK_LAST));
	buf_reset(&out);
	fields_add(&trailers, SV("Grpc-Status"), SV("0"));
	fields_add(&trailers, SV("Content-Length"), SV("5"));
	assert_true(h1_write_last_chunk(&out, &trailers));
	assert_string_equal(buf_cstr(&out), "0\r\ngrpc-status: 0\r\n\r\n");
	buf_deinit(&out);
	arena_deinit(&arena);
}

static void test_words(void **state)
{
	(void)state;
	for (int i = METHOD_OTHER + 1; i < METHOD_COUNT; i++)
		assert_int_equal(http_method_parse(http_method_text((enum http_method)i)), i);
	assert_int_equal(http_method_parse(SV("get")), METHOD_OTHER);
	assert_int_equal(http_method_parse(SV("")), METHOD_OTHER);
	assert_true(http_method_idempotent(METHOD_PUT) && !http_method_idempotent(METHOD_POST));
	assert_false(http_method_idempotent(METHOD_OTHER));
	assert_true(sv_eq(http_reason(503), SV("Service Unavailable")));
	assert_int_equal(http_reason(299).len, 0);
	assert_int_equal(http_reason(-1).len, 0);
	assert_int_equal(http_reason(100000).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_own_fields_are_not_copied),
		cmocka_unit_test(test_full_buffer),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_date_of_the_origin_stays),
		cmocka_unit_test(test_reframe),
		cmocka_unit_test(test_last_chunk),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
