/* controller/shim_routes.h - certificates for the hostnames of the routes on listeners without one
 *
 * A Gateway or ListenerSet annotated "sallyport.dev/certificates: routes" gets a Certificate for
 * each hostname of the HTTPRoutes that attach to such a listener: one each, so that a name that
 * cannot be validated stops no other. Their Secrets stand beside those of certificateRefs, under
 * their names with the hostname behind, and say whose they are.
 */
#ifndef CONTROLLER_SHIM_ROUTES_H
#define CONTROLLER_SHIM_ROUTES_H

#include "controller/ctl.h"

#define NOTE_CERTIFICATES "sallyport.dev/certificates" /* of a Gateway or set: "routes" */
#define NOTE_ROUTES_OF    "sallyport.dev/routes-of"    /* of a Secret: shim_routes_of */
#define ROUTE_NAMES_MAX   63 /* of a listener: LISTENER_CERTS_MAX and one of certificateRefs */

/* Does the Gateway, or the ListenerSet, ask for it? */
bool shim_by_routes(const struct object *owner);
/* Whose Secrets they are: "NAME" of a Gateway, "ListenerSet/NAME". Heap. */
char *shim_routes_of(const struct object *owner);
/* Adds {"secret": ["a.example"]} for each such name. */
void shim_route_names(struct controllers *ctl, const struct object *owner, json_t *wanted);
/* A route has changed: which Gateways and ListenerSets may it concern? */
void shim_route_map(struct controllers *ctl, const struct object *before,
		    const struct object *after);

#endif
