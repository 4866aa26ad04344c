/* HTTP/2 towards the backend, frame by frame: the test is client and backend. */
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

/* The worker's next connection to the backend. */
static void accept_backend(struct wire *wire, struct h2raw *origin)
{
	h2_accept(origin, wire_backend(wire));
}

static void answer(struct h2raw *origin, int32_t stream, const char *rows, struct str_view content)
{
	h2_headers(origin, stream, 0, rows);
	h2_data(origin, stream, H2_END_STREAM, content);
	h2_flush(origin);
}

/* ---- what is sent ---- */

static void test_request(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin;
	struct h2_frame frame;
	int client = wire_dial(wire);

	wire_put(client, SV("POST /p?q=1 HTTP/1.1\r\nHost: A.test:81\r\nX-One: 1\r\n"
			    "Connection: x-two\r\nX-Two: 2\r\nContent-Length: 5\r\n\r\nhello"));
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, ":method: POST\n");
	has(frame.fields, ":scheme: http\n");
	has(frame.fields, ":authority: a.test:81\n");
	has(frame.fields, ":path: /p?q=1\n");
	has(frame.fields, "content-length: 5\n");
	has(frame.fields, "x-one: 1\n");
	has_not(frame.fields, "x-two");
	has_not(frame.fields, "connection:");
	has_not(frame.fields, "\nhost:");
	assert_int_equal(h2_await_end(&origin, 1), 5);
	answer(&origin, 1, ":status: 201\nx-three: 3\ncontent-length: 2", SV("ok"));
	has(wire_get(client, "\r\n\r\nok", got), "HTTP/1.1 201 ");
	has(got, "x-three: 3\r\n");
	has(got, "content-length: 2\r\n");
	close(client);
	h2_close(&origin);
}

/* Both directions of trailers, a length that nobody knew, and interim responses. */
static void test_streams(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin, client;
	struct h2_frame frame;

	h2_open(&client, wire_dial(wire));
	h2_request(&client, 1, 0, "POST /rpc\nte: trailers\ncontent-type: application/grpc");
	h2_data(&client, 1, 0, SV("ping"));
	h2_flush(&client);
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, "te: trailers\n");
	h2_await(&origin, NGHTTP2_DATA, 1, &frame);
	assert_true(sv_eq(frame.payload, SV("ping")));
	h2_headers(&origin, 1, 0, ":status: 103\nlink: </a>");
	h2_headers(&origin, 1, 0, ":status: 200\ncontent-type: application/grpc");
	h2_data(&origin, 1, 0, SV("pong"));
	h2_flush(&origin);
	h2_await(&client, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, ":status: 103\n");
	h2_await(&client, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, ":status: 200\n");
	h2_await(&client, NGHTTP2_DATA, 1, &frame);
	assert_true(sv_eq(frame.payload, SV("pong")));
	h2_headers(&client, 1, H2_END_STREAM, "x-last: client"); /* only now it ends */
	h2_flush(&client);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, "x-last: client\n");
	assert_true((frame.flags & H2_END_STREAM) != 0);
	h2_headers(&origin, 1, H2_END_STREAM, "grpc-status: 0");
	h2_flush(&origin);
	h2_await(&client, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, "grpc-status: 0\n");
	assert_true((frame.flags & H2_END_STREAM) != 0);
	h2_close(&client);
	h2_close(&origin);
}

/* What must not be indexed on one side is not on the other, in heads and in trailers (RFC 7541,
 * section 7.1.3). */
