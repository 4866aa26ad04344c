/* controller/backend_policy.c - spec.tls of a Backend, said as a BackendTLSPolicy for it alone */
#include "controller/policies.h"

#include "base/own.h"

/* sni, or the first host name among the endpoints. */
static struct str_view name_of(const json_t *spec)
{
	struct str_view name = json_sv_at(spec, "tls.sni");
	json_t *endpoint;
	size_t i;

	json_array_foreach(json_member(spec, "endpoints"), i, endpoint)
	{
		if (name.len == 0)
			name = json_sv_at(endpoint, "fqdn.hostname");
	}
	return name;
}

struct object *backend_policy(const struct object *backend)
{
	static const char *const members[] = {"caCertificateRefs", "wellKnownCACertificates"};
	const json_t *spec = json_member(backend->json, "spec");
	const json_t *tls = json_member(spec, "tls");
	json_t *validation, *policy;

	if (tls == NULL)
		return NULL;
	validation = json_pack("{s:o}", "hostname", json_sv(name_of(spec)));
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_t *value = json_object_get(tls, members[i]);

		if (value != NULL)
			json_object_set(validation, members[i], value);
	}
	policy = json_pack("{s:o, s:{s:[{s:s, s:s, s:s}], s:o}}", "metadata",
			   json_deep_copy(json_member(backend->json, "metadata")), "spec",
			   "targetRefs", "group", "gateway.envoyproxy.io", "kind", "Backend",
			   "name", object_name(backend), "validation", validation);
	return object_new(sv_from(backend->key), backend->revision, policy);
}
