/* resource/condition.h - status.conditions (metav1.Condition) and observedGeneration */
#ifndef RESOURCE_CONDITION_H
#define RESOURCE_CONDITION_H

#include "codec/json.h"

#include <stdbool.h>

enum cond_status { COND_FALSE, COND_TRUE, COND_UNKNOWN };

struct condition {
	const char *type;
	enum cond_status status;
	const char *reason;  /* CamelCase, never empty */
	const char *message; /* plain words; may be "" */
	int64_t observed_generation;
};

/* Sets or replaces in an array of conditions; lastTransitionTime moves only when the status
 * changes. Returns whether anything changed. */
bool condition_set(json_t *conditions, const struct condition *condition, int64_t now);
bool condition_remove(json_t *conditions, const char *type);
/* Borrowed; NULL when absent. */
const json_t *condition_find(const json_t *conditions, const char *type);
/* In status.conditions of an object. */
bool condition_is_true(const json_t *object, const char *type);

#endif
