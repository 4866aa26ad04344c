#include "controller/httproute.h"

#include "base/clock.h"
#include "base/own.h"
#include "controller/clash.h"
#include "controller/telling.h"

#include <stdio.h>
#include <stdlib.h>

#define LOST_MESSAGE                                                                              \
	"an older HTTPRoute or GRPCRoute has a hostname in common with it on the same listener, " \
	"and a hostname belongs to one of these kinds: use another hostname"

bool route_runs(const struct route *route)
{
	const struct compiled *compiled = &route->compiled;

	return compiled->rule_count == 0 || compiled->refused_count < compiled->rule_count;
}

/* ---- entries ---- */

/* The same route but for its status? */
static bool same_wish(const struct object *a, const struct object *b)
{
	return object_generation(a) == object_generation(b) &&
	       sv_eq(json_sv_at(a->json, "metadata.uid"), json_sv_at(b->json, "metadata.uid"));
}

static void route_compile_again(struct routes *routes, struct route *route)
{
	struct compiled old = route->compiled;

	/* The new one first: what both use stays resolved. */
	route_compile(&route->compiled, route->object, &routes->compile);
	compiled_deinit(&old, &routes->compile);
	route->grants_epoch = routes->grants_epoch;
}

static void judge_later(struct routes *routes, struct route *route)
{
	if (!list_linked(&route->to_judge))
		list_append(&routes->to_judge, &route->to_judge);
}

static void forget_status(struct routes *routes, struct route *route)
{
	json_decref(route->status);
	route->status = NULL;
	judge_later(routes, route);
}

/* Its views are borrowed from the object. */
static void route_match_again(struct route *route)
{
	matches_deinit(&route->matches);
	matches_add(&route->matches, route->object, route->compiled.rules);
}

/* Attaches anew; true: its status may be another now. */
static bool route_attach_again(struct routes *routes, struct route *route)
{
	struct attached *attached = &route->attached;
	size_t count = attached->parent_count;
	AUTO(auto_free) struct parent *before = TAKE(attached->parents);
	bool same;

	attach_route(attached, route->object, &routes->attach);
	route->attach_epoch = routes->attach_epoch;
	same = count == attached->parent_count;
	for (size_t i = 0; same && i < count; i++)
		same = before[i].result == attached->parents[i].result &&
		       before[i].result != ATTACH_PENDING &&
		       before[i].lost == attached->parents[i].lost;
	return !same;
}

static void route_update(struct routes *routes, struct route *route)
{
	bool compile = route->changed || compiled_is_stale(&route->compiled) ||
		       (route->compiled.asks_grants && route->grants_epoch != routes->grants_epoch);

	if ((route->changed || route->attach_epoch != routes->attach_epoch) &&
	    route_attach_again(routes, route))
		forget_status(routes, route);
	if (!compile)
		return;
	route_compile_again(routes, route);
	route_match_again(route);
	forget_status(routes, route);
	route->changed = false;
}

static void route_free(struct routes *routes, struct route *route)
{
	list_remove(&route->link);
	list_remove(&route->to_judge);
	compiled_deinit(&route->compiled, &routes->compile);
	matches_deinit(&route->matches);
	attached_deinit(&route->attached);
	json_decref(route->status);
	object_unref(route->object);
	free(route->key);
	free(route);
}

static struct route *route_of(struct routes *routes, const struct object *object)
{
	struct route *route = map_get(&routes->by_key, sv_from(object->key));

	if (route != NULL)
		return route;
	route = xcalloc(1, sizeof(*route));
	route->key = xstrdup(object->key);
	list_append(&routes->all, &route->link);
	(void)map_put(&routes->by_key, sv_from(object->key), route);
	return route;
}

void routes_changed(struct routes *routes, const struct object *before, const struct object *after)
{
	struct route *route = route_of(routes, after != NULL ? after : before);
	struct object *old = route->object;

	route->object = after == NULL ? NULL : object_ref(after);
	if (after != NULL)
		(void)clock_parse_rfc3339(json_sv_at(after->json, "metadata.creationTimestamp"),
					  &route->created);
	if (old == NULL || after == NULL || !same_wish(old, after))
		route->changed = routes->dirty = true;
	else if (!route->changed) /* the status only */
		route_match_again(route);
	judge_later(routes, route);
	object_unref(old);
}

