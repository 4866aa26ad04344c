/* What a ClientTrafficPolicy says of a port's clients, against a real worker: PROXY headers, who is
 * believed about an address, limits. */
#include "h2raw.h"
#include "wire.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OK      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define GET     "GET / HTTP/1.1\r\nHost: a.test\r\n"
#define V1      "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
#define V2      "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\300\0\2\10\306\63\144\1\334\4\1\273"
#define SOON_MS 200
#define BODY    500000

static char got[WIRE_GET_MAX];

static struct wire *start(const struct client_policy *policy, bool manual)
{
	struct wire_setup setup = wire_setup_default();

	setup.policy = policy;
	setup.manual = manual;
	return wire_start_with(&setup);
}

/* ---- PROXY ---- */

struct row {
	const char *name;
	struct str_view send;
	const char *status; /* of the answer; "": none at all */
	const char *holds;  /* in what the origin saw; NULL: whatever */
	const char *lacks;
};

static void check_rows(struct wire *wire, const struct row *rows, size_t count)
{
	AUTO(auto_free) char *text = xmalloc(WIRE_TEXT_MAX);

	for (size_t i = 0; i < count; i++) {
		AUTO(auto_free) char *seen = NULL;

		(void)wire_talk(wire, rows[i].send, text);
		seen = wire_seen(wire);
		if (strncmp(text, rows[i].status, strlen(rows[i].status)) != 0 ||
		    (rows[i].status[0] == '\0' && text[0] != '\0'))
			fail_msg("%s: %s; got:\n%.500s", rows[i].name, rows[i].status, text);
		if (rows[i].holds != NULL && strstr(seen, rows[i].holds) == NULL)
			fail_msg("%s: no %s in:\n%.500s", rows[i].name, rows[i].holds, seen);
		if (rows[i].lacks != NULL && strstr(seen, rows[i].lacks) != NULL)
			fail_msg("%s: %s in:\n%.500s", rows[i].name, rows[i].lacks, seen);
	}
}

static void test_strict(void **state)
{
	static const struct client_policy policy = {.proxy = PROXY_STRICT};
	static const struct row rows[] = {
		{"version 1", SV_INIT(V1 GET "\r\n"), "HTTP/1.1 200",
		 "x-forwarded-for: 192.0.2.7\r\n", NULL},
		{"version 2", SV_INIT(V2 GET "\r\n"), "HTTP/1.1 200",
		 "x-forwarded-for: 192.0.2.8\r\n", NULL},
		{"not told", SV_INIT("PROXY UNKNOWN\r\n" GET "\r\n"), "HTTP/1.1 200",
		 "x-forwarded-for: 127.0.0.1\r\n", NULL},
		{"none", SV_INIT(GET "\r\n"), "", NULL, NULL},
		{"a wrong one", SV_INIT("PROXY TCP4 nobody\r\n" GET "\r\n"), "", NULL, NULL},
		{"half of one", SV_INIT("PROXY TCP4 192"), "", NULL, NULL},
		{"two", SV_INIT(V1 V1 GET "\r\n"), "HTTP/1.1 400", NULL, "GET"},
	};
	struct wire *wire = start(&policy, false);

	(void)state;
	check_rows(wire, rows, ARRAY_LEN(rows));
	assert_int_equal(wire_metric(wire, "sallyport_proxy_headers_total"), 4);
	assert_int_equal(wire_metric(wire, "sallyport_proxy_refused_total"), 2);
	wire_stop(wire);
}

static void test_optional(void **state)
{
	static const struct client_policy policy = {.proxy = PROXY_OPTIONAL};
	static const struct row rows[] = {
		{"one", SV_INIT(V1 GET "\r\n"), "HTTP/1.1 200", "x-forwarded-for: 192.0.2.7\r\n",
		 NULL},
		{"none", SV_INIT(GET "\r\n"), "HTTP/1.1 200", "x-forwarded-for: 127.0.0.1\r\n",
		 NULL},
		{"a wrong one", SV_INIT("PROXY TCP4 nobody\r\n" GET "\r\n"), "", NULL, NULL},
	};
	struct wire *wire = start(&policy, false);

	(void)state;
	check_rows(wire, rows, ARRAY_LEN(rows));
	wire_stop(wire);
}

/* In pieces of one octet, and with HTTP/2 behind it. */
static void test_pieces(void **state)
{
	static const struct client_policy policy = {.proxy = PROXY_STRICT};
	static const struct str_view all = SV_INIT(V2 GET "\r\n");
	struct wire *wire = start(&policy, true);
	struct h2raw h2;
	struct h2_frame frame;
	int client = wire_dial(wire), backend;

	(void)state;
	for (size_t i = 0; i < all.len; i++)
		wire_put(client, sv_head(sv_skip(all, i), 1));
	backend = wire_backend(wire);
	assert_non_null(strstr(wire_get(backend, "\r\n\r\n", got), ": 192.0.2.8\r\n"));
	wire_put(backend, SV(OK));
	wire_get(client, "ok", got);
	close(client);
	client = wire_dial(wire);
	wire_put(client, SV(V1));
	h2_open(&h2, client);
	h2_request(&h2, 1, H2_END_STREAM, "GET /two");
	h2_flush(&h2);
	assert_non_null(strstr(wire_get(backend, "\r\n\r\n", got), ": 192.0.2.7\r\n"));
	wire_put(backend, SV(OK));
	h2_await(&h2, NGHTTP2_HEADERS, 1, &frame);
	h2_close(&h2);
	close(backend);
	wire_stop(wire);
}

