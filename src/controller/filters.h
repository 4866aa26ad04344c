/* controller/filters.h - HTTPRouteFilters as the workers run them
 *
 * Views are borrowed from the JSON; arrays live in the arena given. */
#ifndef CONTROLLER_FILTERS_H
#define CONTROLLER_FILTERS_H

#include "base/arena.h"
#include "codec/json.h"
#include "dataplane/snapshot.h"

#define FILTERS_MAX 16 /* of one rule or one backendRef */

struct mirror_ask { /* a RequestMirror filter whose backend is not resolved yet */
	const json_t *ref;
	size_t filter; /* its place in the list */
	uint32_t numerator, denominator;
};

struct filters {   /* of one rule or one backendRef */
	size_t at; /* place of the one that is being read */
	struct header_mods request_headers, response_headers;
	struct redirect redirect;
	struct rewrite rewrite;
	struct cors cors;
	size_t mirror_count;
	struct mirror_ask mirrors[FILTERS_MAX];
};

/* 0, or -1 with a sentence: a filter that is not supported, or two that do not go together
 * (*reason: of the route's condition). */
int filters_read(const json_t *list, struct arena *arena, struct filters *out, const char **reason,
		 struct err *err);

#endif
