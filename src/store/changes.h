/* store/changes.h - who is told of a change, and the memory of the last ones (the inside of
 * store.h) */
#ifndef STORE_CHANGES_H
#define STORE_CHANGES_H

#include "base/list.h"
#include "store/index.h"
#include "store/store.h"

/* JSON text of the states before and after, together; parsed they take several times that. What is
 * older is read from the engine. */
#define CHANGES_TEXT_MAX (8u << 20)

struct changes {
	struct list watches;
	struct list recent; /* oldest first: every change after floor */
	size_t recent_count, recent_text;
	uint64_t floor;
	uint64_t revision; /* of the last change published, or as loaded */
	bool publishing;
};

void changes_init(struct changes *changes);
void changes_deinit(struct changes *changes);
void changes_start(struct changes *changes, uint64_t revision); /* as loaded */

struct change { /* one, as it is published */
	enum store_change kind;
	struct object *object, *before;
};
/* Remembers it (with references of its own) and calls every watch whose prefix fits. */
void changes_publish(struct changes *changes, const struct change *change);
/* Forgets what is over the limits. At the end of a turn: the states replaced in it live that long.
 */
void changes_trim(struct changes *changes);

struct store { /* here because watch.c and store.c share it */
	struct loop *loop;
	const struct store_engine *engine;
	void *self; /* the engine's */
	struct index index;
	struct changes changes;
	struct loop_hook hook; /* trims */
	struct list writes;    /* given to the engine, not answered */
	struct list answered;  /* committed; the engine's change follows */
	struct list refused;   /* by the store itself, to be answered by refuse */
	struct task refuse;
	size_t pending;
};

#endif
