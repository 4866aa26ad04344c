/* dataplane/l4.h - what streams and datagrams have in common below HTTP: where a flow goes
 *
 * A flow is a connection of a TLSRoute or TCPRoute (stream.c), or what one client sends to a
 * UDPRoute (udp.c). It pins its rule and backend until it ends.
 */
#ifndef DATAPLANE_L4_H
#define DATAPLANE_L4_H

#include "dataplane/pool.h"
#include "dataplane/worker.h"

#define L4_TRIES_MAX 3 /* endpoints of one flow */

struct binding;

struct l4_flow {
	struct worker *worker;
	const struct binding *from; /* what it came by; borrowed */
	struct rule *rule;          /* pinned, or NULL */
	struct backend *backend;    /* pinned, or NULL */
	bool tls;                   /* to the backend, as backend->tls says */
	struct cert *client_cert;   /* pinned, for backends that ask for one; or NULL */
	struct endpoint *endpoint;  /* counted as active there, or NULL */
	uint64_t avoid;             /* id of the endpoint that failed last */
	unsigned tries;
	int64_t started_ms;
	uint64_t bytes_in, bytes_out; /* from and to the client */
	uint16_t status;              /* as HTTP would have answered: 200, 500, 502, 503 */
	const char *failure;          /* for the access log, or NULL */
};

/* Takes the rule (NULL: there is none) and chooses its backend by weight. False: the flow is to be
 * refused, status and failure say why. */
bool l4_begin(struct l4_flow *flow, struct rule *rule);
/* Remembers why the flow is refused; returns false. */
bool l4_refuse(struct l4_flow *flow, uint16_t status, const char *failure);
/* The endpoint for the next try; NULL: refused as above, or no try is left. */
struct endpoint *l4_next(struct l4_flow *flow);
/* The try failed: its endpoint is left alone for a while. */
void l4_failed(struct l4_flow *flow);
/* It failed at once, with that errno: when the host has no socket left, no other endpoint is tried
 * and none is left alone. */
void l4_undialled(struct l4_flow *flow, int error);
void l4_worked(struct l4_flow *flow);
/* Lets go of endpoint, rule and backend, and writes the line of the access log. */
void l4_end(struct l4_flow *flow, struct access_flow *line);

/* Would what goes to that address come back by a listener of ours of the same kind? */
bool l4_leads_back(const struct l4_flow *flow, const struct sock_addr *target);

#endif
