/* dataplane/conn_io.h - what conn.c, conn_io.c, tls.c and listener.c share; no codec includes this
 *
 * conn_io.c moves bytes between socket, TLS and the codec; conn.c decides when, and when it ends.
 */
#ifndef DATAPLANE_CONN_IO_H
#define DATAPLANE_CONN_IO_H

#include "dataplane/buffers.h"
#include "dataplane/conn.h"
#include "dataplane/transport.h"
#include "dataplane/worker.h"

#include <assert.h>

#define CONN_CHECK(conn) assert((conn)->magic == CONN_MAGIC)

struct acceptor;

/* ---- conn.c ---- */
/* Takes fd. The connection lives until it ends by itself or by conn_abort. */
void conn_accept(struct acceptor *acceptor, int fd, const struct sock_addr *peer);
/* What runs may finish, then it closes; one that has asked for nothing yet gets a moment to. */
void conn_drain(struct conn *conn);
/* At once, from outside any callback of the connection. */
void conn_destroy(struct conn *conn);
/* Settles it (flush, drained, end) after the events of this turn. */
void conn_touch(struct conn *conn);
/* Settles all that were touched; run by the worker's task. */
void conn_settle_all(struct worker *worker);

/* ---- conn_proxy.c ---- */
/* Reads the PROXY header that the policy asks for. True: it has been read, or there is none. */
bool conn_greet(struct conn *conn);

/* ---- conn_io.c ---- */
/* False: this connection has read enough for this turn; it goes on in the next. */
bool conn_may_read(struct conn *conn);
/* One read(2) to the end of the window. */
enum conn_io conn_read(struct conn *conn, struct window *window);
/* Writes what is queued, until the socket is full. */
enum conn_io conn_send(struct conn *conn);

#endif
