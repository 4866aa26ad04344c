/* cli/condition.h - what status.conditions say (and, of routes, status.parents[].conditions)
 *
 * Pure. A condition whose observedGeneration is older than the object's generation says nothing
 * yet.
 */
#ifndef CLI_CONDITION_H
#define CLI_CONDITION_H

#include "base/buf.h"
#include "codec/json.h"

#include <stdbool.h>

/* Of a list of conditions; types are compared without case. NULL: there is none. */
const json_t *condition_find(const json_t *conditions, struct str_view type);
/* Does the condition have the value ("True"), and is it about the present generation? Of a route:
 * for every parent. */
bool condition_met(const json_t *object, struct str_view type, struct str_view value);
/* "True" of a condition in status.conditions, or in a list of conditions? */
bool condition_is_true(const json_t *object, const char *type);
bool conditions_have_true(const json_t *conditions, const char *type);
/* "Ready is False (DoesNotExist): the Secret is absent"; "" when there is nothing to say. */
void condition_words(const json_t *object, struct str_view type, struct buf *out);

#endif
