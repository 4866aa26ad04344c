/* Route matching by groups and hashes finds what a plain look at every match, one after the other,
 * finds.
 *
 * Lines of the input: a match ("E/a/b", "P/a", "R/a.*": its path; then ">METHOD", "h=v" header and
 * "?n=v" query tests, separated by blanks), or "=" and a request ("=/a/b?n=v >METHOD h=v").
 */
#include "fuzz.h"

#include "base/own.h"
#include "dataplane/regex.h"
#include "dataplane/vhost.h"

#include <stdlib.h>

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define SPECS_MAX 64
#define TESTS_MAX 4
#define TEXT_MAX  64

struct line { /* one line, taken apart */
	char kind;
	struct str_view path, method;
	struct value_test headers[TESTS_MAX], queries[TESTS_MAX];
	size_t header_count, query_count;
};

static bool is_plain(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_alnum(text.data[i]) && memchr("/.*", text.data[i], 3) == NULL)
			return false;
	}
	return text.len < TEXT_MAX;
}

static void add_test(struct value_test *tests, size_t *count, struct str_view word)
{
	struct str_view value = word, name = sv_split(&value, '=');

	if (*count < TESTS_MAX && name.len > 0 && value.data != NULL)
		tests[(*count)++] = (struct value_test){.name = name, .value = value};
}

static struct line take_apart(struct str_view text)
{
	struct str_view first = sv_split(&text, ' ');
	struct line line = {.kind = first.len > 0 ? first.data[0] : 0, .path = sv_skip(first, 1)};

	while (text.data != NULL) {
		struct str_view word = sv_split(&text, ' ');

		if (sv_starts(word, SV(">")))
			line.method = sv_skip(word, 1);
		else if (sv_starts(word, SV("?")))
			add_test(line.queries, &line.query_count, sv_skip(word, 1));
		else
			add_test(line.headers, &line.header_count, word);
	}
	return line;
}

/* ---- the plain way ---- */

struct plain {
	struct match_spec spec;
	struct line line;
};

static struct str_view trimmed(struct str_view path)
{
	while (path.len > 0 && path.data[path.len - 1] == '/')
		path.len--;
	return path;
}

static bool path_fits(const struct match_spec *spec, struct str_view path)
{
	struct str_view prefix = trimmed(spec->path);
	struct regex *regex;
	bool fits;

	switch (spec->path_type) {
	case MATCH_EXACT:
		return sv_eq(spec->path, path);
	case MATCH_PREFIX:
		return sv_starts(path, prefix) &&
		       (path.len == prefix.len || path.data[prefix.len] == '/');
	case MATCH_REGEX:
		break;
	}
	regex = regex_new(spec->path, NULL);
	CHECK(regex != NULL);
	fits = regex_matches(regex, path);
	regex_free(regex);
	return fits;
}

static bool query_fits(const struct value_test *test, struct str_view query)
{
	while (query.data != NULL) {
		struct str_view value = sv_split(&query, '&'), name = sv_split(&value, '=');

		if (name.len > 0 && sv_eq(name, test->name))
			return sv_eq(value, test->value);
	}
	return false;
}

static bool fits(const struct match_spec *spec, const struct http_request *request)
{
	bool good = path_fits(spec, request->target.path) &&
		    (spec->method.len == 0 || sv_eq(spec->method, request->method));

	for (size_t i = 0; good && i < spec->header_count; i++) {
		struct str_view joined = fields_joined(&request->fields, spec->headers[i].name);

		good = fields_find(&request->fields, spec->headers[i].name) != NULL &&
		       sv_eq(joined, spec->headers[i].value);
	}
	for (size_t i = 0; good && i < spec->query_count; i++)
		good = query_fits(&spec->queries[i], request->target.query);
	return good;
}

static int more_first(size_t a, size_t b)
{
	return a > b ? -1 : a < b ? 1 : 0;
}