/* Who says nothing goes when the time for a head is over. */
static void test_silence(void **state)
{
	static const struct client_policy policy = {.proxy = PROXY_STRICT};
	struct wire_setup setup = wire_setup_default();
	struct wire *wire;

	(void)state;
	setup.policy = &policy;
	setup.limits.request_head_ms = SOON_MS;
	wire = wire_start_with(&setup);
	(void)wire_end_of(wire_dial(wire));
	wire_stop(wire);
}

/* ---- who is believed ---- */

#define XFF(list) SV_INIT(GET "X-Forwarded-For: " list "\r\n\r\n")

static void test_hops(void **state)
{
	static const struct client_policy policy = {.trusted_hops = 2};
	static const struct row rows[] = {
		{"as many as there are", XFF("1.1.1.1,2.2.2.2"), "HTTP/1.1 200",
		 "x-forwarded-for: 1.1.1.1,2.2.2.2, 127.0.0.1\r\n", NULL},
		{"more", XFF("6.6.6.6, 1.1.1.1, 2.2.2.2"), "HTTP/1.1 200",
		 "x-forwarded-for: 6.6.6.6, 1.1.1.1, 2.2.2.2, 127.0.0.1\r\n", NULL},
		{"fewer: nobody is believed", XFF("2.2.2.2"), "HTTP/1.1 200",
		 "x-forwarded-for: 127.0.0.1\r\n", "2.2.2.2"},
		{"no address", XFF("unknown, 2.2.2.2"), "HTTP/1.1 200",
		 "x-forwarded-for: 127.0.0.1\r\n", "unknown"},
		{"what else they say",
		 SV_INIT(GET "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Forwarded-Proto: https\r\n"
			     "X-Forwarded-Host: www.test\r\n\r\n"),
		 "HTTP/1.1 200", "x-forwarded-proto: https\r\nx-forwarded-host: www.test\r\n",
		 NULL},
		{"that they took it off TLS",
		 SV_INIT("GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
			 "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\n\r\n"),
		 "HTTP/1.1 200", "x-forwarded-for: 1.1.1.1, 2.2.2.2, 127.0.0.1\r\n", NULL},
		{"but not anything",
		 SV_INIT(GET "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Forwarded-Proto: gopher\r\n"
			     "X-Forwarded-Host: a b\r\n\r\n"),
		 "HTTP/1.1 200", "x-forwarded-proto: http\r\nx-forwarded-host: a.test\r\n", NULL},
	};
	struct wire *wire = start(&policy, false);

	(void)state;
	check_rows(wire, rows, ARRAY_LEN(rows));
	wire_stop(wire);
}

static struct cidr cidr_of(const char *text)
{
	struct cidr cidr;

	assert_true(cidr_parse(sv_from(text), &cidr));
	return cidr;
}

static void test_networks(void **state)
{
	static const struct row rows[] = {
		{"one proxy",
		 SV_INIT("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" GET
			 "X-Forwarded-For: 1.1.1.1\r\n\r\n"),
		 "HTTP/1.1 200", "x-forwarded-for: 1.1.1.1, 10.0.0.1\r\n", NULL},
		{"nobody that we know",
		 SV_INIT(V1 GET "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n\r\n"),
		 "HTTP/1.1 200", "x-forwarded-for: 192.0.2.7\r\nx-forwarded-proto: http\r\n",
		 "1.1.1.1"},
		{"nothing said", SV_INIT("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" GET "\r\n"),
		 "HTTP/1.1 200", "x-forwarded-for: 10.0.0.1\r\n", NULL},
		{"a broken list",
		 SV_INIT("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" GET
			 "X-Forwarded-For: 1.1.1.1, what, 10.0.0.3\r\n\r\n"),
		 "HTTP/1.1 200", "x-forwarded-for: 10.0.0.1\r\n", "what"},
	};
	const struct cidr cidrs[] = {cidr_of("10.0.0.0/8"), cidr_of("2001:db8::/32")};
	const struct client_policy policy = {
		.proxy = PROXY_STRICT, .cidrs = cidrs, .cidr_count = ARRAY_LEN(cidrs)};
	struct wire *wire = start(&policy, false);

	(void)state;
	check_rows(wire, rows, ARRAY_LEN(rows));
	wire_stop(wire);
}

