/* dataplane/listener.h - one worker's listening socket of one binding, and the connections of it
 *
 * Lives until its last connection is gone. A binding that the snapshots no longer name is retired:
 * its queue is accepted empty, the socket closed, and its connections go on with the last snapshot
 * that named it until they are drained.
 */
#ifndef DATAPLANE_LISTENER_H
#define DATAPLANE_LISTENER_H

#include "dataplane/binding.h"
#include "dataplane/worker.h"

struct acceptor {
	struct list link;     /* in the worker's list of acceptors */
	struct loop_fd watch; /* the socket, level-triggered */
	struct worker *worker;
	struct binding *binding; /* a reference */
	const struct snap_port *port;
	const struct snapshot *held; /* retired: the snapshot that port points into; else NULL */
	struct udp_port *udp;        /* a socket of UDP: what takes its datagrams; else NULL */
	uint32_t conns;
	unsigned batch; /* accepted in one turn: doubles while more wait, so that one costs one call
			 */
	bool open;
	struct timer timer; /* retired: connections that last longer than the drain are cut */
};

/* Listens. Takes the reference on the binding. */
struct acceptor *acceptor_new(struct worker *worker, struct binding *binding,
			      const struct snap_port *port);
/* Accepts what is queued and closes the socket. Harmless when closed. */
void acceptor_close(struct acceptor *acceptor);
/* Closes it, drains its connections; they keep the snapshot. May free the acceptor. */
void acceptor_retire(struct acceptor *acceptor, const struct snapshot *held);
/* A connection of it is gone; a retired acceptor goes with its last one. */
void acceptor_conn_gone(struct acceptor *acceptor);
void acceptor_free(struct acceptor *acceptor);
/* Stops or goes on accepting: descriptors or memory ran out. */
void acceptor_pause(struct acceptor *acceptor, bool pause);

#endif
