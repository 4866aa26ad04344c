/* store/engine_mem.c - the store in memory: SQLite's semantics without its disk (tests, offline
 * checks) */
#include "base/map.h"
#include "base/own.h"
#include "store/batch.h"

#include <stdlib.h>

struct row {              /* of an object, or of the history */
	struct list link; /* history */
	uint64_t revision;
	enum store_change change;
	bool kept;
	char *key;
	char *value;
	size_t value_len;
};

struct mem {
	struct batch batch;
	struct map objects;  /* struct row */
	struct list history; /* struct row, oldest first */
	size_t history_count;
};

static struct row *row_new(uint64_t revision, struct str_view key, struct str_view value)
{
	struct row *row = xcalloc(1, sizeof(*row));

	row->revision = revision;
	row->key = sv_dup(key);
	row->value = sv_dup(value);
	row->value_len = value.len;
	row->kept = true;
	return row;
}

static void row_free(struct row *row)
{
	list_remove(&row->link);
	free(row->key);
	free(row->value);
	free(row);
}

static void row_free_value(void *value)
{
	row_free(value);
}

/* All that lasts here happened in commit. */
static void mem_flush(struct batch *batch)
{
	struct mem *mem = CONTAINER_OF(batch, struct mem, batch);

	while (mem->history_count > STORE_HISTORY_MAX) {
		row_free(LIST_ENTRY(mem->history.next, struct row, link));
		mem->history_count--;
	}
}

static int mem_open(void **self, struct loop *loop, const char *where, struct err *err)
{
	struct mem *mem = xcalloc(1, sizeof(*mem));

	(void)where;
	(void)err;
	map_init(&mem->objects);
	list_init(&mem->history);
	batch_init(&mem->batch, loop, mem_flush);
	*self = mem;
	return 0;
}

static void mem_close(void *self)
{
	struct mem *mem = self;

	batch_deinit(&mem->batch);
	map_deinit(&mem->objects, row_free_value);
	LIST_EACH(&mem->history, node)
	row_free(LIST_ENTRY(node, struct row, link));
	free(mem);
}

static int mem_load(void *self, store_event_fn *each, void *arg, uint64_t *revision,
		    struct err *err)
{
	struct mem *mem = self;
	struct str_view key;
	void *value;

	(void)err;
	for (size_t it = 0; map_next(&mem->objects, &it, &key, &value);) {
		const struct row *row = value;

		each(arg, row->revision, key, sv_new(row->value, row->value_len));
	}
	*revision = mem->batch.delivered;
	return 0;
}

static void history_add(struct mem *mem, const struct batch_op *op, const struct row *before)
{
	struct str_view value = op->value;
	struct row *row;

	if (value.len == 0 && before != NULL)
		value = sv_new(before->value, before->value_len);
	if (store_key_secret(op->key) || value.len > STORE_HISTORY_VALUE_MAX)
		value = SV("");
	row = row_new(op->revision, op->key, value);
	row->kept = value.len > 0;
	row->change = before == NULL ? STORE_ADDED : STORE_MODIFIED;
	if (op->value.len == 0)
		row->change = STORE_DELETED;
	list_append(&mem->history, &row->link);
	mem->history_count++;
}

static void mem_commit(void *self, const struct store_op *op, store_done_fn *done, void *arg)
{
	struct mem *mem = self;
	struct batch_op *record = batch_add(&mem->batch, op, done, arg);
	struct row *before = map_get(&mem->objects, op->key);

	if (!batch_judge(&mem->batch, record, op->expect_revision,
			 before == NULL ? 0 : before->revision))
		return;
	history_add(mem, record, before);
	if (op->value.len == 0)
		map_remove(&mem->objects, record->key);
	else
		map_put(&mem->objects, record->key,
			row_new(record->revision, record->key, record->value));
	if (before != NULL)
		row_free(before);
}

static void mem_watch(void *self, store_event_fn *each, void *arg)
{
	struct mem *mem = self;

	mem->batch.each = each;
	mem->batch.each_arg = arg;
}

static uint64_t mem_oldest(void *self)
{
	struct mem *mem = self;

	if (list_empty(&mem->history))
		return mem->batch.delivered;
	return LIST_ENTRY(mem->history.next, struct row, link)->revision - 1;
}

static int mem_history(void *self, uint64_t after, store_past_fn *each, void *arg, struct err *err)
{
	struct mem *mem = self;

	if (batch_check_after(&mem->batch, after, mem_oldest(self), err) < 0)
		return -1;
	LIST_EACH(&mem->history, node)
	{
		const struct row *row = LIST_ENTRY(node, struct row, link);
		struct store_past past = {
			.revision = row->revision,
			.change = row->change,
			.key = sv_from(row->key),
			.value = sv_new(row->value, row->value_len),
			.kept = row->kept,
		};

		if (row->revision > after && row->revision <= mem->batch.delivered &&
		    !each(arg, &past))
			break;
	}
	return 0;
}

static bool mem_healthy(void *self, struct err *why)
{
	(void)self;
	if (why != NULL)
		why->code = ERR_NONE;
	return true;
}

const struct store_engine engine_mem = {
	.name = "memory",
	.open = mem_open,
	.close = mem_close,
	.load = mem_load,
	.commit = mem_commit,
	.watch = mem_watch,
	.oldest = mem_oldest,
	.history = mem_history,
	.healthy = mem_healthy,
};
