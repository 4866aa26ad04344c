/* HTTP/2 as an attack (RFC 9113, section 10.5): what each costs its sender, and by what name the
 * operator hears of it. And what is no attack, though it looks like one. */
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
#include <unistd.h>

#define SOON_MS 200
#define ATTACKS "sallyport_h2_attacks_total"

static char got[WIRE_GET_MAX];

static void answered(struct h2raw *h2, int32_t stream, const char *status)
{
	struct h2_frame frame;

	h2_await(h2, NGHTTP2_HEADERS, stream, &frame);
	if (strncmp(frame.fields, ":status: ", 9) != 0 || strncmp(frame.fields + 9, status, 3) != 0)
		fail_msg("stream %d: awaited %s, got:\n%s", stream, status, frame.fields);
}

/* ---- floods ---- */

typedef void flood_step(struct h2raw *h2, int32_t i);

static void flood_ping(struct h2raw *h2, int32_t i)
{
	(void)i;
	h2_frame(h2, NGHTTP2_PING, 0, 0, SV("12345678"));
}

static void flood_ping_ack(struct h2raw *h2, int32_t i)
{
	(void)i;
	h2_frame(h2, NGHTTP2_PING, H2_ACK, 0, SV("12345678"));
}

static void flood_settings(struct h2raw *h2, int32_t i)
{
	(void)i;
	h2_frame(h2, NGHTTP2_SETTINGS, 0, 0, SV(""));
}

static void flood_window(struct h2raw *h2, int32_t i)
{
	(void)i;
	h2_number(h2, NGHTTP2_WINDOW_UPDATE, 0, 1);
}

static void flood_priority(struct h2raw *h2, int32_t i)
{
	h2_frame(h2, NGHTTP2_PRIORITY, 0, 2 * i + 1, SV("\0\0\0\0\1"));
}

static void flood_empty(struct h2raw *h2, int32_t i)
{
	if (i == 0)
		h2_request(h2, 1, 0, "POST /denied/x\ncontent-length: 0");
	h2_frame(h2, NGHTTP2_DATA, 0, 1, SV(""));
}

