/* HTTP/1.1 step by step, the test being client and backend: who ends when, who waits for whom, and
 * what is left of a connection afterwards. */
#include "wire.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define OK        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define STALL_MS  1500 /* nothing moves for so long: it is blocked */

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

/* One request over the client's connection, answered by the backend's; the backend's stays open. */
static void exchange_ok(int client, int backend)
{
	wire_put(client, SV(GET("/again")));
	has(wire_get(backend, "\r\n\r\n", got), "GET /again ");
	wire_put(backend, SV(OK));
	has(wire_get(client, "ok", got), "200 OK");
}

/* ---- the rest of a request behind its answer ---- */

static const struct rest {
	const char *name;
	struct str_view head, body; /* to a path that is answered without a backend */
	bool lives;                 /* the connection serves the next request */
} rests[] = {
	{"a short length", SV_INIT("Content-Length: 5\r\n\r\n"), SV_INIT("hello"), true},
	{"no content", SV_INIT("Content-Length: 0\r\n\r\n"), SV_INIT(""), true},
	{"chunks", SV_INIT("Transfer-Encoding: chunked\r\n\r\n"),
	 SV_INIT("5\r\nhello\r\n0\r\n\r\n"), true},
	{"a long length", SV_INIT("Content-Length: 70000\r\n\r\n"), SV_INIT("hello"), false},
	{"content that may never come",
	 SV_INIT("Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"), SV_INIT(""), false},
	{"broken chunks", SV_INIT("Transfer-Encoding: chunked\r\n\r\n"), SV_INIT("xyz\r\n"), false},
};

static void test_rests(void **state)
{
	struct wire *wire = *state;

	for (size_t i = 0; i < ARRAY_LEN(rests); i++) {
		int client = wire_dial(wire);
		const char *answer;

		wire_put(client, SV("POST /denied HTTP/1.1\r\nHost: a.test\r\n"));
		wire_put(client, rests[i].head);
		answer = wire_get(client, "\r\n\r\n", got);
		has(answer, "HTTP/1.1 301 ");
		wire_put(client, rests[i].body);
		if (rests[i].lives) {
			has_not(answer, "connection: close");
			wire_put(client, SV(GET("/denied/next")));
			has(wire_get(client, "\r\n\r\n", got), "/denied/next\r\n");
			close(client);
		} else {
			assert_int_equal(wire_end_of(client), WIRE_FIN);
		}
	}
}

/* Chunks say no length: what is too long is only found out when it comes. */
static void test_long_rest(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *chunk = xcalloc(1, 65536);
	int client = wire_dial(wire);

	wire_put(client, SV("POST /denied HTTP/1.1\r\nHost: a.test\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n"));
	has(wire_get(client, "\r\n\r\n", got), "HTTP/1.1 301 ");
	wire_put(client, SV("18000\r\n"));
	wire_put(client, sv_new(chunk, 65536));
	wire_put(client, sv_new(chunk, 32768));
	assert_int_equal(wire_end_of(client), WIRE_FIN);
}

/* A backend that answers before it has read the request: its connection is not used again, the
 * client's is. */
static void test_early_answer(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend, next;

	wire_put(client, SV("POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nabc"));
	backend = wire_backend(wire);
	has(wire_get(backend, "abc", got), "POST /p ");
	wire_put(backend, SV("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"));
	has(wire_get(client, "no", got), "HTTP/1.1 413 ");
	assert_int_equal(wire_end_of(backend), WIRE_FIN);
	wire_put(client, SV("defghij" GET("/again")));
	next = wire_backend(wire);
	has(wire_get(next, "\r\n\r\n", got), "GET /again ");
	wire_put(next, SV(OK));
	has(wire_get(client, "ok", got), "200 OK");
	close(client);
	close(next);
}

/* It answers, and ends the connection without having read what the client sends: RST. */
static void test_early_answer_and_reset(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *body = xcalloc(1, 100000);
	int client = wire_dial(wire), backend;

	wire_put(client, SV("POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 300000\r\n\r\n"));
	wire_put(client, sv_new(body, 100000));
	backend = wire_backend(wire);
	has(wire_get(backend, "\r\n\r\n", got), "POST /p ");
	wire_put(backend, SV("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"));
	wire_reset(backend);
	has(wire_get(client, "no", got), "HTTP/1.1 403 ");
	assert_int_equal(wire_end_of(client), WIRE_FIN);
}

/* ---- kept connections to backends ---- */

