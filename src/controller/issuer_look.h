/* controller/issuer_look.h - one reconcile of an ACME issuer, handed from file to file
 *
 *     issuer_acme.c    registration, contact, Ready
 *     account_key.c    the account key and its successor, in their Secret
 *     account_wish.c   what the user wants of an account: another key, its end, new terms
 */
#ifndef CONTROLLER_ISSUER_LOOK_H
#define CONTROLLER_ISSUER_LOOK_H

#include "controller/account.h"

#define NOTE_ACCOUNT_KEY        "sallyport.dev/account-key"
#define NOTE_ACCOUNT_ROLLOVER   "sallyport.dev/account-rollover"
#define NOTE_ACCOUNT_DEACTIVATE "sallyport.dev/account-deactivate"
#define NOTE_TERMS              "sallyport.dev/terms-of-service"

struct issuer_look {
	struct controllers *ctl;
	const struct issuer *issuer;
	const json_t *spec; /* spec.acme */
	struct account *account;
};

/* ---- issuer_acme.c ---- */
void issuer_not_ready(const struct issuer_look *look, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The issuer of an account whose call has ended; false: it is gone. */
bool issuer_look_at(struct account *account, struct issuer *issuer, struct issuer_look *look);
/* Written down by the next reconcile, and again until it stands there. Takes status. */
void issuer_keep_result(struct account *account, json_t *status);
/* "status.acme.lastPrivateKeyHash" is this key's, at this server. */
bool issuer_knows_key(const struct issuer_look *look, const char *thumbprint);
/* Registers the account, or finds it, and agrees to the terms. */
void issuer_register(const struct issuer_look *look);

/* ---- account_key.c ---- */
/* The account key, or NULL: it is being made, or the condition says why there is none. */
EVP_PKEY *account_key_load(const struct issuer_look *look);
/* The key that is to follow it, NULL: none is stored. */
EVP_PKEY *account_key_next(const struct issuer_look *look);
void account_key_make_next(const struct issuer_look *look);
/* One of the two is proven: takes the place of both in the Secret. */
void account_key_settle(const struct issuer_look *look, bool next);
char *account_key_thumbprint(EVP_PKEY *key, struct err *err); /* heap */
const char *account_key_word(EVP_PKEY *key);                  /* "ECDSA-P256"; "" */
void account_key_forget_job(struct account *account);

/* ---- account_wish.c ---- */
/* Does a wish of the user's, or the CA, keep the account from being used? Then what is due is under
 * way, and the conditions say so. */
bool account_wishes(const struct issuer_look *look);
/* A rollover whose key is proven is brought to its end in the Secret; true: that is under way. */
bool account_finish_rollover(const struct issuer_look *look);

#endif
