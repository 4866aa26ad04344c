#include "controller/gateway.h"

#include "base/clock.h"
#include "base/own.h"
#include "controller/listenerset.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- classes ---- */

bool gatewayclass_is_ours(const struct object *class)
{
	return sv_eq(json_sv_at(class->json, "spec.controllerName"), SV(GATEWAY_CONTROLLER));
}

bool gatewayclass_accepted(const struct object *class)
{
	return json_at(class->json, "spec.parametersRef") == NULL;
}

static const struct object *class_get(const struct store *store, const struct object *gateway)
{
	const char *name = json_str_at(gateway->json, "spec.gatewayClassName");
	AUTO(auto_free)
	char *key = name == NULL ? NULL : object_key(GATEWAY_GROUP, "gatewayclasses", "", name);

	return key == NULL ? NULL : store_get(store, sv_from(key));
}

/* ---- kinds of routes ---- */

#define OVER(protocol) (1u << LISTENER_##protocol)

const struct route_kind_row route_kinds[ROUTE_KIND_COUNT] = {
	[ROUTE_HTTP] = {"HTTPRoute", "httproutes", OVER(HTTP) | OVER(HTTPS)},
	[ROUTE_GRPC] = {"GRPCRoute", "grpcroutes", OVER(HTTP) | OVER(HTTPS)},
	[ROUTE_TLS] = {"TLSRoute", "tlsroutes", OVER(TLS) | OVER(PASSTHROUGH)},
	[ROUTE_TCP] = {"TCPRoute", "tcproutes", OVER(TCP) | OVER(TLS)},
	[ROUTE_UDP] = {"UDPRoute", "udproutes", OVER(UDP)},
};

enum route_kind route_kind_of(const struct object *route)
{
	struct object_key_parts parts = {0};
	unsigned kind = ROUTE_HTTP;

	(void)object_key_split(sv_from(route->key), &parts);
	for (unsigned i = 0; i < ROUTE_KIND_COUNT; i++) {
		if (sv_eq(sv_from(route_kinds[i].plural), parts.plural))
			kind = i;
	}
	return (enum route_kind)kind;
}

static unsigned kinds_over(enum listener_protocol protocol)
{
	unsigned kinds = 0;

	for (unsigned i = 0; i < ROUTE_KIND_COUNT; i++) {
		if ((route_kinds[i].protocols >> protocol & 1) != 0)
			kinds |= ROUTE_BIT(i);
	}
	return kinds;
}

/* The bit of a kind that the protocol carries; 0: none of that name. */
static unsigned kind_bit(enum listener_protocol protocol, struct str_view kind)
{
	for (unsigned i = 0; i < ROUTE_KIND_COUNT; i++) {
		if (sv_eq(sv_from(route_kinds[i].kind), kind))
			return kinds_over(protocol) & ROUTE_BIT(i);
	}
	return 0;
}

/* ---- listeners ---- */

bool listener_has_tls(const struct gw_listener *listener)
{
	return listener->protocol == LISTENER_HTTPS || listener->protocol == LISTENER_TLS;
}

bool listener_hears_tls(const struct gw_listener *listener)
{
	return listener_has_tls(listener) || listener->protocol == LISTENER_PASSTHROUGH;
}

bool listener_usable(const struct gw_listener *listener)
{
	return listener->gateway->state == GATEWAY_ACCEPTED &&
	       listener->protocol != LISTENER_UNSUPPORTED && !listener->clients_refused &&
	       listener->conflict == CONFLICT_NONE;
}

void listener_reset_certs(struct gw_listener *listener)
{
	free(listener->cert_message);
	listener->cert_message = NULL;
	listener->cert_reason = NULL;
	listener->cert_count = 0;
	listener->cert_pending = false;
}

void listener_reset_clients(struct gw_listener *listener)
{
	free(listener->clients_message);
	listener->clients_message = NULL;
	listener->clients_reason = NULL;
	listener->clients = NULL;
	listener->clients_optional = listener->clients_refused = false;
}

