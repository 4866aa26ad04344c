/* Pure parts of attachment: hostnames, selectors, grants, conflicts, parentRefs. */
#include "objects.h"

#include "controller/attach.h"
#include "controller/grants.h"
#include "controller/hostname.h"
#include "controller/selector.h"

static void hostnames(void **state)
{
	static const struct {
		const char *listener, *route, *both; /* NULL: nothing in common */
	} cases[] = {
		{"", "", ""},
		{"", "a.example", "a.example"},
		{"a.example", "", "a.example"},
		{"a.example", "a.example", "a.example"},
		{"a.example", "b.example", NULL},
		{"*.example", "a.example", "a.example"},
		{"*.example", "a.b.example", "a.b.example"},
		{"*.example", "example", NULL},
		{"*.example", "aexample", NULL},
		{"*.example", ".example", NULL},
		{"a.example", "*.example", "a.example"},
		{"example", "*.example", NULL},
		{"*.example", "*.example", "*.example"},
		{"*.example", "*.a.example", "*.a.example"},
		{"*.a.example", "*.example", "*.a.example"},
		{"*.a.example", "*.b.example", NULL},
		{"*.foo.com", "foo.com", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str_view both = SV("none");
		bool common = hostname_intersect(sv_from(cases[i].listener),
						 sv_from(cases[i].route), &both);

		if (common != (cases[i].both != NULL) ||
		    (common && !sv_eq(both, sv_from(cases[i].both))))
			fail_msg("%s and %s: %.*s", cases[i].listener, cases[i].route,
				 SV_ARG(both));
	}
}

static void selectors(void **state)
{
	static const struct {
		const char *selector;
		bool matches;
	} cases[] = {
		{"{}", true},
		{"null", false},
		{"{matchLabels: {team: web}}", true},
		{"{matchLabels: {team: db}}", false},
		{"{matchLabels: {other: web}}", false},
		{"{matchLabels: {team: web, tier: front}}", true},
		{"{matchExpressions: [{key: team, operator: In, values: [db, web]}]}", true},
		{"{matchExpressions: [{key: team, operator: NotIn, values: [db, web]}]}", false},
		{"{matchExpressions: [{key: gone, operator: NotIn, values: [db]}]}", true},
		{"{matchExpressions: [{key: team, operator: Exists}]}", true},
		{"{matchExpressions: [{key: gone, operator: Exists}]}", false},
		{"{matchExpressions: [{key: gone, operator: DoesNotExist}]}", true},
		{"{matchExpressions: [{key: team, operator: DoesNotExist}]}", false},
		{"{matchExpressions: [{key: team, operator: Like, values: [web]}]}", false},
		{"{matchLabels: {team: web}, matchExpressions: [{key: tier, operator: In, "
		 "values: [back]}]}",
		 false},
	};
	AUTO(auto_json) json_t *labels = value_of("{team: web, tier: front}");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free) char *text = xasprintf("value: %s", cases[i].selector);
		AUTO(auto_json) json_t *outer = value_of(text);

		if (label_selector_matches(json_member(outer, "value"), labels) != cases[i].matches)
			fail_msg("%s", cases[i].selector);
	}
}

#define GRANT                                                                                \
	"spec:\n  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: a}," \
	" {group: gateway.networking.k8s.io, kind: Gateway, namespace: b}]\n"                \
	"  to: [{group: '', kind: Service, name: web}, {group: '', kind: Secret}]\n"

static void grants(void **state)
{
	static const struct {
		const char *from_kind, *from_ns, *to_kind, *to_name;
		bool permitted;
	} cases[] = {
		{"HTTPRoute", "a", "Service", "web", true},
		{"HTTPRoute", "a", "Service", "other", false},
		{"HTTPRoute", "b", "Service", "web", false},
		{"Gateway", "a", "Secret", "x", false},
		{"Gateway", "b", "Secret", "x", true}, /* no name: all */
		{"GRPCRoute", "a", "Service", "web", false},
		{"HTTPRoute", "a", "Backend", "web", false},
	};
	AUTO(auto_json) json_t *grant = value_of(GRANT);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct grant_ask ask = {.from_group = GATEWAY_GROUP,
					.from_kind = cases[i].from_kind,
					.from_ns = cases[i].from_ns,
					.to_group = "",
					.to_kind = cases[i].to_kind,
					.to_ns = "target",
					.to_name = cases[i].to_name};

		if (grant_permits(grant, &ask) != cases[i].permitted)
			fail_msg("case %zu", i);
	}
}

/* ---- Gateways ---- */

