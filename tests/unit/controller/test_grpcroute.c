/* GRPCRoutes: from their JSON to the rule that a call meets, and who has a hostname. */
#include "objects.h"

#include "controller/clash.h"
#include "controller/routerule.h"
#include "dataplane/match.h"

/* ---- matching ---- */

#define RULES                                                                                      \
	"  - matches: [{method: {type: Exact, service: shop.Cart, method: Add}}]\n"                \
	"  - matches: [{method: {type: Exact, service: shop.Cart}}]\n"                             \
	"  - matches: [{method: {type: Exact, method: Add}}]\n"                                    \
	"  - matches: [{method: {type: RegularExpression, service: 'a[0-9]|b', method: "           \
	"'Get.*'}}, {method: {type: RegularExpression, method: 'Any[A-Z]'}}]\n"                    \
	"  - matches: [{method: {type: Exact, method: Add}, headers: [{name: v, value: "           \
	"'2'}]}, {method: {type: Exact, service: shop.Cart}, headers: [{name: v, value: '2'}]}]\n" \
	"  - {}\n"
#define RULE_COUNT 6

struct fixture {
	struct graveyard graveyard;
	struct rule *rules[RULE_COUNT];
	struct snapshot *snapshot;
};

static int setup(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	AUTO(auto_object)
	struct object *route = object_of("grpcroutes", "metadata: {name: r, namespace: default}\n"
						       "spec:\n  rules:\n" RULES);
	struct matches matches = {0};
	struct vhost *vhost;
	struct snap_listener like = {
		.vhost_count = 1, .vhost_hosts = &(struct str_view){.data = ""}, .vhosts = &vhost};
	struct snap_listener *listener;
	struct snap_port port = {.port = 80, .listener_count = 1, .listeners = &listener};

	for (size_t i = 0; i < RULE_COUNT; i++)
		fixture->rules[i] = rule_new(&(struct rule){.name = SV("rule")});
	matches_add(&matches, route, fixture->rules);
	vhost = vhost_new(matches.specs, matches.count, NULL);
	assert_non_null(vhost);
	matches_deinit(&matches);
	listener = snap_listener_new(&like);
	part_unref(vhost_part(vhost), &fixture->graveyard);
	fixture->snapshot = snapshot_new(&(struct snapshot){.port_count = 1, .ports = &port});
	part_unref(&listener->part, &fixture->graveyard);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	snapshot_free(fixture->snapshot, &fixture->graveyard);
	for (size_t i = 0; i < RULE_COUNT; i++)
		part_unref(&fixture->rules[i]->part, &fixture->graveyard);
	assert_int_equal(graveyard_sweep(&fixture->graveyard, 1), 0);
	free(fixture);
	return 0;
}

static int rule_of(const struct fixture *fixture, const struct http_request *request)
{
	struct match_result result = match_request(&fixture->snapshot->ports[0], SV(""), request);

	for (int i = 0; i < RULE_COUNT; i++) {
		if (result.rule == fixture->rules[i])
			return i;
	}
	return -1;
}

