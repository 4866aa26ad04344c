/* cli/describe_value.c - values as describe prints them */
#include "cli/describe.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/own.h"
#include "cli/columns.h"

#include <inttypes.h>
#include <stdlib.h>

#define VALUE_MAX 1000 /* characters of a text that are shown */
#define TITLE_PAD 14

/* ---- names ---- */

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static char upper(char c)
{
	if (c >= 'a' && c <= 'z')
		return (char)(c - 'a' + 'A');
	return c;
}

static void add_word(struct str_view word, struct buf *out)
{
	static const struct str_view acronyms[] = {
		SV_INIT("acme"),  SV_INIT("api"), SV_INIT("ca"),  SV_INIT("dns"), SV_INIT("http"),
		SV_INIT("https"), SV_INIT("id"),  SV_INIT("ip"),  SV_INIT("tls"), SV_INIT("uid"),
		SV_INIT("uri"),   SV_INIT("url"), SV_INIT("tcp"), SV_INIT("udp"), SV_INIT("grpc")};
	bool acronym = false;

	if (buf_len(out) > 0)
		buf_addc(out, ' ');
	for (size_t i = 0; i < ARRAY_LEN(acronyms); i++)
		acronym |= sv_eq_nocase(word, acronyms[i]);
	for (size_t i = 0; i < word.len; i++) {
		if (acronym || i == 0)
			buf_addc(out, upper(word.data[i]));
		else
			buf_addc(out, word.data[i]);
	}
}

void describe_label(const char *key, struct buf *out)
{
	struct str_view rest = sv_from(key);

	for (const char *c = key; *c != '\0'; c++) {
		if (!ascii_is_alnum(*c)) {
			buf_add(out, rest);
			return;
		}
	}
	while (rest.len > 0) {
		size_t len = 1;

		while (len < rest.len &&
		       (!is_upper(rest.data[len]) || is_upper(rest.data[len - 1])))
			len++;
		add_word(sv_head(rest, len), out);
		rest = sv_skip(rest, len);
	}
}

static void add_spaces(struct buf *out, size_t count)
{
	buf_addf(out, "%*s", (int)count, "");
}

/* Members in the order in which they are shown: what names the thing first. */
struct member {
	const char *key;
	const json_t *value;
	char *label; /* owned */
};

struct members {
	struct member *list; /* owned */
	size_t count;
	size_t width; /* of the widest label of a scalar */
};

static int rank(const char *key)
{
	return strcmp(key, "name") == 0 ? 0 : strcmp(key, "type") == 0 ? 1 : 2;
}

static int by_key(const void *left, const void *right)
{
	const struct member *a = left, *b = right;
	int order = rank(a->key) - rank(b->key);

	return order != 0 ? order : strcmp(a->key, b->key);
}

static bool is_nested(const json_t *value)
{
	return json_is_object(value) || json_is_array(value);
}

static void members_init(struct members *members, const json_t *object)
{
	const char *key;
	json_t *value;

	*members = (struct members){
		.list = xcalloc(json_object_size(object) + 1, sizeof(*members->list))};
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		struct member *member = &members->list[members->count++];
		struct buf label;

		buf_init(&label, JSON_TEXT_MAX);
		describe_label(key, &label);
		*member = (struct member){key, value, buf_detach(&label)};
		if (!is_nested(value) && strlen(member->label) > members->width)
			members->width = strlen(member->label);
	}
	qsort(members->list, members->count, sizeof(*members->list), by_key);
}

static void members_deinit(struct members *members)
{
	for (size_t i = 0; i < members->count; i++)
		free(members->list[i].label);
	free(members->list);
}

/* ---- scalars ---- */

/* Keys, tokens and key authorizations are nobody's to see (a Challenge shows its own). */
static bool is_private(const struct describe_how *how, const char *key)
{
	return strcmp(how->kind, "Challenge") == 0 &&
	       (strcmp(key, "key") == 0 || strcmp(key, "token") == 0);
}

/* Certificates and requests as base64: of interest to programs only. */
static bool is_bulk(const char *key)
{
	static const char *const keys[] = {"caBundle", "request", "certificate", "ca"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(key, keys[i]) == 0)
			return true;
	}
	return false;
}

