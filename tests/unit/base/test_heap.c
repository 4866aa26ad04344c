/* tests/unit/base/test_heap.c - the smallest first, and lists */
#include "base/heap.h"

#include "base/list.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_order(const struct heap *heap)
{
	for (size_t i = 0; i < heap->count; i++) {
		assert_int_equal(heap->nodes[i]->index, i + 1);
		if (i > 0)
			assert_true(heap->nodes[(i - 1) / 2]->key <= heap->nodes[i]->key);
	}
}

/* Nodes come, go and change their keys at random; the order holds after each step. */
static void test_random(void **state)
{
	static struct heap_node nodes[200];
	struct heap heap;
	unsigned random = 7;

	(void)state;
	heap_init(&heap);
	for (int step = 0; step < 5000; step++) {
		struct heap_node *node;

		random = random * 1103515245u + 12345u;
		node = &nodes[(random >> 8) % ARRAY_LEN(nodes)];
		if (node->index != 0 && (random & 0x80) != 0) {
			heap_remove(&heap, node);
		} else {
			node->key = (int64_t)(random >> 16) - 30000;
			if (node->index == 0)
				heap_insert(&heap, node);
			else
				heap_changed(&heap, node);
		}
		if (step % 16 == 0)
			check_order(&heap);
	}
	check_order(&heap);
	for (int64_t last = INT64_MIN; heap.count > 0;) {
		struct heap_node *first = heap_first(&heap);

		assert_true(first->key >= last);
		last = first->key;
		heap_remove(&heap, first);
		heap_remove(&heap, first); /* harmless */
	}
	assert_null(heap_first(&heap));
	heap_deinit(&heap);
}

struct thing {
	int number;
	struct list link;
};

static void test_list(void **state)
{
	struct thing things[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
	struct list head;
	char seen[8] = "";

	(void)state;
	list_init(&head);
	assert_true(list_empty(&head));
	list_remove(&things[0].link); /* in no list: harmless */
	assert_false(list_linked(&things[0].link));
	list_append(&head, &things[1].link);
	list_append(&head, &things[2].link);
	list_append(&head, &things[3].link);
	list_prepend(&head, &things[0].link);
	assert_true(list_linked(&things[0].link));
	LIST_EACH(&head, node)
	{
		struct thing *thing = LIST_ENTRY(node, struct thing, link);

		seen[strlen(seen)] = (char)('0' + thing->number);
		if (thing->number % 2 == 1)
			list_remove(node);
	}
	assert_string_equal(seen, "0123");
	assert_false(list_linked(&things[1].link));
	assert_ptr_equal(head.next, &things[0].link);
	assert_ptr_equal(head.prev, &things[2].link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
