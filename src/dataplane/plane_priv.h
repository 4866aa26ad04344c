/* dataplane/plane_priv.h - what plane.c and plane_metrics.c share; for tests: other codecs */
#ifndef DATAPLANE_PLANE_PRIV_H
#define DATAPLANE_PLANE_PRIV_H

#include "dataplane/plane.h"
#include "dataplane/worker_priv.h"

#define WORKERS_MAX 64

struct worker_state {
	uint64_t runs;   /* generation */
	uint64_t oldest; /* the oldest one it still reads */
};

struct published { /* a snapshot that some worker may read */
	struct list link;
	struct snapshot *snapshot;
};

struct plane {
	struct plane_config config; /* connections: what the descriptors allow */
	struct mailbox *mailbox;
	struct worker *workers[WORKERS_MAX];
	struct worker_state states[WORKERS_MAX];
	struct list bindings;  /* of the newest snapshot, and new ones */
	struct list leaving;   /* no snapshot names them; sockets still open */
	struct list published; /* oldest first */
	struct graveyard graveyard;
	uint64_t acknowledged, oldest;
	struct timer sweep_timer;
	struct task drain_task;
	unsigned drained; /* workers */
	void (*drain_done)(void *arg);
	void *drain_arg;
};

struct plane_codecs {
	const struct transport *h1, *h2;
};

/* plane_start with other codecs than h1_transport and h2_transport. */
struct plane *plane_start_with(const struct plane_config *config, const struct plane_codecs *codecs,
			       struct err *err);

#endif
