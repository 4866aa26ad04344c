/* What rules do to requests: Location (Gateway API's rules), fields, rewritten paths. */
#include "dataplane/filter.h"

#include "base/own.h"
#include "dataplane/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

/* An exchange as far as filters look at it. */
struct rig {
	struct conn conn;
	struct exchange ex;
};

static void rig_init(struct rig *rig, const char *path, const char *query)
{
	*rig = (struct rig){.ex = {.magic = EXCHANGE_MAGIC}};
	rig->ex.conn = &rig->conn;
	assert_true(sock_addr_ip(&rig->conn.peer, SV("192.0.2.7"), 4711));
	arena_init(&rig->ex.arena, 65536);
	rig->ex.request = (struct http_request){
		.major = 1,
		.minor = 1,
		.authority = {.host = SV("a.test"), .port = 8080},
		.target = {.path = sv_from(path),
			   .query = sv_from(query),
			   .has_query = query[0] != '\0'},
	};
	fields_init(&rig->ex.request.fields, &rig->ex.arena, 32);
}

static void rig_deinit(struct rig *rig)
{
	arena_deinit(&rig->ex.arena);
}

static void assert_text(const char *name, struct str_view text, const char *due)
{
	if (!sv_eq(text, sv_from(due)))
		fail_msg("%s: \"%.*s\", due: \"%s\"", name, SV_ARG(text), due);
}

