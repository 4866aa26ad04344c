/* store/index.c - objects in key order: blocks of sorted pointers */
#include "store/index.h"

#include "base/own.h"

#include <stdlib.h>

#define BLOCK_MAX 256

struct index_block {
	size_t used;
	struct object *objects[BLOCK_MAX];
};

void index_init(struct index *index)
{
	*index = (struct index){0};
}

void index_deinit(struct index *index)
{
	for (size_t i = 0; i < index->count; i++) {
		for (size_t slot = 0; slot < index->blocks[i]->used; slot++)
			object_unref(index->blocks[i]->objects[slot]);
		free(index->blocks[i]);
	}
	free(index->blocks);
	index_init(index);
}

/* Where a key stands against the range that a search is for: below it or not. */
typedef bool below_fn(struct str_view key, struct str_view bound);

static bool below_key(struct str_view key, struct str_view bound)
{
	return sv_cmp(key, bound) < 0;
}

/* Also below: the keys that start with bound. */
static bool below_end(struct str_view key, struct str_view bound)
{
	return sv_cmp(key, bound) < 0 || sv_starts(key, bound);
}

static size_t block_search(const struct index_block *block, struct str_view bound, below_fn *below)
{
	size_t low = 0, high = block->used;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (below(sv_from(block->objects[middle]->key), bound))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first place whose object is not below; its slot may be one past the end of the last block. */
static struct index_place search(const struct index *index, struct str_view bound, below_fn *below)
{
	size_t low = 0, high = index->count;

	while (low < high) { /* the first block whose last object is not below */
		size_t middle = low + (high - low) / 2;
		const struct index_block *block = index->blocks[middle];

		if (below(sv_from(block->objects[block->used - 1]->key), bound))
			low = middle + 1;
		else
			high = middle;
	}
	if (low < index->count)
		return (struct index_place){low, block_search(index->blocks[low], bound, below)};
	if (low == 0)
		return (struct index_place){0, 0};
	return (struct index_place){low - 1, index->blocks[low - 1]->used};
}

static struct object **found(const struct index *index, struct index_place place,
			     struct str_view key)
{
	struct object **slot;

	if (place.block >= index->count || place.slot >= index->blocks[place.block]->used)
		return NULL;
	slot = &index->blocks[place.block]->objects[place.slot];
	return sv_eq(sv_from((*slot)->key), key) ? slot : NULL;
}

struct object *index_get(const struct index *index, struct str_view key)
{
	struct object **slot = found(index, search(index, key, below_key), key);

	return slot == NULL ? NULL : *slot;
}

static struct index_block *block_add(struct index *index, size_t at)
{
	struct index_block *block = xcalloc(1, sizeof(*block));

	if (index->count == index->size) {
		index->size = index->size == 0 ? 16 : index->size * 2;
		index->blocks = xrealloc(index->blocks, index->size * sizeof(struct index_block *));
	}
	memmove(index->blocks + at + 1, index->blocks + at,
		(index->count - at) * sizeof(struct index_block *));
	index->blocks[at] = block;
	index->count++;
	return block;
}

/* Makes room at a place in a full block. Arrivals in key order (the start) fill blocks whole. */
static struct index_place split(struct index *index, struct index_place place)
{
	struct index_block *block = index->blocks[place.block];
	struct index_block *next = block_add(index, place.block + 1);
	size_t keep = place.slot == BLOCK_MAX ? BLOCK_MAX : BLOCK_MAX / 2;

	next->used = BLOCK_MAX - keep;
	memcpy(next->objects, block->objects + keep, next->used * sizeof(struct object *));
	block->used = keep;
	if (place.slot < keep)
		return place;
	return (struct index_place){place.block + 1, place.slot - keep};
}

struct object *index_put(struct index *index, struct object *object)
{
	struct str_view key = sv_from(object->key);
	struct index_place place = search(index, key, below_key);
	struct object **slot = found(index, place, key);
	struct index_block *block;

	if (slot != NULL) {
		struct object *before = *slot;

		*slot = object;
		return before;
	}
	if (index->count == 0)
		block_add(index, 0);
	else if (index->blocks[place.block]->used == BLOCK_MAX)
		place = split(index, place);
	block = index->blocks[place.block];
	memmove(block->objects + place.slot + 1, block->objects + place.slot,
		(block->used - place.slot) * sizeof(struct object *));
	block->objects[place.slot] = object;
	block->used++;
	return NULL;
}

struct object *index_remove(struct index *index, struct str_view key)
{
	struct index_place place = search(index, key, below_key);
	struct object **slot = found(index, place, key);
	struct object *before;
	struct index_block *block;

	if (slot == NULL)
		return NULL;
	before = *slot;
	block = index->blocks[place.block];
	block->used--;
	memmove(slot, slot + 1, (block->used - place.slot) * sizeof(struct object *));
	if (block->used == 0) {
		free(block);
		index->count--;
		memmove(index->blocks + place.block, index->blocks + place.block + 1,
			(index->count - place.block) * sizeof(struct index_block *));
	}
	return before;
}

struct index_place index_seek(const struct index *index, struct str_view key)
{
	return search(index, key, below_key);
}

const struct object *index_next(const struct index *index, struct index_place *place)
{
	const struct object *object;

	if (place->block >= index->count || place->slot >= index->blocks[place->block]->used)
		return NULL;
	object = index->blocks[place->block]->objects[place->slot++];
	if (place->slot == index->blocks[place->block]->used && place->block + 1 < index->count)
		*place = (struct index_place){place->block + 1, 0};
	return object;
}

size_t index_count(const struct index *index, struct str_view prefix)
{
	struct index_place first = search(index, prefix, below_key);
	struct index_place end = search(index, prefix, below_end);
	size_t count = end.slot;

	for (size_t i = first.block; i < end.block; i++)
		count += index->blocks[i]->used;
	return count - first.slot;
}
