#include "controller/cas.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/own.h"
#include "controller/cabundle.h"

#include <stdlib.h>

#define NAME_MAX_LEN (CAS_MAPS_MAX * 600 + 64)

struct bundle { /* what a ConfigMap came to */
	uint64_t revision;
	char *problem;
	struct ca_bundle read;
	bool asked; /* since the last sweep */
};

struct set {
	struct ca_set *cas;
	bool asked;
};

struct cas {
	struct map bundles; /* key of the ConfigMap -> struct bundle */
	struct map sets;    /* "purpose key@revision …" -> struct set */
};

/* ---- one ConfigMap ---- */

static void bundle_forget(struct bundle *bundle)
{
	ca_bundle_deinit(&bundle->read);
	free(bundle->problem);
	*bundle = (struct bundle){0};
}

static void bundle_read(struct bundle *bundle, const struct object *configmap)
{
	struct err err = {.code = ERR_NONE};

	bundle->revision = configmap->revision;
	if (ca_bundle_object(&bundle->read, configmap, &err) < 0)
		bundle->problem = xasprintf("ConfigMap %s/%s: %s", object_namespace(configmap),
					    object_name(configmap), err.msg);
}

static struct bundle *bundle_get(struct cas *cas, const struct object *configmap)
{
	struct bundle *bundle = map_get(&cas->bundles, sv_from(configmap->key));

	if (bundle == NULL) {
		bundle = xcalloc(1, sizeof(*bundle));
		(void)map_put(&cas->bundles, sv_from(configmap->key), bundle);
	}
	if (bundle->revision != configmap->revision) {
		bundle_forget(bundle);
		bundle_read(bundle, configmap);
	}
	bundle->asked = true;
	return bundle;
}

const char *cas_problem(struct cas *cas, const struct object *configmap)
{
	return bundle_get(cas, configmap)->problem;
}

/* ---- sets ---- */

static struct ca_set *set_make(struct cas *cas, const struct object *const *configmaps,
			       size_t count)
{
	AUTO(auto_free) struct str_view *certs = NULL;
	size_t total = 0;

	for (size_t i = 0; i < count; i++) {
		const struct ca_bundle *bundle = &bundle_get(cas, configmaps[i])->read;

		if (bundle->count == 0)
			continue;
		certs = xrealloc(certs, (total + bundle->count) * sizeof(*certs));
		memcpy(&certs[total], bundle->certs, bundle->count * sizeof(*certs));
		total += bundle->count;
	}
	return ca_set_new(&(struct ca_set){.count = total, .certs = certs});
}

struct ca_set *cas_get(struct cas *cas, const struct object *const *configmaps, size_t count,
		       const char *purpose)
{
	struct buf name;
	struct set *set;

	buf_init(&name, NAME_MAX_LEN);
	(void)buf_addf(&name, "%s", purpose);
	for (size_t i = 0; i < count; i++)
		(void)buf_addf(&name, " %s@%llu", configmaps[i]->key,
			       (unsigned long long)configmaps[i]->revision);
	set = map_get(&cas->sets, buf_view(&name));
	if (set == NULL) {
		set = xcalloc(1, sizeof(*set));
		set->cas = set_make(cas, configmaps, count);
		(void)map_put(&cas->sets, buf_view(&name), set);
	}
	buf_deinit(&name);
	set->asked = true;
	return set->cas;
}

/* ---- life ---- */

struct cas *cas_new(void)
{
	return xcalloc(1, sizeof(struct cas));
}

void cas_sweep(struct cas *cas, struct graveyard *graveyard)
{
	struct str_view key;
	void *value;

	for (size_t it = 0; map_next(&cas->bundles, &it, &key, &value);) {
		struct bundle *bundle = value;

		if (!bundle->asked) {
			(void)map_remove(&cas->bundles, key);
			bundle_forget(bundle);
			free(bundle);
		} else {
			bundle->asked = false;
		}
	}
	for (size_t it = 0; map_next(&cas->sets, &it, &key, &value);) {
		struct set *set = value;

		if (!set->asked) {
			(void)map_remove(&cas->sets, key);
			part_unref(&set->cas->part, graveyard);
			free(set);
		} else {
			set->asked = false;
		}
	}
}

void cas_free(struct cas *cas, struct graveyard *graveyard)
{
	if (cas == NULL)
		return;
	cas_sweep(cas, graveyard); /* those asked for lately stay once more */
	cas_sweep(cas, graveyard);
	map_deinit(&cas->bundles, NULL);
	map_deinit(&cas->sets, NULL);
	free(cas);
}