static void test_kept_and_closed(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend;

	wire_put(client, SV(GET("/again")));
	backend = wire_backend(wire);
	has(wire_get(backend, "\r\n\r\n", got), "GET /again ");
	wire_put(backend, SV(OK));
	has(wire_get(client, "ok", got), "200 OK");
	exchange_ok(client, backend); /* the same one */
	close(backend);
	wire_put(client, SV("POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx"));
	backend = wire_backend(wire);
	has(wire_get(backend, "\r\n\r\nx", got), "POST /p ");
	wire_put(backend, SV(OK));
	has(wire_get(client, "ok", got), "200 OK");
	/* It takes the request, and then ends: once more, for GET does no harm twice. */
	wire_put(client, SV(GET("/1")));
	has(wire_get(backend, "\r\n\r\n", got), "GET /1 ");
	close(backend);
	backend = wire_backend(wire);
	has(wire_get(backend, "\r\n\r\n", got), "GET /1 ");
	wire_put(backend, SV(OK));
	has(wire_get(client, "ok", got), "200 OK");
	/* POST does. */
	wire_put(client, SV("POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx"));
	has(wire_get(backend, "\r\n\r\nx", got), "POST /p ");
	close(backend);
	has(wire_get(client, "Bad Gateway\n", got), "HTTP/1.1 502 ");
	close(client);
}

/* A kept connection on which bytes come that nobody asked for: not even when they arrive together
 * with a new request are they an answer to it. */
static void test_unsolicited(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend, next;

	wire_put(client, SV(GET("/again")));
	backend = wire_backend(wire);
	wire_get(backend, "\r\n\r\n", got);
	wire_put(backend, SV(OK));
	wire_get(client, "ok", got);
	wire_put(backend, SV("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"));
	wire_put(client, SV(GET("/2")));
	next = wire_backend(wire);
	has(wire_get(next, "\r\n\r\n", got), "GET /2 ");
	wire_put(next, SV(OK));
	has_not(wire_get(client, "ok", got), "poison");
	(void)wire_end_of(backend);
	close(client);
	close(next);
}

