/* controller/policy_target.c - targetRefs of BackendTLSPolicies: what they name, and whether it is
 * there
 */
#include "controller/policies.h"

#include "base/own.h"

const char *policy_target_kind(const json_t *ref)
{
	struct str_view group = json_sv_at(ref, "group"), kind = json_sv_at(ref, "kind");

	if (group.len == 0 && sv_eq(kind, SV("Service")))
		return "Service";
	if (sv_eq(group, SV("gateway.envoyproxy.io")) && sv_eq(kind, SV("Backend")))
		return "Backend";
	return NULL;
}

bool policy_target_is(const json_t *ref, const struct policy_subject *subject)
{
	const char *kind = policy_target_kind(ref);

	return kind != NULL && strcmp(kind, subject->kind) == 0 &&
	       sv_eq(json_sv_at(ref, "name"), sv_from(subject->name));
}

const struct object *policy_subject_object(const struct store *store,
					   const struct policy_subject *subject)
{
	bool service = strcmp(subject->kind, "Service") == 0;
	AUTO(auto_free)
	char *key = object_key(service ? "core" : "gateway.envoyproxy.io",
			       service ? "services" : "backends", subject->ns, subject->name);

	return key == NULL ? NULL : store_get(store, sv_from(key));
}

static bool has_port(const struct object *service, struct str_view name)
{
	json_t *port;
	size_t i;

	json_array_foreach(json_at(service->json, "spec.ports"), i, port)
	{
		if (sv_eq(json_sv_at(port, "name"), name))
			return true;
	}
	return false;
}

char *policy_target_absent(const struct object *policy, const struct policy_subject *subject,
			   const struct object *object)
{
	json_t *ref;
	size_t i;

	json_array_foreach(json_at(policy->json, "spec.targetRefs"), i, ref)
	{
		struct str_view section = json_sv_at(ref, "sectionName");

		if (!policy_target_is(ref, subject))
			continue;
		if (object == NULL)
			return xasprintf("targetRefs[%zu]: %s %s/%s does not exist", i,
					 subject->kind, subject->ns, subject->name);
		if (section.len > 0 && !has_port(object, section))
			return xasprintf("targetRefs[%zu].sectionName: %s %s/%s has no port %.*s",
					 i, subject->kind, subject->ns, subject->name,
					 SV_ARG(section));
	}
	return NULL;
}
