/* Request heads: the same verdict however the bytes come in, and what we write is what we read. */
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

static enum h1_result parse(struct h1_head *head, struct str_view run, size_t step,
			    struct http_request *request)
{
	enum h1_result result = H1_MORE;

	for (size_t len = step; result == H1_MORE; len += step) {
		len = len > run.len ? run.len : len;
		result = h1_head_request(head, sv_head(run, len), request);
		if (len == run.len)
			break;
	}
	return result;
}

static void check_same_fields(const struct fields *a, const struct fields *b)
{
	CHECK(a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		CHECK(a->items[i].id == b->items[i].id);
		CHECK(sv_eq(a->items[i].name, b->items[i].name));
		CHECK(sv_eq(a->items[i].value, b->items[i].value));
		CHECK(field_name_ok(a->items[i].name) && field_value_ok(a->items[i].value));
		CHECK(!field_is_hop_by_hop(a->items[i].id));
	}
}

static void check_same(const struct http_request *a, const struct http_request *b)
{
	CHECK(sv_eq(a->method, b->method));
	CHECK(sv_eq(a->target.path, b->target.path));
	CHECK(a->target.has_query == b->target.has_query);
	CHECK(sv_eq(a->target.query, b->target.query));
	CHECK(sv_eq(a->authority.host, b->authority.host));
	CHECK(a->authority.port == b->authority.port);
	CHECK(a->framing == b->framing && a->length == b->length);
	CHECK(a->websocket == b->websocket);
	check_same_fields(&a->fields, &b->fields);
}

/* What the upstream would make of our text, were it as strict as we are. */
static void check_round_trip(const struct http_request *request)
{
	const struct h1_limits wide = {.line = 1 << 20, .head = 1 << 20, .fields = 1000};
	struct http_request again;
	struct h1_head head;
	struct arena arena;
	struct buf out;

	if (request->method_id == METHOD_CONNECT || request->authority.host.len == 0)
		return;
	arena_init(&arena, 1 << 20);
	buf_init(&out, 1 << 20);
	CHECK(h1_write_request(&out, request));
	h1_head_init(&head, &wide, &arena);
	/* An expectation that HTTP/1.0 made us ignore is no concern of this check. */
	if (request->minor > 0) {
		CHECK(h1_head_request(&head, buf_view(&out), &again) == H1_DONE);
		CHECK(head.consumed == buf_len(&out));
		check_same(request, &again);
	}
	buf_deinit(&out);
	arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view run = sv_new((const char *)data, size);
	struct http_request whole, pieces;
	struct h1_head one, many;
	struct arena arena, other;
	enum h1_result result;

	arena_init(&arena, 1 << 20);
	arena_init(&other, 1 << 20);
	h1_head_init(&one, &H1_LIMITS_DEFAULT, &arena);
	h1_head_init(&many, &H1_LIMITS_DEFAULT, &other);
	result = parse(&one, run, size, &whole);
	CHECK(parse(&many, run, 1 + size % 7, &pieces) == result);
	CHECK(one.bad.status == many.bad.status && one.consumed == many.consumed);
	CHECK((result == H1_BAD) == (one.bad.status != 0));
	if (result == H1_DONE) {
		CHECK(one.consumed > 0 && one.consumed <= size);
		check_same(&whole, &pieces);
		check_round_trip(&whole);
	}
	arena_deinit(&arena);
	arena_deinit(&other);
	return 0;
}
