/* api/table.c - objects in the form that a request asked for */
#include "api/table.h"

#include "base/own.h"

#include <inttypes.h>
#include <string.h>

#define META_VERSION "meta.k8s.io/v1"

static const char name_help[] = "Name of the object, unique among those of its kind in a namespace";

/* jansson counts references in what is read-only otherwise. */
static json_t *shared(const json_t *value)
{
	return json_incref((json_t *)(uintptr_t)value);
}

static json_t *typed(const char *kind, const char *api_version)
{
	json_t *object = json_object();

	json_object_set_new(object, "kind", json_string(kind));
	json_object_set_new(object, "apiVersion", json_string(api_version));
	return object;
}

json_t *shape_plain(const struct shape *shape, const json_t *object)
{
	AUTO(auto_free) char *version = NULL;
	json_t *copy;

	if (strcmp(shape->version, shape->kind->versions[0]) == 0)
		return shared(object);
	version = kind_api_version(shape->kind, shape->version);
	copy = json_copy((json_t *)(uintptr_t)object);
	json_object_set_new(copy, "apiVersion", json_string(version));
	return copy;
}

static json_t *metadata_only(const json_t *object)
{
	json_t *partial = typed("PartialObjectMetadata", META_VERSION);

	json_object_set(partial, "metadata", json_object_get(object, "metadata"));
	return partial;
}

/* ---- tables ---- */

static void add_column(json_t *columns, const struct column *column, const char *format,
		       const char *help)
{
	json_t *definition = json_object();

	json_object_set_new(definition, "name", json_string(column->name));
	json_object_set_new(definition, "type", json_string(column->type));
	json_object_set_new(definition, "format", json_string(format));
	json_object_set_new(definition, "description", json_string(help));
	json_object_set_new(definition, "priority", json_integer(column->priority));
	json_array_append_new(columns, definition);
}

static json_t *column_definitions(const struct kind *kind)
{
	static const struct column name = {.name = "Name", .type = "string"};
	json_t *columns = json_array();

	if (!kind->own_name)
		add_column(columns, &name, "name", name_help);
	for (size_t i = 0; i < kind->column_count; i++)
		add_column(columns, &kind->columns[i], "", "");
	if (!kind->own_age)
		add_column(columns, &column_age, "", "");
	return columns;
}

static json_t *cells(const struct shape *shape, const json_t *object)
{
	const struct kind *kind = shape->kind;
	json_t *list = json_array();

	if (!kind->own_name)
		json_array_append_new(list, json_sv(json_sv_at(object, "metadata.name")));
	for (size_t i = 0; i < kind->column_count; i++)
		json_array_append_new(list, kind->columns[i].cell(object, shape->now));
	if (!kind->own_age)
		json_array_append_new(list, column_age.cell(object, shape->now));
	return list;
}

static json_t *table_new(const struct kind *kind, json_t *metadata)
{
	json_t *table = typed("Table", META_VERSION);

	json_object_set_new(table, "metadata", metadata);
	json_object_set_new(table, "columnDefinitions", column_definitions(kind));
	json_object_set_new(table, "rows", json_array());
	return table;
}

static void table_add(const struct shape *shape, json_t *table, const json_t *object)
{
	json_t *row = json_object();

	json_object_set_new(row, "cells", cells(shape, object));
	if (shape->include == INCLUDE_METADATA)
		json_object_set_new(row, "object", metadata_only(object));
	else if (shape->include == INCLUDE_OBJECT)
		json_object_set_new(row, "object", shape_plain(shape, object));
	json_array_append_new(json_object_get(table, "rows"), row);
}

/* ---- what the others ask for ---- */

static json_t *table_of_one(const struct shape *shape, const json_t *object)
{
	json_t *metadata = json_object(), *table;

	json_object_set(metadata, "resourceVersion", json_at(object, "metadata.resourceVersion"));
	table = table_new(shape->kind, metadata);
	table_add(shape, table, object);
	return table;
}

json_t *shape_object(const struct shape *shape, const json_t *object)
{
	switch (shape->view) {
	case VIEW_TABLE:
		return table_of_one(shape, object);
	case VIEW_METADATA:
		return metadata_only(object);
	case VIEW_OBJECT:
	default:
		return shape_plain(shape, object);
	}
}

static json_t *plain_list(const struct shape *shape)
{
	AUTO(auto_free) char *kind = xasprintf("%sList", shape->kind->kind);
	AUTO(auto_free) char *version = kind_api_version(shape->kind, shape->version);

	return typed(kind, version);
}

json_t *shape_list(const struct shape *shape, uint64_t revision)
{
	json_t *metadata = json_object(), *list;

	json_object_set_new(metadata, "resourceVersion", json_fmt("%" PRIu64, revision));
	if (shape->view == VIEW_TABLE)
		return table_new(shape->kind, metadata);
	list = shape->view == VIEW_METADATA ? typed("PartialObjectMetadataList", META_VERSION)
					    : plain_list(shape);
	json_object_set_new(list, "metadata", metadata);
	json_object_set_new(list, "items", json_array());
	return list;
}

void shape_list_add(const struct shape *shape, json_t *list, const json_t *object)
{
	if (shape->view == VIEW_TABLE)
		table_add(shape, list, object);
	else
		json_array_append_new(json_object_get(list, "items"), shape_object(shape, object));
}
