/* controller/account.h - the accounts behind ACME issuers: one client each, shared by its orders
 *
 * That the CA knows an account is written down in the issuer's status (issuer_acme.c). An order
 * asks for the client before each step, and takes one of the CA's places while it is under way.
 */
#ifndef CONTROLLER_ACCOUNT_H
#define CONTROLLER_ACCOUNT_H

#include "acme/client.h"
#include "base/map.h"
#include "controller/issuer.h"

#define ORDERS_IN_FLIGHT 8    /* at one CA (by the URL of its directory) */
#define ACME_WORDS_MAX   1200 /* of account_words */

struct ca; /* places at one CA */
struct account_key_job;

struct account { /* of one issuer, by its store key */
	struct controllers *ctl;
	char *key;        /* the issuer's */
	char *print;      /* what the client was made from; NULL: no client */
	char *thumbprint; /* of the account key (RFC 7638) */
	EVP_PKEY *pkey;
	struct acme_client *client;
	struct acme_call *call; /* of issuer_acme.c */
	json_t *result;         /* status to be stored before anything else happens */
	struct list uses;
	bool usable;             /* the issuer is Ready: uses may have the client */
	bool gone;               /* the CA does not know it any more */
	bool suspected;          /* the CA refused it something: ask how it stands */
	int64_t regained_at;     /* registered again after that; monotonic, 0: never */
	int64_t agreed_at;       /* to new terms, as the issuer's policy is; monotonic, 0: never */
	char *terms;             /* what the CA said about new terms that nobody has agreed to */
	const json_t *directory; /* as last noted in the status; compared, never read */
	bool held;               /* account_wish.c: uses may not have the client now */
	bool agrees;             /* to new terms, as soon as may be */
	int64_t wish_not_before; /* monotonic */
	/* While the key is being changed (account_wish.c), or made (account_key.c). */
	bool unproven; /* which key is in force is not known */
	bool change_refused;
	char change_words[ACME_WORDS_MAX];
	struct acme_client *next_client;
	struct acme_call *proof; /* of next_client: does the CA know the next key? */
	struct account_key_job *key_job;
};

/* Embedded in whoever uses an account; zeroed before the first call. */
struct account_use {
	struct list link; /* in account->uses */
	struct account *account;
	struct list place; /* waiting at ca, or unlinked */
	struct ca *ca;
	bool has_place;
	int64_t rank; /* smallest first among those that wait */
	/* The client or a place can be had now. lost: the client has ended, and with it the calls
	 * of this use. Runs before anything else of the use does. */
	void (*changed)(struct account_use *use, bool lost);
};

/* NULL while the issuer has no registered account; changed tells when that ends. */
struct acme_client *account_client(struct controllers *ctl, const struct issuer *issuer,
				   struct account_use *use);
/* The issuer's client though its account cannot be used: for requests that another key signs. NULL:
 * there is none. */
struct acme_client *account_client_for_keys(struct controllers *ctl, const struct issuer *issuer);
/* true: the use has one of the CA's places; false: it waits for one. */
bool account_place(struct controllers *ctl, const struct issuer *issuer, struct account_use *use);
void account_leave_place(struct account_use *use);
void account_release(struct account_use *use); /* place and client */

/* The CA does not know the account any more: it is registered again, with the same key. */
void account_gone(struct controllers *ctl, const struct issuer *issuer);
/* The CA refused a request of the account: is it deactivated? */
void account_suspect(struct controllers *ctl, const struct issuer *issuer);

/* The CA wants its terms agreed to before it goes on; words: what it said. true: the issuer's
 * policy is to agree, and that is done before the client can be had again. */
bool account_terms(struct controllers *ctl, const struct issuer *issuer, const char *words);

/* Counts an answer for the metrics. */
void account_count(struct controllers *ctl, const struct acme_result *result);
/* "newOrder: too many (HTTP 429, rateLimited)" */
void account_words(const struct acme_result *result, char *out, size_t size);

/* ---- for issuer.c and issuer_acme.c ---- */
struct account *account_get(struct controllers *ctl, struct str_view issuer_key); /* made if new */
void account_forget(struct controllers *ctl, struct str_view issuer_key);
/* The client for this configuration: the one there is, or a new one; then uses and calls of the
 * old one have ended. */
int account_set_client(struct account *account, const struct issuer *issuer, EVP_PKEY *key,
		       struct err *err);
/* A client of the same server with another key; NULL: none can be made. */
struct acme_client *account_other_client(const struct account *account, const struct issuer *issuer,
					 EVP_PKEY *key);
void account_drop_client(struct account *account);
void account_set_usable(struct account *account, bool usable); /* tells the uses */
int accounts_start(struct controllers *ctl, struct err *err);
void accounts_stop(struct controllers *ctl);
void accounts_metrics(struct controllers *ctl, struct buf *out);

#endif
