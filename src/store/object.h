/* store/object.h - one stored object: immutable, counted
 *
 * A change makes a new object; whoever holds the old one still sees it whole.
 */
#ifndef STORE_OBJECT_H
#define STORE_OBJECT_H

#include "base/str.h"
#include "codec/json.h"

#include <stdbool.h>
#include <stdint.h>

struct object {
	unsigned refs;     /* control thread only, so not atomic */
	uint64_t revision; /* of its last change: metadata.resourceVersion */
	char *key; /* "gateway.networking.k8s.io/httproutes/default/shop"; the core group is "core";
		    * cluster-scoped: "cert-manager.io/clusterissuers//letsencrypt" */
	json_t *json; /* read-only; metadata.resourceVersion is right */
	size_t text;  /* bytes of its JSON text in the store, 0 when it was never there */
};

/* Takes json, an object; sets its metadata.resourceVersion. */
struct object *object_new(struct str_view key, uint64_t revision, json_t *json);
/* The same state at another revision (a deletion); shares all values. */
struct object *object_at(const struct object *object, uint64_t revision);
struct object *object_ref(const struct object *object);
void object_unref(struct object *object); /* NULL is fine */
void auto_object(struct object **object);

const char *object_name(const struct object *object); /* metadata.name */
const char *
object_namespace(const struct object *object); /* metadata.namespace, "" when cluster-scoped */
int64_t object_generation(const struct object *object);

/* Key from its parts; namespace "" for cluster-scoped. Heap; the caller frees. NULL when a part
 * holds
 * '/' (it would be the key of something else) or when group, plural or name is empty. */
char *object_key(const char *group, const char *plural, const char *ns, const char *name);
/* Splits a key into borrowed parts; false when it has not the form. */
struct object_key_parts {
	struct str_view group, plural, ns, name;
};
bool object_key_split(struct str_view key, struct object_key_parts *parts);

#endif
