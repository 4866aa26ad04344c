/* dataplane/buffers.h - the bytes of one connection: what came and waits, what goes and waits
 *
 * Memory is lent by the worker, in pieces of WORKER_BUFFER_SIZE, only while bytes are there. A
 * short rest of input (half a head) moves to a block of its own size, so that a slow client does
 * not hold a whole piece.
 */
#ifndef DATAPLANE_BUFFERS_H
#define DATAPLANE_BUFFERS_H

#include "base/list.h"
#include "base/str.h"
#include "dataplane/conn.h"
#include "dataplane/worker.h"

#include <sys/uio.h>

/* Bytes [start, end) of lent memory; data NULL: nothing is held. */
struct window {
	char *data;
	uint32_t start, end, size;
};

struct out_chunk;

struct conn_buffers {
	struct window in;     /* plaintext that the codec has not consumed */
	struct window cipher; /* TLS: read, not yet taken by OpenSSL */
	struct window staged; /* TLS: written by the codec, not yet sealed: less than a record */
	struct out_chunk *first, *last; /* what the socket gets */
	size_t queued;                  /* bytes in the chunks */
	uint64_t sent;                  /* bytes that the kernel has taken since the beginning */
	struct list touched;            /* in the worker's list of what to settle this turn */
	bool readable;                  /* the kernel may have more */
	bool fin;                       /* the kernel has the peer's FIN behind what is readable */
	bool eof;                       /* FIN or an error was read */
	bool ending;                    /* our side ends when all is sent (conn_end) */
	bool ended;                     /* and has */
	bool lingers;                   /* everything is sent: only discards */
	size_t discarded;
	bool blocked;   /* the socket took less than it was given */
	bool full;      /* reached the high-water mark; cleared when drained is called */
	bool announce;  /* bytes came before transport->open: the first conn_fill tells */
	bool failed;    /* reading or writing failed: to be closed at the next occasion */
	bool busy;      /* inside conn_run: it settles when that ends */
	bool resume;    /* reading was cut short by the budget */
	uint8_t budget; /* conn_fill calls left in this turn */
};

static inline uint32_t window_len(const struct window *window)
{
	return window->end - window->start;
}

static inline struct str_view window_view(const struct window *window)
{
	return sv_new(window->data == NULL ? NULL : window->data + window->start,
		      window_len(window));
}

/* Room behind the end, at least one byte unless the window is full; *room says how much. */
char *window_room(struct window *window, struct worker *worker, size_t *room);
/* Takes up to len bytes out of the front; returns how many. */
size_t window_take(struct window *window, char *out, size_t len);
/* Gives the memory back when nothing is held; a short rest moves to a small block. */
void window_settle(struct window *window, struct worker *worker);
void window_free(struct window *window, struct worker *worker);

/* Appends to what the socket gets. */
void buffers_queue(struct conn_buffers *buffers, struct worker *worker, const char *data,
		   size_t len);
/* At most max pieces of what is queued, for writev; returns how many. */
int buffers_pieces(const struct conn_buffers *buffers, struct iovec *pieces, int max);
void buffers_sent(struct conn_buffers *buffers, struct worker *worker, size_t count);
void buffers_free(struct conn_buffers *buffers, struct worker *worker);

#endif
