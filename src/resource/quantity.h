/* resource/quantity.h - Kubernetes' resource.Quantity, as far as it is a number of bytes */
#ifndef RESOURCE_QUANTITY_H
#define RESOURCE_QUANTITY_H

#include "codec/json.h"

#include <stdbool.h>
#include <stdint.h>

/* An integer, or "65536", "64Ki", "1M"; no fraction, no sign, no exponent. False: another value, or
 * too large. */
bool quantity_bytes(const json_t *value, uint64_t *bytes);

#endif
