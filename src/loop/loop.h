/* loop/loop.h - one thread's event loop: descriptors, timers, deferred calls
 *
 * The only room that calls epoll_wait. One loop belongs to one thread; only mailbox.h crosses
 * threads. Callbacks run from loop_run, never inside the call that registered them.
 * A turn: wait -> descriptors -> timers -> deferred tasks -> turn-end hooks -> wait.
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct loop *loop_new(struct err *err);
void loop_free(struct loop *loop); /* everything registered must be gone */

/* Until loop_stop; 0, or -1 when epoll itself failed (logged). May be called again. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* the current turn is finished first, with its hooks */

/* Milliseconds of the monotonic clock, read once a turn. */
int64_t loop_now(const struct loop *loop);

/* ---- descriptors: embedded in their owner; registered once ---- */
#define LOOP_READ  1u
#define LOOP_WRITE 2u
#define LOOP_EDGE  4u /* edge-triggered: the owner reads until it sees less than it asked for */
#define LOOP_GONE \
	8u /* reported only: error or hang-up; the owner finds out by reading or writing */
#define LOOP_EOF                                                                           \
	16u /* reported only, with LOOP_READ: the peer ended its side; read until 0 comes, \
	     * also after a short read (no further edge will tell) */

struct loop_fd {
	int fd; /* owned by whoever embeds this */
	void (*ready)(struct loop_fd *self, unsigned events);
	bool registered; /* the loop's */
	unsigned events; /* the loop's: what is asked for */
};

/* With LOOP_GONE come READ and WRITE as far as asked for, so an owner that knows only those two
 * meets the error when it reads or writes. */
int loop_add(struct loop *loop, struct loop_fd *watch, unsigned events, struct err *err);
int loop_change(struct loop *loop, struct loop_fd *watch, unsigned events);
/* After this no event of the current turn reaches the owner either: it may be freed at once. */
void loop_remove(struct loop *loop, struct loop_fd *watch);

/* ---- timers ----
 * Lazy: moving a deadline later costs nothing (the heap is touched when the old deadline passes).
 */
struct timer {
	struct heap_node node; /* the loop's */
	int64_t deadline;      /* monotonic ms; 0: not armed */
	void (*fire)(struct timer *self);
};

void timer_init(struct timer *timer, void (*fire)(struct timer *self));
/* Arms or moves. What a timer sets while it fires comes at the earliest a millisecond later. */
void timer_set(struct loop *loop, struct timer *timer, int64_t deadline);
void timer_in(struct loop *loop, struct timer *timer, int64_t delay_ms); /* loop_now + delay */
void timer_stop(struct loop *loop, struct timer *timer);                 /* harmless when idle */
static inline bool timer_armed(const struct timer *timer)
{
	return timer->deadline != 0;
}

/* ---- deferred tasks: run once, later in this turn (or in the next when deferred by a task) ----
 */
struct task {
	struct list link; /* the loop's */
	void (*run)(struct task *self);
};

void task_init(struct task *task, void (*run)(struct task *self));
void task_defer(struct loop *loop, struct task *task); /* deferred twice: runs once */
void task_cancel(struct task *task);

/* Called at the end of every turn that did something, after the tasks (store commit, access log).
 */
struct loop_hook {
	struct list link;
	void (*turn_end)(struct loop_hook *self);
};

/* Borrowed until it is removed. */
void loop_hook_add(struct loop *loop, struct loop_hook *hook);
void loop_hook_remove(struct loop_hook *hook);

#endif
