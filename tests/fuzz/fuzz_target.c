/* Targets and authorities: the normal form is stable and holds nothing that reads in two ways.
 * The first byte chooses method and entry. */
#include "fuzz.h"

#include "base/own.h"
#include "http/target.h"

#include <stdlib.h>

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* Absolute, single slashes, no dot segments, printable. */
static void check_path(struct str_view path)
{
	struct str_view rest = sv_skip(path, 1);

	CHECK(path.len > 0 && path.data[0] == '/');
	for (size_t i = 0; i < path.len; i++)
		CHECK(path.data[i] > 0x20 && path.data[i] < 0x7f && path.data[i] != '\\' &&
		      path.data[i] != '?' && path.data[i] != '#');
	while (rest.data != NULL) {
		struct str_view segment = sv_split(&rest, '/');

		CHECK(segment.len > 0 || rest.data == NULL);
		CHECK(!sv_eq(segment, SV(".")) && !sv_eq(segment, SV("..")));
	}
}

static void check_target(const struct http_target *target, struct arena *arena)
{
	struct http_target again;
	struct http_bad bad;

	if (target->form == TARGET_AUTHORITY || target->form == TARGET_ASTERISK)
		return;
	check_path(target->path);
	CHECK(http_path_parse(target->path, METHOD_GET, arena, &again, &bad));
	CHECK(sv_eq(again.path, target->path) && !again.has_query);
	CHECK(sv_eq(again.path_eager, target->path_eager));
	if (target->path_eager.data != NULL) {
		check_path(target->path_eager);
		CHECK(sv_find_sv(target->path_eager, SV("%2F")) == SV_NOT_FOUND);
		CHECK(sv_find_sv(target->path_eager, SV("%5C")) == SV_NOT_FOUND);
		CHECK(sv_find(target->path_eager, ';') == SV_NOT_FOUND);
	}
}

static void check_authority(struct str_view text, struct arena *arena)
{
	struct http_authority once, twice;

	if (!http_authority_parse(text, arena, &once))
		return;
	CHECK(once.host.len > 0 && once.host.len <= HTTP_HOST_MAX);
	CHECK(http_authority_parse(once.host, arena, &twice));
	CHECK(sv_eq(once.host, twice.host) && twice.port == 0);
	CHECK(http_authority_same(&once, &once, SV("http")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum http_method methods[] = {METHOD_GET, METHOD_OPTIONS, METHOD_CONNECT};
	enum http_method method = methods[size > 0 ? data[0] % ARRAY_LEN(methods) : 0];
	struct str_view text = sv_skip(sv_new((const char *)data, size), 1);
	struct http_target target;
	struct http_bad bad = {.status = 0};
	struct arena arena;

	arena_init(&arena, 1 << 20);
	if (http_target_parse(text, method, &arena, &target, &bad))
		check_target(&target, &arena);
	else
		CHECK(bad.status == 400);
	check_authority(text, &arena);
	arena_deinit(&arena);
	return 0;
}
