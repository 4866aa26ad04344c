/* controller/controller.h - makes the world match the objects: reconciliation from watch to status
 * and snapshot
 *
 * Control thread only. watch -> queue (a key once) -> reconcile -> status written (only when it
 * changed), certificates asked for, snapshot compiled (at most one a turn) and published.
 */
#ifndef CONTROLLER_CONTROLLER_H
#define CONTROLLER_CONTROLLER_H

#include "acme/fetch.h"
#include "base/buf.h"
#include "controller/rules.h"
#include "dataplane/plane.h"
#include "loop/dns.h"
#include "loop/jobs.h"
#include "loop/loop.h"
#include "store/store.h"

struct controllers;

struct controllers_config {
	struct loop *loop;
	struct store *store;
	struct plane *plane; /* its acknowledged and challenge_fetched are forwarded by the daemon,
				below */
	struct jobs *jobs;
	struct dns *dns;
	struct fetcher *fetcher;
	const struct address_rules *rules; /* immutable */
	const char *hooks;         /* folder of scripts for DNS-01 and alerts; NULL: none are run */
	const char *alert_hook;    /* name of a script there, run when certificates are not renewed;
				      may be NULL */
	const char *alert_webhook; /* URL that is told so; may be NULL */
	bool own_hooks;            /* they may belong to the user of this process instead of root */
	unsigned events_max;       /* Events that are kept; 0: 2000 */
	uint16_t authority_port;   /* where zones' own servers are asked; 0: 53 */
};

/* Starts every controller: what is stored is looked at in the next turns of the loop. config is
 * copied, what it points to outlives them. NULL: err says which did not start, and nothing is left.
 */
struct controllers *controllers_start(const struct controllers_config *config, struct err *err);
void controllers_free(struct controllers *controllers);

/* Forwarded from the plane's callbacks. */
void controllers_acknowledged(struct controllers *controllers, uint64_t generation);
void controllers_challenge_fetched(struct controllers *controllers, struct str_view token);

/* "Writes settle": done runs once, when nothing that follows from changes up to revision is left to
 * do in this process (queue empty, statuses written, snapshot acknowledged), or after 200 ms.
 * Waiting for a CA, DNS or a back-off does not count. */
void controllers_settle(struct controllers *controllers, uint64_t revision, void (*done)(void *arg),
			void *arg);
void controllers_settle_cancel(struct controllers *controllers,
			       void *arg); /* the client went away */

void controllers_metrics(struct controllers *controllers, struct buf *out);
/* First snapshot after the start is acknowledged: stored certificates are served. */
bool controllers_ready(const struct controllers *controllers);

#endif
