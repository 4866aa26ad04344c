/* codec/yaml_text.c - a value as kubectl -o yaml prints it */
#include "base/own.h"
#include "codec/yaml.h"
#include "codec/yaml_scalar.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#define OUTPUT_MAX (256u << 20) /* far above what JSON_TEXT_MAX can become */

static bool emit_value(yaml_emitter_t *emitter, const json_t *value);

static int write_out(void *arg, unsigned char *data, size_t size)
{
	return buf_add(arg, sv_new((const char *)data, size)) ? 1 : 0;
}

static bool emit_scalar(yaml_emitter_t *emitter, struct str_view text, yaml_scalar_style_t style)
{
	yaml_event_t event;

	return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text.data,
					    (int)text.len, 1, 1, style) &&
	       yaml_emitter_emit(emitter, &event);
}

static bool emit_string(yaml_emitter_t *emitter, struct str_view text)
{
	yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;

	if (sv_find(text, '\n') != SV_NOT_FOUND)
		style = YAML_LITERAL_SCALAR_STYLE;
	else if (scalar_needs_quotes(text))
		style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	return emit_scalar(emitter, text, style);
}

static bool emit_number(yaml_emitter_t *emitter, const json_t *value)
{
	char text[40];
	double real = json_real_value(value);

	if (json_is_integer(value)) {
		snprintf(text, sizeof(text), "%" PRIi64, (int64_t)json_integer_value(value));
		return emit_scalar(emitter, sv_from(text), YAML_PLAIN_SCALAR_STYLE);
	}
	/* the fewest digits that read back as the same number */
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, real);
		if (fabs(strtod(text, NULL) - real) <= 0.0)
			break;
	}
	return emit_scalar(emitter, sv_from(text), YAML_PLAIN_SCALAR_STYLE);
}

static bool emit_list(yaml_emitter_t *emitter, const json_t *list)
{
	yaml_event_t event;

	if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
						  YAML_BLOCK_SEQUENCE_STYLE) ||
	    !yaml_emitter_emit(emitter, &event))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!emit_value(emitter, json_array_get(list, i)))
			return false;
	return yaml_sequence_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

static int key_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool emit_members(yaml_emitter_t *emitter, const json_t *object)
{
	AUTO(auto_free) const char **keys = xcalloc(json_object_size(object) + 1, sizeof(*keys));
	size_t count = 0;
	const char *key;
	json_t *child;

	json_object_foreach((json_t *)object, key, child) keys[count++] = key;
	qsort(keys, count, sizeof(*keys), key_cmp);
	for (size_t i = 0; i < count; i++)
		if (!emit_string(emitter, sv_from(keys[i])) ||
		    !emit_value(emitter, json_object_get(object, keys[i])))
			return false;
	return true;
}

static bool emit_object(yaml_emitter_t *emitter, const json_t *object)
{
	yaml_event_t event;

	return yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
						   YAML_BLOCK_MAPPING_STYLE) &&
	       yaml_emitter_emit(emitter, &event) && emit_members(emitter, object) &&
	       yaml_mapping_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return emit_object(emitter, value);
	case JSON_ARRAY:
		return emit_list(emitter, value);
	case JSON_STRING:
		return emit_string(emitter,
				   sv_new(json_string_value(value), json_string_length(value)));
	case JSON_INTEGER:
	case JSON_REAL:
		return emit_number(emitter, value);
	case JSON_TRUE:
		return emit_scalar(emitter, SV("true"), YAML_PLAIN_SCALAR_STYLE);
	case JSON_FALSE:
		return emit_scalar(emitter, SV("false"), YAML_PLAIN_SCALAR_STYLE);
	case JSON_NULL:
		return emit_scalar(emitter, SV("null"), YAML_PLAIN_SCALAR_STYLE);
	}
	return false;
}

static bool emit_document(yaml_emitter_t *emitter, const json_t *value)
{
	yaml_event_t event;

	return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) &&
	       yaml_emitter_emit(emitter, &event) &&
	       yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) &&
	       yaml_emitter_emit(emitter, &event) && emit_value(emitter, value) &&
	       yaml_document_end_event_initialize(&event, 1) &&
	       yaml_emitter_emit(emitter, &event) && yaml_stream_end_event_initialize(&event) &&
	       yaml_emitter_emit(emitter, &event);
}

char *yaml_text(const json_t *value)
{
	yaml_emitter_t emitter;
	struct buf out;
	char *text = NULL;

	if (!yaml_emitter_initialize(&emitter))
		return NULL;
	buf_init(&out, OUTPUT_MAX);
	yaml_emitter_set_output(&emitter, write_out, &out);
	yaml_emitter_set_indent(&emitter, 2);
	yaml_emitter_set_width(&emitter, -1);
	yaml_emitter_set_unicode(&emitter, 1);
	if (emit_document(&emitter, value))
		text = buf_detach(&out);
	yaml_emitter_delete(&emitter);
	buf_deinit(&out);
	return text;
}
