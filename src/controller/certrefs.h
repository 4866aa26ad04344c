/* controller/certrefs.h - certificateRefs of a listener: Secrets, grants, and who will bring what
 * is missing */
#ifndef CONTROLLER_CERTREFS_H
#define CONTROLLER_CERTREFS_H

#include "controller/certs.h"
#include "controller/gateway.h"

struct certrefs_env {
	const struct store *store;
	struct certs *certs;
	struct graveyard *graveyard;
	bool http_listener; /* some HTTP listener can be served: HTTP-01 is possible */
};

/* Fills certs and cert_… of an HTTPS listener; what is fine is served, whatever the rest is. */
void certrefs_resolve(const struct certrefs_env *env, struct gw_listener *listener);

#endif
