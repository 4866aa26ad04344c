/* dataplane/access.h - the access log: one buffer per worker, one write per loop turn, no lock */
#ifndef DATAPLANE_ACCESS_H
#define DATAPLANE_ACCESS_H

#include "base/metric.h"
#include "loop/loop.h"

struct access_log;
struct exchange;

/* fd -1: off. Lines that do not fit while the descriptor is full are counted in dropped and left
 * out. */
struct access_log *access_new(struct loop *loop, int fd, bool json, metric_counter *dropped);
void access_free(struct access_log *log);
void access_reopen(struct access_log *log, int fd);
/* client, time, method, host, path, protocol, status, bytes, duration, rule, backend, failure */
void access_write(struct access_log *log, const struct exchange *ex);

#endif
