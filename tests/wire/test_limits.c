/* Every limit of struct plane_limits, made small, and what happens to who runs into it. */
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
#define SOON_MS   200  /* a limit of time that is small */
#define LATER_MS  9000 /* one that no test meets */
#define STALL_MS  1500 /* nothing moves for so long: it is blocked */
#define PACE_MS   2000 /* who does something every tenth of it is in time */

static char got[WIRE_GET_MAX];

static void has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("no \"%s\" in:\n%s", part, text);
}

/* A client's request that has reached the backend. */
static int ask(struct wire *wire, int client, const char *request)
{
	int backend;

	wire_put(client, sv_from(request));
	backend = wire_backend(wire);
	wire_get(backend, "\r\n\r\n", got);
	return backend;
}

static bool readable(int fd, int wait_ms)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	return poll(&ready, 1, wait_ms) == 1;
}

static void refused(struct wire *wire, const char *request, const char *status)
{
	int client = wire_dial(wire);

	wire_put(client, sv_from(request));
	has(wire_get(client, "\r\n\r\n", got), status);
	has(got, "connection: close");
	assert_int_equal(wire_end_of(client), WIRE_FIN);
}

static void h2_answered(struct h2raw *h2, int32_t stream, const char *status)
{
	struct h2_frame frame;

	h2_await(h2, NGHTTP2_HEADERS, stream, &frame);
	has(frame.fields, status);
}

/* ---- sizes and counts ---- */

static void limit_connections(struct plane_limits *limits)
{
	limits->connections = 2;
}

static void check_connections(struct wire *wire)
{
	int one = wire_dial(wire), two = wire_dial(wire), three;

	wire_put(one, SV(GET("/denied")));
	wire_get(one, "\r\n\r\n", got);
	wire_put(two, SV(GET("/denied")));
	wire_get(two, "\r\n\r\n", got);
	three = wire_dial(wire);
	(void)wire_end_of(three);
	assert_int_equal(wire_metric(wire, "sallyport_connections_refused_total"), 1);
	wire_put(one, SV(GET("/denied")));
	wire_get(one, "\r\n\r\n", got);
	close(one);
	close(two);
}

static void limit_line(struct plane_limits *limits)
{
	limits->request_line = 256;
}

static void check_line(struct wire *wire)
{
	char request[1024];

	snprintf(request, sizeof(request), "GET /denied/%0300d HTTP/1.1\r\nHost: a.test\r\n\r\n",
		 0);
	refused(wire, request, "HTTP/1.1 414 ");
	snprintf(request, sizeof(request), "GET /denied/%0300d", 0);
	refused(wire, request, "HTTP/1.1 414 "); /* not only when it ends */
}

static void limit_head(struct plane_limits *limits)
{
	limits->head = 1024;
}

static void check_head(struct wire *wire)
{
	char large[4096];
	struct h2raw h2;
	int client, backend;

	snprintf(large, sizeof(large), "GET /denied HTTP/1.1\r\nHost: a.test\r\nX: %01100d\r\n\r\n",
		 0);
	refused(wire, large, "HTTP/1.1 431 ");
	snprintf(large, sizeof(large), "GET /denied\nx: %01100d", 0);
	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, H2_END_STREAM, large);
	h2_flush(&h2);
	h2_answered(&h2, 1, ":status: 431\n");
	h2_close(&h2);
	client = wire_dial(wire);
	backend = ask(wire, client, GET("/"));
	snprintf(large, sizeof(large), "HTTP/1.1 200 OK\r\nX: %01100d\r\n\r\n", 0);
	wire_put(backend, sv_from(large));
	has(wire_get(client, "Bad Gateway\n", got), "HTTP/1.1 502 ");
	(void)wire_end_of(backend);
	close(client);
}

static void limit_fields(struct plane_limits *limits)
{
	limits->fields = 8;
}

#define NINE "\r\na: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\ne: 5\r\nf: 6\r\ng: 7\r\nh: 8\r\ni: 9\r\n\r\n"