/* The surplus stands right behind what one read brings. */
static void test_surplus_behind_full_read(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend, next;
	AUTO(auto_free) char *answer = xcalloc(1, 40000);
	int head = snprintf(answer, 200, "HTTP/1.1 200 OK\r\nContent-Length: 32726\r\n\r\n");

	assert_int_equal(head + 32726, 32768);
	memset(answer + head, 'a', 32726);
	answer[32767] = 'z';
	memcpy(answer + 32768, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", 44);
	wire_put(client, SV(GET("/1")));
	backend = wire_backend(wire);
	wire_get(backend, "\r\n\r\n", got);
	wire_put(backend, sv_new(answer, 32768 + 44));
	wire_get(client, "z", got);
	wire_put(client, SV(GET("/2")));
	next = wire_backend(wire);
	has(wire_get(next, "\r\n\r\n", got), "GET /2 ");
	wire_put(next, SV(OK));
	has_not(wire_get(client, "ok", got), "poison");
	(void)wire_end_of(backend);
	close(client);
	close(next);
}

/* Speaks first: no HTTP. */
static void test_banner(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend;

	wire_put(client, SV(GET("/")));
	backend = wire_backend(wire);
	wire_put(backend, SV("SSH-2.0-OpenSSH_9.2\r\n"));
	has(wire_get(client, "Bad Gateway\n", got), "HTTP/1.1 502 ");
	(void)wire_end_of(backend);
	close(client);
}

/* ---- back-pressure ---- */

static void small_buffers(int fd)
{
	int size = 16384;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* Writes until nothing more is taken; how much was, at most max. */
static size_t fill(int fd, struct str_view pattern, size_t max)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	int flags = fcntl(fd, F_GETFL);
	size_t done = 0;

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (done < max && poll(&room, 1, STALL_MS) == 1) {
		struct str_view rest = sv_skip(pattern, done % pattern.len);
		ssize_t count = write(fd, rest.data, rest.len);

		if (count < 0 && errno == EAGAIN)
			continue;
		assert_true(count > 0);
		done += (size_t)count;
	}
	fcntl(fd, F_SETFL, flags);
	return done;
}

static void skip_bytes(int fd, size_t len)
{
	static char dump[WIRE_GET_MAX];

	while (len > 0) {
		size_t part = len < sizeof(dump) ? len : sizeof(dump);

		wire_get_bytes(fd, dump, part);
		len -= part;
	}
}

#define MUCH (64u << 20)

/* A client that asks and does not listen is asked to wait, here and at the backend. */
static void test_slow_client(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *body = xcalloc(1, 65536);
	int client = wire_dial(wire), backend;
	size_t taken;

	small_buffers(client);
	wire_put(client, SV(GET("/much")));
	backend = wire_backend(wire);
	small_buffers(backend);
	wire_get(backend, "\r\n\r\n", got);
	wire_put(backend, SV("HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n"));
	taken = fill(backend, sv_new(body, 65536), MUCH);
	assert_true(taken < MUCH / 2); /* the kernel's share is several megabytes */
	wire_get(client, "\r\n\r\n", got);
	skip_bytes(client, taken);
	assert_true(fill(backend, sv_new(body, 65536), 1 << 20) > 0);
	wire_reset(client);
	(void)wire_end_of(backend); /* at once, not when more comes */
}

static void test_slow_backend(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *body = xcalloc(1, 65536);
	int client = wire_dial(wire), backend;
	size_t taken;

	small_buffers(client);
	wire_put(client,
		 SV("PUT /much HTTP/1.1\r\nHost: a.test\r\nContent-Length: 67108864\r\n\r\n"));
	backend = wire_backend(wire);
	small_buffers(backend);
	taken = fill(client, sv_new(body, 65536), MUCH);
	assert_true(taken < MUCH / 2);
	wire_get(backend, "\r\n\r\n", got);
	skip_bytes(backend, taken);
	wire_reset(client);
	(void)wire_end_of(backend);
}

#define FOUR(text) text text text text

/* Questions without end whose answers nobody takes. On a slow machine it takes long to read them in
 * the end, and a question may be half there all that time. */
static void test_unread_answers(void **state)
{
	static const struct str_view question = SV_INIT(GET("/denied/0123456789"));
	static const struct str_view many = SV_INIT(FOUR(FOUR(FOUR(GET("/denied/0123456789")))));
	struct wire_setup setup = wire_setup_default();
	struct wire *wire;
	size_t taken, count, len;
	int client;

	(void)state;
	setup.manual = true;
	setup.limits.request_head_ms = setup.limits.keepalive_idle_ms = 600000;
	wire = wire_start_with(&setup);
	client = wire_dial(wire);
	small_buffers(client);
	taken = fill(client, many, MUCH);
	assert_true(taken < MUCH / 2);
	count = taken / question.len;
	has(wire_get(client, "\r\n\r\n", got), "/denied/0123456789\r\n");
	len = strlen(got); /* they are alike, and have no content */
	skip_bytes(client, (count - 2) * len);
	has(wire_get(client, "\r\n\r\n", got), "/denied/0123456789\r\n");
	assert_int_equal(strlen(got), len);
	wire_put(client, sv_skip(question, taken % question.len));
	has(wire_get(client, "\r\n\r\n", got), "/denied/0123456789\r\n");
	close(client);
	wire_stop(wire);
}

/* ---- ends ---- */

static void test_client_gone(void **state)
{
	struct wire *wire = *state;
	static const struct str_view asked[] = {
		SV_INIT("POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nabc"),
		SV_INIT("POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc")};

	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		int client = wire_dial(wire), backend;

		wire_put(client, asked[i]);
		backend = wire_backend(wire);
		wire_get(backend, "abc", got);
		wire_reset(client);
		(void)wire_end_of(backend);
	}
}

/* Half of a request and an end is no request; a whole one and an end is. */
static void test_half_closed(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend;

	wire_put(client, SV("POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nabc"));
	backend = wire_backend(wire);
	wire_get(backend, "abc", got);
	shutdown(client, SHUT_WR);
	(void)wire_end_of(backend);
	(void)wire_end_of(client);
	client = wire_dial(wire);
	wire_put(client, SV(GET("/1")));
	shutdown(client, SHUT_WR);
	backend = wire_backend(wire);
	wire_get(backend, "\r\n\r\n", got);
	wire_put(backend, SV(OK));
	has(wire_get(client, "ok", got), "200 OK");
	assert_int_equal(wire_end_of(client), WIRE_FIN);
	close(backend);
}

static const struct failing {
	const char *path, *answer, *end;
} failings[] = {
	{GET("/refused"), "HTTP/1.1 503 ", "Service Unavailable\n"},
	{GET("/dead"), "HTTP/1.1 503 ", "Service Unavailable\n"},
	{GET("/hurry"), "HTTP/1.1 504 ", "Gateway Timeout\n"},
	{GET("/patience"), "HTTP/1.1 504 ", "Gateway Timeout\n"},
};