static void route_drop(struct routes *routes, struct route *route)
{
	(void)map_remove(&routes->by_key, sv_from(route->key));
	route_free(routes, route);
}

/* ---- who has a hostname ---- */

static const char *name_in_key(const struct route *route)
{
	const char *plural = route_kinds[route_kind_of(route->object)].plural;

	return route->key + strlen(GATEWAY_GROUP "/") + strlen(plural);
}

static int age_cmp(const void *left, const void *right)
{
	const struct route *a = *(struct route *const *)left, *b = *(struct route *const *)right;
	int order;

	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;
	order = strcmp(name_in_key(a), name_in_key(b));
	return order != 0 ? order : strcmp(b->key, a->key); /* HTTPRoute first */
}

static void settle_clashes(struct routes *routes)
{
	AUTO(auto_free)
	struct route **list = xcalloc(routes->by_key.count + 1, sizeof(struct route *));
	struct clash clash = {0};
	size_t count = 0;

	LIST_EACH(&routes->all, node)
	{
		list[count++] = LIST_ENTRY(node, struct route, link);
	}
	qsort(list, count, sizeof(struct route *), age_cmp);
	for (size_t i = 0; i < count; i++) {
		if (clash_show(&clash, list[i]->object, &list[i]->attached))
			forget_status(routes, list[i]);
	}
	clash_deinit(&clash);
}

void routes_pass(struct routes *routes, void (*visit)(void *arg, struct route *route), void *arg)
{
	unsigned kinds = 0;
	bool several;

	routes->dirty = false;
	memset(routes->counts, 0, sizeof(routes->counts));
	LIST_EACH(&routes->all, node)
	{
		struct route *route = LIST_ENTRY(node, struct route, link);

		if (route->object == NULL) {
			route_drop(routes, route);
			continue;
		}
		route_update(routes, route);
		kinds |= ROUTE_BIT(route_kind_of(route->object));
		routes->counts[route_kind_of(route->object)]++;
	}
	several = (kinds & CLASHING) == CLASHING;
	if (several || routes->clashed)
		settle_clashes(routes);
	routes->clashed = several;
	LIST_EACH(&routes->all, node)
	{
		visit(arg, LIST_ENTRY(node, struct route, link));
	}
}

void routes_init(struct routes *routes)
{
	list_init(&routes->all);
	list_init(&routes->to_judge);
	routes->attach_epoch = 1;
	routes->dirty = true;
}

void routes_deinit(struct routes *routes)
{
	LIST_EACH(&routes->all, node)
	{
		route_free(routes, LIST_ENTRY(node, struct route, link));
	}
	map_deinit(&routes->by_key, NULL);
}

/* ---- conditions ---- */

static const struct {
	enum cond_status status;
	const char *reason, *message;
} attach_words[] = {
	[ATTACH_NO_GATEWAY] =
		{COND_FALSE, "NoMatchingParent",
		 "there is no Gateway or ListenerSet of this name (in the route's own "
		 "namespace, unless parentRefs names one), or the Gateway does not "
		 "allow the ListenerSet"},
	[ATTACH_PENDING] = {COND_UNKNOWN, "Pending", "the Gateway waits"},
	[ATTACH_NO_LISTENER] = {COND_FALSE, "NoMatchingParent",
				"the Gateway has no listener of this sectionName and port: correct "
				"parentRefs, or leave both out to attach to all listeners"},
	[ATTACH_NOT_ALLOWED] =
		{COND_FALSE, "NotAllowedByListeners",
		 "no listener admits routes of this kind and namespace: "
		 "allowedRoutes.namespaces.from is Same unless the Gateway says All or Selector"},
	[ATTACH_NO_HOSTNAME] = {COND_FALSE, "NoMatchingListenerHostname",
				"none of its hostnames is also a listener's, or fits a wildcard of "
				"one"},
	[ATTACH_ACCEPTED] = {COND_TRUE, "Accepted", "the route is accepted"},
};

static const char *words_of(const struct buf *buf)
{
	return buf_len(buf) == 0 ? "" : buf_cstr((struct buf *)(uintptr_t)buf);
}

/* Rules that cannot be run as written answer 500; when it is all of them, so does the route. The
 * first words of PartiallyInvalid are the Gateway API's. */
