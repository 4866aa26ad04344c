/* controller/telling.h - conditions that a status is made of, and the entries of status.parents and
 * status.ancestors that hold them (Gateway API: RouteStatus, PolicyStatus)
 *
 * Pure. Conditions go on from those that are there, so that lastTransitionTime stays right.
 */
#ifndef CONTROLLER_TELLING_H
#define CONTROLLER_TELLING_H

#include "codec/json.h"
#include "resource/condition.h"
#include "store/object.h"

struct telling {            /* conditions being made */
	json_t *conditions; /* new, the caller's */
	int64_t generation, now;
};

/* before: the conditions that are there; NULL: none. now: wall clock, seconds. */
struct telling telling_new(const json_t *before, const struct object *object, int64_t now);
void tell(struct telling *telling, const char *type, enum cond_status status, const char *reason,
	  const char *message);
/* What is not told of. */
void untell(struct telling *telling, const char *type);

/* ---- entries: each controller has its own ---- */

enum entry_kind { ENTRY_PARENT, ENTRY_ANCESTOR };

/* New list of those of other controllers. */
json_t *entries_of_others(const json_t *entries);
/* The conditions of our entry for ref, borrowed; NULL: there is none. */
const json_t *entry_conditions(const json_t *entries, enum entry_kind kind, const json_t *ref);
/* New; takes ref and conditions. */
json_t *entry_new(enum entry_kind kind, json_t *ref, json_t *conditions);

#endif
