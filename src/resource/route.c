/* resource/route.c - what HTTPRoute and GRPCRoute have in common; the first status of all routes */
#include "resource/route.h"
#include "resource/rows.h"

#define MATCHES_TOTAL_MAX 128 /* of all rules of a route */

json_t *route_status(const json_t *object, int64_t now)
{
	json_t *status = json_object();

	(void)object;
	(void)now;
	json_object_set_new(status, "parents", json_array());
	return status;
}

void route_rule_validate(const json_t *rule, const json_t *matches, struct where *where,
			 struct causes *causes)
{
	const json_t *backends = json_member(rule, "backendRefs");

	http_filters_validate(json_member(rule, "filters"), matches, where, causes);
	for (size_t i = 0; i < json_array_size(backends) && i < RULE_BACKENDS_MAX; i++) {
		const json_t *backend = json_array_get(backends, i);
		size_t mark = where_to(where, ".backendRefs[%zu]", i);

		backend_ref_validate(backend, where, causes);
		http_filters_validate(json_member(backend, "filters"), matches, where, causes);
		where_back(where, mark);
	}
}

void route_validate(const json_t *object, rule_validate_fn *validate_rule, struct causes *causes)
{
	const json_t *rules = json_at(object, "spec.rules");
	size_t total = 0;

	parent_refs_validate(json_at(object, "spec.parentRefs"), causes);
	for (size_t i = 0; i < json_array_size(rules) && i < ROUTE_RULES_MAX; i++) {
		const json_t *rule = json_array_get(rules, i);
		struct where where = {0};

		where_to(&where, "spec.rules[%zu]", i);
		validate_rule(rule, &where, causes);
		total += json_array_size(json_member(rule, "matches"));
	}
	if (total > MATCHES_TOTAL_MAX)
		causes_add(causes, CAUSE_TOO_LONG, "spec.rules",
			   "Too many: %zu: the matches of all rules may not be more than %d", total,
			   MATCHES_TOTAL_MAX);
}
