/* codec/yaml.c - YAML text (many documents) to JSON values
 *
 * Built from libyaml's events rather than its documents: each node is counted before it is made,
 * and an alias is copied at once, so that no value is shared.
 */
#include "codec/yaml.h"

#include "base/map.h"
#include "base/own.h"
#include "codec/yaml_scalar.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#define TAG_PREFIX "tag:yaml.org,2002:"

struct reader {
	yaml_parser_t parser;
	struct str_view text;
	struct map anchors; /* name -> json_t, one reference each; of the current document */
	size_t depth, values, copied;
	struct err *err;
};

static json_t *read_node(struct reader *reader, const yaml_event_t *event);

/* ---- errors ---- */

/* Always NULL, so that a reader function can return it. */
static json_t *fail_at(struct reader *reader, const yaml_mark_t *mark, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static json_t *fail_at(struct reader *reader, const yaml_mark_t *mark, const char *fmt, ...)
{
	char sentence[ERR_MSG_MAX / 2];
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	err_set(reader->err, ERR_INVALID, "line %zu, column %zu: %s", mark->line + 1,
		mark->column + 1, sentence);
	return NULL;
}

/* A tab in the indentation is the commonest reason for a token that cannot start. */
static bool tab_at(const struct reader *reader, size_t index)
{
	return index < reader->text.len && reader->text.data[index] == '\t';
}

/* What the commonest mistakes look like to the parser. */
static const struct {
	struct str_view problem, hint;
} hints[] = {
	{SV_INIT("did not find expected key"), SV_INIT("indent it as the lines around it")},
	{SV_INIT("mapping values are not allowed"),
	 SV_INIT("quote a text that holds ': ', or indent as the lines around it")},
	{SV_INIT("did not find expected alphabetic or numeric character"),
	 SV_INIT("quote a text that begins with '*' or '&'")},
	{SV_INIT("found character that cannot start any token"),
	 SV_INIT("quote a text that begins with '@', '`' or '%'")},
	{SV_INIT("found unexpected end of stream"), SV_INIT("a quote is not closed")},
	{SV_INIT("did not find expected ',' or"),
	 SV_INIT("a comma is missing, or a bracket is not closed")},
	{SV_INIT("did not find expected '-' indicator"),
	 SV_INIT("indent the items of a list alike")},
	{SV_INIT("control characters are not allowed"), SV_INIT("is this a text file?")},
	{SV_INIT("invalid leading UTF-8 octet"), SV_INIT("save the file as UTF-8")},
	{SV_INIT("invalid trailing UTF-8 octet"), SV_INIT("save the file as UTF-8")},
	{SV_INIT("incomplete UTF-8 octet sequence"), SV_INIT("save the file as UTF-8")},
};

/* " (hint)", or "". Heap. */
static char *hint_of(const char *problem)
{
	for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
		if (sv_starts(sv_from(problem), hints[i].problem))
			return xasprintf(" (%.*s)", SV_ARG(hints[i].hint));
	}
	return xstrdup("");
}

static void parser_failed(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem == NULL ? "unreadable YAML" : parser->problem;
	AUTO(auto_free) char *hint = hint_of(problem);

	if (parser->error == YAML_READER_ERROR)
		err_set(reader->err, ERR_INVALID, "byte %zu: %s%s", parser->problem_offset, problem,
			hint);
	else if (parser->error == YAML_SCANNER_ERROR && tab_at(reader, parser->problem_mark.index))
		fail_at(reader, &parser->problem_mark, "a tab: indent with spaces");
	else if (parser->context != NULL)
		fail_at(reader, &parser->problem_mark, "%s, %s which began at line %zu%s", problem,
			parser->context, parser->context_mark.line + 1, hint);
	else
		fail_at(reader, &parser->problem_mark, "%s%s", problem, hint);
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
	yaml_event_delete(event);
	if (yaml_parser_parse(&reader->parser, event))
		return 0;
	*event = (yaml_event_t){0};
	parser_failed(reader);
	return -1;
}

/* ---- scalars ---- */

/* The tag without its usual prefix: "str" of "!!str"; unknown tags keep their whole text. */
static struct str_view tag_of(const yaml_char_t *tag)
{
	struct str_view text = sv_from((const char *)tag);

	return sv_starts(text, SV(TAG_PREFIX)) ? sv_skip(text, sizeof(TAG_PREFIX) - 1) : text;
}

