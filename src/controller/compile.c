/* controller/compile.c - from the store to the data plane: one pass decides everything
 *
 * Gateways and what attaches to them -> sockets, certificates, routes -> snapshot -> statuses. A
 * pass goes over everything, but makes anew only what is another; it runs at most once a turn.
 */
#include "controller/compile.h"

#include "base/log.h"
#include "base/metric.h"
#include "base/own.h"
#include "controller/certrefs.h"
#include "controller/clientcert.h"
#include "controller/clients.h"
#include "controller/compile_priv.h"
#include "controller/gwevent.h"
#include "controller/gwstatus.h"

#include <stdio.h>
#include <stdlib.h>

#define STATUSES_MAX 1000  /* of routes in one pass; the rest in the next turn */
#define ACK_WAIT_MS  1000  /* Gateways say that they wait when the workers take longer */
#define LOOK_MS      60000 /* addresses of this host, age of ticket keys */

static struct store *store_of(const struct compile *compile)
{
	return compile->ctl->config.store;
}

static int64_t now_of(const struct compile *compile)
{
	return loop_now(compile->ctl->config.loop);
}

typedef void listener_fn(struct compile *compile, struct gw_listener *listener);

static void each_listener(struct compile *compile, listener_fn *work)
{
	for (size_t i = 0; i < compile->gateways.count; i++) {
		struct gateway *gateway = compile->gateways.list[i];

		for (size_t j = 0; j < gateway->listener_count; j++)
			work(compile, &gateway->listeners[j]);
	}
}

/* ---- Gateways and routes ---- */

static const json_t *namespace_labels(void *arg, struct str_view ns)
{
	const struct compile *compile = arg;
	char key[512];
	const struct object *object;

	snprintf(key, sizeof(key), "core/namespaces//%.*s", SV_ARG(ns));
	object = store_get(store_of(compile), sv_from(key));
	return object == NULL ? NULL : json_at(object->json, "metadata.labels");
}

static bool gateway_exists(void *arg, struct str_view ns, struct str_view name)
{
	const struct compile *compile = arg;
	char key[640];

	snprintf(key, sizeof(key), GATEWAY_GROUP "/gateways/%.*s/%.*s", SV_ARG(ns), SV_ARG(name));
	return store_get(store_of(compile), sv_from(key)) != NULL;
}

static void load_gateways(struct compile *compile)
{
	if (!gateways_follow(&compile->gateways, store_of(compile)) && !compile->gateways_dirty)
		return;
	gateways_reload(&compile->gateways, store_of(compile));
	compile->gateways_dirty = false;
	compile->routes.attach_epoch++;
	compile->routes.dirty = true;
	compile->untold = true;
	compile->certs_stale = true;
	compile->traffics.dirty = true; /* listeners are others */
	ports_try_again(&compile->ports);
}

static void begin_listener(struct compile *compile, struct gw_listener *listener)
{
	listener->attached = 0;
	listener->counted = NULL;
	listener->served =
		listener_usable(listener) ? served_get(&compile->served, listener) : NULL;
}

/* A Gateway whose routes lead to what a policy is for is an ancestor of the policy. */
static void tell_policies(struct compile *compile, const struct route *route)
{
	for (size_t i = 0; i < route->compiled.use_count; i++) {
		struct policy_subject subject;

		if (!target_subject(route->compiled.uses[i].target, &subject))
			continue;
		for (size_t j = 0; j < route->attached.count; j++) {
			const struct attachment *attachment = &route->attached.list[j];

			policies_ancestor(compile->policies, &subject,
					  attachment->listener->gateway->spec);
		}
	}
}

static void take_route(void *arg, struct route *route)
{
	bool counts = route_runs(route);

	tell_policies(arg, route);
	for (size_t i = 0; i < route->attached.count; i++) {
		struct attachment *attachment = &route->attached.list[i];
		struct gw_listener *listener = attachment->listener;

		if (attachment->lost)
			continue;
		if (counts && listener->counted != route) {
			listener->counted = route;
			listener->attached++;
		}
		if (listener->served != NULL)
			served_add(listener->served, attachment, route);
	}
}

