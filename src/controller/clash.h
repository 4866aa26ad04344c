/* controller/clash.h - HTTPRoutes and GRPCRoutes that want one hostname of one listener
 *
 * Only one kind may have it (Gateway API, GRPCRouteSpec.hostnames): the oldest route, then the
 * first by "namespace/name". Routes are shown in that order; who comes later and has a name in
 * common with one of the other kind loses the listener. Pure over attachments.
 */
#ifndef CONTROLLER_CLASH_H
#define CONTROLLER_CLASH_H

#include "base/map.h"
#include "controller/attach.h"

/* Other kinds have listeners of their own protocols. */
#define CLASHING (ROUTE_BIT(ROUTE_HTTP) | ROUTE_BIT(ROUTE_GRPC))

struct clash {
	struct map claims; /* "listener hostname" -> kinds that have it, kinds below it */
};

/* Marks the attachments and parents that lose; true: some mark of a parent is another. */
bool clash_show(struct clash *clash, const struct object *route, struct attached *attached);
void clash_deinit(struct clash *clash);

#endif
