/* controller/filters.h - HTTPRouteFilters as the workers run them
 *
 * Views are borrowed from the JSON; arrays live in the arena given. */
#ifndef CONTROLLER_FILTERS_H
#define CONTROLLER_FILTERS_H

#include "base/arena.h"
#include "codec/json.h"
#include "dataplane/snapshot.h"

struct filters { /* of one rule or one backendRef */
	struct header_mods request_headers, response_headers;
	struct redirect redirect;
	struct rewrite rewrite;
};

/* 0, or -1 with a sentence: a filter that is not supported, or two that do not go together
 * (*reason: of the route's condition). */
int filters_read(const json_t *list, struct arena *arena, struct filters *out, const char **reason,
		 struct err *err);

#endif
