/* controller/served.h - listeners as the workers serve them, kept from pass to pass
 *
 * A hostname whose routes are those of the pass before keeps its vhost, a listener with the same
 * vhosts and certificates keeps its snap_listener. Control thread only.
 */
#ifndef CONTROLLER_SERVED_H
#define CONTROLLER_SERVED_H

#include "controller/httproute.h"

struct served {
	struct snap_listener *listener; /* owned; NULL until served_build */
	struct map hosts;               /* name -> struct served_host */
	bool used;                      /* in this pass */
	bool collected;                 /* routes were added since the hosts were built */
};

struct served_all {
	struct map by_id; /* "namespace/gateway/listener" -> struct served */
};

/* A pass: begin, get one for each listener, add its routes; build each; end. When no route is
 * another, all but building can be left out. */
void served_begin(struct served_all *all);
struct served *served_get(struct served_all *all, const struct gw_listener *listener);
void served_add(struct served *served, struct attachment *attachment, const struct route *route);
/* Makes served->listener right for what was added since served_begin and the listener's
 * certificates. */
void served_build(struct served *served, const struct gw_listener *listener,
		  struct graveyard *graveyard);
/* Lets go of what was not begun since served_begin. */
void served_end(struct served_all *all, struct graveyard *graveyard);
void served_deinit(struct served_all *all, struct graveyard *graveyard);

#endif
