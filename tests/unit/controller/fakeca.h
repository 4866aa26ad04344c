/* tests/unit/controller/fakeca.h - an ACME server in place of acme/client.c: every function of
 * acme/client.h, answered from a model in memory, with faults at the n-th request
 */
#ifndef TESTS_CONTROLLER_FAKECA_H
#define TESTS_CONTROLLER_FAKECA_H

#include "acme/client.h"

#include <openssl/x509.h>

#define FAKE_ORDERS_MAX 32
#define FAKE_NAMES_MAX  4

enum fake_step {
	FAKE_ACCOUNT,
	FAKE_CONTACT,
	FAKE_ORDER_NEW,
	FAKE_ORDER_FIND,
	FAKE_AUTHZ,
	FAKE_CHALLENGE,
	FAKE_ORDER,
	FAKE_FINALIZE,
	FAKE_CERTIFICATE,
	FAKE_ACCOUNT_LOOK,
	FAKE_DEACTIVATE,
	FAKE_ACCOUNT_FIND,
	FAKE_ACCOUNT_END,
	FAKE_KEY_CHANGE,
	FAKE_REVOKE,
	FAKE_RENEWAL_INFO,
	FAKE_STEP_COUNT
};

struct fake_fault { /* instead of an answer, times times; 0: for ever */
	enum fake_step step;
	struct acme_result result;
	unsigned times, hits;
	bool acted; /* the CA did it, and only the answer is this one */
};

struct fake_order {
	char names[FAKE_NAMES_MAX][64];
	size_t count;
	const char *status, *authz[FAKE_NAMES_MAX];
	unsigned looks; /* until it is what it will be */
	X509 *cert;     /* owned */
};

struct fake_ca {
	struct loop *loop;
	char account_key[64]; /* thumbprint of the account's key; "": there is none */
	bool ended;           /* the account is deactivated */
	json_t *directory;    /* owned; NULL: never read */
	int reason, revoked;  /* of the last revocation; how many */
	bool revoked_by_key;  /* the last one was signed by the certificate's key */
	json_t *renewal_info; /* owned; NULL: 404 */
	char replaces[256];   /* of the last newOrder */
	unsigned accounts, orders, finalized, requests, asked[FAKE_STEP_COUNT];
	struct fake_order order[FAKE_ORDERS_MAX];
	struct fake_fault fault; /* result.step NULL: none */
	unsigned stop_at; /* request at which the loop is stopped, its answer lost; 0: none */
	bool stop_before; /* and the CA did not get it either */
	bool stopped;
	const char *invalid_type; /* validation fails with this type of error; NULL: it passes */
	int64_t not_before;       /* of certificates, from now */
	bool any_account;         /* there are several: no key is refused */
	bool wrong_key;           /* certificates are for another key */
	bool leaf_only;           /* chains lack what issued the certificate (F74) */
	char issuer_url[64];      /* where certificates say that it is; "": they do not */
	void (*fetched)(void *arg, struct str_view token); /* the CA looks at a challenge */
	void *fetched_arg;
	EVP_PKEY *key; /* of the CA */
	X509 *root;
};

extern struct fake_ca fake_ca; /* one for the test program: the functions know no other */

void fake_ca_reset(struct loop *loop);
void fake_ca_free(void);

#endif
