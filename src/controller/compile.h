/* controller/compile.h - what the other controllers ask of the compiler (compile.c)
 *
 * compile.c is the only bridge from the store to the data plane: it decides what is served, and
 * writes the statuses of GatewayClasses, Gateways, HTTPRoutes and Backends. Control thread only.
 */
#ifndef CONTROLLER_COMPILE_H
#define CONTROLLER_COMPILE_H

#include "controller/controller.h"

#define COMPILE_PROBES_MAX 256

/* A token of the self-check: served like a challenge, held in memory only. Adding one that is there
 * changes its answer. False: there are too many. */
bool compile_probe_add(struct controllers *controllers, struct str_view host, struct str_view token,
		       struct str_view answer);
void compile_probe_remove(struct controllers *controllers, struct str_view host,
			  struct str_view token);
/* Do all workers answer this token (of a Challenge or a probe) now? When a Challenge's token begins
 * to be answered, the Order that owns the Challenge is queued (CTL_ORDER, the Order's key). */
bool compile_challenge_served(const struct controllers *controllers, struct str_view token);
/* Is some HTTP listener bound and served? Without one HTTP-01 cannot succeed. */
bool compile_has_http(const struct controllers *controllers);
/* The same of HTTPS listeners, for TLS-ALPN-01. */
bool compile_has_https(const struct controllers *controllers);
/* Does an HTTP listener of ours take connections to this address (its port is not looked at)? */
bool compile_http_bound(const struct controllers *controllers, const struct sock_addr *addr);

#endif