/* What may be served decides what routes are collected for. */
static void resolve_clients(struct compile *compile, struct gw_listener *listener)
{
	struct clients_env env = {.store = store_of(compile), .cas = compile->cas};

	if (!clients_resolve(&env, listener))
		return;
	compile->routes.attach_epoch++; /* attachments remember what was served */
	compile->routes.dirty = true;
}

/* Once for all that changes routes; when there is nothing of that, listeners keep theirs. */
static void collect_routes(struct compile *compile)
{
	bool news = policies_refresh(compile->policies);

	if (backends_refresh(compile->backends) || news)
		compile->routes.dirty = true;
	if (!compile->routes.dirty)
		return;
	compile->untold = true; /* attachedRoutes */
	served_begin(&compile->served);
	policies_ancestors_begin(compile->policies);
	each_listener(compile, begin_listener);
	routes_pass(&compile->routes, take_route, compile);
}

/* ---- certificates and sockets ---- */

static void find_http(struct compile *compile, struct gw_listener *listener)
{
	if (listener->protocol == LISTENER_HTTP && listener_usable(listener))
		compile->http_listeners++;
}

static void resolve_certs(struct compile *compile, struct gw_listener *listener)
{
	struct certrefs_env env = {.store = store_of(compile),
				   .certs = compile->certs,
				   .graveyard = compile->graveyard,
				   .http_listener = compile->http_listeners > 0};

	if (!listener_has_tls(listener))
		return;
	certrefs_resolve(&env, listener);
	compile->certs_told++;
}

static void resolve_client_certs(struct compile *compile)
{
	struct certrefs_env env = {.store = store_of(compile),
				   .certs = compile->certs,
				   .graveyard = compile->graveyard};

	for (size_t i = 0; i < compile->gateways.count; i++)
		clientcert_resolve(&env, compile->gateways.list[i]);
}

/* Ten thousand listeners keep theirs while no Secret, grant, issuer or Gateway is another. */
static void follow_certs(struct compile *compile)
{
	compile->http_listeners = 0;
	each_listener(compile, find_http);
	if (!compile->certs_stale && compile->certs_http == compile->http_listeners)
		return;
	each_listener(compile, resolve_certs);
	resolve_client_certs(compile);
	certs_sweep(compile->certs, compile->graveyard);
	compile->certs_http = compile->http_listeners;
	compile->certs_stale = false;
}

static void bind_listener(struct compile *compile, struct gw_listener *listener)
{
	if (listener_usable(listener))
		ports_bind(&compile->ports, listener, now_of(compile));
}

static void serve_listener(struct compile *compile, struct gw_listener *listener)
{
	if (listener->served == NULL || listener->bound == 0)
		return;
	served_build(listener->served, listener, compile->graveyard);
	ports_serve(&compile->ports, listener, listener->served->listener);
}

/* Sockets come before the snapshot, so that what cannot be bound becomes a condition. */
static void bind_and_serve(struct compile *compile)
{
	for (size_t i = 0; i < compile->gateways.count; i++)
		memset(compile->gateways.list[i]->address_bound, 0,
		       sizeof(compile->gateways.list[i]->address_bound));
	traffics_pass(&compile->traffics, store_of(compile), &compile->gateways,
		      plane_limits(compile->ctl->config.plane), compile->graveyard);
	follow_certs(compile);
	ports_begin(&compile->ports);
	each_listener(compile, bind_listener);
	each_listener(compile, serve_listener);
}

/* ---- publishing ---- */

/* All that tells one generation from another, but for tokens and ticket keys. Parts of the newest
 * generation are alive as long as it is the newest, so an address stands for its part. */
