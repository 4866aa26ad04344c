#include "controller/cas.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/own.h"
#include "codec/json.h"
#include "pki/ossl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#define BUNDLE_CERTS_MAX 1000 /* of one ConfigMap; a system's whole bundle has some 150 */
#define NAME_MAX_LEN     (CAS_MAPS_MAX * 600 + 64)

struct bundle { /* what a ConfigMap came to */
	uint64_t revision;
	char *problem;
	size_t count;
	struct str_view *certs; /* DER, owned */
	bool asked;             /* since the last sweep */
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
	for (size_t i = 0; i < bundle->count; i++)
		OPENSSL_free((char *)bundle->certs[i].data);
	free(bundle->certs);
	free(bundle->problem);
	*bundle = (struct bundle){0};
}

static bool bundle_add(struct bundle *bundle, X509 *cert)
{
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);

	if (len <= 0)
		return false;
	bundle->certs = xrealloc(bundle->certs, (bundle->count + 1) * sizeof(bundle->certs[0]));
	bundle->certs[bundle->count++] = sv_new((const char *)der, (size_t)len);
	return true;
}

/* NULL, or what is wrong. */
static const char *bundle_parse(struct bundle *bundle, struct str_view pem)
{
	AUTO(auto_bio) BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	bool whole = true;
	X509 *cert;

	while (whole && bundle->count < BUNDLE_CERTS_MAX &&
	       (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		whole = bundle_add(bundle, cert);
		X509_free(cert);
	}
	if (bundle->count == BUNDLE_CERTS_MAX)
		return "ca.crt holds more than 999 certificates";
	whole = whole && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	if (!whole)
		return "ca.crt holds something that is no certificate";
	return bundle->count == 0 ? "ca.crt holds no PEM certificate" : NULL;
}

static void bundle_read(struct bundle *bundle, const struct object *configmap)
{
	const json_t *value = json_member(json_member(configmap->json, "data"), "ca.crt");
	const char *wrong = "it has no member ca.crt";

	bundle->revision = configmap->revision;
	if (json_is_string(value))
		wrong = bundle_parse(bundle,
				     sv_new(json_string_value(value), json_string_length(value)));
	if (wrong != NULL)
		bundle->problem = xasprintf("ConfigMap %s/%s: %s", object_namespace(configmap),
					    object_name(configmap), wrong);
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
		const struct bundle *bundle = bundle_get(cas, configmaps[i]);

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
