/* loop/loop_priv.h - what loop.c and timer.c share; nobody else includes this */
#ifndef LOOP_LOOP_PRIV_H
#define LOOP_LOOP_PRIV_H

#include "loop/loop.h"

#include <sys/epoll.h>

#define LOOP_BATCH 128 /* events of one turn */

struct loop {
	int epfd;
	bool running, stopped;
	bool firing; /* timers are being fired: none may come due again in this turn */
	int64_t now;
	size_t watch_count;
	struct heap timers;
	struct list tasks, hooks;
	struct epoll_event events[LOOP_BATCH];
	int event_count, event_at; /* of the current turn */
};

/* Milliseconds until the first timer may be due; -1: none. */
int loop_timers_wait(const struct loop *loop);
bool loop_timers_fire(struct loop *loop); /* those due at loop->now; false: none was */

#endif
