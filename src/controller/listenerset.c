#include "controller/listenerset.h"

#include "base/clock.h"
#include "base/own.h"
#include "controller/selector.h"

#include <stdio.h>
#include <stdlib.h>

bool is_gateway_api_ref(const json_t *ref, const char *kind)
{
	struct str_view named = json_sv_at(ref, "kind");

	return (json_member(ref, "group") == NULL ||
		sv_eq(json_sv_at(ref, "group"), SV(GATEWAY_GROUP))) &&
	       sv_eq(named.len > 0 ? named : SV("Gateway"), sv_from(kind));
}

/* ---- whose listeners they are ---- */

const struct object *listener_owner(const struct gw_listener *listener)
{
	return listener->set != NULL ? listener->set->spec : listener->gateway->spec;
}

const struct object *listener_object(const struct gw_listener *listener)
{
	return listener->set != NULL ? listener->set->object : listener->gateway->object;
}

char *listener_id(const struct gw_listener *listener)
{
	if (listener->set != NULL)
		return xasprintf("%s/%s/%.*s", listener->gateway->id, listener->set->id,
				 SV_ARG(listener->name));
	return xasprintf("%s/%.*s", listener->gateway->id, SV_ARG(listener->name));
}

/* ---- one set ---- */

static const json_t *labels_of(const struct store *store, const char *ns)
{
	AUTO(auto_free) char *key = object_key("core", "namespaces", "", ns);
	const struct object *object = key == NULL ? NULL : store_get(store, sv_from(key));

	return object == NULL ? NULL : json_at(object->json, "metadata.labels");
}

static bool allowed(const struct gateway *gateway, const struct object *set,
		    const struct store *store)
{
	const json_t *namespaces = json_at(gateway->spec->json, "spec.allowedListeners.namespaces");
	struct str_view from = json_sv_at(namespaces, "from");

	if (sv_eq(from, SV("All")))
		return true;
	if (sv_eq(from, SV("Same")))
		return strcmp(object_namespace(set), object_namespace(gateway->spec)) == 0;
	return sv_eq(from, SV("Selector")) &&
	       label_selector_matches(json_member(namespaces, "selector"),
				      labels_of(store, object_namespace(set)));
}

static void find_gateway(struct listenerset *set, const struct gateways *gateways,
			 const struct store *store)
{
	const json_t *ref = json_at(set->spec->json, "spec.parentRef");
	const char *ns = json_str_at(ref, "namespace"), *name = json_str_at(ref, "name");
	AUTO(auto_free) char *id = NULL;
	AUTO(auto_free) char *key = NULL;

	set->state = SET_FOREIGN;
	if (!is_gateway_api_ref(ref, "Gateway") || name == NULL)
		return;
	ns = ns != NULL ? ns : object_namespace(set->spec);
	id = xasprintf("%s/%s", ns, name);
	set->gateway = gateways_find(gateways, sv_from(id));
	if (set->gateway != NULL) {
		set->state =
			allowed(set->gateway, set->spec, store) ? SET_ATTACHED : SET_NOT_ALLOWED;
		return;
	}
	key = object_key(GATEWAY_GROUP, "gateways", ns, name);
	if (key == NULL || store_get(store, sv_from(key)) == NULL)
		set->state = SET_NO_GATEWAY;
}

static struct listenerset *set_new(const struct object *object, const struct gateways *gateways,
				   const struct store *store)
{
	struct listenerset *set = xcalloc(1, sizeof(*set));

	set->object = object_ref(object);
	set->spec = object_ref(object);
	set->id = xasprintf("%s/%s", object_namespace(object), object_name(object));
	(void)clock_parse_rfc3339(json_sv_at(object->json, "metadata.creationTimestamp"),
				  &set->created);
	find_gateway(set, gateways, store);
	return set;
}

static void set_free(struct listenerset *set)
{
	object_unref(set->object);
	object_unref(set->spec);
	free(set->id);
	free(set);
}

/* ---- all of them ---- */

struct loading {
	struct gateways *gateways;
	const struct store *store;
	size_t seen;
	bool changed;
};

static bool load_one(void *arg, const struct object *object)
{
	struct loading *loading = arg;
	struct gateways *gateways = loading->gateways;
	struct listenerset *set = set_new(object, gateways, loading->store);

	gateways->sets =
		xrealloc(gateways->sets, (gateways->set_count + 1) * sizeof(struct listenerset *));
	gateways->sets[gateways->set_count++] = set;
	(void)map_put(&gateways->sets_by_id, sv_from(set->id), set);
	return true;
}

/* Their precedence (Gateway API, ListenerSetSpec.listeners). */
static int age_cmp(const void *left, const void *right)
{
	const struct listenerset *a = *(struct listenerset *const *)left;
	const struct listenerset *b = *(struct listenerset *const *)right;

	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;
	return strcmp(a->id, b->id);
}

/* Nothing points to the Gateway's listeners yet. */
static void add_listeners(struct listenerset *set)
{
	struct gateway *gateway = set->gateway;
	const json_t *list = json_at(set->spec->json, "spec.listeners");

	set->first = gateway->listener_count;
	set->count = json_array_size(list);
	gateway->listeners = xrealloc(gateway->listeners,
				      (set->first + set->count + 1) * sizeof(struct gw_listener));
	for (size_t i = 0; i < set->count; i++)
		listener_init(&gateway->listeners[set->first + i], gateway, set,
			      json_array_get(list, i));
	gateway->listener_count += set->count;
}

void listenersets_load(struct gateways *gateways, const struct store *store)
{
	struct loading loading = {.gateways = gateways, .store = store};

	store_each(store, SV(GATEWAY_GROUP "/listenersets/"), load_one, &loading);
	if (gateways->set_count > 1)
		qsort(gateways->sets, gateways->set_count, sizeof(struct listenerset *), age_cmp);
	for (size_t i = 0; i < gateways->set_count; i++) {
		if (gateways->sets[i]->state == SET_ATTACHED)
			add_listeners(gateways->sets[i]);
	}
}

void listenersets_deinit(struct gateways *gateways)
{
	for (size_t i = 0; i < gateways->set_count; i++)
		set_free(gateways->sets[i]);
	free(gateways->sets);
	map_deinit(&gateways->sets_by_id, NULL);
}

struct listenerset *listenersets_find(const struct gateways *gateways, struct str_view id)
{
	return map_get(&gateways->sets_by_id, id);
}

static bool follow_one(void *arg, const struct object *object)
{
	struct loading *loading = arg;
	AUTO(auto_free)
	char *id = xasprintf("%s/%s", object_namespace(object), object_name(object));
	struct listenerset *set = listenersets_find(loading->gateways, sv_from(id));

	if (set == NULL) {
		loading->changed = true;
		return false;
	}
	loading->seen++;
	loading->changed = gateway_renew_object(&set->object, set->spec, object);
	return !loading->changed;
}

bool listenersets_follow(struct gateways *gateways, const struct store *store)
{
	struct loading loading = {.gateways = gateways, .store = store};

	store_each(store, SV(GATEWAY_GROUP "/listenersets/"), follow_one, &loading);
	return loading.changed || loading.seen != gateways->set_count;
}
