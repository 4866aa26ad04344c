/* controller/attach.h - which listeners a route attaches to, and under which hostnames (Gateway
 * API)
 *
 * Pure over the Gateways and the labels of Namespaces. Whether a listener can be served does not
 * matter here: attachment is about parentRefs, allowedRoutes and hostnames alone.
 */
#ifndef CONTROLLER_ATTACH_H
#define CONTROLLER_ATTACH_H

#include "controller/gateway.h"

enum attach_result {                     /* for one parentRef; a later one has come further */
		     ATTACH_FOREIGN,     /* not one of our Gateways: no entry in the status */
		     ATTACH_NO_GATEWAY,  /* there is none of that name */
		     ATTACH_PENDING,     /* the Gateway's class is not there */
		     ATTACH_NO_LISTENER, /* sectionName or port name none */
		     ATTACH_NOT_ALLOWED, /* by namespace or kind */
		     ATTACH_NO_HOSTNAME, /* no name in common */
		     ATTACH_ACCEPTED
};

struct attachment {
	struct gw_listener *listener;
	int host;                   /* index in spec.hostnames; -1: the listener's own name */
	size_t parent;              /* index of the parentRef */
	bool lost;                  /* to a route of another kind (clash.h) */
	struct served_host *served; /* served.c: found by the first pass */
};

struct parent { /* of spec.parentRefs, in order */
	enum attach_result result;
	const char *why_pending; /* ATTACH_PENDING: borrowed from the Gateway */
	bool lost;               /* every listener, to a route of another kind (clash.h) */
};

struct attached {
	size_t parent_count;
	struct parent *parents;
	size_t count, size;
	struct attachment *list;
};

struct attach_env {
	const struct gateways *gateways;
	/* Labels of a Namespace, NULL when it does not exist. */
	const json_t *(*labels)(void *arg, struct str_view ns);
	/* Is there a Gateway of this name, though not one of ours? */
	bool (*exists)(void *arg, struct str_view ns, struct str_view name);
	void *arg;
};

/* out is zeroed or attached before (then it is filled anew). */
void attach_route(struct attached *out, const struct object *route, const struct attach_env *env);
void attached_deinit(struct attached *attached);
/* The name of an attachment of a route. */
struct str_view attachment_host(const struct attachment *attachment, const struct object *route);

#endif
