/* store/batch.h - what both engines share: the commits of one turn, and their answers in a later
 * one
 *
 * An engine adds each commit as it comes, judges it, and makes the whole batch lasting in flush, at
 * the end of the turn. The answers (done, then the change for the watcher) run as a task of the
 * next turn.
 */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "base/list.h"
#include "store/engine.h"

struct batch_op { /* one commit, from engine->commit to its answer */
	struct list link;
	store_done_fn *done;
	void *arg;
	uint64_t revision;          /* 0: refused */
	enum err_code code;         /* why it was refused */
	char *why;                  /* the sentence; heap */
	struct str_view key, value; /* into text */
	char text[];
};

struct batch {
	struct loop *loop;
	struct loop_hook hook;
	struct task deliver;
	struct list open;                  /* of this turn */
	struct list ready;                 /* flushed, to be answered */
	void (*flush)(struct batch *self); /* the engine's: makes open lasting, or refuses each */
	store_event_fn *each;              /* the watcher */
	void *each_arg;
	uint64_t revision;  /* counter: of the last op that was given one */
	uint64_t delivered; /* the last one whose done has run */
};

void batch_init(struct batch *batch, struct loop *loop, void (*flush)(struct batch *self));
void batch_deinit(struct batch *batch); /* flushes; answers that are due are dropped */
void batch_start(struct batch *batch, uint64_t revision); /* the counter as loaded */

/* Copies op; borrowed: the batch owns it. The engine judges it before the next one is added. */
struct batch_op *batch_add(struct batch *batch, const struct store_op *op, store_done_fn *done,
			   void *arg);
/* The comparison; current is the key's revision, 0 when absent. True: op has its revision now. */
bool batch_judge(struct batch *batch, struct batch_op *op, uint64_t expect, uint64_t current);
/* The whole turn failed: each open op is refused with ERR_IO and why. */
void batch_refuse(struct batch *batch, const char *why);
/* Can changes after a revision be told, when the history begins at oldest? Else ERR_GONE. */
int batch_check_after(const struct batch *batch, uint64_t after, uint64_t oldest, struct err *err);

#endif
