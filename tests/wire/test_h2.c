/* HTTP/2 frame by frame against a real worker (RFC 9113): what is forwarded, what is an error and
 * how large, what a flood costs, and how it all ends. */
#include "h2raw.h"
#include "wire.h"

#include "base/own.h"
#include "dataplane/h2_guard.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

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

static void answered(struct h2raw *h2, int32_t stream, const char *status)
{
	struct h2_frame frame;

	h2_await(h2, NGHTTP2_HEADERS, stream, &frame);
	if (strncmp(frame.fields, ":status: ", 9) != 0 || strncmp(frame.fields + 9, status, 3) != 0)
		fail_msg("stream %d: awaited %s, got:\n%s", stream, status, frame.fields);
}

/* ---- one exchange ---- */

static void test_plain(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	struct h2_frame frame;
	int backend;

	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, H2_END_STREAM, "GET /a?b=c\ncookie: x=1\ncookie: y=2\nte: trailers");
	h2_flush(&h2);
	backend = wire_backend(wire);
	has(wire_get(backend, "\r\n\r\n", got), "GET /a?b=c HTTP/1.1\r\nhost: a.test\r\n");
	has(got, "cookie: x=1; y=2\r\n");
	has(got, "via: 2.0 sallyport\r\n");
	has_not(got, "te:");
	wire_put(backend, SV("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
			     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-hop\r\n"
			     "X-Hop: 1\r\nX-Other: 2\r\n\r\nok"));
	h2_await(&h2, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, ":status: 103\nlink: </x>\n");
	h2_await(&h2, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, ":status: 200\n");
	has(frame.fields, "content-length: 2\n");
	has(frame.fields, "x-other: 2\n");
	has_not(frame.fields, "x-hop");
	has_not(frame.fields, "connection");
	assert_int_equal(h2_await_end(&h2, 1), 2);
	/* the same connections once more */
	h2_request(&h2, 3, H2_END_STREAM, "HEAD /h");
	h2_flush(&h2);
	has(wire_get(backend, "\r\n\r\n", got), "HEAD /h ");
	wire_put(backend, SV("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"));
	h2_await(&h2, NGHTTP2_HEADERS, 3, &frame);
	has(frame.fields, "content-length: 7\n");
	assert_int_equal(frame.flags & H2_END_STREAM, H2_END_STREAM);
	h2_close(&h2);
	close(backend);
}

