/* controller/ports.h - the sockets that listeners ask for: bound once, tried again when they failed
 *
 * Control thread only.
 */
#ifndef CONTROLLER_PORTS_H
#define CONTROLLER_PORTS_H

#include "controller/gateway.h"
#include "dataplane/plane.h"

struct port { /* one (address, port) of TCP or UDP */
	struct sock_addr addr;
	struct binding *binding; /* NULL: not bound, err says why */
	struct err err;
	unsigned failures;
	int64_t retry_at; /* monotonic ms */
	bool used;        /* in this pass */
	bool tls, datagram;
	struct client_policy *policy; /* of its listeners; borrowed */
	size_t count, size;
	struct snap_listener **listeners; /* of this pass; borrowed */
};

struct ports {
	struct map by_addr; /* text of the address, "udp " before those of UDP -> struct port */
	struct plane *plane;
	bool tried; /* something was bound, or failed to be; the caller takes it back */
};

/* A pass: begin; for each listener ports_bind, then ports_serve; end. */
void ports_begin(struct ports *ports);
/* Binds what the listener asks for, as far as it is not bound or waits for its next try; writes
 * bound, unbound, bind_message of the listener and address_bound of its Gateway. */
void ports_bind(struct ports *ports, struct gw_listener *listener, int64_t now);
void ports_serve(struct ports *ports, const struct gw_listener *listener,
		 struct snap_listener *served);
/* Forgets ports that nobody asked for. Returns when to try again (monotonic ms), 0: nothing. */
int64_t ports_end(struct ports *ports);
void ports_deinit(struct ports *ports);
/* Failed ports are tried again in the next pass, whatever their time is. */
void ports_try_again(struct ports *ports);

/* The ports that are bound, as a snapshot takes them; new array, listeners are borrowed. */
struct snap_port *ports_snapshot(const struct ports *ports, size_t *count);

/* Addresses of this host that somebody else can reach (no loopback or link-local ones, unless there
 * are no others), as [{"type": "IPAddress", "value": …}]; new. */
json_t *ports_host_addresses(const bool family_bound[2]);

#endif