static void flood_rst_closed(struct h2raw *h2, int32_t i)
{
	if (i == 0)
		h2_request(h2, 1, H2_END_STREAM, "GET /denied");
	else
		h2_number(h2, NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
}

static void flood_reset(struct h2raw *h2, int32_t i)
{
	h2_request(h2, 2 * i + 1, H2_END_STREAM, "GET /");
	h2_number(h2, NGHTTP2_RST_STREAM, 2 * i + 1, NGHTTP2_CANCEL);
}

static void flood_reset_no_error(struct h2raw *h2, int32_t i)
{
	h2_request(h2, 2 * i + 1, H2_END_STREAM, "GET /denied");
	h2_number(h2, NGHTTP2_RST_STREAM, 2 * i + 1, NGHTTP2_NO_ERROR);
}

/* MadeYouReset: the client's mistakes make us reset. */
static void flood_made_window(struct h2raw *h2, int32_t i)
{
	h2_request(h2, 2 * i + 1, H2_END_STREAM, "GET /");
	h2_number(h2, NGHTTP2_WINDOW_UPDATE, 2 * i + 1, 0x7fffffff);
}

static void flood_made_length(struct h2raw *h2, int32_t i)
{
	h2_request(h2, 2 * i + 1, 0, "POST /\ncontent-length: 1");
	h2_data(h2, 2 * i + 1, H2_END_STREAM, SV("abc"));
}

static void flood_made_head(struct h2raw *h2, int32_t i)
{
	h2_request(h2, 2 * i + 1, H2_END_STREAM, "GET /\nconnection: close");
}

static void flood_streams(struct h2raw *h2, int32_t i)
{
	h2_request(h2, 2 * i + 1, 0, "POST /denied/x\ncontent-length: 0");
}

static void flood_continuation(struct h2raw *h2, int32_t i)
{
	if (i == 0)
		h2_frame(h2, NGHTTP2_HEADERS, 0, 1, SV("\x82"));
	else
		h2_frame(h2, NGHTTP2_CONTINUATION, 0, 1, SV(""));
}

/* One field in the dynamic table, and one octet for each time that it comes again (RFC 7541). */
static void flood_hpack(struct h2raw *h2, int32_t i)
{
	static const struct str_view field = SV_INIT("\x40\x01x\x7f\xa1\x1d"); /* 3,872 octets */
	static char block[14000];

	if (i > 0)
		return;
	memcpy(block, field.data, field.len);
	memset(block + field.len, 'v', 3872);
	memset(block + field.len + 3872, 0xbe, sizeof(block) - field.len - 3872);
	h2_frame(h2, NGHTTP2_HEADERS, H2_END_HEADERS, 1, sv_new(block, sizeof(block)));
}

static void flood_unknown(struct h2raw *h2, int32_t i)
{
	(void)i;
	h2_frame(h2, 0xfa, 0, 0, SV("x"));
}

static const struct flood {
	const char *name;
	const char *attack;
	flood_step *step;
	int32_t count;
} floods[] = {
	{"PING", "ping", flood_ping, 4000},
	{"PING that nobody asked for", "ping", flood_ping_ack, 4000},
	{"SETTINGS", "settings", flood_settings, 4000},
	{"WINDOW_UPDATE", "window_update", flood_window, 4000},
	{"PRIORITY", "priority", flood_priority, 4000},
	{"empty DATA", "empty_data", flood_empty, 4000},
	{"RST_STREAM of a closed stream", "closed_streams", flood_rst_closed, 4000},
	{"rapid reset", "rapid_reset", flood_reset, 4000},
	{"rapid reset without an error", "rapid_reset", flood_reset_no_error, 4000},
	{"MadeYouReset: window too large", "made_you_reset", flood_made_window, 4000},
	{"MadeYouReset: length", "made_you_reset", flood_made_length, 4000},
	{"MadeYouReset: fields", "made_you_reset", flood_made_head, 4000},
	{"streams above the limit", "excess_streams", flood_streams, 4000},
	{"CONTINUATION", "continuation", flood_continuation, 4000},
	{"HPACK that expands", "hpack", flood_hpack, 1},
	{"frames that nobody knows", "unknown_frames", flood_unknown, 4000},
};

static void test_floods(void **state)
{
	struct wire *wire = *state;

	for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
		struct h2raw h2;
		struct h2_frame frame = {.type = 0};
		uint64_t before = wire_metric(wire, ATTACKS);
		uint32_t code = UINT32_MAX;
		char name[128];

		(void)snprintf(name, sizeof(name), ATTACKS "{attack=\"%s\"}", floods[i].attack);

		h2_open(&h2, wire_dial(wire));
		for (int32_t k = 0; k < floods[i].count; k++)
			floods[i].step(&h2, k);
		h2_flush(&h2);
		while (h2_next(&h2, &frame)) {
			if (frame.type == NGHTTP2_GOAWAY)
				code = frame.code;
		}
		if (code != NGHTTP2_ENHANCE_YOUR_CALM || wire_metric(wire, ATTACKS) != before + 1 ||
		    wire_metric(wire, name) == 0)
			fail_msg("%s: ended with %u", floods[i].name, code);
		h2_close(&h2);
	}
	wire_await_metric(wire, "sallyport_connections_active", 0);
}

/* An honest client that leaves a page, and one that takes much in small pieces. */
static void test_no_flood(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *body = xcalloc(1, 4 << 20);
	struct h2raw h2;
	int backend;
	size_t done = 0;

	h2_open(&h2, wire_dial(wire));
	for (int32_t i = 0; i < 128; i++)
		h2_request(&h2, 2 * i + 1, 0, "POST /denied/x\ncontent-length: 0");
	for (int32_t i = 0; i < 128; i++)
		h2_number(&h2, NGHTTP2_RST_STREAM, 2 * i + 1, NGHTTP2_CANCEL);
	h2_request(&h2, 1001, H2_END_STREAM, "GET /much");
	h2_flush(&h2);
	backend = wire_backend(wire);
	wire_get(backend, "\r\n\r\n", got);
	wire_put(backend, SV("HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n"));
	answered(&h2, 1001, "200");
	while (done < 4 << 20) {
		struct h2_frame frame;

		if (done % 65536 == 0)
			wire_put(backend, sv_new(body + done, 65536));
		h2_await(&h2, NGHTTP2_DATA, 1001, &frame);
		done += frame.payload.len;
		for (size_t left = frame.payload.len; left > 0;) {
			size_t part = left < 2048 ? left : 2048;

			h2_number(&h2, NGHTTP2_WINDOW_UPDATE, 0, (uint32_t)part);
			h2_number(&h2, NGHTTP2_WINDOW_UPDATE, 1001, (uint32_t)part);
			left -= part;
		}
		h2_flush(&h2);
	}
	assert_int_equal(wire_metric(wire, ATTACKS), 0);
	h2_close(&h2);
	close(backend);
}