static void test_trailers(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	struct h2_frame frame;
	int backend;

	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, 0, "POST /t\nte: trailers");
	h2_data(&h2, 1, 0, SV("abc"));
	h2_headers(&h2, 1, H2_END_STREAM, "x-sum: 6\ncontent-length: 3");
	h2_flush(&h2);
	backend = wire_backend(wire);
	has(wire_get(backend, "0\r\nx-sum: 6\r\n\r\n", got), "transfer-encoding: chunked\r\n");
	has(got, "3\r\nabc\r\n");
	has_not(got, "content-length");
	wire_put(backend, SV("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			     "2\r\nok\r\n0\r\nGrpc-Status: 0\r\n\r\n"));
	answered(&h2, 1, "200");
	h2_await(&h2, NGHTTP2_DATA, 1, &frame);
	assert_int_equal(frame.flags & H2_END_STREAM, 0);
	h2_await(&h2, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, "grpc-status: 0\n");
	assert_int_equal(frame.flags & H2_END_STREAM, H2_END_STREAM);
	/* trailers behind no content at all */
	h2_request(&h2, 3, H2_END_STREAM, "GET /t\nte: trailers");
	h2_flush(&h2);
	wire_get(backend, "\r\n\r\n", got);
	wire_put(backend, SV("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			     "0\r\nGrpc-Status: 5\r\n\r\n"));
	answered(&h2, 3, "200");
	do
		h2_await(&h2, NGHTTP2_HEADERS, 3, &frame);
	while ((frame.flags & H2_END_STREAM) == 0);
	has(frame.fields, "grpc-status: 5\n");
	h2_close(&h2);
	close(backend);
}

/* What comes before the backend has answered goes to it as it comes, and the other way round. */
static void test_both_ways(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	struct h2_frame frame;
	int backend;

	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, 0, "POST /chat");
	h2_flush(&h2);
	backend = wire_backend(wire);
	wire_get(backend, "\r\n\r\n", got);
	wire_put(backend, SV("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"));
	answered(&h2, 1, "200");
	h2_await(&h2, NGHTTP2_DATA, 1, &frame);
	assert_memory_equal(frame.payload.data, "one", 3);
	h2_data(&h2, 1, 0, SV("two"));
	h2_flush(&h2);
	wire_get(backend, "3\r\ntwo\r\n", got);
	wire_put(backend, SV("5\r\nthree\r\n"));
	h2_await(&h2, NGHTTP2_DATA, 1, &frame);
	assert_memory_equal(frame.payload.data, "three", 5);
	h2_data(&h2, 1, H2_END_STREAM, SV("four"));
	h2_flush(&h2);
	wire_get(backend, "4\r\nfour\r\n0\r\n\r\n", got);
	wire_put(backend, SV("0\r\n\r\n"));
	assert_int_equal(h2_await_end(&h2, 1), 0);
	h2_close(&h2);
	close(backend);
}

static void test_continue(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	int backend;

	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, 0, "POST /c\ncontent-length: 3\nexpect: 100-continue");
	h2_flush(&h2);
	answered(&h2, 1, "100");
	h2_data(&h2, 1, H2_END_STREAM, SV("abc"));
	h2_flush(&h2);
	backend = wire_backend(wire);
	has(wire_get(backend, "abc", got), "content-length: 3\r\n");
	has_not(got, "expect");
	wire_put(backend, SV(OK));
	answered(&h2, 1, "200");
	h2_request(&h2, 3, 0, "POST /denied\ncontent-length: 3\nexpect: 100-continue");
	h2_flush(&h2);
	answered(&h2, 3, "301"); /* and no 100 */
	h2_close(&h2);
	close(backend);
}

/* The answer is complete, the request is not: the rest is not wanted (RFC 9113, section 8.1). */
static void test_early_answer(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	struct h2_frame frame;
	int backend;

	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, 0, "POST /p\ncontent-length: 10");
	h2_data(&h2, 1, 0, SV("abc"));
	h2_flush(&h2);
	backend = wire_backend(wire);
	wire_get(backend, "abc", got);
	wire_put(backend, SV("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"));
	answered(&h2, 1, "413");
	assert_int_equal(h2_await_end(&h2, 1), 2);
	h2_await(&h2, NGHTTP2_RST_STREAM, 1, &frame);
	assert_int_equal(frame.code, NGHTTP2_NO_ERROR);
	(void)wire_end_of(backend);
	h2_data(&h2, 1, H2_END_STREAM, SV("defghij")); /* it was under way: no mistake */
	h2_request(&h2, 3, H2_END_STREAM, "GET /denied");
	h2_flush(&h2);
	answered(&h2, 3, "301");
	h2_close(&h2);
}

/* ---- mistakes ---- */

enum outcome { STREAM_ERROR, CONNECTION_ERROR, ANSWER };

#define REQUEST ":method: GET\n:scheme: http\n:authority: a.test\n:path: /"
#define POST    ":method: POST\n:scheme: http\n:authority: a.test\n:path: /"