/* Below zero: a goes before b. */
static int precedence(const struct match_spec *a, const struct match_spec *b)
{
	static const int ranks[] = {[MATCH_EXACT] = 0, [MATCH_REGEX] = 1, [MATCH_PREFIX] = 2};
	bool prefix = a->path_type == MATCH_PREFIX;
	struct str_view pa = prefix ? trimmed(a->path) : a->path;
	struct str_view pb = b->path_type == MATCH_PREFIX ? trimmed(b->path) : b->path;
	int order = ranks[a->path_type] - ranks[b->path_type];

	if (order == 0)
		order = more_first(pa.len, pb.len);
	if (order == 0)
		order = sv_cmp(pa, pb);
	if (order == 0)
		order = more_first(a->method.len > 0, b->method.len > 0);
	if (order == 0)
		order = more_first(a->header_count, b->header_count);
	if (order == 0)
		order = more_first(a->query_count, b->query_count);
	return order != 0 ? order : (int)a->order - (int)b->order;
}

static struct rule *plain_match(const struct plain *all, size_t count,
				const struct http_request *request)
{
	const struct match_spec *best = NULL;

	for (size_t i = 0; i < count; i++) {
		if (fits(&all[i].spec, request) &&
		    (best == NULL || precedence(&all[i].spec, best) < 0))
			best = &all[i].spec;
	}
	return best == NULL ? NULL : best->rule;
}

/* ---- both ---- */

static void ask(const struct vhost *vhost, const struct plain *all, size_t count,
		const struct line *line)
{
	struct http_request request = {.method = line->method};
	struct str_view query = line->path, path = sv_split(&query, '?'), prefix;
	struct arena arena;
	struct rule *rule;

	/* Escapes in a query have a test of their own. */
	if (!sv_starts(path, SV("/")) || sv_find(query, '%') != SV_NOT_FOUND ||
	    sv_find(query, '+') != SV_NOT_FOUND)
		return;
	arena_init(&arena, 65536);
	fields_init(&request.fields, &arena, TESTS_MAX);
	for (size_t i = 0; i < line->header_count; i++)
		CHECK(fields_add(&request.fields, line->headers[i].name, line->headers[i].value));
	request.target.path = path;
	request.target.query = query;
	rule = vhost_match(vhost, &request, path, &prefix);
	CHECK(rule == plain_match(all, count, &request));
	CHECK(rule == NULL || sv_starts(path, prefix));
	arena_deinit(&arena);
}

static bool read_spec(const struct line *line, struct match_spec *spec)
{
	static const struct {
		char kind;
		enum path_match type;
	} kinds[] = {{'E', MATCH_EXACT}, {'P', MATCH_PREFIX}, {'R', MATCH_REGEX}};
	struct regex *regex;

	if (!is_plain(line->path))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].kind != line->kind)
			continue;
		*spec = (struct match_spec){.path_type = kinds[i].type,
					    .path = line->path,
					    .method = line->method,
					    .headers = line->headers,
					    .header_count = line->header_count,
					    .queries = line->queries,
					    .query_count = line->query_count};
		if (kinds[i].type != MATCH_REGEX)
			return sv_starts(line->path, SV("/"));
		regex = regex_new(line->path, &(struct err){.code = ERR_NONE});
		regex_free(regex);
		return regex != NULL;
	}
	return false;
}

static size_t read_specs(struct plain *all, struct str_view text)
{
	size_t count = 0;

	while (text.data != NULL && count < SPECS_MAX) {
		struct plain *plain = &all[count];

		plain->line = take_apart(sv_split(&text, '\n'));
		if (!read_spec(&plain->line, &plain->spec))
			continue;
		plain->spec.order = (uint32_t)count++;
		plain->spec.rule = rule_new(&(struct rule){.name = SV("r")});
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view text = sv_new((const char *)data, size);
	struct plain *all = xcalloc(SPECS_MAX, sizeof(*all));
	struct match_spec *specs = xcalloc(SPECS_MAX, sizeof(*specs));
	struct graveyard graveyard = {.newest = 1};
	size_t count = read_specs(all, text);
	struct vhost *vhost;

	for (size_t i = 0; i < count; i++)
		specs[i] = all[i].spec;
	vhost = vhost_new(specs, count, NULL);
	CHECK(vhost != NULL);
	while (text.data != NULL) {
		struct line line = take_apart(sv_split(&text, '\n'));

		if (line.kind == '=')
			ask(vhost, all, count, &line);
	}
	part_unref(vhost_part(vhost), &graveyard);
	for (size_t i = 0; i < count; i++)
		part_unref(&all[i].spec.rule->part, &graveyard);
	CHECK(graveyard_sweep(&graveyard, UINT64_MAX) == 0);
	free(specs);
	free(all);
	return 0;
}
