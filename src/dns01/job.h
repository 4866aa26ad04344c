/* dns01/job.h - one record put in place or taken away, by a solver of an issuer
 *
 *     dns01_start()   a solver's dns01 object, a record -> done, once, in a later turn
 * Both actions may be repeated: to present what is there, and to take away what is not, succeeds.
 * Knows no store: Secrets are asked for by name.
 */
#ifndef DNS01_JOB_H
#define DNS01_JOB_H

#include "base/buf.h"
#include "base/err.h"
#include "dns01/env.h"

#include <jansson.h>

enum dns01_action { DNS01_PRESENT, DNS01_CLEAN_UP };

struct dns01_record {         /* all text; names without final dot */
	const char *name;     /* "_acme-challenge.example.com", or where its CNAME leads */
	const char *zone;     /* that holds it; "": not known */
	const char *value;    /* of the TXT record */
	const char *dns_name; /* that is validated, without "*." */
	const char *token;    /* of the challenge, and what answers it */
	const char *key_authorization;
};

struct dns01_secrets { /* of the issuer's namespace */
	/* A value; out is initialised by it, released with secret_deinit. false with a sentence. */
	bool (*value)(void *arg, const char *secret, const char *key, struct buf *out,
		      struct err *err);
	/* The names of all values of a Secret, new array of strings; NULL with a sentence. */
	json_t *(*names)(void *arg, const char *secret, struct err *err);
	void *arg; /* outlives the job */
};

/* err->code ERR_NONE: it is done. Borrowed; the job is gone when it runs. */
typedef void dns01_done_fn(void *arg, const struct err *err);

struct dns01_config {
	const struct dns01_env *env; /* outlives the job */
	enum dns01_action action;
	const json_t *dns01;        /* of the solver; a reference is taken */
	struct dns01_record record; /* copied */
	struct dns01_secrets secrets;
	dns01_done_fn *done;
	void *arg;
};

struct dns01_job;

struct dns01_job *dns01_start(const struct dns01_config *config);
/* done is not called; what the provider was asked for may happen. NULL is fine. */
void dns01_cancel(struct dns01_job *job);
/* "rfc2136": the member that dns01 has; NULL: none that is done here. */
const char *dns01_provider_name(const json_t *dns01);

#endif
