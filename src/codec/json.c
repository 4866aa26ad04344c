/* codec/json.c - JSON text in and out, and typed getters that name the path */
#include "codec/json.h"

#include "base/own.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void auto_json(json_t **value)
{
	json_decref(*value);
}

/* ---- in ---- */

/* What a text costs, found before anything is allocated: jansson itself would go 2048 levels deep
 * and has no limit on the number of values. */
struct cost {
	size_t depth, deepest, values;
	bool quoted, escaped;
};

static void cost_add(struct cost *cost, char c)
{
	if (cost->quoted) {
		if (cost->escaped)
			cost->escaped = false;
		else if (c == '\\')
			cost->escaped = true;
		else if (c == '"')
			cost->quoted = false;
		return;
	}
	if (c == '"')
		cost->quoted = true;
	else if (c == '[' || c == '{') {
		cost->values++;
		if (++cost->depth > cost->deepest)
			cost->deepest = cost->depth;
	} else if ((c == ']' || c == '}') && cost->depth > 0)
		cost->depth--;
	else if (c == ',')
		cost->values++;
}

static int limits_check(size_t depth, size_t values, struct err *err)
{
	if (depth > JSON_DEPTH_MAX)
		return err_set(err, ERR_LIMIT, "nested more than %d levels deep", JSON_DEPTH_MAX);
	if (values > JSON_VALUES_MAX)
		return err_set(err, ERR_LIMIT, "holds more than %u values", JSON_VALUES_MAX);
	return 0;
}

static int text_check(struct str_view text, struct err *err)
{
	struct cost cost = {0};

	if (text.len > JSON_TEXT_MAX)
		return err_set(err, ERR_LIMIT, "JSON text of %zu bytes is over the limit of %u",
			       text.len, JSON_TEXT_MAX);
	if (sv_find(text, '\0') != SV_NOT_FOUND) /* jansson may take it for the end */
		return err_set(err, ERR_INVALID, "JSON text holds a NUL byte");
	for (size_t i = 0; i < text.len; i++)
		cost_add(&cost, text.data[i]);
	return limits_check(cost.deepest, cost.values, err);
}

static json_t *load(struct str_view text, size_t flags, size_t *consumed, struct err *err)
{
	json_error_t error;
	json_t *value;

	if (text.len == 0) {
		err_set(err, ERR_INVALID, "JSON text is empty");
		return NULL;
	}
	value = json_loadb(text.data, text.len, flags | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
			   &error);
	if (value == NULL)
		err_set(err, ERR_INVALID, "JSON line %d, column %d: %s", error.line, error.column,
			error.text);
	else if (consumed != NULL)
		*consumed = (size_t)error.position;
	return value;
}

json_t *json_parse(struct str_view text, struct err *err)
{
	if (text_check(text, err) != 0)
		return NULL;
	return load(text, 0, NULL, err);
}

