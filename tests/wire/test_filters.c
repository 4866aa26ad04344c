/* What rules ask for beyond one backend and one attempt: retries, mirrors, CORS, filters of a
 * backendRef. The test is the client, the backend and the mirror. */
#include "h2raw.h"
#include "wire.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define OK        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define FAIL      "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nbad"

static char got[WIRE_GET_MAX];

static void has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void has_not(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		fail_msg("\"%s\" in:\n%s", part, text);
}

/* ---- retries ---- */

/* Takes the next attempt at the backend, up to end, and answers it; "" resets instead. */
static void attempt(struct wire *wire, const char *end, const char *answer)
{
	int backend = wire_backend(wire);

	wire_get(backend, end, got);
	if (answer[0] == '\0') {
		wire_reset(backend);
		return;
	}
	wire_put(backend, sv_from(answer));
	close(backend);
}

static const struct retried {
	const char *name, *request, *end;
	const char *answers[5]; /* of one attempt after the other; NULL ends */
	const char *status;     /* what the client gets */
} retrieds[] = {
	{"no need", GET("/retry"), "\r\n\r\n", {OK}, "HTTP/1.1 200 "},
	{"once", GET("/retry"), "\r\n\r\n", {FAIL, OK}, "HTTP/1.1 200 "},
	{"three times", GET("/retry"), "\r\n\r\n", {FAIL, FAIL, FAIL, OK}, "HTTP/1.1 200 "},
	{"not more often", GET("/retry"), "\r\n\r\n", {FAIL, FAIL, FAIL, FAIL}, "HTTP/1.1 500 "},
	{"another code",
	 GET("/retry"),
	 "\r\n\r\n",
	 {"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n"
	  "Connection: close\r\n\r\nbad"},
	 "HTTP/1.1 404 "},
	{"resets", GET("/retry"), "\r\n\r\n", {"", "", OK}, "HTTP/1.1 200 "},
	{"resets without end", GET("/retry"), "\r\n\r\n", {"", "", "", ""}, "HTTP/1.1 503 "},
	{"nonsense", GET("/retry"), "\r\n\r\n", {"SSH-2.0-OpenSSH\r\n", OK}, "HTTP/1.1 200 "},
	{"content is sent again",
	 "POST /retry HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello",
	 "\r\n\r\nhello",
	 {FAIL, "", OK},
	 "HTTP/1.1 200 "},
	{"chunks and trailers, too",
	 "POST /retry HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
	 "5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n",
	 "5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n",
	 {FAIL, OK},
	 "HTTP/1.1 200 "},
};

static void test_retries(void **state)
{
	struct wire *wire = *state;

	for (size_t i = 0; i < ARRAY_LEN(retrieds); i++) {
		const struct retried *row = &retrieds[i];
		int client = wire_dial(wire);
		size_t count = 0;

		print_message("  %s\n", row->name);
		wire_put(client, sv_from(row->request));
		for (; count < ARRAY_LEN(row->answers) && row->answers[count] != NULL; count++)
			attempt(wire, row->end, row->answers[count]);
		has(wire_get(client, "\r\n\r\n", got), row->status);
		close(client);
	}
}

/* Content comes while an attempt fails, and while the next one is waited for. */
static void test_retry_amid_content(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend;

	wire_put(client,
		 SV("POST /retry HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nabc"));
	backend = wire_backend(wire);
	wire_get(backend, "abc", got);
	wire_put(backend, SV(FAIL));
	wire_put(client, SV("def"));
	(void)wire_end_of(backend);
	backend = wire_backend(wire);
	wire_put(client, SV("ghi"));
	has(wire_get(backend, "abcdefghi", got), "content-length: 9\r\n");
	wire_put(backend, SV(OK));
	has(wire_get(client, "ok", got), "HTTP/1.1 200 ");
	close(client);
	close(backend);
}