/* ---- streams on which nothing moves ---- */

static struct wire *impatient(void)
{
	struct wire_setup setup = wire_setup_default();

	setup.manual = true;
	setup.limits.body_idle_ms = SOON_MS;
	return wire_start_with(&setup);
}

static void ends_calm(struct h2raw *h2)
{
	struct h2_frame frame;

	h2_await(h2, NGHTTP2_GOAWAY, 0, &frame);
	assert_int_equal(frame.code, NGHTTP2_ENHANCE_YOUR_CALM);
	while (h2_next(h2, &frame))
		;
	h2_close(h2);
}

#define MANY 128

static void test_idle_streams(void **state)
{
	struct wire *wire = impatient();
	struct h2raw h2;

	(void)state;
	h2_open(&h2, wire_dial(wire));
	for (int32_t i = 0; i < MANY; i++)
		h2_request(&h2, 2 * i + 1, 0, "POST /denied/x\ncontent-length: 0");
	h2_flush(&h2);
	ends_calm(&h2);
	assert_int_equal(wire_metric(wire, ATTACKS "{attack=\"idle_streams\"}"), 1);
	wire_stop(wire);
}

static void test_zero_windows(void **state)
{
	struct wire *wire = impatient();
	struct h2raw h2;

	(void)state;
	h2_open(&h2, wire_dial(wire));
	h2_setting(&h2, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
	for (int32_t i = 0; i < MANY; i++)
		h2_request(&h2, 2 * i + 1, H2_END_STREAM, "GET /dead");
	h2_flush(&h2);
	ends_calm(&h2);
	assert_int_equal(wire_metric(wire, ATTACKS "{attack=\"zero_window\"}"), 1);
	wire_stop(wire);
}

/* ---- uploads to backends that do not read ---- */

#define STALLED 16

/* All that the stream's window allows; nobody takes it. */
static void test_stalled_uploads(void **state)
{
	struct wire *wire = *state;
	static char body[16384];
	struct h2raw h2;
	int stalled[STALLED], backend;

	h2_open(&h2, wire_dial(wire));
	for (int32_t i = 0; i < STALLED; i++) { /* until the window is shut */
		struct pollfd room = {.fd = h2.fd, .events = POLLIN};
		int32_t id = 2 * i + 1;
		size_t window = 131072;

		h2_request(&h2, id, 0, "PUT /stalled");
		h2_flush(&h2);
		stalled[i] = wire_backend(wire);
		for (bool open = true; open;) {
			struct h2_frame frame;

			for (; window > 0; window -= window < sizeof(body) ? window : sizeof(body))
				h2_data(&h2, id, 0,
					sv_new(body,
					       window < sizeof(body) ? window : sizeof(body)));
			h2_flush(&h2);
			while (window == 0 && (open = poll(&room, 1, SOON_MS) == 1)) {
				assert_true(h2_next(&h2, &frame));
				if (frame.type == NGHTTP2_WINDOW_UPDATE && frame.stream == id)
					window = (size_t)(unsigned char)frame.payload.data[1]
							 << 16 |
						 (size_t)(unsigned char)frame.payload.data[2] << 8 |
						 (size_t)(unsigned char)frame.payload.data[3];
			}
		}
	}
	h2_request(&h2, 1001, 0, "PUT /quick");
	h2_data(&h2, 1001, H2_END_STREAM, SV("quick"));
	h2_flush(&h2);
	backend = wire_backend(wire);
	wire_get(backend, "quick\r\n0\r\n\r\n", got);
	wire_put(backend, SV("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
	answered(&h2, 1001, "200");
	h2_close(&h2);
	close(backend);
	for (int i = 0; i < STALLED; i++)
		(void)wire_end_of(stalled[i]);
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
		EACH(test_floods),
		EACH(test_no_flood),
		EACH(test_stalled_uploads),
		cmocka_unit_test(test_idle_streams),
		cmocka_unit_test(test_zero_windows),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