static uintptr_t *shape_of(const struct snap_port *ports, size_t count, size_t *size)
{
	uintptr_t *shape;
	size_t at = 0;

	*size = 0;
	for (size_t i = 0; i < count; i++)
		*size += 4 + ports[i].listener_count;
	shape = xcalloc(*size + 1, sizeof(*shape));
	for (size_t i = 0; i < count; i++) {
		shape[at++] = (uintptr_t)ports[i].binding;
		shape[at++] = ports[i].tls;
		shape[at++] = (uintptr_t)ports[i].policy;
		shape[at++] = ports[i].listener_count;
		for (size_t j = 0; j < ports[i].listener_count; j++)
			shape[at++] = (uintptr_t)ports[i].listeners[j];
	}
	return shape;
}

/* Takes the shape; true: it is another. */
static bool shape_take(struct compile *compile, uintptr_t *shape, size_t size)
{
	if (compile->shape_count == size && compile->shape != NULL &&
	    memcmp(compile->shape, shape, size * sizeof(*shape)) == 0) {
		free(shape);
		return false;
	}
	free(compile->shape);
	compile->shape = shape;
	compile->shape_count = size;
	return true;
}

static void publish(struct compile *compile, struct snap_port *ports, size_t port_count)
{
	struct snapshot like = {.port_count = port_count, .ports = ports};
	AUTO(auto_free)
	struct challenge *challenges = tokens_snapshot(&compile->tokens, &like.challenge_count);

	like.challenges = challenges;
	memcpy(like.ticket_keys, compile->tickets.keys, sizeof(like.ticket_keys));
	compile->published = plane_publish(compile->ctl->config.plane, snapshot_new(&like));
	compile->published_at = now_of(compile);
	tokens_published(&compile->tokens, compile->published);
	if (!compile->publishing)
		ctl_work_begin(compile->ctl);
	compile->publishing = true;
	log_debug("gateway", "generation %llu: %zu ports, %zu routes, %zu tokens",
		  (unsigned long long)compile->published, port_count, compile->routes.by_key.count,
		  like.challenge_count);
}

static void publish_if_changed(struct compile *compile)
{
	size_t port_count, size;
	AUTO(auto_free) struct snap_port *ports = ports_snapshot(&compile->ports, &port_count);
	uintptr_t *shape = shape_of(ports, port_count, &size);
	bool keys = tickets_rotate(&compile->tickets, now_of(compile));

	tokens_pass(&compile->tokens, store_of(compile));
	if (shape_take(compile, shape, size) || keys || compile->tokens.changed)
		publish(compile, ports, port_count);
}

static void wake_order(void *arg, struct str_view order_key)
{
	ctl_queue(arg, CTL_ORDER, order_key);
}

void controllers_acknowledged(struct controllers *controllers, uint64_t generation)
{
	struct compile *compile = compile_of(controllers);

	compile->ready = true;
	tokens_woken(&compile->tokens, generation, wake_order, controllers);
	if (!compile->publishing || generation < compile->published)
		return;
	compile->publishing = false;
	compile->untold = true;
	compile_soon(controllers);
	ctl_work_end(controllers);
}

bool controllers_ready(const struct controllers *controllers)
{
	return compile_of(controllers)->ready;
}

/* ---- statuses ---- */

static void put_status(void *arg, const struct object *object, json_t *status)
{
	const struct compile *compile = arg;

	ctl_put_status(compile->ctl, CTL_COMPILE, object, status);
}

static bool class_status(void *arg, const struct object *class)
{
	if (gatewayclass_is_ours(class))
		put_status(arg, class, gwstatus_class(class, ctl_now()));
	return true;
}

/* The status of one Gateway. Of thousands of listeners few have news, so what went into the status
 * that is stored is remembered, and made anew only when it is something else. */
static void gateway_status(struct compile *compile, struct gateway *gateway,
			   const struct gwstatus_env *env, bool look)
{
	const struct object *object = gateway->object;
	uint64_t print = gwstatus_print(gateway, env);
	json_t *status;

	if (!look && gateway->told == print && gateway->told_revision == object->revision)
		return;
	status = gwstatus_gateway(gateway, env);
	gateway->told_revision = 0;
	if (json_same(json_member(object->json, "status"), status)) {
		gateway->told = print;
		gateway->told_revision = object->revision;
	}
	gwevent_tell(compile->ctl, gateway, status, env);
	put_status(compile, object, status);
}

