#include "dataplane/vhost.h"

#include "base/enc.h"
#include "base/own.h"
#include "dataplane/regex.h"
#include "http/field.h"

#include <stdlib.h>

/* Matches with the same kind of path and the same path form a group, sorted by precedence; a path
 * finds its groups by hash: once for the exact path, then once for each length that some prefix
 * has. So a request costs the same with ten routes and with ten thousand. */
struct entry {
	struct match_spec spec; /* views and tests are owned by the entry */
	struct regex *path_regex;
};

struct group {
	enum path_match type;
	struct str_view path; /* prefixes without the slash at their end; the root is "" */
	size_t first, count;  /* in entries */
};

struct vhost {
	struct part part;
	size_t entry_count, group_count,
		regex_first; /* groups from regex_first on are expressions */
	struct entry *entries;
	struct group *groups;
	size_t table_mask;
	uint32_t *table; /* group index plus one; 0: free */
	size_t length_count;
	size_t *lengths; /* of the prefixes, longest first, each once */
};

struct part *vhost_part(struct vhost *vhost)
{
	return &vhost->part;
}

static struct str_view prefix_of(struct str_view path)
{
	while (path.len > 0 && path.data[path.len - 1] == '/')
		path.len--;
	return path;
}

/* ---- building ---- */

static int type_rank(enum path_match type)
{
	static const int rank[] = {[MATCH_EXACT] = 0, [MATCH_PREFIX] = 1, [MATCH_REGEX] = 2};

	return rank[type];
}

static int descending(size_t a, size_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

/* Gateway API: method, of gRPC the longest, then more header tests, then more query tests, then the
 * oldest route, then its name, then the order in it. */
static int entry_precedence(const struct match_spec *a, const struct match_spec *b)
{
	int order;

	if ((a->method.len > 0) != (b->method.len > 0))
		return a->method.len > 0 ? -1 : 1;
	if ((order = descending(a->grpc_method.len, b->grpc_method.len)) != 0 ||
	    (order = descending(a->header_count, b->header_count)) != 0 ||
	    (order = descending(a->query_count, b->query_count)) != 0)
		return order;
	if (a->route_created != b->route_created)
		return a->route_created < b->route_created ? -1 : 1;
	if ((order = sv_cmp(a->route_key, b->route_key)) != 0)
		return order;
	return a->order < b->order ? -1 : a->order > b->order ? 1 : 0;
}

/* Groups together; expressions last, the longest first. */
static int entry_cmp(const void *left, const void *right)
{
	const struct match_spec *a = &((const struct entry *)left)->spec;
	const struct match_spec *b = &((const struct entry *)right)->spec;
	int order = type_rank(a->path_type) - type_rank(b->path_type);

	if (order != 0 || (order = descending(a->path.len, b->path.len)) != 0 ||
	    (order = sv_cmp(a->path, b->path)) != 0)
		return order;
	return entry_precedence(a, b);
}

static struct str_view own(struct str_view text)
{
	return sv_new(sv_dup(text), text.len);
}

static void disown(struct str_view text)
{
	free((char *)text.data);
}

static const struct value_test *tests_copy(const struct value_test *tests, size_t count,
					   struct err *err, bool *failed)
{
	struct value_test *copy = xcalloc(count + 1, sizeof(*copy));

	for (size_t i = 0; i < count; i++) {
		copy[i] = (struct value_test){.name = own(tests[i].name),
					      .type = tests[i].type,
					      .value = own(tests[i].value)};
		if (tests[i].type == VALUE_REGEX && !*failed) {
			copy[i].regex = regex_new(tests[i].value, err);
			*failed = copy[i].regex == NULL;
		}
	}
	return copy;
}

static void tests_free(const struct value_test *tests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		disown(tests[i].name);
		disown(tests[i].value);
		regex_free(tests[i].regex);
	}
	free((void *)tests);
}

static bool entry_init(struct entry *entry, const struct match_spec *like, struct err *err)
{
	struct match_spec *spec = &entry->spec;
	bool failed = false;

	*spec = *like;
	spec->path = own(like->path_type == MATCH_PREFIX ? prefix_of(like->path) : like->path);
	spec->method = own(like->method);
	spec->grpc_method = own(like->grpc_method);
	spec->route_key = own(like->route_key);
	spec->headers = tests_copy(like->headers, like->header_count, err, &failed);
	spec->queries = tests_copy(like->queries, like->query_count, err, &failed);
	part_ref(&spec->rule->part);
	if (like->path_type == MATCH_REGEX && !failed) {
		entry->path_regex = regex_new(like->path, err);
		failed = entry->path_regex == NULL;
	}
	return !failed;
}

