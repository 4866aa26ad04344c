/* controller/issuer_staging.c - staging services of CAs: which issuer is one, and the issuer that
 * is made beside one whose annotation names its staging server
 *
 * The made one (NAME-staging) has an account of its own; names that have failed are tried there
 * first, where a failure costs nothing.
 */
#include "controller/issuer.h"

#include "base/own.h"
#include "base/url.h"

#include <stdlib.h>

#define NOTE_STAGING "sallyport.dev/staging-server"

char *staging_issuer_name(const struct object *issuer)
{
	return derived_name(object_name(issuer), "-staging");
}

bool issuer_is_staging(const struct object *issuer)
{
	return url_is_staging(json_sv_at(issuer->json, "spec.acme.server"));
}

/* The spec with the other server, its own account key, and no binding: that one is the other CA's.
 */
static json_t *staging_spec(const struct object *issuer, const char *server)
{
	json_t *spec = json_deep_copy(json_member(issuer->json, "spec"));
	json_t *acme = json_object_get(spec, "acme");
	json_t *ref = json_object_get(acme, "privateKeySecretRef");
	AUTO(auto_free)
	char *secret = derived_name(json_str_at(acme, "privateKeySecretRef.name"), "-staging");

	json_object_set_new(acme, "server", json_string(server));
	json_object_set_new(ref, "name", json_string(secret));
	json_object_del(acme, "externalAccountBinding");
	json_object_del(acme, "profile");
	json_object_del(acme, "preferredChain");
	json_object_del(acme, "disableAccountKeyGeneration");
	return spec;
}

struct wish { /* one issuer being stored */
	struct controllers *ctl;
	char *issuer;
};

static void wish_done(void *arg, const struct object *object, const struct err *err)
{
	struct wish *wish = arg;
	const struct object *issuer = store_get(wish->ctl->config.store, sv_from(wish->issuer));
	bool cluster = sv_starts(sv_from(wish->issuer), SV("cert-manager.io/clusterissuers/"));

	(void)object;
	if (issuer != NULL && err->code == ERR_INVALID)
		ctl_event(wish->ctl,
			  kind_by_plural(SV("cert-manager.io"),
					 cluster ? SV("clusterissuers") : SV("issuers")),
			  issuer, "Warning", "BadConfig",
			  "the annotation " NOTE_STAGING " cannot be followed: %s", err->msg);
	free(wish->issuer);
	free(wish);
}

void issuer_staging_sync(struct controllers *ctl, const struct issuer *issuer)
{
	const char *server = note_of(issuer->object, NOTE_STAGING);
	bool wanted = server != NULL && json_at(issuer->object->json, "spec.acme") != NULL;
	AUTO(auto_free) char *name = staging_issuer_name(issuer->object);
	const char *ns = issuer->kind->namespaced ? object_namespace(issuer->object) : "";
	const struct object *old = ctl_get(ctl, issuer->kind, ns, name);
	AUTO(auto_json) json_t *spec = NULL;
	struct wish *wish;
	json_t *body;

	if (old != NULL && !ctl_is_owned_by(old, issuer->object))
		return;
	if (!wanted) {
		if (old != NULL)
			ctl_delete_object(ctl, old);
		return;
	}
	spec = staging_spec(issuer->object, server);
	if (old != NULL && json_same(json_member(old->json, "spec"), spec))
		return;
	body = old != NULL ? json_deep_copy(old->json)
			   : body_new(issuer->kind, ns, name, issuer->kind, issuer->object);
	if (!issuer->kind->namespaced)
		json_object_del(json_object_get(body, "metadata"), "namespace");
	json_object_set(body, "spec", spec);
	wish = xcalloc(1, sizeof(*wish));
	wish->ctl = ctl;
	wish->issuer = xstrdup(issuer->object->key);
	ctl_put_object(ctl, issuer->kind, old, body, wish_done, wish);
}
