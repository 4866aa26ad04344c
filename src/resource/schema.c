/* resource/schema.c - the walker over the tables of members */
#include "resource/schema.h"

#include "base/own.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define WHERE_NAME_MAX 253 /* bytes of an unknown member's name that a path shows */

size_t where_to(struct where *where, const char *fmt, ...)
{
	size_t mark = where->len;
	size_t room = sizeof(where->text) - mark;
	va_list args;
	int length;

	va_start(args, fmt);
	length = vsnprintf(where->text + mark, room, fmt, args);
	va_end(args);
	if (length > 0)
		where->len += (size_t)length < room ? (size_t)length : room - 1;
	return mark;
}

void where_back(struct where *where, size_t mark)
{
	where->len = mark;
	where->text[mark] = '\0';
}

static size_t where_member(struct where *where, const char *name)
{
	return where_to(where, "%s%.*s", where->len == 0 ? "" : ".", WHERE_NAME_MAX, name);
}

static const struct schema_node *row_of(const struct schema_node *fields, const char *name)
{
	for (const struct schema_node *row = fields; row->name != NULL; row++) {
		if (strcmp(row->name, name) == 0)
			return row;
	}
	return NULL;
}

/* ---- unknown members and nulls ---- */

static void prune_value(const struct schema_node *node, json_t *value, struct where *where,
			schema_unknown_fn *unknown, void *arg);

static void prune_map(const struct schema_node *row, json_t *object, struct where *where,
		      schema_unknown_fn *unknown, void *arg)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, name, value)
	{
		size_t mark = where_to(where, "[%.*s]", WHERE_NAME_MAX, name);

		if (json_is_null(value))
			json_object_del(object, name);
		else
			prune_value(row, value, where, unknown, arg);
		where_back(where, mark);
	}
}

static void prune_value(const struct schema_node *node, json_t *value, struct where *where,
			schema_unknown_fn *unknown, void *arg)
{
	if (node->type == SCHEMA_OBJECT && (node->flags & SCHEMA_OPEN) == 0)
		schema_prune(node->nodes, value, where, unknown, arg);
	else if (node->type == SCHEMA_MAP && json_is_object(value))
		prune_map(node->nodes, value, where, unknown, arg);
	else if (node->type == SCHEMA_LIST) {
		for (size_t i = 0; i < json_array_size(value); i++) {
			size_t mark = where_to(where, "[%zu]", i);

			prune_value(node->nodes, json_array_get(value, i), where, unknown, arg);
			where_back(where, mark);
		}
	}
}

void schema_prune(const struct schema_node *fields, json_t *object, struct where *where,
		  schema_unknown_fn *unknown, void *arg)
{
	const char *name;
	json_t *value;
	void *next;

	if (!json_is_object(object))
		return;
	json_object_foreach_safe(object, next, name, value)
	{
		const struct schema_node *row = row_of(fields, name);
		size_t mark = where_member(where, name);

		if (row == NULL) {
			unknown(arg, where->text, name, fields);
			json_object_del(object, name);
		} else if (json_is_null(value)) {
			json_object_del(object, name);
		} else {
			prune_value(row, value, where, unknown, arg);
		}
		where_back(where, mark);
	}
}

/* ---- defaults ---- */

static json_t *default_of(const struct schema_node *row)
{
	if (row->text != NULL)
		return json_string(row->text);
	if (row->integer != 0)
		return json_integer(row->integer);
	if ((row->flags & SCHEMA_MAKE) == 0)
		return NULL;
	if (row->type == SCHEMA_OBJECT)
		return json_object();

	json_t *list = json_array();

	json_array_append_new(list, json_object());
	return list;
}

static void default_below(const struct schema_node *node, json_t *value)
{
	size_t i;
	const char *name;
	json_t *item;

	if (node->type == SCHEMA_OBJECT) {
		schema_default(node->nodes, value);
	} else if (node->type == SCHEMA_LIST) {
		json_array_foreach(value, i, item) default_below(node->nodes, item);
	} else if (node->type == SCHEMA_MAP && json_is_object(value)) {
		json_object_foreach(value, name, item) default_below(node->nodes, item);
	}
}

void schema_default(const struct schema_node *fields, json_t *object)
{
	if (!json_is_object(object))
		return;
	for (const struct schema_node *row = fields; row->name != NULL; row++) {
		json_t *value = json_object_get(object, row->name);

		if (value == NULL) {
			value = default_of(row);
			if (value == NULL || json_object_set_new(object, row->name, value) < 0)
				continue;
		}
		default_below(row, value);
	}
}

/* ---- every mistake ---- */

