/* base/metric.h - counters that are passed in, and their Prometheus text form
 *
 * Each thread owns its counters (relaxed atomics: one writer, any reader); the reader sums them.
 */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "base/buf.h"

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t metric_counter;

static inline void metric_add(metric_counter *counter, uint64_t count)
{
	/* one writer: a plain load and store, no locked instruction */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + count,
			      memory_order_relaxed);
}

static inline uint64_t metric_get(const metric_counter *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* "# HELP name help\n# TYPE name type\n"; type is "counter" or "gauge". */
void metric_head(struct buf *out, const char *name, const char *type, const char *help);
/* One sample; labels is "" or "a=\"b\"" with values escaped by metric_label. */
void metric_sample(struct buf *out, const char *name, const char *labels, double value);
void metric_label(struct buf *out, const char *name,
		  struct str_view value); /* name="escaped", comma between */

#endif
