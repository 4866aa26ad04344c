/* acme/fetch.h - HTTP(S) requests on the loop: curl_multi, names by loop/dns, hard limits
 *
 * Never blocks: names are resolved by c-ares and handed to curl with CURLOPT_RESOLVE. The answer's
 * size, the time to connect and the whole time are bounded; redirects are followed only when asked
 * for. HTTP/1.1, TLS 1.2 or newer. The proxies of the environment (https_proxy) are not used, since
 * curl would resolve their names itself.
 */
#ifndef ACME_FETCH_H
#define ACME_FETCH_H

#include "base/err.h"
#include "base/str.h"
#include "loop/dns.h"
#include "loop/loop.h"

#include <stdbool.h>

struct fetcher;
struct fetch;

struct fetcher *fetcher_new(struct loop *loop, struct dns *dns, struct err *err);
void fetcher_free(struct fetcher *fetcher); /* fetches under way end without their callbacks */
unsigned fetcher_waits(const struct fetcher *fetcher); /* how many fetches have no answer yet */
/* Asked for every address before it is connected to (controller/rules.h); NULL: none. */
void fetcher_rules(struct fetcher *fetcher,
		   bool (*may_dial)(const void *rules, const struct sock_addr *addr),
		   const void *rules);

#define FETCH_BODY_MAX (1u << 20)

struct fetch_request {
	const char *method; /* "GET" "HEAD" "POST" "DELETE" */
	const char *url;
	/* More of them, "Name: value" without line ends, NULL ends; not sent on after a redirect;
	 * copied. NULL: none. */
	const char *const *headers;
	const char *content_type; /* of the body; NULL without body */
	struct str_view body;     /* copied */
	const char *ca_bundle;    /* PEM, NULL: system; copied */
	bool skip_tls_verify;
	bool follow_redirects; /* GET and HEAD: at most 5, same scheme or to https */
	bool close_connection; /* do not keep it for others */
	bool fresh;            /* on a new connection, even when one is kept */
	size_t body_max;       /* 0: FETCH_BODY_MAX */
	int64_t timeout_ms;    /* 0: 60 s; connect 10 s */
	bool no_loopback;      /* refuse loopback addresses (link-local ones are always refused) */
	/* Connect to this address instead of asking DNS (self-check), on redirects to the same host
	 * too; copied. */
	const struct sock_addr *pin;
};

enum fetch_failure {
	FETCH_FINE,
	FETCH_DNS,     /* name does not resolve */
	FETCH_CONNECT, /* refused, unreachable, lost before the handshake ended */
	FETCH_TLS,     /* verification failed, or the server ended the handshake with an alert */
	FETCH_TIMEOUT,
	FETCH_TOO_BIG,
	FETCH_DENIED, /* an address or redirect that must not be followed, or a URL that cannot be
		       */
	FETCH_BROKEN, /* anything else below HTTP */
};

struct fetch_answer {
	enum fetch_failure failure;
	char why[256]; /* our words for the failure, "" when fine */
	long status;
	struct str_view body;
	/* header values of the last answer; empty when absent */
	struct str_view replay_nonce, location, retry_after, content_type, date;
	struct str_view server; /* of whom it may be */
	struct str_view links;  /* all Link values, joined by ", " */
	const char *final_url;  /* after redirects */
	bool reused;            /* the request went over a kept connection */
	bool sent;              /* the server may have seen the request */
};

/* Borrowed for the call; runs once in a later turn. A POST is sent at most once: a kept connection
 * that died under it ends in FETCH_BROKEN with reused set. The callback may not free the fetcher.
 */
typedef void fetch_done_fn(void *arg, const struct fetch_answer *answer);
struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
			  fetch_done_fn *done, void *arg);
void fetch_cancel(struct fetch *fetch); /* done is not called */

#endif
