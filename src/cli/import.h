/* cli/import.h - what other ACME clients have, as objects
 *
 * The readers (import_certbot.c, import_acmesh.c) fill accounts and certificates; import_objects.c
 * makes objects of them, Secrets first, so that each Certificate finds its Secret and nothing is
 * ordered; import_verb.c sends them. What cannot be taken over is a note, never silence.
 */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include "base/buf.h"
#include "base/err.h"
#include "cli/import_tree.h"
#include "codec/json.h"

#include <openssl/evp.h>
#include <stdbool.h>

#define IMPORT_ACCOUNTS_MAX 1000
#define IMPORT_DEPTH_MAX    8 /* of folders of accounts: host and path of the URL */

struct import_account {
	char *server;            /* owned: URL of the directory */
	char *id;                /* owned: what certificates name it by; "" */
	char *email;             /* owned; "" */
	char *eab_kid, *eab_key; /* owned; "" */
	char *chain;             /* owned: preferred chain; "" */
	EVP_PKEY *key;           /* owned */
	char *issuer;            /* owned: the ClusterIssuer's name; NULL until it has one */
	bool used, http01, other;
};

struct import_cert {
	const char *name;           /* as the other client calls it */
	struct str_view chain, key; /* PEM */
	struct import_account *account;
	int64_t renew_before_s; /* 0: not set */
	bool reuse_key;
};

struct import {
	struct tree tree;
	const char *ns;                  /* of the Certificates */
	bool all;                        /* accounts too that no certificate uses */
	struct import_account *accounts; /* owned */
	size_t account_count;
	json_t *secrets, *issuers, *certificates; /* owned arrays */
	json_t *notes;                            /* owned array of texts */
	int64_t now;
};

void import_init(struct import *import);
void import_deinit(struct import *import);

/* "SUBJECT: what": something that was not, or not wholly, taken over. */
void import_note(struct import *import, const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Calls add for every folder below walk->top, IMPORT_DEPTH_MAX deep at most, that holds walk->file.
 * -1: add has failed. */
struct import_walk {
	const char *top, *file;
	bool nested; /* accounts may stand below accounts */
	int (*add)(struct import *import, const char *folder, struct err *err);
};
int import_walk_accounts(struct import *import, const struct import_walk *walk, struct err *err);
/* Takes all that account owns. -1: there are too many. */
int import_add_account(struct import *import, struct import_account *account, struct err *err);
/* The account of that server and id (id "": the only one of the server); NULL: there is none. */
struct import_account *import_find_account(struct import *import, struct str_view server,
					   struct str_view id);
/* Adds Secret and Certificate; -1: err says why it cannot be taken over. The account must stay
 * where it is until import_finish. */
int import_add_cert(struct import *import, const struct import_cert *cert, struct err *err);
/* Makes issuers and their Secrets of the accounts. */
void import_finish(struct import *import);

/* ---- readers: -1: the folder as a whole cannot be read ---- */

int import_certbot(struct import *import, struct err *err);
int import_acmesh(struct import *import, struct err *err);

#endif
