/* base/heap.h - binary min-heap of embedded nodes that know their place */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key;  /* smallest first */
	size_t index; /* place in the heap plus one; 0: not in a heap */
};

struct heap {
	struct heap_node **nodes;
	size_t count, size;
};

void heap_init(struct heap *heap);
void heap_deinit(struct heap *heap); /* frees the table, not the nodes */
void heap_insert(struct heap *heap,
		 struct heap_node *node); /* node->key is set; not in a heap yet */
void heap_remove(struct heap *heap, struct heap_node *node);  /* harmless when not in the heap */
void heap_changed(struct heap *heap, struct heap_node *node); /* after node->key changed */
struct heap_node *heap_first(const struct heap *heap);        /* NULL when empty */

#endif