static void test_never_indexed(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin, client;
	struct h2_frame frame;

	h2_open(&client, wire_dial(wire));
	h2_request(
		&client, 1, 0,
		"POST /\nte: trailers\n!x-key: secret\nx-plain: 1\ncookie: a=0123456789012345678\n"
		"!cookie: b=0123456789012345678");
	h2_headers(&client, 1, H2_END_STREAM, "!x-last: secret\n!content-length: 3\nx-end: 1");
	h2_flush(&client);
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, "x-key: secret\n(never: x-key)\n");
	has(frame.fields, "(never: cookie)\n");
	has_not(frame.fields, "(never: x-plain)");
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, "x-last: secret\n(never: x-last)\nx-end: 1\n");
	has_not(frame.fields, "(never: x-end)");
	h2_headers(&origin, 1, 0, ":status: 200\n!x-token: secret\nx-other: 2");
	h2_headers(&origin, 1, H2_END_STREAM, "!x-sum: secret");
	h2_flush(&origin);
	h2_await(&client, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, "x-token: secret\n(never: x-token)\n");
	has_not(frame.fields, "(never: x-other)");
	h2_await(&client, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, "x-sum: secret\n(never: x-sum)\n");
	h2_close(&client);
	h2_close(&origin);
}

/* An answer of HEADERS alone that says no length: over HTTP/1.1 its end must be told, or the client
 * waits for more. */
static void test_empty_answer(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin;
	struct h2_frame frame;
	int client = wire_dial(wire);

	wire_put(client, SV(GET("/1") GET("/2")));
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	h2_headers(&origin, 1, H2_END_STREAM, ":status: 404\nx-one: 1");
	h2_flush(&origin);
	has(wire_get(client, "\r\n\r\n", got), "HTTP/1.1 404 Not Found\r\n");
	has(got, "content-length: 0\r\n");
	h2_await(&origin, NGHTTP2_HEADERS, 3, &frame);
	has(frame.fields, ":path: /2\n");
	answer(&origin, 3, ":status: 201\ncontent-length: 0", SV("")); /* its end comes behind it */
	has(wire_get(client, "\r\n\r\n", got), "HTTP/1.1 201 ");
	has(got, "content-length: 0\r\n");
	close(client);
	h2_close(&origin);
}

/* An answer of HEADERS alone, as gRPC has for errors. */
static void test_headers_only(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin, client;
	struct h2_frame frame;

	h2_open(&client, wire_dial(wire));
	h2_request(&client, 1, H2_END_STREAM, "POST /rpc\nte: trailers");
	h2_flush(&client);
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	assert_true((frame.flags & H2_END_STREAM) != 0);
	h2_headers(&origin, 1, H2_END_STREAM, ":status: 200\ngrpc-status: 12");
	h2_flush(&origin);
	h2_await(&client, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, "grpc-status: 12\n");
	assert_true((frame.flags & H2_END_STREAM) != 0);
	h2_close(&client);
	h2_close(&origin);
}

/* ---- long answers: framed for the client from where they lie ---- */

#define LONG 12000

/* Content of which each byte tells its place. */
static struct str_view pattern(char *content, size_t from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		content[i] = (char)((from + i) % 251);
	return sv_new(content, len);
}

/* The next content of stream 1 is the pattern's, from there on; returns where it ends. What comes
 * for stream 3 meanwhile is counted. */
static size_t await_pattern(struct h2raw *client, size_t from, size_t *other)
{
	struct h2_frame frame;

	for (;;) {
		h2_await(client, NGHTTP2_DATA, -1, &frame);
		if (frame.stream == 1)
			break;
		*other += frame.payload.len;
	}
	for (size_t i = 0; i < frame.payload.len; i++)
		assert_int_equal((unsigned char)frame.payload.data[i], (from + i) % 251);
	return from + frame.payload.len;
}

/* In one read one stream ends and a long run of another comes: the run is framed at once, so the
 * first closes inside the call for the second. */