static void calls_meet_their_rule(void **state)
{
	static const struct {
		const char *method, *path, *type, *version; /* field v */
		int rule;                                   /* -1: none */
	} cases[] = {
		{"POST", "/shop.Cart/Add", "application/grpc", "1", 0},
		{"POST", "/shop.Cart/Add", "application/grpc+proto", "2", 0},
		{"POST", "/shop.Cart/Remove", "application/grpc", "1", 1},
		{"POST", "/shop.Cart/Remove", "application/grpc", "2", 4},
		{"POST", "/shop.Cartoon/Remove", "application/grpc", "1", 5},
		{"POST", "/other/Add", "application/grpc", "1", 2},
		{"POST", "/other/Add", "application/grpc", "2", 4},
		{"POST", "/other/BadAdd", "application/grpc", "1", 5},
		{"POST", "/a7/GetAll", "application/grpc", "1", 3},
		{"POST", "/b/Get", "Application/GRPC; a=b", "1", 3},
		{"POST", "/c/Get", "application/grpc", "1", 5},
		{"POST", "/any.thing/AnyX", "application/grpc", "1", 3},
		{"POST", "/any/thing/AnyX", "application/grpc", "1", 5},
		{"POST", "/shop.Cart/Add", "application/grpc-web", "1", -1},
		{"POST", "/shop.Cart/Add", "application/json", "1", -1},
		{"POST", "/shop.Cart/Add", "", "1", -1},
		{"GET", "/shop.Cart/Add", "application/grpc", "1", -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct http_request request = {.method = sv_from(cases[i].method),
					       .method_id =
						       http_method_parse(sv_from(cases[i].method)),
					       .authority.host = SV("rpc.example.com"),
					       .target.path = sv_from(cases[i].path)};

		arena_init(&arena, 65536);
		fields_init(&request.fields, &arena, 8);
		if (cases[i].type[0] != '\0')
			fields_add_id(&request.fields, FIELD_CONTENT_TYPE, sv_from(cases[i].type));
		fields_add(&request.fields, SV("v"), sv_from(cases[i].version));
		if (rule_of(*state, &request) != cases[i].rule)
			fail_msg("%s %s %s: rule %d", cases[i].method, cases[i].path, cases[i].type,
				 rule_of(*state, &request));
		arena_deinit(&arena);
	}
}

/* ---- who has a hostname ---- */

static const json_t *no_labels(void *arg, struct str_view ns)
{
	(void)arg;
	(void)ns;
	return NULL;
}

static bool nobody(void *arg, struct str_view ns, struct str_view name)
{
	(void)arg;
	(void)ns;
	(void)name;
	return false;
}

#define WWW  "metadata: {name: http, namespace: default}\nspec: {parentRefs: ["
#define GRPC "metadata: {name: grpc, namespace: default}\nspec: {parentRefs: ["

/* The HTTPRoute is shown first. */
static void one_kind_has_a_hostname(void **state)
{
	static const struct {
		const char *http, *grpc; /* parentRefs and hostnames */
		bool lost[2];            /* parents of the GRPCRoute */
	} cases[] = {
		{"{name: gw, port: 80}], hostnames: [a.x]",
		 "{name: gw, port: 80}], hostnames: [b.x]",
		 {false}},
		{"{name: gw, port: 80}], hostnames: [a.x]",
		 "{name: gw, port: 80}], hostnames: [a.x]",
		 {true}},
		{"{name: gw, port: 80}], hostnames: [a.x]",
		 "{name: gw, port: 80}], hostnames: [c.x, a.x]",
		 {true}},
		{"{name: gw, port: 80}], hostnames: [a.x]",
		 "{name: gw, port: 81}], hostnames: [a.x]",
		 {false}},
		{"{name: gw, port: 80}], hostnames: [a.x]",
		 "{name: gw, port: 80}, {name: gw, port: 81}], hostnames: [a.x]",
		 {true, false}},
		{"{name: gw, port: 80}], hostnames: [a.x]",
		 "{name: gw}], hostnames: [a.x]",
		 {false}},
		{"{name: gw, port: 80}]", "{name: gw, port: 80}], hostnames: [a.x]", {true}},
		{"{name: gw, port: 80}], hostnames: [a.x]", "{name: gw, port: 80}]", {true}},
		{"{name: gw, port: 80}], hostnames: ['*.x']",
		 "{name: gw, port: 80}], hostnames: [a.b.x]",
		 {true}},
		{"{name: gw, port: 80}], hostnames: [a.b.x]",
		 "{name: gw, port: 80}], hostnames: ['*.x']",
		 {true}},
		{"{name: gw, port: 80}], hostnames: ['*.b.x']",
		 "{name: gw, port: 80}], hostnames: ['*.x']",
		 {true}},
		{"{name: gw, port: 80}], hostnames: ['*.b.x']",
		 "{name: gw, port: 80}], hostnames: ['*.a.x', b.x]",
		 {false}},
	};
	AUTO(auto_object)
	struct object *class =
		object_of("gatewayclasses", "metadata: {name: sallyport, namespace: ''}\n"
					    "spec: {controllerName: " GATEWAY_CONTROLLER "}\n");
	AUTO(auto_object)
	struct object *gw =
		object_of("gateways", "metadata: {name: gw, namespace: default}\n"
				      "spec: {listeners: [{name: a, port: 80, protocol: HTTP}, "
				      "{name: b, port: 81, protocol: HTTP}]}\n");
	struct gateways gateways = {0};
	struct attach_env env = {.gateways = &gateways, .labels = no_labels, .exists = nobody};

	(void)state;
	gateways_add(&gateways, gateway_new(gw, class));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free) char *one = xasprintf(WWW "%s}\n", cases[i].http);
		AUTO(auto_free) char *two = xasprintf(GRPC "%s}\n", cases[i].grpc);
		AUTO(auto_object) struct object *http = object_of("httproutes", one);
		AUTO(auto_object) struct object *grpc = object_of("grpcroutes", two);
		struct attached had = {0}, asks = {0};
		struct clash clash = {0};

		attach_route(&had, http, &env);
		attach_route(&asks, grpc, &env);
		assert_false(clash_show(&clash, http, &had));
		if (clash_show(&clash, grpc, &asks) != cases[i].lost[0])
			fail_msg("case %zu: %d", i, asks.parents[0].lost);
		for (size_t j = 0; j < asks.parent_count; j++) {
			if (asks.parents[j].lost != cases[i].lost[j])
				fail_msg("case %zu: parent %zu", i, j);
		}
		assert_false(had.parents[0].lost);
		clash_deinit(&clash);
		attached_deinit(&had);
		attached_deinit(&asks);
	}
	gateways_deinit(&gateways);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(calls_meet_their_rule, setup, teardown),
		cmocka_unit_test(one_kind_has_a_hostname),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
