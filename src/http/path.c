/* http/path.c - one form for every path, and nothing that could be read as another */
#include "http/path.h"

#include "base/enc.h"
#include "http/chars.h"

/* Value of the escape at the start of text, or -1 when it is none. */
static int escape_value(struct str_view text)
{
	int high, low;

	if (text.len < 3 || text.data[0] != '%')
		return -1;
	high = hex_digit(text.data[1]);
	low = hex_digit(text.data[2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* UTF-8 in more bytes than needed: the old way to smuggle a dot or a slash past a check. */
static bool is_overlong(struct str_view text, int first)
{
	int second = escape_value(sv_skip(text, 3));

	if (first == 0xc0 || first == 0xc1)
		return second >= 0x80 && second <= 0xbf;
	return first == 0xe0 && second >= 0x80 && second <= 0x9f;
}

/* Copies the escape at the start of text to *at: undone when unreserved, else in upper case. */
static bool copy_escape(struct str_view text, char **at, struct http_bad *bad)
{
	static const char digits[] = "0123456789ABCDEF";
	int value = escape_value(text);

	if (value < 0)
		return http_refuse(bad, 400, "broken escape in the path");
	if (value < 0x20 || value == 0x7f)
		return http_refuse(bad, 400, "escaped control character in the path");
	if (is_overlong(text, value))
		return http_refuse(bad, 400, "overlong UTF-8 in the path");
	if (char_is((char)value, CHAR_PLAIN)) {
		*(*at)++ = (char)value;
		return true;
	}
	(*at)[0] = '%';
	(*at)[1] = digits[value / 16];
	(*at)[2] = digits[value % 16];
	*at += 3;
	return true;
}

/* Copies one segment to *at, normalised; what follows the '/'. */
static bool copy_segment(struct str_view segment, char **at, struct http_bad *bad)
{
	size_t i = 0;

	while (i < segment.len) {
		char c = segment.data[i];

		if (char_is(c, CHAR_PATH)) {
			*(*at)++ = c;
			i++;
		} else if (c != '%') {
			return http_refuse(bad, 400, "illegal character in the path");
		} else if (!copy_escape(sv_skip(segment, i), at, bad)) {
			return false;
		} else {
			i += 3;
		}
	}
	return true;
}

/* A path being built: [start, end) holds "/segment" again and again. */
struct trail {
	char *start, *end;
	bool slash; /* what came last leaves a '/' at the end */
};

static void trail_pop(struct trail *trail)
{
	while (trail->end > trail->start && *--trail->end != '/')
		;
}

static struct str_view trail_finish(struct trail *trail)
{
	if (trail->slash || trail->end == trail->start)
		*trail->end++ = '/';
	return sv_new(trail->start, (size_t)(trail->end - trail->start));
}

static bool normalise_segment(struct trail *trail, struct str_view segment, struct http_bad *bad)
{
	char *mark = trail->end, *at = mark;
	struct str_view copy;

	*at++ = '/';
	if (!copy_segment(segment, &at, bad))
		return false;
	copy = sv_new(mark + 1, (size_t)(at - mark - 1));
	trail->slash = true;
	if (copy.len == 0 || sv_eq(copy, SV(".")))
		return true;
	if (sv_eq(copy, SV(".."))) {
		trail_pop(trail);
		return true;
	}
	trail->end = at;
	trail->slash = false;
	return true;
}

/* Length of what an eager server takes for a separator at the start of text; 0: none. */
static size_t eager_separator(struct str_view text)
{
	int value;

	if (text.data[0] == '/')
		return 1;
	value = escape_value(text);
	return value == '/' || value == '\\' ? 3 : 0;
}

/* The segment as an eager server reads it: without parameters, and without spaces at its ends. */
static struct str_view eager_segment(struct str_view segment)
{
	size_t semicolon = sv_find(segment, ';');
	size_t escaped = sv_find_sv(segment, SV("%3B"));

	segment = sv_head(segment, semicolon < escaped ? semicolon : escaped);
	while (sv_starts(segment, SV("%20")))
		segment = sv_skip(segment, 3);
	while (sv_ends(segment, SV("%20")))
		segment = sv_head(segment, segment.len - 3);
	return segment;
}

static bool eager_add(struct trail *trail, struct str_view segment, struct http_bad *bad)
{
	segment = eager_segment(segment);
	if (sv_eq(segment, SV(".")) || sv_eq(segment, SV("..")))
		return http_refuse(bad, 400, "hidden dot segment in the path");
	trail->slash = segment.len == 0;
	if (segment.len == 0)
		return true;
	*trail->end++ = '/';
	memcpy(trail->end, segment.data, segment.len);
	trail->end += segment.len;
	return true;
}

/* Second reading of a normalised path, into a trail with room for it. */
static bool eager_path(struct str_view path, struct trail *trail, struct http_bad *bad)
{
	size_t start = 1, i = 1;

	while (i < path.len) {
		size_t separator = eager_separator(sv_skip(path, i));

		if (separator > 0) {
			if (!eager_add(trail, sv_head(sv_skip(path, start), i - start), bad))
				return false;
			start = i + separator;
		}
		i += separator > 0 ? separator : 1;
	}
	return eager_add(trail, sv_skip(path, start), bad);
}

static bool has_second_reading(struct str_view path)
{
	return sv_find(path, '%') != SV_NOT_FOUND || sv_find(path, ';') != SV_NOT_FOUND;
}

static bool add_eager(struct arena *arena, struct http_target *target, struct http_bad *bad)
{
	struct trail trail = {.start = NULL};
	struct str_view eager;

	if (!has_second_reading(target->path))
		return true;
	trail.start = trail.end = arena_alloc(arena, target->path.len + 1);
	if (trail.start == NULL)
		return http_refuse(bad, 431, "request too large");
	if (!eager_path(target->path, &trail, bad))
		return false;
	eager = trail_finish(&trail);
	if (!sv_eq(eager, target->path))
		target->path_eager = eager;
	return true;
}

bool path_normalise(struct str_view text, struct arena *arena, struct http_target *target,
		    struct http_bad *bad)
{
	char *out = arena_alloc(arena, text.len + 1);
	struct trail trail = {.start = out, .end = out};
	struct str_view rest = sv_skip(text, 1);

	target->path_eager = SV_NONE;
	if (out == NULL)
		return http_refuse(bad, 431, "request too large");
	while (rest.data != NULL) {
		if (!normalise_segment(&trail, sv_split(&rest, '/'), bad))
			return false;
	}
	target->path = trail_finish(&trail);
	return add_eager(arena, target, bad);
}

bool query_ok(struct str_view query, struct http_bad *bad)
{
	for (size_t i = 0; i < query.len; i++) {
		if (char_is(query.data[i], CHAR_QUERY))
			continue;
		if (query.data[i] != '%')
			return http_refuse(bad, 400, "illegal character in the query");
		if (escape_value(sv_skip(query, i)) < 0)
			return http_refuse(bad, 400, "broken escape in the query");
		i += 2;
	}
	return true;
}
