/* cli/custom_columns.c - -o custom-columns=TITLE:PATH,…, and --sort-by */
#include "cli/custom_columns.h"

#include "base/own.h"
#include "cli/columns.h"
#include "cli/jsonpath.h"

#include <stdlib.h>

#define CELL_MAX (1u << 20)
#define TEXT_MAX (256u << 20)

/* ---- columns ---- */

/* "{.a}", ".a" and "a" are the same path. */
static int cell_text(struct str_view path, const json_t *object, struct buf *cell, struct err *err)
{
	AUTO(auto_free) char *dotted = NULL;

	if (!sv_starts(path, SV("{")) && !sv_starts(path, SV("."))) {
		dotted = xasprintf(".%.*s", SV_ARG(path));
		path = sv_from(dotted);
	}
	return jsonpath_text(path, object, cell, err);
}

/* The next "TITLE:PATH": a comma in brackets belongs to the path. */
static struct str_view next_column(struct str_view *rest)
{
	struct str_view whole = *rest;
	size_t depth = 0, at = 0;

	for (; at < whole.len; at++) {
		if (whole.data[at] == '[')
			depth++;
		else if (whole.data[at] == ']' && depth > 0)
			depth--;
		else if (whole.data[at] == ',' && depth == 0)
			break;
	}
	*rest = at < whole.len ? sv_skip(whole, at + 1) : SV_NONE;
	return sv_head(whole, at);
}

static int add_line(struct str_view spec, const json_t *object, struct columns *columns,
		    struct err *err)
{
	while (spec.data != NULL) {
		struct str_view path = next_column(&spec), title = sv_split(&path, ':');
		struct buf cell;
		int rc = 0;

		if (path.data == NULL || title.len == 0 || path.len == 0)
			return err_set(err, ERR_INVALID,
				       "custom-columns: TITLE:PATH is due, not \"%.*s\"",
				       SV_ARG(title));
		if (object == NULL) {
			columns_add(columns, title);
			continue;
		}
		buf_init(&cell, CELL_MAX);
		rc = cell_text(path, object, &cell, err);
		columns_add(columns, buf_len(&cell) == 0 ? SV("<none>") : buf_view(&cell));
		buf_deinit(&cell);
		if (rc < 0)
			return -1;
	}
	columns_end(columns);
	return 0;
}

static int add_lines(const struct objects_form *form, const json_t *value, struct columns *columns,
		     struct err *err)
{
	const json_t *items = json_member(value, "items"), *item;
	size_t i;

	if (!form->no_headers && add_line(form->template, NULL, columns, err) < 0)
		return -1;
	if (!json_is_array(items))
		return add_line(form->template, value, columns, err);
	json_array_foreach(items, i, item)
	{
		if (add_line(form->template, item, columns, err) < 0)
			return -1;
	}
	return 0;
}

int custom_columns_print(struct cli *cli, const struct objects_form *form, const json_t *value)
{
	struct err err = {.code = ERR_NONE};
	struct columns columns;
	struct buf text;
	int rc;

	columns_init(&columns);
	rc = add_lines(form, value, &columns, &err);
	buf_init(&text, TEXT_MAX);
	if (rc == 0)
		columns_text(&columns, 0, &text);
	out_text(&cli->out, buf_view(&text));
	buf_deinit(&text);
	columns_deinit(&columns);
	return rc == 0 ? EXIT_DONE : cli_usage(cli, "%s", err.msg);
}

/* ---- order ---- */

struct sorted {
	char *text; /* owned */
	json_t *value;
	size_t place;
};

static bool as_number(const char *text, double *number)
{
	char *end;

	if (!ascii_is_digit(text[0]) && text[0] != '-')
		return false;
	*number = strtod(text, &end);
	return end != text && *end == '\0';
}

static int compare(const struct sorted *a, const struct sorted *b)
{
	double first = 0, second = 0;
	bool number = as_number(a->text, &first), other = as_number(b->text, &second);

	if (number != other && a->text[0] != '\0' && b->text[0] != '\0')
		return number ? -1 : 1;
	if (!number || !other)
		return strcmp(a->text, b->text);
	return first < second ? -1 : first > second;
}

static int by_text(const void *left, const void *right)
{
	const struct sorted *a = left, *b = right;
	int order = compare(a, b);

	return order != 0 ? order : a->place < b->place ? -1 : 1;
}

static int read_text(struct sorted *entry, const char *member, struct str_view path,
		     struct err *err)
{
	const json_t *object = member == NULL ? entry->value : json_member(entry->value, member);
	struct buf text;
	int rc;

	buf_init(&text, CELL_MAX);
	rc = cell_text(path, object, &text, err);
	entry->text = xstrdup(buf_cstr(&text));
	buf_deinit(&text);
	return rc;
}

int sort_values(json_t *array, const char *member, struct str_view path, struct err *err)
{
	size_t count = json_array_size(array);
	struct sorted *list = xcalloc(count + 1, sizeof(*list));
	int rc = 0;

	for (size_t i = 0; i < count; i++) {
		list[i] =
			(struct sorted){.value = json_incref(json_array_get(array, i)), .place = i};
		if (read_text(&list[i], member, path, err) < 0)
			rc = -1;
	}
	if (rc == 0)
		qsort(list, count, sizeof(*list), by_text);
	for (size_t i = 0; i < count; i++) {
		json_array_set_new(array, i, list[i].value);
		free(list[i].text);
	}
	free(list);
	return rc;
}