static void test_end_beside_long(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin, client;
	struct h2_frame frame;
	char content[LONG];
	size_t have = 0, other = 0;

	h2_open(&client, wire_dial(wire));
	h2_request(&client, 1, H2_END_STREAM, "GET /long");
	h2_request(&client, 3, H2_END_STREAM, "GET /short");
	h2_flush(&client);
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 3, &frame);
	h2_headers(&origin, 1, 0, ":status: 200");
	h2_headers(&origin, 3, 0, ":status: 200");
	h2_data(&origin, 3, H2_END_STREAM, SV("ok"));
	h2_data(&origin, 1, 0, pattern(content, 0, LONG));
	h2_flush(&origin);
	while (have < LONG)
		have = await_pattern(&client, have, &other);
	h2_data(&origin, 1, H2_END_STREAM, pattern(content, LONG, LONG));
	h2_flush(&origin);
	while (have < 2 * LONG)
		have = await_pattern(&client, have, &other);
	assert_int_equal(have, 2 * LONG);
	assert_int_equal(other, 2);
	h2_close(&client);
	h2_close(&origin);
}

/* Windows that end inside of such runs: no byte is lost, doubled or out of order. */
static void test_long_and_narrow(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin, client;
	char content[LONG];
	size_t have = 0, other = 0;

	h2_open(&client, wire_dial(wire));
	h2_setting(&client, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 7001);
	h2_request(&client, 1, H2_END_STREAM, "GET /long");
	h2_flush(&client);
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &(struct h2_frame){.fields = ""});
	h2_headers(&origin, 1, 0, ":status: 200");
	for (size_t i = 0; i < 4; i++)
		h2_data(&origin, 1, i == 3 ? H2_END_STREAM : 0, pattern(content, i * LONG, LONG));
	h2_flush(&origin);
	while (have < 4 * LONG) {
		have = await_pattern(&client, have, &other);
		h2_number(&client, NGHTTP2_WINDOW_UPDATE, 1, 5003);
		h2_number(&client, NGHTTP2_WINDOW_UPDATE, 0, 5003);
		h2_flush(&client);
	}
	assert_int_equal(have, 4 * LONG);
	h2_close(&client);
	h2_close(&origin);
}

/* ---- one connection, many exchanges ---- */

/* Answered in the other order; a third request uses the same connection afterwards. */
static void test_shared(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin;
	struct h2_frame frame;
	int first = wire_dial(wire), second = wire_dial(wire);

	wire_put(first, SV(GET("/one")));
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	wire_put(second, SV(GET("/two")));
	h2_await(&origin, NGHTTP2_HEADERS, 3, &frame);
	has(frame.fields, ":path: /two\n");
	answer(&origin, 3, ":status: 200\ncontent-length: 3", SV("two"));
	has(wire_get(second, "two", got), "200 OK");
	answer(&origin, 1, ":status: 200\ncontent-length: 3", SV("one"));
	has(wire_get(first, "one", got), "200 OK");
	wire_put(first, SV(GET("/three")));
	h2_await(&origin, NGHTTP2_HEADERS, 5, &frame);
	answer(&origin, 5, ":status: 204", SV(""));
	has(wire_get(first, "\r\n\r\n", got), " 204 ");
	close(first);
	close(second);
	h2_close(&origin);
}

