/* controller/grants.h - ReferenceGrants: may an object of one namespace name one of another? */
#ifndef CONTROLLER_GRANTS_H
#define CONTROLLER_GRANTS_H

#include "codec/json.h"
#include "store/store.h"

#include <stdbool.h>

struct grant_ask { /* who refers to what; both groups are compared */
	const char *from_group, *from_kind, *from_ns;
	const char *to_group, *to_kind, *to_ns, *to_name;
};

/* Pure: does this one grant (an object of to_ns) permit it? */
bool grant_permits(const json_t *grant, const struct grant_ask *ask);
/* Within a namespace nothing needs a grant; else one in the namespace that is referred to. */
bool grants_permit(const struct store *store, const struct grant_ask *ask);

#endif