static struct gateway *gateway_of(const char *yaml)
{
	AUTO(auto_object) struct object *object = object_of("gateways", yaml);
	AUTO(auto_object)
	struct object *class =
		object_of("gatewayclasses", "metadata: {name: sallyport, namespace: ''}\n"
					    "spec: {controllerName: " GATEWAY_CONTROLLER "}\n");

	return gateway_new(object, class);
}

#define OLD(listeners, extra)                                           \
	"metadata: {name: old, namespace: default, creationTimestamp: " \
	"'2026-01-01T00:00:00Z'}\nspec:\n  listeners: [" listeners "]\n" extra
#define NEW(listeners, extra)                                           \
	"metadata: {name: new, namespace: default, creationTimestamp: " \
	"'2026-01-02T00:00:00Z'}\nspec:\n  listeners: [" listeners "]\n" extra
#define L(name, port, proto, more) "{name: " name ", port: " port ", protocol: " proto more "}"

static void conflicts(void **state)
{
	static const struct {
		const char *name, *old, *new;
		enum listener_conflict old_has, new_has; /* of the first listener */
	} cases[] = {
		{"same port, other names", OLD(L("a", "80", "HTTP", ", hostname: a.x"), ""),
		 NEW(L("b", "80", "HTTP", ", hostname: b.x"), ""), CONFLICT_NONE, CONFLICT_NONE},
		{"same port and name: the oldest wins", OLD(L("a", "80", "HTTP", ""), ""),
		 NEW(L("b", "80", "HTTP", ""), ""), CONFLICT_NONE, CONFLICT_HOSTNAME},
		{"another protocol", OLD(L("a", "80", "HTTP", ", hostname: a.x"), ""),
		 NEW(L("b", "80", "HTTPS", ", hostname: b.x"), ""), CONFLICT_NONE,
		 CONFLICT_PROTOCOL},
		{"other addresses",
		 OLD(L("a", "80", "HTTP", ""), "  addresses: [{value: 10.0.0.1}]"),
		 NEW(L("b", "80", "HTTP", ""), "  addresses: [{value: 10.0.0.2}]"), CONFLICT_NONE,
		 CONFLICT_NONE},
		{"one address in common",
		 OLD(L("a", "80", "HTTP", ""), "  addresses: [{value: 10.0.0.1}]"),
		 NEW(L("b", "80", "HTTP", ""),
		     "  addresses: [{value: 10.0.0.2}, {value: 10.0.0.1}]"),
		 CONFLICT_NONE, CONFLICT_HOSTNAME},
		{"within one Gateway neither wins",
		 OLD(L("a", "80", "HTTP", ", hostname: a.x") "," L("b", "80", "HTTPS",
								   ", hostname: b.x"),
		     ""),
		 NEW(L("c", "80", "HTTP", ", hostname: a.x"), ""), CONFLICT_PROTOCOL,
		 CONFLICT_NONE},
		{"HTTPS and TLS share a port by name",
		 OLD(L("a", "443", "HTTPS", ", hostname: a.x"), ""),
		 NEW(L("b", "443", "TLS", ", hostname: b.x, tls: {mode: Passthrough}") "," L(
			     "c", "443", "TLS", ", hostname: c.x"),
		     ""),
		 CONFLICT_NONE, CONFLICT_NONE},
		{"but not a name", OLD(L("a", "443", "HTTPS", ", hostname: a.x"), ""),
		 NEW(L("b", "443", "TLS", ", hostname: a.x, tls: {mode: Passthrough}"), ""),
		 CONFLICT_NONE, CONFLICT_HOSTNAME},
		{"TLS ended and passed through within one",
		 OLD(L("a", "443", "TLS", ", hostname: a.x") "," L(
			     "b", "443", "TLS", ", hostname: b.x, tls: {mode: Passthrough}"),
		     ""),
		 NEW(L("c", "443", "TLS", ""), ""), CONFLICT_NONE, CONFLICT_NONE},
		{"TCP shares with nobody", OLD(L("a", "443", "TCP", ""), ""),
		 NEW(L("b", "443", "TLS", ", hostname: b.x"), ""), CONFLICT_NONE,
		 CONFLICT_PROTOCOL},
		{"not even with TCP", OLD(L("a", "443", "TCP", ""), ""),
		 NEW(L("b", "443", "TCP", ""), ""), CONFLICT_NONE, CONFLICT_HOSTNAME},
		{"what is not supported claims nothing", OLD(L("a", "80", "x.y/z", ""), ""),
		 NEW(L("b", "80", "HTTP", ""), ""), CONFLICT_NONE, CONFLICT_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gateways gateways = {0};

		gateways_add(&gateways, gateway_of(cases[i].new));
		gateways_add(&gateways, gateway_of(cases[i].old));
		gateways_judge(&gateways);
		assert_string_equal(gateways.list[0]->id, "default/old");
		if (gateways.list[0]->listeners[0].conflict != cases[i].old_has ||
		    gateways.list[1]->listeners[0].conflict != cases[i].new_has)
			fail_msg("%s: %d %d", cases[i].name,
				 gateways.list[0]->listeners[0].conflict,
				 gateways.list[1]->listeners[0].conflict);
		gateways_deinit(&gateways);
	}
}

#define TLS_AT(name, port, host)                                                        \
	"{name: " name ", port: " port ", protocol: HTTPS, hostname: '" host "', tls: " \
	"{certificateRefs: [{name: c}]}}"

static void overlaps(void **state)
{
	static const struct {
		const char *listeners;
		const char *with[3]; /* whose hostname is also theirs; NULL: nobody's */
	} cases[] = {
		{TLS_AT("a", "443", "a.x") "," TLS_AT("b", "443", "b.x"), {NULL, NULL}},
		{TLS_AT("a", "443", "foo.a.x") "," TLS_AT("b", "443", "foo.b.x") "," TLS_AT(
			 "c", "443", "*.a.x"),
		 {"c", NULL, "a"}},
		{TLS_AT("a", "443", "a.b.x") "," TLS_AT("b", "443", "*.x"), {"b", "a"}},
		{TLS_AT("a", "443", "*.b.x") "," TLS_AT("b", "443", "*.x"), {"b", "a"}},
		{TLS_AT("a", "443", "a.x") "," TLS_AT("b", "444", "*.x"), {NULL, NULL}},
		{TLS_AT("a", "443", "a.x") ", {name: b, port: 443, protocol: HTTPS, tls: {}}",
		 {"b", "a"}},
		{L("a", "80", "HTTP", ", hostname: a.x") "," L("b", "80", "HTTP", ""),
		 {NULL, NULL}},
		/* Who is not served does not matter. */
		{TLS_AT("a", "443", "a.x") "," TLS_AT("b", "443", "a.x") "," TLS_AT("c", "443",
										    "*.x"),
		 {NULL, NULL, NULL}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free) char *text = xasprintf(OLD("%s", ""), cases[i].listeners);
		struct gateways gateways = {0};

		gateways_add(&gateways, gateway_of(text));
		gateways_judge(&gateways);
		for (size_t j = 0; j < gateways.list[0]->listener_count; j++) {
			const struct gw_listener *with = gateways.list[0]->listeners[j].overlap;
			struct str_view want =
				cases[i].with[j] == NULL ? SV("") : sv_from(cases[i].with[j]);

			if (!sv_eq(with == NULL ? SV("") : with->name, want))
				fail_msg("case %zu, listener %zu", i, j);
		}
		gateways_deinit(&gateways);
	}
}

static void addresses(void **state)
{
	static const struct {
		const char *addresses;
		enum gateway_state state;
		bool wildcard;
		size_t count;
	} cases[] = {
		{"[]", GATEWAY_ACCEPTED, true, 0},
		{"[{type: IPAddress}]", GATEWAY_ACCEPTED, true, 0},
		{"[{value: 10.0.0.1}, {value: '::1'}]", GATEWAY_ACCEPTED, false, 2},
		{"[{value: 10.0.0.1}, {type: IPAddress}]", GATEWAY_ACCEPTED, true, 0},
		{"[{value: 0.0.0.0}]", GATEWAY_ACCEPTED, true, 0},
		{"[{type: Hostname, value: a.example}]", GATEWAY_REFUSED, false, 0},
		{"[{type: test/type, value: x}, {value: 10.0.0.1}]", GATEWAY_REFUSED, false, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free)
		char *text = xasprintf(OLD("%s", "  addresses: %s\n"), "", cases[i].addresses);
		struct gateway *gateway = gateway_of(text);

		if (gateway->state != cases[i].state || gateway->wildcard != cases[i].wildcard ||
		    gateway->address_count != cases[i].count)
			fail_msg("%s", cases[i].addresses);
		gateway_free(gateway);
	}
}

/* ---- attachment ---- */

static const json_t *labels(void *arg, struct str_view ns)
{
	return sv_eq(ns, SV("team")) ? arg : NULL;
}

static bool exists(void *arg, struct str_view ns, struct str_view name)
{
	(void)arg;
	(void)ns;
	return sv_eq(name, SV("theirs"));
}

#define LISTENERS                                                                                              \
	L("http", "80", "HTTP", "")                                                                            \
	"," L("admin", "81", "HTTP", ", hostname: '*.admin.x'") "," L(                                         \
		"all", "82", "HTTP",                                                                           \
		", allowedRoutes: {namespaces: {from: All}}") "," L("team", "83", "HTTP",                      \
								    ", allowedRoutes: "                        \
								    "{namespaces: {from: "                     \
								    "Selector, selector: "                     \
								    "{matchLabels: "                           \
								    "{of: team}}}}") "," L("grpc",             \
											   "84",               \
											   "HTTP",             \
											   ", "                \
											   "allow"             \
											   "edRou"             \
											   "tes: "             \
											   "{kind"             \
											   "s: "               \
											   "[{"                \
											   "kind:"             \
											   " GRPC"             \
											   "Route"             \
											   "}]}") "," L("tls", \
													"85",  \
													"TLS", \
													"")

static void parents(void **state)
{
	static const struct {
		const char *ns, *ref, *hostnames;
		enum attach_result result;
		size_t count;
		const char *host; /* of the first */
	} cases[] = {
		{"default", "{name: old}", "[a.x]", ATTACH_ACCEPTED, 2, "a.x"},
		{"default", "{name: old, sectionName: http}", "[a.x, b.x]", ATTACH_ACCEPTED, 2,
		 "a.x"},
		{"default", "{name: old, port: 80}", "[]", ATTACH_ACCEPTED, 1, ""},
		{"default", "{name: old, sectionName: http, port: 81}", "[]", ATTACH_NO_LISTENER, 0,
		 0},
		{"default", "{name: old, sectionName: none}", "[]", ATTACH_NO_LISTENER, 0, 0},
		{"default", "{name: old, port: 99}", "[]", ATTACH_NO_LISTENER, 0, 0},
		{"default", "{name: old, sectionName: admin}", "[a.x]", ATTACH_NO_HOSTNAME, 0, 0},
		{"default", "{name: old, sectionName: admin}", "['*.x']", ATTACH_ACCEPTED, 1,
		 "*.admin.x"},
		{"default", "{name: old, sectionName: grpc}", "[]", ATTACH_NOT_ALLOWED, 0, 0},
		{"default", "{name: old, sectionName: tls}", "[]", ATTACH_NOT_ALLOWED, 0, 0},
		{"other", "{name: old, namespace: default}", "[]", ATTACH_ACCEPTED, 1, ""},
		{"other", "{name: old, namespace: default, sectionName: http}", "[]",
		 ATTACH_NOT_ALLOWED, 0, 0},
		{"other", "{name: old, namespace: default, sectionName: team}", "[]",
		 ATTACH_NOT_ALLOWED, 0, 0},
		{"team", "{name: old, namespace: default, sectionName: team}", "[]",
		 ATTACH_ACCEPTED, 1, ""},
		{"default", "{name: nobody}", "[]", ATTACH_NO_GATEWAY, 0, 0},
		{"default", "{name: theirs}", "[]", ATTACH_FOREIGN, 0, 0},
		{"default", "{name: old, kind: Service, group: ''}", "[]", ATTACH_FOREIGN, 0, 0},
	};
	AUTO(auto_json) json_t *team = value_of("{of: team}");
	struct gateways gateways = {0};
	struct attach_env env = {
		.gateways = &gateways, .labels = labels, .exists = exists, .arg = team};
	struct attached attached = {0};

	(void)state;
	gateways_add(&gateways, gateway_of(OLD(LISTENERS, "")));
	gateways_judge(&gateways);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free)
		char *text = xasprintf("metadata: {name: r, namespace: %s}\n"
				       "spec: {parentRefs: [%s], hostnames: %s}\n",
				       cases[i].ns, cases[i].ref, cases[i].hostnames);
		AUTO(auto_object) struct object *route = object_of("httproutes", text);

		attach_route(&attached, route, &env);
		if (attached.parents[0].result != cases[i].result ||
		    attached.count != cases[i].count)
			fail_msg("%s: result %d, %zu listeners", text, attached.parents[0].result,
				 attached.count);
		if (cases[i].host != NULL &&
		    !sv_eq(attachment_host(&attached.list[0], route), sv_from(cases[i].host)))
			fail_msg("%s: %.*s", text,
				 SV_ARG(attachment_host(&attached.list[0], route)));
	}
	attached_deinit(&attached);
	gateways_deinit(&gateways);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostnames), cmocka_unit_test(selectors),
		cmocka_unit_test(grants),    cmocka_unit_test(conflicts),
		cmocka_unit_test(overlaps),  cmocka_unit_test(addresses),
		cmocka_unit_test(parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