/* More content than is kept: the answer of the first attempt stands. */
static void test_retry_too_large(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *body = xcalloc(1, 400000);
	int client = wire_dial(wire), backend;

	wire_put(client,
		 SV("POST /retry HTTP/1.1\r\nHost: a.test\r\nContent-Length: 400000\r\n\r\n"));
	backend = wire_backend(wire);
	wire_put(client, sv_new(body, 400000));
	wire_get(backend, "\r\n\r\n", got);
	for (size_t left = 400000; left > 0;) {
		size_t part = left < sizeof(got) ? left : sizeof(got);

		wire_get_bytes(backend, got, part);
		left -= part;
	}
	wire_put(backend, SV(FAIL));
	has(wire_get(client, "bad", got), "HTTP/1.1 500 ");
	close(client);
	close(backend);
}

static void test_retry_times(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend;

	wire_put(client, SV(GET("/retry/hurry"))); /* a time-out of one attempt */
	backend = wire_backend(wire);
	(void)wire_end_of(backend);
	attempt(wire, "\r\n\r\n", OK);
	has(wire_get(client, "ok", got), "HTTP/1.1 200 ");
	wire_put(client, SV(GET("/retry/late"))); /* of the whole */
	backend = wire_backend(wire);
	has(wire_get(client, "Gateway Timeout\n", got), "HTTP/1.1 504 ");
	(void)wire_end_of(backend);
	close(client);
}

/* The client goes while the next attempt is waited for. */
static void test_retry_client_gone(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;

	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, H2_END_STREAM, "GET /retry");
	h2_flush(&h2);
	attempt(wire, "\r\n\r\n", FAIL);
	h2_number(&h2, NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
	h2_request(&h2, 3, H2_END_STREAM, "GET /denied");
	h2_flush(&h2);
	h2_await(&h2, NGHTTP2_HEADERS, 3, &(struct h2_frame){.type = 0});
	h2_close(&h2);
	wire_await_metric(wire, "sallyport_connections_active", 0);
}

/* ---- mirrors ---- */

static void test_mirror(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend, mirror;

	wire_put(client, SV("POST /mirror HTTP/1.1\r\nHost: a.test\r\nX-Set: theirs\r\n"
			    "Content-Length: 6\r\n\r\nabc"));
	backend = wire_backend(wire);
	mirror = wire_spare(wire);
	has(wire_get(backend, "abc", got), "POST /mirror HTTP/1.1\r\nhost: a.test\r\n");
	has(wire_get(mirror, "abc", got), "POST /mirror HTTP/1.1\r\nhost: a.test\r\n");
	has(got, "x-set: ours\r\n");
	has(got, "content-length: 6\r\n");
	wire_put(client, SV("def"));
	wire_get(backend, "def", got);
	wire_get(mirror, "def", got);
	wire_put(mirror,
		 SV("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nmirro"));
	wire_put(backend, SV(OK));
	has(wire_get(client, "ok", got), "HTTP/1.1 200 ");
	/* Both connections are kept and used again; this time the mirror answers nothing. */
	wire_put(client, SV(GET("/mirror/2")));
	has(wire_get(mirror, "\r\n\r\n", got), "GET /mirror/2 ");
	has(wire_get(backend, "\r\n\r\n", got), "GET /mirror/2 ");
	wire_put(backend, SV(OK));
	has(wire_get(client, "ok", got), "HTTP/1.1 200 ");
	close(client); /* the copy is complete and does not need its client */
	wire_await_metric(wire, "sallyport_connections_active", 0);
	wire_put(mirror, SV(OK));
	assert_int_equal(wire_metric(wire, "sallyport_mirrored_requests_total"), 2);
	assert_int_equal(wire_metric(wire, "sallyport_mirrors_dropped_total"), 0);
	close(backend);
	close(mirror);
}