static void test_failures(void **state)
{
	struct wire *wire = *state;

	for (size_t i = 0; i < ARRAY_LEN(failings); i++) {
		int client = wire_dial(wire), backend = -1;

		wire_put(client, sv_from(failings[i].path));
		if (strstr(failings[i].answer, "504") != NULL)
			backend = wire_backend(wire);
		has(wire_get(client, failings[i].end, got), failings[i].answer);
		wire_put(client, SV(GET("/denied"))); /* and the connection lives on */
		has(wire_get(client, "\r\n\r\n", got), "301");
		if (backend >= 0)
			(void)wire_end_of(backend);
		close(client);
	}
}

/* One of two endpoints refuses: no request notices. */
static void test_either(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend = -1;

	for (int i = 0; i < 20; i++) {
		wire_put(client,
			 SV("POST /either HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\n"
			    "abc"));
		if (backend < 0)
			backend = wire_backend(wire);
		has(wire_get(backend, "abc", got), "POST /either ");
		wire_put(backend, SV(OK));
		has(wire_get(client, "ok", got), "200 OK");
	}
	close(client);
	close(backend);
}

/* ---- tunnels ---- */

#define WS_ASK                                                                              \
	"GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define WS_OK                                                                               \
	"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

static void test_websocket(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend;

	wire_put(client, SV(WS_ASK "early"));
	backend = wire_backend(wire);
	has(wire_get(backend, "\r\n\r\n", got), "upgrade: websocket\r\n");
	wire_put(backend, SV(WS_OK "first"));
	has(wire_get(client, "first", got), "HTTP/1.1 101 ");
	has(got, "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
	wire_get(backend, "early", got);
	wire_put(client, SV("\x81\x02hi"));
	wire_get(backend, "\x81\x02hi", got);
	wire_put(backend, SV("0\r\n\r\n")); /* no framing of ours in there */
	wire_get(client, "0\r\n\r\n", got);
	/* Each side ends in its own time. */
	wire_put(client, SV("bye"));
	shutdown(client, SHUT_WR);
	wire_get(backend, "bye", got);
	assert_int_equal(read(backend, got, 1), 0);
	wire_put(backend, SV("good-bye"));
	close(backend);
	wire_get(client, "good-bye", got);
	assert_int_equal(wire_end_of(client), WIRE_FIN);
}

static void test_websocket_refused(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire), backend;

	wire_put(client, SV(WS_ASK));
	backend = wire_backend(wire);
	wire_get(backend, "\r\n\r\n", got);
	wire_put(backend, SV("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"));
	has(wire_get(client, "no", got), "HTTP/1.1 403 ");
	exchange_ok(client, backend);
	close(client);
	close(backend);
}

/* ---- challenges ---- */

#define TOKEN "/.well-known/acme-challenge/token"

static void test_challenge(void **state)
{
	struct wire *wire = *state;
	static const char *const routed[] = {
		"GET " TOKEN " HTTP/1.1\r\nHost: b.test\r\n\r\n",
		"GET " TOKEN "x HTTP/1.1\r\nHost: a.test\r\n\r\n",
		"GET /.well-known/acme-challenge/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
		"POST " TOKEN " HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n",
	};
	int client = wire_dial(wire), backend = -1;

	wire_put(client, SV(GET(TOKEN)));
	has(wire_get(client, "token.thumbprint", got), "HTTP/1.1 200 OK\r\n");
	wire_put(client, SV("GET " TOKEN " HTTP/1.1\r\nHost: A.test:80\r\n\r\n"));
	has(wire_get(client, "token.thumbprint", got), "HTTP/1.1 200 OK\r\n");
	wire_put(client, SV("HEAD " TOKEN " HTTP/1.1\r\nHost: a.test\r\n\r\n"));
	has(wire_get(client, "\r\n\r\n", got), "content-length: 16\r\n");
	for (size_t i = 0; i < ARRAY_LEN(routed); i++) {
		wire_put(client, sv_from(routed[i]));
		if (backend < 0)
			backend = wire_backend(wire);
		has(wire_get(backend, "\r\n\r\n", got), "/.well-known/acme-challenge/");
		wire_put(backend, SV(OK));
		has(wire_get(client, "ok", got), "200 OK");
	}
	close(client);
	close(backend);
}

/* ---- drain ---- */