void listener_reset_sockets(struct gw_listener *listener)
{
	free(listener->bind_message);
	listener->bind_message = NULL;
	listener->bound = listener->unbound = 0;
	listener->bound_on = 0;
	listener->unusable = false;
}

static enum listener_protocol protocol_of(const json_t *json)
{
	static const struct {
		struct str_view name;
		enum listener_protocol protocol;
	} protocols[] = {
		{SV_INIT("HTTP"), LISTENER_HTTP}, {SV_INIT("HTTPS"), LISTENER_HTTPS},
		{SV_INIT("TLS"), LISTENER_TLS},   {SV_INIT("TCP"), LISTENER_TCP},
		{SV_INIT("UDP"), LISTENER_UDP},

	};
	struct str_view text = json_sv_at(json, "protocol");

	if (sv_eq(text, SV("TLS")) && sv_eq(json_sv_at(json, "tls.mode"), SV("Passthrough")))
		return LISTENER_PASSTHROUGH;
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		if (sv_eq(protocols[i].name, text))
			return protocols[i].protocol;
	}
	return LISTENER_UNSUPPORTED;
}

/* No list: all kinds that the protocol carries. */
static void read_kinds(struct gw_listener *listener)
{
	const json_t *kinds = json_at(listener->json, "allowedRoutes.kinds");
	json_t *kind;
	size_t i;

	if (listener->protocol == LISTENER_UNSUPPORTED)
		return;
	if (json_array_size(kinds) == 0)
		listener->takes = kinds_over(listener->protocol);
	json_array_foreach(kinds, i, kind)
	{
		struct str_view group = json_sv_at(kind, "group");
		bool ours = json_member(kind, "group") == NULL || sv_eq(group, SV(GATEWAY_GROUP));
		unsigned bit = ours ? kind_bit(listener->protocol, json_sv_at(kind, "kind")) : 0;

		listener->takes |= bit;
		listener->bad_kinds = listener->bad_kinds || bit == 0;
	}
}

void listener_init(struct gw_listener *listener, struct gateway *gateway, struct listenerset *set,
		   const json_t *json)
{
	*listener = (struct gw_listener){.gateway = gateway, .set = set};
	listener->json = json;
	listener->name = json_sv_at(json, "name");
	listener->hostname = json_sv_at(json, "hostname");
	listener->port = (uint16_t)json_int_at(json, "port", 0);
	listener->protocol = protocol_of(json);
	read_kinds(listener);
}

/* ---- one Gateway ---- */

static void refuse(struct gateway *gateway, enum gateway_state state, const char *reason,
		   char *message)
{
	if (gateway->state != GATEWAY_ACCEPTED) {
		free(message);
		return;
	}
	gateway->state = state;
	gateway->reason = reason;
	gateway->message = message;
}

static void read_address(struct gateway *gateway, const json_t *address)
{
	struct str_view type = json_sv_at(address, "type");
	struct str_view value = json_sv_at(address, "value");
	struct sock_addr *addr = &gateway->addresses[gateway->address_count];

	if (type.len > 0 && !sv_eq(type, SV("IPAddress")))
		refuse(gateway, GATEWAY_REFUSED, "UnsupportedAddress",
		       xasprintf("addresses of type %.*s are not supported: use IPAddress",
				 SV_ARG(type)));
	else if (value.len > 0 && !sock_addr_ip(addr, value, 0))
		refuse(gateway, GATEWAY_REFUSED, "UnsupportedAddress",
		       xasprintf("%.*s is not an IP address", SV_ARG(value)));
	else if (value.len == 0 || sock_addr_any(addr)) /* any will do */
		gateway->wildcard = true;
	else if (gateway->address_count < GATEWAY_ADDRESSES_MAX)
		gateway->address_count++;
}