static void check_fields(struct wire *wire)
{
	struct h2raw h2;
	int client, backend;

	refused(wire, "GET /denied HTTP/1.1\r\nHost: a.test" NINE, "HTTP/1.1 431 ");
	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, H2_END_STREAM,
		   "GET /denied\na: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\ng: 7\nh: 8\ni: 9");
	h2_flush(&h2);
	h2_answered(&h2, 1, ":status: 431\n");
	h2_close(&h2);
	client = wire_dial(wire);
	backend = ask(wire, client, GET("/"));
	wire_put(backend, SV("HTTP/1.1 200 OK" NINE));
	has(wire_get(client, "Bad Gateway\n", got), "HTTP/1.1 502 ");
	(void)wire_end_of(backend);
	close(client);
}

static void limit_streams(struct plane_limits *limits)
{
	limits->h2_streams = 2;
}

static void check_streams(struct wire *wire)
{
	struct h2raw h2;
	struct h2_frame frame;

	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, 0, "POST /denied\ncontent-length: 0");
	h2_request(&h2, 3, 0, "POST /denied\ncontent-length: 0");
	h2_request(&h2, 5, 0, "POST /denied\ncontent-length: 0");
	h2_flush(&h2);
	h2_await(&h2, NGHTTP2_RST_STREAM, 5, &frame);
	assert_int_equal(frame.code, NGHTTP2_REFUSED_STREAM);
	h2_data(&h2, 1, H2_END_STREAM, SV(""));
	h2_flush(&h2);
	h2_answered(&h2, 1, ":status: 301\n");
	h2_request(&h2, 7, H2_END_STREAM, "GET /denied");
	h2_flush(&h2);
	h2_answered(&h2, 7, ":status: 301\n");
	h2_close(&h2);
}

/* What a backend gets rid of while the client takes nothing. */
static size_t held(uint32_t buffer)
{
	struct wire_setup setup = wire_setup_default();
	AUTO(auto_free) char *bytes = xcalloc(1, 65536);
	struct pollfd room = {.events = POLLOUT};
	struct wire *wire;
	size_t done = 0;
	int client;

	setup.manual = true;
	setup.limits.buffer = buffer;
	wire = wire_start_with(&setup);
	client = wire_dial(wire);
	room.fd = ask(wire, client, GET("/much"));
	wire_put(room.fd, SV("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"));
	while (done < 256u << 20 && poll(&room, 1, STALL_MS) == 1) {
		ssize_t count = send(room.fd, bytes, 65536, MSG_DONTWAIT);

		if (count > 0)
			done += (size_t)count;
	}
	close(client);
	(void)wire_end_of(room.fd);
	wire_stop(wire);
	return done;
}

static void limit_nothing(struct plane_limits *limits)
{
	(void)limits;
}

static void check_buffer(struct wire *wire)
{
	size_t little = held(16384), much = held(64 << 20);

	(void)wire;
	/* On top of it comes what the kernel holds, which differs from run to run. */
	assert_true(little < 40u << 20);
	assert_true(much > 60u << 20 && much < 120u << 20);
}

static void limit_kept(struct plane_limits *limits)
{
	limits->upstream_idle = 1;
}

static void check_kept(struct wire *wire)
{
	int one = wire_dial(wire), two = wire_dial(wire);
	int first = ask(wire, one, GET("/1")), second = ask(wire, two, GET("/2"));

	wire_put(first, SV(OK));
	wire_get(one, "ok", got);
	wire_put(second, SV(OK));
	wire_get(two, "ok", got);
	assert_int_equal(wire_end_of(second), WIRE_FIN);
	wire_put(two, SV(GET("/3")));
	has(wire_get(first, "\r\n\r\n", got), "GET /3 ");
	close(one);
	close(two);
	close(first);
}

static void limit_requests(struct plane_limits *limits)
{
	limits->requests_per_conn = 2;
}

