/* controller/solver.h - how is a name proved to the CA? (RFC 8555, section 8; RFC 8737)
 *
 * A type of challenge is a row: what it can prove, and how its answer is presented and taken back.
 *     solver_choose()   issuer, name, what the CA offers -> the solver, as cert-manager chooses
 * The Challenge object says what was presented, so that both go on after a kill.
 */
#ifndef CONTROLLER_SOLVER_H
#define CONTROLLER_SOLVER_H

#include "controller/ctl.h"
#include "pki/key.h"

struct order_look;

struct solver_type {
	const char *type;   /* spec.type of its Challenges: "HTTP-01" */
	const char *offer;  /* of the CA's challenges: "http-01" */
	const char *member; /* of a solver in spec.acme.solvers: "http01" */
	bool wildcards;     /* can prove "*.example.com" */
	bool addresses;     /* can prove an IP address */
	bool self_check;    /* names are looked at before newOrder (selfcheck.h) */
	/* What the CA has to find, as spec.key of the Challenge. */
	int (*answer)(EVP_PKEY *account, struct str_view token, struct buf *out, struct err *err);
	/* One look at a Challenge that the CA has not been told of. true: it may be told now. Else
	 * what is due is under way or waited for, and its end queues the Order (CTL_ORDER). */
	bool (*present)(struct order_look *look, const struct object *challenge);
	/* The Challenge is over: takes back what was presented and deletes the object, now or
	 * later. May be called again meanwhile. */
	void (*drop)(struct controllers *ctl, const struct object *challenge);
};

extern const struct solver_type solver_http01;    /* challenge.c */
extern const struct solver_type solver_tlsalpn01; /* solver_tlsalpn.c */
extern const struct solver_type solver_dns01;     /* solver_dns01.c */

struct solver_question {
	const json_t *solvers; /* spec.acme.solvers; without any HTTP-01 is done */
	const char *issuer;    /* for sentences: "ClusterIssuer letsencrypt" */
	const json_t *labels;  /* of the Order */
	struct str_view name;  /* host name, "*." before a wildcard's; or an address */
	const json_t *offers;  /* challenges of the authorization; NULL: not known yet */
};

/* Among the solvers whose selector takes the name, the most specific one that can prove it by a
 * challenge that the CA offers: dnsNames before the longest of dnsZones before the most labels;
 * the first of equals. NULL with a sentence that names cause and fix; *solver: new reference. */
const struct solver_type *solver_choose(const struct solver_question *question, json_t **solver,
					struct err *err);
/* drop() of the type, or the object is deleted. */
void challenge_drop(struct controllers *ctl, const struct object *challenge);
/* By spec.type of a Challenge; NULL: one that is not done here. */
const struct solver_type *solver_type_of(const json_t *challenge);

#endif
