/* base/arena.h - memory for one exchange: allocated piecemeal, freed at once, never above a ceiling
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	char *next, *limit;         /* free part of the newest chunk */
	size_t used, max;           /* bytes handed out; ceiling */
	bool spent;                 /* an allocation did not fit; sticks until reset */
};

void arena_init(struct arena *arena, size_t max);
void arena_deinit(struct arena *arena);
void arena_reset(struct arena *arena); /* frees all but one chunk, clears spent */

/* Aligned for any object, not zeroed. NULL when the ceiling is reached (sets spent). */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size);

/* Copy of the view, or SV_NONE with spent set. */
struct str_view arena_dup(struct arena *arena, struct str_view view);
struct str_view arena_printf(struct arena *arena, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