/* It takes one at a time: the second request gets a connection of its own. */
static void test_streams_max(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin, other;
	struct h2_frame frame;
	int first = wire_dial(wire), second = wire_dial(wire);

	wire_put(first, SV(GET("/one")));
	accept_backend(wire, &origin);
	h2_setting(&origin, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
	h2_headers(&origin, 1, 0, ":status: 200\ncontent-length: 3");
	h2_data(&origin, 1, 0, SV("o")); /* behind it, so the setting is known with it */
	h2_flush(&origin);
	wire_get(first, "\r\n\r\no", got);
	wire_put(second, SV(GET("/two")));
	accept_backend(wire, &other);
	h2_await(&other, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, ":path: /two\n");
	answer(&other, 1, ":status: 200\ncontent-length: 3", SV("two"));
	has(wire_get(second, "two", got), "200 OK");
	h2_data(&origin, 1, H2_END_STREAM, SV("ne"));
	h2_flush(&origin);
	wire_get(first, "ne", got);
	close(first);
	close(second);
	h2_close(&origin);
	h2_close(&other);
}

/* It takes no requests at all any more: it is let go of, and does not wait for its time. */
static void test_no_streams(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin, other;
	struct h2_frame frame;
	int client = wire_dial(wire);

	wire_put(client, SV(GET("/one")));
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	h2_setting(&origin, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0);
	answer(&origin, 1, ":status: 200\ncontent-length: 3", SV("one"));
	wire_get(client, "one", got);
	while (h2_next(&origin, &frame))
		;
	wire_put(client, SV(GET("/two")));
	accept_backend(wire, &other);
	h2_await(&other, NGHTTP2_HEADERS, 1, &frame);
	answer(&other, 1, ":status: 200\ncontent-length: 3", SV("two"));
	has(wire_get(client, "two", got), "200 OK");
	close(client);
	h2_close(&origin);
	h2_close(&other);
}

/* ---- it says good-bye ---- */

/* The last stream is answered; what it did not look at goes to another connection, content and all;
 * and so does what comes later. */
static void test_goaway(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin, other;
	struct h2_frame frame;
	int first = wire_dial(wire), second = wire_dial(wire);

	wire_put(first, SV(GET("/one")));
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	wire_put(second, SV(GET("/two")));
	h2_await(&origin, NGHTTP2_HEADERS, 3, &frame);
	h2_frame(&origin, NGHTTP2_GOAWAY, 0, 0, sv_new("\0\0\0\1\0\0\0\0", 8));
	h2_flush(&origin);
	accept_backend(wire, &other);
	h2_await(&other, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, ":path: /two\n");
	answer(&other, 1, ":status: 200\ncontent-length: 3", SV("two"));
	has(wire_get(second, "two", got), "200 OK");
	answer(&origin, 1, ":status: 200\ncontent-length: 3", SV("one"));
	has(wire_get(first, "one", got), "200 OK");
	wire_put(first, SV(GET("/three")));
	h2_await(&other, NGHTTP2_HEADERS, 3, &frame);
	close(first);
	close(second);
	h2_close(&origin);
	h2_close(&other);
}

static void test_refused(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin, other;
	struct h2_frame frame;
	int client = wire_dial(wire);

	wire_put(client, SV(GET("/one")));
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	h2_number(&origin, NGHTTP2_RST_STREAM, 1, NGHTTP2_REFUSED_STREAM);
	h2_flush(&origin);
	accept_backend(wire, &other);
	h2_await(&other, NGHTTP2_HEADERS, 1, &frame);
	answer(&other, 1, ":status: 200\ncontent-length: 3", SV("one"));
	has(wire_get(client, "one", got), "200 OK");
	close(client);
	h2_close(&origin);
	h2_close(&other);
}

/* ---- what is wrong with an answer ---- */

static const struct wrong {
	const char *name, *rows;
	uint8_t flags;
	struct str_view content; /* follows, with END_STREAM, unless the head has had that */
} wrongs[] = {
	{"no status", "x-a: 1", H2_END_STREAM, SV_INIT("")},
	{"a status that is no number", ":status: 20x", H2_END_STREAM, SV_INIT("")},
	{"a switch of protocols", ":status: 101", 0, SV_INIT("")},
	{"an interim answer as the last", ":status: 103", H2_END_STREAM, SV_INIT("")},
	{"an end behind an interim answer", ":status: 103", 0, SV_INIT("")},
	{"content behind an interim answer", ":status: 103", 0, SV_INIT("x")},
	{"a field of the connection", ":status: 200\nconnection: close", H2_END_STREAM,
	 SV_INIT("")},
	{"a coding of HTTP/1.1", ":status: 200\ntransfer-encoding: chunked", H2_END_STREAM,
	 SV_INIT("")},
	{"upper case", ":status: 200\nX-A: 1", H2_END_STREAM, SV_INIT("")},
	{"a pseudo-field of requests", ":status: 200\n:path: /", H2_END_STREAM, SV_INIT("")},
	{"a line break", ":status: 200\nx-a: 1\r", H2_END_STREAM, SV_INIT("")},
	{"two lengths", ":status: 200\ncontent-length: 1\ncontent-length: 2", 0, SV_INIT("x")},
	{"no length and something", ":status: 200\ncontent-length: 0", 0, SV_INIT("x")},
	{"a length and nothing", ":status: 200\ncontent-length: 5", H2_END_STREAM, SV_INIT("")},
};

static void test_malformed(void **state)
{
	struct wire *wire = *state;
	int client = wire_dial(wire);
	struct h2raw origin;
	struct h2_frame frame;

	for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
		int32_t stream = (int32_t)i * 2 + 1;

		wire_put(client, SV(GET("/wrong")));
		if (i == 0)
			accept_backend(wire, &origin);
		h2_await(&origin, NGHTTP2_HEADERS, stream, &frame);
		h2_headers(&origin, stream, wrongs[i].flags, wrongs[i].rows);
		if (wrongs[i].flags == 0)
			h2_data(&origin, stream, H2_END_STREAM, wrongs[i].content);
		h2_flush(&origin);
		if (strstr(wire_get(client, "Bad Gateway\n", got), " 502 ") == NULL)
			fail_msg("%s: %s", wrongs[i].name, got);
	}
	close(client);
	h2_close(&origin);
}

