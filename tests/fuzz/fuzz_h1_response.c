/* Response heads: the same verdict however the bytes come in, and what we write is what we read.
 * The first byte chooses the method that was asked. */
#include "fuzz.h"

#include "base/buf.h"
#include "http/h1_head.h"
#include "http/h1_write.h"

#include <stdlib.h>

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static enum h1_result parse(struct h1_head *head, struct str_view run, enum http_method asked,
			    struct http_response *response)
{
	enum h1_result result = H1_MORE;

	for (size_t len = 1; result == H1_MORE && len <= run.len; len++)
		result = h1_head_response(head, sv_head(run, len), asked, response);
	return result;
}

static void check_same(const struct http_response *a, const struct http_response *b)
{
	CHECK(a->status == b->status);
	CHECK(a->framing == b->framing);
	CHECK(a->fields.count == b->fields.count);
	for (size_t i = 0; i < a->fields.count; i++) {
		CHECK(sv_eq(a->fields.items[i].name, b->fields.items[i].name));
		CHECK(sv_eq(a->fields.items[i].value, b->fields.items[i].value));
	}
}

static void check_round_trip(const struct http_response *response, enum http_method asked)
{
	const struct h1_limits wide = {.line = 1 << 20, .head = 1 << 20, .fields = 1000};
	const struct h1_reply reply = {.client_minor = 1, .keep_alive = true};
	struct http_response again;
	struct h1_head head;
	struct arena arena;
	struct buf out;

	arena_init(&arena, 1 << 20);
	buf_init(&out, 1 << 20);
	CHECK(h1_write_response(&out, response, &reply));
	h1_head_init(&head, &wide, &arena);
	CHECK(h1_head_response(&head, buf_view(&out), asked, &again) == H1_DONE);
	CHECK(head.consumed == buf_len(&out));
	check_same(response, &again);
	CHECK(again.keep_alive || again.framing == BODY_UNTIL_CLOSE || again.status == 101);
	buf_deinit(&out);
	arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum http_method asked = size > 0 && data[0] % 2 == 1 ? METHOD_HEAD : METHOD_GET;
	struct str_view run = sv_skip(sv_new((const char *)data, size), 1);
	struct http_response whole, pieces;
	struct h1_head one, many;
	struct arena arena, other;
	enum h1_result result;

	arena_init(&arena, 1 << 20);
	arena_init(&other, 1 << 20);
	h1_head_init(&one, &H1_LIMITS_DEFAULT, &arena);
	h1_head_init(&many, &H1_LIMITS_DEFAULT, &other);
	result = h1_head_response(&one, run, asked, &whole);
	CHECK(parse(&many, run, asked, &pieces) == result);
	CHECK(one.bad.status == many.bad.status && one.consumed == many.consumed);
	CHECK(one.bad.status == (result == H1_BAD ? 502 : 0));
	if (result == H1_DONE) {
		CHECK(whole.status >= 100 && whole.status <= 599);
		check_same(&whole, &pieces);
		check_round_trip(&whole, asked);
	}
	arena_deinit(&arena);
	arena_deinit(&other);
	return 0;
}
