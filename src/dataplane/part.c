/* dataplane/part.c - what snapshots share: owners, pins, the graveyard */
#include "dataplane/part.h"

#include <assert.h>

void part_init(struct part *part, void (*destroy)(struct part *, struct graveyard *))
{
	*part = (struct part){.owners = 1, .destroy = destroy};
}

void part_ref(struct part *part)
{
	assert(part->owners > 0);
	part->owners++;
}

void part_unref(struct part *part, struct graveyard *graveyard)
{
	if (part == NULL)
		return;
	assert(part->owners > 0);
	if (--part->owners > 0)
		return;
	part->buried = graveyard->newest;
	part->next_dead = graveyard->dead;
	graveyard->dead = part;
}

/* A part buried when generation G was the newest may be seen by workers that run G or older. Its
 * own parts are let go of in destroy, which buries them: the loop goes on until nothing more falls
 * out. */
size_t graveyard_sweep(struct graveyard *graveyard, uint64_t acknowledged)
{
	struct part *keep = NULL;
	size_t kept = 0;

	while (graveyard->dead != NULL) {
		struct part *part = graveyard->dead;

		graveyard->dead = part->next_dead;
		if (part->buried < acknowledged &&
		    atomic_load_explicit(&part->pins, memory_order_acquire) == 0) {
			part->destroy(part, graveyard);
			continue;
		}
		part->next_dead = keep;
		keep = part;
		kept++;
	}
	graveyard->dead = keep;
	return kept;
}

uint64_t part_id(void)
{
	static _Atomic uint64_t next = 1; /* identity, not state: never read back */

	return atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);
}
