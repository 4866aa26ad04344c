/* dataplane/access.h - the access log: one buffer per worker, one write per loop turn, no lock
 *
 * Text, a line for each exchange, the first seven fields as in the Common Log Format:
 *   client - - [time] "METHOD path PROTOCOL" status bytes "host" seconds "rule" "backend" failure
 * JSON, an object on each line: time client method host path protocol status bytes bytes_in
 *   duration_ms rule backend failure.
 * What is missing is "-" (JSON: ""). Quotes, backslashes and all bytes outside of printable ASCII
 * are escaped (\xHH; JSON: \u00HH), so no client forges a line. Long values are cut.
 */
#ifndef DATAPLANE_ACCESS_H
#define DATAPLANE_ACCESS_H

#include "base/metric.h"
#include "loop/loop.h"
#include "loop/sock.h"

struct access_log;
struct exchange;

/* Takes fd, which is best O_NONBLOCK where it can block; -1: off. Lines that do not fit while the
 * descriptor is full are counted in dropped and left out. */
struct access_log *access_new(struct loop *loop, int fd, bool json, metric_counter *dropped);
void access_free(struct access_log *log);
void access_reopen(struct access_log *log, int fd); /* takes fd, closes the one before */
void access_write(struct access_log *log, const struct exchange *ex);

struct access_flow { /* a stream or a UDP session; its method is STREAM */
	const struct sock_addr *peer;
	const char *protocol;  /* "TLS", "TCP", "UDP" */
	struct str_view host;  /* server name, or "" */
	struct str_view inner; /* first protocol that ALPN offered; stands as the path */
	struct str_view rule, backend;
	const char *failure; /* or NULL */
	uint16_t status;     /* 200, or as HTTP would have answered */
	uint64_t bytes, bytes_in;
	int64_t started_ms;
	bool unlogged; /* leave it out */
};
void access_write_flow(struct access_log *log, const struct access_flow *flow);

#endif