static void test_field(void **state)
{
	static const struct client_policy policy = {.field = SV_INIT("cf-connecting-ip"),
						    .field_required = true};
	static const struct row rows[] = {
		{"there", SV_INIT(GET "CF-Connecting-IP: 2001:db8::9\r\n\r\n"), "HTTP/1.1 200",
		 "x-forwarded-for: 2001:db8::9, 127.0.0.1\r\n", NULL},
		{"not there", SV_INIT(GET "\r\n"), "HTTP/1.1 403", NULL, "GET"},
		{"not an address", SV_INIT(GET "CF-Connecting-IP: me\r\n\r\n"), "HTTP/1.1 403",
		 NULL, "GET"},
	};
	struct wire *wire = start(&policy, false);

	(void)state;
	check_rows(wire, rows, ARRAY_LEN(rows));
	wire_stop(wire);
}

/* The access log names who was found. */
static void test_log(void **state)
{
	static const struct client_policy policy = {.trusted_hops = 1};
	struct wire_setup setup = wire_setup_default();
	AUTO(auto_free) char *text = xmalloc(WIRE_TEXT_MAX);
	struct wire *wire;
	int ends[2];
	ssize_t len;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	setup.policy = &policy;
	setup.access_fd = ends[1];
	wire = wire_start_with(&setup);
	(void)wire_talk(wire, (struct str_view)XFF("1.1.1.1"), text);
	len = read(ends[0], text, WIRE_TEXT_MAX - 1);
	assert_true(len > 0);
	text[len] = '\0';
	assert_non_null(strstr(text, "1.1.1.1"));
	assert_null(strstr(text, "127.0.0.1"));
	wire_stop(wire);
	close(ends[0]);
	close(ends[1]);
}

/* ---- limits ---- */

static void test_connections(void **state)
{
	static const struct client_policy policy = {.connections = 2};
	struct wire *wire = start(&policy, false);
	int one = wire_dial(wire), two = wire_dial(wire);

	(void)state;
	wire_put(one, SV(GET "\r\n"));
	wire_get(one, "\r\n\r\n", got);
	wire_put(two, SV(GET "\r\n"));
	wire_get(two, "\r\n\r\n", got);
	(void)wire_end_of(wire_dial(wire));
	assert_int_equal(wire_metric(wire, "sallyport_connections_refused_total"), 1);
	close(one);
	wire_await_metric(wire, "sallyport_connections_active", 1);
	one = wire_dial(wire);
	wire_put(one, SV(GET "\r\n"));
	wire_get(one, "\r\n\r\n", got);
	close(one);
	close(two);
	wire_stop(wire);
}

/* A small buffer slows down, and loses nothing. */
static void test_buffer(void **state)
{
	static const struct client_policy policy = {.proxy = PROXY_OFF};
	struct wire_setup setup = wire_setup_default();
	static char body[BODY + 100]; /* the origin's threads may still look when the test ends */
	AUTO(auto_free) char *text = xmalloc(WIRE_TEXT_MAX);
	struct wire *wire;
	size_t head;

	(void)state;
	setup.policy = &policy;
	setup.policy_buffer = 4096;
	wire = wire_start_with(&setup);
	head = (size_t)snprintf(body, BODY, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BODY);
	wire_answer(wire, sv_new(body, head + BODY), 0);
	assert_true(wire_talk(wire, SV(GET "\r\n"), text) > BODY);
	{
		struct h2raw h2;

		h2_open(&h2, wire_dial(wire));
		h2_setting(&h2, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20);
		h2_number(&h2, NGHTTP2_WINDOW_UPDATE, 0, 1 << 20);
		h2_request(&h2, 1, H2_END_STREAM, "GET /");
		h2_flush(&h2);
		assert_int_equal(h2_await_end(&h2, 1), BODY);
		h2_close(&h2);
	}
	wire_stop(wire);
}

/* However busy it is, a request must be complete in time. */
static void test_received(void **state)
{
	static const struct client_policy policy = {.proxy = PROXY_OFF};
	struct wire_setup setup = wire_setup_default();
	struct h2raw h2;
	struct h2_frame frame;
	struct wire *wire;
	int client;

	(void)state;
	setup.policy = &policy;
	setup.limits.request_received_ms = SOON_MS;
	wire = wire_start_with(&setup);
	client = wire_dial(wire);
	wire_put(client, SV("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nabc"));
	assert_non_null(strstr(wire_get(client, "\r\n\r\n", got), "HTTP/1.1 408 "));
	(void)wire_end_of(client);
	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, 0, "POST /");
	h2_data(&h2, 1, 0, SV("abc"));
	h2_flush(&h2);
	h2_await(&h2, NGHTTP2_HEADERS, 1, &frame);
	assert_non_null(strstr(frame.fields, ":status: 408\n"));
	h2_close(&h2);
	wire_stop(wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strict),      cmocka_unit_test(test_optional),
		cmocka_unit_test(test_pieces),      cmocka_unit_test(test_silence),
		cmocka_unit_test(test_hops),        cmocka_unit_test(test_networks),
		cmocka_unit_test(test_field),       cmocka_unit_test(test_log),
		cmocka_unit_test(test_connections), cmocka_unit_test(test_received),
		cmocka_unit_test(test_buffer),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
