/* controller/issuer.h - issuers behind one small interface: what each type does for the two kinds
 */
#ifndef CONTROLLER_ISSUER_H
#define CONTROLLER_ISSUER_H

#include "controller/issuance.h"

struct issuer {
	const struct kind *kind; /* ClusterIssuer or Issuer */
	const struct object *object;
};

/* One CertificateRequest being brought in order. What is decided goes into status; request.c
 * stores it when it differs. */
struct request {
	struct controllers *ctl;
	const struct object *object;
	struct issuer issuer;
	json_t *status;
};

struct issuer_type {        /* a row of the table in issuer.c */
	const char *member; /* of spec */
	/* Brings the issuer's own status (Ready) in order. */
	void (*reconcile)(struct controllers *ctl, const struct issuer *issuer);
	/* One step of a request whose issuer is Ready: ends in request_issued, request_failed or
	 * request_pending. */
	void (*sign)(struct request *request);
};

extern const struct issuer_type issuer_acme, issuer_self_signed, issuer_ca; /* their own files */

/* ref: issuerRef of an object in ns. false: no such issuer. */
bool issuer_find(struct controllers *ctl, const char *ns, const json_t *ref, struct issuer *issuer);
const struct issuer_type *issuer_type_of(const struct object *issuer); /* NULL: none we know */
bool issuer_ready(const struct object *issuer);
const char *issuer_namespace(const struct issuer *issuer); /* of the Secrets it names */
/* Sets Ready in status (taken) and stores it when it differs. */
void issuer_put_ready(struct controllers *ctl, const struct issuer *issuer, json_t *status,
		      const struct condition *ready);
/* "ClusterIssuer letsencrypt" for sentences: kind and name. */
#define ISSUER_ARG(issuer) (issuer)->kind->kind, object_name((issuer)->object)

/* ---- issuer_staging.c ---- */
/* Its CA is a service for trials, by its name: nobody trusts what it signs. */
bool issuer_is_staging(const struct object *issuer);
char *staging_issuer_name(const struct object *issuer); /* heap */
/* Makes, changes or drops the issuer of the staging server that an annotation names. */
void issuer_staging_sync(struct controllers *ctl, const struct issuer *issuer);

/* ---- request.c ---- */
void request_pending(struct request *request, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Pending, and something is in the way: type says what, as a reason ("RateLimited"). */
void request_blocked(struct request *request, const char *type, const char *words);
/* type: why, as a reason ("RateLimited"), or "" */
void request_failed(struct request *request, const char *type, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* ca may be empty. */
void request_issued(struct request *request, struct str_view chain, struct str_view ca);
/* The sign of ACME issuers (request_order.c): through an Order. */
void request_by_order(struct request *request);
/* Dates, isCA and usages that spec asks for (request_sign.c). Without usages: for servers, a CA for
 * anything. */
void request_sign_how(const struct request *request, struct x509_sign_how *how);
/* A list of URLs of an issuer's spec (at most 16); views has room for as many. */
#define ISSUER_URLS_MAX 16
struct x509_urls issuer_urls(const json_t *list, struct str_view *views);
/* The signing request as DER; -1 with a sentence. */
int request_csr(const struct object *request, struct buf *der, struct err *err);

#endif
