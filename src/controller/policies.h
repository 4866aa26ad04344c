/* controller/policies.h - BackendTLSPolicies: which of them holds for a port of a Service, what it
 * comes to, and what its status says
 *
 * Resolved once for each change of a policy or of the CAs that it names. A policy that names the
 * port comes before one for the whole Service; of two for the same the older holds, and the other
 * is Conflicted. Control thread only.
 */
#ifndef CONTROLLER_POLICIES_H
#define CONTROLLER_POLICIES_H

#include "dataplane/snapshot.h"
#include "store/store.h"

#define POLICY_ANCESTORS_MAX 16 /* as the Gateway API allows */

struct policies;

struct policies_config {
	const struct store *store;
	struct graveyard *graveyard;
	/* What may hold for an object is another: kind "Service" or "Backend". */
	void (*touched)(void *arg, const char *kind, const char *ns, struct str_view name);
	void *arg;
};

struct policies *policies_new(const struct policies_config *config);
void policies_free(struct policies *policies);

/* Objects changed (before or after NULL). Nothing is read before policies_refresh. */
void policies_changed(struct policies *policies, const struct object *before,
		      const struct object *after);
/* A Backend: its spec.tls is a policy for it, which yields to a BackendTLSPolicy. */
void policies_backend_changed(struct policies *policies, const struct object *before,
			      const struct object *after);
/* backend_policy.c: that policy, with the Backend's key and metadata; NULL: it has no spec.tls. */
struct object *backend_policy(const struct object *backend);
/* A ConfigMap or a Secret. True: some policy names it. */
bool policies_ca_changed(struct policies *policies, const struct object *object);
/* Reads what has changed. True: something had; tell the ancestors anew. */
bool policies_refresh(struct policies *policies);

struct policy_subject { /* a port of a Service, or a Backend */
	const char *kind, *ns, *name;
	struct str_view section; /* name of the port; "" of one without, and of a Backend */
};

struct policy_result {
	bool any;                /* some policy holds */
	bool aimed;              /* some policy names the object, perhaps another port of it */
	struct backend_tls *tls; /* borrowed; NULL: the policy cannot be used, requests fail */
	const char *id;          /* "namespace/name" of the policy, borrowed */
	bool own;                /* it is the Backend's spec.tls */
	const char *why;         /* without tls: a sentence, borrowed */
};
struct policy_result policies_find(const struct policies *policies,
				   const struct policy_subject *subject);

/* ---- policy_target.c: an entry of spec.targetRefs ---- */
/* The kind that it names; NULL: one that no policy can be for. */
const char *policy_target_kind(const json_t *ref);
/* Does it name the subject's object, whatever its sectionName? */
bool policy_target_is(const json_t *ref, const struct policy_subject *subject);
/* NULL: it is not there. */
const struct object *policy_subject_object(const struct store *store,
					   const struct policy_subject *subject);
/* A sentence, the caller's: what the policy names of that object (NULL: not there) and is not
 * there. NULL: nothing. */
char *policy_target_absent(const struct object *policy, const struct policy_subject *subject,
			   const struct object *object);

/* ---- status ---- */
/* Every route anew: after begin each use by a Gateway ("namespace", "name") is told. */
void policies_ancestors_begin(struct policies *policies);
void policies_ancestor(struct policies *policies, const struct policy_subject *subject,
		       const struct object *gateway);
/* A status that was put did not arrive. */
void policies_status_lost(struct policies *policies);
/* Statuses that differ from what is stored. */
void policies_statuses(struct policies *policies, int64_t now,
		       void (*put)(void *arg, const struct object *object, json_t *status),
		       void *arg);

#endif
