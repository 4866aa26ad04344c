/* controller/compile_watch.c - changes of objects, as far as they concern what is served
 *
 * A change only marks what must be looked at again; the pass that follows does all the work.
 */
#include "controller/compile_priv.h"

static bool other_wish(const struct object *before, const struct object *after)
{
	return before == NULL || after == NULL ||
	       object_generation(before) != object_generation(after);
}

static void class_map(struct controllers *ctl, const struct object *before,
		      const struct object *after)
{
	if (other_wish(before, after))
		compile_of(ctl)->gateways_dirty = true;
	compile_soon(ctl);
}

/* Gateways, ListenerSets, and what their listeners name. */
static void gateway_map(struct controllers *ctl, const struct object *before,
			const struct object *after)
{
	(void)before;
	(void)after;
	compile_of(ctl)->certs_stale = true;
	compile_of(ctl)->untold = true;
	compile_soon(ctl);
}

static void challenge_map(struct controllers *ctl, const struct object *before,
			  const struct object *after)
{
	(void)before;
	(void)after;
	compile_soon(ctl);
}

static void route_map(struct controllers *ctl, const struct object *before,
		      const struct object *after)
{
	routes_changed(&compile_of(ctl)->routes, before, after);
	compile_soon(ctl);
}

static void grant_map(struct controllers *ctl, const struct object *before,
		      const struct object *after)
{
	(void)before;
	(void)after;
	compile_of(ctl)->certs_stale = true;
	compile_of(ctl)->untold = true;
	compile_of(ctl)->routes.grants_epoch++;
	compile_of(ctl)->routes.dirty = true;
	compile_soon(ctl);
}

static const json_t *labels_of(const struct object *object)
{
	return object == NULL ? NULL : json_at(object->json, "metadata.labels");
}

static void namespace_map(struct controllers *ctl, const struct object *before,
			  const struct object *after)
{
	if (before != NULL && after != NULL && json_same(labels_of(before), labels_of(after)))
		return;
	if (compile_of(ctl)->gateways.set_count > 0) /* which Gateways may select by label */
		compile_of(ctl)->gateways_dirty = true;
	compile_of(ctl)->routes.attach_epoch++;
	compile_of(ctl)->routes.dirty = true;
	compile_soon(ctl);
}

static void service_map(struct controllers *ctl, const struct object *before,
			const struct object *after)
{
	if (!other_wish(before, after))
		return;
	backends_service_changed(compile_of(ctl)->backends, after != NULL ? after : before);
	compile_soon(ctl);
}

static void slice_map(struct controllers *ctl, const struct object *before,
		      const struct object *after)
{
	backends_slice_changed(compile_of(ctl)->backends, before, after);
	compile_soon(ctl);
}

void compile_check_backend(struct compile *compile, struct str_view key)
{
	(void)map_put(&compile->unchecked, key, compile);
}

static void backend_map(struct controllers *ctl, const struct object *before,
			const struct object *after)
{
	struct compile *compile = compile_of(ctl);

	if (other_wish(before, after))
		backends_backend_changed(compile->backends, after != NULL ? after : before);
	policies_backend_changed(compile->policies, before, after);
	if (after != NULL)
		compile_check_backend(compile, sv_from(after->key));
	compile_soon(ctl);
}

static void traffic_map(struct controllers *ctl, const struct object *before,
			const struct object *after)
{
	if (!other_wish(before, after))
		return;
	compile_of(ctl)->traffics.dirty = true;
	compile_soon(ctl);
}

static void policy_map(struct controllers *ctl, const struct object *before,
		       const struct object *after)
{
	policies_changed(compile_of(ctl)->policies, before, after);
	compile_soon(ctl);
}

/* A Secret or a ConfigMap: Gateways, and policies that name it for its CAs. */
static void secret_map(struct controllers *ctl, const struct object *before,
		       const struct object *after)
{
	compile_of(ctl)->certs_stale = true;
	compile_of(ctl)->untold = true;
	(void)policies_ca_changed(compile_of(ctl)->policies, after != NULL ? after : before);
	compile_soon(ctl);
}

/* Of cert-manager's kinds only issuers matter: a listener says what it waits for. */
static void issuer_map(struct controllers *ctl, const struct object *before,
		       const struct object *after)
{
	struct object_key_parts parts;

	if (!object_key_split(sv_from((after != NULL ? after : before)->key), &parts) ||
	    !other_wish(before, after))
		return;
	if (!sv_eq(parts.plural, SV("issuers")) && !sv_eq(parts.plural, SV("clusterissuers")))
		return;
	compile_of(ctl)->certs_stale = true;
	compile_of(ctl)->untold = true;
	compile_soon(ctl);
}

const struct ctl_row ctl_compile = {
	.name = "compile",
	.watches =
		{
			{.prefix = GATEWAY_GROUP "/gatewayclasses/", .map = class_map},
			{.prefix = GATEWAY_GROUP "/gateways/", .map = gateway_map},
			{.prefix = GATEWAY_GROUP "/listenersets/", .map = gateway_map},
			{.prefix = GATEWAY_GROUP "/httproutes/", .map = route_map},
			{.prefix = GATEWAY_GROUP "/grpcroutes/", .map = route_map},
			{.prefix = GATEWAY_GROUP "/tlsroutes/", .map = route_map},
			{.prefix = GATEWAY_GROUP "/tcproutes/", .map = route_map},
			{.prefix = GATEWAY_GROUP "/udproutes/", .map = route_map},
			{.prefix = GATEWAY_GROUP "/referencegrants/", .map = grant_map},
			{.prefix = "core/namespaces/", .map = namespace_map},
			{.prefix = "core/secrets/", .map = secret_map},
			{.prefix = "core/configmaps/", .map = secret_map},
			{.prefix = GATEWAY_GROUP "/backendtlspolicies/", .map = policy_map},
			{.prefix = "core/services/", .map = service_map},
			{.prefix = "discovery.k8s.io/endpointslices/", .map = slice_map},
			{.prefix = "gateway.envoyproxy.io/backends/", .map = backend_map},
			{.prefix = TRAFFIC_PREFIX, .map = traffic_map},
			{.prefix = "acme.cert-manager.io/challenges/", .map = challenge_map},
			{.prefix = "cert-manager.io/", .map = issuer_map},
		},
	.reconcile = compile_reconcile,
	.start = compile_start,
	.stop = compile_stop,
	.metrics = compile_metrics,
};
