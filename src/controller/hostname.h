/* controller/hostname.h - which names a route gets on a listener (Gateway API,
 * HTTPRouteSpec.hostnames)
 *
 * Pure. Names are lower case, as admission takes them; "" stands for any name.
 */
#ifndef CONTROLLER_HOSTNAME_H
#define CONTROLLER_HOSTNAME_H

#include "base/str.h"

#include <stdbool.h>

/* Does pattern ("a.example", "*.example", "") stand for every name that name stands for? A wildcard
 * stands for one label or more. */
/* The next wider pattern: "a.b.c", "*.b.c", "*.c", "" (any). False: there is none. text holds the
 * result, and may hold *host. */
#define HOSTNAME_TEXT 256
bool hostname_widen(struct str_view *host, char text[HOSTNAME_TEXT]);
bool hostname_covers(struct str_view pattern, struct str_view name);
/* The more specific of the two, when they have names in common; else false. */
bool hostname_intersect(struct str_view listener, struct str_view route, struct str_view *both);

#endif
