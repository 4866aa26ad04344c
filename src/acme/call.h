/* acme/call.h - one call of client.h under way: a chain of signed requests, each retried by one
 * rule; this room only
 *
 * A kind of call (account.c, orders.c, requests.c, download.c) says what to send and what follows
 * from a good answer; call.c sees to directory, nonce, signature, back-off and the words for what
 * went wrong.
 */
#ifndef ACME_CALL_H
#define ACME_CALL_H

#include "acme/client.h"
#include "acme/directory.h"
#include "acme/nonce.h"
#include "acme/retry.h"

#define CALL_URL ACME_RESOURCE_COUNT /* as a resource: the request's own url */

enum call_want { WANT_JSON, WANT_TEXT, WANT_NOTHING };

struct call_request {
	const char *step; /* static; of the result */
	enum acme_resource resource;
	char *url;     /* for CALL_URL; NULL: the account's */
	char *payload; /* JSON text; NULL: POST-as-GET */
	bool jwk;      /* signed with the key itself instead of the account URL */
	EVP_PKEY *key; /* signs instead of the account's, with jwk; borrowed of the kind's own */
	bool plain;    /* a GET that is not signed */
	bool once;     /* when its answer is lost, kind->lost decides what comes next */
	bool lags;     /* a 404 may pass: not every server of the CA has it yet */
	enum call_want want;
	int (*check)(const json_t *body, struct err *err); /* shape of a JSON answer; may be NULL */
};

struct call_kind { /* static; each may be NULL */
	/* The directory is known. -1: err says why nothing can be sent. */
	int (*prepare)(struct acme_call *call, struct acme_result *result);
	/* The CA may or may not have acted on the current request: find out, or ask again. */
	void (*lost)(struct acme_call *call);
	/* The call is about to end with call->result; true: it goes on instead. */
	bool (*failed)(struct acme_call *call);
	void (*free_own)(void *own);
};

enum call_state {
	CALL_READY,            /* the task will go on */
	CALL_DIRECTORY,        /* waits for the directory */
	CALL_DIRECTORY_FAILED, /* the task will end it */
	CALL_GATE,             /* waits for its turn at a rate-limited resource */
	CALL_NONCE,            /* newNonce under way */
	CALL_POST,             /* signed request under way */
	CALL_PAUSE             /* back-off */
};

typedef void call_good_fn(struct acme_call *call);

struct acme_call { /* owned by its client until done has run */
	struct list link;
	struct acme_client *client;
	const struct call_kind *kind;
	acme_done_fn *done;
	void *arg;
	void *own; /* the kind's */

	enum call_state state;
	struct call_request request;
	call_good_fn *good;
	struct task task;
	struct timer timer;
	struct fetch *fetch;
	enum acme_resource gate; /* entered; CALL_URL: none */

	struct retry retry, main_retry;
	unsigned nonce_tries, missed; /* 404 for what lags */
	bool finding_account;         /* the account is looked up before request is sent */
	bool account_checked;         /* looked up after the CA did not know it: once a call */
	bool directory_checked;       /* read again after a 404: once a call */
	bool kept_died;               /* a kept connection died under this request: once */
	bool lost;                    /* the answer to a once-request got lost */
	bool prepared;

	/* of the last answer */
	json_t *body;
	char *location;
	struct str_view text, links; /* borrowed: while good runs */
	struct acme_result result;
};

/* Limits how fast a resource is asked after the CA has said that it is too fast. */
struct gate {
	int64_t not_before, careful_until; /* monotonic; while careful, one request at a time */
	unsigned in_flight;
	struct acme_problem problem; /* why */
};

struct directory_load {
	struct fetch *fetch;
	struct timer timer;
	struct retry retry;
	int64_t read_at;
	bool stale;
	bool outage; /* nobody answered: the directory is asked first, and nothing else before it
			answers */
	struct acme_result failure;
};

struct acme_client {
	struct loop *loop;       /* borrowed */
	struct fetcher *fetcher; /* borrowed */
	char *directory_url, *ca_bundle, *kid;
	bool skip_tls_verify;
	int64_t died_at,
		fresh_until; /* kept connections died twice in a row: none is kept till then */
	EVP_PKEY *key;
	struct directory directory;
	struct directory_load load;
	struct nonce_pool nonces;
	struct gate gates[ACME_RESOURCE_COUNT];
	struct list calls;
};

/* ---- client.c ---- */
bool client_has_directory(struct acme_client *client); /* and it is not due to be read again */
void client_read_directory(struct acme_client *client);
void client_outage(struct acme_client *client); /* nobody has answered a request, often enough */
void client_set_kid(struct acme_client *client, const char *kid);
void client_fill_request(const struct acme_client *client, const char *url,
			 struct fetch_request *request);
uint32_t client_random(void);

/* ---- call.c, for client.c ---- */
void call_free(struct acme_call *call);
void call_directory_known(struct acme_client *client, bool known); /* wakes those that wait */

/* ---- call.c, for the kinds ---- */
struct acme_call *call_new(struct acme_client *client, const struct call_kind *kind,
			   acme_done_fn *done, void *arg);
/* Takes request->url and ->payload. The first one is sent in a later turn. */
void call_send(struct acme_call *call, const struct call_request *request, call_good_fn *good);
/* Same after a look around (kind->lost): the tries so far count on. */
void call_resend(struct acme_call *call, const struct call_request *request, call_good_fn *good);
/* Ends the call: with the last answer, or with our own words. */
void call_ok(struct acme_call *call);
void call_end(struct acme_call *call, enum acme_outcome outcome, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The answer is no good in a way that may pass: the same request again, or the end. */
void call_bad_answer(struct acme_call *call, const char *words);

#endif
