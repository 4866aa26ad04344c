/* store/batch.c - what both engines share: the commits of one turn, and their answers in a later
 * one */
#include "store/batch.h"

#include "base/own.h"

#include <inttypes.h>
#include <stdlib.h>

static void op_free(struct batch_op *op)
{
	list_remove(&op->link);
	free(op->why);
	free(op);
}

static void batch_close_turn(struct batch *batch)
{
	if (list_empty(&batch->open))
		return;
	batch->flush(batch);
	LIST_EACH(&batch->open, node)
	{
		list_remove(node);
		list_append(&batch->ready, node);
	}
	task_defer(batch->loop, &batch->deliver);
}

static void on_turn_end(struct loop_hook *hook)
{
	batch_close_turn(CONTAINER_OF(hook, struct batch, hook));
}

static void op_answer(struct batch *batch, struct batch_op *op)
{
	struct err err = {.code = ERR_NONE};

	if (op->revision == 0)
		err_set(&err, op->code, "%s", op->why);
	else
		batch->delivered = op->revision;
	if (op->done != NULL)
		op->done(op->arg, op->revision, &err);
	if (op->revision != 0 && batch->each != NULL)
		batch->each(batch->each_arg, op->revision, op->key, op->value);
}

/* Callbacks may commit: those ops go to open, never to ready, so this ends. */
static void on_deliver(struct task *task)
{
	struct batch *batch = CONTAINER_OF(task, struct batch, deliver);

	while (!list_empty(&batch->ready)) {
		struct batch_op *op = LIST_ENTRY(batch->ready.next, struct batch_op, link);

		list_remove(&op->link);
		op_answer(batch, op);
		op_free(op);
	}
}

void batch_init(struct batch *batch, struct loop *loop, void (*flush)(struct batch *self))
{
	*batch = (struct batch){.loop = loop, .flush = flush};
	list_init(&batch->open);
	list_init(&batch->ready);
	task_init(&batch->deliver, on_deliver);
	batch->hook.turn_end = on_turn_end;
	loop_hook_add(loop, &batch->hook);
}

void batch_deinit(struct batch *batch)
{
	batch_close_turn(batch);
	task_cancel(&batch->deliver);
	loop_hook_remove(&batch->hook);
	LIST_EACH(&batch->ready, node)
	op_free(LIST_ENTRY(node, struct batch_op, link));
}

void batch_start(struct batch *batch, uint64_t revision)
{
	batch->revision = revision;
	batch->delivered = revision;
}

struct batch_op *batch_add(struct batch *batch, const struct store_op *op, store_done_fn *done,
			   void *arg)
{
	struct batch_op *record = xcalloc(1, sizeof(*record) + op->key.len + op->value.len + 1);

	record->done = done;
	record->arg = arg;
	if (op->key.len > 0)
		memcpy(record->text, op->key.data, op->key.len);
	if (op->value.len > 0)
		memcpy(record->text + op->key.len, op->value.data, op->value.len);
	record->key = sv_new(record->text, op->key.len);
	record->value = sv_new(record->text + op->key.len, op->value.len);
	/* Outside a turn (before loop_run) nothing else would bring the turn's end about. */
	if (list_empty(&batch->open))
		task_defer(batch->loop, &batch->deliver);
	list_append(&batch->open, &record->link);
	return record;
}

static void op_refuse(struct batch_op *op, enum err_code code, char *why)
{
	free(op->why);
	op->revision = 0;
	op->code = code;
	op->why = why;
}

bool batch_judge(struct batch *batch, struct batch_op *op, uint64_t expect, uint64_t current)
{
	bool deleting = op->value.len == 0;

	if (current == 0 && (deleting || expect != 0))
		op_refuse(op, ERR_NOT_FOUND, xasprintf("%.*s does not exist", SV_ARG(op->key)));
	else if (current != 0 && expect == 0 && !deleting)
		op_refuse(op, ERR_EXISTS, xasprintf("%.*s exists already", SV_ARG(op->key)));
	else if (expect != 0 && expect != current)
		op_refuse(op, ERR_CONFLICT,
			  xasprintf("%.*s changed meanwhile: it is at revision %" PRIu64
				    ", not %" PRIu64 "; read it again and repeat the change",
				    SV_ARG(op->key), current, expect));
	else
		op->revision = ++batch->revision;
	return op->revision != 0;
}

void batch_refuse(struct batch *batch, const char *why)
{
	LIST_EACH(&batch->open, node)
	op_refuse(LIST_ENTRY(node, struct batch_op, link), ERR_IO, xstrdup(why));
}

int batch_check_after(const struct batch *batch, uint64_t after, uint64_t oldest, struct err *err)
{
	if (after > batch->delivered)
		return err_set(err, ERR_GONE,
			       "revision %" PRIu64 " has not been yet: the newest is %" PRIu64,
			       after, batch->delivered);
	if (after < oldest)
		return err_set(err, ERR_GONE,
			       "revision %" PRIu64 " is too old: the history begins at %" PRIu64,
			       after, oldest);
	return 0;
}