static void entry_deinit(struct entry *entry, struct graveyard *graveyard)
{
	struct match_spec *spec = &entry->spec;

	disown(spec->path);
	disown(spec->method);
	disown(spec->grpc_method);
	disown(spec->route_key);
	tests_free(spec->headers, spec->header_count);
	tests_free(spec->queries, spec->query_count);
	regex_free(entry->path_regex);
	if (graveyard == NULL) /* never published: the caller still owns the rule */
		spec->rule->part.owners--;
	else
		part_unref(&spec->rule->part, graveyard);
}

static void vhost_release(struct vhost *vhost, struct graveyard *graveyard)
{
	for (size_t i = 0; i < vhost->entry_count; i++)
		entry_deinit(&vhost->entries[i], graveyard);
	free(vhost->entries);
	free(vhost->groups);
	free(vhost->table);
	free(vhost->lengths);
	free(vhost);
}

static void vhost_destroy(struct part *part, struct graveyard *graveyard)
{
	vhost_release(CONTAINER_OF(part, struct vhost, part), graveyard);
}

static uint64_t group_hash(enum path_match type, struct str_view path)
{
	return sv_hash(path) + (uint64_t)type * 0x9e3779b97f4a7c15u;
}

static void group_add(struct vhost *vhost, const struct match_spec *spec, size_t first)
{
	struct group *group = &vhost->groups[vhost->group_count++];

	*group = (struct group){.type = spec->path_type, .path = spec->path, .first = first};
	if (spec->path_type == MATCH_REGEX)
		return;
	vhost->regex_first = vhost->group_count;
	for (size_t at = group_hash(group->type, group->path);; at++) {
		uint32_t *slot = &vhost->table[at & vhost->table_mask];

		if (*slot == 0) {
			*slot = (uint32_t)vhost->group_count;
			break;
		}
	}
	if (spec->path_type == MATCH_PREFIX &&
	    (vhost->length_count == 0 || vhost->lengths[vhost->length_count - 1] != spec->path.len))
		vhost->lengths[vhost->length_count++] = spec->path.len;
}

static void vhost_index(struct vhost *vhost)
{
	size_t size = 4;

	while (size < vhost->entry_count * 2)
		size *= 2;
	vhost->table_mask = size - 1;
	vhost->table = xcalloc(size, sizeof(vhost->table[0]));
	vhost->groups = xcalloc(vhost->entry_count + 1, sizeof(vhost->groups[0]));
	vhost->lengths = xcalloc(vhost->entry_count + 1, sizeof(vhost->lengths[0]));
	qsort(vhost->entries, vhost->entry_count, sizeof(vhost->entries[0]), entry_cmp);
	for (size_t i = 0; i < vhost->entry_count; i++) {
		const struct match_spec *spec = &vhost->entries[i].spec;
		const struct group *last =
			vhost->group_count == 0 ? NULL : &vhost->groups[vhost->group_count - 1];

		if (last == NULL || last->type != spec->path_type || !sv_eq(last->path, spec->path))
			group_add(vhost, spec, i);
		vhost->groups[vhost->group_count - 1].count++;
	}
}

struct vhost *vhost_new(const struct match_spec *matches, size_t count, struct err *err)
{
	struct vhost *vhost = xcalloc(1, sizeof(*vhost));
	bool fine = true;

	part_init(&vhost->part, vhost_destroy);
	vhost->entries = xcalloc(count + 1, sizeof(vhost->entries[0]));
	for (size_t i = 0; i < count && fine; i++) {
		fine = entry_init(&vhost->entries[i], &matches[i], err);
		vhost->entry_count++;
	}
	if (!fine) {
		vhost_release(vhost, NULL);
		return NULL;
	}
	vhost_index(vhost);
	return vhost;
}

/* ---- looking up ---- */

static bool value_ok(const struct value_test *test, struct str_view value)
{
	if (test->type == VALUE_EXACT)
		return sv_eq(test->value, value);
	return regex_matches(test->regex, value);
}

static bool header_ok(const struct value_test *test, const struct fields *fields)
{
	const struct field *field = fields_find(fields, test->name);

	if (field == NULL)
		return false;
	return value_ok(test, fields_joined(fields, test->name));
}

/* One octet of an application/x-www-form-urlencoded text; the caller has seen that *at is inside.
 */
static char query_octet(struct str_view text, size_t *at)
{
	char octet = text.data[(*at)++];

	if (octet == '+')
		return ' ';
	if (octet == '%' && text.len - *at >= 2) {
		int high = hex_digit(text.data[*at]), low = hex_digit(text.data[*at + 1]);

		if (high >= 0 && low >= 0) {
			*at += 2;
			return (char)(high * 16 + low);
		}
	}
	return octet;
}

