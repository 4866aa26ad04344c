/* cli/table.h - a Table that the server sent (meta.k8s.io/v1), as lines
 *
 * Pure. Which columns there are and what stands in them is the server's to say.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/columns.h"
#include "codec/json.h"

#include <stdbool.h>

struct table_how {
	bool wide; /* columns of lower priority too */
	bool no_headers;
	bool with_namespace; /* as first column */
	bool with_labels;    /* as last column */
	const char *label;   /* "gateway.gateway.networking.k8s.io": before names; or NULL */
};

bool table_is(const json_t *value);
size_t table_rows(const json_t *table);
void table_headers(const struct table_how *how, const json_t *table, struct columns *columns);
/* Each row of table as a line. columns_of: the Table whose columns count (a watch names them once);
 * NULL: table. */
void table_lines(const struct table_how *how, const json_t *table, const json_t *columns_of,
		 struct columns *columns);

#endif
