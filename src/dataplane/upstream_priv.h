/* dataplane/upstream_priv.h - what upstream.c (sending, connecting, pooling) and upstream_read.c
 * (receiving) share; nobody else includes it
 */
#ifndef DATAPLANE_UPSTREAM_PRIV_H
#define DATAPLANE_UPSTREAM_PRIV_H

#include "dataplane/pool.h"
#include "dataplane/upstream.h"
#include "dataplane/worker.h"
#include "http/h1_body.h"
#include "http/h1_head.h"

#include <assert.h>

#define UP_MAGIC     0x55504354u
#define UP_CHECK(up) assert((up)->magic == UP_MAGIC)

enum up_state { UP_CONNECTING, UP_ACTIVE, UP_IDLE, UP_CLOSED };

struct upstream_conn { /* one connection to an endpoint; owned by the exchange or by the pool */
	uint32_t magic;
	enum up_state state;
	struct loop_fd watch; /* owns the descriptor */
	struct upstreams *owner;
	struct endpoint *endpoint;
	struct list link; /* in endpoint->idle */
	struct exchange *ex;
	struct timer timer;
	struct task turn; /* flush, or report a failure, at the end of this turn */
	struct buf out;
	char *in; /* unread bytes of a head, in a buffer of the worker's */
	size_t in_len;
	struct h1_head head;
	struct h1_body body;
	unsigned interims;
	int64_t idle_since;
	const char *failure; /* to be reported by turn */
	uint16_t failure_status;
	bool reused;       /* from the pool: the backend may have closed it meanwhile */
	bool wrote, heard; /* any byte */
	bool request_done, head_done, response_done;
	bool readable, eof; /* the kernel may have bytes; the peer has ended its side */
	bool paused;        /* the client is full */
	bool full;          /* the backend is full: the codec was told to wait */
	bool streams;       /* events: long silences are normal */
	bool half_closed;   /* our side of a tunnel has ended */
};

struct upstreams {
	struct worker *worker;
	struct pool pool;
	struct timer sweep;
};

static inline const struct plane_limits *up_limits(const struct upstream_conn *up)
{
	return &up->owner->worker->config->limits;
}

static inline struct loop *up_loop(const struct upstream_conn *up)
{
	return up->owner->worker->loop;
}

/* ---- upstream.c ---- */
/* Closes the descriptor; the memory goes at the end of the turn, since callers may still look. */
void up_close(struct upstream_conn *up);
void up_unlink(struct upstream_conn *up); /* the exchange and the connection forget each other */
/* Reports the failure to the exchange and closes; without an exchange it just closes. */
void up_fail(struct upstream_conn *up, uint16_t status, const char *failure);
void up_arm(struct upstream_conn *up);  /* the deadline that its state asks for, from now on */
void up_idle(struct upstream_conn *up); /* into the pool */
bool up_would_block(int error);

/* ---- upstream_read.c ---- */
/* Reads until nothing more is to be had, or the client is full, or the response has ended. */
void up_read(struct upstream_conn *up);
/* The response has ended. surplus: bytes that came behind it. Pools the connection or closes it. */
void up_finished(struct upstream_conn *up, size_t surplus);

#endif
