/* base/list.h - intrusive doubly linked list (a ring with a head) */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/own.h"

#include <stdbool.h>

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *head)
{
	head->prev = head->next = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool list_linked(const struct list *node) /* of a node made by list_init or zeroed */
{
	return node->next != NULL && node->next != node;
}

static inline void list_insert_(struct list *node, struct list *prev, struct list *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

static inline void list_append(struct list *head, struct list *node)
{
	list_insert_(node, head->prev, head);
}

static inline void list_prepend(struct list *head, struct list *node)
{
	list_insert_(node, head, head->next);
}

/* Unlinks; harmless on a node that is in no list. */
static inline void list_remove(struct list *node)
{
	if (node->next == NULL)
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->prev = node->next = node;
}

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)

/* The body may remove (and free) the current node. */
#define LIST_EACH(head, node)                                                              \
	for (struct list *node = (head)->next, *node##_next_ = node->next; node != (head); \
	     node = node##_next_, node##_next_ = node->next)

#endif
