/* dataplane/upstream_priv.h - what the files of the leg to a backend share; nobody else includes it
 */
#ifndef DATAPLANE_UPSTREAM_PRIV_H
#define DATAPLANE_UPSTREAM_PRIV_H

#include "dataplane/leg.h"
#include "dataplane/pool.h"
#include "dataplane/up_tls.h"
#include "dataplane/upstream.h"
#include "dataplane/worker.h"
#include "http/h1_body.h"
#include "http/h1_head.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define UP_MAGIC     0x55504354u
#define UP_CHECK(up) assert((up)->magic == UP_MAGIC)

enum up_state { UP_CONNECTING, UP_ACTIVE, UP_IDLE, UP_CLOSED };

struct upstream_conn { /* one connection to an endpoint; owned by the exchange or by the pool */
	struct leg leg;
	uint32_t magic;
	enum up_state state;
	struct loop_fd watch; /* owns the descriptor */
	struct up_tls *tls;   /* or NULL */
	struct upstreams *owner;
	struct endpoint *endpoint;
	struct list link; /* in endpoint->idle */
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
	struct up_contexts *contexts; /* of TLS */
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

static inline bool up_would_block(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* ---- the socket, with or without TLS ---- */
static inline ssize_t up_io_send(int fd, struct up_tls *tls, struct str_view bytes)
{
	ssize_t count;

	if (tls != NULL)
		return up_tls_write(tls, fd, bytes);
	count = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
	return count < 0 && up_would_block(errno) ? 0 : count; /* 0: the socket is full */
}

static inline ssize_t up_io_read(int fd, struct up_tls *tls, char *out, size_t room)
{
	return tls != NULL ? up_tls_read(tls, fd, out, room) : read(fd, out, room);
}

/* After a read that brought count of room bytes: is there, as far as can be known, more? */
static inline bool up_io_more(const struct up_tls *tls, ssize_t count, size_t room)
{
	return tls != NULL ? up_tls_more(tls) : (size_t)count == room;
}

/* ---- upstream.c ---- */
/* Begins to connect, or not (NULL, and *status): a word for the access log. watch->ready is set. */
const char *up_connect(struct upstreams *owner, struct endpoint *endpoint, struct loop_fd *watch,
		       bool *in_progress);
/* Makes content of what the exchange brings along from a leg that failed: true when that is raw. It
 * holds as much as a codec may bring. */
bool up_content(struct exchange *ex, struct buf *content);
/* What is held of the request when a leg fails before the backend saw anything. Takes content. */
void up_give_back(struct exchange *ex, struct buf *content);
/* HTTP/1.1 over a connection that stands: fd and tls (or NULL) are taken. */
void up_h1_begin(struct endpoint *endpoint, int fd, struct up_tls *tls, struct exchange *ex);
/* Closes the descriptor; the memory goes at the end of the turn, since callers may still look. */
void up_close(struct upstream_conn *up);
/* Reports the failure to the exchange and closes; without an exchange it just closes. */
void up_fail(struct upstream_conn *up, uint16_t status, const char *failure);
void up_arm(struct upstream_conn *up);  /* the deadline that its state asks for, from now on */
void up_idle(struct upstream_conn *up); /* into the pool */

/* ---- upstream_read.c ---- */
/* Reads until nothing more is to be had, or the client is full, or the response has ended. */
void up_read(struct upstream_conn *up);
/* The response has ended. surplus: bytes that came behind it. Pools the connection or closes it. */
void up_finished(struct upstream_conn *up, size_t surplus);

/* ---- up_dial.c: HTTP/2, or TLS ---- */
/* Joins a connection that is being made, or makes one. */
void up_dial_begin(struct endpoint *endpoint, struct exchange *ex);
void up_dial_close_all(struct endpoint *endpoint); /* when nobody waits any more */

/* ---- up_h2.c ---- */
/* fd and tls (or NULL) are taken. */
struct up_h2 *up_h2_new(struct upstreams *owner, struct endpoint *endpoint, int fd,
			struct up_tls *tls);
/* A connection that takes another request now; NULL: none. */
struct up_h2 *up_h2_find(const struct endpoint *endpoint);
void up_h2_begin(struct up_h2 *h2, struct exchange *ex);
void up_h2_close_all(struct endpoint *endpoint);

#endif
