/* controller/owner.c - what an owner leaves behind goes with it (metadata.ownerReferences) */
#include "controller/ctl.h"

#include "base/own.h"

static const struct object *owner_of(struct controllers *ctl, const struct object *object,
				     const json_t *ref)
{
	AUTO(auto_free) char *key = NULL;
	const struct kind *kind =
		kind_by_gvk(json_sv_at(ref, "apiVersion"), json_sv_at(ref, "kind"));
	const char *name = json_str_at(ref, "name");

	if (kind == NULL || name == NULL)
		return NULL;
	key = kind_key(kind, kind->namespaced ? object_namespace(object) : "", name);
	return store_get(ctl->config.store, sv_from(key));
}

static bool any_owner_lives(struct controllers *ctl, const struct object *object,
			    const json_t *refs)
{
	json_t *ref;
	size_t i;

	json_array_foreach(refs, i, ref)
	{
		const struct object *owner = owner_of(ctl, object, ref);

		if (owner != NULL &&
		    sv_eq(json_sv_at(owner->json, "metadata.uid"), json_sv_at(ref, "uid")))
			return true;
	}
	return false;
}

static void owner_reconcile(struct controllers *ctl, struct str_view key)
{
	const struct object *object = store_get(ctl->config.store, key);
	const json_t *refs;

	if (object == NULL)
		return;
	refs = json_at(object->json, "metadata.ownerReferences");
	if (json_array_size(refs) > 0 && !any_owner_lives(ctl, object, refs))
		ctl_delete_object(ctl, object);
}

struct orphans {
	struct controllers *ctl;
	const struct object *gone;
};

static bool queue_orphan(void *arg, const struct object *object)
{
	const struct orphans *orphans = arg;

	if (ctl_is_owned_by(object, orphans->gone))
		ctl_queue(orphans->ctl, CTL_OWNER, sv_from(object->key));
	return true;
}

/* What is ever made for an owner of a kind; the last row is for all others. Every renewal deletes a
 * request, an order and a challenge: these do not look through everything. */
static const struct {
	const char *owner, *owned[8];
} owned_kinds[] = {
	{"acme.cert-manager.io/challenges/", {NULL}},
	{"acme.cert-manager.io/orders/", {"acme.cert-manager.io/challenges/"}},
	{"cert-manager.io/certificaterequests/", {"acme.cert-manager.io/orders/"}},
	{"",
	 {"core/secrets/", "cert-manager.io/certificates/", "cert-manager.io/certificaterequests/",
	  "acme.cert-manager.io/orders/", "acme.cert-manager.io/challenges/",
	  "operator.tigera.io/tigerastatuses/", "gateway.networking.k8s.io/gatewayclasses/"}},
};

static void queue_orphans(struct controllers *ctl, const struct object *gone)
{
	struct orphans orphans = {.ctl = ctl, .gone = gone};
	const char *ns = object_namespace(gone);
	size_t row = 0;

	while (!sv_starts(sv_from(gone->key), sv_from(owned_kinds[row].owner)))
		row++;
	for (size_t i = 0; owned_kinds[row].owned[i] != NULL; i++) {
		AUTO(auto_free)
		char *prefix = xasprintf("%s%s%s", owned_kinds[row].owned[i], ns,
					 ns[0] == '\0' ? "" : "/");

		store_each(ctl->config.store, sv_from(prefix), queue_orphan, &orphans);
	}
}

/* A change of an owned object concerns itself (also one that got in the way of its deletion); the
 * end of any object concerns those it owned. */
static void owner_map(struct controllers *ctl, const struct object *before,
		      const struct object *after)
{
	if (after == NULL)
		queue_orphans(ctl, before);
	else if (json_at(after->json, "metadata.ownerReferences") != NULL)
		ctl_queue(ctl, CTL_OWNER, sv_from(after->key));
}

const struct ctl_row ctl_owner = {
	.name = "owner",
	.watches = {{.prefix = "gateway.networking.k8s.io/", .map = owner_map},
		    {.prefix = "cert-manager.io/", .map = owner_map},
		    {.prefix = "acme.cert-manager.io/", .map = owner_map},
		    {.prefix = "operator.tigera.io/", .map = owner_map}},
	.reconcile = owner_reconcile,
};