static void set_statuses(struct compile *compile, const struct gwstatus_env *env)
{
	for (size_t i = 0; i < compile->gateways.set_count; i++) {
		const struct listenerset *set = compile->gateways.sets[i];
		json_t *status = gwstatus_listenerset(set, env);

		if (status != NULL)
			put_status(compile, set->object, status);
	}
}

/* Not while the workers are taking something over: it would be "no" now and "yes" at once. */
static void gateway_statuses(struct compile *compile)
{
	struct gwstatus_env env = {.acknowledged = !compile->publishing, .now = ctl_now()};
	int64_t now = now_of(compile);
	bool look = now - compile->told_at >= LOOK_MS; /* addresses of the host */

	if (compile->ports.tried || look)
		compile->untold = true;
	compile->ports.tried = false;
	if (!compile->untold || (compile->publishing && now - compile->published_at < ACK_WAIT_MS))
		return;
	compile->untold = false;
	compile->told_at = now;
	gwstatus_count_sets(&compile->gateways);
	for (size_t i = 0; i < compile->gateways.count; i++)
		gateway_status(compile, compile->gateways.list[i], &env, look);
	set_statuses(compile, &env);
}

static void backend_statuses(struct compile *compile)
{
	struct str_view key;

	for (size_t it = 0; map_next(&compile->unchecked, &it, &key, NULL);) {
		const struct object *backend = store_get(store_of(compile), key);
		struct err err = {.code = ERR_NONE};

		if (backend != NULL) {
			int bad = backend_check(backend->json, compile->ctl->config.rules, &err);

			put_status(compile, backend,
				   gwstatus_backend(backend, bad < 0 ? err.msg : NULL, ctl_now()));
		}
		(void)map_remove(&compile->unchecked, key);
	}
}

/* Judged when policies or listeners are others, told once. */
static void traffic_statuses(struct compile *compile)
{
	struct traffic_view view = {
		.store = store_of(compile), .gateways = &compile->gateways, .now = ctl_now()};

	if (compile->traffics.dirty)
		traffics_statuses(&compile->traffics, &view, put_status, compile);
	compile->traffics.dirty = false;
}

static void write_statuses(struct compile *compile)
{
	store_each(store_of(compile), SV(GATEWAY_GROUP "/gatewayclasses/"), class_status, compile);
	gateway_statuses(compile);
	backend_statuses(compile);
	traffic_statuses(compile);
	policies_statuses(compile->policies, ctl_now(), put_status, compile);
	if (routes_statuses(&compile->routes, ctl_now(), STATUSES_MAX, put_status, compile) ==
	    STATUSES_MAX)
		compile_soon(compile->ctl);
}

/* ---- the pass ---- */

static void look_again(struct compile *compile, int64_t bind_at)
{
	int64_t now = now_of(compile), wait = LOOK_MS;

	if (bind_at != 0 && bind_at - now < wait)
		wait = bind_at > now ? bind_at - now : 1;
	if (compile->publishing && ACK_WAIT_MS < wait)
		wait = ACK_WAIT_MS;
	ctl_queue_in(compile->ctl, CTL_COMPILE, SV(""), wait);
}

static void pass(struct compile *compile)
{
	int64_t begun = clock_wall_us(), bind_at;

	load_gateways(compile);
	each_listener(compile, resolve_clients);
	collect_routes(compile);
	bind_and_serve(compile);
	publish_if_changed(compile);
	served_end(&compile->served, compile->graveyard);
	bind_at = ports_end(&compile->ports);
	cas_sweep(compile->cas, compile->graveyard);
	write_statuses(compile);
	look_again(compile, bind_at);
	compile->passes++;
	compile->pass_us = clock_wall_us() - begun;
	if (compile->pass_us > compile->longest_us)
		compile->longest_us = compile->pass_us;
}

