#include "acme/fetch_failure.h"

enum fetch_failure fetch_failure_of(CURLcode code, const char *words, bool too_big)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return FETCH_DNS;
	case CURLE_COULDNT_CONNECT:
		return FETCH_CONNECT;
	case CURLE_SSL_CONNECT_ERROR:
		/* curl's words for a connection that ended during the handshake without an alert */
		return sv_starts(sv_from(words), SV("OpenSSL SSL_connect:")) ? FETCH_CONNECT
									     : FETCH_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return FETCH_TLS;
	case CURLE_OPERATION_TIMEDOUT:
		return FETCH_TIMEOUT;
	case CURLE_WRITE_ERROR:
		return too_big ? FETCH_TOO_BIG : FETCH_BROKEN;
	default:
		return FETCH_BROKEN;
	}
}
