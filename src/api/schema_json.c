/* api/schema_json.c - a kind's table of members as an OpenAPI schema */
#include "api/schema_json.h"

#include "base/own.h"
#include "resource/schema.h"

#include <inttypes.h>

#define DESCRIPTION_MAX 1024u

static json_t *members_json(const struct schema_node *fields);
static json_t *node_json(const struct schema_node *node);

static void set_limit(json_t *schema, const char *name, int64_t value)
{
	if (value != 0)
		json_object_set_new(schema, name, json_integer(value));
}

static json_t *typed(const char *type)
{
	return json_pack("{s:s}", "type", type);
}

static json_t *text_json(const struct schema_node *node)
{
	json_t *schema = typed("string"), *words;

	set_limit(schema, "minLength", node->min);
	set_limit(schema, "maxLength", node->max);
	if (node->text != NULL)
		json_object_set_new(schema, "default", json_string(node->text));
	if (node->words == NULL)
		return schema;
	words = json_array();
	for (size_t i = 0; node->words[i] != NULL; i++)
		json_array_append_new(words, json_string(node->words[i]));
	json_object_set_new(schema, "enum", words);
	return schema;
}

static json_t *integer_json(const struct schema_node *node)
{
	json_t *schema = typed("integer");

	if (node->max != 0) { /* without it there is no range */
		json_object_set_new(schema, "minimum", json_integer(node->min));
		json_object_set_new(schema, "maximum", json_integer(node->max));
	}
	set_limit(schema, "default", node->integer);
	return schema;
}

static json_t *list_json(const struct schema_node *node)
{
	json_t *schema = typed("array");

	json_object_set_new(schema, "items", node_json(node->nodes));
	set_limit(schema, "minItems", node->min);
	json_object_set_new(schema, "maxItems",
			    json_integer(node->max != 0 ? node->max : SCHEMA_LIST_MAX));
	if (node->key != NULL)
		json_object_set_new(schema, "x-kubernetes-list-map-keys",
				    json_pack("[s]", node->key));
	return schema;
}

static json_t *map_json(const struct schema_node *node)
{
	json_t *schema = typed("object");

	json_object_set_new(schema, "additionalProperties", node_json(node->nodes));
	set_limit(schema, "minProperties", node->min);
	set_limit(schema, "maxProperties", node->max);
	return schema;
}

static json_t *object_json(const struct schema_node *node)
{
	json_t *schema = members_json(node->nodes);

	if ((node->flags & SCHEMA_OPEN) != 0)
		json_object_set_new(schema, "x-kubernetes-preserve-unknown-fields", json_true());
	return schema;
}

static json_t *any_json(void)
{
	return json_pack("{s:b}", "x-kubernetes-preserve-unknown-fields", 1);
}

static json_t *port_or_name_json(void)
{
	return json_pack("{s:s, s:[{s:s}, {s:s}]}", "format", "int-or-string", "oneOf", "type",
			 "integer", "type", "string");
}

static json_t *type_json(const struct schema_node *node)
{
	switch (node->type) {
	case SCHEMA_OBJECT:
		return object_json(node);
	case SCHEMA_MAP:
		return map_json(node);
	case SCHEMA_LIST:
		return list_json(node);
	case SCHEMA_TEXT:
		return text_json(node);
	case SCHEMA_INTEGER:
		return integer_json(node);
	case SCHEMA_BOOL:
		return typed("boolean");
	case SCHEMA_PORT_OR_NAME:
		return port_or_name_json();
	case SCHEMA_ANY:
		break;
	}
	return any_json();
}

/* In words what the types do not say, for clients that show nothing else. */
static void describe(const struct schema_node *node, struct buf *out)
{
	if ((node->flags & SCHEMA_UNSUPPORTED) != 0)
		(void)buf_addf(out, "Not supported: an object with it is refused. ");
	if (node->format != NULL)
		(void)buf_addf(out, "%s %s. ", node->type == SCHEMA_MAP ? "Each key" : "It",
			       node->format->must);
	if (node->type == SCHEMA_INTEGER && node->max != 0 && node->max != INT32_MAX)
		(void)buf_addf(out, "From %" PRId64 " to %" PRId64 ". ", node->min, node->max);
	if (node->type == SCHEMA_LIST && node->key != NULL)
		(void)buf_addf(out, "No two items have the same %s. ", node->key);
	if (node->text != NULL)
		(void)buf_addf(out, "Without it: %s. ", node->text);
	else if (node->integer != 0)
		(void)buf_addf(out, "Without it: %" PRId64 ". ", node->integer);
}

static json_t *node_json(const struct schema_node *node)
{
	json_t *schema = type_json(node);
	struct buf words;

	buf_init(&words, DESCRIPTION_MAX);
	describe(node, &words);
	if (buf_len(&words) > 0)
		json_object_set_new(schema, "description", json_sv(sv_trim(buf_view(&words))));
	buf_deinit(&words);
	return schema;
}

static json_t *members_json(const struct schema_node *fields)
{
	json_t *schema = typed("object"), *properties = json_object(), *required = json_array();

	for (const struct schema_node *row = fields; row->name != NULL; row++) {
		json_object_set_new(properties, row->name, node_json(row));
		if ((row->flags & SCHEMA_REQUIRED) != 0)
			json_array_append_new(required, json_string(row->name));
	}
	json_object_set_new(schema, "properties", properties);
	if (json_array_size(required) > 0)
		json_object_set(schema, "required", required);
	json_decref(required);
	return schema;
}

json_t *schema_json(const struct kind *kind)
{
	json_t *schema = members_json(kind->schema);

	json_object_set_new(schema, "description",
			    json_fmt("%s with the fields that sallyportd takes. Their meaning is "
				     "told in the manual pages: man sallyport.",
				     kind->kind));
	return schema;
}