/* key: "", or that of an object whose status was not stored. */
void compile_reconcile(struct controllers *ctl, struct str_view key)
{
	struct compile *compile = compile_of(ctl);

	if (key.len == 0) {
		pass(compile);
		return;
	}
	compile->untold = true;
	routes_status_lost(&compile->routes, key);
	policies_status_lost(compile->policies);
	if (sv_starts(key, SV("gateway.envoyproxy.io/backends/")))
		compile_check_backend(compile, key);
	if (sv_starts(key, SV(TRAFFIC_PREFIX)))
		compile->traffics.dirty = true;
	if (store_healthy(ctl->config.store, NULL)) /* else the next try waits longer */
		queue_succeeded(ctl->queue, CTL_COMPILE, key);
	compile_soon(ctl);
}

/* ---- what others ask ---- */

bool compile_probe_add(struct controllers *controllers, struct str_view host, struct str_view token,
		       struct str_view answer)
{
	struct challenge probe = {.host = host, .token = token, .key_authorization = answer};

	compile_soon(controllers);
	return tokens_probe_add(&compile_of(controllers)->tokens, &probe, COMPILE_PROBES_MAX);
}

void compile_probe_remove(struct controllers *controllers, struct str_view host,
			  struct str_view token)
{
	struct challenge probe = {.host = host, .token = token};

	tokens_probe_remove(&compile_of(controllers)->tokens, &probe);
	compile_soon(controllers);
}

bool compile_challenge_served(const struct controllers *controllers, struct str_view token)
{
	return tokens_served(&compile_of(controllers)->tokens, token,
			     plane_acknowledged(controllers->config.plane));
}

static bool listener_covers(const struct gw_listener *listener, const struct sock_addr *addr)
{
	const struct gateway *gateway = listener->gateway;
	char one[SOCK_ADDR_TEXT], other[SOCK_ADDR_TEXT];

	if (listener->protocol != LISTENER_HTTP || listener->bound == 0)
		return false;
	if (addr == NULL)
		return true;
	if (gateway->wildcard)
		return (listener->bound_on >> (addr->u.any.sa_family == AF_INET6) & 1) != 0;
	sock_addr_ip_text(addr, one);
	for (size_t i = 0; i < gateway->address_count; i++) {
		sock_addr_ip_text(&gateway->addresses[i], other);
		if ((listener->bound_on >> i & 1) != 0 && strcmp(one, other) == 0)
			return true;
	}
	return false;
}

/* addr NULL: any. */
static bool http_bound(const struct controllers *controllers, const struct sock_addr *addr)
{
	const struct gateways *gateways = &compile_of(controllers)->gateways;

	for (size_t i = 0; i < gateways->count; i++) {
		for (size_t j = 0; j < gateways->list[i]->listener_count; j++) {
			if (listener_covers(&gateways->list[i]->listeners[j], addr))
				return true;
		}
	}
	return false;
}

bool compile_has_http(const struct controllers *controllers)
{
	return http_bound(controllers, NULL);
}

bool compile_has_https(const struct controllers *controllers)
{
	const struct gateways *gateways = &compile_of(controllers)->gateways;

	for (size_t i = 0; i < gateways->count; i++) {
		for (size_t j = 0; j < gateways->list[i]->listener_count; j++) {
			const struct gw_listener *listener = &gateways->list[i]->listeners[j];

			if (listener->protocol == LISTENER_HTTPS && listener->bound != 0)
				return true;
		}
	}
	return false;
}

bool compile_http_bound(const struct controllers *controllers, const struct sock_addr *addr)
{
	return http_bound(controllers, addr);
}

/* ---- metrics ---- */

