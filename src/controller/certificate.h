/* controller/certificate.h - one reconcile of a Certificate, handed from file to file
 *
 *     certificate.c         Ready and Issuing, when to look again, what changes concern it
 *     certificate_check.c   does the Secret hold what the spec asks for?
 *     certificate_issue.c   the steps of an attempt, from key to Secret
 *     certificate_issuer.c  which issuer an attempt is made with
 *     certificate_secret.c  the Secret and the next private key
 *     certificate_ari.c     when does the CA want it renewed?
 *     certificate_revoke.c  revocation that the user asks for
 */
#ifndef CONTROLLER_CERTIFICATE_H
#define CONTROLLER_CERTIFICATE_H

#include "controller/account.h"

#define CERT_WORDS_MAX 1024

/* What a Secret was seen to hold, so that it is parsed once for each of its states: OpenSSL takes a
 * millisecond for a key. */
struct pair_facts {
	uint64_t secret_revision; /* 0: not looked at */
	const char *reason;       /* why it is no pair; NULL: it is one */
	char *words;              /* of reason; owned */
	unsigned key_types;       /* bits: enum key_type */
	int64_t not_before, not_after;
	uint64_t serial_hash;
	bool parsed;              /* false: what the status says is believed */
	char *ari_id;             /* of RFC 9773; NULL: it has none, or was not parsed; owned */
	int64_t noted_generation; /* taken from the status, for this generation; 0: parsed */
	int64_t noted_renewal;
};

struct key_job;
struct revocation;

struct ari_question {           /* to the CA, about the certificate in the Secret */
	struct account_use use; /* while call is under way, or waits for the account */
	struct acme_call *call;
	unsigned *in_flight; /* of all Certificates */
	char *id;
	bool other;     /* the status speaks of another certificate */
	json_t *before; /* what was known when it was asked */
	json_t *result; /* to be stored */
};

struct cert_run { /* what only memory knows of a Certificate */
	struct controllers *ctl;
	char *key;       /* store key */
	int64_t planned; /* its renewal among those of all (spread.h); 0: not */
	int64_t period;
	char *blocked_on;    /* the issuer that has to recover first; NULL: none */
	int64_t due;         /* wall clock; 0: never */
	struct key_job *job; /* a key is being made */
	struct pair_facts facts;
	struct ari_question ari;
	struct revocation *revocation; /* under way */
	json_t *revoked;               /* what came of it, to be stored */
	/* of an attempt: the next private key, and the request that was seen to be for it */
	EVP_PKEY *next_key;
	uint64_t next_key_revision; /* of its Secret */
	char *request_uid;
	int64_t request_generation; /* of the Certificate */
};

struct cert_look {
	struct controllers *ctl;
	const struct object *cert;
	const json_t *spec;
	json_t *status; /* changed by the steps; stored at the end when it differs */
	int64_t now;
	struct cert_run *run;

	/* by certificate_check */
	const struct object *secret; /* NULL: there is none */
	const char *reason;          /* why the Secret does not do; NULL: it does */
	char words[CERT_WORDS_MAX];
	bool duplicate; /* another Certificate owns the Secret */
	bool dated;     /* the Secret holds a certificate: */
	int64_t not_before, not_after, renewal;
	int64_t deadline; /* of the renewal: the end of the CA's window; 0: expiry */
	bool at_once;     /* the CA wants it renewed now: it was revoked, or will be */
};

/* A time at or before latest at which few others are renewed; bits as spread_pick. */
int64_t certificate_plan(struct cert_look *look, int64_t latest, uint64_t bits);
/* A time within the window of a CA at which few others are renewed; it is counted at once. */
int64_t certificate_plan_within(struct cert_run *run, int64_t earliest, int64_t latest);
/* Counts look->renewal among the renewals to come. */
void certificate_planned(struct cert_look *look);
/* The attempt waits for its CA to recover, or does not (NULL): few are to try. */
void certificate_blocked(struct cert_look *look, const struct object *issuer);

void certificate_check(struct cert_look *look);

/* The next steps of an attempt, as far as they go without anybody else: all that they write is
 * stored together, status too. */
void certificate_issue(struct cert_look *look);
bool certificate_is_issuing(const struct cert_look *look);
/* What an attempt left behind and is not needed any more. */
void certificate_clean_up(struct cert_look *look);
/* Asks for another look when the wall clock shows due. */
void certificate_look_at(struct cert_look *look, int64_t due);

/* ---- certificate_ari.c ---- */
/* The ACME issuer that issued what the Secret holds; false: none, or it is gone. */
bool certificate_issuer(struct cert_look *look, struct issuer *issuer);
/* A new answer goes into the status, before the Secret is looked at. */
void certificate_take_ari(struct cert_look *look);
/* The moment that was chosen becomes the renewal of the look. */
void certificate_apply_ari(struct cert_look *look);
/* The renewal of the look is the CA's wish; url: why, or NULL. */
bool certificate_renews_by_ari(const struct cert_look *look, const char **url);
void certificate_ask_ari(struct cert_look *look); /* when it is due */
/* What newOrder may say that it replaces; NULL: nothing. Heap. */
char *certificate_replaced_id(struct cert_look *look);
void certificate_forget_ari(struct cert_run *run);

/* ---- certificate_revoke.c ---- */
void certificate_take_revocation(struct cert_look *look); /* what came of it, into the status */
void certificate_revoke(struct cert_look *look);          /* as the annotation asks */
void certificate_drop_note(struct cert_look *look);       /* it was carried out */
/* The certificate in the Secret is the one that was revoked. */
bool certificate_was_revoked(const struct cert_look *look, const char **reason,
			     const char **serial);
bool certificate_key_is_compromised(const struct cert_look *look);
void certificate_forget_revocation(struct cert_run *run);

/* ---- certificate_alarm.c ---- */
void certificate_alarm(struct cert_look *look); /* the condition Expiring */

/* ---- certificate_secret.c ---- */
enum key_type certificate_key_type(const struct cert_look *look);
/* The next private key, borrowed; NULL: it is being made. It is stored, or will be together with
 * what is written in this turn: only once that is stored may it be used outside. */
EVP_PKEY *certificate_next_key(struct cert_look *look, const char *secret_name);
/* The Secret holds this chain already, with all that is noted about it. */
bool certificate_is_installed(struct cert_look *look, struct str_view chain, struct str_view ca);
/* Writes certificate and key into the Secret. */
void certificate_install(struct cert_look *look, EVP_PKEY *key, struct str_view chain,
			 struct str_view ca);
void certificate_sync_template(struct cert_look *look); /* labels, annotations */

void certificate_forget_failures(struct cert_look *look); /* the next attempt may begin */
void certificate_forget_attempt(struct cert_run *run);    /* the key, the job that makes it */

#endif
