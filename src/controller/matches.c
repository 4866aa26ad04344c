/* controller/matches.c - HTTPRouteMatch and GRPCRouteMatch as struct match_spec */
#include "base/clock.h"
#include "base/own.h"
#include "controller/gateway.h"
#include "controller/routerule.h"

#include <stdlib.h>

/* A block of tests lives as long as the matches do. */
static struct value_test *tests_new(struct matches *matches, size_t count)
{
	struct value_test *tests = xcalloc(count + 1, sizeof(*tests));

	matches->tests =
		xrealloc(matches->tests, (matches->test_count + 1) * sizeof(struct value_test *));
	matches->tests[matches->test_count++] = tests;
	return tests;
}

/* The first test of a name counts, others of the same name do not (Gateway API). */
static bool has_name(const struct value_test *tests, size_t count, struct str_view name,
		     bool any_case)
{
	for (size_t i = 0; i < count; i++) {
		if (any_case ? sv_eq_nocase(tests[i].name, name) : sv_eq(tests[i].name, name))
			return true;
	}
	return false;
}

static const struct value_test *read_tests(struct matches *matches, const json_t *list,
					   bool any_case, size_t *count)
{
	struct value_test *tests;
	json_t *test;
	size_t i;

	*count = 0;
	if (json_array_size(list) == 0)
		return NULL;
	tests = tests_new(matches, json_array_size(list));
	json_array_foreach(list, i, test)
	{
		struct str_view name = json_sv_at(test, "name");
		bool regex = sv_eq(json_sv_at(test, "type"), SV("RegularExpression"));

		if (has_name(tests, *count, name, any_case))
			continue;
		tests[(*count)++] = (struct value_test){.name = name,
							.type = regex ? VALUE_REGEX : VALUE_EXACT,
							.value = json_sv_at(test, "value")};
	}
	return tests;
}

static enum path_match path_type(const json_t *match)
{
	struct str_view type = json_sv_at(match, "path.type");

	if (sv_eq(type, SV("Exact")))
		return MATCH_EXACT;
	return sv_eq(type, SV("RegularExpression")) ? MATCH_REGEX : MATCH_PREFIX;
}

static struct match_spec *spec_new(struct matches *matches)
{
	if (matches->count == matches->size) {
		matches->size = matches->size == 0 ? 8 : matches->size * 2;
		matches->specs =
			xrealloc(matches->specs, matches->size * sizeof(matches->specs[0]));
	}
	return &matches->specs[matches->count++];
}

struct adding { /* the matches of one route */
	struct matches *matches;
	bool grpc;
	struct str_view key;
	int64_t created;
	uint32_t order;
};

/* A text that lives as long as the matches do; takes it. */
static struct str_view keep_text(struct matches *matches, char *text)
{
	matches->texts = xrealloc(matches->texts, (matches->text_count + 1) * sizeof(char *));
	matches->texts[matches->text_count++] = text;
	return sv_from(text);
}

/* GRPCMethodMatch: a call's path is "/SERVICE/METHOD". */
static void grpc_path(struct adding *adding, const json_t *match, struct match_spec *spec)
{
	struct str_view service = json_sv_at(match, "method.service");
	struct str_view method = json_sv_at(match, "method.method");
	struct str_view any = SV("[^/]+");

	if (sv_eq(json_sv_at(match, "method.type"), SV("RegularExpression"))) {
		spec->path_type = MATCH_REGEX;
		spec->path = keep_text(adding->matches,
				       xasprintf("/(?:%.*s)/(?:%.*s)",
						 SV_ARG(service.len > 0 ? service : any),
						 SV_ARG(method.len > 0 ? method : any)));
		return;
	}
	spec->path_type = service.len > 0 && method.len > 0 ? MATCH_EXACT : MATCH_PREFIX;
	if (service.len > 0)
		spec->path = keep_text(adding->matches,
				       xasprintf("/%.*s%s%.*s", SV_ARG(service),
						 method.len > 0 ? "/" : "", SV_ARG(method)));
	else
		spec->grpc_method = method;
}

/* match NULL: a rule without matches takes every path. */
static void add_match(struct adding *adding, const json_t *match, struct rule *rule)
{
	struct match_spec spec = {.path_type = path_type(match),
				  .path = json_sv_at(match, "path.value"),
				  .method = json_sv_at(match, "method"),
				  .route_created = adding->created,
				  .route_key = adding->key,
				  .order = adding->order++,
				  .rule = rule};

	spec.grpc = adding->grpc;
	if (adding->grpc) /* there, "method" is an object */
		grpc_path(adding, match, &spec);
	if (spec.path.len == 0)
		spec.path = SV("/");
	spec.headers = read_tests(adding->matches, json_member(match, "headers"), true,
				  &spec.header_count);
	spec.queries = read_tests(adding->matches, json_member(match, "queryParams"), false,
				  &spec.query_count);
	*spec_new(adding->matches) = spec;
}

void matches_add(struct matches *matches, const struct object *route, struct rule *const *rules)
{
	struct adding adding = {.matches = matches, .grpc = route_kind_of(route) == ROUTE_GRPC};
	struct object_key_parts parts;
	json_t *rule, *match;
	size_t i, j;

	if (object_key_split(sv_from(route->key),
			     &parts)) /* "namespace/name", as it stands there */
		adding.key = sv_new(parts.ns.data, parts.ns.len + 1 + parts.name.len);
	(void)clock_parse_rfc3339(json_sv_at(route->json, "metadata.creationTimestamp"),
				  &adding.created);
	json_array_foreach(json_at(route->json, "spec.rules"), i, rule)
	{
		const json_t *list = json_member(rule, "matches");

		if (rules[i] == NULL)
			continue;
		json_array_foreach(list, j, match)
		{
			add_match(&adding, match, rules[i]);
		}
		if (json_array_size(list) == 0)
			add_match(&adding, NULL, rules[i]);
	}
}

void matches_deinit(struct matches *matches)
{
	for (size_t i = 0; i < matches->test_count; i++)
		free(matches->tests[i]);
	for (size_t i = 0; i < matches->text_count; i++)
		free(matches->texts[i]);
	free(matches->texts);
	free(matches->tests);
	free(matches->specs);
	*matches = (struct matches){0};
}
