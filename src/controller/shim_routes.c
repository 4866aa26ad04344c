#include "controller/shim_routes.h"

#include "base/own.h"
#include "controller/hostname.h"
#include "controller/issuance.h"
#include "controller/selector.h"

#include <stdlib.h>

#define ROUTES_PREFIX "gateway.networking.k8s.io/httproutes/"
#define NAME_LEN_MAX  253
#define CONTROLLER    "sallyport.dev/gateway-controller"

/* "" stands for Gateway; NULL: neither. */
static const struct kind *kind_of_parent(struct str_view kind)
{
	bool set = sv_eq(kind, SV("ListenerSet"));

	if (!set && kind.len > 0 && !sv_eq(kind, SV("Gateway")))
		return NULL;
	return kind_by_plural(SV("gateway.networking.k8s.io"),
			      set ? SV("listenersets") : SV("gateways"));
}

static const struct kind *kind_of_owner(const struct object *owner)
{
	return kind_of_parent(json_sv_at(owner->json, "kind"));
}

static bool is_set(const struct object *owner)
{
	return sv_eq(json_sv_at(owner->json, "kind"), SV("ListenerSet"));
}

bool shim_by_routes(const struct object *owner)
{
	return sv_eq(sv_from(note_of(owner, NOTE_CERTIFICATES)), SV("routes"));
}

char *shim_routes_of(const struct object *owner)
{
	return xasprintf("%s%s", is_set(owner) ? "ListenerSet/" : "", object_name(owner));
}

/* ---- does a route attach to a listener? Its status knows of the parent; the rest is here ---- */

struct gathering {
	struct controllers *ctl;
	const struct object *owner; /* Gateway or ListenerSet */
	const json_t *listener;
	const char *base; /* name of the Secret in certificateRefs */
	json_t *wanted;
	size_t count; /* names of this listener */
	size_t left_out;
};

static bool allows_namespace(const struct gathering *gathering, const char *ns)
{
	const json_t *namespaces = json_at(gathering->listener, "allowedRoutes.namespaces");
	struct str_view from = json_sv_at(namespaces, "from");
	const struct kind *kind = kind_by_plural(SV(""), SV("namespaces"));
	const struct object *namespace;

	if (sv_eq(from, SV("All")))
		return true;
	if (!sv_eq(from, SV("Selector")))
		return strcmp(ns, object_namespace(gathering->owner)) == 0;
	namespace = ctl_get(gathering->ctl, kind, "", ns);
	return namespace != NULL &&
	       label_selector_matches(json_member(namespaces, "selector"),
				      json_at(namespace->json, "metadata.labels"));
}

static bool is_this_parent(const struct gathering *gathering, const struct object *route,
			   const json_t *ref)
{
	const char *ns = json_str_at(ref, "namespace");
	struct str_view section = json_sv_at(ref, "sectionName");
	int64_t port = json_int_at(ref, "port", 0);

	return kind_of_parent(json_sv_at(ref, "kind")) == kind_of_owner(gathering->owner) &&
	       sv_eq(json_sv_at(ref, "name"), sv_from(object_name(gathering->owner))) &&
	       strcmp(ns != NULL ? ns : object_namespace(route),
		      object_namespace(gathering->owner)) == 0 &&
	       (section.len == 0 || sv_eq(section, json_sv_at(gathering->listener, "name"))) &&
	       (port == 0 || port == json_int_at(gathering->listener, "port", 0));
}

static bool attaches(const struct gathering *gathering, const struct object *route)
{
	json_t *parent;
	size_t i;

	json_array_foreach(json_at(route->json, "status.parents"), i, parent)
	{
		const json_t *accepted =
			condition_find(json_member(parent, "conditions"), "Accepted");

		if (sv_eq(json_sv_at(parent, "controllerName"), SV(CONTROLLER)) &&
		    sv_eq(json_sv_at(accepted, "status"), SV("True")) &&
		    is_this_parent(gathering, route, json_member(parent, "parentRef")))
			return allows_namespace(gathering, object_namespace(route));
	}
	return false;
}

/* Another listener of the Gateway, or of the set, has that name, and a certificate for it. */
static bool is_elsewhere(const struct gathering *gathering, struct str_view name)
{
	json_t *listener;
	size_t i;

	json_array_foreach(json_at(gathering->owner->json, "spec.listeners"), i, listener)
	{
		struct str_view hostname = json_sv_at(listener, "hostname");

		if (hostname.len > 0 && hostname_covers(hostname, name) &&
		    json_member(listener, "tls") != NULL &&
		    json_int_at(listener, "port", 0) == json_int_at(gathering->listener, "port", 0))
			return true;
	}
	return false;
}

