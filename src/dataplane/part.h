/* dataplane/part.h - what snapshots share: counted by one thread, looked at by all
 *
 * The control thread counts owners (part_ref, part_unref); a worker that keeps a part past a turn
 * pins it with an atomic counter. A part that nobody owns any more goes to a graveyard, and the
 * control thread frees it when all workers run a newer generation and its pins are gone. Workers
 * never free.
 */
#ifndef DATAPLANE_PART_H
#define DATAPLANE_PART_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct graveyard;

/* First member of every shared part. */
struct part {
	unsigned owners;       /* control thread only */
	_Atomic unsigned pins; /* workers: part_pin/part_unpin */
	void (*destroy)(struct part *part, struct graveyard *graveyard);
	uint64_t buried;        /* newest generation published when the last owner let go */
	struct part *next_dead; /* graveyard */
};

/* Parts without owner that a worker may still look at. One for each plane (plane_graveyard). */
struct graveyard {
	struct part *dead;
	uint64_t newest; /* generation published last */
};

static inline void part_pin(struct part *part)
{
	atomic_fetch_add_explicit(&part->pins, 1, memory_order_relaxed);
}

static inline void part_unpin(struct part *part)
{
	atomic_fetch_sub_explicit(&part->pins, 1, memory_order_release);
}

/* One owner: the caller. destroy lets go of the parts that it refers to, and frees it. */
void part_init(struct part *part, void (*destroy)(struct part *part, struct graveyard *graveyard));
void part_ref(struct part *part);
/* The last owner buries it; NULL is fine. */
void part_unref(struct part *part, struct graveyard *graveyard);
/* Frees what was buried before the generation that all workers run and is not pinned; returns how
 * many parts remain. Called by plane.c after each acknowledgement and from a slow timer. */
size_t graveyard_sweep(struct graveyard *graveyard, uint64_t acknowledged);
/* Never the same twice in a process: what the workers' caches know a part by. Any thread. */
uint64_t part_id(void);

#endif