json_t *json_parse_answer(struct str_view text, struct err *err)
{
	struct cost cost = {0};

	for (size_t i = 0; i < text.len; i++)
		cost_add(&cost, text.data[i]);
	if (limits_check(cost.deepest, 0, err) != 0)
		return NULL;
	return load(text, 0, NULL, err);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str_view skip_space(struct str_view text)
{
	while (text.len > 0 && is_space(text.data[0]))
		text = sv_skip(text, 1);
	return text;
}

json_t *json_parse_stream(struct str_view text, struct err *err)
{
	AUTO(auto_json) json_t *values = json_array();

	if (text_check(text, err) != 0)
		return NULL;
	for (text = skip_space(text); text.len > 0; text = skip_space(text)) {
		size_t consumed = 0;
		json_t *value = load(text, JSON_DISABLE_EOF_CHECK, &consumed, err);

		if (value == NULL)
			return NULL;
		json_array_append_new(values, value);
		if (limits_check(0, json_array_size(values), err) != 0)
			return NULL;
		text = sv_skip(text, consumed);
	}
	return TAKE(values);
}

/* Depth and number of values of a tree; stops counting one past the limits. */
static void tree_cost(const json_t *value, size_t depth, struct cost *cost)
{
	const char *key;
	json_t *child;
	size_t i;

	if (++cost->values > JSON_VALUES_MAX)
		return;
	if (!json_is_object(value) && !json_is_array(value))
		return;
	if (++depth > cost->deepest)
		cost->deepest = depth;
	if (depth > JSON_DEPTH_MAX)
		return;
	json_array_foreach((json_t *)value, i, child) tree_cost(child, depth, cost);
	json_object_foreach((json_t *)value, key, child) tree_cost(child, depth, cost);
}

int json_check(const json_t *value, struct err *err)
{
	struct cost cost = {0};
	size_t size;

	tree_cost(value, 0, &cost);
	if (limits_check(cost.deepest, cost.values, err) != 0)
		return -1;
	size = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
	if (size > JSON_TEXT_MAX)
		return err_set(err, ERR_LIMIT, "%zu bytes of JSON are over the limit of %u", size,
			       JSON_TEXT_MAX);
	return 0;
}

/* ---- out ---- */

char *json_text(const json_t *value)
{
	return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

char *json_text_sorted(const json_t *value)
{
	return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
}

char *json_text_indented(const json_t *value)
{
	return json_dumps(value, JSON_INDENT(4) | JSON_ENCODE_ANY | JSON_SORT_KEYS);
}

/* ---- getters ---- */

const json_t *json_member(const json_t *value, const char *key)
{
	return json_object_get(value, key);
}

static json_t *step(const json_t *value, struct str_view name)
{
	uint64_t index;

	if (json_is_object(value))
		return json_object_getn(value, name.data, name.len);
	if (json_is_array(value) && sv_to_u64(name, &index))
		return json_array_get(value, (size_t)index);
	return NULL;
}

json_t *json_at(const json_t *value, const char *path)
{
	struct str_view rest = *path == '\0' ? SV_NONE : sv_from(path);
	json_t *at = (json_t *)value;

	while (rest.data != NULL && at != NULL)
		at = step(at, sv_split(&rest, '.'));
	return at;
}

struct str_view json_sv_at(const json_t *value, const char *path)
{
	const json_t *at = json_at(value, path);

	if (!json_is_string(at))
		return SV("");
	return sv_new(json_string_value(at), json_string_length(at));
}

const char *json_str_at(const json_t *value, const char *path)
{
	return json_string_value(json_at(value, path));
}

int64_t json_int_at(const json_t *value, const char *path, int64_t fallback)
{
	const json_t *at = json_at(value, path);

	return json_is_integer(at) ? (int64_t)json_integer_value(at) : fallback;
}

bool json_bool_at(const json_t *value, const char *path, bool fallback)
{
	const json_t *at = json_at(value, path);

	return json_is_boolean(at) ? json_boolean_value(at) : fallback;
}

/* ---- making values ---- */

/* The last step of json_set_at; takes child. */
static void put(json_t *parent, struct str_view name, json_t *child)
{
	uint64_t index;

	if (json_is_array(parent) && sv_to_u64(name, &index)) {
		if (child == NULL)
			json_array_remove(parent, (size_t)index);
		else if (index == json_array_size(parent))
			json_array_append_new(parent, child);
		else
			json_array_set_new(parent, (size_t)index, child);
	} else if (child == NULL) {
		json_object_deln(parent, name.data, name.len);
	} else {
		json_object_setn_new(parent, name.data, name.len, child);
	}
}

void json_set_at(json_t *value, const char *path, json_t *child)
{
	struct str_view rest = sv_from(path);
	struct str_view name = sv_split(&rest, '.');

	while (rest.data != NULL && value != NULL) {
		json_t *next = step(value, name);

		if (!json_is_object(next) && !json_is_array(next)) {
			if (child == NULL)
				return; /* nothing there to remove */
			put(value, name, json_object());
			next = step(value, name);
		}
		value = next;
		name = sv_split(&rest, '.');
	}
	if (json_is_object(value) || json_is_array(value))
		put(value, name, child);
	else
		json_decref(child);
}

json_t *json_sv(struct str_view text)
{
	AUTO(auto_free) char *clean = NULL;
	size_t end = 0;

	if (text.len == 0)
		return json_string("");
	clean = xmalloc(text.len * 3);
	while (text.len > 0) {
		size_t len = text.data[0] == '\0' ? 0 : utf8_first(text, NULL);
		struct str_view piece = len == 0 ? SV("\xEF\xBF\xBD") : sv_head(text, len);

		memcpy(clean + end, piece.data, piece.len);
		end += piece.len;
		text = sv_skip(text, len == 0 ? 1 : len);
	}
	return json_stringn_nocheck(clean, end);
}

json_t *json_fmt(const char *fmt, ...)
{
	AUTO(auto_free) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	return json_sv(sv_from(text));
}

static bool same_arrays(const json_t *a, const json_t *b)
{
	if (json_array_size(a) != json_array_size(b))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++)
		if (!json_same(json_array_get(a, i), json_array_get(b, i)))
			return false;
	return true;
}

static bool same_objects(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *child;

	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach((json_t *)a, key,
			    child) if (!json_same(child, json_object_get(b, key))) return false;
	return true;
}

/* Two integers are compared as integers: a double holds only 53 bits of them. */
static bool same_numbers(const json_t *a, const json_t *b)
{
	double left = json_number_value(a), right = json_number_value(b);

	if (json_is_integer(a) && json_is_integer(b))
		return json_integer_value(a) == json_integer_value(b);
	return left <= right && left >= right;
}

bool json_same(const json_t *a, const json_t *b)
{
	if (a == b || a == NULL || b == NULL)
		return a == b;
	if (json_is_number(a) && json_is_number(b))
		return same_numbers(a, b);
	if (json_typeof(a) != json_typeof(b))
		return false;
	if (json_is_array(a))
		return same_arrays(a, b);
	if (json_is_object(a))
		return same_objects(a, b);
	return json_equal(a, b) != 0;
}

const char *json_kind_words(const json_t *value)
{
	static const char *const words[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "a string",
		[JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "a boolean",
		[JSON_FALSE] = "a boolean",  [JSON_NULL] = "null",
	};

	return value == NULL ? "nothing" : words[json_typeof(value)];
}
