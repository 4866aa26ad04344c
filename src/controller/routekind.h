/* controller/routekind.h - kinds of routes, and the listeners that carry them (Gateway API) */
#ifndef CONTROLLER_ROUTEKIND_H
#define CONTROLLER_ROUTEKIND_H

#include "store/object.h"

#define GATEWAY_GROUP "gateway.networking.k8s.io"

enum route_kind { ROUTE_HTTP, ROUTE_GRPC, ROUTE_TLS, ROUTE_TCP, ROUTE_UDP, ROUTE_KIND_COUNT };
#define ROUTE_BIT(kind) (1u << (kind))

enum listener_protocol {
	LISTENER_HTTP,
	LISTENER_HTTPS,
	LISTENER_TLS,         /* tls.mode Terminate */
	LISTENER_PASSTHROUGH, /* protocol TLS, tls.mode Passthrough */
	LISTENER_TCP,
	LISTENER_UDP,
	LISTENER_UNSUPPORTED
};

struct route_kind_row {
	const char *kind, *plural;
	unsigned protocols; /* of listeners that carry it: 1 << enum listener_protocol */
};
extern const struct route_kind_row route_kinds[ROUTE_KIND_COUNT];
enum route_kind route_kind_of(const struct object *route);

#endif