static void check_requests(struct wire *wire)
{
	int client = wire_dial(wire);
	struct h2raw h2;
	struct h2_frame frame;

	wire_put(client, SV(GET("/denied") GET("/denied") GET("/denied")));
	assert_null(strstr(wire_get(client, "\r\n\r\n", got), "connection: close"));
	has(wire_get(client, "\r\n\r\n", got), "connection: close");
	assert_int_equal(wire_end_of(client), WIRE_FIN);
	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, H2_END_STREAM, "GET /denied");
	h2_request(&h2, 3, H2_END_STREAM, "GET /denied");
	h2_flush(&h2);
	h2_await(&h2, NGHTTP2_GOAWAY, 0, &frame);
	assert_int_equal(frame.code, NGHTTP2_NO_ERROR);
	h2_close(&h2);
}

/* ---- times ---- */

static void limit_head_time(struct plane_limits *limits)
{
	limits->request_head_ms = SOON_MS;
}

static void check_head_time(struct wire *wire)
{
	int client;
	struct h2raw h2;
	struct h2_frame frame;
	struct buf block;

	refused(wire, "GET /denied HTTP/1.1\r\nHost: a.te", "HTTP/1.1 408 ");
	client = wire_dial(wire);
	/* Bytes that come do not move the deadline. */
	wire_put(client, SV("GET /denied HTTP/1.1\r\nHost: a.test\r\n"));
	while (!readable(client, SOON_MS / 10))
		wire_put(client, SV("X: y\r\n"));
	has(wire_get(client, "\r\n\r\n", got), "HTTP/1.1 408 ");
	(void)wire_end_of(client);
	assert_int_equal(wire_end_of(wire_dial(wire)), WIRE_FIN); /* nothing at all */
	buf_init(&block, 4096);
	h2_block(&block, ":method: GET");
	h2_open(&h2, wire_dial(wire));
	h2_frame(&h2, NGHTTP2_HEADERS, 0, 1, buf_view(&block)); /* CONTINUATION is due */
	h2_flush(&h2);
	h2_await(&h2, NGHTTP2_RST_STREAM, 1, &frame);
	buf_deinit(&block);
	h2_close(&h2);
}

static void limit_keepalive(struct plane_limits *limits)
{
	limits->keepalive_idle_ms = SOON_MS;
}

static void check_keepalive(struct wire *wire)
{
	int client = wire_dial(wire);
	struct h2raw h2;
	struct h2_frame frame;

	wire_put(client, SV(GET("/denied")));
	wire_get(client, "\r\n\r\n", got);
	assert_int_equal(wire_end_of(client), WIRE_FIN);
	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, H2_END_STREAM, "GET /denied");
	h2_flush(&h2);
	h2_await(&h2, NGHTTP2_GOAWAY, 0, &frame);
	assert_int_equal(frame.code, NGHTTP2_NO_ERROR);
	assert_false(h2_next(&h2, &frame));
	h2_close(&h2);
}

static void limit_body(struct plane_limits *limits)
{
	limits->body_idle_ms = SOON_MS;
}

/* The client's content stops. */
static void check_request_body(struct wire *wire)
{
	int client = wire_dial(wire);
	int backend = ask(wire, client,
			  "POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nabc");
	struct h2raw h2;

	has(wire_get(client, "\r\n\r\n", got), "HTTP/1.1 408 ");
	(void)wire_end_of(client);
	(void)wire_end_of(backend);
	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, 0, "POST /p");
	h2_flush(&h2);
	backend = wire_backend(wire);
	h2_answered(&h2, 1, ":status: 408\n");
	(void)wire_end_of(backend);
	h2_close(&h2);
}

/* The backend's does. */
static void check_response_body(struct wire *wire)
{
	int client = wire_dial(wire), backend = ask(wire, client, GET("/"));

	wire_put(backend, SV("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"));
	wire_get(client, "\r\n\r\nabc", got);
	(void)wire_end_of(client);
	(void)wire_end_of(backend);
}

