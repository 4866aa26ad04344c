/* api/discovery.h - what the two forms of discovery share; private to this room
 *
 *     discovery.c       a list of groups, then a list of resources for each version
 *     aggregated.c      all of it in one answer, for clients that ask so (kubectl 1.27 and newer)
 */
#ifndef API_DISCOVERY_H
#define API_DISCOVERY_H

#include "api/request.h"

/* New arrays of strings; a list ends at max or at its first NULL. */
json_t *discovery_words(const char *const *list, size_t max);
json_t *discovery_verbs(const struct kind *kind);
json_t *discovery_status_verbs(const struct kind *kind);

/* Each group once: is this row the first one of its group? */
bool discovery_first_of_group(size_t at);

/* Answers /api and /apis in the aggregated form. False: the client did not ask for it. */
bool serve_aggregated(struct request *request);

#endif
