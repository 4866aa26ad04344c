/* resource/columns.h - cells that the tables of several kinds share
 *
 * A cell is a new JSON value; json_null() where there is nothing to show.
 */
#ifndef RESOURCE_COLUMNS_H
#define RESOURCE_COLUMNS_H

#include "resource/kind.h"

/* The scalar at a path as it is; null when absent. */
json_t *cell_value(const json_t *object, const char *path);
/* The same, "<none>" when absent (tables of core kinds). */
json_t *cell_or_none(const json_t *object, const char *path);
/* A member ("status", "message") of the condition of that type. */
json_t *cell_condition(const json_t *object, const char *type, const char *member);
/* The time since the RFC 3339 text at a path, as "3m20s"; "<unknown>" when there is none. */
json_t *cell_since(const json_t *object, const char *path, int64_t now);
/* The time since a condition has its status. */
json_t *cell_condition_since(const json_t *object, const char *type, int64_t now);
/* {"a":"b"} at a path as "a=b,c=d"; "<none>" when empty. */
json_t *cell_labels(const json_t *object, const char *path);
/* spec.hostnames as ["a.example","b.example"]; a column's function. */
json_t *cell_hostnames(const json_t *object, int64_t now);
/* Number of members at a path. */
json_t *cell_count(const json_t *object, const char *path);

/* A column's function that needs nothing but its path. */
#define CELL_VALUE(function, path)                                 \
	static json_t *function(const json_t *object, int64_t now) \
	{                                                          \
		(void)now;                                         \
		return cell_value(object, path);                   \
	}
#define CELL_CONDITION(function, type, member)                     \
	static json_t *function(const json_t *object, int64_t now) \
	{                                                          \
		(void)now;                                         \
		return cell_condition(object, type, member);       \
	}

#endif
