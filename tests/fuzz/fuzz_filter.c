/* What filters make of a request: fields as a plain list would have them, paths still in their one
 * form, a Location that reads as what was meant, and nothing left of what the client claimed.
 *
 * Lines of the input: "F" and a field ("Fname: value"), "S", "A" (the same, to set and to add), "D"
 * and a name to remove; "T" and a target, "H" and a host of the request; "R" and a path that takes
 * the place of as many segments as "N" has letters behind it ("R/v", "Nxx"), "U" for the whole one.
 */
#include "fuzz.h"

#include "base/own.h"
#include "dataplane/conn.h"
#include "dataplane/filter.h"
#include "http/h1_line.h"

#include <stdlib.h>

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define MODS_MAX   16
#define FIELDS_MAX 24

struct input {
	struct header_pair set[MODS_MAX], add[MODS_MAX];
	struct str_view remove[MODS_MAX];
	struct header_mods mods;
	struct redirect redirect;
	struct rewrite rewrite;
	size_t segments;
	struct arena arena;
	struct fields fields;
	bool targeted;
};

/* As admission leaves it: a token, a value without control characters; not empty. */
static bool pair_read(struct str_view line, struct header_pair *pair)
{
	pair->value = line;
	pair->name = sv_split(&pair->value, ':');
	if (pair->value.data == NULL)
		return false;
	pair->value = sv_trim(pair->value);
	return field_name_ok(pair->name) && field_value_ok(pair->value);
}

static void read_mod(struct input *in, char kind, struct str_view rest)
{
	struct header_pair pair;
	struct http_bad bad = {.status = 0};

	if (kind == 'F' && rest.len > 0)
		(void)h1_line_add(rest, &in->fields, &bad);
	else if (kind == 'S' && in->mods.set_count < MODS_MAX && pair_read(rest, &pair))
		in->set[in->mods.set_count++] = pair;
	else if (kind == 'A' && in->mods.add_count < MODS_MAX && pair_read(rest, &pair))
		in->add[in->mods.add_count++] = pair;
	else if (kind == 'D' && in->mods.remove_count < MODS_MAX && field_name_ok(rest))
		in->remove[in->mods.remove_count++] = rest;
}

static void read_line(struct input *in, struct http_request *request, struct str_view line)
{
	char kind = line.len > 0 ? line.data[0] : 0;
	struct str_view rest = sv_skip(line, 1);
	struct http_target parsed; /* of no use when it is refused */
	struct http_bad bad = {.status = 0};

	if (kind == 'T' && http_path_parse(rest, METHOD_GET, &in->arena, &parsed, &bad)) {
		request->target = parsed;
		in->targeted = true;
	} else if (kind == 'H') {
		(void)http_authority_parse(rest, &in->arena, &request->authority);
	} else if ((kind == 'R' || kind == 'U') &&
		   http_path_parse(rest, METHOD_GET, &in->arena, &parsed, &bad)) {
		in->redirect.path = in->rewrite.path = parsed.path;
		in->redirect.path_change = in->rewrite.path_change =
			kind == 'R' ? PATH_REPLACE_PREFIX : PATH_REPLACE_FULL;
	} else if (kind == 'N') {
		in->segments = rest.len;
	} else {
		read_mod(in, kind, rest);
	}
}

/* The first segments of the path: what a match of type PathPrefix took. */
static struct str_view prefix_of(struct str_view path, size_t segments)
{
	size_t end = 0;

	while (segments-- > 0 && end < path.len) {
		size_t next = sv_find(sv_skip(path, end + 1), '/');

		if (end + 1 == path.len)
			break; /* behind the last slash there is no segment */
		end = next == SV_NOT_FOUND ? path.len : end + 1 + next;
	}
	return sv_head(path, end);
}

/* ---- fields, the plain way ---- */

struct plain {
	struct header_pair items[FIELDS_MAX + 3 * MODS_MAX];
	size_t count;
};

static void plain_remove(struct plain *plain, struct str_view name)
{
	size_t kept = 0;

	for (size_t i = 0; i < plain->count; i++) {
		if (!sv_eq_nocase(plain->items[i].name, name))
			plain->items[kept++] = plain->items[i];
	}
	plain->count = kept;
}

static void plain_filter(struct plain *plain, const struct header_mods *mods)
{
	for (size_t i = 0; i < mods->set_count; i++) {
		plain_remove(plain, mods->set[i].name);
		plain->items[plain->count++] = mods->set[i];
	}
	for (size_t i = 0; i < mods->add_count; i++)
		plain->items[plain->count++] = mods->add[i];
	for (size_t i = 0; i < mods->remove_count; i++)
		plain_remove(plain, mods->remove[i]);
}

