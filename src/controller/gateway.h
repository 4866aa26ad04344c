/* controller/gateway.h - Gateways and their listeners as the compiler sees them
 *
 * Built anew whenever a Gateway, a GatewayClass or the labels of a Namespace change; listeners are
 * then others, and routes attach anew. What a pass finds out (certificates, sockets, routes) is
 * written into them. Control thread only.
 */
#ifndef CONTROLLER_GATEWAY_H
#define CONTROLLER_GATEWAY_H

#include "base/map.h"
#include "controller/routekind.h"
#include "dataplane/snapshot.h"
#include "loop/sock.h"
#include "store/store.h"

#define GATEWAY_CONTROLLER    "sallyport.dev/gateway-controller"
#define GATEWAY_ADDRESSES_MAX 16 /* as the Gateway API allows */
#define LISTENER_CERTS_MAX    64

enum listener_conflict { CONFLICT_NONE, CONFLICT_HOSTNAME, CONFLICT_PROTOCOL };

struct listenerset;

struct gw_listener {
	struct gateway *gateway;
	struct listenerset *set;        /* whose it is (listenerset.h); NULL: the Gateway's own */
	const json_t *json;             /* in the spec of its owner */
	struct str_view name, hostname; /* borrowed from json */
	uint16_t port;
	enum listener_protocol protocol;
	unsigned takes; /* kinds of routes that may attach: ROUTE_BIT */
	bool bad_kinds; /* allowedRoutes.kinds names kinds that cannot attach */
	enum listener_conflict conflict;
	const struct gw_listener *rival;   /* whom it conflicts with */
	const struct gw_listener *overlap; /* whose hostname, on this port and with TLS, is also its
					      own */

	/* of the last pass */
	size_t attached;     /* routes */
	const void *counted; /* last route that was counted */
	size_t cert_count;
	struct cert *certs[LISTENER_CERTS_MAX]; /* borrowed from certs.h */
	const char *cert_reason;                /* of ResolvedRefs: False; NULL: fine */
	char *cert_message;
	bool cert_pending; /* an issuer will bring the missing ones */
	/* certificates of clients (clients.h) */
	struct ca_set *clients; /* whom they may come from, borrowed from cas.h; NULL: not asked */
	bool clients_optional;  /* AllowInsecureFallback */
	bool clients_refused;   /* asked, and no CA is in order: not served */
	const char *clients_reason; /* as cert_reason */
	char *clients_message;
	size_t bound, unbound; /* sockets */
	uint32_t bound_on;     /* bit: index of the address (wildcard: 0 IPv4, 1 IPv6) */
	bool unusable;         /* an address is not one of this host */
	char *bind_message;
	struct served *served; /* served.h */
	/* traffic.h: which policy is meant for it, whom it shares a socket with that has another,
	 * and the policy that holds; each NULL: none */
	const struct traffic *traffic_wish;
	const struct gw_listener *traffic_rival;
	struct client_policy *policy;
};

enum gateway_state {
	GATEWAY_ACCEPTED,
	GATEWAY_PENDING, /* its class is not there or not accepted */
	GATEWAY_REFUSED
};

struct gateway {
	struct object *object; /* newest: what a status is written to */
	struct object *spec;   /* what this was built from */
	char *id;              /* "namespace/name" */
	int64_t created;
	enum gateway_state state;
	const char *reason; /* of Accepted when it is not; static */
	char *message;
	bool wildcard; /* no addresses asked for: all of the host */
	size_t address_count;
	struct sock_addr addresses[GATEWAY_ADDRESSES_MAX + 1]; /* port 0; one to read into */
	bool address_bound[GATEWAY_ADDRESSES_MAX + 1];         /* wildcard: [0] IPv4, [1] IPv6 */
	size_t listener_count, own_count; /* its own come first, then those of ListenerSets */
	struct gw_listener *listeners;
	/* of the last pass: what backends are shown (clientcert.h) */
	bool asks_client_cert;
	struct cert *client_cert;  /* borrowed from certs.h */
	const char *client_reason; /* of ResolvedRefs: False; NULL: fine */
	char *client_message;
	size_t attached_sets; /* ListenerSets that are accepted (gwstatus_count_sets) */
	/* gwstatus_print of the status that is stored with this revision; 0: not known */
	uint64_t told, told_revision;
	uint64_t last_event; /* stands for what the last Events said (gwevent.h); 0: none yet */
};

struct gateways {
	size_t count, size;
	struct gateway **list; /* oldest first, then by name */
	struct map by_id;
	size_t set_count;
	struct listenerset **sets; /* listenerset.h; in their order of precedence */
	struct map sets_by_id;
};

/* Every Gateway whose class is ours or does not exist, anew; what was told of one that is the same
 * still is. */
void gateways_reload(struct gateways *gateways, const struct store *store);
void gateways_deinit(struct gateways *gateways);
struct gateway *gateways_find(const struct gateways *gateways, struct str_view id);
/* Takes the newest objects for the statuses; true: a Gateway was changed in more than its status,
 * or came or went (then load anew). */
bool gateways_follow(struct gateways *gateways, const struct store *store);

/* ---- parts ---- */
/* class: NULL when there is none of that name. */
struct gateway *gateway_new(const struct object *object, const struct object *class);
void gateway_free(struct gateway *gateway);
bool gatewayclass_is_ours(const struct object *class);
bool gatewayclass_accepted(const struct object *class);
void gateways_add(struct gateways *gateways, struct gateway *gateway); /* takes it */
/* Sorts, and finds the listeners that conflict: with each other in one Gateway or ListenerSet none
 * of them wins, else the oldest Gateway does, and in it its own listeners, then the oldest set. */
void gateways_judge(struct gateways *gateways);

/* overlap.c: writes overlap of every listener. */
void gateway_judge_overlaps(struct gateway *gateway);

/* Holds the newest object instead; true: it differs from spec in more than the status. (The issuer
 * is named in an annotation.) */
bool gateway_renew_object(struct object **held, const struct object *spec,
			  const struct object *newest);

/* set: NULL for the Gateway's own. */
void listener_init(struct gw_listener *listener, struct gateway *gateway, struct listenerset *set,
		   const json_t *json);
/* May it be bound and served? (Certificates and sockets are another matter.) */
bool listener_usable(const struct gw_listener *listener);
bool listener_has_tls(const struct gw_listener *listener); /* it ends here: certificates are due */
/* Do its streams begin with a ClientHello? */
bool listener_hears_tls(const struct gw_listener *listener);
/* Forgets what the last pass found out. */
void listener_reset_certs(struct gw_listener *listener);
void listener_reset_clients(struct gw_listener *listener);
void listener_reset_sockets(struct gw_listener *listener);

#endif
