/* controller/queue.h - keys to reconcile: each once, now or later, in turns of the loop
 *
 * A key queued twice is done once. A key queued for later and then for now is done now. Several
 * keys are done in one turn, but never so many that the loop starves.
 */
#ifndef CONTROLLER_QUEUE_H
#define CONTROLLER_QUEUE_H

#include "base/str.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct queue;

typedef void queue_do_fn(void *arg, unsigned what, struct str_view key);

struct queue *queue_new(struct loop *loop, queue_do_fn *work, void *arg);
void queue_free(struct queue *queue);
void queue_add(struct queue *queue, unsigned what, struct str_view key);
/* At the earliest of this and what was asked before. */
void queue_add_in(struct queue *queue, unsigned what, struct str_view key, int64_t delay_ms);
/* Forgets a later turn of the key. */
void queue_drop(struct queue *queue, unsigned what, struct str_view key);
bool queue_idle(
	const struct queue *queue); /* nothing is to be done now (later turns do not count) */

/* Back-off of a failing key: 1, 2, 4 … 60 s with jitter of a quarter; forgotten by queue_succeeded.
 */
void queue_retry(struct queue *queue, unsigned what, struct str_view key);
void queue_succeeded(struct queue *queue, unsigned what, struct str_view key);

#endif
