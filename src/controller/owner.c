/* controller/owner.c - what an owner leaves behind goes with it (metadata.ownerReferences) */
#include "controller/ctl.h"

#include "base/map.h"
#include "base/own.h"

#include <stdlib.h>

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
	if (json_array_size(refs) == 0 || any_owner_lives(ctl, object, refs))
		return;
	/* A Challenge that has put a record somewhere takes it away first. */
	if (sv_starts(key, SV("acme.cert-manager.io/challenges/")) &&
	    json_at(object->json, "status.record") != NULL)
		ctl_queue(ctl, CTL_DNS01, key);
	else
		ctl_delete_object(ctl, object);
}

/* ---- who owns what: every renewal ends a request, an order and a challenge, so what they owned is
 * not looked for among all objects ---- */

struct owners {            /* ctl->state[CTL_OWNER] */
	struct map by_uid; /* struct map of the store keys of what it owns, by the owner's uid */
};

static struct map *by_uid(struct controllers *ctl)
{
	return &((struct owners *)ctl->state[CTL_OWNER])->by_uid;
}

static void owned_free(void *value)
{
	map_deinit(value, NULL);
	free(value);
}

static void note_owned(struct controllers *ctl, struct str_view uid, const struct object *object)
{
	struct map *owned = map_get(by_uid(ctl), uid);

	if (owned == NULL) {
		owned = xcalloc(1, sizeof(*owned));
		map_init(owned);
		(void)map_put(by_uid(ctl), uid, owned);
	}
	(void)map_put(owned, sv_from(object->key), owned); /* any value that is not NULL */
}

static void forget_owned(struct controllers *ctl, struct str_view uid, const struct object *object)
{
	struct map *owned = map_get(by_uid(ctl), uid);

	if (owned == NULL)
		return;
	(void)map_remove(owned, sv_from(object->key));
	if (owned->count == 0)
		owned_free(map_remove(by_uid(ctl), uid));
}

static void index_owned(struct controllers *ctl, const struct object *before,
			const struct object *after)
{
	const json_t *old =
		before == NULL ? NULL : json_at(before->json, "metadata.ownerReferences");
	const json_t *new = after == NULL ? NULL : json_at(after->json, "metadata.ownerReferences");
	json_t *ref;
	size_t i;

	if (before != NULL && after != NULL && json_same(old, new))
		return;
	json_array_foreach(old, i, ref)
	{
		forget_owned(ctl, json_sv_at(ref, "uid"), before);
	}
	json_array_foreach(new, i, ref)
	{
		note_owned(ctl, json_sv_at(ref, "uid"), after);
	}
}

static void queue_orphans(struct controllers *ctl, const struct object *gone)
{
	struct map *owned = map_get(by_uid(ctl), json_sv_at(gone->json, "metadata.uid"));
	struct str_view key;
	void *value;

	for (size_t it = 0; owned != NULL && map_next(owned, &it, &key, &value);)
		ctl_queue(ctl, CTL_OWNER, key);
}

/* Of Secrets and ConfigMaps only the owners are noted: one that came with the owner of another
 * cluster stays. */
static void secret_map(struct controllers *ctl, const struct object *before,
		       const struct object *after)
{
	index_owned(ctl, before, after);
}

/* A change of an owned object concerns itself (also one that got in the way of its deletion); the
 * end of any object concerns those it owned. */
static void owner_map(struct controllers *ctl, const struct object *before,
		      const struct object *after)
{
	index_owned(ctl, before, after);
	if (after == NULL)
		queue_orphans(ctl, before);
	else if (json_at(after->json, "metadata.ownerReferences") != NULL)
		ctl_queue(ctl, CTL_OWNER, sv_from(after->key));
}

static int owner_start(struct controllers *ctl, struct err *err)
{
	(void)err;
	ctl->state[CTL_OWNER] = xcalloc(1, sizeof(struct owners));
	return 0;
}

static void owner_stop(struct controllers *ctl)
{
	map_deinit(by_uid(ctl), owned_free);
	free(ctl->state[CTL_OWNER]);
	ctl->state[CTL_OWNER] = NULL;
}

const struct ctl_row ctl_owner = {
	.name = "owner",
	.watches = {{.prefix = "gateway.networking.k8s.io/", .map = owner_map},
		    {.prefix = "cert-manager.io/", .map = owner_map},
		    {.prefix = "acme.cert-manager.io/", .map = owner_map},
		    {.prefix = "operator.tigera.io/", .map = owner_map},
		    {.prefix = "core/configmaps/", .map = secret_map},
		    {.prefix = "core/secrets/", .map = secret_map}},
	.reconcile = owner_reconcile,
	.start = owner_start,
	.stop = owner_stop,
};
