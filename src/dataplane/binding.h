/* dataplane/binding.h - one bound (address, port): a listening socket for each worker
 *
 * Made by the control thread (plane.c), listened on by the workers (listener.c). Counted: the plane
 * holds it until no snapshot names it, each worker while it has connections of it.
 */
#ifndef DATAPLANE_BINDING_H
#define DATAPLANE_BINDING_H

#include "base/list.h"
#include "loop/sock.h"

#include <stdatomic.h>

struct binding {
	struct list link; /* control thread: in the plane's list */
	struct sock_addr addr;
	bool datagram;  /* UDP */
	bool published; /* control thread: workers have been told, and close the sockets */
	_Atomic unsigned refs;
	_Atomic unsigned open;  /* sockets not closed yet: while there are any, the port is ours */
	_Atomic unsigned conns; /* of all workers */
	unsigned count;
	int fds[]; /* one for each worker, which owns it once the binding is published */
};

void binding_ref(struct binding *binding);
void binding_unref(struct binding *binding);                  /* any thread */
void binding_close(struct binding *binding, unsigned worker); /* any thread; that worker's socket */

#endif
