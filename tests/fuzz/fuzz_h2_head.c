/* Field sections of HTTP/2: what passes can be written as HTTP/1 and read again as the same
 * request. Names and values are separated by NUL bytes; the first byte says what follows and the
 * section. */
#include "fuzz.h"

#include "base/buf.h"
#include "http/h1_head.h"
#include "http/h1_write.h"
#include "http/h2_head.h"

#include <stdlib.h>

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void add_all(struct h2_head *head, struct str_view rest)
{
	while (rest.data != NULL && rest.len > 0) {
		struct str_view name = sv_split(&rest, '\0');
		struct str_view value = rest.data == NULL ? SV("") : sv_split(&rest, '\0');

		h2_head_add(head, name, value);
	}
}

static void check_round_trip(const struct http_request *request)
{
	const struct h1_limits wide = {.line = 1 << 20, .head = 1 << 20, .fields = 1000};
	struct http_request again;
	struct h1_head head;
	struct arena arena;
	struct buf out;

	if (request->method_id == METHOD_CONNECT)
		return;
	arena_init(&arena, 1 << 20);
	buf_init(&out, 1 << 20);
	CHECK(h1_write_request(&out, request));
	h1_head_init(&head, &wide, &arena);
	CHECK(h1_head_request(&head, buf_view(&out), &again) == H1_DONE);
	CHECK(head.consumed == buf_len(&out));
	CHECK(sv_eq(request->method, again.method));
	CHECK(sv_eq(request->target.path, again.target.path));
	CHECK(sv_eq(request->target.query, again.target.query));
	CHECK(sv_eq(request->authority.host, again.authority.host));
	CHECK(request->framing == again.framing && request->length == again.length);
	CHECK(request->fields.count == again.fields.count);
	buf_deinit(&out);
	arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum h2_section section = size > 0 && data[0] % 4 == 3 ? H2_TRAILER : H2_REQUEST;
	struct http_request request;
	struct h2_head head;
	struct arena arena;

	arena_init(&arena, 1 << 20);
	h2_head_init(&head, section, &arena, &H2_LIMITS_DEFAULT);
	add_all(&head, sv_skip(sv_new((const char *)data, size), 1));
	if (section == H2_REQUEST &&
	    h2_head_request(&head, data == NULL || size == 0 || data[0] % 2 == 0, &request))
		check_round_trip(&request);
	else
		CHECK(section == H2_TRAILER || head.bad.status != 0);
	for (size_t i = 0; i < head.fields.count; i++)
		CHECK(h2_name_ok(head.fields.items[i].name));
	arena_deinit(&arena);
	return 0;
}
