#include "controller/traffic.h"

#include "base/clock.h"
#include "base/own.h"
#include "controller/telling.h"
#include "resource/quantity.h"

#include <stdio.h>
#include <stdlib.h>

#define TARGETS_MAX 16

/* ---- one policy, as the workers take it ---- */

static void take_ms(const json_t *spec, const char *path, int64_t *ms)
{
	(void)clock_parse_duration(json_sv_at(spec, path), ms);
}

static void take_bytes(const json_t *spec, const char *path, uint32_t *bytes)
{
	uint64_t number;

	if (quantity_bytes(json_at(spec, path), &number) && number <= INT32_MAX)
		*bytes = (uint32_t)number;
}

static void take_count(const json_t *spec, const char *path, uint32_t *count)
{
	*count = (uint32_t)json_int_at(spec, path, *count);
}

static void take_limits(const json_t *spec, struct client_policy *policy)
{
	struct plane_limits *limits = &policy->limits;

	take_ms(spec, "timeout.http.requestReceivedTimeout", &limits->request_received_ms);
	take_ms(spec, "timeout.http.idleTimeout", &limits->keepalive_idle_ms);
	take_ms(spec, "timeout.http.streamIdleTimeout", &limits->body_idle_ms);
	take_count(spec, "connection.connectionLimit.value", &policy->connections);
	take_count(spec, "connection.connectionLimit.maxRequestsPerConnection",
		   &limits->requests_per_conn);
	take_count(spec, "http2.maxConcurrentStreams", &limits->h2_streams);
	take_bytes(spec, "connection.bufferLimit", &limits->buffer);
	take_bytes(spec, "http2.initialStreamWindowSize", &limits->h2_window);
	take_bytes(spec, "http2.initialConnectionWindowSize", &limits->h2_conn_window);
}

static enum proxy_mode proxy_of(const json_t *spec)
{
	const json_t *proxy = json_member(spec, "proxyProtocol");

	if (proxy != NULL)
		return json_is_true(json_member(proxy, "optional")) ? PROXY_OPTIONAL : PROXY_STRICT;
	return json_is_true(json_member(spec, "enableProxyProtocol")) ? PROXY_STRICT : PROXY_OFF;
}

static struct client_policy *policy_of(const struct object *object,
				       const struct plane_limits *limits)
{
	const json_t *spec = json_member(object->json, "spec");
	const json_t *list = json_at(spec, "clientIPDetection.xForwardedFor.trustedCIDRs");
	size_t count = json_array_size(list);
	AUTO(auto_free) struct cidr *cidrs = xcalloc(count + 1, sizeof(*cidrs));
	AUTO(auto_free)
	char *name = xasprintf("%s/%s", object_namespace(object), object_name(object));
	struct client_policy like = {
		.name = sv_from(name), .proxy = proxy_of(spec), .cidrs = cidrs, .limits = *limits};

	for (size_t i = 0; i < count; i++) {
		const json_t *text = json_array_get(list, i);

		if (cidr_parse(sv_new(json_string_value(text), json_string_length(text)),
			       &cidrs[like.cidr_count]))
			like.cidr_count++;
	}
	like.trusted_hops =
		(uint32_t)json_int_at(spec, "clientIPDetection.xForwardedFor.numTrustedHops", 0);
	like.field = json_sv_at(spec, "clientIPDetection.customHeader.name");
	like.field_required =
		json_is_true(json_at(spec, "clientIPDetection.customHeader.failClosed"));
	take_limits(spec, &like);
	return client_policy_new(&like);
}

/* ---- all of them ---- */

struct collecting {
	struct traffics *into;
	const struct traffics *before;
	const struct plane_limits *limits;
};

/* The part of the pass before, when it is the same. */
static struct client_policy *keep_policy(const struct traffics *before,
					 struct client_policy *policy)
{
	for (size_t i = 0; i < before->count; i++) {
		struct client_policy *old = before->list[i].policy;

		if (!client_policy_same(old, policy))
			continue;
		free(policy); /* nobody has seen it */
		part_ref(&old->part);
		return old;
	}
	return policy;
}

