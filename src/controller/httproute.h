/* controller/httproute.h - HTTPRoutes: attached, compiled, and what their statuses say
 *
 * One entry for each route. Attached anew when the Gateways are others, compiled anew when its spec
 * or what it refers to is another; otherwise a pass costs it a look. Control thread only.
 */
#ifndef CONTROLLER_HTTPROUTE_H
#define CONTROLLER_HTTPROUTE_H

#include "controller/attach.h"
#include "controller/routerule.h"

struct route {
	struct object *object; /* newest */
	struct attached attached;
	struct compiled compiled;
	uint64_t attach_epoch, grants_epoch; /* when that was done */
	json_t *status;                      /* as it should be; NULL: to be made */
	const struct object *verified;       /* object whose status is known to be that */
	uint64_t pass;                       /* seen last */
};

struct routes {
	struct map by_key; /* key -> struct route */
	struct attach_env attach;
	struct compile_env compile;
	uint64_t attach_epoch, grants_epoch, pass;
};

/* Brings every entry up to date with the store, in its order, and shows it to visit. True: some
 * route is served otherwise than in the pass before. */
bool routes_pass(struct routes *routes, const struct store *store,
		 void (*visit)(void *arg, const struct route *route), void *arg);
void routes_deinit(struct routes *routes);

/* Entries whose status is to be written, at most max; asked again, the next ones. */
size_t routes_statuses(struct routes *routes, int64_t now, size_t max,
		       void (*put)(void *arg, const struct object *object, json_t *status),
		       void *arg);
/* The status that was put last did not arrive. */
void routes_status_lost(struct routes *routes, struct str_view key);

/* Served by this parentRef: attached, and at least one rule runs as it is written. */
bool route_accepted(const struct route *route, size_t parent);
bool route_runs(const struct route *route);
/* status of an HTTPRoute, new; entries of other controllers and times of transition are taken from
 * the object's present one. */
json_t *route_status_make(const struct route *route, int64_t now);

#endif
