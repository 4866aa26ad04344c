/* dns01/provider.h - what a provider is made of: one file, one row in job.c's table
 *
 * start() begins; the provider ends in job_done() or job_fail(), never inside of start's caller's
 * view: the end is told in a later turn. stop() releases what start() and later steps hold.
 */
#ifndef DNS01_PROVIDER_H
#define DNS01_PROVIDER_H

#include "codec/json.h"
#include "dns01/job.h"

struct dns01_provider {
	const char *member; /* of dns01 */
	size_t size;        /* of its struct, whose first member is struct dns01_job */
	void (*start)(struct dns01_job *job);
	void (*stop)(struct dns01_job *job); /* may be NULL */
};

extern const struct dns01_provider dns01_rfc2136, dns01_acme_dns, dns01_webhook, dns01_cloudflare,
	dns01_route53, dns01_exec;

struct job_answer { /* of an HTTP request */
	long status;
	struct str_view text;
	const json_t *body; /* NULL: no JSON */
};

typedef void job_answered_fn(struct dns01_job *job, const struct job_answer *answer);

struct dns01_job {
	const struct dns01_provider *provider;
	struct dns01_config config; /* its texts and dns01 are owned */
	const json_t *own;          /* config.dns01's member of the provider; borrowed */
	struct task end;
	struct err err;
	struct fetch *fetch;
	job_answered_fn *answered;
};

/* The end, once for each job: what was asked for is done; or why it is not, with the provider's
 * name put in front. */
void job_done(struct dns01_job *job);
void job_fail(struct dns01_job *job, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The value that a reference {name, key} in own names; missing: false, and the job has failed. */
bool job_secret(struct dns01_job *job, const char *member, const char *default_key,
		struct buf *out);
/* The same as one line of visible characters, without white space at its ends; heap; release with
 * auto_secret_text. NULL: the job has failed. */
char *job_secret_text(struct dns01_job *job, const char *member, const char *default_key);
void auto_secret_text(char **text); /* wiped, freed */
/* Fails, and false, when nobody could say which zone holds the record. */
bool job_needs_zone(struct dns01_job *job);

#define JOB_HEADERS_MAX 8

struct job_request {
	const char *method, *url;
	const char *headers[JOB_HEADERS_MAX + 1]; /* "Name: value", NULL ends */
	const char *content_type;
	struct str_view body;
	const char *ca_bundle; /* PEM; NULL: the system's */
};

/* One HTTP request; the job fails when there is no answer, else answered decides. */
void job_call(struct dns01_job *job, const struct job_request *request, job_answered_fn *answered);
/* The job fails with what the provider says: status, and words or the beginning of the text. */
void job_refused(struct dns01_job *job, const struct job_answer *answer, const char *what,
		 struct str_view words);
/* A base URL of own, without final '/', or the default. Heap. */
char *job_base_url(const struct dns01_job *job, const char *member, const char *fallback);

#endif