static bool collect(void *arg, const struct object *object)
{
	struct collecting *collecting = arg;
	struct traffics *into = collecting->into;
	struct traffic *traffic;

	if (into->count == into->size) {
		into->size = into->size == 0 ? 4 : into->size * 2;
		into->list = xrealloc(into->list, into->size * sizeof(into->list[0]));
	}
	traffic = &into->list[into->count++];
	*traffic = (struct traffic){.object = object_ref(object)};
	(void)clock_parse_rfc3339(json_sv_at(object->json, "metadata.creationTimestamp"),
				  &traffic->created);
	traffic->policy = keep_policy(collecting->before, policy_of(object, collecting->limits));
	return true;
}

static int older(const void *left, const void *right)
{
	const struct traffic *a = left, *b = right;

	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;
	return strcmp(a->object->key, b->object->key);
}

static void drop_list(struct traffics *traffics, struct graveyard *graveyard)
{
	for (size_t i = 0; i < traffics->count; i++) {
		object_unref(traffics->list[i].object);
		part_unref(&traffics->list[i].policy->part, graveyard);
	}
	free(traffics->list);
}

static void read_all(struct traffics *traffics, const struct store *store,
		     const struct plane_limits *limits, struct graveyard *graveyard)
{
	struct traffics fresh = {.dirty = true}; /* until it is told */
	struct collecting collecting = {.into = &fresh, .before = traffics, .limits = limits};

	store_each(store, SV(TRAFFIC_PREFIX), collect, &collecting);
	if (fresh.count > 1)
		qsort(fresh.list, fresh.count, sizeof(fresh.list[0]), older);
	drop_list(traffics, graveyard);
	*traffics = fresh;
}

void traffics_deinit(struct traffics *traffics, struct graveyard *graveyard)
{
	drop_list(traffics, graveyard);
	*traffics = (struct traffics){.count = 0};
}

/* ---- targets ---- */

struct target {
	struct str_view name, section; /* section "": the whole Gateway */
};

static size_t targets_of(const struct object *object, struct target targets[TARGETS_MAX])
{
	const json_t *one = json_at(object->json, "spec.targetRef");
	const json_t *list = json_at(object->json, "spec.targetRefs");
	size_t count = one != NULL ? 1 : json_array_size(list);

	if (count > TARGETS_MAX)
		count = TARGETS_MAX;
	for (size_t i = 0; i < count; i++) {
		const json_t *ref = one != NULL ? one : json_array_get(list, i);

		targets[i] = (struct target){.name = json_sv_at(ref, "name"),
					     .section = json_sv_at(ref, "sectionName")};
	}
	return count;
}

static bool targets(const struct traffic *traffic, const struct gateway *gateway,
		    struct str_view section)
{
	struct target list[TARGETS_MAX];
	size_t count = targets_of(traffic->object, list);

	if (strcmp(object_namespace(traffic->object), object_namespace(gateway->object)) != 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (sv_eq(list[i].name, sv_from(object_name(gateway->object))) &&
		    sv_eq(list[i].section, section))
			return true;
	}
	return false;
}

/* The oldest policy for a section ("": the whole) of a Gateway. */
static const struct traffic *first_for(const struct traffics *traffics,
				       const struct gateway *gateway, struct str_view section)
{
	for (size_t i = 0; i < traffics->count; i++) {
		if (targets(&traffics->list[i], gateway, section))
			return &traffics->list[i];
	}
	return NULL;
}

static const struct traffic *wish_of(const struct traffics *traffics,
				     const struct gw_listener *listener)
{
	const struct traffic *own = listener->set == NULL
					    ? first_for(traffics, listener->gateway, listener->name)
					    : NULL;

	return own != NULL ? own : first_for(traffics, listener->gateway, SV(""));
}

/* ---- sockets that listeners share ---- */

static bool share_address(const struct gateway *a, const struct gateway *b)
{
	if (a == b || a->wildcard || b->wildcard)
		return a == b || (a->wildcard && b->wildcard);
	for (size_t i = 0; i < a->address_count; i++) {
		for (size_t j = 0; j < b->address_count; j++) {
			if (sock_addr_eq(&a->addresses[i], &b->addresses[j]))
				return true;
		}
	}
	return false;
}

static bool share_socket(const struct gw_listener *a, const struct gw_listener *b)
{
	return a->port == b->port &&
	       (a->protocol == LISTENER_UDP) == (b->protocol == LISTENER_UDP) &&
	       share_address(a->gateway, b->gateway);
}

