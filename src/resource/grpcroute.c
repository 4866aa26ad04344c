/* resource/grpcroute.c - GRPCRoute (gateway.networking.k8s.io) */
#include "base/own.h"
#include "resource/columns.h"
#include "resource/names.h"
#include "resource/rows.h"

#define RULES_MAX         16
#define MATCHES_MAX       64  /* a rule */
#define MATCHES_TOTAL_MAX 128 /* a route */
#define BACKENDS_MAX      16  /* a rule */

/* ---- members ---- */

static const struct schema_node method_match[] = {
	TEXT("type", WORDS("Exact", "RegularExpression"), .text = "Exact"),
	TEXT("service", .max = 1024),
	TEXT("method", .max = 1024),
	END,
};

static const struct schema_node match_members[] = {
	OBJECT("method", method_match),
	LIST("headers", field_match_item, .key = "name", .flags = SCHEMA_NOCASE, .max = 16),
	END,
};
static const struct schema_node match_item[] = {OBJECT("[]", match_members)};

static const struct schema_node backend_members[] = {
	BACKEND_REF_MEMBERS,
	INTEGER("weight", .min = 0, .max = 1000000, .integer = 1),
	LIST("filters", grpc_filter_item, .max = 16),
	END,
};
static const struct schema_node backend_item[] = {OBJECT("[]", backend_members)};

static const struct schema_node rule_members[] = {
	TEXT("name", .min = 1, .max = 253, .format = &format_subdomain),
	LIST("matches", match_item, .max = MATCHES_MAX),
	LIST("filters", grpc_filter_item, .max = 16),
	LIST("backendRefs", backend_item, .max = BACKENDS_MAX),
	REFUSED("sessionPersistence"),
	END,
};
static const struct schema_node rule_item[] = {OBJECT("[]", rule_members)};

static const struct schema_node route_spec[] = {
	LIST("parentRefs", parent_ref_item, .max = 32),
	LIST("hostnames", hostname_item, .max = 16),
	LIST("rules", rule_item, .key = "name", .max = RULES_MAX),
	REFUSED("useDefaultGateways"),
	END,
};

const struct schema_node grpcroute_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", route_spec, REQUIRED),
	KIND_STATUS,
	END,
};

/* ---- rules between members ---- */

/* A letter or '_', then those and digits (identifiers of protocol buffers). */
static bool is_identifier(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_alnum(text.data[i]) && text.data[i] != '_')
			return false;
	}
	return text.len > 0 && !ascii_is_digit(text.data[0]);
}

/* Identifiers with dots between them, and perhaps one before. */
static bool is_service(struct str_view text)
{
	struct str_view rest = sv_starts(text, SV(".")) ? sv_skip(text, 1) : text;

	if (rest.len == 0 || rest.data[rest.len - 1] == '.')
		return false;
	while (rest.len > 0) {
		if (!is_identifier(sv_split(&rest, '.')))
			return false;
	}
	return true;
}

static const struct {
	const char *member;
	bool (*is)(struct str_view text);
	const char *must;
} names[] = {
	{"service", is_service,
	 "must be the full name of a service: letters, digits and '_' with dots between, such as "
	 "helloworld.Greeter (type RegularExpression takes more)"},
	{"method", is_identifier,
	 "must be the name of a method: letters, digits and '_' (type RegularExpression takes "
	 "more)"},
};

static void validate_method(const json_t *method, struct where *where, struct causes *causes)
{
	bool exact = sv_eq(json_sv_at(method, "type"), SV("Exact")), named = false;
	size_t mark = where_to(where, ".method");

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const json_t *value = json_member(method, names[i].member);
		size_t inner = where_to(where, ".%s", names[i].member);

		named = named || text_of(value).len > 0;
		if (exact && text_of(value).len > 0 && !names[i].is(text_of(value)))
			cause_invalid(causes, where->text, value, "%s", names[i].must);
		where_back(where, inner);
	}
	if (!named)
		cause_required(causes, where->text, "service, method or both must be named");
	where_back(where, mark);
}

static void validate_matches(const json_t *matches, struct where *where, struct causes *causes)
{
	for (size_t i = 0; i < json_array_size(matches) && i < MATCHES_MAX; i++) {
		const json_t *method = json_member(json_array_get(matches, i), "method");
		size_t mark = where_to(where, ".matches[%zu]", i);

		if (json_is_object(method))
			validate_method(method, where, causes);
		where_back(where, mark);
	}
}

static void validate_backends(const json_t *backends, struct where *where, struct causes *causes)
{
	for (size_t i = 0; i < json_array_size(backends) && i < BACKENDS_MAX; i++) {
		const json_t *backend = json_array_get(backends, i);
		size_t mark = where_to(where, ".backendRefs[%zu]", i);

		backend_ref_validate(backend, where, causes);
		http_filters_validate(json_member(backend, "filters"), NULL, where, causes);
		where_back(where, mark);
	}
}

void grpcroute_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	const json_t *rules = json_at(object, "spec.rules");
	size_t total = 0;

	(void)old;
	parent_refs_validate(json_at(object, "spec.parentRefs"), causes);
	for (size_t i = 0; i < json_array_size(rules) && i < RULES_MAX; i++) {
		const json_t *rule = json_array_get(rules, i);
		const json_t *matches = json_member(rule, "matches");
		struct where where = {0};

		where_to(&where, "spec.rules[%zu]", i);
		validate_matches(matches, &where, causes);
		http_filters_validate(json_member(rule, "filters"), NULL, &where, causes);
		validate_backends(json_member(rule, "backendRefs"), &where, causes);
		total += json_array_size(matches);
	}
	if (total > MATCHES_TOTAL_MAX)
		causes_add(causes, CAUSE_TOO_LONG, "spec.rules",
			   "Too many: %zu: the matches of all rules may not be more than %d", total,
			   MATCHES_TOTAL_MAX);
}