static void test_drain(void **state)
{
	struct wire_setup setup = wire_setup_default();
	struct wire *wire;
	int idle, busy, tunnel, backend, behind;

	(void)state;
	setup.manual = true;
	wire = wire_start_with(&setup);
	idle = wire_dial(wire);
	wire_put(idle, SV(GET("/denied")));
	wire_get(idle, "\r\n\r\n", got);
	tunnel = wire_dial(wire);
	wire_put(tunnel, SV(WS_ASK));
	behind = wire_backend(wire);
	wire_get(behind, "\r\n\r\n", got);
	wire_put(behind, SV(WS_OK));
	wire_get(tunnel, "\r\n\r\n", got);
	busy = wire_dial(wire);
	wire_put(busy, SV(GET("/1") GET("/2")));
	backend = wire_backend(wire);
	wire_get(backend, "\r\n\r\n", got);
	wire_drain(wire);
	assert_int_equal(wire_end_of(idle), WIRE_FIN);
	wire_put(backend, SV(OK));
	has(wire_get(busy, "ok", got), "connection: close");
	assert_int_equal(wire_end_of(busy), WIRE_FIN);
	wire_put(tunnel, SV("still here"));
	wire_get(behind, "still here", got);
	close(tunnel);
	(void)wire_end_of(behind);
	wire_await_drained(wire);
	close(backend);
	wire_stop(wire);
}

/* ---- a host without descriptors ---- */

/* The backend is not to blame, and is asked again as soon as there is one. */
static void test_no_descriptors(void **state)
{
	struct wire_setup setup = wire_setup_default();
	struct rlimit limit, none;
	struct wire *wire;
	int client, backend;

	(void)state;
	setup.manual = true;
	wire = wire_start_with(&setup);
	client = wire_dial(wire);
	wire_put(client, SV(GET("/denied")));
	wire_get(client, "\r\n\r\n", got); /* the worker has it */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)dup(client); /* the first that is free */
	close((int)none.rlim_cur);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	wire_put(client, SV(GET("/1")));
	has(wire_get(client, "\r\n\r\n", got), "HTTP/1.1 503 ");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(wire_metric(wire, "sallyport_upstream_ejections_total"), 0);
	wire_put(client, SV(GET("/2")));
	backend = wire_backend(wire);
	wire_get(backend, "\r\n\r\n", got);
	wire_put(backend, SV(OK));
	has(wire_get(client, "ok", got), "HTTP/1.1 200 ");
	close(client);
	close(backend);
	wire_stop(wire);
}

/* ---- the log ---- */

/* A head that is small and yet needs more memory than it may have: what the log says of it is still
 * its own. */
static void test_log_of_refused(void **state)
{
	struct wire_setup setup = wire_setup_default();
	struct wire *wire;
	char text[8192], head[1024];
	size_t at;
	int client, pipes[2];
	ssize_t count;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	setup.manual = true;
	setup.access_fd = pipes[1];
	setup.limits.head = 1024;
	setup.limits.fields = 1000;
	wire = wire_start_with(&setup);
	client = wire_dial(wire);
	at = (size_t)snprintf(head, sizeof(head), "GET /who HTTP/1.1\r\nHost: a.test\r\n");
	while (at < 800)
		at += (size_t)snprintf(head + at, sizeof(head) - at, "a:\r\n");
	wire_put(client, sv_new(head, at));
	wire_put(client, SV("\r\n"));
	has(wire_get(client, "Too Large\n", got), "HTTP/1.1 431 ");
	assert_int_equal(wire_end_of(client), WIRE_FIN);
	count = read(pipes[0], text, sizeof(text) - 1);
	assert_true(count > 0);
	text[count] = '\0';
	has(text, "\"GET /who HTTP/1.1\" 431 ");
	wire_stop(wire);
	close(pipes[0]);
}

static int start(void **state)
{
	struct wire_setup setup = wire_setup_default();

	signal(SIGPIPE, SIG_IGN);
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
		EACH(test_rests),
		EACH(test_long_rest),
		EACH(test_early_answer),
		EACH(test_early_answer_and_reset),
		EACH(test_kept_and_closed),
		EACH(test_unsolicited),
		EACH(test_surplus_behind_full_read),
		EACH(test_banner),
		EACH(test_slow_client),
		EACH(test_slow_backend),
		cmocka_unit_test(test_unread_answers),
		EACH(test_client_gone),
		EACH(test_half_closed),
		EACH(test_failures),
		EACH(test_either),
		EACH(test_websocket),
		EACH(test_websocket_refused),
		EACH(test_challenge),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_log_of_refused),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