/* Whom it would have to share a socket with that has another policy, or none. */
static const struct gw_listener *find_other(const struct gateways *gateways,
					    const struct gw_listener *listener)
{
	for (size_t i = 0; i < gateways->count; i++) {
		struct gateway *gateway = gateways->list[i];

		for (size_t j = 0; j < gateway->listener_count; j++) {
			const struct gw_listener *other = &gateway->listeners[j];

			if (other->traffic_wish != listener->traffic_wish &&
			    listener_usable(other) && share_socket(listener, other))
				return other;
		}
	}
	return NULL;
}

typedef void each_fn(const struct traffics *traffics, const struct gateways *gateways,
		     struct gw_listener *listener);

static void each_listener(const struct traffics *traffics, const struct gateways *gateways,
			  each_fn *work)
{
	for (size_t i = 0; i < gateways->count; i++) {
		for (size_t j = 0; j < gateways->list[i]->listener_count; j++)
			work(traffics, gateways, &gateways->list[i]->listeners[j]);
	}
}

static void wish(const struct traffics *traffics, const struct gateways *gateways,
		 struct gw_listener *listener)
{
	(void)gateways;
	listener->traffic_wish = traffics->count == 0 ? NULL : wish_of(traffics, listener);
}

static void judge(const struct traffics *traffics, const struct gateways *gateways,
		  struct gw_listener *listener)
{
	const struct traffic *wish = listener->traffic_wish;

	(void)traffics;
	listener->traffic_rival =
		wish == NULL || !listener_usable(listener) ? NULL : find_other(gateways, listener);
	listener->policy = wish == NULL || listener->traffic_rival != NULL ? NULL : wish->policy;
}

void traffics_pass(struct traffics *traffics, const struct store *store,
		   const struct gateways *gateways, const struct plane_limits *limits,
		   struct graveyard *graveyard)
{
	if (!traffics->dirty)
		return;
	read_all(traffics, store, limits, graveyard);
	each_listener(traffics, gateways, wish);
	each_listener(traffics, gateways, judge);
}

/* ---- statuses ---- */

struct verdict {
	enum cond_status accepted;
	const char *reason;
	char message[512];
};

static struct gw_listener *section_of(const struct gateway *gateway, struct str_view section)
{
	for (size_t i = 0; i < gateway->listener_count; i++) {
		if (gateway->listeners[i].set == NULL && sv_eq(gateway->listeners[i].name, section))
			return &gateway->listeners[i];
	}
	return NULL;
}

/* A listener that cannot have it, since another one has the same socket. */
static const struct gw_listener *first_lost(const struct traffic *traffic,
					    const struct gateway *gateway)
{
	for (size_t i = 0; i < gateway->listener_count; i++) {
		const struct gw_listener *listener = &gateway->listeners[i];

		if (listener->traffic_wish == traffic && listener->traffic_rival != NULL)
			return listener;
	}
	return NULL;
}

static void refuse(struct verdict *verdict, const char *reason, const char *message)
{
	verdict->accepted = COND_FALSE;
	verdict->reason = reason;
	snprintf(verdict->message, sizeof(verdict->message), "%s", message);
}

static void tell_lost(struct verdict *verdict, const struct gw_listener *lost)
{
	const struct gw_listener *rival = lost->traffic_rival;

	verdict->accepted = COND_FALSE;
	verdict->reason = "Conflicted";
	snprintf(verdict->message, sizeof(verdict->message),
		 "listener %.*s shares port %u with listener %.*s of Gateway %s, which has %s: all "
		 "listeners of a port need the same",
		 SV_ARG(lost->name), lost->port, SV_ARG(rival->name), rival->gateway->id,
		 rival->traffic_wish == NULL ? "no ClientTrafficPolicy" : "another");
}