/* The same values for each name, in the same order; names may have changed places. */
static void check_same(const struct plain *plain, const struct fields *fields)
{
	CHECK(plain->count == fields->count);
	for (size_t i = 0; i < plain->count; i++) {
		const struct header_pair *due = &plain->items[i];
		size_t before = 0, found = 0;

		for (size_t j = 0; j < i; j++)
			before += sv_eq_nocase(plain->items[j].name, due->name);
		for (size_t j = 0; j < fields->count; j++) {
			if (!sv_eq_nocase(fields->items[j].name, due->name))
				continue;
			if (found++ == before)
				CHECK(sv_eq(fields->items[j].value, due->value));
		}
		CHECK(found > before);
	}
}

static void check_fields(struct input *in)
{
	struct plain plain = {.count = 0};

	for (size_t i = 0; i < in->fields.count; i++)
		plain.items[plain.count++] = (struct header_pair){
			.name = in->fields.items[i].name, .value = in->fields.items[i].value};
	in->fields.max = FIELDS_MAX + 2 * MODS_MAX;
	plain_filter(&plain, &in->mods);
	CHECK(filter_headers(&in->fields, &in->mods));
	check_same(&plain, &in->fields);
}

/* ---- paths and locations ---- */

static void check_location(struct exchange *ex, const struct input *in, struct str_view prefix)
{
	static const struct snap_port port = {.port = 8080};
	const struct http_request *request = &ex->request;
	struct str_view text = filter_location(ex, &in->redirect, prefix, &port);
	struct http_target said;
	struct http_bad bad = {.status = 0};

	CHECK(text.data != NULL);
	CHECK(http_target_parse(text, METHOD_GET, &ex->arena, &said, &bad));
	CHECK(said.form == TARGET_ABSOLUTE && sv_eq(said.scheme, SV("http")));
	CHECK(sv_eq(said.authority.host, request->authority.host) && said.authority.port == 8080);
	CHECK(said.has_query == request->target.has_query &&
	      sv_eq(said.query, request->target.query));
}

static void check_rewrite(struct exchange *ex, const struct input *in, struct str_view prefix)
{
	struct http_target again;
	struct http_bad bad = {.status = 0};
	struct str_view path;

	CHECK(filter_rewrite(ex, &in->rewrite, prefix));
	path = ex->request.target.path;
	CHECK(http_path_parse(path, METHOD_GET, &ex->arena, &again, &bad));
	CHECK(sv_eq(again.path, path));
	if (in->rewrite.path_change == PATH_REPLACE_FULL)
		CHECK(sv_eq(path, in->rewrite.path));
}

/* ---- what the client claimed ---- */

static void check_forwarded(struct exchange *ex)
{
	const struct fields *fields = &ex->request.fields;

	if (!filter_forwarded(ex)) {
		CHECK(ex->looped);
		return;
	}
	CHECK(fields_count_id(fields, FIELD_FORWARDED) == 0);
	CHECK(fields_count_id(fields, FIELD_X_REAL_IP) == 0);
	CHECK(fields_count_id(fields, FIELD_X_FORWARDED_PORT) == 0);
	CHECK(fields_count_id(fields, FIELD_VIA) == 1);
	CHECK(fields_count_id(fields, FIELD_X_FORWARDED_FOR) == 1);
	CHECK(sv_eq(fields_value(fields, FIELD_X_FORWARDED_FOR), SV("192.0.2.7")));
	CHECK(sv_eq(fields_value(fields, FIELD_X_FORWARDED_PROTO), SV("http")));
	CHECK(fields_count_id(fields, FIELD_X_FORWARDED_HOST) == 1);
}

static void check_all(struct input *in, struct exchange *ex)
{
	struct str_view prefix;

	check_fields(in);
	ex->request.fields = in->fields;
	ex->request.fields.max = 200;
	check_forwarded(ex);
	if (!in->targeted)
		return;
	prefix = prefix_of(ex->request.target.path, in->segments);
	check_location(ex, in, prefix);
	check_rewrite(ex, in, prefix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view rest = sv_new((const char *)data, size);
	struct input in = {.segments = 0};
	struct conn conn = {.state = CONN_SERVING};
	struct exchange ex = {.magic = EXCHANGE_MAGIC, .conn = &conn};

	if (size > 8192)
		return 0;
	CHECK(sock_addr_ip(&conn.peer, SV("192.0.2.7"), 4711));
	arena_init(&in.arena, 1 << 20);
	arena_init(&ex.arena, 1 << 20);
	fields_init(&in.fields, &in.arena, FIELDS_MAX);
	ex.request = (struct http_request){.major = 1, .minor = 1};
	CHECK(http_authority_parse(SV("a.test"), &in.arena, &ex.request.authority));
	in.mods = (struct header_mods){.set = in.set, .add = in.add, .remove = in.remove};
	while (rest.data != NULL && rest.len > 0)
		read_line(&in, &ex.request, sv_split(&rest, '\n'));
	if (ex.request.authority.host.len > 0)
		check_all(&in, &ex);
	arena_deinit(&ex.arena);
	arena_deinit(&in.arena);
	return 0;
}
