/* acme/link.h - Link header fields (RFC 8288), as far as ACME uses them; pure */
#ifndef ACME_LINK_H
#define ACME_LINK_H

#include "base/str.h"

#include <stdbool.h>

/* The next link with relation rel ("alternate", "next", "terms-of-service") in *rest, which moves
 * on; false: no more. target is what stands between < and >, borrowed. */
bool link_next(struct str_view *rest, struct str_view rel, struct str_view *target);

#endif
