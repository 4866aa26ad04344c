#include "controller/queue.h"

#include "base/clock.h"
#include "base/own.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/map.h"

#define BATCH_MAX      256 /* keys done in one turn, */
#define BATCH_MS       20  /* or what is done in this time */
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000

struct item {
	struct list link; /* in ready, else unlinked */
	struct timer later;
	struct queue *queue;
	unsigned what, failures;
	size_t len;
	char key[];
};

struct queue {
	struct loop *loop;
	queue_do_fn *work;
	void *arg;
	struct list ready;
	struct task run;
	struct map items; /* "what key" -> struct item */
};

static struct str_view item_id(unsigned what, struct str_view key, char *out, size_t size)
{
	int len = snprintf(out, size, "%u %.*s", what, SV_ARG(key));

	return sv_new(out, len < 0 ? 0 : (size_t)len < size ? (size_t)len : size - 1);
}

#define ITEM_ID_MAX 1024 /* a key is two DNS subdomains, a group and a plural: below 800 */

static struct item *item_find(struct queue *queue, unsigned what, struct str_view key)
{
	char text[ITEM_ID_MAX];

	return map_get(&queue->items, item_id(what, key, text, sizeof(text)));
}

static void item_ready(struct item *item)
{
	timer_stop(item->queue->loop, &item->later);
	if (!list_linked(&item->link))
		list_append(&item->queue->ready, &item->link);
	task_defer(item->queue->loop, &item->queue->run);
}

static void item_due(struct timer *timer)
{
	item_ready(CONTAINER_OF(timer, struct item, later));
}

static struct item *item_get(struct queue *queue, unsigned what, struct str_view key)
{
	char text[ITEM_ID_MAX];
	struct item *item = item_find(queue, what, key);

	if (item != NULL)
		return item;
	item = xcalloc(1, sizeof(*item) + key.len + 1);
	item->queue = queue;
	item->what = what;
	item->len = key.len;
	memcpy(item->key, key.data, key.len);
	list_init(&item->link);
	timer_init(&item->later, item_due);
	(void)map_put(&queue->items, item_id(what, key, text, sizeof(text)), item);
	return item;
}

/* An item that waits for nothing and has not failed need not be remembered. */
static void item_forget(struct item *item)
{
	char text[ITEM_ID_MAX];
	struct str_view key = sv_new(item->key, item->len);

	if (list_linked(&item->link) || timer_armed(&item->later) || item->failures > 0)
		return;
	(void)map_remove(&item->queue->items, item_id(item->what, key, text, sizeof(text)));
	free(item);
}

static void queue_run(struct task *task)
{
	struct queue *queue = CONTAINER_OF(task, struct queue, run);
	int64_t end = clock_mono_ms() + BATCH_MS;

	for (int i = 0; i < BATCH_MAX && !list_empty(&queue->ready); i++) {
		if (clock_mono_ms() >= end)
			break;

		struct item *item = LIST_ENTRY(queue->ready.next, struct item, link);
		unsigned what = item->what;
		AUTO(auto_free) char *key = sv_dup(sv_new(item->key, item->len));

		list_remove(&item->link);
		queue->work(queue->arg, what, sv_from(key));
		item = item_find(queue, what, sv_from(key)); /* the work may have dropped it */
		if (item != NULL)
			item_forget(item);
	}
	if (!list_empty(&queue->ready))
		task_defer(queue->loop, &queue->run);
}

struct queue *queue_new(struct loop *loop, queue_do_fn *work, void *arg)
{
	struct queue *queue = xcalloc(1, sizeof(*queue));

	queue->loop = loop;
	queue->work = work;
	queue->arg = arg;
	list_init(&queue->ready);
	task_init(&queue->run, queue_run);
	map_init(&queue->items);
	return queue;
}

void queue_free(struct queue *queue)
{
	struct str_view key;
	void *value;

	if (queue == NULL)
		return;
	for (size_t it = 0; map_next(&queue->items, &it, &key, &value);)
		timer_stop(queue->loop, &((struct item *)value)->later);
	map_deinit(&queue->items, free);
	task_cancel(&queue->run);
	free(queue);
}

void queue_add(struct queue *queue, unsigned what, struct str_view key)
{
	item_ready(item_get(queue, what, key));
}

void queue_add_in(struct queue *queue, unsigned what, struct str_view key, int64_t delay_ms)
{
	struct item *item = item_get(queue, what, key);
	int64_t due = loop_now(queue->loop) + (delay_ms > 0 ? delay_ms : 0);

	if (list_linked(&item->link))
		return;
	if (!timer_armed(&item->later) || item->later.deadline > due)
		timer_set(queue->loop, &item->later, due);
}

void queue_drop(struct queue *queue, unsigned what, struct str_view key)
{
	struct item *item = item_find(queue, what, key);

	if (item == NULL)
		return;
	timer_stop(queue->loop, &item->later);
	item_forget(item);
}

bool queue_idle(const struct queue *queue)
{
	return list_empty(&queue->ready);
}

void queue_retry(struct queue *queue, unsigned what, struct str_view key)
{
	struct item *item = item_get(queue, what, key);
	unsigned shift = item->failures < 6 ? item->failures : 6;
	int64_t delay = (int64_t)BACKOFF_MIN_MS << shift;
	uint32_t random = 0;

	(void)!getrandom(&random, sizeof(random), 0);
	delay = delay < BACKOFF_MAX_MS ? delay : BACKOFF_MAX_MS;
	delay += (int64_t)(random % (uint32_t)(delay / 2)) - delay / 4;
	item->failures++;
	queue_add_in(queue, what, key, delay);
}

void queue_succeeded(struct queue *queue, unsigned what, struct str_view key)
{
	struct item *item = item_find(queue, what, key);

	if (item == NULL)
		return;
	item->failures = 0;
}