static void read_addresses(struct gateway *gateway)
{
	const json_t *addresses = json_at(gateway->spec->json, "spec.addresses");
	json_t *address;
	size_t i;

	gateway->wildcard = json_array_size(addresses) == 0;
	json_array_foreach(addresses, i, address)
	{
		read_address(gateway, address);
	}
	if (gateway->wildcard) /* which covers the others */
		gateway->address_count = 0;
}

static void judge_class(struct gateway *gateway, const struct object *class)
{
	struct str_view name = json_sv_at(gateway->spec->json, "spec.gatewayClassName");

	if (class == NULL)
		refuse(gateway, GATEWAY_PENDING, "Pending",
		       xasprintf("GatewayClass \"%.*s\" does not exist; the one that is always "
				 "there is \"sallyport\"",
				 SV_ARG(name)));
	else if (!gatewayclass_accepted(class))
		refuse(gateway, GATEWAY_PENDING, "Pending",
		       xasprintf("GatewayClass \"%.*s\" is not accepted", SV_ARG(name)));
	if (json_at(gateway->spec->json, "spec.infrastructure.parametersRef") != NULL)
		refuse(gateway, GATEWAY_REFUSED, "InvalidParameters",
		       xstrdup("spec.infrastructure.parametersRef: no kind of parameters is "
			       "supported"));
}

struct gateway *gateway_new(const struct object *object, const struct object *class)
{
	struct gateway *gateway = xcalloc(1, sizeof(*gateway));
	const json_t *listeners = json_at(object->json, "spec.listeners");

	gateway->object = object_ref(object);
	gateway->spec = object_ref(object);
	gateway->id = xasprintf("%s/%s", object_namespace(object), object_name(object));
	(void)clock_parse_rfc3339(json_sv_at(object->json, "metadata.creationTimestamp"),
				  &gateway->created);
	judge_class(gateway, class);
	read_addresses(gateway);
	gateway->listener_count = gateway->own_count = json_array_size(listeners);
	gateway->listeners = xcalloc(gateway->listener_count + 1, sizeof(struct gw_listener));
	for (size_t i = 0; i < gateway->listener_count; i++)
		listener_init(&gateway->listeners[i], gateway, NULL, json_array_get(listeners, i));
	return gateway;
}

void gateway_free(struct gateway *gateway)
{
	if (gateway == NULL)
		return;
	for (size_t i = 0; i < gateway->listener_count; i++) {
		listener_reset_certs(&gateway->listeners[i]);
		listener_reset_clients(&gateway->listeners[i]);
		listener_reset_sockets(&gateway->listeners[i]);
	}
	free(gateway->listeners);
	free(gateway->message);
	free(gateway->client_message);
	free(gateway->id);
	object_unref(gateway->object);
	object_unref(gateway->spec);
	free(gateway);
}

/* ---- all of them ---- */

void gateways_add(struct gateways *gateways, struct gateway *gateway)
{
	if (gateways->count == gateways->size) {
		gateways->size = gateways->size == 0 ? 8 : gateways->size * 2;
		gateways->list =
			xrealloc(gateways->list, gateways->size * sizeof(struct gateway *));
	}
	gateways->list[gateways->count++] = gateway;
	(void)map_put(&gateways->by_id, sv_from(gateway->id), gateway);
}

struct gateway *gateways_find(const struct gateways *gateways, struct str_view id)
{
	return map_get(&gateways->by_id, id);
}

void gateways_deinit(struct gateways *gateways)
{
	for (size_t i = 0; i < gateways->count; i++)
		gateway_free(gateways->list[i]);
	free(gateways->list);
	map_deinit(&gateways->by_id, NULL);
	listenersets_deinit(gateways);
	*gateways = (struct gateways){0};
}

struct loading {
	struct gateways *gateways;
	const struct store *store;
	size_t seen;
	bool changed;
};

static bool load_one(void *arg, const struct object *object)
{
	const struct loading *loading = arg;
	const struct object *class = class_get(loading->store, object);

	if (class == NULL || gatewayclass_is_ours(class))
		gateways_add(loading->gateways, gateway_new(object, class));
	return true;
}

