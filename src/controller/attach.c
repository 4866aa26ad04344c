#include "controller/attach.h"

#include "base/own.h"
#include "controller/hostname.h"
#include "controller/listenerset.h"
#include "controller/selector.h"

#include <stdio.h>
#include <stdlib.h>

struct asking { /* one parentRef of one route */
	struct attached *out;
	const struct object *route;
	const struct attach_env *env;
	enum route_kind kind;
	struct str_view ns; /* of the route */
	struct str_view section;
	int64_t port;
	size_t parent; /* index */
};

static void add(const struct asking *asking, struct gw_listener *listener, int host)
{
	struct attached *out = asking->out;

	if (out->count == out->size) {
		out->size = out->size == 0 ? 2 : out->size * 2;
		out->list = xrealloc(out->list, out->size * sizeof(out->list[0]));
	}
	out->list[out->count++] =
		(struct attachment){.listener = listener, .host = host, .parent = asking->parent};
}

static const json_t *hostnames(const struct object *route)
{
	return json_at(route->json, "spec.hostnames");
}

static struct str_view text_at(const json_t *list, size_t index)
{
	const json_t *value = json_array_get(list, index);

	return sv_new(json_string_value(value), json_string_length(value));
}

struct str_view attachment_host(const struct attachment *attachment, const struct object *route)
{
	if (attachment->host < 0)
		return attachment->listener->hostname;
	return text_at(hostnames(route), (size_t)attachment->host);
}

static bool namespace_allowed(const struct asking *asking, const struct gw_listener *listener)
{
	const json_t *allowed = json_at(listener->json, "allowedRoutes.namespaces");
	struct str_view from = json_sv_at(allowed, "from");

	if (sv_eq(from, SV("All")))
		return true;
	if (sv_eq(from, SV("Selector")))
		return label_selector_matches(json_member(allowed, "selector"),
					      asking->env->labels(asking->env->arg, asking->ns));
	return sv_eq(asking->ns, sv_from(object_namespace(listener_owner(listener))));
}

/* Every name of the route that the listener has too. */
static bool add_hostnames(const struct asking *asking, struct gw_listener *listener)
{
	const json_t *names = hostnames(asking->route);
	size_t count = json_array_size(names), found = 0;
	struct str_view both;

	if (count == 0) {
		add(asking, listener, -1);
		return true;
	}
	for (size_t i = 0; i < count; i++) {
		struct str_view name = text_at(names, i);

		if (!hostname_intersect(listener->hostname, name, &both))
			continue;
		add(asking, listener, both.data == name.data ? (int)i : -1);
		found++;
	}
	return found > 0;
}

static enum attach_result ask_listener(const struct asking *asking, struct gw_listener *listener)
{
	if ((asking->section.len > 0 && !sv_eq(asking->section, listener->name)) ||
	    (asking->port != 0 && asking->port != listener->port))
		return ATTACH_NO_LISTENER;
	if ((listener->takes & ROUTE_BIT(asking->kind)) == 0 ||
	    !namespace_allowed(asking, listener))
		return ATTACH_NOT_ALLOWED;
	return add_hostnames(asking, listener) ? ATTACH_ACCEPTED : ATTACH_NO_HOSTNAME;
}

/* The listeners of a Gateway itself, or of one ListenerSet. */
static struct parent ask_gateway(const struct asking *asking, const struct gateway *gateway,
				 size_t first, size_t count)
{
	struct parent parent = {.result = ATTACH_NO_LISTENER};

	if (gateway->state == GATEWAY_PENDING)
		return (struct parent){.result = ATTACH_PENDING, .why_pending = gateway->message};
	for (size_t i = first; i < first + count; i++) {
		enum attach_result result = ask_listener(asking, &gateway->listeners[i]);

		if (result > parent.result)
			parent.result = result;
	}
	return parent;
}

static struct parent ask_set(const struct asking *asking, const char *id)
{
	const struct listenerset *set = listenersets_find(asking->env->gateways, sv_from(id));

	if (set != NULL && set->state == SET_ATTACHED)
		return ask_gateway(asking, set->gateway, set->first, set->count);
	if (set != NULL && set->state == SET_FOREIGN)
		return (struct parent){.result = ATTACH_FOREIGN};
	return (struct parent){.result = ATTACH_NO_GATEWAY};
}

static struct parent ask_parent(struct asking *asking, const json_t *ref)
{
	struct str_view ns = json_sv_at(ref, "namespace"), name = json_sv_at(ref, "name");
	const struct gateway *gateway;
	char id[512];
	bool foreign;

	if (!is_gateway_api_ref(ref, "Gateway") && !is_gateway_api_ref(ref, "ListenerSet"))
		return (struct parent){.result = ATTACH_FOREIGN};
	ns = ns.len > 0 ? ns : asking->ns;
	snprintf(id, sizeof(id), "%.*s/%.*s", SV_ARG(ns), SV_ARG(name));
	asking->section = json_sv_at(ref, "sectionName");
	asking->port = json_int_at(ref, "port", 0);
	if (is_gateway_api_ref(ref, "ListenerSet"))
		return ask_set(asking, id);
	gateway = gateways_find(asking->env->gateways, sv_from(id));
	if (gateway != NULL)
		return ask_gateway(asking, gateway, 0, gateway->own_count);
	foreign = asking->env->exists(asking->env->arg, ns, name);
	return (struct parent){.result = foreign ? ATTACH_FOREIGN : ATTACH_NO_GATEWAY};
}

void attach_route(struct attached *out, const struct object *route, const struct attach_env *env)
{
	const json_t *refs = json_at(route->json, "spec.parentRefs");
	struct asking asking = {.out = out,
				.route = route,
				.env = env,
				.kind = route_kind_of(route),
				.ns = json_sv_at(route->json, "metadata.namespace")};

	out->count = 0;
	out->parent_count = json_array_size(refs);
	out->parents = xrealloc(out->parents, (out->parent_count + 1) * sizeof(out->parents[0]));
	for (asking.parent = 0; asking.parent < out->parent_count; asking.parent++)
		out->parents[asking.parent] =
			ask_parent(&asking, json_array_get(refs, asking.parent));
}

void attached_deinit(struct attached *attached)
{
	free(attached->parents);
	free(attached->list);
	*attached = (struct attached){0};
}
