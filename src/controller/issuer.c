/* controller/issuer.c - ClusterIssuer and Issuer: which type, and is it ready? */
#include "controller/issuer.h"

#include "base/own.h"
#include "controller/account.h"

#include <stdlib.h>

static const struct issuer_type *const types[] = {&issuer_acme, &issuer_self_signed, &issuer_ca};

static const struct kind *kind_of_issuer(bool cluster)
{
	return kind_by_plural(SV("cert-manager.io"),
			      cluster ? SV("clusterissuers") : SV("issuers"));
}

const struct issuer_type *issuer_type_of(const struct object *issuer)
{
	const json_t *spec = json_member(issuer->json, "spec");

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (json_member(spec, types[i]->member) != NULL)
			return types[i];
	}
	return NULL;
}

bool issuer_find(struct controllers *ctl, const char *ns, const json_t *ref, struct issuer *issuer)
{
	const char *name = json_str_at(ref, "name");

	issuer->kind = kind_of_issuer(sv_eq(json_sv_at(ref, "kind"), SV("ClusterIssuer")));
	issuer->object = name == NULL ? NULL : ctl_get(ctl, issuer->kind, ns, name);
	return issuer->object != NULL;
}

bool issuer_ready(const struct object *issuer)
{
	return condition_is_true(issuer->json, "Ready");
}

const char *issuer_namespace(const struct issuer *issuer)
{
	return issuer->kind->namespaced ? object_namespace(issuer->object) : CLUSTER_NAMESPACE;
}

void issuer_put_ready(struct controllers *ctl, const struct issuer *issuer, json_t *status,
		      const struct condition *ready)
{
	status_condition(status, issuer->object, ready->type, ready->status, ready->reason, "%s",
			 ready->message);
	ctl_put_status(ctl, CTL_ISSUER, issuer->object, status);
}

static void issuer_reconcile(struct controllers *ctl, struct str_view key)
{
	struct issuer issuer = {.object = store_get(ctl->config.store, key)};
	const struct issuer_type *type;

	issuer.kind = kind_of_issuer(sv_starts(key, SV("cert-manager.io/clusterissuers/")));
	type = issuer.object == NULL ? NULL : issuer_type_of(issuer.object);
	if (type != &issuer_acme)
		account_forget(ctl, key);
	if (type != NULL) {
		issuer_staging_sync(ctl, &issuer);
		type->reconcile(ctl, &issuer);
	}
}

/* ---- Secrets: account keys, external account bindings, keys of CAs ---- */

struct secret_users {
	struct controllers *ctl;
	const char *name;
};

static bool queue_user(void *arg, const struct object *issuer)
{
	const struct secret_users *users = arg;
	const json_t *acme = json_at(issuer->json, "spec.acme");
	struct str_view name = sv_from(users->name);

	if (sv_eq(json_sv_at(issuer->json, "spec.ca.secretName"), name) ||
	    sv_eq(json_sv_at(acme, "privateKeySecretRef.name"), name) ||
	    sv_eq(json_sv_at(acme, "externalAccountBinding.keySecretRef.name"), name))
		ctl_queue(users->ctl, CTL_ISSUER, sv_from(issuer->key));
	return true;
}

static void secret_map(struct controllers *ctl, const struct object *before,
		       const struct object *after)
{
	const struct object *secret = after != NULL ? after : before;
	const char *ns = object_namespace(secret);
	AUTO(auto_free) char *prefix = kind_prefix(kind_of_issuer(false), ns);
	AUTO(auto_free) char *cluster = kind_prefix(kind_of_issuer(true), NULL);
	struct secret_users users = {.ctl = ctl, .name = object_name(secret)};

	store_each(ctl->config.store, sv_from(prefix), queue_user, &users);
	if (strcmp(ns, CLUSTER_NAMESPACE) == 0)
		store_each(ctl->config.store, sv_from(cluster), queue_user, &users);
}

const struct ctl_row ctl_issuer = {
	.name = "issuer",
	.watches = {{.prefix = "cert-manager.io/clusterissuers/"},
		    {.prefix = "cert-manager.io/issuers/"},
		    {.prefix = "core/secrets/", .map = secret_map}},
	.reconcile = issuer_reconcile,
	.start = accounts_start,
	.stop = accounts_stop,
	.metrics = accounts_metrics,
};