/* Too much, too little, or none at all when the status is out: the client sees that it is cut. */
static void test_cut(void **state)
{
	static const struct {
		const char *rows;
		struct str_view content;
		bool reset;
	} rows[] = {
		{":status: 200\ncontent-length: 3", SV_INIT("four"), false},
		{":status: 200\ncontent-length: 3", SV_INIT("no"), false},
		{":status: 200", SV_INIT("part"), true},
	};
	struct wire *wire = *state;
	struct h2raw origin;
	struct h2_frame frame;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int client = wire_dial(wire);
		int32_t stream = (int32_t)i * 2 + 1;

		wire_put(client, SV(GET("/cut")));
		if (i == 0)
			accept_backend(wire, &origin);
		h2_await(&origin, NGHTTP2_HEADERS, stream, &frame);
		h2_headers(&origin, stream, 0, rows[i].rows);
		h2_data(&origin, stream, rows[i].reset ? 0 : H2_END_STREAM, rows[i].content);
		if (rows[i].reset)
			h2_number(&origin, NGHTTP2_RST_STREAM, stream, NGHTTP2_INTERNAL_ERROR);
		h2_flush(&origin);
		has(wire_get(client, "\r\n\r\n", got), "200 OK");
		(void)wire_end_of(client); /* it ends, whole it is not */
	}
	h2_close(&origin);
}

/* Nonsense where frames should be, or the end: every request that is under way fails. */
static void test_broken(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin;
	struct h2_frame frame;
	int first = wire_dial(wire), second = wire_dial(wire);

	wire_put(first, SV(GET("/one")));
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	wire_put(second, SV("POST /two HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx"));
	h2_await(&origin, NGHTTP2_HEADERS, 3, &frame);
	h2_frame(&origin, NGHTTP2_DATA, 0, 0, SV("on no stream"));
	h2_flush(&origin);
	has(wire_get(first, "Bad Gateway\n", got), " 502 ");
	has(wire_get(second, "Bad Gateway\n", got), " 502 ");
	close(first);
	close(second);
	h2_close(&origin);
}

