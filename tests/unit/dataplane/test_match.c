/* Which rule answers: host, path, method, fields, query (Gateway API's precedence). */
#include "dataplane/match.h"

#include "base/own.h"
#include "http/h1_head.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define CASES_MAX 40

struct fixture {
	struct graveyard graveyard;
	struct rule *rules[CASES_MAX];
	struct snapshot *snapshot;
};

#define TEST_EXACT(n, v)                                                     \
	{                                                                    \
		.name = SV_INIT(n), .type = VALUE_EXACT, .value = SV_INIT(v) \
	}
#define TEST_REGEX(n, v)                                                     \
	{                                                                    \
		.name = SV_INIT(n), .type = VALUE_REGEX, .value = SV_INIT(v) \
	}

static const struct value_test version_two[] = {TEST_EXACT("Version", "two")};
static const struct value_test version_two_blue[] = {TEST_EXACT("version", "two"),
						     TEST_EXACT("color", "blue")};
static const struct value_test agent[] = {TEST_REGEX("user-agent", "curl/[0-9.]+")};
static const struct value_test animal[] = {TEST_EXACT("animal", "whale")};
static const struct value_test animal_escaped[] = {TEST_EXACT("an imal", "blue whale")};

/* One match each; which vhost it stands in is its hosts index. */
static const struct {
	unsigned host; /* 0: "", 1: "*.example.com", 2: "shop.example.com" */
	struct match_spec match;
} specs[] = {
	{0, {.path_type = MATCH_PREFIX, .path = SV_INIT("/")}},                             /* 0 */
	{0, {.path_type = MATCH_PREFIX, .path = SV_INIT("/a/")}},                           /* 1 */
	{0, {.path_type = MATCH_PREFIX, .path = SV_INIT("/a/b")}},                          /* 2 */
	{0, {.path_type = MATCH_EXACT, .path = SV_INIT("/a/b")}},                           /* 3 */
	{0, {.path_type = MATCH_PREFIX, .path = SV_INIT("/m"), .method = SV_INIT("POST")}}, /* 4 */
	{0,
	 {.path_type = MATCH_PREFIX,
	  .path = SV_INIT("/m"),
	  .headers = version_two,
	  .header_count = 1}}, /* 5 */
	{0,
	 {.path_type = MATCH_PREFIX,
	  .path = SV_INIT("/m"),
	  .headers = version_two_blue,
	  .header_count = 2}}, /* 6 */
	{0,
	 {.path_type = MATCH_PREFIX,
	  .path = SV_INIT("/m"),
	  .queries = animal,
	  .query_count = 1}},                                          /* 7 */
	{0, {.path_type = MATCH_REGEX, .path = SV_INIT("/r/[0-9]+")}}, /* 8 */
	{0,
	 {.path_type = MATCH_PREFIX,
	  .path = SV_INIT("/h"),
	  .headers = agent,
	  .header_count = 1}}, /* 9 */
	{0,
	 {.path_type = MATCH_PREFIX,
	  .path = SV_INIT("/q"),
	  .queries = animal_escaped,
	  .query_count = 1}}, /* 10 */
	{0,
	 {.path_type = MATCH_EXACT,
	  .path = SV_INIT("/old"),
	  .route_created = 5,
	  .route_key = SV_INIT("z/z")}}, /* 11 */
	{0,
	 {.path_type = MATCH_EXACT,
	  .path = SV_INIT("/old"),
	  .route_created = 9,
	  .route_key = SV_INIT("a/a")}}, /* 12 */
	{0,
	 {.path_type = MATCH_EXACT,
	  .path = SV_INIT("/name"),
	  .route_key = SV_INIT("b/b")}}, /* 13 */
	{0,
	 {.path_type = MATCH_EXACT,
	  .path = SV_INIT("/name"),
	  .route_key = SV_INIT("a/z")}},                                        /* 14 */
	{0, {.path_type = MATCH_EXACT, .path = SV_INIT("/order"), .order = 2}}, /* 15 */
	{0, {.path_type = MATCH_EXACT, .path = SV_INIT("/order"), .order = 1}}, /* 16 */
	{1, {.path_type = MATCH_PREFIX, .path = SV_INIT("/")}},                 /* 17 */
	{2, {.path_type = MATCH_PREFIX, .path = SV_INIT("/only")}},             /* 18 */
	{0, {.path_type = MATCH_PREFIX, .path = SV_INIT("/secret")}},           /* 19 */
};

static const struct str_view hosts[] = {SV_INIT(""), SV_INIT("*.example.com"),
					SV_INIT("shop.example.com")};

