/* dataplane/pack.h - copies of parts
 *
 * Each part lives in one block of exactly its size: its copy function runs twice, first counting
 * (at is NULL), then writing. So nothing is measured by one piece of code and filled by another.
 */
#ifndef DATAPLANE_PACK_H
#define DATAPLANE_PACK_H

#include "base/str.h"

#include <stddef.h>

struct pack {
	char *at; /* NULL while counting */
	size_t used;
};

/* Copies like (size bytes) and, by deep, all it points to, into one block on the heap. */
void *pack_new(const void *like, size_t size, void (*deep)(void *copy, struct pack *pack));

/* ---- for deep: each returns where the copy lies, NULL while counting ---- */

void *pack_bytes(struct pack *pack, const void *bytes, size_t len, size_t align);
#define PACK_ARRAY(pack, array, count) \
	pack_bytes(pack, array, (count) * sizeof((array)[0]), _Alignof(__typeof__((array)[0])))
struct str_view pack_sv(struct pack *pack, struct str_view text);
const struct str_view *pack_views(struct pack *pack, const struct str_view *views, size_t count);

#endif