static void gateways_load(struct gateways *gateways, const struct store *store)
{
	struct loading loading = {.gateways = gateways, .store = store};

	store_each(store, SV(GATEWAY_GROUP "/gateways/"), load_one, &loading);
	listenersets_load(gateways, store);
	gateways_judge(gateways);
}

void gateways_reload(struct gateways *gateways, const struct store *store)
{
	struct gateways old = *gateways;

	*gateways = (struct gateways){0};
	gateways_load(gateways, store);
	for (size_t i = 0; i < gateways->count; i++) {
		struct gateway *gateway = gateways->list[i];
		const struct gateway *before = gateways_find(&old, sv_from(gateway->id));

		if (before != NULL)
			gateway->last_event = before->last_event;
		if (before != NULL && before->told_revision == gateway->object->revision) {
			gateway->told = before->told;
			gateway->told_revision = before->told_revision;
		}
	}
	gateways_deinit(&old);
}

static bool same_wish(const struct object *a, const struct object *b)
{
	return object_generation(a) == object_generation(b) &&
	       sv_eq(json_sv_at(a->json, "metadata.uid"), json_sv_at(b->json, "metadata.uid")) &&
	       json_same(json_at(a->json, "metadata.annotations"),
			 json_at(b->json, "metadata.annotations"));
}

bool gateway_renew_object(struct object **held, const struct object *spec,
			  const struct object *newest)
{
	if (*held == newest)
		return false;
	object_unref(*held);
	*held = object_ref(newest);
	return !same_wish(spec, newest);
}

static bool follow_one(void *arg, const struct object *object)
{
	struct loading *loading = arg;
	char id[512];
	struct gateway *gateway;

	snprintf(id, sizeof(id), "%s/%s", object_namespace(object), object_name(object));
	gateway = gateways_find(loading->gateways, sv_from(id));
	if (gateway == NULL) {
		const struct object *class = class_get(loading->store, object);

		loading->changed = class == NULL || gatewayclass_is_ours(class);
		return !loading->changed;
	}
	loading->seen++;
	loading->changed = gateway_renew_object(&gateway->object, gateway->spec, object);
	return !loading->changed;
}

bool gateways_follow(struct gateways *gateways, const struct store *store)
{
	struct loading loading = {.gateways = gateways, .store = store};

	store_each(store, SV(GATEWAY_GROUP "/gateways/"), follow_one, &loading);
	return loading.changed || loading.seen != gateways->count ||
	       listenersets_follow(gateways, store);
}

/* ---- conflicts ---- */

static int age_cmp(const void *left, const void *right)
{
	const struct gateway *a = *(struct gateway *const *)left;
	const struct gateway *b = *(struct gateway *const *)right;

	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;
	return strcmp(a->id, b->id);
}

static void set_conflict(struct gw_listener *listener, enum listener_conflict conflict,
			 const struct gw_listener *rival)
{
	if (listener->conflict != CONFLICT_NONE)
		return;
	listener->conflict = conflict;
	listener->rival = rival;
}

/* May they share a port, told apart by hostname? What begins with a ClientHello may (Gateway API,
 * Listeners: compatible). */
static bool compatible(const struct gw_listener *a, const struct gw_listener *b)
{
	return a->protocol == b->protocol || (listener_hears_tls(a) && listener_hears_tls(b));
}

/* Ports of UDP are others than those of TCP. */
static bool same_port(const struct gw_listener *a, const struct gw_listener *b)
{
	return a->port == b->port && (a->protocol == LISTENER_UDP) == (b->protocol == LISTENER_UDP);
}

static enum listener_conflict compare(const struct gw_listener *a, const struct gw_listener *b)
{
	if (!compatible(a, b))
		return CONFLICT_PROTOCOL;
	return sv_eq(a->hostname, b->hostname) ? CONFLICT_HOSTNAME : CONFLICT_NONE;
}