/* A mirror that does not read is left behind; half of a request is no request. */
static void test_mirror_dropped(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *body = xcalloc(1, 16 << 20);
	int client = wire_dial(wire), backend, mirror;

	wire_put(client,
		 SV("PUT /mirror HTTP/1.1\r\nHost: a.test\r\nContent-Length: 16777216\r\n\r\n"));
	backend = wire_backend(wire);
	mirror = wire_spare(wire);
	wire_get(backend, "\r\n\r\n", got);
	for (size_t done = 0; done < 16 << 20; done += sizeof(got)) {
		wire_put(client, sv_new(body + done, sizeof(got)));
		wire_get_bytes(backend, got, sizeof(got));
	}
	wire_put(backend, SV(OK));
	has(wire_get(client, "ok", got), "HTTP/1.1 200 ");
	assert_int_equal(wire_metric(wire, "sallyport_mirrors_dropped_total"), 1);
	(void)wire_end_of(mirror);
	close(client);
	close(backend);
	client = wire_dial(wire);
	wire_put(client,
		 SV("PUT /mirror HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nabc"));
	backend = wire_backend(wire);
	mirror = wire_spare(wire);
	wire_get(mirror, "abc", got);
	wire_reset(client);
	(void)wire_end_of(mirror);
	(void)wire_end_of(backend);
}

/* A share of the requests; and a mirror that is not there disturbs nobody. */
static void test_mirror_share(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend = -1;

	for (int i = 0; i < 400; i++) {
		wire_put(client, SV(GET("/mirror/half")));
		if (backend < 0)
			backend = wire_backend(wire);
		wire_get(backend, "\r\n\r\n", got);
		wire_put(backend, SV(OK));
		has(wire_get(client, "ok", got), "HTTP/1.1 200 ");
	}
	/* 200 are due; ten standard deviations are no chance */
	assert_in_range(wire_metric(wire, "sallyport_mirrored_requests_total"), 100, 300);
	close(client);
	close(backend);
}

/* ---- filters of a backendRef ---- */

static void test_backend_filters(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend, mirror;

	wire_put(client, SV(GET("/filtered/x?q")));
	backend = wire_backend(wire);
	mirror = wire_spare(wire);
	has(wire_get(backend, "\r\n\r\n", got), "GET /inner/x?q HTTP/1.1\r\nhost: inner.test\r\n");
	has(got, "x-set: backend\r\n");
	has(wire_get(mirror, "\r\n\r\n", got), "GET /inner/x?q HTTP/1.1\r\nhost: inner.test\r\n");
	wire_put(backend, SV(OK));
	has(wire_get(client, "ok", got), "x-set: backend\r\n");
	close(client);
	close(backend);
	close(mirror);
}

/* ---- CORS ---- */