static int setup(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	struct vhost *vhosts[ARRAY_LEN(hosts)];
	struct snap_listener like = {.vhost_count = ARRAY_LEN(hosts), .vhost_hosts = hosts};
	struct snap_listener *listener;
	struct snap_port port = {.port = 80, .listener_count = 1};

	for (size_t i = 0; i < ARRAY_LEN(specs); i++)
		fixture->rules[i] = rule_new(&(struct rule){.name = SV("rule")});
	for (unsigned host = 0; host < ARRAY_LEN(hosts); host++) {
		struct match_spec matches[CASES_MAX];
		size_t count = 0;

		for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
			if (specs[i].host != host)
				continue;
			matches[count] = specs[i].match;
			matches[count++].rule = fixture->rules[i];
		}
		vhosts[host] = vhost_new(matches, count, NULL);
		assert_non_null(vhosts[host]);
	}
	like.vhosts = vhosts;
	listener = snap_listener_new(&like);
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		part_unref(vhost_part(vhosts[i]), &fixture->graveyard);
	port.listeners = &listener;
	fixture->snapshot = snapshot_new(&(struct snapshot){.port_count = 1, .ports = &port});
	part_unref(&listener->part, &fixture->graveyard);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	snapshot_free(fixture->snapshot, &fixture->graveyard);
	for (size_t i = 0; i < ARRAY_LEN(specs); i++)
		part_unref(&fixture->rules[i]->part, &fixture->graveyard);
	assert_int_equal(graveyard_sweep(&fixture->graveyard, 1), 0);
	free(fixture);
	return 0;
}

static const struct {
	const char *head; /* request line and fields, without Host */
	const char *host;
	int rule; /* -1: none, -2: ambiguous */
	const char *prefix;
} cases[] = {
	{"GET /", "x.test", 0, ""},
	{"GET /abc", "x.test", 0, ""},
	{"GET /a", "x.test", 1, "/a"},
	{"GET /a/", "x.test", 1, "/a"},
	{"GET /a/c", "x.test", 1, "/a"},
	{"GET /a/b", "x.test", 3, ""},
	{"GET /a/b/", "x.test", 2, "/a/b"},
	{"GET /a/bc", "x.test", 1, "/a"},
	{"POST /m", "x.test", 4, "/m"},
	{"GET /m", "x.test", 0, ""},
	{"GET /m\r\nversion: two", "x.test", 5, "/m"},
	{"GET /m\r\nVERSION: two\r\ncolor: blue", "x.test", 6, "/m"},
	{"GET /m\r\nversion: Two", "x.test", 0, ""},
	{"POST /m\r\nversion: two\r\ncolor: blue", "x.test", 4, "/m"},
	{"GET /m?animal=whale", "x.test", 7, "/m"},
	{"GET /m?animal=cat&animal=whale", "x.test", 0, ""},
	{"GET /m?x&animal=whale&animal=cat", "x.test", 7, "/m"},
	{"GET /m?animal=whale\r\nversion: two", "x.test", 5, "/m"},
	{"GET /r/123", "x.test", 8, ""},
	{"GET /r/123/4", "x.test", 0, ""},
	{"GET /h\r\nuser-agent: curl/8.1", "x.test", 9, "/h"},
	{"GET /h\r\nuser-agent: xcurl/8.1", "x.test", 0, ""},
	{"GET /q?an+imal=blue%20whale", "x.test", 10, "/q"},
	{"GET /old", "x.test", 11, ""},
	{"GET /name", "x.test", 14, ""},
	{"GET /order", "x.test", 16, ""},
	{"GET /a", "www.example.com", 17, ""},
	{"GET /a", "a.b.example.com", 17, ""},
	{"GET /a", "example.com", 1, "/a"},
	{"GET /only/x", "shop.example.com", 18, "/only"},
	{"GET /other", "shop.example.com", 17, ""},
	{"GET /a%2Fb", "x.test", -2, ""},
	{"GET /x%2Fy", "x.test", 0, ""},
	{"GET /secret;v=1/x", "x.test", -2, ""},
};

static int rule_index(const struct fixture *fixture, const struct rule *rule)
{
	for (int i = 0; i < (int)ARRAY_LEN(specs); i++) {
		if (fixture->rules[i] == rule)
			return i;
	}
	return -1;
}

static void test_precedence(void **state)
{
	const struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct h1_head parser;
		struct http_request request;
		struct match_result result;
		char text[512];
		const char *rest = strstr(cases[i].head, "\r\n");
		int line = rest == NULL ? (int)strlen(cases[i].head) : (int)(rest - cases[i].head);
		int got;

		(void)snprintf(text, sizeof(text), "%.*s HTTP/1.1\r\nHost: %s%s\r\n\r\n", line,
			       cases[i].head, cases[i].host, rest == NULL ? "" : rest);
		arena_init(&arena, 100000);
		h1_head_init(&parser, &H1_LIMITS_DEFAULT, &arena);
		assert_int_equal(h1_head_request(&parser, sv_from(text), &request), H1_DONE);
		result = match_request(&fixture->snapshot->ports[0], SV(""), &request);
		got = result.answer == MATCH_AMBIGUOUS ? -2 : rule_index(fixture, result.rule);
		if (got != cases[i].rule)
			fail_msg("%s (%s): rule %d, not %d", cases[i].head, cases[i].host, got,
				 cases[i].rule);
		if (got >= 0 && !sv_eq(result.prefix, sv_from(cases[i].prefix)))
			fail_msg("%s: prefix %.*s", cases[i].head, SV_ARG(result.prefix));
		arena_deinit(&arena);
	}
}

