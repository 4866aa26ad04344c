/* cli/columns.c - lines of cells, made as wide as their columns need */
#include "cli/columns.h"

#include "cli/out.h"

#include <stdbool.h>

void columns_init(struct columns *columns)
{
	*columns = (struct columns){.gap = COLUMNS_GAP};
	buf_init(&columns->cells, COLUMNS_TEXT);
}

void columns_deinit(struct columns *columns)
{
	buf_deinit(&columns->cells);
}

/* What stands in one line; the rest of a longer cell is left out, and said to be. */
static void add_clean(struct buf *out, struct str_view cell)
{
	struct str_view line = cell;

	for (size_t i = 0; i < cell.len; i++) {
		if (cell.data[i] == '\n' || cell.data[i] == '\r' || cell.data[i] == '\f') {
			line = sv_head(cell, i);
			break;
		}
	}
	text_escape(out, line, ESCAPE_ALL);
	if (line.len < cell.len)
		buf_addf(out, "...");
}

/* Which column the next cell is in: the cells of the last line are counted by their ends. */
static size_t column_of(const struct columns *columns)
{
	struct str_view text = buf_view(&columns->cells);
	size_t column = 0;

	if (text.data == NULL)
		return 0;
	for (size_t i = text.len; i > 0 && text.data[i - 1] != '\n'; i--)
		column += text.data[i - 1] == '\0';
	return column;
}

void columns_add(struct columns *columns, struct str_view cell)
{
	size_t column = column_of(columns), before = buf_len(&columns->cells), width;

	if (column >= COLUMNS_MAX)
		return;
	add_clean(&columns->cells, cell);
	width = text_width(sv_skip(buf_view(&columns->cells), before));
	buf_addc(&columns->cells, '\0');
	if (width > columns->widths[column])
		columns->widths[column] = width;
	if (column + 1 > columns->count)
		columns->count = column + 1;
}

void columns_end(struct columns *columns)
{
	buf_addc(&columns->cells, '\n');
}

void columns_restart(struct columns *columns)
{
	buf_reset(&columns->cells);
}

static size_t line_width(const struct columns *columns)
{
	size_t width = 0;

	for (size_t i = 0; i < columns->count; i++)
		width += columns->widths[i] + (i + 1 < columns->count ? columns->gap : 0);
	return width;
}

static size_t widest_of(const struct columns *columns)
{
	size_t widest = 0;

	for (size_t i = 1; i < columns->count; i++) {
		if (columns->widths[i] >= columns->widths[widest])
			widest = i;
	}
	return widest;
}

void columns_fit(struct columns *columns, size_t indent, size_t total)
{
	while (columns->count > 0 && indent + line_width(columns) > total) {
		size_t widest = widest_of(columns);

		if (columns->widths[widest] <= COLUMN_MIN)
			return;
		columns->widths[widest]--;
	}
}

static void add_spaces(struct buf *out, size_t count)
{
	buf_addf(out, "%*s", (int)count, "");
}

/* The last cell of a line is not padded. */
static void add_line(const struct columns *columns, struct str_view line, struct buf *out)
{
	for (size_t column = 0; line.len > 0; column++) {
		size_t end = sv_find(line, '\0');
		struct str_view cell = sv_head(line, end);
		size_t width = columns->widths[column], taken = text_width(cell);
		bool cut = taken > width;

		buf_addf(out, "%.*s%s", SV_ARG(text_head(cell, cut ? width - 3 : width)),
			 cut ? "..." : "");
		line = sv_skip(line, end + 1);
		taken = cut ? width : taken;
		width += columns->gap;
		width = width < COLUMN_MIN ? COLUMN_MIN : width;
		if (line.len > 0)
			add_spaces(out, width - taken);
	}
}

void columns_text(const struct columns *columns, size_t indent, struct buf *out)
{
	struct str_view rest = buf_view(&columns->cells);

	while (rest.len > 0) {
		size_t end = sv_find(rest, '\n');

		add_spaces(out, indent);
		add_line(columns, sv_head(rest, end), out);
		buf_addc(out, '\n');
		rest = end == SV_NOT_FOUND ? SV("") : sv_skip(rest, end + 1);
	}
}