static void add_lines(struct str_view text, size_t indent, struct buf *out)
{
	struct str_view rest = text;
	bool first = true;

	while (rest.data != NULL) {
		if (!first) {
			buf_addc(out, '\n');
			add_spaces(out, indent);
		}
		first = false;
		buf_add(out, sv_split(&rest, '\n'));
	}
}

static void add_scalar(const struct describe_how *how, const char *key, const json_t *value,
		       size_t column, struct buf *out)
{
	AUTO(auto_free) char *text = NULL;
	struct str_view view;

	if (is_private(how, key)) {
		buf_addf(out, "<hidden>");
		return;
	}
	if (!json_is_string(value)) {
		text = json_text(value);
		buf_addf(out, "%s", json_is_null(value) ? "<none>" : text);
		return;
	}
	view = sv_new(json_string_value(value), json_string_length(value));
	if (is_bulk(key) && view.len > 64) {
		buf_addf(out, "<%zu bytes>", view.len);
		return;
	}
	while (view.len > 0 && view.data[view.len - 1] == '\n')
		view.len--;
	add_lines(sv_head(view, VALUE_MAX), column, out);
	if (view.len > VALUE_MAX)
		buf_addf(out, "... (%zu bytes)", view.len);
}

/* ---- lists and objects ---- */

static bool is_conditions(const char *key, const json_t *value)
{
	const json_t *first = json_array_get(value, 0);

	return strcmp(key, "conditions") == 0 && json_str_at(first, "type") != NULL &&
	       json_str_at(first, "status") != NULL;
}

static void add_age(struct columns *columns, const json_t *object, const char *path, int64_t now)
{
	char age[CLOCK_TEXT_SIZE] = "<unknown>";
	int64_t then;

	if (clock_parse_rfc3339(json_sv_at(object, path), &then))
		clock_age(now > then ? now - then : 0, age);
	columns_add(columns, sv_from(age));
}

static void add_heads(struct columns *columns, const char *const *heads, size_t count)
{
	for (size_t i = 0; i < count; i++)
		columns_add(columns, sv_from(heads[i]));
	columns_end(columns);
	for (size_t i = 0; i < count; i++)
		columns_add(columns, sv_head(SV("----------"), strlen(heads[i])));
	columns_end(columns);
}

static void add_conditions(const struct describe_how *how, const json_t *conditions,
			   struct buf *out)
{
	static const char *const heads[] = {"Type", "Status", "Reason", "Age", "Message"};
	struct columns columns;
	const json_t *condition;
	size_t i;

	columns_init(&columns);
	columns.gap = 2;
	add_heads(&columns, heads, ARRAY_LEN(heads));
	json_array_foreach(conditions, i, condition)
	{
		columns_add(&columns, json_sv_at(condition, "type"));
		columns_add(&columns, json_sv_at(condition, "status"));
		columns_add(&columns, json_sv_at(condition, "reason"));
		add_age(&columns, condition, "lastTransitionTime", how->now);
		columns_add(&columns, json_sv_at(condition, "message"));
		columns_end(&columns);
	}
	columns_text(&columns, how->indent, out);
	columns_deinit(&columns);
}

static void add_items(const struct describe_how *how, const char *key, const json_t *list,
		      struct buf *out);

/* What stands below "Label:", two columns further in. */
static void add_nested(const struct describe_how *how, const struct member *member, struct buf *out)
{
	struct describe_how below = *how;
	bool empty = json_object_size(member->value) + json_array_size(member->value) == 0;

	below.indent += 2;
	buf_addf(out, empty ? "%s:  <none>\n" : "%s:\n", member->label);
	if (is_conditions(member->key, member->value))
		add_conditions(&below, member->value, out);
	else if (json_is_array(member->value))
		add_items(&below, member->key, member->value, out);
	else
		describe_members(&below, member->value, out);
}

/* The first line is indented by the caller when it stands behind a "- ". */
static void add_members(const struct describe_how *how, const json_t *object, bool behind_dash,
			struct buf *out)
{
	struct members members;

