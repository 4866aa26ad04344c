/* cli/jsonpath.h - kubectl's JSONPath templates: {.a.b[0]}, {.items[*].metadata.name},
 * {.c[?(@.type=="Ready")].status}, {['a.b']}, {range .items[*]}…{end}, {"\n"}, and text between
 *
 * Pure. What is absent is empty. Scalars are printed as they are, other values as JSON; several
 * values with a space between.
 */
#ifndef CLI_JSONPATH_H
#define CLI_JSONPATH_H

#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"

#define JSONPATH_DEPTH_MAX 8      /* ranges in ranges */
#define JSONPATH_STEPS_MAX 100000 /* values visited */

/* Appends what the template makes of value. -1: the template is wrong. */
int jsonpath_text(struct str_view template, const json_t *value, struct buf *out, struct err *err);

#endif