/* The client takes nothing of it; or the window stays shut. */
static void check_stuck_client(struct wire *wire)
{
	AUTO(auto_free) char *body = xcalloc(1, 32 << 20);
	int client = wire_dial(wire), backend = ask(wire, client, GET("/"));
	struct h2raw h2;
	struct h2_frame frame = {0};

	wire_put(backend, SV("HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n"));
	(void)send(backend, body, 32 << 20, MSG_NOSIGNAL); /* until it is cut off */
	(void)wire_end_of(backend);
	close(client);
	h2_open(&h2, wire_dial(wire));
	h2_setting(&h2, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
	h2_request(&h2, 1, H2_END_STREAM, "GET /");
	h2_flush(&h2);
	backend = wire_backend(wire);
	wire_get(backend, "\r\n\r\n", got);
	wire_put(backend, SV(OK));
	for (int i = 0; !readable(h2.fd, SOON_MS / 10) || i < 3; i++) {
		h2_frame(&h2, NGHTTP2_PING, 0, 0, SV("12345678")); /* do not help it */
		h2_flush(&h2);
		if (readable(h2.fd, 0)) {
			assert_true(h2_next(&h2, &frame));
			if (frame.type == NGHTTP2_RST_STREAM)
				break;
		}
	}
	if (frame.type != NGHTTP2_RST_STREAM)
		h2_await(&h2, NGHTTP2_RST_STREAM, 1, &frame);
	assert_int_equal(frame.code, NGHTTP2_CANCEL);
	close(backend);
	h2_close(&h2);
}

static void limit_slow_body(struct plane_limits *limits)
{
	limits->body_idle_ms = PACE_MS;
}

/* A slow client that does take something is waited for. */
static void check_slow_client(struct wire *wire)
{
	static const size_t much = 6 << 20; /* more than the kernel holds for it */
	AUTO(auto_free) char *body = xcalloc(1, much);
	int client = wire_dial(wire), backend, small = 65536;
	size_t taken = 0;

	setsockopt(client, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	backend = ask(wire, client, GET("/"));
	wire_put(backend, SV("HTTP/1.1 200 OK\r\nContent-Length: 6291456\r\n\r\n"));
	assert_int_equal(send(backend, body, much, MSG_NOSIGNAL), much);
	wire_get(client, "\r\n\r\n", got);
	for (int i = 0; i < 12; i++) { /* longer than it may be idle */
		wire_get_bytes(client, got, sizeof(got));
		taken += sizeof(got);
		poll(NULL, 0, PACE_MS / 10);
	}
	for (; taken < much; taken += sizeof(got))
		wire_get_bytes(client, got, sizeof(got));
	close(client);
	close(backend);
}

static void limit_connect(struct plane_limits *limits)
{
	limits->upstream_connect_ms = SOON_MS;
}

static void check_connect(struct wire *wire)
{
	int client = wire_dial(wire);

	wire_put(client, SV(GET("/deaf")));
	has(wire_get(client, "Service Unavailable\n", got), "HTTP/1.1 503 ");
	close(client);
}

static void limit_response(struct plane_limits *limits)
{
	limits->upstream_response_ms = SOON_MS;
}

static void check_response(struct wire *wire)
{
	int client = wire_dial(wire), backend = ask(wire, client, GET("/"));

	has(wire_get(client, "Gateway Timeout\n", got), "HTTP/1.1 504 ");
	(void)wire_end_of(backend);
	backend = ask(wire, client, GET("/"));
	wire_put(backend, SV("HTTP/1.1 200 OK\r\n"));
	while (!readable(client, SOON_MS / 10)) /* a head without end is no head */
		(void)send(backend, "X: y\r\n", 6, MSG_NOSIGNAL);
	has(wire_get(client, "Gateway Timeout\n", got), "HTTP/1.1 504 ");
	(void)wire_end_of(backend);
	close(client);
}

static void limit_kept_time(struct plane_limits *limits)
{
	limits->upstream_idle_ms = SOON_MS;
}

static void check_kept_time(struct wire *wire)
{
	int client = wire_dial(wire), backend = ask(wire, client, GET("/"));

	wire_put(backend, SV(OK));
	wire_get(client, "ok", got);
	assert_int_equal(wire_end_of(backend), WIRE_FIN);
	close(client);
}

static void limit_tunnel(struct plane_limits *limits)
{
	limits->tunnel_idle_ms = PACE_MS;
}

static void check_tunnel(struct wire *wire)
{
	int client = wire_dial(wire);
	int backend = ask(wire, client,
			  "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: "
			  "websocket\r\nSec-WebSocket-Version: 13\r\n"
			  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");

	wire_put(backend, SV("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
			     "Upgrade: websocket\r\n\r\n"));
	wire_get(client, "\r\n\r\n", got);
	for (int i = 0; i < 12; i++) { /* who only listens is not idle */
		wire_put(backend, SV("x"));
		wire_get(client, "x", got);
		poll(NULL, 0, PACE_MS / 10);
	}
	(void)wire_end_of(client);
	(void)wire_end_of(backend);
}

static void limit_events(struct plane_limits *limits)
{
	limits->body_idle_ms = SOON_MS;
	limits->tunnel_idle_ms = LATER_MS;
}

/* Events may be rare. */
static void check_events(struct wire *wire)
{
	int client = wire_dial(wire), backend = ask(wire, client, GET("/"));

	wire_put(backend,
		 SV("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"));
	wire_get(client, "data: 1\n\n\r\n", got);
	assert_false(readable(client, SOON_MS * 3));
	wire_put(backend, SV("data: 2\n\n"));
	wire_get(client, "data: 2\n\n", got);
	close(client);
	(void)wire_end_of(backend);
}

static void limit_drain(struct plane_limits *limits)
{
	limits->drain_ms = SOON_MS;
}

static void check_drain(struct wire *wire)
{
	int client = wire_dial(wire), backend = ask(wire, client, GET("/"));

	wire_drain(wire);
	(void)wire_end_of(client);
	(void)wire_end_of(backend);
	wire_await_drained(wire);
}

static const struct row {
	const char *name;
	void (*limit)(struct plane_limits *limits);
	void (*check)(struct wire *wire);
} rows[] = {
	{"connections", limit_connections, check_connections},
	{"requestLine", limit_line, check_line},
	{"head", limit_head, check_head},
	{"fields", limit_fields, check_fields},
	{"h2Streams", limit_streams, check_streams},
	{"buffer", limit_nothing, check_buffer},
	{"upstreamIdle", limit_kept, check_kept},
	{"requestsPerConnection", limit_requests, check_requests},
	{"requestHead", limit_head_time, check_head_time},
	{"keepaliveIdle", limit_keepalive, check_keepalive},
	{"bodyIdle of a request", limit_body, check_request_body},
	{"bodyIdle of a response", limit_body, check_response_body},
	{"bodyIdle of a client that is stuck", limit_body, check_stuck_client},
	{"bodyIdle of a client that is slow", limit_slow_body, check_slow_client},
	{"upstreamConnect", limit_connect, check_connect},
	{"upstreamResponse", limit_response, check_response},
	{"upstreamIdleTime", limit_kept_time, check_kept_time},
	{"tunnelIdle", limit_tunnel, check_tunnel},
	{"tunnelIdle of events", limit_events, check_events},
	{"drain", limit_drain, check_drain},
};

static void test_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_setup setup = wire_setup_default();
		struct wire *wire;

		print_message("  %s\n", rows[i].name);
		setup.manual = true;
		rows[i].limit(&setup.limits);
		wire = wire_start_with(&setup);
		rows[i].check(wire);
		wire_stop(wire);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_limits)};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
