/* cli/out.h - words for people: what may reach a terminal, and how
 *
 * Text that came from outside (names, messages, answers of the server) goes through here. On a
 * terminal its control characters are shown, never obeyed; in cells of tables they have no place at
 * all.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct out {
	FILE *file;    /* borrowed */
	bool terminal; /* it is one */
	bool colour;   /* a terminal, and NO_COLOR is unset (no-color.org) */
	bool moves;    /* a terminal that can go back to the start of a line */
	int width;     /* columns: 80 unless the terminal has more */
};

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_WARN, STYLE_BAD, STYLE_COUNT };

void out_init(struct out *out, FILE *file);
/* Columns that a table may take: on anything but a terminal there is no end, since nothing is to be
 * lost on the way to grep or a file. */
static inline size_t out_table_width(const struct out *out)
{
	return out->terminal ? (size_t)out->width : SIZE_MAX;
}

/* Line feeds and tabs pass. On anything but a terminal the bytes are as they are. */
void out_text(struct out *out, struct str_view text);
void out_fmt(struct out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void out_styled(struct out *out, enum style style, struct str_view text);
/* Replaces the line that the cursor stands in. Nothing on what is not a terminal. */
void out_clear_line(struct out *out);

enum escape {
	ESCAPE_LINES, /* line feed and tab stay */
	ESCAPE_ALL    /* one line comes out */
};

/* Appends text with C0, DEL, C1 and the characters that reorder or hide text shown as \x1b or
 * \u202e, and bytes that are no UTF-8 as \xff. At most six bytes for one. */
void text_escape(struct buf *to, struct str_view text, enum escape how);

/* Columns that UTF-8 text takes, one for each character (as kubectl counts). */
size_t text_width(struct str_view text);
/* The first width columns, or all. */
struct str_view text_head(struct str_view text, size_t width);
/* Takes the next line of at most width columns off *rest: it ends at a space if there is one. What
 * is left is trimmed. */
struct str_view text_line(struct str_view *rest, size_t width);

#endif
