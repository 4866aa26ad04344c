/* resource/grpcroute.c - GRPCRoute (gateway.networking.k8s.io) */
#include "base/own.h"
#include "resource/names.h"
#include "resource/route.h"
#include "resource/rows.h"

/* ---- members ---- */

static const struct schema_node method_match[] = {
	TEXT("type", WORDS("Exact", "RegularExpression"), .text = "Exact"),
	TEXT("service", .max = 1024),
	TEXT("method", .max = 1024),
	END,
};

static const struct schema_node match_members[] = {
	OBJECT("method", method_match),
	LIST("headers", field_match_item, .key = "name", .max = 16),
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
	LIST("matches", match_item, .max = RULE_MATCHES_MAX),
	LIST("filters", grpc_filter_item, .max = 16),
	LIST("backendRefs", backend_item, .max = RULE_BACKENDS_MAX),
	REFUSED("sessionPersistence"),
	END,
};
static const struct schema_node rule_item[] = {OBJECT("[]", rule_members)};

static const struct schema_node route_spec[] = {
	LIST("parentRefs", parent_ref_item, .max = 32),
	LIST("hostnames", hostname_item, .max = 16),
	LIST("rules", rule_item, .key = "name", .max = ROUTE_RULES_MAX),
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
		if (exact && json_is_string(value) && !names[i].is(text_of(value)))
			cause_invalid(causes, where->text, value, "%s", names[i].must);
		where_back(where, inner);
	}
	if (!named)
		cause_required(causes, where->text, "service, method or both must be named");
	where_back(where, mark);
}

static void validate_matches(const json_t *matches, struct where *where, struct causes *causes)
{
	for (size_t i = 0; i < json_array_size(matches) && i < RULE_MATCHES_MAX; i++) {
		const json_t *method = json_member(json_array_get(matches, i), "method");
		size_t mark = where_to(where, ".matches[%zu]", i);

		if (json_is_object(method))
			validate_method(method, where, causes);
		where_back(where, mark);
	}
}

static void validate_rule(const json_t *rule, struct where *where, struct causes *causes)
{
	validate_matches(json_member(rule, "matches"), where, causes);
	route_rule_validate(rule, NULL, where, causes);
}

void grpcroute_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	(void)old;
	route_validate(object, validate_rule, causes);
}
