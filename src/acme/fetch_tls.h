/* acme/fetch_tls.h - whom a request trusts, and what the certificate was that did not pass; fetch.c
 * only */
#ifndef ACME_FETCH_TLS_H
#define ACME_FETCH_TLS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

struct fetch_tls {             /* of the connection that was tried last; outlives its handshake */
	char certificate[160]; /* "certificate of X, issued by Y, valid A to B"; "" when none came
				*/
};

struct fetch_trust {             /* borrowed */
	const char *bundle;      /* PEM, instead of all others; NULL: none */
	const char *file, *path; /* NULL: libcurl's own file */
	bool skip;               /* nobody is verified */
};

/* Sets what easy trusts, and makes its handshakes fill seen. Verification itself stays curl's and
 * OpenSSL's. */
void fetch_tls_set(CURL *easy, const struct fetch_trust *trust, struct fetch_tls *seen);

#endif
