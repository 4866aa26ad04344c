/* api/schema_json.h - a kind's table of members as an OpenAPI schema (JSON Schema of OpenAPI 3.0)
 *
 * What kubectl explain shows: members with their types, words, limits, defaults and forms. Pure.
 */
#ifndef API_SCHEMA_JSON_H
#define API_SCHEMA_JSON_H

#include "resource/kind.h"

/* New value: an object with all members of the kind, nothing referred to. */
json_t *schema_json(const struct kind *kind);

#endif
