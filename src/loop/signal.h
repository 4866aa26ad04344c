/* loop/signal.h - signals as events of a loop (signalfd) */
#ifndef LOOP_SIGNAL_H
#define LOOP_SIGNAL_H

#include "loop/loop.h"

struct signals;

/* Blocks the signals for the calling thread and those it starts later; caught runs on the loop. */
struct signals *signals_new(struct loop *loop, const int *numbers, size_t count,
			    void (*caught)(void *arg, int number), void *arg, struct err *err);
void signals_free(struct signals *signals); /* the signals stay blocked: a late one kills nobody */

#endif
