/* loop/loop.c - turns of one thread's event loop over epoll */
#include "loop/loop_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct loop *loop_new(struct err *err)
{
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	struct loop *loop;

	if (epfd < 0) {
		err_set(err, ERR_IO, "cannot create an epoll descriptor: %s", strerror(errno));
		return NULL;
	}
	loop = xcalloc(1, sizeof(*loop));
	loop->epfd = epfd;
	loop->now = clock_mono_ms();
	heap_init(&loop->timers);
	list_init(&loop->tasks);
	list_init(&loop->hooks);
	return loop;
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	assert(loop->watch_count == 0 && loop->timers.count == 0);
	assert(list_empty(&loop->tasks) && list_empty(&loop->hooks));
	heap_deinit(&loop->timers);
	close(loop->epfd);
	free(loop);
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

int64_t loop_now(const struct loop *loop)
{
	return loop->now;
}

/* ---- descriptors ---- */

static struct epoll_event to_epoll(struct loop_fd *watch, unsigned events)
{
	struct epoll_event event = {.data.ptr = watch};

	event.events = ((events & LOOP_READ) != 0 ? EPOLLIN | EPOLLRDHUP : 0u) |
		       ((events & LOOP_WRITE) != 0 ? EPOLLOUT : 0u) |
		       ((events & LOOP_EDGE) != 0 ? EPOLLET : 0u);
	return event;
}

static unsigned from_epoll(uint32_t got, unsigned asked)
{
	unsigned events = ((got & (EPOLLIN | EPOLLRDHUP | EPOLLPRI)) != 0 ? LOOP_READ : 0u) |
			  ((got & EPOLLOUT) != 0 ? LOOP_WRITE : 0u) |
			  ((got & EPOLLRDHUP) != 0 ? LOOP_EOF : 0u);

	if ((got & (EPOLLERR | EPOLLHUP)) != 0)
		events |= LOOP_GONE | (asked & (LOOP_READ | LOOP_WRITE));
	return events;
}

int loop_add(struct loop *loop, struct loop_fd *watch, unsigned events, struct err *err)
{
	struct epoll_event event = to_epoll(watch, events);

	assert(!watch->registered && watch->ready != NULL);
	if (epoll_ctl(loop->epfd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
		return err_set(err, ERR_IO, "cannot watch descriptor %d: %s%s", watch->fd,
			       strerror(errno),
			       errno == ENOSPC ? " (see sysctl fs.epoll.max_user_watches)" : "");
	watch->registered = true;
	watch->events = events;
	loop->watch_count++;
	return 0;
}

int loop_change(struct loop *loop, struct loop_fd *watch, unsigned events)
{
	struct epoll_event event = to_epoll(watch, events);

	assert(watch->registered);
	if (epoll_ctl(loop->epfd, EPOLL_CTL_MOD, watch->fd, &event) < 0)
		return -1;
	watch->events = events;
	return 0;
}

void loop_remove(struct loop *loop, struct loop_fd *watch)
{
	if (!watch->registered)
		return;
	epoll_ctl(loop->epfd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->registered = false;
	loop->watch_count--;
	for (int i = loop->event_at; i < loop->event_count; i++) {
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
	}
}

/* False: nothing was dispatched. */
static bool run_events(struct loop *loop)
{
	bool ran = false;

	for (loop->event_at = 0; loop->event_at < loop->event_count;) {
		const struct epoll_event *event = &loop->events[loop->event_at++];
		struct loop_fd *watch = event->data.ptr;

		if (watch == NULL)
			continue;
		watch->ready(watch, from_epoll(event->events, watch->events));
		ran = true;
	}
	loop->event_count = loop->event_at = 0;
	return ran;
}

/* ---- tasks and hooks ---- */

/* Moves all nodes into an empty list, from which each can still be removed by its owner. */
static void move_all(struct list *from, struct list *to)
{
	list_init(to);
	if (list_empty(from))
		return;
	*to = *from;
	to->next->prev = to;
	to->prev->next = to;
	list_init(from);
}

void task_init(struct task *task, void (*run)(struct task *self))
{
	list_init(&task->link);
	task->run = run;
}

void task_defer(struct loop *loop, struct task *task)
{
	if (!list_linked(&task->link))
		list_append(&loop->tasks, &task->link);
}

void task_cancel(struct task *task)
{
	list_remove(&task->link);
}

/* Runs the tasks deferred until now; what they defer is for the next turn. */
static bool run_tasks(struct loop *loop)
{
	struct list batch;
	bool ran = false;

	move_all(&loop->tasks, &batch);
	while (!list_empty(&batch)) {
		struct task *task = LIST_ENTRY(batch.next, struct task, link);

		list_remove(&task->link);
		task->run(task);
		ran = true;
	}
	return ran;
}

void loop_hook_add(struct loop *loop, struct loop_hook *hook)
{
	list_append(&loop->hooks, &hook->link);
}

void loop_hook_remove(struct loop_hook *hook)
{
	list_remove(&hook->link);
}

static void run_hooks(struct loop *loop)
{
	struct list batch;

	move_all(&loop->hooks, &batch);
	while (!list_empty(&batch)) {
		struct loop_hook *hook = LIST_ENTRY(batch.next, struct loop_hook, link);

		list_remove(&hook->link);
		list_append(&loop->hooks, &hook->link);
		hook->turn_end(hook);
	}
}

/* ---- turns ---- */

/* False: epoll failed. */
static bool wait_for_events(struct loop *loop)
{
	int wait = list_empty(&loop->tasks) ? loop_timers_wait(loop) : 0;
	int count = epoll_wait(loop->epfd, loop->events, LOOP_BATCH, wait);

	if (count < 0 && errno != EINTR) {
		log_error("loop", "waiting for events failed: %s", strerror(errno));
		return false;
	}
	loop->event_count = count < 0 ? 0 : count;
	loop->now = clock_mono_ms();
	return true;
}

int loop_run(struct loop *loop)
{
	bool good = true;

	loop->running = true;
	while (!loop->stopped && (good = wait_for_events(loop))) {
		bool worked = run_events(loop);

		worked = loop_timers_fire(loop) || worked;
		worked = run_tasks(loop) || worked;
		if (worked)
			run_hooks(loop);
	}
	loop->running = loop->stopped = false;
	return good ? 0 : -1;
}
