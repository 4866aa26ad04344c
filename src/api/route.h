/* api/route.h - which objects a path means: group, version, kind, namespace, name, subresource
 *
 *     /api/v1/[namespaces/NS/]KINDS[/NAME[/status]]
 *     /apis/GROUP/VERSION/[namespaces/NS/]KINDS[/NAME[/status]]
 * Pure: asks the table of kinds only.
 */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include "api/target.h"
#include "resource/kind.h"

struct route {
	const struct kind *kind;
	const char *version; /* one of kind->versions */
	const char *ns;      /* of the target; "" for a cluster-scoped kind, NULL: all namespaces */
	const char *name;    /* of the target; NULL: the collection */
	bool status;         /* the subresource */
};

/* False: nothing is served there. Borrows from target. */
bool route_find(const struct target *target, struct route *route);

#endif
