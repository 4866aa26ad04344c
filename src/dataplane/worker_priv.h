/* dataplane/worker_priv.h - what plane.c, worker.c, listener.c and conn.c share; no codec includes
 * it
 */
#ifndef DATAPLANE_WORKER_PRIV_H
#define DATAPLANE_WORKER_PRIV_H

#include "dataplane/worker.h"
#include "loop/mailbox.h"

struct acceptor;

/* ---- messages: made by one thread, freed by the other ---- */
enum worker_mail_kind { TO_WORKER_SNAPSHOT, TO_WORKER_DRAIN, TO_WORKER_ACCESS, TO_WORKER_STOP };

struct worker_mail {
	struct mail mail;
	enum worker_mail_kind kind;
	const struct snapshot *snapshot; /* TO_WORKER_SNAPSHOT: borrowed until reported unused */
	int fd;                          /* TO_WORKER_ACCESS: given away */
};

enum plane_mail_kind { TO_PLANE_RUNS, TO_PLANE_DRAINED, TO_PLANE_CHALLENGE };

struct plane_mail {
	struct mail mail;
	enum plane_mail_kind kind;
	unsigned worker;
	uint64_t generation, oldest; /* TO_PLANE_RUNS: runs this one, still reads that one */
	size_t token_len;
	char token[];
};

/* What a plane gives a worker at its birth. */
struct worker_birth {
	unsigned index;
	const struct plane_config *config; /* the plane's own copy */
	struct mailbox *plane;             /* where it reports to */
	int access_fd;                     /* given away; -1: none */
	const struct transport *h1, *h2;
};

/* ---- control thread ---- */
struct worker *worker_new(const struct worker_birth *birth, struct err *err);
int worker_start(struct worker *worker, struct err *err);
void worker_post(struct worker *worker, struct worker_mail *mail);
/* Joins the thread, which has been told to stop (or was never started). */
void worker_free(struct worker *worker);

/* ---- worker's thread: listener.c, conn.c ---- */
void worker_drain_conns(struct worker *worker, const struct acceptor *of);   /* NULL: all */
void worker_destroy_conns(struct worker *worker, const struct acceptor *of); /* NULL: all */
void worker_released(struct worker *worker);  /* a snapshot is not held any more: report */
void worker_conn_gone(struct worker *worker); /* conn_count went down */
/* No descriptor or memory for another connection: sheds one, rests a moment. */
void worker_accept_pause(struct worker *worker, int error);

#endif
