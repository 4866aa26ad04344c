/* dataplane/limits.h - what a client may take, and how long: of all listeners, or by a policy */
#ifndef DATAPLANE_LIMITS_H
#define DATAPLANE_LIMITS_H

#include <stdint.h>

/* Every limit that protects a worker, with its default (sallyportd.yaml "limits:"; man
 * sallyportd.yaml). */
struct plane_limits {
	uint32_t connections;   /* per worker, downstream: 50,000 (bounded by RLIMIT_NOFILE too) */
	uint32_t request_line;  /* bytes: 8,192 -> 414 */
	uint32_t head;          /* bytes of a head: 32,768 -> 431 / 502 */
	uint32_t fields;        /* in a head: 128 -> 431 / 502 */
	uint32_t h2_streams;    /* concurrent per connection: 128 */
	uint32_t buffer;        /* bytes held per direction of an exchange: 262,144 */
	uint32_t upstream_idle; /* idle connections kept per endpoint and worker: 256 */
	uint32_t requests_per_conn;   /* 0: no limit */
	int64_t tls_handshake_ms;     /* 10,000 */
	int64_t request_head_ms;      /* first byte to end of head: 30,000 -> 408 */
	int64_t keepalive_idle_ms;    /* 75,000 */
	int64_t body_idle_ms;         /* no byte of a body either way: 60,000 -> 408 / 504 */
	int64_t upstream_connect_ms;  /* 5,000 -> next endpoint, then 503 */
	int64_t upstream_response_ms; /* request sent, no head: 60,000 -> 504 */
	int64_t upstream_idle_ms;     /* pooled: 50,000 */
	int64_t tunnel_idle_ms;       /* upgraded connections: 3,600,000 */
	uint32_t udp_sessions;        /* per worker: 10,000 -> who is silent longest goes */
	int64_t udp_idle_ms;          /* without a datagram of the client: 60,000 */
	int64_t drain_ms;             /* --drain-timeout: 20,000 */
	/* of a ClientTrafficPolicy only: */
	int64_t request_received_ms; /* first byte to end of content; 0: no limit -> 408 */
	uint32_t h2_window;          /* of a stream: 131,072 */
	uint32_t h2_conn_window;     /* of a connection: 1,048,576 */
};
extern const struct plane_limits plane_limits_default;

#endif
