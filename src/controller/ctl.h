/* controller/ctl.h - what the controllers share: their table, the queue, writing statuses and
 * objects
 *
 * Each controller is a row: what it watches, which of its keys a change concerns, and a function
 * that brings one key in order. A reconcile function reads the store, decides, and asks for writes;
 * what it asked for comes back as a change and it runs again. It never waits, and never holds an
 * object past its return without a reference. Control thread only.
 */
#ifndef CONTROLLER_CTL_H
#define CONTROLLER_CTL_H

#include "base/clock.h"
#include "controller/controller.h"
#include "controller/queue.h"
#include "resource/condition.h"
#include "resource/kind.h"
#include "store/store.h"

#include <stdbool.h>

enum controller_id {
	CTL_COMPILE, /* compile.c: everything that is served -> statuses and snapshot; one key "" */
	CTL_SHIM,    /* shim.c: Gateway annotation -> Certificate */
	CTL_ISSUER,  /* issuer.c: ClusterIssuer, Issuer -> account, Ready */
	CTL_CERTIFICATE, /* certificate.c: Certificate -> key, CertificateRequest/Order, Secret */
	CTL_REQUEST,     /* request.c: CertificateRequest -> Order, or signed here */
	CTL_ORDER,       /* order.c: the steps of an ACME order */
	CTL_DNS01,       /* dns01.c: TXT records of DNS-01 Challenges */
	CTL_TIGERA, /* tigera.c: Installation, GatewayAPI -> TigeraStatus, GatewayClass; Deployment
		       status */
	CTL_ALERT,  /* alert.c: certificates that are not renewed -> script, webhook; one key "" */
	CTL_OWNER, /* owner.c: what its owner left behind is deleted; Namespaces empty themselves */
	CTL_EVENT, /* event.c: Events older than an hour go */
	CTL_COUNT
};

#define CTL_WATCHES_MAX 24

struct ctl_watch {
	const char *prefix; /* of the store's keys; NULL: end of the list */
	/* Queues the keys that a change concerns; NULL: the changed object's own key. before/after
	 * NULL: absent. */
	void (*map)(struct controllers *ctl, const struct object *before,
		    const struct object *after);
};

struct ctl_row {
	const char *name;
	struct ctl_watch watches[CTL_WATCHES_MAX];
	void (*reconcile)(struct controllers *ctl, struct str_view key);
	int (*start)(struct controllers *ctl, struct err *err);    /* may be NULL */
	void (*stop)(struct controllers *ctl);                     /* may be NULL */
	void (*metrics)(struct controllers *ctl, struct buf *out); /* may be NULL */
};

/* One row each, defined in the file named above. */
extern const struct ctl_row ctl_compile, ctl_shim, ctl_issuer, ctl_certificate, ctl_request,
	ctl_order, ctl_dns01, ctl_alert, ctl_tigera, ctl_owner, ctl_event_row;

struct route; /* controller.c: where a watch's changes go */

struct controllers {
	struct controllers_config config;
	struct queue *queue;
	struct store_watch *watches[CTL_COUNT * CTL_WATCHES_MAX];
	size_t watch_count;
	struct list settling; /* struct settle */
	struct list writes;   /* under way (ctl.c) */
	struct task settle_look;
	unsigned changes_pending; /* see ctl_work_begin */
	struct route *routes;
	unsigned started;       /* rows whose start has run */
	void *state[CTL_COUNT]; /* of each controller, made in its start */
};

static inline int64_t ctl_now(void)
{
	return clock_wall();
}

void ctl_queue(struct controllers *ctl, enum controller_id id, struct str_view key);
void ctl_queue_in(struct controllers *ctl, enum controller_id id, struct str_view key,
		  int64_t delay_ms);
void ctl_retry(struct controllers *ctl, enum controller_id id, struct str_view key); /* back-off */

/* Something that will end soon in this process (a publish on its way) keeps writes from settling.
 */
void ctl_work_begin(struct controllers *ctl);
void ctl_work_end(struct controllers *ctl);

/* ---- reading ---- */
/* Borrowed; NULL: absent. ns "" for cluster-scoped kinds. */
const struct object *ctl_get(struct controllers *ctl, const struct kind *kind, const char *ns,
			     const char *name);

/* ---- writing (results come back as changes; failures are logged once and retried) ---- */
/* Replaces status (takes it) when it differs; then key is queued again if somebody else was faster.
 */
void ctl_put_status(struct controllers *ctl, enum controller_id id, const struct object *object,
		    json_t *status);
/* Creates or replaces an object of ours by admission (defaults, uid, generation); takes body. old:
 * the object that is replaced (compare-and-swap on its revision), NULL: it must not exist yet.
 * status in body is kept. done may be NULL; otherwise as store_wrote_fn. */
void ctl_put_object(struct controllers *ctl, const struct kind *kind, const struct object *old,
		    json_t *body, store_wrote_fn *done, void *arg);
void ctl_delete_object(struct controllers *ctl, const struct object *object);

/* At the end: what the store has not answered is answered with ERR_GONE. */
void ctl_drop_writes(struct controllers *ctl);

/* metadata.ownerReferences entry with controller: true. New value. */
json_t *ctl_owner_ref(const struct kind *kind, const struct object *owner);
/* Is the object controlled by owner (by uid)? */
bool ctl_is_owned_by(const struct object *object, const struct object *owner);

/* An Event about an object: type "Normal" or "Warning". The same again within ten minutes only
 * counts up. Never give it secrets. */
void ctl_event(struct controllers *ctl, const struct kind *kind, const struct object *about,
	       const char *type, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

#endif
