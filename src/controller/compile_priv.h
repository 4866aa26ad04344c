/* controller/compile_priv.h - state of the compiler, for compile.c and compile_watch.c */
#ifndef CONTROLLER_COMPILE_PRIV_H
#define CONTROLLER_COMPILE_PRIV_H

#include "controller/backends.h"
#include "controller/cas.h"
#include "controller/certs.h"
#include "controller/ctl.h"
#include "controller/gateway.h"
#include "controller/httproute.h"
#include "controller/policies.h"
#include "controller/ports.h"
#include "controller/served.h"
#include "controller/tickets.h"
#include "controller/tokens.h"
#include "controller/traffic.h"

struct compile {
	struct controllers *ctl;
	struct graveyard *graveyard;
	struct gateways gateways;
	bool gateways_dirty; /* a class is another */
	bool untold;         /* statuses of Gateways may be others now */
	int64_t told_at;     /* when they were looked at last */
	struct routes routes;
	struct served_all served;
	struct ports ports;
	struct traffics traffics;
	size_t http_listeners; /* that can be served */
	struct certs *certs;
	bool certs_stale;    /* what certificateRefs lead to may be another */
	size_t certs_http;   /* http_listeners when they were followed */
	uint64_t certs_told; /* metric: listeners whose certificateRefs were followed */
	struct cas *cas;
	struct backends *backends;
	struct policies *policies;
	struct map unchecked; /* keys of Backends whose status is to be looked at */
	struct tokens tokens;
	struct tickets tickets;
	uint64_t last_compiled; /* identity of compilations */

	uint64_t published; /* newest generation */
	int64_t published_at;
	bool publishing; /* it is not acknowledged: writes do not settle */
	bool ready;
	size_t shape_count;
	uintptr_t *shape; /* what the newest generation serves, in numbers */

	uint64_t passes;             /* metrics */
	int64_t pass_us, longest_us; /* of the last pass; of all since it was set to 0 */
};

static inline struct compile *compile_of(const struct controllers *ctl)
{
	return ctl->state[CTL_COMPILE];
}

static inline void compile_soon(struct controllers *ctl)
{
	ctl_queue(ctl, CTL_COMPILE, SV(""));
}

/* compile.c: of the row ctl_compile, which stands in compile_watch.c with its watches */
void compile_reconcile(struct controllers *ctl, struct str_view key);
int compile_start(struct controllers *ctl, struct err *err);
void compile_stop(struct controllers *ctl);
void compile_metrics(struct controllers *ctl, struct buf *out);

/* compile_watch.c */
void compile_check_backend(struct compile *compile, struct str_view key);

#endif