/* A kept connection that is closed when it is used: a request without content is sent again. */
static void test_kept_and_closed(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin, other;
	struct h2_frame frame;
	int client = wire_dial(wire);

	wire_put(client, SV(GET("/one")));
	accept_backend(wire, &origin);
	answer(&origin, 1, ":status: 200\ncontent-length: 3", SV("one"));
	wire_get(client, "one", got);
	wire_put(client, SV(GET("/two")));
	do
		h2_await(&origin, NGHTTP2_HEADERS, -1, &frame);
	while (frame.stream != 3);
	h2_close(&origin);
	accept_backend(wire, &other);
	h2_await(&other, NGHTTP2_HEADERS, 1, &frame);
	answer(&other, 1, ":status: 200\ncontent-length: 3", SV("two"));
	has(wire_get(client, "two", got), "200 OK");
	close(client);
	h2_close(&other);
}

/* ---- flow control ---- */

#define MUCH 3000000

/* A client that does not read stops its own stream, and no other. */
static void test_slow_client(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *zeros = xcalloc(1, 16384);
	struct h2raw origin, slow, quick;
	struct h2_frame frame;
	size_t sent = 0, most = 65535;

	h2_open(&slow, wire_dial(wire)); /* its window is the default, and never opened */
	h2_request(&slow, 1, H2_END_STREAM, "GET /slow");
	h2_flush(&slow);
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	h2_headers(&origin, 1, 0, ":status: 200");
	h2_open(&quick, wire_dial(wire));
	h2_request(&quick, 1, H2_END_STREAM, "GET /quick");
	h2_flush(&quick);
	h2_await(&origin, NGHTTP2_HEADERS, 3, &frame);
	/* As much as the window lets through, until it is opened no more: then the other stream's
	 * answer still passes. */
	h2_headers(&origin, 3, 0, ":status: 200\ncontent-length: 5");
	while (sent + 16384 <= most) {
		h2_data(&origin, 1, 0, sv_new(zeros, 16384));
		sent += 16384;
	}
	h2_data(&origin, 3, H2_END_STREAM, SV("quick"));
	h2_flush(&origin);
	assert_int_equal(h2_await_end(&quick, 1), 5);
	h2_close(&slow); /* and the backend is told */
	h2_await(&origin, NGHTTP2_RST_STREAM, 1, &frame);
	assert_int_equal(frame.code, NGHTTP2_CANCEL);
	h2_close(&quick);
	h2_close(&origin);
}

/* Much content for a backend that opens its windows by and by. */
static void test_slow_backend(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *zeros = xcalloc(1, MUCH);
	struct h2raw origin;
	struct h2_frame frame;
	int client = wire_dial(wire);
	size_t taken = 0, sent = 0;
	AUTO(auto_free)
	char *head = xasprintf("POST /much HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n",
			       MUCH);

	wire_put(client, sv_from(head));
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	while (taken < MUCH) {
		size_t part = MUCH - sent < 50000 ? MUCH - sent : 50000;

		wire_put(client, sv_new(zeros, part));
		sent += part;
		while (taken < sent) {
			h2_await(&origin, NGHTTP2_DATA, 1, &frame);
			taken += frame.payload.len;
			if (frame.payload.len > 0) {
				h2_number(&origin, NGHTTP2_WINDOW_UPDATE, 0,
					  (uint32_t)frame.payload.len);
				h2_number(&origin, NGHTTP2_WINDOW_UPDATE, 1,
					  (uint32_t)frame.payload.len);
				h2_flush(&origin);
			}
		}
	}
	assert_int_equal(taken, MUCH);
	answer(&origin, 1, ":status: 200\ncontent-length: 2", SV("ok"));
	has(wire_get(client, "ok", got), "200 OK");
	close(client);
	h2_close(&origin);
}

#define SLOW_IDLE_MS  2000
#define SLOW_STEPS    150 /* of 20 ms: longer than that */
#define SLOW_UPLOAD   200000
#define FIRST_WINDOW  65535
#define WINDOW_OF_ALL 1000000

