/* store/index.h - objects in key order: blocks of sorted pointers
 *
 * Look-ups are two binary searches; an insertion moves at most one block of pointers and the row of
 * blocks, so 100,000 objects cost a few KiB of moves each, in any order of arrival.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "store/object.h"

#include <stddef.h>

struct index_block;

struct index {
	struct index_block **blocks; /* none is empty */
	size_t count, size;
};

/* A place between two objects; good until the index changes. */
struct index_place {
	size_t block, slot;
};

void index_init(struct index *index);
void index_deinit(struct index *index); /* unrefs every object */

struct object *index_get(const struct index *index,
			 struct str_view key); /* borrowed; NULL: absent */
/* Takes object; returns the one it replaces (the caller's now), or NULL. */
struct object *index_put(struct index *index, struct object *object);
struct object *index_remove(struct index *index, struct str_view key); /* the caller's, or NULL */

/* Before the first object whose key is not below key. */
struct index_place index_seek(const struct index *index, struct str_view key);
/* The object behind the place (borrowed), which moves on; NULL at the end. */
const struct object *index_next(const struct index *index, struct index_place *place);
/* Objects whose key starts with prefix. */
size_t index_count(const struct index *index, struct str_view prefix);

#endif