static const struct {
	struct str_view tag;
	enum scalar_kind kind;
} scalar_tags[] = {
	{SV_INIT("null"), SCALAR_NULL},  {SV_INIT("bool"), SCALAR_BOOL},
	{SV_INIT("int"), SCALAR_INT},    {SV_INIT("float"), SCALAR_REAL},
	{SV_INIT("str"), SCALAR_STRING},
};

/* The scalar under its tag; a text that is not what its tag says is an error (-1). */
static int scalar_tagged(struct reader *reader, const yaml_event_t *event, struct str_view text,
			 struct scalar *out)
{
	struct str_view tag = tag_of(event->data.scalar.tag);
	size_t i = 0;

	while (i < ARRAY_LEN(scalar_tags) && !sv_eq(scalar_tags[i].tag, tag))
		i++;
	if (i == ARRAY_LEN(scalar_tags)) {
		fail_at(reader, &event->start_mark, "tag %.*s is not known here", SV_ARG(tag));
		return -1;
	}
	*out = (struct scalar){.kind = SCALAR_STRING};
	if (scalar_tags[i].kind == SCALAR_STRING)
		return 0;
	*out = scalar_resolve(text);
	if (out->kind == scalar_tags[i].kind ||
	    (out->kind == SCALAR_INT && scalar_tags[i].kind == SCALAR_REAL))
		return 0;
	fail_at(reader, &event->start_mark, "\"%.*s\" is not a !!%.*s", SV_ARG(sv_head(text, 64)),
		SV_ARG(tag));
	return -1;
}

static json_t *string_read(struct reader *reader, const yaml_event_t *event, struct str_view text)
{
	if (sv_find(text, '\0') != SV_NOT_FOUND)
		return fail_at(reader, &event->start_mark, "a string may not hold a NUL byte");
	return json_stringn(text.len == 0 ? "" : text.data, text.len);
}

static json_t *read_scalar(struct reader *reader, const yaml_event_t *event)
{
	struct str_view text =
		sv_new((const char *)event->data.scalar.value, event->data.scalar.length);
	struct scalar scalar = {.kind = SCALAR_STRING};

	if (event->data.scalar.tag != NULL) {
		if (scalar_tagged(reader, event, text, &scalar) != 0)
			return NULL;
	} else if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
		scalar = scalar_resolve(text);
	}
	switch (scalar.kind) {
	case SCALAR_NULL:
		return json_null();
	case SCALAR_BOOL:
		return json_boolean(scalar.boolean);
	case SCALAR_INT:
		return json_integer(scalar.integer);
	case SCALAR_REAL:
		return json_real(scalar.real);
	case SCALAR_BEYOND:
		return fail_at(reader, &event->start_mark,
			       "%.*s is a number that JSON cannot hold: quote it if it is a text",
			       SV_ARG(sv_head(text, 64)));
	case SCALAR_STRING:
		break;
	}
	return string_read(reader, event, text);
}

/* ---- anchors and aliases ---- */

static void anchors_clear(struct reader *reader)
{
	struct str_view name;
	void *value;

	for (size_t it = 0; map_next(&reader->anchors, &it, &name, &value);)
		json_decref(value);
	map_deinit(&reader->anchors, NULL);
	map_init(&reader->anchors);
}

static void anchor_put(struct reader *reader, const yaml_char_t *anchor, json_t *value)
{
	json_t *before;

	if (anchor == NULL)
		return;
	before = map_put(&reader->anchors, sv_from((const char *)anchor), json_incref(value));
	json_decref(before);
}

/* Nodes of a value, counted no further than one past the limit. */
static size_t count_nodes(const json_t *value, size_t limit)
{
	size_t count = 1, i;
	const char *key;
	json_t *child;

	json_array_foreach((json_t *)value, i, child) if (count <= limit) count +=
		count_nodes(child, limit - count);
	json_object_foreach((json_t *)value, key, child) if (count <= limit) count +=
		count_nodes(child, limit - count);
	return count;
}

static json_t *read_alias(struct reader *reader, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	const json_t *value = map_get(&reader->anchors, sv_from(name));

	if (value == NULL)
		return fail_at(reader, &event->start_mark,
			       "*%s: no &%s stands before it (and an anchor may not hold itself)",
			       name, name);
	reader->copied += count_nodes(value, YAML_ALIASES_MAX);
	if (reader->copied > YAML_ALIASES_MAX)
		return fail_at(reader, &event->start_mark,
			       "*%s: aliases copy more than %d values: write them out", name,
			       YAML_ALIASES_MAX);
	return json_deep_copy(value);
}

/* ---- sequences and mappings ---- */