static void test_location(void **state)
{
	static const struct {
		const char *name;
		struct redirect redirect;
		const char *path, *query, *prefix;
		bool tls;
		uint16_t port; /* of the listener */
		const char *location;
	} rows[] = {
		{"nothing given, port 80",
		 {.status = 302},
		 "/x",
		 "",
		 "",
		 false,
		 80,
		 "http://a.test/x"},
		{"nothing given: the listener's port",
		 {.status = 302},
		 "/x",
		 "",
		 "",
		 false,
		 8080,
		 "http://a.test:8080/x"},
		{"to https: 443 goes without saying",
		 {.scheme = SV_INIT("https")},
		 "/x",
		 "",
		 "",
		 false,
		 8080,
		 "https://a.test/x"},
		{"to http on the https port",
		 {.scheme = SV_INIT("http")},
		 "/x",
		 "",
		 "",
		 true,
		 443,
		 "http://a.test/x"},
		{"http, port 443",
		 {.scheme = SV_INIT("http"), .port = 443},
		 "/x",
		 "",
		 "",
		 false,
		 80,
		 "http://a.test:443/x"},
		{"https, port 80",
		 {.scheme = SV_INIT("https"), .port = 80},
		 "/x",
		 "",
		 "",
		 false,
		 80,
		 "https://a.test:80/x"},
		{"https, port 443",
		 {.scheme = SV_INIT("https"), .port = 443},
		 "/x",
		 "",
		 "",
		 false,
		 8080,
		 "https://a.test/x"},
		{"a port alone", {.port = 8443}, "/x", "", "", true, 443, "https://a.test:8443/x"},
		{"port 80 on a listener of another",
		 {.port = 80},
		 "/x",
		 "",
		 "",
		 false,
		 8080,
		 "http://a.test/x"},
		{"a host",
		 {.hostname = SV_INIT("b.test")},
		 "/x",
		 "",
		 "",
		 false,
		 80,
		 "http://b.test/x"},
		{"the query stays",
		 {.hostname = SV_INIT("b.test")},
		 "/x",
		 "q=1&r",
		 "",
		 false,
		 80,
		 "http://b.test/x?q=1&r"},
		{"the whole path",
		 {.path_change = PATH_REPLACE_FULL, .path = SV_INIT("/new")},
		 "/x/y",
		 "q",
		 "",
		 false,
		 80,
		 "http://a.test/new?q"},
		{"the whole path by nothing",
		 {.path_change = PATH_REPLACE_FULL},
		 "/x/y",
		 "",
		 "",
		 false,
		 80,
		 "http://a.test/"},
		{"the prefix",
		 {.path_change = PATH_REPLACE_PREFIX, .path = SV_INIT("/new")},
		 "/x/y",
		 "",
		 "/x",
		 false,
		 80,
		 "http://a.test/new/y"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct snap_port port = {.port = rows[i].port};
		struct rig rig;

		rig_init(&rig, rows[i].path, rows[i].query);
		rig.conn.tls = rows[i].tls ? (struct tls_conn *)(void *)&rig : NULL;
		assert_text(
			rows[i].name,
			filter_location(&rig.ex, &rows[i].redirect, sv_from(rows[i].prefix), &port),
			rows[i].location);
		rig_deinit(&rig);
	}
}

/* The table of HTTPPathModifier.replacePrefixMatch, and what lies between its lines. */
static void test_prefix(void **state)
{
	static const struct {
		const char *path, *prefix, *value, *result;
	} rows[] = {
		{"/foo/bar", "/foo", "/xyz", "/xyz/bar"},
		{"/foo/bar", "/foo", "/xyz/", "/xyz/bar"},
		{"/foo", "/foo", "/xyz", "/xyz"},
		{"/foo/", "/foo", "/xyz", "/xyz/"},
		{"/foo/bar", "/foo", "", "/bar"},
		{"/foo/", "/foo", "", "/"},
		{"/foo", "/foo", "", "/"},
		{"/foo/", "/foo", "/", "/"},
		{"/foo", "/foo", "/", "/"},
		{"/foo/bar", "", "/xyz", "/xyz/foo/bar"}, /* the prefix "/" */
		{"/", "", "/xyz", "/xyz/"},
		{"/foo/bar", "/foo/bar", "/a/b", "/a/b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rewrite rewrite = {.present = true,
					  .path_change = PATH_REPLACE_PREFIX,
					  .path = sv_from(rows[i].value)};
		struct rig rig;

		rig_init(&rig, rows[i].path, "q=1");
		assert_true(filter_rewrite(&rig.ex, &rewrite, sv_from(rows[i].prefix)));
		assert_text(rows[i].path, rig.ex.request.target.path, rows[i].result);
		assert_text(rows[i].path, rig.ex.request.target.query, "q=1");
		assert_int_equal(rig.ex.request.authority.port, 8080);
		rig_deinit(&rig);
	}
}

static void test_rewritten_host(void **state)
{
	struct rewrite rewrite = {.present = true, .hostname = SV("inner.test")};
	struct rig rig;

	(void)state;
	rig_init(&rig, "/x", "");
	assert_true(filter_rewrite(&rig.ex, &rewrite, SV("")));
	assert_text("host", rig.ex.request.authority.host, "inner.test");
	assert_int_equal(rig.ex.request.authority.port, 0);
	assert_text("path", rig.ex.request.target.path, "/x");
	rig_deinit(&rig);
}

/* All fields as "name: value;" in their order. */
static struct str_view section(struct rig *rig)
{
	struct str_view text = SV("");

	for (size_t i = 0; i < rig->ex.request.fields.count; i++) {
		const struct field *field = &rig->ex.request.fields.items[i];

		text = arena_printf(&rig->ex.arena, "%.*s%.*s: %.*s;", SV_ARG(text),
				    SV_ARG(field->name), SV_ARG(field->value));
	}
	return text;
}

static void test_headers(void **state)
{
	static const struct header_pair old[] = {{SV_INIT("Old"), SV_INIT("ours")}},
					other[] = {{SV_INIT("x-new"), SV_INIT("1")}};
	static const struct str_view names[] = {SV_INIT("OLD"), SV_INIT("absent")};
	static const struct {
		const char *name;
		struct header_mods mods;
		const char *result;
	} rows[] = {
		{"nothing", {.set_count = 0}, "old: 1;old: 2;x: y;"},
		{"set replaces all of that name", {.set = old, .set_count = 1}, "old: ours;x: y;"},
		{"set adds what is not there",
		 {.set = other, .set_count = 1},
		 "old: 1;old: 2;x: y;x-new: 1;"},
		{"add keeps what is there",
		 {.add = old, .add_count = 1},
		 "old: 1;old: 2;x: y;old: ours;"},
		{"remove takes all of that name, in any case",
		 {.remove = names, .remove_count = 2},
		 "x: y;"},
		{"set, then add, then remove",
		 {.set = other,
		  .set_count = 1,
		  .add = old,
		  .add_count = 1,
		  .remove = names,
		  .remove_count = 1},
		 "x: y;x-new: 1;"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig rig;

		rig_init(&rig, "/", "");
		assert_true(fields_add(&rig.ex.request.fields, SV("old"), SV("1")));
		assert_true(fields_add(&rig.ex.request.fields, SV("old"), SV("2")));
		assert_true(fields_add(&rig.ex.request.fields, SV("x"), SV("y")));
		assert_true(filter_headers(&rig.ex.request.fields, &rows[i].mods));
		assert_text(rows[i].name, section(&rig), rows[i].result);
		rig_deinit(&rig);
	}
}

static void test_full(void **state)
{
	static const struct header_pair other[] = {{SV_INIT("x-new"), SV_INIT("1")}};
	struct header_mods mods = {.add = other, .add_count = 1};
	struct rig rig;

	(void)state;
	rig_init(&rig, "/", "");
	for (int i = 0; i < 32; i++)
		assert_true(fields_add(&rig.ex.request.fields, SV("x"), SV("y")));
	assert_false(filter_headers(&rig.ex.request.fields, &mods));
	rig_deinit(&rig);
}

/* What the client says of its way to us is not believed. */
static void test_forwarded(void **state)
{
	static const char *const lies[] = {"x-forwarded-for",  "x-forwarded-proto",
					   "x-forwarded-host", "x-forwarded-port",
					   "x-real-ip",        "forwarded"};
	struct rig rig;

	(void)state;
	rig_init(&rig, "/", "");
	for (size_t i = 0; i < ARRAY_LEN(lies); i++)
		assert_true(fields_add(&rig.ex.request.fields, sv_from(lies[i]), SV("6.6.6.6")));
	assert_true(fields_add(&rig.ex.request.fields, SV("via"), SV("1.0 before")));
	assert_true(filter_forwarded(&rig.ex));
	assert_int_equal(sv_find_sv(section(&rig), SV("6.6.6.6")), SV_NOT_FOUND);
	assert_text("for", fields_value(&rig.ex.request.fields, FIELD_X_FORWARDED_FOR),
		    "192.0.2.7");
	assert_text("proto", fields_value(&rig.ex.request.fields, FIELD_X_FORWARDED_PROTO), "http");
	assert_text("host", fields_value(&rig.ex.request.fields, FIELD_X_FORWARDED_HOST),
		    "a.test:8080");
	assert_text("via", fields_value(&rig.ex.request.fields, FIELD_VIA),
		    "1.0 before, 1.1 sallyport");
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_location),       cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_rewritten_host), cmocka_unit_test(test_headers),
		cmocka_unit_test(test_full),           cmocka_unit_test(test_forwarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