static const struct mistake {
	const char *name;
	const char *head; /* of stream 1 */
	bool end;         /* the head ends the stream */
	const char *data; /* NULL: none; else it ends the stream */
	const char *trailers;
	enum outcome outcome;
	uint32_t code; /* of the error, or the status */
	bool reached;  /* a backend hears of it, though never of all of it */
} mistakes[] = {
	{"no path", ":method: GET\n:scheme: http\n:authority: a.test", true, NULL, NULL,
	 STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR, false},
	{"two paths", REQUEST "\n:path: /b", true, NULL, NULL, STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR,
	 false},
	{"a field in capitals", REQUEST "\nX-Up: 1", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"connection", REQUEST "\nconnection: close", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"transfer-encoding", POST "\ntransfer-encoding: chunked", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"te that is not trailers", REQUEST "\nte: gzip", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"a pseudo-field behind a field", ":method: GET\n:scheme: http\nx: 1\n:path: /", true, NULL,
	 NULL, STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR, false},
	{"a pseudo-field of responses", REQUEST "\n:status: 200", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"Host is another", REQUEST "\nhost: b.test", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"less than the length", POST "\ncontent-length: 5", false, "abc", NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, true},
	{"more than the length", POST "\ncontent-length: 2", false, "abc", NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, true},
	{"content of length nothing", POST "\ncontent-length: 0", false, "abc", NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"a length and no content", POST "\ncontent-length: 5", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"two lengths", POST "\ncontent-length: 3\ncontent-length: 4", false, "abc", NULL,
	 STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR, false},
	{"a pseudo-field in trailers", POST, false, NULL, ":path: /b", STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, true},
	{"a connection-specific field in trailers", POST, false, NULL, "connection: close",
	 STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR, true},
	{"CONNECT", ":method: CONNECT\n:authority: a.test:443", true, NULL, NULL, ANSWER, 405,
	 false},
	{"https in the clear", ":method: GET\n:scheme: https\n:authority: a.test\n:path: /", true,
	 NULL, NULL, ANSWER, 421, false},
	{"no method", ":scheme: http\n:authority: a.test\n:path: /", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"two methods", REQUEST "\n:method: PUT", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"two authorities", REQUEST "\n:authority: b.test", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"no scheme", ":method: GET\n:authority: a.test\n:path: /", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"a scheme nobody knows", ":method: GET\n:scheme: gopher\n:authority: a.test\n:path: /",
	 true, NULL, NULL, STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR, false},
	{"an empty path", ":method: GET\n:scheme: http\n:authority: a.test\n:path: ", true, NULL,
	 NULL, STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR, false},
	{"a path without a slash", ":method: GET\n:scheme: http\n:authority: a.test\n:path: a",
	 true, NULL, NULL, STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR, false},
	{"* in a GET", ":method: GET\n:scheme: http\n:authority: a.test\n:path: *", true, NULL,
	 NULL, STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR, false},
	{"a blank in the path", ":method: GET\n:scheme: http\n:authority: a.test\n:path: /a b",
	 true, NULL, NULL, STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR, false},
	{"an authority with user information",
	 ":method: GET\n:scheme: http\n:authority: u@a.test\n:path: /", true, NULL, NULL,
	 STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR, false},
	{"no authority at all", ":method: GET\n:scheme: http\n:path: /", true, NULL, NULL,
	 STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR, false},
	{"two Hosts", REQUEST "\nhost: a.test\nhost: a.test", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"keep-alive", REQUEST "\nkeep-alive: 5", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"proxy-connection", REQUEST "\nproxy-connection: close", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"upgrade", REQUEST "\nupgrade: websocket", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"te: trailers and more", REQUEST "\nte: trailers, gzip", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"a list of lengths", POST "\ncontent-length: 3, 3", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"a length with a sign", POST "\ncontent-length: +3", true, NULL, NULL, STREAM_ERROR,
	 NGHTTP2_PROTOCOL_ERROR, false},
	{"CONNECT with a path", ":method: CONNECT\n:scheme: http\n:authority: a.test\n:path: /",
	 true, NULL, NULL, STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR, false},
	{"an encoded NUL", ":method: GET\n:scheme: http\n:authority: a.test\n:path: /%00", true,
	 NULL, NULL, STREAM_ERROR, NGHTTP2_PROTOCOL_ERROR, false},
	{"an expectation nobody knows", POST "\nexpect: tea", false, "abc", NULL, ANSWER, 417,
	 false},
};