static bool query_eq(struct str_view raw, struct str_view plain)
{
	size_t used = 0, at = 0;

	while (at < raw.len) {
		if (used == plain.len || query_octet(raw, &at) != plain.data[used])
			return false;
		used++;
	}
	return used == plain.len;
}

#define QUERY_VALUE_MAX 4096 /* longer values match no expression */

static bool query_value_ok(const struct value_test *test, struct str_view raw)
{
	char plain[QUERY_VALUE_MAX];
	size_t len = 0;

	if (test->type == VALUE_EXACT)
		return query_eq(raw, test->value);
	for (size_t at = 0; at < raw.len;) {
		if (len == sizeof(plain))
			return false;
		plain[len++] = query_octet(raw, &at);
	}
	return value_ok(test, sv_new(plain, len));
}

/* The first parameter of that name decides (Gateway API, HTTPQueryParamMatch). */
static bool query_ok(const struct value_test *test, struct str_view query)
{
	struct str_view rest = query;

	while (rest.data != NULL) {
		struct str_view pair = sv_split(&rest, '&');
		struct str_view value = pair, name = sv_split(&value, '=');

		if (pair.len > 0 && query_eq(name, test->name))
			return query_value_ok(test, value.data == NULL ? SV("") : value);
	}
	return false;
}

static bool grpc_ok(const struct match_spec *spec, const struct http_request *request,
		    struct str_view path)
{
	struct str_view method = spec->grpc_method;

	if (!http_is_grpc(request))
		return false;
	return method.len == 0 || (path.len > method.len && sv_ends(path, method) &&
				   path.data[path.len - method.len - 1] == '/');
}

static bool entry_ok(const struct entry *entry, const struct http_request *request,
		     struct str_view path)
{
	const struct match_spec *spec = &entry->spec;

	if (spec->method.len > 0 && !sv_eq(spec->method, request->method))
		return false;
	if (spec->grpc && !grpc_ok(spec, request, path))
		return false;
	for (size_t i = 0; i < spec->header_count; i++) {
		if (!header_ok(&spec->headers[i], &request->fields))
			return false;
	}
	for (size_t i = 0; i < spec->query_count; i++) {
		if (!query_ok(&spec->queries[i], request->target.query))
			return false;
	}
	return entry->path_regex == NULL || regex_matches(entry->path_regex, path);
}

static struct rule *group_match(const struct vhost *vhost, const struct group *group,
				const struct http_request *request, struct str_view path)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct entry *entry = &vhost->entries[group->first + i];

		if (entry_ok(entry, request, path))
			return entry->spec.rule;
	}
	return NULL;
}

static const struct group *group_find(const struct vhost *vhost, enum path_match type,
				      struct str_view path)
{
	for (size_t at = group_hash(type, path);; at++) {
		uint32_t slot = vhost->table[at & vhost->table_mask];

		if (slot == 0)
			return NULL;
		if (vhost->groups[slot - 1].type == type &&
		    sv_eq(vhost->groups[slot - 1].path, path))
			return &vhost->groups[slot - 1];
	}
}

static struct rule *match_prefixes(const struct vhost *vhost, const struct http_request *request,
				   struct str_view path, struct str_view *prefix)
{
	for (size_t i = 0; i < vhost->length_count; i++) {
		size_t len = vhost->lengths[i];
		const struct group *group;
		struct rule *rule;

		if (len > path.len || (len < path.len && path.data[len] != '/'))
			continue; /* prefixes end where a segment ends */
		group = group_find(vhost, MATCH_PREFIX, sv_head(path, len));
		rule = group == NULL ? NULL : group_match(vhost, group, request, path);
		if (rule != NULL) {
			*prefix = group->path;
			return rule;
		}
	}
	return NULL;
}

struct rule *vhost_match(const struct vhost *vhost, const struct http_request *request,
			 struct str_view path, struct str_view *prefix)
{
	const struct group *exact = group_find(vhost, MATCH_EXACT, path);
	struct rule *rule = exact == NULL ? NULL : group_match(vhost, exact, request, path);

	*prefix = SV("");
	for (size_t i = vhost->regex_first; rule == NULL && i < vhost->group_count; i++)
		rule = group_match(vhost, &vhost->groups[i], request, path);
	return rule != NULL ? rule : match_prefixes(vhost, request, path, prefix);
}

struct rule *vhost_first(const struct vhost *vhost)
{
	return vhost->entry_count == 0 ? NULL : vhost->entries[0].spec.rule;
}
