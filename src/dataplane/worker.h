/* dataplane/worker.h - one thread: its loop, connections, buffers, pools and counters */
#ifndef DATAPLANE_WORKER_H
#define DATAPLANE_WORKER_H

#include "base/list.h"
#include "base/metric.h"
#include "dataplane/access.h"
#include "dataplane/exchange.h"
#include "dataplane/h2_guard.h"
#include "dataplane/plane.h"
#include "loop/loop.h"

/* Counters of one worker; written by it alone, summed by plane_metrics. A row each in
 * plane_metrics.c. */
struct worker_metrics {
	metric_counter accepted, active, handshakes, handshake_failures, resumed;
	metric_counter requests_h1, requests_h2, status_class[6]; /* 1xx..5xx; [0]: none sent */
	metric_counter upstream_dials, upstream_reuses, upstream_failures, upstream_timeouts;
	metric_counter bytes_received, bytes_sent;
	metric_counter refused_connections; /* limits.connections */
	metric_counter bad_requests, timeouts;
	metric_counter proxy_headers, proxy_refused;
	metric_counter h2_resets, h2_attacks[H2_ATTACK_COUNT];
	metric_counter access_dropped;
	metric_counter challenges; /* tokens answered */
	metric_counter ejections;  /* endpoints sent to rest */
	metric_counter retries, mirrored, mirrors_dropped;
	metric_counter streams, streams_refused;
	metric_counter udp_sessions, udp_active, udp_in, udp_out, udp_dropped;
};

#define WORKER_BUFFER_SIZE 32768 /* of the lent read buffers: two full TLS records fit */

struct worker {
	struct loop *loop;
	const struct plane_config *config; /* immutable */
	const struct snapshot *snapshot;   /* swapped at the top of a turn, never inside one */
	struct upstreams *upstreams;
	struct udp *udp; /* NULL until a port of UDP is served */
	struct access_log *access;
	struct exchange_pool exchanges;
	struct tls_server *tls;
	const struct transport *h1, *h2; /* h1_transport, h2_transport; a test may put its own */
	struct worker_metrics metrics;
	struct list conns;
	uint32_t conn_count;
	struct list touched; /* connections to be settled at the end of this turn (conn.c) */
	struct task settle;
	bool draining;
	unsigned index;
	char date[32];                      /* HTTP date of this second */
	struct worker_internals *internals; /* worker.c: slab, sockets, mailbox, deferred frees */
};

/* Buffers of WORKER_BUFFER_SIZE; a bounded number is kept for reuse. */
char *worker_buffer_take(struct worker *worker);
void worker_buffer_give(struct worker *worker, char *buffer);

/* Frees with release(object) at the end of this turn: nothing is freed inside its own callback. */
void worker_free_later(struct worker *worker, void (*release)(void *object), void *object);

/* Somebody fetched a challenge's token: tells the control thread (copied; at most a few times a
 * second). */
void worker_challenge_fetched(struct worker *worker, struct str_view token);

/* Current HTTP date (RFC 9110, section 6.6.1), made once a second. */
struct str_view worker_date(struct worker *worker);

#endif
