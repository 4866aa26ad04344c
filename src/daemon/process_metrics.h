/* daemon/process_metrics.h - what Prometheus shows of every process, and which version this is */
#ifndef DAEMON_PROCESS_METRICS_H
#define DAEMON_PROCESS_METRICS_H

#include "base/buf.h"

#include <stdint.h>

/* started: seconds since the epoch. What the kernel does not tell is left out. */
void process_metrics(struct buf *out, int64_t started);

#endif