void compile_metrics(struct controllers *ctl, struct buf *out)
{
	const struct compile *compile = compile_of(ctl);
	const struct {
		const char *name, *type, *help;
		double value;
	} rows[] = {
		{"sallyport_snapshot_published", "gauge",
		 "Generation of the newest configuration; workers run it soon.",
		 (double)compile->published},
		{"sallyport_gateways", "gauge", "Gateways of classes served here.",
		 (double)compile->gateways.count},
		{"sallyport_httproutes", "gauge", "HTTPRoutes known.",
		 (double)compile->routes.counts[ROUTE_HTTP]},
		{"sallyport_listenersets", "gauge", "ListenerSets known.",
		 (double)compile->gateways.set_count},
		{"sallyport_compile_certificates_read_total", "counter",
		 "Secrets whose certificate and key were read for listeners.",
		 (double)certs_reads(compile->certs)},
		{"sallyport_compile_listeners_resolved_total", "counter",
		 "Listeners whose certificateRefs were followed.", (double)compile->certs_told},
		{"sallyport_compile_passes_total", "counter", "Passes of the compiler.",
		 (double)compile->passes},
		{"sallyport_compile_last_seconds", "gauge", "Time that the last pass took.",
		 (double)compile->pass_us / 1e6},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		metric_head(out, rows[i].name, rows[i].type, rows[i].help);
		metric_sample(out, rows[i].name, "", rows[i].value);
	}
	metric_head(out, "sallyport_routes", "gauge", "Routes known, by kind.");
	for (unsigned kind = 0; kind < ROUTE_KIND_COUNT; kind++) {
		char labels[64];

		snprintf(labels, sizeof(labels), "kind=\"%s\"", route_kinds[kind].kind);
		metric_sample(out, "sallyport_routes", labels,
			      (double)compile->routes.counts[kind]);
	}
}

/* ---- birth and death ---- */

static void names_changed(void *arg)
{
	compile_soon(((struct compile *)arg)->ctl);
}

static void policy_touched(void *arg, const char *kind, const char *ns, struct str_view name)
{
	backends_touch(((struct compile *)arg)->backends, kind, ns, name);
}

int compile_start(struct controllers *ctl, struct err *err)
{
	struct compile *compile = xcalloc(1, sizeof(*compile));
	struct backends_config config = {.store = ctl->config.store,
					 .loop = ctl->config.loop,
					 .dns = ctl->config.dns,
					 .rules = ctl->config.rules,
					 .changed = names_changed,
					 .arg = compile};

	struct policies_config policies = {.store = ctl->config.store,
					   .graveyard = plane_graveyard(ctl->config.plane),
					   .touched = policy_touched,
					   .arg = compile};

	(void)err;
	compile->ctl = ctl;
	compile->graveyard = plane_graveyard(ctl->config.plane);
	compile->policies = policies_new(&policies);
	config.policies = compile->policies;
	compile->ports.plane = ctl->config.plane;
	compile->certs = certs_new();
	compile->certs_stale = true;
	compile->cas = cas_new();
	compile->backends = backends_new(&config);
	compile->routes.attach = (struct attach_env){.gateways = &compile->gateways,
						     .labels = namespace_labels,
						     .exists = gateway_exists,
						     .arg = compile};
	compile->routes.compile = (struct compile_env){.backends = compile->backends,
						       .store = ctl->config.store,
						       .graveyard = compile->graveyard,
						       .last_id = &compile->last_compiled};
	routes_init(&compile->routes);
	ctl->state[CTL_COMPILE] = compile;
	compile_soon(ctl);
	return 0;
}

void compile_stop(struct controllers *ctl)
{
	struct compile *compile = compile_of(ctl);

	routes_deinit(&compile->routes);
	served_deinit(&compile->served, compile->graveyard);
	gateways_deinit(&compile->gateways);
	ports_deinit(&compile->ports);
	traffics_deinit(&compile->traffics, compile->graveyard);
	certs_free(compile->certs, compile->graveyard);
	cas_free(compile->cas, compile->graveyard);
	backends_free(compile->backends);
	policies_free(compile->policies);
	map_deinit(&compile->unchecked, NULL);
	tokens_deinit(&compile->tokens);
	tickets_deinit(&compile->tickets);
	free(compile->shape);
	free(compile);
	ctl->state[CTL_COMPILE] = NULL;
}