static const char *const type_words[] = {
	[SCHEMA_OBJECT] = "an object",
	[SCHEMA_MAP] = "an object",
	[SCHEMA_LIST] = "a list",
	[SCHEMA_TEXT] = "a string",
	[SCHEMA_INTEGER] = "an integer",
	[SCHEMA_BOOL] = "a boolean (true or false)",
	[SCHEMA_PORT_OR_NAME] = "an integer or a string",
};

static const char *given_words(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		break;
	}
	return "null";
}

static bool type_fits(enum schema_type type, const json_t *value)
{
	switch (type) {
	case SCHEMA_ANY:
		return true;
	case SCHEMA_OBJECT:
	case SCHEMA_MAP:
		return json_is_object(value);
	case SCHEMA_LIST:
		return json_is_array(value);
	case SCHEMA_TEXT:
		return json_is_string(value);
	case SCHEMA_INTEGER:
		return json_is_integer(value);
	case SCHEMA_BOOL:
		return json_is_boolean(value);
	case SCHEMA_PORT_OR_NAME:
		return json_is_integer(value) || json_is_string(value);
	}
	return false;
}

static const char *type_advice(enum schema_type type, const json_t *value)
{
	if (type == SCHEMA_TEXT && (json_is_number(value) || json_is_boolean(value)))
		return ": quote it";
	if ((type == SCHEMA_INTEGER || type == SCHEMA_BOOL) && json_is_string(value))
		return ": remove the quotes";
	return "";
}

static void check_type(const struct schema_node *node, const json_t *value,
		       const struct where *where, struct causes *causes)
{
	bool shown = (node->flags & SCHEMA_HIDDEN) == 0 &&
		     (json_is_number(value) || json_is_boolean(value));
	AUTO(auto_free) char *text = shown ? json_text(value) : NULL;

	causes_add(causes, CAUSE_TYPE, where->text, "Invalid value: %s%smust be %s, got %s%s",
		   text == NULL ? "" : text, text == NULL ? "" : ": ", type_words[node->type],
		   given_words(value), type_advice(node->type, value));
}

static void add_words(struct buf *out, const char *const *words)
{
	for (size_t i = 0; words[i] != NULL; i++)
		buf_addf(out, "%s\"%s\"", i == 0 ? "" : ", ", words[i]);
}

static void check_words(const struct schema_node *node, const json_t *value,
			const struct where *where, struct causes *causes)
{
	struct buf words;

	for (size_t i = 0; node->words[i] != NULL; i++) {
		if (sv_eq(sv_from(node->words[i]), text_of(value)))
			return;
	}
	buf_init(&words, 1024);
	add_words(&words, node->words);
	causes_add(causes, CAUSE_NOT_SUPPORTED, where->text,
		   "Unsupported value: \"%.64s\": supported values: %s", json_string_value(value),
		   buf_cstr(&words));
	buf_deinit(&words);
}

/* Characters of a text in UTF-8, which JSON always is: all bytes that do not go on with one. */
static size_t characters(struct str_view text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
	return count;
}

static void check_text(const struct schema_node *node, const json_t *value,
		       const struct where *where, struct causes *causes)
{
	struct str_view text = text_of(value);
	const json_t *shown = (node->flags & SCHEMA_HIDDEN) != 0 ? NULL : value;

	if (node->words != NULL) {
		check_words(node, value, where, causes);
	} else if (node->max > 0 && characters(text) > (size_t)node->max) {
		causes_add(causes, CAUSE_TOO_LONG, where->text,
			   "Too long: may not be more than %" PRId64 " characters", node->max);
	} else if (text.len < (size_t)node->min) {
		cause_invalid(causes, where->text, shown, "must not be empty");
	} else if (node->format != NULL && !node->format->is(text)) {
		cause_invalid(causes, where->text, shown, "%s", node->format->must);
	}
}

static void check_integer(const struct schema_node *node, const json_t *value,
			  const struct where *where, struct causes *causes)
{
	json_int_t number = json_integer_value(value);

	if (node->max == 0 || (number >= node->min && number <= node->max))
		return;
	if (node->max == INT32_MAX)
		cause_invalid(causes, where->text, value,
			      "must be greater than or equal to %" PRId64 " (and fit 32 bits)",
			      node->min);
	else
		cause_invalid(causes, where->text, value,
			      "must be between %" PRId64 " and %" PRId64, node->min, node->max);
}

static void check_port_or_name(const json_t *value, const struct where *where,
			       struct causes *causes)
{
	json_int_t number = json_integer_value(value);
	struct str_view name = text_of(value);