static const struct preflight {
	const char *name, *path, *fields;
	const char *holds[6], *lacks;
} preflights[] = {
	{"an origin of the list",
	 "/cors/some",
	 "Origin: https://www.foo.com\r\nAccess-Control-Request-Method: PUT\r\n",
	 {"access-control-allow-origin: https://www.foo.com\r\n",
	  "access-control-allow-credentials: true\r\n",
	  "access-control-allow-methods: GET, PUT\r\n",
	  "access-control-allow-headers: x-a, x-b\r\n", "access-control-expose-headers: x-c\r\n",
	  "access-control-max-age: 3600\r\n"},
	 NULL},
	{"and of a pattern, however deep",
	 "/cors/some",
	 "Origin: https://a.b.bar.com\r\nAccess-Control-Request-Method: PUT\r\n",
	 {"access-control-allow-origin: https://a.b.bar.com\r\n", "vary: Origin\r\n"},
	 NULL},
	{"the pattern itself has labels before it",
	 "/cors/some",
	 "Origin: https://bar.com\r\nAccess-Control-Request-Method: PUT\r\n",
	 {"HTTP/1.1 204 "},
	 "access-control"},
	{"no other end",
	 "/cors/some",
	 "Origin: https://a.bar.com.evil.test\r\nAccess-Control-Request-Method: PUT\r\n",
	 {"HTTP/1.1 204 "},
	 "access-control"},
	{"no other scheme",
	 "/cors/some",
	 "Origin: http://www.foo.com\r\nAccess-Control-Request-Method: PUT\r\n",
	 {"HTTP/1.1 204 "},
	 "access-control"},
	{"no other port",
	 "/cors/some",
	 "Origin: https://www.foo.com:8443\r\nAccess-Control-Request-Method: PUT\r\n",
	 {"HTTP/1.1 204 "},
	 "access-control"},
	{"the default port is the same as none",
	 "/cors/some",
	 "Origin: https://www.foo.com:443\r\nAccess-Control-Request-Method: PUT\r\n",
	 {"access-control-allow-origin: https://www.foo.com:443\r\n"},
	 NULL},
	{"in the list too",
	 "/cors/some",
	 "Origin: https://port.test\r\nAccess-Control-Request-Method: PUT\r\n",
	 {"access-control-allow-origin: https://port.test\r\n"},
	 NULL},
	{"which names no other",
	 "/cors/some",
	 "Origin: https://port.test:8443\r\nAccess-Control-Request-Method: PUT\r\n",
	 {"HTTP/1.1 204 "},
	 "access-control"},
	{"nor a port inside",
	 "/cors/some",
	 "Origin: https://evil.test:1.bar.com\r\nAccess-Control-Request-Method: PUT\r\n",
	 {"HTTP/1.1 204 "},
	 "access-control"},
	{"two origins are none",
	 "/cors/some",
	 "Origin: https://www.foo.com\r\nOrigin: https://x.test\r\n"
	 "Access-Control-Request-Method: PUT\r\n",
	 {"HTTP/1.1 204 "},
	 "access-control"},
	{"all",
	 "/cors/all",
	 "Origin: https://x.test:1\r\nAccess-Control-Request-Method: PATCH\r\n"
	 "Access-Control-Request-Headers: authorization, x\r\n",
	 {"access-control-allow-origin: *\r\n", "access-control-allow-methods: PATCH\r\n",
	  "access-control-allow-headers: authorization, x\r\n", "access-control-max-age: 5\r\n",
	  "access-control-expose-headers: *\r\n"},
	 "credentials"},
	{"all, with credentials: each by name",
	 "/cors/secret",
	 "Origin: https://x.test\r\nAccess-Control-Request-Method: PATCH\r\n"
	 "Access-Control-Request-Headers: x\r\n",
	 {"access-control-allow-origin: https://x.test\r\n",
	  "access-control-allow-methods: PATCH\r\n", "access-control-allow-headers: x\r\n",
	  "access-control-allow-credentials: true\r\n", "vary: Origin\r\n"},
	 ": *"},
	{"before a backend is looked for",
	 "/dead",
	 "Origin: https://www.foo.com\r\nAccess-Control-Request-Method: PUT\r\n",
	 {"HTTP/1.1 204 "},
	 NULL},
};

static void test_preflights(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire);

	for (size_t i = 0; i < ARRAY_LEN(preflights); i++) {
		const struct preflight *row = &preflights[i];
		char request[1024];

		print_message("  %s\n", row->name);
		snprintf(request, sizeof(request), "OPTIONS %s HTTP/1.1\r\nHost: a.test\r\n%s\r\n",
			 row->path, row->fields);
		wire_put(client, sv_from(request));
		has(wire_get(client, "\r\n\r\n", got), "HTTP/1.1 204 ");
		for (size_t k = 0; k < ARRAY_LEN(row->holds) && row->holds[k] != NULL; k++)
			has(got, row->holds[k]);
		if (row->lacks != NULL)
			has_not(got, row->lacks);
	}
	assert_int_equal(wire_metric(wire, "sallyport_upstream_dials_total"), 0);
	close(client);
}

