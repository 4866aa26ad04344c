/* api/table.h - objects in the form that a request asked for: as they are, as a Table, metadata
 * only
 *
 * Pure; the time for ages comes in.
 */
#ifndef API_TABLE_H
#define API_TABLE_H

#include "api/media.h"
#include "resource/kind.h"

enum include { INCLUDE_METADATA, INCLUDE_OBJECT, INCLUDE_NONE }; /* what rows carry besides cells */

struct shape {
	const struct kind *kind;
	const char *version; /* that reads echo */
	enum view view;
	enum include include;
	int64_t now; /* seconds since the epoch */
};

/* New references. */
json_t *shape_object(const struct shape *shape, const json_t *object);
/* The object with the apiVersion of the shape, whatever its view. */
json_t *shape_plain(const struct shape *shape, const json_t *object);

json_t *shape_list(const struct shape *shape, uint64_t revision); /* empty */
void shape_list_add(const struct shape *shape, json_t *list, const json_t *object);

#endif
