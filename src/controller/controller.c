#include "controller/ctl.h"

#include "base/log.h"
#include "base/own.h"

#include <stdlib.h>

#define SETTLE_MS 200

static const struct ctl_row *const rows[CTL_COUNT] = {
	[CTL_COMPILE] = &ctl_compile, [CTL_SHIM] = &ctl_shim,
	[CTL_ISSUER] = &ctl_issuer,   [CTL_CERTIFICATE] = &ctl_certificate,
	[CTL_REQUEST] = &ctl_request, [CTL_ORDER] = &ctl_order,
	[CTL_DNS01] = &ctl_dns01,     [CTL_ALERT] = &ctl_alert,
	[CTL_TIGERA] = &ctl_tigera,   [CTL_OWNER] = &ctl_owner,
	[CTL_EVENT] = &ctl_event_row,
};

/* ---- settling ---- */

struct settle {
	struct list link;
	struct timer limit;
	struct controllers *ctl;
	uint64_t revision;
	void (*done)(void *arg);
	void *arg;
};

static void settle_end(struct settle *settle)
{
	list_remove(&settle->link);
	timer_stop(settle->ctl->config.loop, &settle->limit);
	settle->done(settle->arg);
	free(settle);
}

static void settle_limit(struct timer *timer)
{
	settle_end(CONTAINER_OF(timer, struct settle, limit));
}

static bool at_rest(const struct controllers *ctl)
{
	return queue_idle(ctl->queue) && store_pending(ctl->config.store) == 0 &&
	       ctl->changes_pending == 0;
}

static void settle_look(struct task *task)
{
	struct controllers *ctl = CONTAINER_OF(task, struct controllers, settle_look);
	uint64_t revision = store_revision(ctl->config.store);

	if (!at_rest(ctl))
		return;
	LIST_EACH(&ctl->settling, node)
	{
		struct settle *settle = LIST_ENTRY(node, struct settle, link);

		if (settle->revision <= revision)
			settle_end(settle);
	}
}

/* Looked at in a later turn, when what this turn set in motion has been queued. */
static void settle_later(struct controllers *ctl)
{
	if (!list_empty(&ctl->settling))
		task_defer(ctl->config.loop, &ctl->settle_look);
}

void controllers_settle(struct controllers *controllers, uint64_t revision, void (*done)(void *arg),
			void *arg)
{
	struct settle *settle = xcalloc(1, sizeof(*settle));

	settle->ctl = controllers;
	settle->revision = revision;
	settle->done = done;
	settle->arg = arg;
	timer_init(&settle->limit, settle_limit);
	timer_in(controllers->config.loop, &settle->limit, SETTLE_MS);
	list_append(&controllers->settling, &settle->link);
	settle_later(controllers);
}

void controllers_settle_cancel(struct controllers *controllers, void *arg)
{
	LIST_EACH(&controllers->settling, node)
	{
		struct settle *settle = LIST_ENTRY(node, struct settle, link);

		if (settle->arg != arg)
			continue;
		list_remove(&settle->link);
		timer_stop(controllers->config.loop, &settle->limit);
		free(settle);
	}
}

void ctl_work_begin(struct controllers *ctl)
{
	ctl->changes_pending++;
}

void ctl_work_end(struct controllers *ctl)
{
	ctl->changes_pending--;
	settle_later(ctl);
}

/* ---- watch -> queue -> reconcile ---- */

void ctl_queue(struct controllers *ctl, enum controller_id id, struct str_view key)
{
	queue_add(ctl->queue, id, key);
}

void ctl_queue_in(struct controllers *ctl, enum controller_id id, struct str_view key,
		  int64_t delay_ms)
{
	queue_add_in(ctl->queue, id, key, delay_ms);
}

void ctl_retry(struct controllers *ctl, enum controller_id id, struct str_view key)
{
	queue_retry(ctl->queue, id, key);
}

static void work(void *arg, unsigned what, struct str_view key)
{
	struct controllers *ctl = arg;

	rows[what]->reconcile(ctl, key);
	settle_later(ctl);
}

struct route { /* where a watch's changes go */
	struct controllers *ctl;
	const struct ctl_watch *watch;
	enum controller_id id;
};

