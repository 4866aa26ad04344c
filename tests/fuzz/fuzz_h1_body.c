/* Bodies: the same content and the same end however the bytes come in, within the input.
 * The first byte chooses framing and step, the second the length. */
#include "fuzz.h"

#include "base/buf.h"
#include "http/h1_body.h"

#include <stdlib.h>

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

struct outcome {
	enum h1_result result;
	size_t used;
	struct buf content;
};

/* Content lies within what was used, and that within what was shown. */
static void check_step(struct str_view piece, size_t used, struct str_view content)
{
	CHECK(used <= piece.len && content.len <= used);
	CHECK(content.len == 0 || content.data >= piece.data);
	CHECK(content.len == 0 || content.data + content.len <= piece.data + used);
}

static void decode(struct h1_body *body, struct str_view in, size_t step, struct outcome *out)
{
	struct str_view content;
	size_t used;

	out->used = 0;
	buf_init(&out->content, 1 << 20);
	out->result = h1_body_step(body, SV(""), &used, &content);
	while (out->result == H1_MORE && out->used < in.len) {
		struct str_view piece = sv_head(sv_skip(in, out->used), step);

		out->result = h1_body_step(body, piece, &used, &content);
		check_step(piece, used, content);
		CHECK(used > 0 || out->result == H1_BAD);
		CHECK(buf_add(&out->content, content));
		out->used += used;
	}
}

/* Content sent on in chunks of our own is the same content. */
static void check_recoded(struct str_view content, size_t step)
{
	struct outcome again;
	struct h1_body body;
	struct buf wire;

	buf_init(&wire, 4 << 20);
	for (struct str_view rest = content; rest.len > 0; rest = sv_skip(rest, step)) {
		char head[H1_CHUNK_HEAD_MAX];
		struct str_view chunk = sv_head(rest, step);

		buf_add(&wire, sv_new(head, h1_chunk_head(chunk.len, head)));
		buf_add(&wire, chunk);
		buf_add(&wire, H1_CHUNK_TAIL);
	}
	CHECK(buf_add(&wire, H1_CHUNK_LAST));
	h1_body_init(&body, BODY_CHUNKED, 0, NULL);
	decode(&body, buf_view(&wire), 4096, &again);
	CHECK(again.result == H1_DONE && again.used == buf_len(&wire));
	CHECK(sv_eq(buf_view(&again.content), content));
	buf_deinit(&again.content);
	buf_deinit(&wire);
}

static void check(struct h1_body *one, struct h1_body *many, struct str_view in, size_t step)
{
	struct outcome a, b;

	decode(one, in, in.len, &a);
	decode(many, in, step, &b);
	CHECK(a.result == b.result && one->bad.status == many->bad.status);
	CHECK(a.result == H1_BAD || a.used == b.used);
	CHECK(sv_eq(buf_view(&a.content), buf_view(&b.content)));
	CHECK(one->received == buf_len(&a.content));
	CHECK(h1_body_done(one) == (a.result == H1_DONE));
	CHECK(h1_body_eof(one) ==
	      (a.result == H1_DONE || (a.result == H1_MORE && one->framing == BODY_UNTIL_CLOSE)));
	if (a.result == H1_DONE)
		check_recoded(buf_view(&a.content), step);
	buf_deinit(&a.content);
	buf_deinit(&b.content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum body_framing framings[] = {BODY_CHUNKED, BODY_CHUNKED, BODY_LENGTH,
						     BODY_UNTIL_CLOSE};
	enum body_framing framing = framings[size > 0 ? data[0] % 4 : 0];
	uint64_t length = size > 1 ? data[1] : 0;
	struct str_view in = sv_skip(sv_new((const char *)data, size), 2);
	struct arena arena, other;
	struct h1_body one, many;

	arena_init(&arena, 1 << 16);
	arena_init(&other, 1 << 16);
	h1_body_init(&one, framing, length, &arena);
	h1_body_init(&many, framing, length, &other);
	check(&one, &many, in, size > 0 ? 1 + data[0] / 4 : 1);
	arena_deinit(&arena);
	arena_deinit(&other);
	return 0;
}
