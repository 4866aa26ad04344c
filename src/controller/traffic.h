/* controller/traffic.h - ClientTrafficPolicies: which listener has which, and what they are told
 *
 * A policy is for a Gateway, or for one of its listeners; of two for the same the older one counts,
 * and one for a listener comes before one for the whole Gateway. Connections have their policy
 * before it is known which listener they are for: so all listeners of a socket have the same, or
 * none. Control thread only.
 */
#ifndef CONTROLLER_TRAFFIC_H
#define CONTROLLER_TRAFFIC_H

#include "controller/gateway.h"
#include "dataplane/plane.h"

#define TRAFFIC_PREFIX "gateway.envoyproxy.io/clienttrafficpolicies/"

struct traffic { /* one policy */
	struct object *object;
	int64_t created;
	struct client_policy *policy; /* owned */
};

struct traffics {
	bool dirty; /* a policy is another */
	size_t count, size;
	struct traffic *list; /* oldest first, then by name */
};

/* A pass: when policies or Gateways are others, reads all and writes each listener's traffic. */
void traffics_pass(struct traffics *traffics, const struct store *store,
		   const struct gateways *gateways, const struct plane_limits *limits,
		   struct graveyard *graveyard);
void traffics_deinit(struct traffics *traffics, struct graveyard *graveyard);

struct traffic_view { /* what a status is made of */
	const struct store *store;
	const struct gateways *gateways;
	int64_t now; /* wall clock, seconds */
};

typedef void traffic_status_fn(void *arg, const struct object *object, json_t *status);
/* Gives put (which takes it) the status of each, as things are after the pass. */
void traffics_statuses(struct traffics *traffics, const struct traffic_view *view,
		       traffic_status_fn *put, void *arg);

#endif
