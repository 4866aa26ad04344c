#include "controller/clientcert.h"

#include "base/own.h"
#include "controller/grants.h"

#include <stdlib.h>

static void fail(struct gateway *gateway, const char *reason, char *message)
{
	gateway->client_reason = reason;
	gateway->client_message = message;
}

static bool granted(const struct certrefs_env *env, const struct gateway *gateway, const char *ns,
		    const char *name)
{
	struct grant_ask ask = {.from_group = GATEWAY_GROUP,
				.from_kind = "Gateway",
				.from_ns = object_namespace(gateway->spec),
				.to_group = "",
				.to_kind = "Secret",
				.to_ns = ns,
				.to_name = name};

	return grants_permit(env->store, &ask);
}

static void take_secret(const struct certrefs_env *env, struct gateway *gateway, const char *ns,
			const char *name)
{
	AUTO(auto_free) char *key = object_key("core", "secrets", ns, name);
	const struct object *secret = key == NULL ? NULL : store_get(env->store, sv_from(key));
	const char *problem = NULL;

	if (secret == NULL) {
		fail(gateway, "InvalidClientCertificateRef",
		     xasprintf("Secret %s/%s does not exist", ns, name));
		return;
	}
	gateway->client_cert = certs_get(env->certs, secret, env->graveyard, &problem);
	if (gateway->client_cert == NULL)
		fail(gateway, "InvalidClientCertificateRef", xstrdup(problem));
}

void clientcert_resolve(const struct certrefs_env *env, struct gateway *gateway)
{
	const json_t *ref = json_at(gateway->spec->json, "spec.tls.backend.clientCertificateRef");
	struct str_view group = json_sv_at(ref, "group"), kind = json_sv_at(ref, "kind");
	const char *ns = json_str_at(ref, "namespace"), *name = json_str_at(ref, "name");

	free(gateway->client_message);
	gateway->client_message = NULL;
	gateway->client_reason = NULL;
	gateway->client_cert = NULL;
	gateway->asks_client_cert = ref != NULL;
	if (ref == NULL)
		return;
	ns = ns != NULL ? ns : object_namespace(gateway->spec);
	if (group.len > 0 || (kind.len > 0 && !sv_eq(kind, SV("Secret"))) || name == NULL)
		fail(gateway, "InvalidClientCertificateRef",
		     xasprintf(
			     "spec.tls.backend.clientCertificateRef can name a Secret of the core "
			     "group only, not kind %.*s%s%.*s",
			     SV_ARG(kind), group.len > 0 ? "." : "", SV_ARG(group)));
	else if (!granted(env, gateway, ns, name))
		fail(gateway, "RefNotPermitted",
		     xasprintf("Secret %s/%s is in another namespace, and no ReferenceGrant there "
			       "permits Gateways of %s to name it",
			       ns, name, object_namespace(gateway->spec)));
	else
		take_secret(env, gateway, ns, name);
}
