/* h1_body.c: content by length, by chunks, until the end; each line a smuggler likes */
#include "http/h1_body.h"

#include "base/buf.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct run {
	enum h1_result result;
	int status;
	size_t used;
	struct buf content;
};

/* Feeds the input in pieces of step bytes; what follows the body stays unread. */
static void decode(struct h1_body *body, struct str_view input, size_t step, struct run *run)
{
	size_t used;
	struct str_view content;

	run->used = 0;
	run->result = h1_body_step(body, SV(""), &used, &content);
	while (run->result == H1_MORE && run->used < input.len) {
		run->result = h1_body_step(body, sv_head(sv_skip(input, run->used), step), &used,
					   &content);
		assert_true(used > 0 || run->result == H1_BAD);
		buf_add(&run->content, content);
		run->used += used;
	}
	run->status = run->result == H1_BAD ? body->bad.status : 0;
}

struct chunk_case {
	const char *name;
	struct str_view input;
	enum h1_result result;
	const char *content; /* of H1_DONE */
	size_t left;         /* bytes behind the body */
};

static const struct chunk_case chunk_cases[] = {
	{"two chunks", SV_INIT("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), H1_DONE, "hello world",
	 0},
	{"upper case", SV_INIT("A\r\n0123456789\r\n0\r\n\r\n"), H1_DONE, "0123456789", 0},
	{"leading zeros", SV_INIT("0005\r\nhello\r\n000\r\n\r\n"), H1_DONE, "hello", 0},
	{"no content", SV_INIT("0\r\n\r\nnext"), H1_DONE, "", 4},
	{"next message", SV_INIT("1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n"), H1_DONE, "x", 16},
	{"extensions",
	 SV_INIT("5;a=\"I \\\"love\\\"; \\\\x\\\\\";b=\"c\";d;e=f\r\nhello\r\n0;x\r\n\r\n"),
	 H1_DONE, "hello", 0},
	{"bad white space", SV_INIT("5 ;\ta = b ; c=\"d\" ;e\r\nhello\r\n0\r\n\r\n"), H1_DONE,
	 "hello", 0},
	{"trailers", SV_INIT("1\r\nx\r\n0\r\nX-T: v\r\nY: w\r\n\r\n"), H1_DONE, "x", 0},
	{"cut in the size", SV_INIT("5"), H1_MORE, NULL, 0},
	{"cut in the data", SV_INIT("5\r\nhel"), H1_MORE, NULL, 0},
	{"cut behind the data", SV_INIT("5\r\nhello\r\n"), H1_MORE, NULL, 0},
	{"cut in the end", SV_INIT("5\r\nhello\r\n0\r\n\r"), H1_MORE, NULL, 0},
	{"cut in trailers", SV_INIT("0\r\nX: y\r\n"), H1_MORE, NULL, 0},
	{"0x", SV_INIT("0x5\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"plus", SV_INIT("+5\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"minus", SV_INIT("-5\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"leading blank", SV_INIT(" 5\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"trailing blank", SV_INIT("5 \r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"trailing tab", SV_INIT("5\t\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"vertical tab", SV_INIT("5\v\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"underscore", SV_INIT("0_5\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"no hex", SV_INIT("g\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"hex and more", SV_INIT("5g\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"no size", SV_INIT("\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"no size but extension", SV_INIT(";a\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"quoted size", SV_INIT("\"5\"\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"NUL behind the size", SV_INIT("5\0\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"NUL before the size", SV_INIT("\0005\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"above 63 bits", SV_INIT("8000000000000005\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"64 bits", SV_INIT("FFFFFFFFFFFFFFFB\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"65 bits", SV_INIT("10000000000000005\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"too many zeros", SV_INIT("00000000000000005\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"bare LF behind the size", SV_INIT("5\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"CR CR LF", SV_INIT("5\r\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"CR X", SV_INIT("5\rX\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"blank instead of ;", SV_INIT("2 abc\r\naa\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"empty extension", SV_INIT("5;\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"empty value", SV_INIT("5;a=\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"value without a name", SV_INIT("5;=b\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"open quote", SV_INIT("5;a=\"b\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"text behind a quote", SV_INIT("5;a=\"b\"c\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"blank behind a value", SV_INIT("5;a=b \r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"LF in an extension", SV_INIT("5;\nxx\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"LF in a quoted value", SV_INIT("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"LF escaped", SV_INIT("5;a=\"\\\n\"\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"CR in an extension", SV_INIT("5;a\rb\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"NUL in an extension", SV_INIT("5;a=\0\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"control in an extension", SV_INIT("5;a=\001\r\nhello\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"LF behind the data", SV_INIT("5\r\nhello\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"nothing behind the data", SV_INIT("5\r\nhello0\r\n\r\n"), H1_BAD, NULL, 0},
	{"two bytes instead of CRLF", SV_INIT("5\r\nhelloXX0\r\n\r\n"), H1_BAD, NULL, 0},
	{"CR X behind the data", SV_INIT("5\r\nhello\rX0\r\n\r\n"), H1_BAD, NULL, 0},
	{"longer than its size", SV_INIT("5\r\nhelloworld\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"empty line between chunks", SV_INIT("5\r\nhello\r\n\r\n0\r\n\r\n"), H1_BAD, NULL, 0},
	{"LF behind the last size", SV_INIT("0\n\r\n"), H1_BAD, NULL, 0},
	{"last line ends in CR X", SV_INIT("0\r\n\rX"), H1_BAD, NULL, 0},
	{"bare LF as last line", SV_INIT("0\r\n\n"), H1_BAD, NULL, 0},
	{"junk as trailer", SV_INIT("0\r\nXX\r\n\r\n"), H1_BAD, NULL, 0},
	{"a request as trailer", SV_INIT("0\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), H1_BAD, NULL,
	 0},
	{"LF in trailers", SV_INIT("0\r\nX: y\n\r\n"), H1_BAD, NULL, 0},
	{"CR in trailers", SV_INIT("0\r\nX: y\rz\r\n\r\n"), H1_BAD, NULL, 0},
	{"NUL in trailers", SV_INIT("0\r\nX: y\0z\r\n\r\n"), H1_BAD, NULL, 0},
	{"name of a trailer", SV_INIT("0\r\nX(A): y\r\n\r\n"), H1_BAD, NULL, 0},
	{"no name", SV_INIT("0\r\n: y\r\n\r\n"), H1_BAD, NULL, 0},
	{"blank before the colon", SV_INIT("0\r\nX : y\r\n\r\n"), H1_BAD, NULL, 0},
	{"folded trailer", SV_INIT("0\r\nX: y\r\n z\r\n\r\n"), H1_BAD, NULL, 0},
};

/* Every split of the input gives the same. */
static void test_chunks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(chunk_cases); i++) {
		const struct chunk_case *c = &chunk_cases[i];

		for (size_t step = 1; step <= c->input.len; step++) {
			struct arena arena;
			struct h1_body body;
			struct run run;

			arena_init(&arena, 65536);
			buf_init(&run.content, 65536);
			h1_body_init(&body, BODY_CHUNKED, 0, &arena);
			decode(&body, c->input, step, &run);
			if (run.result != c->result || (run.result == H1_BAD && run.status != 400))
				fail_msg("%s, step %zu: result %d, %s", c->name, step,
					 (int)run.result, run.status != 0 ? body.bad.reason : "");
			if (run.result == H1_DONE &&
			    (strcmp(buf_cstr(&run.content), c->content) != 0 ||
			     run.used != c->input.len - c->left))
				fail_msg("%s, step %zu: \"%s\", %zu used", c->name, step,
					 buf_cstr(&run.content), run.used);
			if (run.result == H1_MORE)
				assert_false(h1_body_eof(&body));
			buf_deinit(&run.content);
			arena_deinit(&arena);
		}
	}
}

static void test_trailers(void **state)
{
	struct str_view input = SV("0\r\nX-T:  v \r\nContent-Length: 5\r\nHost: evil\r\n"
				   "grpc-status: 0\r\n\r\n");
	struct arena arena;
	struct h1_body body;
	struct run run;

	(void)state;
	arena_init(&arena, 65536);
	buf_init(&run.content, 100);
	h1_body_init(&body, BODY_CHUNKED, 0, &arena);
	decode(&body, input, 7, &run);
	assert_int_equal(run.result, H1_DONE);
	assert_int_equal(body.trailers.count, 2);
	assert_true(sv_eq(body.trailers.items[0].name, SV("x-t")));
	assert_true(sv_eq(body.trailers.items[0].value, SV("v")));
	assert_true(sv_eq(body.trailers.items[1].name, SV("grpc-status")));
	buf_deinit(&run.content);
	arena_deinit(&arena);
}

/* Repeats a piece until the decoder has enough of it; returns how many it took, or 0. */
static size_t flood(struct h1_body *body, struct str_view piece, size_t times)
{
	for (size_t i = 0; i < times; i++) {
		struct str_view rest = piece, content;
		enum h1_result result;
		size_t used;

		while (rest.len > 0) {
			result = h1_body_step(body, rest, &used, &content);
			if (result == H1_BAD)
				return i + 1;
			rest = sv_skip(rest, used);
		}
	}
	return 0;
}

static void test_limits(void **state)
{
	static const struct {
		const char *name;
		struct str_view start, piece;
		size_t least; /* pieces that must pass */
		int status;
	} cases[] = {
		{"one long extension", SV_INIT("5;a="), SV_INIT("xxxxxxxxxx"), 400, 400},
		{"blanks before an extension", SV_INIT("5 "), SV_INIT("          "), 400, 400},
		{"many extensions", SV_INIT(""),
		 SV_INIT("1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n"), 500, 400},
		{"long trailer line", SV_INIT("0\r\nX: "), SV_INIT("xxxxxxxxxx"), 800, 431},
		{"many trailers", SV_INIT("0\r\n"), SV_INIT("X: y\r\n"), 64, 431},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct h1_body body;
		size_t taken;

		arena_init(&arena, 65536);
		h1_body_init(&body, BODY_CHUNKED, 0, &arena);
		assert_int_equal(flood(&body, cases[i].start, 1), 0);
		taken = flood(&body, cases[i].piece, 100000);
		if (taken <= cases[i].least || body.bad.status != cases[i].status)
			fail_msg("%s: %zu taken, status %d", cases[i].name, taken, body.bad.status);
		arena_deinit(&arena);
	}
}

/* Signed uploads have an extension in each chunk: what content pays for is no flood. */
static void test_extensions_with_content(void **state)
{
	char piece[8400];
	size_t len = (size_t)snprintf(piece, sizeof(piece), "2000;chunk-signature=%064d\r\n", 0);
	struct arena arena;
	struct h1_body body;

	(void)state;
	memset(piece + len, 'x', 0x2000);
	memcpy(piece + len + 0x2000, "\r\n", 2);
	arena_init(&arena, 65536);
	h1_body_init(&body, BODY_CHUNKED, 0, &arena);
	assert_int_equal(flood(&body, sv_new(piece, len + 0x2000 + 2), 2000), 0);
	assert_int_equal(body.received, 2000 * 0x2000);
	arena_deinit(&arena);
}

static void test_arena_full_in_trailers(void **state)
{
	struct arena arena;
	struct h1_body body;

	(void)state;
	arena_init(&arena, 100);
	h1_body_init(&body, BODY_CHUNKED, 0, &arena);
	assert_int_equal(flood(&body, SV("0\r\nX: y\r\n"), 1), 1);
	assert_int_equal(body.bad.status, 431);
	arena_deinit(&arena);
}

static void test_length(void **state)
{
	struct h1_body body;
	struct run run;

	(void)state;
	for (size_t step = 1; step < 12; step++) {
		buf_init(&run.content, 100);
		h1_body_init(&body, BODY_LENGTH, 5, NULL);
		decode(&body, SV("helloGET /"), step, &run);
		assert_int_equal(run.result, H1_DONE);
		assert_int_equal(run.used, 5);
		assert_string_equal(buf_cstr(&run.content), "hello");
		buf_deinit(&run.content);
	}
	buf_init(&run.content, 100);
	h1_body_init(&body, BODY_LENGTH, 5, NULL);
	decode(&body, SV("hell"), 10, &run);
	assert_int_equal(run.result, H1_MORE);
	assert_int_equal(body.left, 1);
	assert_false(h1_body_eof(&body));
	buf_deinit(&run.content);
}

static void test_nothing(void **state)
{
	static const enum body_framing framings[] = {BODY_NONE, BODY_LENGTH};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(framings); i++) {
		struct h1_body body;
		struct str_view content;
		size_t used;

		h1_body_init(&body, framings[i], 0, NULL);
		assert_true(h1_body_done(&body));
		assert_int_equal(h1_body_step(&body, SV("GET /"), &used, &content), H1_DONE);
		assert_int_equal(used, 0);
		assert_int_equal(content.len, 0);
		assert_true(h1_body_eof(&body));
	}
}

static void test_until_close(void **state)
{
	struct h1_body body;
	struct run run;

	(void)state;
	buf_init(&run.content, 100);
	h1_body_init(&body, BODY_UNTIL_CLOSE, 0, NULL);
	decode(&body, SV("all of it"), 4, &run);
	assert_int_equal(run.result, H1_MORE);
	assert_string_equal(buf_cstr(&run.content), "all of it");
	assert_false(h1_body_done(&body));
	assert_true(h1_body_eof(&body));
	assert_true(h1_body_done(&body));
	buf_deinit(&run.content);
}

static void test_chunk_head(void **state)
{
	static const struct {
		uint64_t size;
		const char *text;
	} cases[] = {
		{1, "1\r\n"},
		{15, "f\r\n"},
		{16, "10\r\n"},
		{500, "1f4\r\n"},
		{UINT64_MAX, "ffffffffffffffff\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[H1_CHUNK_HEAD_MAX];
		size_t len = h1_chunk_head(cases[i].size, out);

		if (!sv_eq(sv_new(out, len), sv_from(cases[i].text)))
			fail_msg("%s", cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_extensions_with_content),
		cmocka_unit_test(test_arena_full_in_trailers),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_until_close),
		cmocka_unit_test(test_chunk_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