/* Lost to an older object: it claims nothing of its own. */
static bool lost(const struct gw_listener *listener)
{
	const struct gw_listener *rival = listener->rival;

	return rival != NULL &&
	       (rival->gateway != listener->gateway || rival->set != listener->set);
}

/* Two of one object: neither may win (Gateway API, distinct listeners). */
static void judge_within(struct gw_listener *listeners, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			struct gw_listener *a = &listeners[j], *b = &listeners[i];
			enum listener_conflict conflict;

			if (!same_port(a, b) || a->protocol == LISTENER_UNSUPPORTED ||
			    b->protocol == LISTENER_UNSUPPORTED || lost(a) || lost(b))
				continue;
			conflict = compare(a, b);
			if (conflict == CONFLICT_NONE)
				continue;
			set_conflict(a, conflict, b);
			set_conflict(b, conflict, a);
		}
	}
}

/* Claims of older Gateways: "ADDRESS PORT" -> the first listener there, "ADDRESS PORT HOSTNAME" ->
 * the one of that name. */
struct claim {
	char port[SOCK_ADDR_TEXT + 24], host[SOCK_ADDR_TEXT + 24 + 256];
};

static void claim_print(struct claim *claim, const struct gw_listener *listener, size_t index)
{
	char address[SOCK_ADDR_TEXT] = "*";

	if (!listener->gateway->wildcard)
		sock_addr_ip_text(&listener->gateway->addresses[index], address);
	snprintf(claim->port, sizeof(claim->port), "%s%s %u",
		 listener->protocol == LISTENER_UDP ? "udp " : "", address,
		 (unsigned)listener->port);
	snprintf(claim->host, sizeof(claim->host), "%s %.*s", claim->port,
		 SV_ARG(listener->hostname));
}

static size_t claim_count(const struct gateway *gateway)
{
	return gateway->wildcard ? 1 : gateway->address_count;
}

static void judge_against(struct map *claims, struct gw_listener *listener)
{
	struct claim claim;

	for (size_t i = 0; i < claim_count(listener->gateway); i++) {
		const struct gw_listener *first, *same;

		claim_print(&claim, listener, i);
		first = map_get(claims, sv_from(claim.port));
		same = map_get(claims, sv_from(claim.host));
		if (first != NULL && !compatible(first, listener))
			set_conflict(listener, CONFLICT_PROTOCOL, first);
		else if (same != NULL)
			set_conflict(listener, CONFLICT_HOSTNAME, same);
	}
}

static void stake(struct map *claims, struct gw_listener *listener)
{
	struct claim claim;

	for (size_t i = 0; i < claim_count(listener->gateway); i++) {
		claim_print(&claim, listener, i);
		if (map_get(claims, sv_from(claim.port)) == NULL)
			(void)map_put(claims, sv_from(claim.port), listener);
		(void)map_put(claims, sv_from(claim.host), listener);
	}
}

/* The listeners of one object. */
static void judge_object(struct map *claims, struct gw_listener *listeners, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (listener_usable(&listeners[i]))
			judge_against(claims, &listeners[i]);
	}
	judge_within(listeners, count);
	for (size_t i = 0; i < count; i++) {
		if (listener_usable(&listeners[i]))
			stake(claims, &listeners[i]);
	}
}

static void judge_gateway(struct map *claims, struct gateway *gateway)
{
	for (size_t first = 0, end = 0; first < gateway->listener_count; first = end) {
		while (end < gateway->listener_count &&
		       gateway->listeners[end].set == gateway->listeners[first].set)
			end++;
		judge_object(claims, &gateway->listeners[first], end - first);
	}
	gateway_judge_overlaps(gateway);
}

void gateways_judge(struct gateways *gateways)
{
	struct map claims;

	map_init(&claims);
	if (gateways->count > 1)
		qsort(gateways->list, gateways->count, sizeof(struct gateway *), age_cmp);
	for (size_t i = 0; i < gateways->count; i++)
		judge_gateway(&claims, gateways->list[i]);
	map_deinit(&claims, NULL);
}
