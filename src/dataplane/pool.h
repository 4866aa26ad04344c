/* dataplane/pool.h - one worker's endpoints: idle connections, load, and whether they are to be
 * left alone
 *
 * Knows addresses and lists, not HTTP. upstream.c only.
 */
#ifndef DATAPLANE_POOL_H
#define DATAPLANE_POOL_H

#include "base/list.h"
#include "base/map.h"
#include "base/metric.h"
#include "dataplane/backend.h"
#include "loop/loop.h"

/* What is spoken on the connections of an endpoint. */
enum way {
	WAY_H1,         /* HTTP/1.1 */
	WAY_H2,         /* HTTP/2 with prior knowledge */
	WAY_TLS,        /* TLS, and what the handshake chooses */
	WAY_TLS_H1,     /* TLS, HTTP/1.1 only: a request that may become a tunnel */
	WAY_TLS_H2,     /* TLS, HTTP/2 only */
	WAY_TLS_STREAM, /* TLS, and whatever else (stream.c) */
	WAY_DATAGRAM    /* UDP: that its port is closed says nothing of TCP (udp.c) */
};

struct up_peer; /* up_tls.h */

struct endpoint { /* one address, one way to speak to it, as this worker knows it */
	struct sock_addr addr;
	enum way way;
	uint64_t id;      /* of this pool, from 1 on; never used again */
	struct list idle; /* newest first */
	unsigned idle_count, active;
	struct list sessions; /* HTTP/2 connections (up_h2.c) */
	struct list dials;    /* connections being made that requests wait for (up_dial.c) */
	uint32_t streams_max; /* HTTP/2: as it said last; 0: not known */
	unsigned lines;       /* sessions and dials */
	bool chose_h1;        /* its last handshake did */
	struct up_peer *peer; /* with TLS: once it was dialled */
	unsigned failures;    /* connects that failed in a row */
	unsigned troubles;    /* requests in a row that it did not do (pool_answered) */
	unsigned ejections;   /* how often that was too many lately: the rest grows */
	int64_t down_until;   /* passive ejection, monotonic ms; 0: fine */
	int64_t out_until;    /* the same, for its answers */
	struct pool *pool;
	int64_t used; /* last choice, monotonic ms */
};

struct pool {
	struct map endpoints; /* address bytes -> struct endpoint */
	uint64_t last_id;
	metric_counter *ejections; /* how often an endpoint was sent to rest; may be NULL */
};

void pool_init(struct pool *pool);
void pool_deinit(struct pool *pool); /* idle lists must be empty */

struct pool_wish {
	uint64_t random; /* 64 fresh bits */
	int64_t now;
	uint64_t avoid; /* id of the endpoint that has just failed; 0: none */
	enum way way;
	const struct cert *client_cert; /* or NULL */
};

/* Two endpoints drawn at random, the less busy one wins; those that failed lately are left out
 * while there is another. The backend has at least one endpoint. */
struct endpoint *pool_choose(struct pool *pool, const struct backend *backend,
			     const struct pool_wish *wish);
void pool_failed(struct endpoint *endpoint,
		 int64_t now); /* a connect failed: 1, 2, 4 … 30 s of rest */
void pool_worked(struct endpoint *endpoint);
/* Its answer, or what was answered for it since it broke off or said nothing. Five in a row of 502,
 * 503 and 504: 5, 10, 20 … 60 s of rest; an hour without that, and it begins anew. */
void pool_answered(struct endpoint *endpoint, int status, int64_t now);
/* Forgets endpoints that nobody has used for idle_ms and that hold no connection. */
void pool_sweep(struct pool *pool, int64_t now, int64_t idle_ms);

#endif
