/* controller/tigera.c - what Calico's operator and a Deployment controller would report
 *
 * Nothing is installed here: an Installation is available as soon as it exists, a GatewayAPI brings
 * Calico's GatewayClass (served by us), and a Deployment is as available as the Services that
 * select it.
 */
#include "controller/ctl.h"

#include "base/own.h"
#include "controller/gateway.h"
#include "controller/telling.h"

static const struct kind *kind_of(const char *group, const char *plural)
{
	return kind_by_plural(sv_from(group), sv_from(plural));
}

/* ---- TigeraStatus ---- */

static json_t *condition_new(const char *type, const char *status, const char *now)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", type, "status", status, "reason",
			 "AllObjectsAvailable", "message", "All objects available",
			 "lastTransitionTime", now);
}

static void make_tigera_status(struct controllers *ctl, const char *name,
			       const struct kind *owner_kind, const struct object *owner)
{
	const struct kind *kind = kind_of("operator.tigera.io", "tigerastatuses");
	char now[CLOCK_TEXT_SIZE];

	if (ctl_get(ctl, kind, "", name) != NULL)
		return;
	clock_rfc3339(ctl_now(), now);
	ctl_put_object(ctl, kind, NULL,
		       json_pack("{s:s, s:s, s:{s:s, s:[o]}, s:{}, s:{s:[o,o,o]}}", "apiVersion",
				 "operator.tigera.io/v1", "kind", "TigeraStatus", "metadata",
				 "name", name, "ownerReferences", ctl_owner_ref(owner_kind, owner),
				 "spec", "status", "conditions",
				 condition_new("Available", "True", now),
				 condition_new("Progressing", "False", now),
				 condition_new("Degraded", "False", now)),
		       NULL, NULL);
}

static void make_calico_class(struct controllers *ctl, const struct kind *owner_kind,
			      const struct object *owner)
{
	const struct kind *kind = kind_of("gateway.networking.k8s.io", "gatewayclasses");

	if (ctl_get(ctl, kind, "", "tigera-gateway-class") != NULL)
		return;
	ctl_put_object(ctl, kind, NULL,
		       json_pack("{s:s, s:s, s:{s:s, s:[o]}, s:{s:s}}", "apiVersion",
				 "gateway.networking.k8s.io/v1", "kind", "GatewayClass", "metadata",
				 "name", "tigera-gateway-class", "ownerReferences",
				 ctl_owner_ref(owner_kind, owner), "spec", "controllerName",
				 GATEWAY_CONTROLLER),
		       NULL, NULL);
}

/* ---- Deployments ---- */

static bool labels_match(const json_t *selector, const json_t *labels)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)selector, name, value)
	{
		if (!json_same(json_member(labels, name), value))
			return false;
	}
	return json_object_size(selector) > 0;
}

struct ready_search {
	const char *service;
	bool found;
};

static bool slice_ready(void *arg, const struct object *slice)
{
	struct ready_search *search = arg;
	const json_t *name =
		json_member(json_at(slice->json, "metadata.labels"), "kubernetes.io/service-name");
	json_t *endpoint;
	size_t i;

	if (name == NULL || strcmp(json_string_value(name), search->service) != 0)
		return true;
	json_array_foreach(json_at(slice->json, "endpoints"), i, endpoint)
	{
		search->found = search->found || json_bool_at(endpoint, "conditions.ready", true);
	}
	return !search->found;
}

struct selecting {
	struct controllers *ctl;
	const json_t *labels; /* of the Deployment's pods */
	bool ready;           /* every Service that selects them has a ready endpoint */
};

static bool service_ready(void *arg, const struct object *service)
{
	struct selecting *selecting = arg;
	struct ready_search search = {.service = object_name(service)};
	AUTO(auto_free) char *prefix = NULL;

	if (!labels_match(json_at(service->json, "spec.selector"), selecting->labels))
		return true;
	prefix = kind_prefix(kind_of("discovery.k8s.io", "endpointslices"),
			     object_namespace(service));
	store_each(selecting->ctl->config.store, sv_from(prefix), slice_ready, &search);
	selecting->ready = search.found;
	return selecting->ready;
}

static json_t *deployment_status(const struct object *deployment, bool ready)
{
	int64_t wanted = json_int_at(deployment->json, "spec.replicas", 1);
	int64_t there = ready ? wanted : 0, generation = object_generation(deployment);
	struct telling telling =
		telling_new(json_at(deployment->json, "status.conditions"), deployment, ctl_now());

	if (ready)
		tell(&telling, "Available", COND_TRUE, "MinimumReplicasAvailable",
		     "nothing is run here; the Services that select it are ready");
	else
		tell(&telling, "Available", COND_FALSE, "MinimumReplicasUnavailable",
		     "a Service that selects it has no ready endpoint");
	tell(&telling, "Progressing", COND_TRUE, "NewReplicaSetAvailable", "stored, never run");
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "observedGeneration",
			 (json_int_t)generation, "replicas", (json_int_t)wanted, "updatedReplicas",
			 (json_int_t)wanted, "readyReplicas", (json_int_t)there,
			 "availableReplicas", (json_int_t)there, "conditions", telling.conditions);
}

static void reconcile_deployment(struct controllers *ctl, const struct object *deployment)
{
	struct selecting selecting = {
		.ctl = ctl,
		.labels = json_at(deployment->json, "spec.template.metadata.labels"),
		.ready = true};
	AUTO(auto_free)
	char *prefix = kind_prefix(kind_of("", "services"), object_namespace(deployment));

	store_each(ctl->config.store, sv_from(prefix), service_ready, &selecting);
	ctl_put_status(ctl, CTL_TIGERA, deployment, deployment_status(deployment, selecting.ready));
}

/* ---- dispatch ---- */

static void tigera_reconcile(struct controllers *ctl, struct str_view key)
{
	const struct object *object = store_get(ctl->config.store, key);
	struct object_key_parts parts;
	const struct kind *kind;

	if (object == NULL || !object_key_split(key, &parts))
		return;
	kind = kind_by_plural(parts.group, parts.plural);
	if (sv_eq(parts.plural, SV("installations"))) {
		make_tigera_status(ctl, "calico", kind, object);
		make_tigera_status(ctl, "ippools", kind, object);
	} else if (sv_eq(parts.plural, SV("gatewayapis"))) {
		make_tigera_status(ctl, "gatewayapi", kind, object);
		make_calico_class(ctl, kind, object);
	} else if (sv_eq(parts.plural, SV("deployments"))) {
		reconcile_deployment(ctl, object);
	}
}

static bool queue_one(void *arg, const struct object *object)
{
	ctl_queue(arg, CTL_TIGERA, sv_from(object->key));
	return true;
}

/* A Service or its endpoints concern every Deployment of the namespace; there are few. */
static void service_map(struct controllers *ctl, const struct object *before,
			const struct object *after)
{
	AUTO(auto_free)
	char *prefix = kind_prefix(kind_of("apps", "deployments"),
				   object_namespace(after != NULL ? after : before));

	store_each(ctl->config.store, sv_from(prefix), queue_one, ctl);
}

const struct ctl_row ctl_tigera = {
	.name = "tigera",
	.watches = {{.prefix = "operator.tigera.io/installations/"},
		    {.prefix = "operator.tigera.io/gatewayapis/"},
		    {.prefix = "apps/deployments/"},
		    {.prefix = "core/services/", .map = service_map},
		    {.prefix = "discovery.k8s.io/endpointslices/", .map = service_map}},
	.reconcile = tigera_reconcile,
};
