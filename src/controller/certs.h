/* controller/certs.h - Secrets of type kubernetes.io/tls as certificates for the workers
 *
 * Read and checked once for each revision of a Secret. What no listener asks for any more is
 * forgotten by certs_sweep. Control thread only.
 */
#ifndef CONTROLLER_CERTS_H
#define CONTROLLER_CERTS_H

#include "dataplane/snapshot.h"
#include "store/object.h"

struct certs;

struct certs *certs_new(void);
void certs_free(struct certs *certs, struct graveyard *graveyard);

/* Borrowed until certs_sweep has missed it. NULL: *problem (borrowed likewise) says what is wrong
 * with the Secret, in words, without its values. */
struct cert *certs_get(struct certs *certs, const struct object *secret,
		       struct graveyard *graveyard, const char **problem);
/* Forgets what has not been asked for since the last sweep. */
void certs_sweep(struct certs *certs, struct graveyard *graveyard);
uint64_t certs_reads(const struct certs *certs); /* Secrets read, ever */

#endif
