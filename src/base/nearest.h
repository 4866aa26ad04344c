/* base/nearest.h - of the words that are known the one that was meant
 *
 *     nearest_init()    the word as it was typed
 *     nearest_offer()   each known word
 *     nearest.best      the nearest; NULL: none is near
 * Pure; cost is bounded by NEAREST_LEN_MAX squared for each offer.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include "base/str.h"

#define NEAREST_LEN_MAX 64 /* longer words are near to nothing */

struct nearest {
	struct str_view word; /* borrowed */
	const char *best;     /* borrowed from the offers */
	size_t distance;      /* of best; before the first one: more than is allowed */
};

void nearest_init(struct nearest *nearest, struct str_view word);
void nearest_offer(struct nearest *nearest, const char *known);

#endif
