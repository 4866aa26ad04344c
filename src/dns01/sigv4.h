/* dns01/sigv4.h - requests to AWS signed by Signature Version 4; pure but for OpenSSL's digests */
#ifndef DNS01_SIGV4_H
#define DNS01_SIGV4_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

#define SIGV4_DATE_SIZE 17 /* "20150830T123600Z" */

struct sigv4_request {
	const char *method;
	struct str_view host;  /* as the Host field will have it: with a port that is not the
				  scheme's */
	struct str_view path;  /* encoded already */
	struct str_view query; /* encoded, names in order; may be empty */
	struct str_view body;
	const char *region, *service;
	const char *access_key;
	struct str_view secret_key;
	int64_t now; /* wall clock */
};

/* The value of X-Amz-Date. */
void sigv4_date(int64_t now, char out[SIGV4_DATE_SIZE]);
/* The value of Authorization, for the signed fields host and x-amz-date. -1: OpenSSL refuses. */
int sigv4_authorization(const struct sigv4_request *request, struct buf *out, struct err *err);

#endif
