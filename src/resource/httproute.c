/* resource/httproute.c - HTTPRoute (gateway.networking.k8s.io) */
#include "base/clock.h"
#include "base/own.h"
#include "resource/columns.h"
#include "resource/names.h"
#include "resource/route.h"
#include "resource/rows.h"

/* ---- members ---- */

static const struct schema_node path_match[] = {
	TEXT("type", WORDS("Exact", "PathPrefix", "RegularExpression"), .text = "PathPrefix"),
	TEXT("value", .max = 1024, .text = "/"),
	END,
};

static const struct schema_node field_match[] = {
	TEXT("type", WORDS("Exact", "RegularExpression"), .text = "Exact"),
	TEXT("name", REQUIRED, .min = 1, .max = 256, .format = &format_field_name),
	TEXT("value", REQUIRED, .min = 1, .max = 4096, .format = &format_field_value),
	END,
};
const struct schema_node field_match_item[] = {OBJECT("[]", field_match)};

static const struct schema_node query_match[] = {
	TEXT("type", WORDS("Exact", "RegularExpression"), .text = "Exact"),
	TEXT("name", REQUIRED, .min = 1, .max = 256, .format = &format_field_name),
	TEXT("value", REQUIRED, .min = 1, .max = 1024),
	END,
};
static const struct schema_node query_match_item[] = {OBJECT("[]", query_match)};

static const struct schema_node match_members[] = {
	OBJECT("path", path_match, .flags = SCHEMA_MAKE),
	LIST("headers", field_match_item, .key = "name", .max = 16),
	LIST("queryParams", query_match_item, .key = "name", .max = 16),
	TEXT("method",
	     WORDS("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")),
	END,
};
static const struct schema_node match_item[] = {OBJECT("[]", match_members)};

static const struct schema_node backend_members[] = {
	BACKEND_REF_MEMBERS,
	INTEGER("weight", .min = 0, .max = 1000000, .integer = 1),
	LIST("filters", http_filter_item, .max = 16),
	END,
};
static const struct schema_node backend_item[] = {OBJECT("[]", backend_members)};

static const struct schema_node timeout_members[] = {
	TEXT("request", .format = &format_route_duration),
	TEXT("backendRequest", .format = &format_route_duration),
	END,
};

static const struct schema_node code_item[] = {INTEGER("[]", .min = 400, .max = 599)};

static const struct schema_node retry_members[] = {
	LIST("codes", code_item, .flags = SCHEMA_SET, .max = 200),
	INTEGER("attempts", .min = 1, .max = INT32_MAX),
	TEXT("backoff", .format = &format_route_duration),
	END,
};

static const struct schema_node rule_members[] = {
	TEXT("name", .min = 1, .max = 253, .format = &format_subdomain),
	LIST("matches", match_item, .flags = SCHEMA_MAKE, .max = RULE_MATCHES_MAX),
	LIST("filters", http_filter_item, .max = 16),
	LIST("backendRefs", backend_item, .max = RULE_BACKENDS_MAX),
	OBJECT("timeouts", timeout_members),
	OBJECT("retry", retry_members),
	REFUSED("sessionPersistence"),
	END,
};
static const struct schema_node rule_item[] = {OBJECT("[]", rule_members)};

static const struct schema_node route_spec[] = {
	LIST("parentRefs", parent_ref_item, .max = 32),
	LIST("hostnames", hostname_item, .max = 16),
	LIST("rules", rule_item, .flags = SCHEMA_MAKE, .key = "name", .min = 1,
	     .max = ROUTE_RULES_MAX),
	REFUSED("useDefaultGateways"),
	END,
};

const struct schema_node httproute_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", route_spec, REQUIRED),
	KIND_STATUS,
	END,
};

/* ---- rules between members ---- */

/* What a path to compare with may not hold: requests are normalised before they are compared. */
static const struct {
	struct str_view text;
	bool at_end; /* only there */
} never_matches[] = {
	{SV_INIT("//"), false},  {SV_INIT("/./"), false}, {SV_INIT("/../"), false},
	{SV_INIT("%2f"), false}, {SV_INIT("%2F"), false}, {SV_INIT("#"), false},
	{SV_INIT("/.."), true},  {SV_INIT("/."), true},
};

static void validate_path_text(const json_t *value, const struct where *where,
			       struct causes *causes)
{
	struct str_view text = text_of(value);
	size_t before = causes->count + causes->dropped;

	for (size_t i = 0; i < ARRAY_LEN(never_matches); i++) {
		struct str_view never = never_matches[i].text;
		bool at_end = never_matches[i].at_end;

		if (at_end ? sv_ends(text, never) : sv_find_sv(text, never) != SV_NOT_FOUND)
			cause_invalid(causes, where->text, value, "must not %s '%.*s'",
				      at_end ? "end with" : "contain", SV_ARG(never));
	}
	if (causes->count + causes->dropped > before)
		return;
	if (!sv_starts(text, SV("/")))
		cause_invalid(causes, where->text, value,
			      "must be an absolute path: it begins with '/'");
	else if (!name_is_path(text))
		cause_invalid(causes, where->text, value, "%s", format_path.must);
}

static void validate_path(const json_t *path, struct where *where, struct causes *causes)
{
	const json_t *value = json_member(path, "value");
	size_t mark = where_to(where, ".path.value");

	if (json_is_string(value) && !sv_eq(json_sv_at(path, "type"), SV("RegularExpression")))
		validate_path_text(value, where, causes);
	where_back(where, mark);
}

static void validate_matches(const json_t *matches, struct where *where, struct causes *causes)
{
	for (size_t i = 0; i < json_array_size(matches) && i < RULE_MATCHES_MAX; i++) {
		size_t mark = where_to(where, ".matches[%zu]", i);

		validate_path(json_member(json_array_get(matches, i), "path"), where, causes);
		where_back(where, mark);
	}
}

static void validate_redirect_alone(const json_t *rule, struct where *where, struct causes *causes)
{
	const json_t *filters = json_member(rule, "filters");
	size_t mark;

	if (json_array_size(json_member(rule, "backendRefs")) == 0)
		return;
	for (size_t i = 0; i < json_array_size(filters); i++) {
		if (json_member(json_array_get(filters, i), "requestRedirect") == NULL)
			continue;
		mark = where_to(where, ".filters[%zu]", i);
		cause_forbidden(causes, where->text,
				"RequestRedirect must not be used together with backendRefs");
		where_back(where, mark);
	}
}

static void validate_timeouts(const json_t *rule, struct where *where, struct causes *causes)
{
	const json_t *backend = json_at(rule, "timeouts.backendRequest");
	int64_t whole, part;
	size_t mark;

	if (!clock_parse_duration(json_sv_at(rule, "timeouts.request"), &whole) ||
	    !clock_parse_duration(text_of(backend), &part) || whole == 0 || part <= whole)
		return;
	mark = where_to(where, ".timeouts.backendRequest");
	cause_invalid(causes, where->text, backend, "cannot be longer than timeouts.request");
	where_back(where, mark);
}

static void validate_rule(const json_t *rule, struct where *where, struct causes *causes)
{
	const json_t *matches = json_member(rule, "matches");

	validate_matches(matches, where, causes);
	route_rule_validate(rule, matches, where, causes);
	validate_redirect_alone(rule, where, causes);
	validate_timeouts(rule, where, causes);
}

void httproute_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	(void)old;
	route_validate(object, validate_rule, causes);
}

/* ---- table ---- */

const struct column httproute_columns[1] = {
	{.name = "Hostnames", .type = "string", .cell = cell_hostnames},
};