	members_init(&members, object);
	for (size_t i = 0; i < members.count; i++) {
		const struct member *member = &members.list[i];
		size_t pad = members.width -
			     (is_nested(member->value) ? members.width : strlen(member->label));

		if (i > 0 || !behind_dash)
			add_spaces(out, how->indent);
		if (is_nested(member->value)) {
			add_nested(how, member, out);
			continue;
		}
		buf_addf(out, "%s:  ", member->label);
		add_spaces(out, pad);
		add_scalar(how, member->key, member->value, how->indent + members.width + 3, out);
		buf_addc(out, '\n');
	}
	members_deinit(&members);
}

static void add_items(const struct describe_how *how, const char *key, const json_t *list,
		      struct buf *out)
{
	struct describe_how below = *how;
	const json_t *item;
	size_t i;

	below.indent += 2;
	json_array_foreach(list, i, item)
	{
		add_spaces(out, how->indent);
		if (json_is_object(item) && json_object_size(item) > 0) {
			buf_addf(out, "- ");
			add_members(&below, item, true, out);
			continue;
		}
		add_scalar(how, key, item, how->indent, out);
		buf_addc(out, '\n');
	}
}

void describe_members(const struct describe_how *how, const json_t *object, struct buf *out)
{
	add_members(how, object, false, out);
}

/* ---- maps and data ---- */

/* A copy of the manifest, which may hold what is secret. */
#define NOTE_LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

void describe_map(const char *title, const json_t *map, struct buf *out)
{
	struct members members;
	size_t shown = 0;

	members_init(&members, map);
	buf_addf(out, "%-*s", TITLE_PAD, title);
	for (size_t i = 0; i < members.count; i++) {
		const json_t *value = members.list[i].value;

		if (strcmp(members.list[i].key, NOTE_LAST_APPLIED) == 0)
			continue;
		if (shown++ > 0)
			add_spaces(out, TITLE_PAD);
		buf_addf(out, "%s=", members.list[i].key);
		add_lines(sv_from(json_is_string(value) ? json_string_value(value) : ""),
			  TITLE_PAD + 2, out);
		buf_addc(out, '\n');
	}
	if (shown == 0)
		buf_addf(out, "<none>\n");
	members_deinit(&members);
}

static size_t decoded_size(const json_t *value)
{
	struct buf bytes;
	size_t size = 0;

	buf_init(&bytes, JSON_TEXT_MAX);
	if (json_is_string(value) && dec_base64(&bytes, sv_from(json_string_value(value))))
		size = buf_len(&bytes);
	if (bytes.data != NULL)
		explicit_bzero(bytes.data, bytes.size);
	buf_deinit(&bytes);
	return size;
}

void describe_secret(const json_t *secret, struct buf *out)
{
	struct members members;

	members_init(&members, json_member(secret, "data"));
	buf_addf(out, "\nType:  %.*s\n\nData\n====\n", SV_ARG(json_sv_at(secret, "type")));
	for (size_t i = 0; i < members.count; i++)
		buf_addf(out, "%s:  %*s%zu bytes\n", members.list[i].key,
			 (int)(members.width > strlen(members.list[i].label)
				       ? members.width - strlen(members.list[i].label)
				       : 0),
			 "", decoded_size(members.list[i].value));
	members_deinit(&members);
}

void describe_configmap(const json_t *configmap, struct buf *out)
{
	struct members members;

	members_init(&members, json_member(configmap, "data"));
	buf_addf(out, "\nData\n====\n");
	for (size_t i = 0; i < members.count; i++)
		buf_addf(out, "%s:\n----\n%s\n", members.list[i].key,
			 json_is_string(members.list[i].value)
				 ? json_string_value(members.list[i].value)
				 : "");
	members_deinit(&members);
	members_init(&members, json_member(configmap, "binaryData"));
	buf_addf(out, members.count > 0 ? "\nBinaryData\n====\n" : "\n");
	for (size_t i = 0; i < members.count; i++)
		buf_addf(out, "%s: %zu bytes\n", members.list[i].key,
			 decoded_size(members.list[i].value));
	members_deinit(&members);
}