	if (json_is_integer(value) && (number < 1 || number > 65535))
		cause_invalid(causes, where->text, value, "must be between 1 and 65535");
	else if (json_is_string(value) && (name.len > 15 || !name_is_dns_label(name)))
		cause_invalid(causes, where->text, value,
			      "must be the name of a port (lower-case letters, digits and '-', "
			      "15 at most)");
}

/* What may not be there twice: the item itself, or its key member. */
static const json_t *identity_of(const struct schema_node *node, const json_t *item)
{
	return node->key == NULL ? item : json_member(item, node->key);
}

static void check_unique(const struct schema_node *node, const json_t *list, size_t index,
			 struct where *where, struct causes *causes)
{
	const json_t *mine = identity_of(node, json_array_get(list, index));

	if (mine == NULL)
		return;
	for (size_t i = 0; i < index; i++) {
		if (!json_same(identity_of(node, json_array_get(list, i)), mine))
			continue;
		size_t mark = node->key == NULL ? where->len : where_member(where, node->key);

		cause_duplicate(causes, where->text, mine);
		where_back(where, mark);
		return;
	}
}

static void check_node(const struct schema_node *node, const json_t *value, struct where *where,
		       struct causes *causes);

static void check_list(const struct schema_node *node, const json_t *list, struct where *where,
		       struct causes *causes)
{
	int64_t max = node->max > 0 ? node->max : SCHEMA_LIST_MAX;
	size_t count = json_array_size(list);
	bool unique = node->key != NULL || (node->flags & SCHEMA_SET) != 0;

	if (count > (size_t)max) {
		causes_add(causes, CAUSE_TOO_LONG, where->text,
			   "Too many: %zu: must have at most %" PRId64 " items", count, max);
		return;
	}
	if (count < (size_t)node->min)
		cause_invalid(causes, where->text, list, "must have at least %" PRId64 " item%s",
			      node->min, node->min == 1 ? "" : "s");
	for (size_t i = 0; i < count; i++) {
		size_t mark = where_to(where, "[%zu]", i);

		check_node(node->nodes, json_array_get(list, i), where, causes);
		if (unique)
			check_unique(node, list, i, where, causes);
		where_back(where, mark);
	}
}

static void check_map(const struct schema_node *node, const json_t *map, struct where *where,
		      struct causes *causes)
{
	const char *name;
	json_t *value;

	if (node->max > 0 && json_object_size(map) > (size_t)node->max)
		causes_add(causes, CAUSE_TOO_LONG, where->text,
			   "Too many: %zu: must have at most %" PRId64 " entries",
			   json_object_size(map), node->max);
	json_object_foreach((json_t *)map, name, value)
	{
		size_t mark = where_to(where, "[%.*s]", WHERE_NAME_MAX, name);

		if (node->format != NULL && !node->format->is(sv_from(name)))
			causes_add(causes, CAUSE_INVALID, where->text, "Invalid key: %s",
				   node->format->must);
		check_node(node->nodes, value, where, causes);
		where_back(where, mark);
	}
}

static void check_node(const struct schema_node *node, const json_t *value, struct where *where,
		       struct causes *causes)
{
	if ((node->flags & SCHEMA_UNSUPPORTED) != 0) {
		cause_forbidden(causes, where->text, "this field is not supported here");
		return;
	}
	if (!type_fits(node->type, value)) {
		check_type(node, value, where, causes);
		return;
	}
	switch (node->type) {
	case SCHEMA_ANY:
	case SCHEMA_BOOL:
		break;
	case SCHEMA_OBJECT:
		schema_check(node->nodes, value, where, causes);
		break;
	case SCHEMA_MAP:
		check_map(node, value, where, causes);
		break;
	case SCHEMA_LIST:
		check_list(node, value, where, causes);
		break;
	case SCHEMA_TEXT:
		check_text(node, value, where, causes);
		break;
	case SCHEMA_INTEGER:
		check_integer(node, value, where, causes);
		break;
	case SCHEMA_PORT_OR_NAME:
		check_port_or_name(value, where, causes);
		break;
	}
}

void schema_check(const struct schema_node *fields, const json_t *object, struct where *where,
		  struct causes *causes)
{
	for (const struct schema_node *row = fields; row->name != NULL; row++) {
		const json_t *value = json_member(object, row->name);
		size_t mark;

		if (value == NULL && (row->flags & SCHEMA_REQUIRED) == 0)
			continue;
		mark = where_member(where, row->name);
		if (value != NULL)
			check_node(row, value, where, causes);
		else
			cause_required(causes, where->text, NULL);
		where_back(where, mark);
	}
}