static void test_bad_regex(void **state)
{
	struct graveyard graveyard = {0};
	struct rule *rule = rule_new(&(struct rule){.name = SV("r")});
	struct match_spec match = {
		.path_type = MATCH_REGEX, .path = SV("/(unclosed"), .rule = rule};
	struct err err = {.code = ERR_NONE};

	(void)state;
	assert_null(vhost_new(&match, 1, &err));
	assert_non_null(strstr(err.msg, "/(unclosed"));
	part_unref(&rule->part, &graveyard);
	assert_int_equal(graveyard_sweep(&graveyard, 1), 0);
}

/* A part that a worker has pinned, or may still see, is not freed. */
static void test_graveyard(void **state)
{
	struct graveyard graveyard = {.newest = 3};
	struct rule *rule = rule_new(&(struct rule){.name = SV("r")});

	(void)state;
	part_pin(&rule->part);
	part_unref(&rule->part, &graveyard);
	assert_int_equal(graveyard_sweep(&graveyard, 3), 1);
	assert_int_equal(graveyard_sweep(&graveyard, 4), 1);
	part_unpin(&rule->part);
	assert_int_equal(graveyard_sweep(&graveyard, 3), 1);
	assert_int_equal(graveyard_sweep(&graveyard, 4), 0);
}

/* ---- certificates and challenges ---- */

static struct snap_listener *tls_listener(const char *hostname, const char *name, const char *cert)
{
	struct str_view names[] = {sv_from(cert)};
	struct cert *made = cert_new(&(struct cert){.name_count = 1, .names = names});
	struct snap_listener like = {.name = sv_from(name),
				     .hostname = sv_from(hostname),
				     .tls = true,
				     .cert_count = 1,
				     .certs = &made};
	struct snap_listener *listener = snap_listener_new(&like);

	made->part.owners--; /* the listener's alone */
	return listener;
}

static void test_certificates(void **state)
{
	static const struct {
		const char *sni, *cert; /* NULL: refused */
	} rows[] = {
		{"a.test", "a.test"}, {"w.b.test", "*.b.test"}, {"x.w.b.test", NULL},
		{"b.test", NULL},     {"other.test", NULL},     {"", NULL},
	};
	struct graveyard graveyard = {0};
	struct snap_listener *listeners[] = {tls_listener("a.test", "1", "a.test"),
					     tls_listener("*.b.test", "2", "*.b.test")};
	struct snap_port port = {
		.port = 443, .tls = true, .listener_count = 2, .listeners = listeners};
	struct snapshot *snapshot =
		snapshot_new(&(struct snapshot){.port_count = 1, .ports = &port});

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cert *cert = match_cert(&snapshot->ports[0], sv_from(rows[i].sni));

		if ((cert == NULL) != (rows[i].cert == NULL) ||
		    (cert != NULL && !sv_eq(cert->names[0], sv_from(rows[i].cert))))
			fail_msg("server name '%s'", rows[i].sni);
	}
	snapshot_free(snapshot, &graveyard);
	part_unref(&listeners[0]->part, &graveyard);
	part_unref(&listeners[1]->part, &graveyard);
	assert_int_equal(graveyard_sweep(&graveyard, 1), 0);
}

static void test_challenges(void **state)
{
	struct graveyard graveyard = {0};
	struct challenge list[] = {
		{.host = SV("b.test"), .token = SV("tokenB"), .key_authorization = SV("tokenB.x")},
		{.host = SV("a.test"), .token = SV("tokenA"), .key_authorization = SV("tokenA.x")},
		{.host = SV("::1"), .token = SV("tokenI"), .key_authorization = SV("tokenI.x")},
	};
	struct snapshot *snapshot =
		snapshot_new(&(struct snapshot){.challenge_count = 3, .challenges = list});
	const struct challenge *found;

	(void)state;
	found = match_challenge(snapshot, SV("a.test"), SV("/.well-known/acme-challenge/tokenA"));
	assert_non_null(found);
	assert_true(sv_eq(found->key_authorization, SV("tokenA.x")));
	assert_null(
		match_challenge(snapshot, SV("b.test"), SV("/.well-known/acme-challenge/tokenA")));
	assert_null(match_challenge(snapshot, SV("a.test"), SV("/.well-known/acme-challenge/")));
	assert_null(
		match_challenge(snapshot, SV("a.test"), SV("/.well-known/acme-challenge/tokenAB")));
	assert_non_null(
		match_challenge(snapshot, SV("[::1]"), SV("/.well-known/acme-challenge/tokenI")));
	snapshot_free(snapshot, &graveyard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_precedence, setup, teardown),
		cmocka_unit_test(test_bad_regex),
		cmocka_unit_test(test_graveyard),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_challenges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
