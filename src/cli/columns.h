/* cli/columns.h - lines of cells, made as wide as their columns need
 *
 * Pure: text in, text out. Cells have their control characters shown and end at a line break.
 */
#ifndef CLI_COLUMNS_H
#define CLI_COLUMNS_H

#include "base/buf.h"
#include "base/str.h"

#include <stddef.h>

#define COLUMNS_MAX  64
#define COLUMNS_TEXT (256u << 20) /* bytes of one table */
#define COLUMNS_GAP  3            /* between columns, as kubectl get; describe: 2 */
#define COLUMN_MIN   6            /* least width with its gap */

struct columns {
	size_t widths[COLUMNS_MAX]; /* without the gap */
	size_t count;               /* of the widest line */
	size_t gap;                 /* COLUMNS_GAP unless changed */
	struct buf cells;           /* cell NUL cell NUL … ; a line ends with one more \n */
};

void columns_init(struct columns *columns);
void columns_deinit(struct columns *columns);

void columns_add(struct columns *columns, struct str_view cell);
void columns_end(struct columns *columns); /* of a line */
/* Forgets the lines, keeps the widths: later lines stand below earlier ones. */
void columns_restart(struct columns *columns);
/* Narrows the widest columns until a line takes at most total; cells that are longer are cut. */
void columns_fit(struct columns *columns, size_t indent, size_t total);
/* The lines, each ended by a line feed; indent spaces before each. */
void columns_text(const struct columns *columns, size_t indent, struct buf *out);

#endif