static void changed(void *arg, enum store_change change, const struct object *object,
		    const struct object *before)
{
	const struct route *route = arg;
	const struct object *after = change == STORE_DELETED ? NULL : object;

	if (change == STORE_DELETED)
		before = object;
	if (route->watch->map != NULL)
		route->watch->map(route->ctl, before, after);
	else
		ctl_queue(route->ctl, route->id, sv_from(object->key));
	settle_later(route->ctl);
}

static bool first_look(void *arg, const struct object *object)
{
	changed(arg, STORE_ADDED, object, NULL);
	return true;
}

static void watch_row(struct controllers *ctl, enum controller_id id, struct route *routes)
{
	for (const struct ctl_watch *watch = rows[id]->watches; watch->prefix != NULL; watch++) {
		struct route *route = &routes[ctl->watch_count];

		*route = (struct route){.ctl = ctl, .watch = watch, .id = id};
		ctl->watches[ctl->watch_count++] =
			store_watch(ctl->config.store, sv_from(watch->prefix), changed, route);
		store_each(ctl->config.store, sv_from(watch->prefix), first_look, route);
	}
}

/* ---- what exists from the first start (design, section 3) ---- */

static void premake(struct controllers *ctl, const char *group, const char *plural, json_t *body)
{
	const struct kind *kind = kind_by_plural(sv_from(group), sv_from(plural));

	if (ctl_get(ctl, kind, "", json_str_at(body, "metadata.name")) == NULL)
		ctl_put_object(ctl, kind, NULL, body, NULL, NULL);
	else
		json_decref(body);
}

static json_t *namespace_new(const char *name)
{
	return json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "Namespace", "metadata",
			 "name", name);
}

static void premake_all(struct controllers *ctl)
{
	premake(ctl, "", "namespaces", namespace_new("default"));
	premake(ctl, "", "namespaces", namespace_new("sallyport-system"));
	premake(ctl, "gateway.networking.k8s.io", "gatewayclasses",
		json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s}}", "apiVersion",
			  "gateway.networking.k8s.io/v1", "kind", "GatewayClass", "metadata",
			  "name", "sallyport", "spec", "controllerName",
			  "sallyport.dev/gateway-controller", "description",
			  "Gateways of this host, served by sallyportd"));
}

struct controllers *controllers_start(const struct controllers_config *config, struct err *err)
{
	struct controllers *ctl = xcalloc(1, sizeof(*ctl));

	ctl->config = *config;
	ctl->queue = queue_new(config->loop, work, ctl);
	ctl->routes = xcalloc((size_t)CTL_COUNT * CTL_WATCHES_MAX, sizeof(struct route));
	list_init(&ctl->settling);
	list_init(&ctl->writes);
	task_init(&ctl->settle_look, settle_look);
	for (unsigned id = 0; id < CTL_COUNT; id++) {
		if (rows[id]->start != NULL && rows[id]->start(ctl, err) < 0) {
			controllers_free(ctl);
			return NULL;
		}
		ctl->started = id + 1;
	}
	for (unsigned id = 0; id < CTL_COUNT; id++)
		watch_row(ctl, id, ctl->routes);
	premake_all(ctl);
	return ctl;
}

void controllers_free(struct controllers *controllers)
{
	if (controllers == NULL)
		return;
	LIST_EACH(&controllers->settling, node)
	{
		settle_end(LIST_ENTRY(node, struct settle, link));
	}
	for (size_t i = 0; i < controllers->watch_count; i++)
		store_unwatch(controllers->watches[i]);
	for (unsigned id = 0; id < controllers->started; id++) {
		if (rows[id]->stop != NULL)
			rows[id]->stop(controllers);
	}
	ctl_drop_writes(controllers);
	task_cancel(&controllers->settle_look);
	queue_free(controllers->queue);
	free(controllers->routes);
	free(controllers);
}

void controllers_metrics(struct controllers *controllers, struct buf *out)
{
	for (unsigned id = 0; id < CTL_COUNT; id++) {
		if (rows[id]->metrics != NULL)
			rows[id]->metrics(controllers, out);
	}
}