static int enter(struct reader *reader, const yaml_event_t *event, const yaml_char_t *tag,
		 struct str_view expected)
{
	if (tag != NULL && !sv_eq(tag_of(tag), expected)) {
		fail_at(reader, &event->start_mark, "tag %.*s is not known here",
			SV_ARG(tag_of(tag)));
		return -1;
	}
	if (++reader->depth > YAML_DEPTH_MAX) {
		fail_at(reader, &event->start_mark, "nested more than %d levels deep",
			YAML_DEPTH_MAX);
		return -1;
	}
	return 0;
}

static json_t *read_sequence(struct reader *reader, const yaml_event_t *start)
{
	AUTO(auto_json) json_t *list = json_array();
	AUTO(yaml_event_delete) yaml_event_t event = {0};

	if (enter(reader, start, start->data.sequence_start.tag, SV("seq")) != 0)
		return NULL;
	for (;;) {
		json_t *item;

		if (next_event(reader, &event) != 0)
			return NULL;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			break;
		item = read_node(reader, &event);
		if (item == NULL)
			return NULL;
		json_array_append_new(list, item);
	}
	reader->depth--;
	return TAKE(list);
}

/* The text of a key that was not written as a string, as Kubernetes turns it into JSON. */
static int key_text(const json_t *key, char *out, size_t size)
{
	switch (json_typeof(key)) {
	case JSON_TRUE:
	case JSON_FALSE:
		return snprintf(out, size, "%s", json_is_true(key) ? "true" : "false");
	case JSON_INTEGER:
		return snprintf(out, size, "%" PRIi64, (int64_t)json_integer_value(key));
	case JSON_REAL:
		return snprintf(out, size, "%.15g", json_real_value(key));
	default:
		return -1;
	}
}

/* Puts value (taken) under key; *at is where the key stands. */
static int member_put(struct reader *reader, const yaml_mark_t *at, json_t *object,
		      const json_t *key, json_t *value)
{
	char text[64];
	struct str_view name = sv_new(json_string_value(key), json_string_length(key));

	if (!json_is_string(key)) {
		int len = key_text(key, text, sizeof(text));

		if (len < 0) {
			json_decref(value);
			fail_at(reader, at, "a key must be a text, not %s%s", json_kind_words(key),
				json_is_object(key) ? " ({{ }} of a template? render it first)"
						    : "");
			return -1;
		}
		name = sv_new(text, (size_t)len);
	}
	if (json_object_getn(object, name.data, name.len) != NULL) {
		json_decref(value);
		fail_at(reader, at, "key \"%.*s\" stands here a second time",
			SV_ARG(sv_head(name, 128)));
		return -1;
	}
	return json_object_setn_new_nocheck(object, name.data, name.len, value);
}

