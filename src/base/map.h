/* base/map.h - hash map from text to a pointer (open addressing, keyed hash) */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct map_slot;

struct map {
	struct map_slot *slots;
	size_t count, size;
	size_t tombs;
	struct hash_key key; /* drawn with the first slots, so an empty map costs nothing */
};

void map_init(struct map *map); /* a zeroed map is an empty map too */
/* Frees the table and its key copies; free_value may be NULL. */
void map_deinit(struct map *map, void (*free_value)(void *value));

void *map_get(const struct map *map, struct str_view key); /* NULL when absent */
/* Stores value under a copy of key; returns the value that stood there before, or NULL. value may
 * not be NULL. */
void *map_put(struct map *map, struct str_view key, void *value);
void *map_remove(struct map *map, struct str_view key); /* the value that was there, or NULL */

/* Iteration in no order: for (size_t it = 0; map_next(&map, &it, &key, &value);) …
 * The map must not change meanwhile, but for map_remove of the current key. */
bool map_next(const struct map *map, size_t *it, struct str_view *key, void **value);

#endif
