/* controller/selector.h - label selectors of Kubernetes (metav1.LabelSelector) */
#ifndef CONTROLLER_SELECTOR_H
#define CONTROLLER_SELECTOR_H

#include "codec/json.h"

#include <stdbool.h>

/* Does the selector take an object with these labels? No selector takes nothing, an empty one
 * everything. labels may be NULL: none. An operator that is not known takes nothing. */
bool label_selector_matches(const json_t *selector, const json_t *labels);

#endif
