/* controller/cas.h - CA certificates of ConfigMaps (member ca.crt) as sets for the workers
 *
 * A ConfigMap is read once for each of its revisions; a set is the same object as long as it is
 * made of the same revisions, so that what was checked with it need not be checked again. What
 * nobody asks for any more is forgotten by cas_sweep. Control thread only.
 */
#ifndef CONTROLLER_CAS_H
#define CONTROLLER_CAS_H

#include "dataplane/snapshot.h"
#include "store/object.h"

#define CAS_MAPS_MAX 16

struct cas;

struct cas *cas_new(void);
void cas_free(struct cas *cas, struct graveyard *graveyard);

/* What is wrong with the ConfigMap, in words (borrowed until cas_sweep has missed it); NULL: it has
 * at least one certificate, and nothing that is none. */
const char *cas_problem(struct cas *cas, const struct object *configmap);
/* All certificates of some ConfigMaps (at most CAS_MAPS_MAX, each without problem), for one
 * purpose: sets of different purposes are never the same. Borrowed likewise. */
struct ca_set *cas_get(struct cas *cas, const struct object *const *configmaps, size_t count,
		       const char *purpose);
/* Forgets what has not been asked for since the last sweep. */
void cas_sweep(struct cas *cas, struct graveyard *graveyard);

#endif
