/* acme/fetch_tls.h - what the server's certificate was when its verification failed; fetch.c only
 */
#ifndef ACME_FETCH_TLS_H
#define ACME_FETCH_TLS_H

#include <curl/curl.h>
#include <stddef.h>

struct fetch_tls {             /* of the connection that was tried last; outlives its handshake */
	char certificate[160]; /* "certificate of X, issued by Y, valid A to B"; "" when none came
				*/
};

/* Makes the handshakes of easy fill seen. Verification itself stays curl's and OpenSSL's. */
void fetch_tls_watch(CURL *easy, struct fetch_tls *seen);

#endif