/* As long as it takes something now and then, however little, a backend has not gone silent. */
static void test_slow_upload(void **state)
{
	struct wire_setup setup = wire_setup_default();
	AUTO(auto_free) char *zeros = xcalloc(1, SLOW_UPLOAD);
	AUTO(auto_free)
	char *head = xasprintf("POST /slow HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n",
			       SLOW_UPLOAD);
	struct wire *wire;
	struct h2raw origin;
	struct h2_frame frame;
	size_t taken = 0;
	int client;

	(void)state;
	setup.manual = true;
	setup.protocol = BACKEND_H2C;
	setup.limits.body_idle_ms = SLOW_IDLE_MS;
	wire = wire_start_with(&setup);
	client = wire_dial(wire);
	wire_put(client, sv_from(head));
	wire_put(client, sv_new(zeros, SLOW_UPLOAD));
	accept_backend(wire, &origin);
	h2_number(&origin, NGHTTP2_WINDOW_UPDATE, 0, WINDOW_OF_ALL);
	for (int i = 0; i < SLOW_STEPS; i++) {
		for (size_t due = FIRST_WINDOW + (size_t)i; taken < due; taken += frame.payload.len)
			h2_await(&origin, NGHTTP2_DATA, 1, &frame);
		poll(NULL, 0, 20);
		h2_number(&origin, NGHTTP2_WINDOW_UPDATE, 1, 1);
		h2_flush(&origin);
	}
	h2_number(&origin, NGHTTP2_WINDOW_UPDATE, 1, WINDOW_OF_ALL);
	h2_flush(&origin);
	assert_int_equal(taken + h2_await_end(&origin, 1), SLOW_UPLOAD);
	answer(&origin, 1, ":status: 200\ncontent-length: 2", SV("ok"));
	has(wire_get(client, "ok", got), "200 OK");
	close(client);
	h2_close(&origin);
	wire_stop(wire);
}

/* An answer before the request is whole: the client has it, the backend gets no more. */
static void test_early_answer(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin;
	struct h2_frame frame;
	int client = wire_dial(wire);

	wire_put(client, SV("POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nabc"));
	accept_backend(wire, &origin);
	h2_await(&origin, NGHTTP2_DATA, 1, &frame);
	answer(&origin, 1, ":status: 413\ncontent-length: 2", SV("no"));
	has(wire_get(client, "no", got), " 413 ");
	h2_await(&origin, NGHTTP2_RST_STREAM, 1, &frame);
	assert_int_equal(frame.code, NGHTTP2_NO_ERROR);
	close(client);
	h2_close(&origin);
}

/* ---- WebSockets: extended CONNECT (RFC 8441), to who has said that it takes it ---- */

#define WS_ASK                                                                              \
	"GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define WS_CONNECT                                                                    \
	":method: CONNECT\n:protocol: websocket\n:scheme: http\n:authority: a.test\n" \
	":path: /chat?room=1\nsec-websocket-version: 13\nsec-websocket-protocol: talk"

