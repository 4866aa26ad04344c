/* resource/route.h - what the kinds of routes have in common: rules, filters
 *
 * Members of schemas, and the rules between members that two kinds or more ask for.
 */
#ifndef RESOURCE_ROUTE_H
#define RESOURCE_ROUTE_H

#include "resource/schema.h"

/* ---- route.c ---- */

#define ROUTE_RULES_MAX   16
#define RULE_MATCHES_MAX  64
#define RULE_BACKENDS_MAX 16

typedef void rule_validate_fn(const json_t *rule, struct where *where, struct causes *causes);
/* The parentRefs, each rule by validate_rule, and how many matches all rules have together. */
void route_validate(const json_t *object, rule_validate_fn *validate_rule, struct causes *causes);
/* The filters and backendRefs of a rule; matches as http_filters_validate has them. */
void route_rule_validate(const json_t *rule, const json_t *matches, struct where *where,
			 struct causes *causes);

/* ---- httproute.c ---- */

extern const struct schema_node field_match_item[]; /* a match of one field */

/* ---- filter.c: what stands in spec.rules[].filters of an HTTPRoute or GRPCRoute ---- */

extern const struct schema_node http_filter_item[], grpc_filter_item[];
/* Filters of one rule, or of one of its backendRefs. matches: those of the rule; NULL where a rule
 * has no path that a filter could replace. */
void http_filters_validate(const json_t *filters, const json_t *matches, struct where *where,
			   struct causes *causes);

#endif