static void test_mistakes(void **state)
{
	struct wire *wire = *state;

	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		const struct mistake *row = &mistakes[i];
		struct h2raw h2;
		struct h2_frame frame;
		char status[16];
		int backend = -1;

		print_message("  %s\n", row->name);
		h2_open(&h2, wire_dial(wire));
		h2_headers(&h2, 1, row->end ? H2_END_STREAM : 0, row->head);
		if (row->reached) { /* its head at least */
			h2_flush(&h2);
			backend = wire_backend(wire);
			wire_get(backend, "\r\n\r\n", got);
		}
		if (row->data != NULL)
			h2_data(&h2, 1, H2_END_STREAM, sv_from(row->data));
		if (row->trailers != NULL)
			h2_headers(&h2, 1, H2_END_STREAM, row->trailers);
		h2_flush(&h2);
		if (row->outcome == STREAM_ERROR) {
			h2_await(&h2, NGHTTP2_RST_STREAM, 1, &frame);
			assert_int_equal(frame.code, row->code);
		} else {
			(void)snprintf(status, sizeof(status), "%u", row->code);
			answered(&h2, 1, status);
		}
		if (backend >= 0)
			(void)wire_end_of(backend);               /* at once */
		h2_request(&h2, 3, H2_END_STREAM, "GET /denied"); /* the connection lives on */
		h2_flush(&h2);
		answered(&h2, 3, "301");
		h2_close(&h2);
	}
}

/* A head that is too large is answered; what comes behind it starts nothing. */
static void test_refused_head(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *large = xmalloc(70000);
	struct h2raw h2;
	size_t at;

	at = (size_t)snprintf(large, 70000, "POST /large");
	for (int i = 0; at < 15000; i++)
		at += (size_t)snprintf(large + at, 70000 - at, "\nx-%d: 0123456789", i);
	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, 0, large);
	h2_data(&h2, 1, H2_END_STREAM, SV("abc"));
	h2_request(&h2, 3, H2_END_STREAM, "GET /denied");
	h2_flush(&h2);
	answered(&h2, 1, "431");
	answered(&h2, 3, "301");
	assert_int_equal(wire_metric(wire, "sallyport_upstream_dials_total"), 0);
	h2_close(&h2);
}

/* ---- mistakes of frames ---- */

static void connection_error(struct h2raw *h2, uint32_t code)
{
	struct h2_frame frame;

	h2_flush(h2);
	h2_await(h2, NGHTTP2_GOAWAY, 0, &frame);
	assert_int_equal(frame.code, code);
	while (h2_next(h2, &frame))
		;
	h2_close(h2);
}

static void test_frames(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;

	h2_open(&h2, wire_dial(wire)); /* streams go up */
	h2_request(&h2, 5, H2_END_STREAM, "GET /denied");
	h2_flush(&h2);
	answered(&h2, 5, "301");
	h2_request(&h2, 3, H2_END_STREAM, "GET /denied");
	connection_error(&h2, NGHTTP2_PROTOCOL_ERROR);

	h2_open(&h2, wire_dial(wire)); /* and do not come back */
	h2_request(&h2, 1, H2_END_STREAM, "GET /denied");
	h2_flush(&h2);
	answered(&h2, 1, "301");
	h2_request(&h2, 1, H2_END_STREAM, "GET /denied");
	connection_error(&h2, NGHTTP2_STREAM_CLOSED);

	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, H2_END_STREAM, "GET /denied");
	h2_flush(&h2);
	answered(&h2, 1, "301");
	h2_data(&h2, 1, 0, SV("abc"));
	connection_error(&h2, NGHTTP2_STREAM_CLOSED);

	h2_open(&h2, wire_dial(wire)); /* after its own reset */
	h2_request(&h2, 1, 0, "POST /denied/later\ncontent-length: 0");
	h2_number(&h2, NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
	h2_data(&h2, 1, 0, SV("abc"));
	connection_error(&h2, NGHTTP2_STREAM_CLOSED);

	h2_open(&h2, wire_dial(wire)); /* idle streams */
	h2_data(&h2, 1, 0, SV("abc"));
	connection_error(&h2, NGHTTP2_PROTOCOL_ERROR);

	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 2, H2_END_STREAM, "GET /denied");
	connection_error(&h2, NGHTTP2_PROTOCOL_ERROR);

	h2_open(&h2, wire_dial(wire)); /* priorities of no stream, and of one to itself */
	h2_frame(&h2, NGHTTP2_PRIORITY, 0, 0, SV("\0\0\0\1\20"));
	connection_error(&h2, NGHTTP2_PROTOCOL_ERROR);

	h2_open(&h2, wire_dial(wire));
	h2_frame(&h2, NGHTTP2_PRIORITY, 0, 3, SV("\0\0\0\3\20"));
	connection_error(&h2, NGHTTP2_PROTOCOL_ERROR);

	h2_open(&h2, wire_dial(wire));
	h2_number(&h2, NGHTTP2_WINDOW_UPDATE, 0, 0);
	connection_error(&h2, NGHTTP2_PROTOCOL_ERROR);

	h2_open(&h2, wire_dial(wire));
	h2_number(&h2, NGHTTP2_WINDOW_UPDATE, 0, 0x7fffffff);
	connection_error(&h2, NGHTTP2_FLOW_CONTROL_ERROR);
}