static struct verdict judge_target(const struct traffics *traffics, const struct traffic *traffic,
				   const struct gateway *gateway, const struct target *target)
{
	struct verdict verdict = {
		.accepted = COND_TRUE, .reason = "Accepted", .message = "the policy is accepted"};
	const struct gw_listener *lost;

	if (target->section.len > 0 && section_of(gateway, target->section) == NULL) {
		refuse(&verdict, "TargetNotFound", "the Gateway has no listener of that name");
	} else if (first_for(traffics, gateway, target->section) != traffic) {
		refuse(&verdict, "Conflicted", "an older ClientTrafficPolicy has the same target");
	} else {
		lost = first_lost(traffic, gateway);
		if (lost != NULL)
			tell_lost(&verdict, lost);
	}
	return verdict;
}

/* Some listener of the Gateway has one of its own? */
static bool is_overridden(const struct traffics *traffics, const struct gateway *gateway)
{
	for (size_t i = 0; i < gateway->listener_count; i++) {
		if (gateway->listeners[i].set == NULL &&
		    first_for(traffics, gateway, gateway->listeners[i].name) != NULL)
			return true;
	}
	return false;
}

static json_t *ref_of(const struct traffic *traffic, const struct target *target)
{
	json_t *ref = json_pack("{s:s, s:s, s:s, s:s%}", "group", GATEWAY_GROUP, "kind", "Gateway",
				"namespace", object_namespace(traffic->object), "name",
				target->name.data, target->name.len);

	if (target->section.len > 0)
		json_object_set_new(ref, "sectionName",
				    json_stringn(target->section.data, target->section.len));
	return ref;
}

static json_t *ancestor_new(const struct traffic *traffic, const struct target *target,
			    const struct verdict *verdict, bool overridden, int64_t now)
{
	const json_t *before = json_at(traffic->object->json, "status.ancestors");
	json_t *ref = ref_of(traffic, target);
	struct telling telling =
		telling_new(entry_conditions(before, ENTRY_ANCESTOR, ref), traffic->object, now);

	tell(&telling, "Accepted", verdict->accepted, verdict->reason, verdict->message);
	if (overridden)
		tell(&telling, "Overridden", COND_TRUE, "Overridden",
		     "some listeners have a ClientTrafficPolicy of their own");
	else
		untell(&telling, "Overridden");
	return entry_new(ENTRY_ANCESTOR, ref, telling.conditions);
}

/* NULL: the target is another controller's. */
static json_t *ancestor_of(const struct traffics *traffics, const struct traffic_view *view,
			   const struct traffic *traffic, const struct target *target)
{
	const char *ns = object_namespace(traffic->object);
	AUTO(auto_free) char *id = xasprintf("%s/%.*s", ns, SV_ARG(target->name));
	AUTO(auto_free) char *key = xasprintf(GATEWAY_GROUP "/gateways/%s", id);
	const struct gateway *gateway = gateways_find(view->gateways, sv_from(id));
	struct verdict verdict = {.accepted = COND_FALSE};
	bool overridden = false;

	if (gateway == NULL && store_get(view->store, sv_from(key)) != NULL)
		return NULL;
	if (gateway == NULL) {
		refuse(&verdict, "TargetNotFound", "there is no Gateway of that name here");
	} else {
		verdict = judge_target(traffics, traffic, gateway, target);
		overridden = target->section.len == 0 && verdict.accepted == COND_TRUE &&
			     is_overridden(traffics, gateway);
	}
	return ancestor_new(traffic, target, &verdict, overridden, view->now);
}

static json_t *status_of(const struct traffics *traffics, const struct traffic_view *view,
			 const struct traffic *traffic)
{
	json_t *ancestors = json_array();
	struct target list[TARGETS_MAX];
	size_t count = targets_of(traffic->object, list);

	for (size_t i = 0; i < count; i++) {
		json_t *ancestor = ancestor_of(traffics, view, traffic, &list[i]);

		if (ancestor != NULL)
			json_array_append_new(ancestors, ancestor);
	}
	return json_pack("{s:o}", "ancestors", ancestors);
}

void traffics_statuses(struct traffics *traffics, const struct traffic_view *view,
		       traffic_status_fn *put, void *arg)
{
	for (size_t i = 0; i < traffics->count; i++) {
		struct traffic *traffic = &traffics->list[i];
		const struct object *newest = store_get(view->store, sv_from(traffic->object->key));

		if (newest == NULL)
			continue;
		object_unref(traffic->object);
		traffic->object = object_ref(newest);
		put(arg, newest, status_of(traffics, view, traffic));
	}
}
