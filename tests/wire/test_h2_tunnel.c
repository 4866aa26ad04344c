/* WebSocket over HTTP/2 (RFC 8441) against a real worker: extended CONNECT here, an upgrade of
 * HTTP/1.1 there, and bytes between them. */
#include "h2raw.h"
#include "wire.h"

#include "base/buf.h"
#include "base/enc.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define ASK                                                                           \
	":method: CONNECT\n:protocol: websocket\n:scheme: http\n:authority: a.test\n" \
	":path: /chat?room=1\nsec-websocket-version: 13\nsec-websocket-protocol: talk"

static char got[WIRE_GET_MAX];

static void has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void answered(struct h2raw *h2, int32_t stream, const char *status, struct h2_frame *frame)
{
	h2_await(h2, NGHTTP2_HEADERS, stream, frame);
	if (strncmp(frame->fields, ":status: ", 9) != 0 ||
	    strncmp(frame->fields + 9, status, 3) != 0)
		fail_msg("stream %d: awaited %s, got:\n%s", stream, status, frame->fields);
}

/* What RFC 6455, section 4.2.2 asks of the backend: the key of head, digested. */
static void agree(int backend, const char *head, const char *behind)
{
	const char *key = strstr(head, "sec-websocket-key: ");
	unsigned char digest[SHA_DIGEST_LENGTH];
	struct buf proof;
	char text[128];

	assert_non_null(key);
	assert_int_equal(strcspn(key + 19, "\r"), 24);
	(void)snprintf(text, sizeof(text), "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 19);
	(void)SHA1((const unsigned char *)text, strlen(text), digest);
	buf_init(&proof, 64);
	assert_true(enc_base64(&proof, sv_new((const char *)digest, sizeof(digest))));
	(void)snprintf(got, sizeof(got),
		       "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
		       "Upgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n"
		       "Sec-WebSocket-Protocol: talk\r\n\r\n%s",
		       buf_cstr(&proof), behind);
	buf_deinit(&proof);
	wire_put(backend, sv_from(got));
}

static int ask(struct wire *wire, struct h2raw *h2, int32_t stream)
{
	h2_headers(h2, stream, 0, ASK);
	h2_flush(h2);
	return wire_backend(wire);
}

static void test_setting(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	struct h2_frame frame;
	bool offered = false;

	h2_open(&h2, wire_dial(wire));
	h2_flush(&h2);
	h2_await(&h2, NGHTTP2_SETTINGS, 0, &frame);
	for (size_t i = 0; i + 6 <= frame.payload.len; i += 6)
		offered = offered || memcmp(frame.payload.data + i, "\0\x8\0\0\0\1", 6) == 0;
	assert_true(offered);
	h2_close(&h2);
}

static void test_tunnel(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	struct h2_frame frame;
	int backend;

	h2_open(&h2, wire_dial(wire));
	backend = ask(wire, &h2, 1);
	has(wire_get(backend, "\r\n\r\n", got), "GET /chat?room=1 HTTP/1.1\r\nhost: a.test\r\n");
	has(got, "connection: upgrade\r\nupgrade: websocket\r\n");
	has(got, "sec-websocket-version: 13\r\n");
	has(got, "sec-websocket-protocol: talk\r\n");
	h2_data(&h2, 1, 0, SV("early"));
	h2_flush(&h2);
	agree(backend, got, "first");
	answered(&h2, 1, "200", &frame);
	has(frame.fields, "sec-websocket-protocol: talk\n");
	assert_null(strstr(frame.fields, "sec-websocket-accept"));
	assert_null(strstr(frame.fields, "upgrade"));
	h2_await(&h2, NGHTTP2_DATA, 1, &frame);
	assert_memory_equal(frame.payload.data, "first", 5);
	wire_get(backend, "early", got);
	h2_data(&h2, 1, 0, SV("\x81\x02hi"));
	h2_request(&h2, 3, H2_END_STREAM, "GET /denied"); /* beside others */
	h2_flush(&h2);
	wire_get(backend, "\x81\x02hi", got);
	answered(&h2, 3, "301", &frame);
	wire_put(backend, SV("0\r\n\r\n")); /* no framing of ours in there */
	h2_await(&h2, NGHTTP2_DATA, 1, &frame);
	assert_memory_equal(frame.payload.data, "0\r\n\r\n", 5);
	/* each side ends in its own time */
	h2_data(&h2, 1, H2_END_STREAM, SV("bye"));
	h2_flush(&h2);
	wire_get(backend, "bye", got);
	assert_int_equal(read(backend, got, 1), 0);
	wire_put(backend, SV("good-bye"));
	close(backend);
	assert_int_equal(h2_await_end(&h2, 1), 8);
	h2_close(&h2);
}

/* The end of the stream that comes before the backend has agreed. */
static void test_short(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	struct h2_frame frame;
	int backend;

	h2_open(&h2, wire_dial(wire));
	backend = ask(wire, &h2, 1);
	h2_data(&h2, 1, H2_END_STREAM, SV("all"));
	h2_request(&h2, 3, H2_END_STREAM, "GET /denied");
	h2_flush(&h2);
	answered(&h2, 3, "301", &frame); /* so that has been read */
	wire_get(backend, "\r\n\r\n", got);
	agree(backend, got, "");
	answered(&h2, 1, "200", &frame);
	wire_get(backend, "all", got);
	assert_int_equal(read(backend, got, 1), 0);
	close(backend);
	assert_int_equal(h2_await_end(&h2, 1), 0);
	h2_close(&h2);
}

static void test_reset(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	struct h2_frame frame;
	int backend;

	h2_open(&h2, wire_dial(wire));
	backend = ask(wire, &h2, 1);
	wire_get(backend, "\r\n\r\n", got);
	agree(backend, got, "");
	answered(&h2, 1, "200", &frame);
	h2_number(&h2, NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
	h2_flush(&h2);
	(void)wire_end_of(backend); /* at once */
	backend = ask(wire, &h2, 3);
	wire_get(backend, "\r\n\r\n", got);
	agree(backend, got, "");
	answered(&h2, 3, "200", &frame);
	h2_headers(&h2, 3, H2_END_STREAM, "x: y"); /* only DATA may come (RFC 9113, 8.5) */
	h2_flush(&h2);
	h2_await(&h2, NGHTTP2_RST_STREAM, 3, &frame);
	assert_int_equal(frame.code, NGHTTP2_PROTOCOL_ERROR);
	(void)wire_end_of(backend);
	h2_close(&h2);
}

/* Answers of backends that are not the tunnel that was asked for. */
static const struct {
	const char *name, *answer, *status;
} refusals[] = {
	{"a refusal", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "403"},
	{"a success that is no upgrade", OK, "502"},
	{"no proof",
	 "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	 "502"},
	{"a proof of something else",
	 "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
	 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
	 "502"},
	{"another protocol",
	 "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "502"},
};

static void test_refusals(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	struct h2_frame frame;

	h2_open(&h2, wire_dial(wire));
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		int32_t id = (int32_t)(2 * i + 1);
		int backend = ask(wire, &h2, id);

		print_message("  %s\n", refusals[i].name);
		wire_get(backend, "\r\n\r\n", got);
		wire_put(backend, sv_from(refusals[i].answer));
		answered(&h2, id, refusals[i].status, &frame);
		if ((frame.flags & H2_END_STREAM) == 0)
			(void)h2_await_end(&h2, id);
		h2_await(&h2, NGHTTP2_RST_STREAM, id, &frame); /* it need not send the rest */
		assert_int_equal(frame.code, NGHTTP2_NO_ERROR);
		close(backend);
	}
	h2_close(&h2);
}

/* Requests that are not that question; no backend hears of them. */
static const struct {
	const char *name, *rows;
	const char *status; /* NULL: a stream error */
} mistakes[] = {
	{"another protocol",
	 ":method: CONNECT\n:protocol: connect-udp\n:scheme: http\n:authority: a.test\n:path: /",
	 "501"},
	{":protocol without CONNECT",
	 ":method: GET\n:protocol: websocket\n:scheme: http\n:authority: a.test\n:path: /\n"
	 "sec-websocket-version: 13",
	 NULL},
	{"no version",
	 ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:authority: a.test\n:path: /",
	 NULL},
	{"no path",
	 ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:authority: a.test\n"
	 "sec-websocket-version: 13",
	 NULL},
	{"a length", ASK "\ncontent-length: 3", NULL},
	{":protocol twice", ":protocol: websocket\n" ASK, NULL},
	{"upgrade", ASK "\nupgrade: websocket", NULL},
};

static void test_mistakes(void **state)
{
	struct wire *wire = *state;
	struct h2raw h2;
	struct h2_frame frame;

	h2_open(&h2, wire_dial(wire));
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		int32_t id = (int32_t)(2 * i + 1);

		print_message("  %s\n", mistakes[i].name);
		h2_headers(&h2, id, 0, mistakes[i].rows);
		h2_flush(&h2);
		if (mistakes[i].status != NULL) {
			answered(&h2, id, mistakes[i].status, &frame);
			continue;
		}
		h2_await(&h2, NGHTTP2_RST_STREAM, id, &frame);
		assert_int_equal(frame.code, NGHTTP2_PROTOCOL_ERROR);
	}
	h2_headers(&h2, 101, H2_END_STREAM, ASK); /* ends before it begins */
	h2_flush(&h2);
	h2_await(&h2, NGHTTP2_RST_STREAM, 101, &frame);
	assert_int_equal(frame.code, NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(wire_metric(wire, "sallyport_upstream_dials_total"), 0);
	h2_close(&h2);
}

#define MUCH (1u << 20)

/* Much, both ways: windows and buffers pass it on, octet for octet. */
static void test_much(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *body = xmalloc(MUCH);
	AUTO(auto_free) char *back = xmalloc(MUCH);
	struct h2raw h2;
	struct h2_frame frame;
	size_t done = 0;
	int backend;

	for (size_t i = 0; i < MUCH; i++)
		body[i] = (char)(i * 31 + i / 251);
	h2_open(&h2, wire_dial(wire));
	h2_await(&h2, NGHTTP2_SETTINGS, 0, &frame);
	h2_frame(&h2, NGHTTP2_SETTINGS, H2_ACK, 0, SV(""));
	backend = ask(wire, &h2, 1);
	wire_get(backend, "\r\n\r\n", got);
	agree(backend, got, "");
	answered(&h2, 1, "200", &frame);
	while (done < MUCH) { /* to the backend, a window at a time */
		h2_data(&h2, 1, 0, sv_new(body + done, 16384));
		h2_flush(&h2);
		wire_get_bytes(backend, back + done, 16384);
		done += 16384;
	}
	assert_memory_equal(body, back, MUCH);
	for (done = 0; done < MUCH; done += 16384) { /* and back */
		size_t some = 0;

		wire_put(backend, sv_new(body + done, 16384));
		while (some < 16384) {
			h2_await(&h2, NGHTTP2_DATA, 1, &frame);
			assert_memory_equal(frame.payload.data, body + done + some,
					    frame.payload.len);
			some += frame.payload.len;
			h2_number(&h2, NGHTTP2_WINDOW_UPDATE, 0, (uint32_t)frame.payload.len);
			h2_number(&h2, NGHTTP2_WINDOW_UPDATE, 1, (uint32_t)frame.payload.len);
			h2_flush(&h2);
		}
	}
	h2_close(&h2);
	(void)wire_end_of(backend);
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
		EACH(test_setting),  EACH(test_tunnel),   EACH(test_short), EACH(test_reset),
		EACH(test_refusals), EACH(test_mistakes), EACH(test_much),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