/* ---- windows ---- */

#define STALL_MS 1500

/* How much a backend gets rid of before it has to wait. */
static size_t fill(int fd, size_t max)
{
	AUTO(auto_free) char *bytes = xcalloc(1, 65536);
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	size_t done = 0;

	while (done < max && poll(&room, 1, STALL_MS) == 1) {
		ssize_t count = send(fd, bytes, 65536, MSG_DONTWAIT);

		if (count > 0)
			done += (size_t)count;
	}
	return done;
}

static void small_buffer(int fd)
{
	int size = 16384;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static void test_zero_window(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	struct h2_frame frame;
	int backend;
	size_t taken;

	h2_open(&h2, wire_dial(wire));
	h2_setting(&h2, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
	h2_request(&h2, 1, H2_END_STREAM, "GET /much");
	h2_flush(&h2);
	backend = wire_backend(wire);
	small_buffer(backend);
	wire_get(backend, "\r\n\r\n", got);
	wire_put(backend, SV("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2000000\r\n"));
	answered(&h2, 1, "200");
	taken = fill(backend, 32 << 20);
	assert_true(taken < 16 << 20);
	h2_number(&h2, NGHTTP2_WINDOW_UPDATE, 1, 10);
	h2_flush(&h2);
	h2_await(&h2, NGHTTP2_DATA, 1, &frame);
	assert_int_equal(frame.payload.len, 10);
	/* another stream is not held up */
	h2_request(&h2, 3, H2_END_STREAM, "GET /denied");
	h2_flush(&h2);
	answered(&h2, 3, "301");
	h2_number(&h2, NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
	h2_flush(&h2);
	(void)wire_end_of(backend); /* at once */
	h2_close(&h2);
}

static uint32_t increment_of(const struct h2_frame *frame)
{
	const unsigned char *at = (const unsigned char *)frame->payload.data;

	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Uploads as long as windows open; how much went. */
static size_t upload(struct h2raw *h2, size_t window)
{
	AUTO(auto_free) char *body = xcalloc(1, window);
	struct pollfd ready = {.fd = h2->fd, .events = POLLIN};
	size_t sent = 0;

	for (;;) {
		struct h2_frame frame;

		h2_data(h2, 1, 0, sv_new(body, window));
		h2_flush(h2);
		sent += window;
		assert_true(sent < 32 << 20);
		do {
			if (poll(&ready, 1, STALL_MS) != 1)
				return sent;
			assert_true(h2_next(h2, &frame));
		} while (frame.type != NGHTTP2_WINDOW_UPDATE || frame.stream != 1);
		window = increment_of(&frame);
	}
}

/* A backend that does not read: the window stays shut, and opens when it does. */
static void test_slow_backend(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	struct h2_frame frame;
	int backend;

	h2_open(&h2, wire_dial(wire));
	h2_await(&h2, NGHTTP2_SETTINGS, 0, &frame);
	h2_frame(&h2, NGHTTP2_SETTINGS, H2_ACK, 0, SV(""));
	h2_request(&h2, 1, 0, "PUT /much");
	h2_flush(&h2);
	backend = wire_backend(wire);
	assert_true(upload(&h2, 131072) < 24 << 20); /* the kernel's share is some megabytes */
	while (poll(&(struct pollfd){.fd = backend, .events = POLLIN}, 1, STALL_MS) == 1)
		assert_true(read(backend, got, sizeof(got)) > 0);
	h2_await(&h2, NGHTTP2_WINDOW_UPDATE, 1, &frame);
	h2_close(&h2);
	(void)wire_end_of(backend);
}

/* ---- ends ---- */

static void test_backend_cuts(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	struct h2_frame frame;

	h2_open(&h2, wire_dial(wire));
	for (int32_t i = 0; i < H2_RESETS_MAX + 10; i++) { /* its fault, not the client's */
		int backend;

		h2_request(&h2, 2 * i + 1, H2_END_STREAM, "GET /cut");
		h2_flush(&h2);
		backend = wire_backend(wire);
		wire_get(backend, "\r\n\r\n", got);
		wire_put(backend, SV("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"));
		close(backend);
		h2_await(&h2, NGHTTP2_RST_STREAM, 2 * i + 1, &frame);
		assert_int_equal(frame.code, NGHTTP2_INTERNAL_ERROR);
	}
	h2_close(&h2);
}

static void test_client_gone(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	int one, two;

	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, 0, "POST /one");
	h2_flush(&h2);
	one = wire_backend(wire);
	wire_get(one, "\r\n\r\n", got);
	h2_request(&h2, 3, H2_END_STREAM, "GET /two");
	h2_flush(&h2);
	two = wire_backend(wire);
	wire_get(two, "\r\n\r\n", got);
	shutdown(h2.fd, SHUT_WR);
	(void)wire_end_of(one); /* will never be complete */
	wire_put(two, SV(OK));
	answered(&h2, 3, "200");
	assert_int_equal(h2_await_end(&h2, 3), 2);
	assert_false(h2_next(&h2, &(struct h2_frame){.type = 0}));
	h2_close(&h2);
	close(two);
}

static void test_drain(void **state)
{
	struct wire_setup setup = wire_setup_default();
	struct wire *wire;
	struct h2raw h2, idle;
	struct h2_frame frame;
	char mark[8];
	int backend, next;

	(void)state;
	setup.manual = true;
	wire = wire_start_with(&setup);
	h2_open(&idle, wire_dial(wire));
	h2_request(&idle, 1, H2_END_STREAM, "GET /denied");
	h2_flush(&idle);
	answered(&idle, 1, "301");
	h2_open(&h2, wire_dial(wire));
	h2_request(&h2, 1, H2_END_STREAM, "GET /1");
	h2_flush(&h2);
	backend = wire_backend(wire);
	wire_get(backend, "\r\n\r\n", got);
	wire_drain(wire);
	h2_await(&h2, NGHTTP2_PING, 0, &frame);
	memcpy(mark, frame.payload.data, sizeof(mark));
	h2_await(&h2, NGHTTP2_GOAWAY, 0, &frame);
	assert_int_equal(frame.code, NGHTTP2_NO_ERROR);
	assert_int_equal(frame.last, 0x7fffffff); /* nothing under way is lost */
	h2_request(&h2, 3, H2_END_STREAM, "GET /2");
	h2_flush(&h2);
	next = wire_backend(wire);
	wire_get(next, "\r\n\r\n", got);
	h2_frame(&h2, NGHTTP2_PING, H2_ACK, 0, sv_new(mark, sizeof(mark)));
	h2_flush(&h2);
	h2_await(&h2, NGHTTP2_GOAWAY, 0, &frame);
	assert_int_equal(frame.last, 3);
	wire_put(backend, SV(OK));
	answered(&h2, 1, "200");
	wire_put(next, SV(OK));
	answered(&h2, 3, "200");
	h2_await_end(&h2, 3);
	assert_false(h2_next(&h2, &frame));
	while (h2_next(&idle, &frame)) /* answers no PING: ends by itself */
		;
	wire_await_drained(wire);
	h2_close(&h2);
	h2_close(&idle);
	close(backend);
	close(next);
	wire_stop(wire);
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
		EACH(test_plain),
		EACH(test_trailers),
		EACH(test_both_ways),
		EACH(test_continue),
		EACH(test_early_answer),
		EACH(test_mistakes),
		EACH(test_refused_head),
		EACH(test_frames),
		EACH(test_zero_window),
		EACH(test_slow_backend),
		EACH(test_backend_cuts),
		EACH(test_client_gone),
		cmocka_unit_test(test_drain),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
