/* dataplane/udp.h - datagrams of UDPRoutes: one session for each client, one socket for each
 * session
 *
 * A session is a client's address and the address of ours that it writes to. Its socket is
 * connected to an endpoint, so the kernel takes answers from nobody else; they leave from the
 * address that the client wrote to. Only what a client sends keeps a session alive: whoever forges
 * a sender's address brings that one the answers of limits.udpIdle at most, and never more than the
 * backend sends. Nothing is kept of a datagram: what cannot be sent at once is dropped and counted.
 */
#ifndef DATAPLANE_UDP_H
#define DATAPLANE_UDP_H

#include "dataplane/listener.h"

struct udp;      /* of a worker: its sessions */
struct udp_port; /* of an acceptor */

struct udp *udp_new(struct worker *worker);
void udp_free(struct udp *udp); /* every port is closed */

/* Takes datagrams from the acceptor's socket. */
struct udp_port *udp_port_new(struct acceptor *acceptor);
void udp_port_ready(struct loop_fd *watch, unsigned events); /* acceptor->watch */
/* Ends its sessions. The port is gone. */
void udp_port_free(struct udp_port *port);

#endif
