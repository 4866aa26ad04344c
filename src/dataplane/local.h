/* dataplane/local.h - answers made here: errors, redirects, challenges, preflights */
#ifndef DATAPLANE_LOCAL_H
#define DATAPLANE_LOCAL_H

#include "dataplane/exchange.h"

/* Sends a whole response. A body is text/plain (HEAD gets none); location is added when not empty.
 * Only before the response started. What the rule's ResponseHeaderModifier and CORS filter say of
 * its responses is said here too. location must live in the arena or for ever. */
void local_answer(struct exchange *ex, uint16_t status, struct str_view location,
		  struct str_view body);
/* "404 Not Found\n" and the like; to a call of gRPC, 200 with a grpc-status. */
void local_error(struct exchange *ex, uint16_t status);
/* 204 to a preflight request, as the filter says. */
void local_preflight(struct exchange *ex, const struct cors *cors);

#endif
