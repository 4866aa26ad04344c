/* cli/table.c - a Table that the server sent, as lines */
#include "cli/table.h"

#include "base/own.h"

#include <stdlib.h>

#define CELL_MAX (64u << 10)

bool table_is(const json_t *value)
{
	return sv_eq(json_sv_at(value, "kind"), SV("Table"));
}

size_t table_rows(const json_t *table)
{
	return json_array_size(json_member(table, "rows"));
}

static bool is_shown(const struct table_how *how, const json_t *definition)
{
	return how->wide || json_int_at(definition, "priority", 0) == 0;
}

static void add_upper(struct columns *columns, struct str_view text)
{
	struct buf upper;

	buf_init(&upper, CELL_MAX);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		buf_addc(&upper, c);
	}
	columns_add(columns, buf_view(&upper));
	buf_deinit(&upper);
}

void table_headers(const struct table_how *how, const json_t *table, struct columns *columns)
{
	const json_t *definition;
	size_t i;

	if (how->no_headers)
		return;
	if (how->with_namespace)
		columns_add(columns, SV("NAMESPACE"));
	json_array_foreach(json_member(table, "columnDefinitions"), i, definition)
	{
		if (is_shown(how, definition))
			add_upper(columns, json_sv_at(definition, "name"));
	}
	if (how->with_labels)
		columns_add(columns, SV("LABELS"));
	columns_end(columns);
}

static void add_cell(struct columns *columns, const json_t *cell)
{
	AUTO(auto_free) char *text = NULL;

	if (json_is_string(cell)) {
		columns_add(columns, sv_new(json_string_value(cell), json_string_length(cell)));
		return;
	}
	text = cell == NULL || json_is_null(cell) ? NULL : json_text(cell);
	columns_add(columns, text == NULL ? SV("") : sv_from(text));
}

static void add_name(const struct table_how *how, struct columns *columns, const json_t *cell)
{
	AUTO(auto_free) char *name = xasprintf("%s/%s", how->label, json_string_value(cell));

	columns_add(columns, sv_from(name));
}

static void add_labels(struct columns *columns, const json_t *labels)
{
	struct buf text;
	const char *key;
	json_t *value;

	buf_init(&text, CELL_MAX);
	json_object_foreach((json_t *)(uintptr_t)labels, key, value)
	{
		buf_addf(&text, "%s%s=%s", buf_len(&text) == 0 ? "" : ",", key,
			 json_is_string(value) ? json_string_value(value) : "");
	}
	columns_add(columns, buf_len(&text) == 0 ? SV("<none>") : buf_view(&text));
	buf_deinit(&text);
}

static void add_row(const struct table_how *how, const json_t *row, const json_t *definitions,
		    struct columns *columns)
{
	const json_t *definition;
	size_t i;

	if (how->with_namespace)
		columns_add(columns, json_sv_at(row, "object.metadata.namespace"));
	json_array_foreach(definitions, i, definition)
	{
		const json_t *cell = json_array_get(json_member(row, "cells"), i);

		if (!is_shown(how, definition))
			continue;
		if (how->label != NULL && json_is_string(cell) &&
		    sv_eq(json_sv_at(definition, "format"), SV("name")))
			add_name(how, columns, cell);
		else
			add_cell(columns, cell);
	}
	if (how->with_labels)
		add_labels(columns, json_at(row, "object.metadata.labels"));
	columns_end(columns);
}

void table_lines(const struct table_how *how, const json_t *table, const json_t *columns_of,
		 struct columns *columns)
{
	const json_t *definitions =
		json_member(columns_of == NULL ? table : columns_of, "columnDefinitions");
	const json_t *row;
	size_t i;

	json_array_foreach(json_member(table, "rows"), i, row)
	{
		add_row(how, row, definitions, columns);
	}
}
