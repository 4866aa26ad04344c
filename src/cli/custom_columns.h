/* cli/custom_columns.h - -o custom-columns=TITLE:PATH,…, and --sort-by */
#ifndef CLI_CUSTOM_COLUMNS_H
#define CLI_CUSTOM_COLUMNS_H

#include "cli/objects.h"

/* A line for an object, or for each item of a list; what is absent is "<none>". Returns an exit
 * code. */
int custom_columns_print(struct cli *cli, const struct objects_form *form, const json_t *value);

/* Puts the values of an array in the order of what stands at path in each (in its member, when
 * that is not NULL): numbers by value, all else as text, absent ones first; equal ones stay as they
 * were. -1: the path is wrong. */
int sort_values(json_t *array, const char *member, struct str_view path, struct err *err);

#endif