static void test_cors(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend;

	wire_put(client, SV("GET /cors/some HTTP/1.1\r\nHost: a.test\r\nOrigin: "
			    "https://www.foo.com\r\n\r\n"));
	backend = wire_backend(wire);
	has(wire_get(backend, "\r\n\r\n", got), "origin: https://www.foo.com\r\n");
	wire_put(backend, SV("HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: https://evil.test\r\n"
			     "Content-Length: 2\r\n\r\nok"));
	has(wire_get(client, "ok", got), "access-control-allow-origin: https://www.foo.com\r\n");
	has(got, "access-control-expose-headers: x-c\r\n");
	has(got, "vary: Origin\r\n");
	has_not(got, "evil");
	has_not(got, "access-control-allow-methods");
	wire_put(client, SV("GET /cors/some HTTP/1.1\r\nHost: a.test\r\nOrigin: "
			    "https://x.test\r\n\r\n"));
	wire_get(backend, "\r\n\r\n", got);
	wire_put(backend, SV(OK));
	has_not(wire_get(client, "ok", got), "access-control");
	/* Without the asked method OPTIONS is a request like any other. */
	wire_put(client, SV("OPTIONS /cors/some HTTP/1.1\r\nHost: a.test\r\nOrigin: "
			    "https://www.foo.com\r\n\r\n"));
	has(wire_get(backend, "\r\n\r\n", got), "OPTIONS /cors/some ");
	wire_put(backend, SV(OK));
	has(wire_get(client, "ok", got), "access-control-allow-origin: https://www.foo.com\r\n");
	/* Credentials: all fields by their names. */
	wire_put(client, SV("GET /cors/secret HTTP/1.1\r\nHost: a.test\r\nOrigin: "
			    "https://x.test\r\n\r\n"));
	wire_get(backend, "\r\n\r\n", got);
	wire_put(backend, SV("HTTP/1.1 200 OK\r\nX-One: 1\r\nSet-Cookie: a=b\r\n"
			     "Content-Length: 2\r\n\r\nok"));
	has(wire_get(client, "\r\n\r\nok", got), "access-control-expose-headers: x-one");
	/* Errors of ours can be seen, too. */
	wire_put(client, SV("GET /dead HTTP/1.1\r\nHost: a.test\r\nOrigin: "
			    "https://www.foo.com\r\n\r\n"));
	has(wire_get(client, "Unavailable\n", got),
	    "access-control-allow-origin: https://www.foo.com\r\n");
	close(client);
	close(backend);
}

/* Fields that a rule adds to its responses are in redirects as well (HSTS). */
static void test_redirect_fields(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire);

	wire_put(client, SV(GET("/denied")));
	has(wire_get(client, "\r\n\r\n", got), "x-set: ours\r\n");
	close(client);
}

/* HTTP/1.0 without Host: no address can be made up, neither for the client nor for the backend. */
static void test_no_host(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend;

	wire_put(client, SV("GET /denied HTTP/1.0\r\n\r\n"));
	has(wire_get(client, "\r\n\r\n", got), "HTTP/1.1 400 ");
	has_not(got, "location:");
	close(client);
	client = wire_dial(wire);
	wire_put(client, SV("GET / HTTP/1.0\r\n\r\n"));
	backend = wire_backend(wire);
	has_not(wire_get(backend, "\r\n\r\n", got), "x-forwarded-host");
	wire_put(backend, SV(OK));
	has(wire_get(client, "ok", got), " 200 ");
	close(client);
	close(backend);
}

static int start(void **state)
{
	struct wire_setup setup = wire_setup_default();

	setup.manual = true;
	*state = wire_start_with(&setup);
	return 0;
}

static int stop(void **state)
{
	wire_stop(*state);
	return 0;
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_retries),
		EACH(test_retry_amid_content),
		EACH(test_retry_too_large),
		EACH(test_retry_times),
		EACH(test_retry_client_gone),
		EACH(test_mirror),
		EACH(test_mirror_dropped),
		EACH(test_mirror_share),
		EACH(test_backend_filters),
		EACH(test_preflights),
		EACH(test_cors),
		EACH(test_redirect_fields),
		EACH(test_no_host),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
