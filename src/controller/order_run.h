/* controller/order_run.h - an Order under way, handed from file to file
 *
 *     order.c          what is stored decides the next step; when; what changes concern an Order
 *     order_steps.c    one step, one request, one answer (and order_step.h)
 *     order_side.c     requests of one Order that go side by side
 *     order_end.c      failures: try again, order anew, or the end
 *     challenge.c      Challenge objects: made, served, answered
 *     order_limits.c   what the CA allows in a time, counted here
 *     selfcheck.c      would the CA reach us? asked before newOrder
 */
#ifndef CONTROLLER_ORDER_RUN_H
#define CONTROLLER_ORDER_RUN_H

#include "acme/fetch.h"
#include "acme/order.h"
#include "controller/account.h"
#include "controller/order.h"
#include "controller/solver.h"
#include "pki/x509.h"

struct orders {             /* ctl->state[CTL_ORDER] */
	struct map runs;    /* struct order_run, by store key */
	struct map passed;  /* selfcheck.c: addresses that have answered */
	struct map ledgers; /* order_limits.c, by the issuer's store key */
};

#define ORDER_SIDE_MAX 4 /* requests of one Order side by side; as many connections there are */

struct order_side { /* order_side.c; one of them */
	struct order_run *run;
	struct acme_call *call;
	size_t index;   /* of the authorization that is read */
	char *key;      /* of the Challenge that is answered; NULL: free */
	json_t *status; /* of the Challenge, to be stored */
};

struct order_run { /* what only memory knows; of every Order that has not ended */
	struct account_use use;
	struct controllers *ctl;
	char *key;
	struct acme_call *call;  /* at most one at a time */
	struct selfcheck *check; /* under way */
	/* Learned and not stored yet; what may happen before it is: runs_ahead() in order.c. */
	json_t *result;
	bool put; /* the result was given to the store, which has not been looked at since */
	int64_t not_before;       /* monotonic: the CA is not asked before */
	int64_t waiting_since;    /* monotonic, for the end of the present wait; 0: does not wait */
	int64_t delay_ms;         /* of the poll before */
	int64_t asked_to_wait_ms; /* by the answer to a challenge, before the first poll; -1: not */
	int64_t serving_since;    /* monotonic: we wait for the workers to serve a token; 0: not */
	unsigned polls;           /* since the last progress */
	unsigned fetches;         /* of tokens by the CA, that moved a poll forward */
	unsigned check_failures;
	size_t asked; /* index of the authorization in the call */
	struct order_side reads[ORDER_SIDE_MAX], answers[ORDER_SIDE_MAX];
	bool looked_late; /* asked once more after the longest wait */
	bool noted;       /* the answer to a read was taken into the result */
	bool told;        /* the present wait was asked for by the CA (Retry-After) */
	bool fetched;     /* the CA has fetched a token before the answer to our POST came */
	bool fresh;   /* the intent was stored by this process: no order of it can be there yet */
	bool checked; /* the self-check has let it pass */
	/* order_chain.c: the certificate came alone, and its issuer's is fetched */
	struct fetch *issuer_fetch;
	char *alone;    /* the certificate, PEM */
	bool inherited; /* the order was placed by a process that has ended */
};

struct order_look { /* one reconcile, or one answer */
	struct controllers *ctl;
	struct order_run *run;
	const struct object *object;
	json_t *status; /* owned; what is known: of object, or learned and not stored yet */
	struct issuer issuer;
	struct acme_client *client;
	bool finalized; /* the answer is one to finalize */
};

/* ---- order.c ---- */
/* For a callback: what the run is about now; false: the Order is gone. client may be NULL. look is
 * released with order_look_end in either case. */
bool order_look_of(struct order_run *run, struct order_look *look);
void order_look_end(struct order_look *look);
json_t *order_status(const struct order_look *look); /* a deep copy of what is known */
/* Gives status (taken) to the store, with what else is written in this turn. */
void order_learned(struct order_run *run, json_t *status);
/* Looks again, now or later; nothing is asked before. */
void order_again(struct order_run *run, int64_t delay_ms);
/* A wait that has not changed anything: the next poll, by Retry-After or growing. */
void order_poll_later(struct order_run *run, int64_t first_ms, int64_t retry_after_ms);
void order_progress(struct order_run *run);              /* polls begin anew */
json_t *order_authz(const json_t *status, size_t index); /* borrowed; NULL: no more */
void order_names(const struct order_look *look, struct acme_new_order *order,
		 struct name_list *names);

/* ---- order_side.c ---- */
/* Reads an authorization; false: it has no URL, or there are enough under way. */
bool order_side_read(struct order_look *look, size_t index, acme_done_fn *done);
bool order_side_reading(const struct order_run *run);
void order_side_end_reads(struct order_run *run); /* what is under way does not matter any more */
/* Answers a Challenge when there is a free slot. arg of done: its struct order_side. */
void order_side_answer(struct order_look *look, const struct object *challenge, acme_done_fn *done);
/* Under way, or to be stored? */
bool order_side_answers(const struct order_run *run, const char *key);
void order_side_end_answer(struct order_side *side);
void order_side_store(struct order_run *run); /* what the CA has said to Challenges */
void order_side_store_one(struct order_side *side);
void order_side_lost(struct order_run *run); /* the client has ended, with its calls */
void order_side_free(struct order_run *run);

/* ---- order_steps.c ---- */
void order_take_step(struct order_look *look);

/* ---- order_end.c ---- */
/* true: the answer was no good, and what follows from it has been set in motion. */
bool order_answer_failed(struct order_look *look, const struct acme_result *result);
/* The attempt has failed. type: why, as ACME says it ("rejectedIdentifier"), or our own word. */
void order_fails(struct order_look *look, const char *state, const char *type, const char *words);
/* The CA has declared the order invalid. When the CA may have looked while nobody was there to
 * answer (the process before this one placed the order), it is placed anew, once. */
void order_rejected(struct order_look *look, const char *type, const char *words);
/* The order is lost at the CA: anew, once. */
void order_anew(struct order_look *look, const char *words);
/* The same step again after a back-off that is kept over restarts. */
void order_back_off(struct order_look *look, const char *type, const char *words,
		    int64_t at_least_ms);

/* ---- order_limits.c ---- */
enum order_counted { ORDER_COUNT_MADE, ORDER_COUNT_ISSUED };
/* false: the CA would refuse the order, and it waits until there is room. */
bool order_within_limits(struct order_look *look, const struct acme_new_order *order);
void order_count(struct order_look *look, enum order_counted what);
void order_count_failure(struct order_look *look, struct str_view name); /* not validated */
void order_limits_stop(struct controllers *ctl);

/* ---- challenge.c ---- */
/* Makes the Challenges that are missing. */
void order_make_challenges(struct order_look *look);
/* true: every pending authorization has its challenge answered; else what is due is under way. */
bool order_answer_challenges(struct order_look *look);
/* Do all workers answer this Challenge? Otherwise its Order is queued when they do. */
bool order_challenge_served(struct order_look *look, const struct object *challenge);
void order_drop_challenges(struct order_look *look);
/* solver_choose for the issuer of this Order; offers may be NULL. */
const struct solver_type *order_solver(const struct order_look *look, struct str_view name,
				       const json_t *offers, json_t **solver, struct err *err);
/* The name of an entry in status.authorizations as it was ordered: with the "*." of a wildcard.
 * Heap. */
char *authz_name(const json_t *authz);

#endif
