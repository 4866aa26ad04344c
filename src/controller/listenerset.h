/* controller/listenerset.h - ListenerSets: listeners that others add to a Gateway
 *
 * A set that its Gateway allows (spec.allowedListeners) gives its listeners to the Gateway, behind
 * the Gateway's own and those of older sets; the array of the Gateway holds them all. Built anew
 * with the Gateways. Control thread only.
 */
#ifndef CONTROLLER_LISTENERSET_H
#define CONTROLLER_LISTENERSET_H

#include "controller/gateway.h"

enum set_state {
	SET_ATTACHED,
	SET_NOT_ALLOWED, /* by the Gateway */
	SET_NO_GATEWAY,  /* there is none of that name */
	SET_FOREIGN      /* not one of our Gateways */
};

struct listenerset {
	struct object *object; /* newest: what a status is written to */
	struct object *spec;   /* what this was built from */
	char *id;              /* "namespace/name" */
	int64_t created;
	enum set_state state;
	struct gateway *gateway; /* SET_ATTACHED, SET_NOT_ALLOWED */
	size_t first, count;     /* its listeners in the Gateway's array; attached ones only */
};

/* After the Gateways: reads every set and adds the listeners of those that are allowed. */
void listenersets_load(struct gateways *gateways, const struct store *store);
void listenersets_deinit(struct gateways *gateways);
/* As gateways_follow. */
bool listenersets_follow(struct gateways *gateways, const struct store *store);
struct listenerset *listenersets_find(const struct gateways *gateways, struct str_view id);

/* The Gateway or ListenerSet that it stands in: as it was read, and the newest. */
const struct object *listener_owner(const struct gw_listener *listener);
const struct object *listener_object(const struct gw_listener *listener);
char *listener_id(const struct gw_listener *listener); /* heap; unlike all others */

/* Of a reference of kind ListenerSet or Gateway that has the API's defaults: does it name this
 * kind? */
bool is_gateway_api_ref(const json_t *ref, const char *kind);

#endif
