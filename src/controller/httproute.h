/* controller/httproute.h - HTTPRoutes and GRPCRoutes: attached, compiled, what their statuses say
 *
 * One entry for each route. Attached anew when the Gateways are others, compiled anew when its spec
 * or what it refers to is another; otherwise a pass costs it a look. Control thread only.
 */
#ifndef CONTROLLER_HTTPROUTE_H
#define CONTROLLER_HTTPROUTE_H

#include "base/list.h"
#include "controller/attach.h"
#include "controller/routerule.h"

struct route {
	struct list link, to_judge; /* in routes->all; in routes->to_judge */
	char *key;
	struct object *object; /* newest; NULL: it was deleted */
	bool changed;          /* another spec than what was compiled */
	int64_t created;
	struct attached attached;
	struct compiled compiled;
	struct matches matches;              /* of object, with the compiled rules */
	uint64_t attach_epoch, grants_epoch; /* when that was done */
	json_t *status;                      /* as it should be; NULL: to be made */
};

struct routes {
	struct map by_key;    /* key -> struct route */
	struct list all;      /* in order of arrival */
	struct list to_judge; /* those whose stored status may not be what it should be */
	struct attach_env attach;
	struct compile_env compile;
	uint64_t attach_epoch, grants_epoch;
	bool dirty;   /* some route came, went, or has another spec */
	bool clashed; /* in the last pass there were kinds that may clash (clash.h) */
	size_t counts[ROUTE_KIND_COUNT]; /* of the last pass */
};

void routes_init(struct routes *routes);
void routes_deinit(struct routes *routes);
/* A route came, changed or went (before, after NULL). Nothing is compiled before routes_pass.
 */
void routes_changed(struct routes *routes, const struct object *before, const struct object *after);
/* Brings every route up to date and shows it to visit. */
void routes_pass(struct routes *routes, void (*visit)(void *arg, struct route *route), void *arg);

/* Statuses that are to be written, at most max; asked again, the next ones. */
size_t routes_statuses(struct routes *routes, int64_t now, size_t max,
		       void (*put)(void *arg, const struct object *object, json_t *status),
		       void *arg);
/* The status that was put last did not arrive. */
void routes_status_lost(struct routes *routes, struct str_view key);

/* At least one rule runs as it is written. */
bool route_runs(const struct route *route);

#endif
