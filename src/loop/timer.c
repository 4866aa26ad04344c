/* loop/timer.c - timers of a loop, on a heap
 *
 * A node's key is never later than its timer's deadline. A deadline that moves later leaves the key
 * alone: when the key passes, the node is put where it belongs by then.
 */
#include "loop/loop_priv.h"

#include "base/clock.h"
#include "base/own.h"

#include <limits.h>

void timer_init(struct timer *timer, void (*fire)(struct timer *self))
{
	*timer = (struct timer){.fire = fire};
}

void timer_set(struct loop *loop, struct timer *timer, int64_t deadline)
{
	timer->deadline = deadline > 0 ? deadline : 1;
	if (loop->firing && timer->deadline <= loop->now)
		timer->deadline = loop->now + 1;
	if (timer->node.index == 0) {
		timer->node.key = timer->deadline;
		heap_insert(&loop->timers, &timer->node);
	} else if (timer->deadline < timer->node.key) {
		timer->node.key = timer->deadline;
		heap_changed(&loop->timers, &timer->node);
	}
}

void timer_in(struct loop *loop, struct timer *timer, int64_t delay_ms)
{
	int64_t deadline;

	if (!loop->running) /* between two runs the loop's time stands still */
		loop->now = clock_mono_ms();
	if (__builtin_add_overflow(loop->now, delay_ms, &deadline))
		deadline = INT64_MAX;
	timer_set(loop, timer, deadline);
}

void timer_stop(struct loop *loop, struct timer *timer)
{
	heap_remove(&loop->timers, &timer->node);
	timer->deadline = 0;
}

int loop_timers_wait(const struct loop *loop)
{
	const struct heap_node *first = heap_first(&loop->timers);
	int64_t wait;

	if (first == NULL)
		return -1;
	wait = first->key - clock_mono_ms(); /* not loop->now: the turn took its time */
	return wait < 0 ? 0 : wait > INT_MAX ? INT_MAX : (int)wait;
}

bool loop_timers_fire(struct loop *loop)
{
	struct heap_node *first;
	bool fired = false;

	loop->firing = true;
	while ((first = heap_first(&loop->timers)) != NULL && first->key <= loop->now) {
		struct timer *timer = CONTAINER_OF(first, struct timer, node);

		if (timer->deadline > first->key) { /* also when both have passed: in their order */
			first->key = timer->deadline;
			heap_changed(&loop->timers, first);
			continue;
		}
		timer_stop(loop, timer);
		timer->fire(timer);
		fired = true;
	}
	loop->firing = false;
	return fired;
}
