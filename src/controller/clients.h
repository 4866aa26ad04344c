/* controller/clients.h - client certificates that a Gateway asks for (spec.tls.frontend) */
#ifndef CONTROLLER_CLIENTS_H
#define CONTROLLER_CLIENTS_H

#include "controller/cas.h"
#include "controller/gateway.h"

struct clients_env {
	const struct store *store;
	struct cas *cas;
};

/* Fills clients_… of a listener. True: it may be served now and might not before, or the other way
 * round. */
bool clients_resolve(const struct clients_env *env, struct gw_listener *listener);
/* Some part of spec.tls.frontend lets clients in whatever they show. */
bool clients_insecure(const struct gateway *gateway);

#endif