static void tell_refused(struct telling *telling, const struct route *route)
{
	const struct compiled *compiled = &route->compiled;
	bool partly = route_runs(route);
	AUTO(auto_free)
	char *message =
		xasprintf("%s%s; requests that these rules match are answered with 500",
			  partly ? "Dropped Rule: " : "", words_of(&compiled->refused_message));

	if (partly) {
		tell(telling, "Accepted", COND_TRUE, "Accepted", "the route is accepted");
		tell(telling, "PartiallyInvalid", COND_TRUE, compiled->refused_reason, message);
		return;
	}
	tell(telling, "Accepted", COND_FALSE, compiled->refused_reason, message);
	untell(telling, "PartiallyInvalid");
}

static void tell_accepted(struct telling *telling, const struct route *route,
			  const struct parent *parent)
{
	const char *message = attach_words[parent->result].message;

	if (parent->result == ATTACH_ACCEPTED && parent->lost) {
		tell(telling, "Accepted", COND_FALSE, "HostnameConflict", LOST_MESSAGE);
		untell(telling, "PartiallyInvalid");
		return;
	}
	if (parent->result == ATTACH_ACCEPTED && route->compiled.refused_count > 0) {
		tell_refused(telling, route);
		return;
	}
	if (parent->result == ATTACH_PENDING && parent->why_pending != NULL)
		message = parent->why_pending;
	tell(telling, "Accepted", attach_words[parent->result].status,
	     attach_words[parent->result].reason, message);
	untell(telling, "PartiallyInvalid");
}

static void tell_refs(struct telling *telling, const struct compiled *compiled)
{
	const char *message = words_of(&compiled->refs_message);

	if (compiled->refs_reason != NULL)
		tell(telling, "ResolvedRefs", COND_FALSE, compiled->refs_reason, message);
	else
		tell(telling, "ResolvedRefs", COND_TRUE, "ResolvedRefs",
		     message[0] == '\0' ? "all references resolve" : message);
}

/* ---- statuses ---- */

static json_t *parent_entry(const struct route *route, size_t index, int64_t now)
{
	json_t *ref = json_array_get(json_at(route->object->json, "spec.parentRefs"), index);
	const json_t *before = json_at(route->object->json, "status.parents");
	struct telling telling =
		telling_new(entry_conditions(before, ENTRY_PARENT, ref), route->object, now);

	tell_accepted(&telling, route, &route->attached.parents[index]);
	tell_refs(&telling, &route->compiled);
	return entry_new(ENTRY_PARENT, json_incref(ref), telling.conditions);
}

/* New; entries of other controllers and times of transition are taken from the present one. */
static json_t *status_of(const struct route *route, int64_t now)
{
	json_t *parents = entries_of_others(json_at(route->object->json, "status.parents"));

	for (size_t i = 0; i < route->attached.parent_count; i++) {
		if (route->attached.parents[i].result != ATTACH_FOREIGN)
			json_array_append_new(parents, parent_entry(route, i, now));
	}
	return json_pack("{s:o}", "parents", parents);
}

/* True: it must be written. */
static bool route_judge(struct route *route, int64_t now)
{
	const struct object *object = route->object;
	json_t *present = json_object_get(object->json, "status");

	if (route->status == NULL || !json_same(present, route->status)) {
		json_decref(route->status); /* others may have changed their entries meanwhile */
		route->status = status_of(route, now);
	}
	if (!json_same(present, route->status))
		return true;
	json_decref(route->status); /* one copy is enough */
	route->status = json_incref(present);
	return false;
}

size_t routes_statuses(struct routes *routes, int64_t now, size_t max,
		       void (*put)(void *arg, const struct object *object, json_t *status),
		       void *arg)
{
	size_t count = 0;

	LIST_EACH(&routes->to_judge, node)
	{
		struct route *route = LIST_ENTRY(node, struct route, to_judge);

		if (count == max)
			break;
		list_remove(node);
		if (route->object == NULL || !route_judge(route, now))
			continue;
		put(arg, route->object, json_incref(route->status));
		count++;
	}
	return count;
}

void routes_status_lost(struct routes *routes, struct str_view key)
{
	struct route *route = map_get(&routes->by_key, key);

	if (route != NULL)
		judge_later(routes, route);
}
