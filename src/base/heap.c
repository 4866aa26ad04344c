/* base/heap.c - binary min-heap of embedded nodes */
#include "base/heap.h"

#include "base/own.h"

#include <assert.h>
#include <stdlib.h>

void heap_init(struct heap *heap)
{
	*heap = (struct heap){0};
}

void heap_deinit(struct heap *heap)
{
	free(heap->nodes);
	heap_init(heap);
}

static void place(struct heap *heap, struct heap_node *node, size_t at)
{
	heap->nodes[at] = node;
	node->index = at + 1;
}

static void rise(struct heap *heap, struct heap_node *node, size_t at)
{
	while (at > 0) {
		size_t parent = (at - 1) / 2;

		if (heap->nodes[parent]->key <= node->key)
			break;
		place(heap, heap->nodes[parent], at);
		at = parent;
	}
	place(heap, node, at);
}

static void sink(struct heap *heap, struct heap_node *node, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < heap->count &&
		    heap->nodes[child + 1]->key < heap->nodes[child]->key)
			child++;
		if (child >= heap->count || heap->nodes[child]->key >= node->key)
			break;
		place(heap, heap->nodes[child], at);
		at = child;
	}
	place(heap, node, at);
}

void heap_insert(struct heap *heap, struct heap_node *node)
{
	assert(node->index == 0);
	if (heap->count == heap->size) {
		heap->size = heap->size == 0 ? 16 : heap->size * 2;
		/* a table of pointers: NOLINTNEXTLINE(bugprone-sizeof-expression) */
		heap->nodes = xrealloc(heap->nodes, heap->size * sizeof(*heap->nodes));
	}
	rise(heap, node, heap->count++);
}

void heap_changed(struct heap *heap, struct heap_node *node)
{
	size_t at = node->index - 1;

	assert(node->index != 0 && heap->nodes[at] == node);
	if (at > 0 && heap->nodes[(at - 1) / 2]->key > node->key)
		rise(heap, node, at);
	else
		sink(heap, node, at);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	size_t at = node->index - 1;
	struct heap_node *last;

	if (node->index == 0)
		return;
	assert(heap->nodes[at] == node);
	node->index = 0;
	last = heap->nodes[--heap->count];
	if (last == node)
		return;
	place(heap, last, at);
	heap_changed(heap, last);
}

struct heap_node *heap_first(const struct heap *heap)
{
	return heap->count == 0 ? NULL : heap->nodes[0];
}
