/* controller/gwstatus.h - statuses of GatewayClasses, Gateways, ListenerSets and Backends (Gateway
 * API)
 */
#ifndef CONTROLLER_GWSTATUS_H
#define CONTROLLER_GWSTATUS_H

#include "controller/listenerset.h"

struct gwstatus_env {
	bool acknowledged; /* all workers run what the last pass made */
	int64_t now;
};

/* New values; times of transition are taken from the object's present status. */
json_t *gwstatus_class(const struct object *class, int64_t now);
/* A number that stands for all that gwstatus_gateway makes a status of, but for the status that is
 * stored and the addresses of the host; never 0. */
uint64_t gwstatus_print(const struct gateway *gateway, const struct gwstatus_env *env);
json_t *gwstatus_gateway(const struct gateway *gateway, const struct gwstatus_env *env);
/* Counts the ListenerSets of each Gateway that are accepted, for the statuses that follow. */
void gwstatus_count_sets(const struct gateways *gateways);
/* NULL: of a Gateway that is not ours. */
json_t *gwstatus_listenerset(const struct listenerset *set, const struct gwstatus_env *env);
/* problem: NULL, or why it is not accepted. */
json_t *gwstatus_backend(const struct object *backend, const char *problem, int64_t now);

#endif
