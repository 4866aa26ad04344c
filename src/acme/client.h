/* acme/client.h - an ACME server as seen by one account: signed requests, nonces, retries (RFC
 * 8555)
 *
 * Answers: what does the CA say to this one step? Each call below is one logical request: badNonce
 * and transient failures are retried inside (with back-off, jitter and a ceiling); the answer comes
 * once, in a later turn of the loop. Writes nothing down and knows neither store nor kinds: the
 * caller stores every result before it takes the next step, so that a kill at any point resumes.
 * One client per (directory, account key, trust); it keeps one connection and a pool of nonces.
 */
#ifndef ACME_CLIENT_H
#define ACME_CLIENT_H

#include "acme/fetch.h"
#include "acme/problem.h"
#include "base/err.h"
#include "base/str.h"
#include "loop/dns.h"
#include "loop/loop.h"
#include "pki/key.h"

#include <jansson.h>
#include <stdbool.h>

struct acme_client;
struct acme_call; /* one request under way */

struct acme_config {
	const char *directory; /* https URL */
	const char *ca_bundle; /* PEM that replaces the system's trust; NULL: the system's
				  (SSL_CERT_FILE honoured) */
	bool skip_tls_verify;
	EVP_PKEY *key;   /* account key; the client takes a reference */
	const char *kid; /* account URL when known from an earlier run; NULL: found or made by
			    acme_account */
};

struct acme_client *acme_client_new(struct loop *loop, struct fetcher *fetcher,
				    const struct acme_config *config, struct err *err);
void acme_client_free(struct acme_client *client); /* calls under way end without their callbacks */
const char *acme_client_kid(const struct acme_client *client); /* NULL until known */

/* ---- what every step answers ---- */
enum acme_outcome {
	/* The CA did it: body, location, text as said at each call. retry_after_ms: the CA asks not
	 * to be polled sooner. */
	ACME_OK,
	/* Transient, and the tries here are used up, or the CA asked to wait for longer than is
	 * waited in place (30 s). Attempt back-off, but at least retry_after_ms. type
	 * "rateLimited": newOrder calls of this client are answered here, without asking, until
	 * that time. */
	ACME_RETRY_LATER,
	/* A problem that the same request will meet again; type tells: "unauthorized" (the account
	 * is deactivated), "externalAccountRequired", "userActionRequired" (text has the URL of the
	 * terms), "rejectedIdentifier", "badCSR", "unsupportedContact", "alreadyReplaced",
	 * "invalidProfile", ... */
	ACME_REFUSED,
	/* The CA does not know the order, authorization or certificate any more (404, 410): order
	 * anew. type "accountDoesNotExist": it is the account, and its orders with it; the key was
	 * looked up in vain and the kid is forgotten: acme_account makes the account again. */
	ACME_GONE,
	/* Not worth another try before retry_after_ms (a minute at least): TLS verification failed
	 * (failure is FETCH_TLS), the directory lacks a member or lists refused URLs, its own URL
	 * is wrong, or the URL asked for is on another origin (nothing was sent). */
	ACME_BROKEN
};

struct acme_result {
	enum acme_outcome outcome;
	const char *step; /* request that failed: "directory" "newNonce" "newAccount" "newOrder"
			     "order" … */
	enum fetch_failure failure; /* FETCH_FINE when there was an answer of HTTP */
	long http_status;           /* 0: no answer */
	int64_t retry_after_ms;     /* -1: the CA did not say; clamped to 24 h */
	struct acme_problem
		problem;      /* of the CA, or of our own wording (type ""); text for conditions */
	const char *location; /* Location of the answer (order or account URL), or NULL */
	const json_t *body;   /* parsed answer, NULL when none; borrowed */
	struct str_view text; /* certificate chain (PEM) for acme_certificate */
};

/* The result is borrowed for the call; the struct acme_call is gone when done runs. done may start
 * and cancel other calls, and free the client. */
typedef void acme_done_fn(void *arg, const struct acme_result *result);

struct acme_new_order {
	const struct str_view *dns;
	size_t dns_count;
	const struct str_view *ips;
	size_t ip_count;
	struct str_view profile;  /* may be empty */
	struct str_view replaces; /* ARI certificate identifier, may be empty */
};
/* location = order URL, body = order object. When an answer is lost (the CA may have made the
 * order), the account's orders list is searched for it first; without such a list the request is
 * repeated once. */
struct acme_call *acme_order_new(struct acme_client *client, const struct acme_new_order *order,
				 acme_done_fn *done, void *arg);
/* The account's newest pending, ready or processing order for exactly these names (profile and
 * replaces are not looked at): location, body. For an intent without URL after a restart. ACME_GONE
 * (type ""): none, or the CA has no list. */
struct acme_call *acme_order_find(struct acme_client *client, const struct acme_new_order *order,
				  acme_done_fn *done, void *arg);
/* The account's orders list (all pages, at most 100 URLs): body = JSON array of URLs; ACME_REFUSED
 * when the CA has none. */
struct acme_call *acme_orders_list(struct acme_client *client, acme_done_fn *done, void *arg);
/* POST-as-GET of an order, authorization or challenge URL (same origin as the directory's, else
 * ACME_BROKEN). */
struct acme_call *acme_get(struct acme_client *client, const char *url, acme_done_fn *done,
			   void *arg);
/* POST {} to a challenge URL. body = challenge object. After a lost answer, and when the CA refuses
 * it as malformed (it was answered before), the challenge is read and answered as ACME_OK unless it
 * is "pending" still. */
struct acme_call *acme_challenge_answer(struct acme_client *client, const char *url,
					acme_done_fn *done, void *arg);
struct acme_finalization {
	const char *order_url;
	const char *url; /* the order's finalize member; both copied */
	struct str_view csr_der;
};
/* body = order object as it stands now. After a lost answer, and after orderNotReady, the order is
 * read again and answered as ACME_OK unless it is "ready" still: look at its status. */
struct acme_call *acme_finalize(struct acme_client *client, const struct acme_finalization *what,
				acme_done_fn *done, void *arg);
/* text = PEM. Chain whose topmost issuer has preferred_chain as common name where the CA offers it
 * (Link: alternate). */
struct acme_call *acme_certificate(struct acme_client *client, const char *url,
				   struct str_view preferred_chain, acme_done_fn *done, void *arg);
struct acme_call *acme_deactivate_authorization(struct acme_client *client, const char *url,
						acme_done_fn *done, void *arg);
/* What the CA says about the renewal of a certificate (RFC 9773; not signed): body = object with
 * suggestedWindow. id: of cert_ari_id. ACME_REFUSED with type "": the directory has no renewalInfo.
 */
struct acme_call *acme_renewal_info(struct acme_client *client, struct str_view id,
				    acme_done_fn *done, void *arg);
void acme_cancel(struct acme_call *call); /* done is not called */

/* Is a call of this client under way? */
bool acme_client_busy(const struct acme_client *client);
/* Forgets the waits that the CA has asked for: somebody wants an attempt now. */
void acme_client_reset_limits(struct acme_client *client);

/* The directory as last read (borrowed; NULL before the first answer): meta.termsOfService,
 * profiles, … */
const json_t *acme_client_directory(const struct acme_client *client);

#endif