static bool is_merge_key(const yaml_event_t *event)
{
	const yaml_char_t *tag = event->data.scalar.tag;

	if (event->type != YAML_SCALAR_EVENT ||
	    !sv_eq(sv_new((const char *)event->data.scalar.value, event->data.scalar.length),
		   SV("<<")))
		return false;
	return tag != NULL ? sv_eq(tag_of(tag), SV("merge"))
			   : event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* Members that object lacks come from source, an object or a list of objects (the first wins). */
static bool merge_into(json_t *object, const json_t *source)
{
	json_t *item;
	size_t i;

	if (json_is_object(source))
		return json_object_update_missing(object, (json_t *)source) == 0;
	if (!json_is_array(source))
		return false;
	json_array_foreach((json_t *)source, i,
			   item) if (!json_is_object(item) ||
				     json_object_update_missing(object, item) != 0) return false;
	return true;
}

struct mapping {
	json_t *object;
	json_t *merge; /* value of the merge key, or NULL; owned */
	yaml_mark_t merge_at;
};

/* Reads the value that follows the key in *event and files both. */
static int read_member(struct reader *reader, yaml_event_t *event, struct mapping *mapping)
{
	AUTO(auto_json) json_t *key = NULL;
	bool merge = is_merge_key(event);
	yaml_mark_t at = event->start_mark;
	json_t *value;

	if (merge && mapping->merge != NULL) {
		fail_at(reader, &at, "a second <<: give one list, \"<<: [*a, *b]\"");
		return -1;
	}
	if (!merge && (key = read_node(reader, event)) == NULL)
		return -1;
	if (next_event(reader, event) != 0 || (value = read_node(reader, event)) == NULL)
		return -1;
	if (!merge)
		return member_put(reader, &at, mapping->object, key, value);
	mapping->merge = value;
	mapping->merge_at = at;
	return 0;
}

static int read_members(struct reader *reader, struct mapping *mapping)
{
	AUTO(yaml_event_delete) yaml_event_t event = {0};

	for (;;) {
		if (next_event(reader, &event) != 0)
			return -1;
		if (event.type == YAML_MAPPING_END_EVENT)
			break;
		if (read_member(reader, &event, mapping) != 0)
			return -1;
	}
	if (mapping->merge != NULL && !merge_into(mapping->object, mapping->merge)) {
		fail_at(reader, &mapping->merge_at, "<< needs a mapping or a list of mappings");
		return -1;
	}
	return 0;
}

static json_t *read_mapping(struct reader *reader, const yaml_event_t *start)
{
	AUTO(auto_json) json_t *object = json_object();
	struct mapping mapping = {.object = object};
	int rc;

	if (enter(reader, start, start->data.mapping_start.tag, SV("map")) != 0)
		return NULL;
	rc = read_members(reader, &mapping);
	json_decref(mapping.merge);
	if (rc != 0)
		return NULL;
	reader->depth--;
	return TAKE(object);
}

/* ---- nodes and documents ---- */

/* The value that begins with event; NULL after an error. */
static json_t *read_node(struct reader *reader, const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL;
	json_t *value = NULL;

	if (++reader->values > JSON_VALUES_MAX)
		return fail_at(reader, &event->start_mark, "more than %u values", JSON_VALUES_MAX);
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return read_alias(reader, event);
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		value = read_scalar(reader, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		value = read_sequence(reader, event);
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		value = read_mapping(reader, event);
		break;
	default:
		return fail_at(reader, &event->start_mark, "a value is missing");
	}
	if (value != NULL)
		anchor_put(reader, anchor, value);
	return value;
}

/* The root of the document that *event starts, through its end event. */
static json_t *read_document(struct reader *reader, yaml_event_t *event)
{
	AUTO(auto_json) json_t *root = NULL;
	yaml_mark_t at = event->start_mark;

	reader->depth = 0;
	anchors_clear(reader);
	if (next_event(reader, event) != 0)
		return NULL;
	root = read_node(reader, event);
	if (root == NULL || next_event(reader, event) != 0)
		return NULL;
	if (json_check(root, reader->err) != 0) {
		err_prefix(reader->err, "document at line %zu: ", at.line + 1);
		return NULL;
	}
	return TAKE(root);
}

static json_t *read_stream(struct reader *reader)
{
	AUTO(auto_json) json_t *documents = json_array();
	AUTO(yaml_event_delete) yaml_event_t event = {0};

	do {
		json_t *root;

		if (next_event(reader, &event) != 0)
			return NULL;
		if (event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		root = read_document(reader, &event);
		if (root == NULL)
			return NULL;
		if (!json_is_null(root))
			json_array_append_new(documents, root);
	} while (event.type != YAML_STREAM_END_EVENT);
	return TAKE(documents);
}

/* JSON has escapes and layouts that libyaml does not take (surrogate pairs, several values without
 * "---" between them); what is not JSON after all may still be YAML in flow style. */
static json_t *read_as_json(struct str_view text)
{
	AUTO(auto_json) json_t *values = NULL;
	json_t *documents, *value;
	size_t at = 0, i;

	while (at < text.len && sv_find(SV(" \t\r\n"), text.data[at]) != SV_NOT_FOUND)
		at++;
	if (at == text.len || (text.data[at] != '{' && text.data[at] != '['))
		return NULL;
	values = json_parse_stream(text, NULL);
	if (values == NULL)
		return NULL;
	documents = json_array();
	json_array_foreach(values, i, value) if (!json_is_null(value))
		json_array_append(documents, value);
	return documents;
}

json_t *yaml_parse(struct str_view text, struct err *err)
{
	struct reader reader = {.text = text, .err = err};
	json_t *documents;

	if (text.len > YAML_TEXT_MAX) {
		err_set(err, ERR_LIMIT, "YAML text of %zu bytes is over the limit of %u", text.len,
			YAML_TEXT_MAX);
		return NULL;
	}
	if (text.data == NULL) /* libyaml asserts that there is a place where nothing stands */
		reader.text = text = SV("");
	documents = read_as_json(text);
	if (documents != NULL)
		return documents;
	if (!yaml_parser_initialize(&reader.parser)) {
		err_set(err, ERR_LIMIT, "out of memory");
		return NULL;
	}
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.data, text.len);
	map_init(&reader.anchors);
	documents = read_stream(&reader);
	anchors_clear(&reader);
	map_deinit(&reader.anchors, NULL);
	yaml_parser_delete(&reader.parser);
	return documents;
}
