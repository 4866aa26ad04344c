/* dataplane/conn.h - one client connection: bytes in and out, plain or TLS, owned by one worker
 *
 * Answers: what bytes has the client sent, and may it be sent more? The codecs (transport.h) see
 * plaintext only. Nothing here blocks; everything runs on the worker's thread.
 *
 * Reading: conn_fill reads what the socket has into a buffer lent by the worker. What the codec
 * does not consume stays with the connection (which then keeps the buffer); a connection without
 * unread bytes holds no buffer. Writing: conn_write takes bytes (copies or encrypts them); they
 * leave the process in one write at the end of the codec's turn (conn_flush), so head and body
 * share a segment and a record.
 */
#ifndef DATAPLANE_CONN_H
#define DATAPLANE_CONN_H

#include "base/str.h"
#include "dataplane/limits.h"
#include "dataplane/snapshot.h"
#include "loop/loop.h"
#include "loop/sock.h"

#include <openssl/types.h>

struct worker;
struct transport;

enum conn_state { CONN_HANDSHAKE, CONN_SERVING, CONN_LINGER, CONN_CLOSED, CONN_STATE_COUNT };
enum conn_io { IO_OK, IO_AGAIN, IO_EOF, IO_ERROR };

#define CONN_MAGIC 0x434f4e4eu

struct conn {
	uint32_t magic;                    /* CONN_MAGIC while alive */
	enum conn_state state;             /* changed by conn.c alone */
	struct loop_fd watch;              /* owns the descriptor */
	struct worker *worker;             /* borrowed; outlives every conn */
	struct list link;                  /* in the worker's list of connections */
	struct acceptor *acceptor;         /* which listening socket it came from (listener.h) */
	struct sock_addr peer;             /* the client; with a PROXY header: whom that names */
	struct client_policy *policy;      /* pinned; NULL: none */
	const struct plane_limits *limits; /* of the policy, or of the plane */
	struct tls_conn *tls;              /* NULL: plain */
	struct client_hello *hello;        /* of a port with TLS passed through; else NULL */
	const struct transport *proto; /* h1_transport or h2_transport; NULL during the handshake */
	void *codec;                   /* the transport's state, owned by it */
	struct timer timer; /* the one deadline of the connection; set by conn_deadline */
	bool draining;      /* finish what runs, then close */
	bool peer_closed;   /* the client sent FIN (half-close) */
	bool greeted;       /* the PROXY header is read, when there is to be one */
	/* buffers: conn.c only */
	struct conn_buffers *buffers;
};

/* Unread plaintext. */
struct str_view conn_input(const struct conn *conn);
void conn_consume(struct conn *conn, size_t count);
/* Reads once more behind what is unread. IO_OK: there is more input than before (also the first
 * time after transport->open, when bytes came before it); IO_AGAIN: the kernel has none now (the
 * edge will tell; costs no system call), or the connection is closing; IO_EOF: the client sends
 * nothing more; IO_ERROR also when the unread bytes fill the buffer (the codec's limits are
 * smaller, so that is the codec's bug or a peer's trick). */
enum conn_io conn_fill(struct conn *conn);

/* Accepts all of it; sent at the end of this turn at the latest. Nothing is called back from in
 * here: errors come as transport->closed, room as transport->drained, both later. The codec stops
 * producing when conn_full says so and goes on at transport->drained. */
void conn_write(struct conn *conn, struct str_view bytes);
bool conn_full(const struct conn *conn);      /* at or above the high-water mark (limits.buffer) */
size_t conn_pending(const struct conn *conn); /* bytes written and not sent */
/* Bytes that the client has acknowledged so far. Asks the kernel: for deadlines only. */
uint64_t conn_taken(const struct conn *conn);
enum conn_io conn_flush(struct conn *conn); /* IO_AGAIN: the rest follows by itself */

/* The single deadline; what happens then is transport->timeout. 0: none. */
void conn_deadline(struct conn *conn, int64_t delay_ms);

/* Both may be called from the transport's callbacks, more than once. Afterwards writes are ignored
 * and the transport hears nothing but one last transport->closed, in a later callback, never from
 * in here. */
/* Ends it: after what is pending has left (FIN, then a short linger that reads what still comes, so
 * that the last answer is not lost to a reset), or at once with RST. */
void conn_close(struct conn *conn);
void conn_abort(struct conn *conn);

/* Ends our side: FIN (and close_notify) behind what is pending; what the client sends is still
 * read. Nothing may be written after. */
void conn_end(struct conn *conn);

/* The server name of the ClientHello, in lower case; empty for plain connections. */
struct str_view conn_sni(const struct conn *conn);
/* What certificate the client was asked for (tls_clients_id); 0: it was not asked. */
uint64_t conn_clients(const struct conn *conn);
/* The port in the snapshot the worker runs now; NULL: gone (draining). Valid within this turn. */
const struct snap_port *conn_port(const struct conn *conn);

#endif
