/* base/map.c - text to pointer: open addressing, linear probing */
#include "base/map.h"

#include "base/own.h"

#include <assert.h>
#include <stdlib.h>

#define MAP_FIRST_SIZE 16u /* a power of two */

/* Free: no value. Tomb of a removed entry: a value without key. Else an entry. */
struct map_slot {
	char *key; /* owned */
	size_t len;
	uint64_t hash;
	void *value;
};

static bool is_entry(const struct map_slot *slot)
{
	return slot->key != NULL;
}

void map_init(struct map *map)
{
	*map = (struct map){0};
}

void map_deinit(struct map *map, void (*free_value)(void *value))
{
	for (size_t i = 0; i < map->size; i++) {
		struct map_slot *slot = &map->slots[i];

		if (!is_entry(slot))
			continue;
		if (free_value != NULL)
			free_value(slot->value);
		free(slot->key);
	}
	free(map->slots);
	map_init(map);
}

/* The entry of the key, or NULL. */
static struct map_slot *find(const struct map *map, struct str_view key, uint64_t hash)
{
	size_t mask = map->size - 1;

	if (map->count == 0)
		return NULL;
	for (size_t i = hash & mask; map->slots[i].value != NULL; i = (i + 1) & mask) {
		struct map_slot *slot = &map->slots[i];

		if (is_entry(slot) && slot->hash == hash &&
		    sv_eq(sv_new(slot->key, slot->len), key))
			return slot;
	}
	return NULL;
}

/* A free slot for a key that is not there; tombs are passed over, rehashing buries them. */
static struct map_slot *free_slot(struct map_slot *slots, size_t size, uint64_t hash)
{
	size_t i = hash & (size - 1);

	while (slots[i].value != NULL)
		i = (i + 1) & (size - 1);
	return &slots[i];
}

/* Keeps at least a quarter of the slots free, so that every probe ends soon. */
static void make_room(struct map *map)
{
	size_t size = MAP_FIRST_SIZE;
	struct map_slot *slots;

	if (map->slots == NULL)
		hash_key_random(&map->key);
	else if ((map->count + map->tombs + 1) * 4 <= map->size * 3)
		return;
	while ((map->count + 1) * 2 > size)
		size *= 2;
	slots = xcalloc(size, sizeof(*slots));
	for (size_t i = 0; i < map->size; i++) {
		if (is_entry(&map->slots[i]))
			*free_slot(slots, size, map->slots[i].hash) = map->slots[i];
	}
	free(map->slots);
	map->slots = slots;
	map->size = size;
	map->tombs = 0;
}

void *map_get(const struct map *map, struct str_view key)
{
	const struct map_slot *slot;

	if (map->count == 0)
		return NULL;
	slot = find(map, key, sv_hash_keyed(key, &map->key));
	return slot == NULL ? NULL : slot->value;
}

void *map_put(struct map *map, struct str_view key, void *value)
{
	struct map_slot *slot;
	uint64_t hash;

	assert(value != NULL);
	make_room(map);
	hash = sv_hash_keyed(key, &map->key);
	slot = find(map, key, hash);
	if (slot != NULL) {
		void *before = slot->value;

		slot->value = value;
		return before;
	}
	*free_slot(map->slots, map->size, hash) =
		(struct map_slot){.key = sv_dup(key), .len = key.len, .hash = hash, .value = value};
	map->count++;
	return NULL;
}

void *map_remove(struct map *map, struct str_view key)
{
	struct map_slot *slot;
	void *value;

	if (map->count == 0)
		return NULL;
	slot = find(map, key, sv_hash_keyed(key, &map->key));
	if (slot == NULL)
		return NULL;
	value = slot->value;
	free(slot->key);
	*slot = (struct map_slot){.value = slot}; /* a tomb: probes go on behind it */
	map->count--;
	map->tombs++;
	return value;
}

bool map_next(const struct map *map, size_t *it, struct str_view *key, void **value)
{
	while (*it < map->size) {
		const struct map_slot *slot = &map->slots[(*it)++];

		if (!is_entry(slot))
			continue;
		if (key != NULL)
			*key = sv_new(slot->key, slot->len);
		if (value != NULL)
			*value = slot->value;
		return true;
	}
	return false;
}
