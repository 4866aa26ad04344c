/* controller/policy_read.h - what one BackendTLSPolicy comes to, with the CAs that it names
 *
 * Which one holds for a backend is decided in policies.c. Control thread only.
 */
#ifndef CONTROLLER_POLICY_READ_H
#define CONTROLLER_POLICY_READ_H

#include "dataplane/snapshot.h"
#include "store/store.h"

struct policy_reader {
	const struct store *store;
	struct graveyard *graveyard;
	struct ca_set *system; /* owned: the system's CAs; NULL: nobody has asked for them */
};
void policy_reader_deinit(struct policy_reader *reader);

struct policy_outcome {          /* zeroed is none */
	struct backend_tls *tls; /* owned; NULL: requests fail */
	const char *refs_reason; /* of ResolvedRefs: False; NULL: resolved */
	char *refs_message;      /* owned */
	const char *refused;     /* of Accepted: False; NULL: fine */
	char *refused_message;   /* owned */
};
void policy_outcome_deinit(struct policy_outcome *outcome, struct graveyard *graveyard);

/* Replaces the outcome. id: "namespace/name", for the log. */
void policy_read(struct policy_reader *reader, const struct object *object, const char *id,
		 struct policy_outcome *outcome);
/* Does the policy name this ConfigMap ("configmaps") or Secret ("secrets") for its CAs? */
bool policy_names_ca(const struct object *policy, const char *plural, const struct object *object);

#endif