/* "tls-a.example"; "tls-wildcard.a.example" of "*.a.example". Heap. */
static char *secret_name(const char *base, struct str_view name)
{
	struct str_view rest = sv_starts(name, SV("*.")) ? sv_skip(name, 2) : name;
	const char *wildcard = rest.len == name.len ? "" : "wildcard.";

	if (strlen(base) + strlen(wildcard) + rest.len + 1 <= NAME_LEN_MAX)
		return xasprintf("%s-%s%.*s", base, wildcard, SV_ARG(rest));
	return derived_name(base, "-%016llx", (unsigned long long)sv_hash(name));
}

static void add_name(struct gathering *gathering, struct str_view name)
{
	AUTO(auto_free) char *secret = secret_name(gathering->base, name);

	if (json_object_get(gathering->wanted, secret) != NULL || is_elsewhere(gathering, name))
		return;
	if (gathering->count >= ROUTE_NAMES_MAX) {
		gathering->left_out++;
		return;
	}
	gathering->count++;
	json_object_set_new(gathering->wanted, secret, json_pack("[o]", json_sv(name)));
}

static bool take_route(void *arg, const struct object *route)
{
	struct gathering *gathering = arg;
	json_t *name;
	size_t i;

	if (!attaches(gathering, route))
		return true;
	json_array_foreach(json_at(route->json, "spec.hostnames"), i, name)
	{
		add_name(gathering, sv_new(json_string_value(name), json_string_length(name)));
	}
	return true;
}

/* ---- listeners ---- */

/* The Secret that the listener names first, when it is one of the owner's namespace and the
 * listener is one that the names of its routes may be for. */
static const char *base_of(const struct object *owner, const json_t *listener)
{
	const json_t *ref = json_array_get(json_at(listener, "tls.certificateRefs"), 0);
	const char *mode = json_str_at(listener, "tls.mode"), *ns = json_str_at(ref, "namespace");

	if (json_sv_at(listener, "hostname").len > 0 ||
	    !sv_eq(json_sv_at(listener, "protocol"), SV("HTTPS")) ||
	    (mode != NULL && strcmp(mode, "Terminate") != 0) ||
	    (ns != NULL && strcmp(ns, object_namespace(owner)) != 0))
		return NULL;
	return json_str_at(ref, "name");
}

void shim_route_names(struct controllers *ctl, const struct object *owner, json_t *wanted)
{
	struct gathering gathering = {.ctl = ctl, .owner = owner, .wanted = wanted};
	json_t *listener;
	size_t i;

	if (!shim_by_routes(owner))
		return;
	json_array_foreach(json_at(owner->json, "spec.listeners"), i, listener)
	{
		gathering.listener = listener;
		gathering.base = base_of(owner, listener);
		gathering.count = 0;
		if (gathering.base != NULL)
			store_each(ctl->config.store, SV(ROUTES_PREFIX), take_route, &gathering);
	}
	if (gathering.left_out > 0)
		ctl_event(ctl, kind_of_owner(owner), owner, "Warning", "TooManyNames",
			  "%zu hostnames of routes get no certificate: a listener has at most %d; "
			  "name a wildcard certificate, or use listeners with hostnames",
			  gathering.left_out, ROUTE_NAMES_MAX);
}

void shim_route_map(struct controllers *ctl, const struct object *before,
		    const struct object *after)
{
	const struct object *sides[] = {before, after};

	if (before != NULL && after != NULL &&
	    object_generation(before) == object_generation(after) &&
	    json_same(json_at(before->json, "status.parents"),
		      json_at(after->json, "status.parents")))
		return;
	for (size_t side = 0; side < ARRAY_LEN(sides); side++) {
		json_t *ref;
		size_t i;

		if (sides[side] == NULL)
			continue;
		json_array_foreach(json_at(sides[side]->json, "spec.parentRefs"), i, ref)
		{
			const char *ns = json_str_at(ref, "namespace");
			const char *name = json_str_at(ref, "name");
			const struct kind *kind = kind_of_parent(json_sv_at(ref, "kind"));
			const struct object *owner =
				name == NULL || kind == NULL
					? NULL
					: ctl_get(ctl, kind,
						  ns != NULL ? ns : object_namespace(sides[side]),
						  name);

			if (owner != NULL && shim_by_routes(owner))
				ctl_queue(ctl, CTL_SHIM, sv_from(owner->key));
		}
	}
}