static void accept_websockets(struct wire *wire, struct h2raw *origin)
{
	h2_accept_saying(origin, wire_backend(wire), NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
}

static void test_websocket(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin;
	struct h2_frame frame;
	int client = wire_dial(wire);

	wire_put(client, SV(WS_ASK "early"));
	accept_websockets(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, ":method: CONNECT\n");
	has(frame.fields, ":protocol: websocket\n");
	has(frame.fields, ":scheme: http\n");
	has(frame.fields, ":path: /ws\n");
	has(frame.fields, "sec-websocket-version: 13\n");
	has_not(frame.fields, "sec-websocket-key");
	assert_int_equal(frame.flags & H2_END_STREAM, 0);
	h2_headers(&origin, 1, 0, ":status: 200\nsec-websocket-protocol: talk");
	h2_data(&origin, 1, 0, SV("first"));
	h2_flush(&origin);
	has(wire_get(client, "first", got), "HTTP/1.1 101 ");
	has(got, "upgrade: websocket\r\n");
	has(got, "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
	has(got, "sec-websocket-protocol: talk\r\n");
	h2_await(&origin, NGHTTP2_DATA, 1, &frame);
	assert_true(sv_eq(frame.payload, SV("early")));
	wire_put(client, SV("\x81\x02hi"));
	h2_await(&origin, NGHTTP2_DATA, 1, &frame);
	assert_true(sv_eq(frame.payload, SV("\x81\x02hi")));
	shutdown(client, SHUT_WR);
	assert_int_equal(h2_await_end(&origin, 1), 0);
	h2_data(&origin, 1, H2_END_STREAM, SV("good-bye"));
	h2_flush(&origin);
	wire_get(client, "good-bye", got);
	assert_int_equal(wire_end_of(client), WIRE_FIN);
	close(client);
	h2_close(&origin);
}

static void test_websocket_of_h2(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin, client;
	struct h2_frame frame;

	h2_open(&client, wire_dial(wire));
	h2_headers(&client, 1, 0, WS_CONNECT);
	h2_flush(&client);
	accept_websockets(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, ":method: CONNECT\n");
	has(frame.fields, ":path: /chat?room=1\n");
	has_not(frame.fields, "sec-websocket-key");
	h2_headers(&origin, 1, 0, ":status: 200");
	h2_flush(&origin);
	h2_await(&client, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, ":status: 200\n");
	has_not(frame.fields, "sec-websocket-accept");
	h2_data(&client, 1, 0, SV("ping"));
	h2_flush(&client);
	h2_await(&origin, NGHTTP2_DATA, 1, &frame);
	assert_true(sv_eq(frame.payload, SV("ping")));
	h2_data(&origin, 1, H2_END_STREAM, SV("pong"));
	h2_flush(&origin);
	assert_int_equal(h2_await_end(&client, 1), 4);
	h2_close(&client);
	h2_close(&origin);
}

/* Its own no is passed on; who takes no WebSockets is not asked. */
static void test_websocket_refused(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin;
	struct h2_frame frame;
	int client = wire_dial(wire);

	wire_put(client, SV(WS_ASK));
	accept_websockets(wire, &origin);
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	answer(&origin, 1, ":status: 403\ncontent-length: 2", SV("no"));
	has(wire_get(client, "no", got), "HTTP/1.1 403 ");
	close(client);
	h2_close(&origin);
}

static void test_websocket_unsupported(void **state)
{
	struct wire *wire = *state;
	struct h2raw origin;
	struct h2_frame frame;
	int client = wire_dial(wire), other = wire_dial(wire);

	wire_put(client, SV(WS_ASK));
	accept_backend(wire, &origin);
	has(wire_get(client, "\r\n\r\n", got), "HTTP/1.1 502 ");
	wire_put(other, SV(GET("/one"))); /* the connection is as good as before */
	h2_await(&origin, NGHTTP2_HEADERS, 1, &frame);
	has(frame.fields, ":path: /one\n");
	answer(&origin, 1, ":status: 200\ncontent-length: 3", SV("one"));
	has(wire_get(other, "one", got), "200 OK");
	close(client);
	close(other);
	h2_close(&origin);
}

static int start(void **state)
{
	struct wire_setup setup = wire_setup_default();

	setup.manual = true;
	setup.protocol = BACKEND_H2C;
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
		EACH(test_request),
		EACH(test_streams),
		EACH(test_never_indexed),
		EACH(test_empty_answer),
		EACH(test_headers_only),
		EACH(test_end_beside_long),
		EACH(test_long_and_narrow),
		EACH(test_shared),
		EACH(test_streams_max),
		EACH(test_goaway),
		EACH(test_refused),
		EACH(test_malformed),
		EACH(test_cut),
		EACH(test_broken),
		EACH(test_kept_and_closed),
		EACH(test_slow_client),
		EACH(test_slow_backend),
		EACH(test_early_answer),
		EACH(test_no_streams),
		cmocka_unit_test(test_slow_upload),
		EACH(test_websocket),
		EACH(test_websocket_of_h2),
		EACH(test_websocket_refused),
		EACH(test_websocket_unsupported),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
