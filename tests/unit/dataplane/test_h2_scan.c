/* Frame heads are found however the bytes are cut, and streams that are no more are known. */
#include "dataplane/h2_scan.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>
#include <string.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* SETTINGS of nothing, DATA of 5 on stream 3, PING of 8, PRIORITY of stream 9 behind 7. */
static const struct str_view stream = SV_INIT(PREFACE "\0\0\0\4\0\0\0\0\0"
						      "\0\0\5\0\1\0\0\0\3hello"
						      "\0\0\10\6\0\0\0\0\0"
						      "12345678"
						      "\0\0\5\2\0\0\0\0\11"
						      "\0\0\0\7w");

static const struct {
	unsigned type;
	int32_t id;
} frames[] = {{NGHTTP2_SETTINGS, 0}, {NGHTTP2_DATA, 3}, {NGHTTP2_PING, 0}, {NGHTTP2_PRIORITY, 9}};

static void test_cuts(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= stream.len; piece++) {
		struct h2_scan scan;
		size_t heads = 0;

		h2_scan_init(&scan);
		for (size_t at = 0; at < stream.len; at += piece) {
			struct str_view rest = sv_head(sv_skip(stream, at), piece);

			while (rest.len > 0) {
				bool complete;
				size_t used = h2_scan_next(&scan, rest, &complete);

				assert_in_range(used, 1, rest.len);
				rest = sv_skip(rest, used);
				if (!complete)
					continue;
				assert_in_range(heads, 0, ARRAY_LEN(frames) - 1);
				assert_int_equal(h2_scan_type(&scan), frames[heads].type);
				assert_int_equal(h2_scan_stream(&scan), frames[heads].id);
				heads++;
			}
		}
		assert_int_equal(heads, ARRAY_LEN(frames));
		assert_int_equal(scan.head[12], 7);
		assert_int_equal(scan.left, 0);
		assert_int_equal(scan.head_len, 0);
	}
}

static enum h2_verdict judge(struct h2_scan *scan, uint8_t type, int32_t id, bool open)
{
	memset(scan->head, 0, sizeof(scan->head));
	scan->head[3] = type;
	scan->head[5] = (unsigned char)(id >> 24);
	scan->head[6] = (unsigned char)(id >> 16);
	scan->head[7] = (unsigned char)(id >> 8);
	scan->head[8] = (unsigned char)id;
	return h2_scan_verdict(scan, open);
}

static void test_verdicts(void **state)
{
	/* Before: streams 1 and 5 were opened and have ended, 7 was ended early by us, 9 is open.
	 */
	static const struct {
		const char *name;
		uint8_t type;
		int32_t id;
		bool open;
		enum h2_verdict verdict;
	} rows[] = {
		{"a new stream", NGHTTP2_HEADERS, 11, false, H2_FINE},
		{"trailers", NGHTTP2_HEADERS, 9, true, H2_FINE},
		{"content", NGHTTP2_DATA, 9, true, H2_FINE},
		{"content of an idle stream: the library's matter", NGHTTP2_DATA, 13, false,
		 H2_FINE},
		{"a stream that was passed over", NGHTTP2_HEADERS, 3, false, H2_BACKWARDS},
		{"a stream that has ended", NGHTTP2_HEADERS, 5, false, H2_STREAM_IS_CLOSED},
		{"its content", NGHTTP2_DATA, 5, false, H2_STREAM_IS_CLOSED},
		{"content under way", NGHTTP2_DATA, 7, false, H2_LATE},
		{"trailers under way", NGHTTP2_HEADERS, 7, false, H2_LATE},
		{"windows come late", NGHTTP2_WINDOW_UPDATE, 5, false, H2_FINE},
		{"resets cross", NGHTTP2_RST_STREAM, 5, false, H2_FINE},
		{"even streams: the library's matter", NGHTTP2_HEADERS, 4, false, H2_FINE},
		{"the connection", NGHTTP2_DATA, 0, false, H2_FINE},
		{"priority of an idle stream", NGHTTP2_PRIORITY, 11, false, H2_FINE},
		{"priority of a closed one", NGHTTP2_PRIORITY, 5, false, H2_FINE},
		{"priority of the connection", NGHTTP2_PRIORITY, 0, false, H2_POINTLESS},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct h2_scan scan;

		h2_scan_init(&scan);
		for (int32_t id = 1; id <= 9; id += 2) {
			if (id != 3)
				(void)judge(&scan, NGHTTP2_HEADERS, id, false);
		}
		h2_scan_closed(&scan, 1, false);
		h2_scan_closed(&scan, 5, false);
		h2_scan_closed(&scan, 7, true);
		if (judge(&scan, rows[i].type, rows[i].id, rows[i].open) != rows[i].verdict)
			fail_msg("%s", rows[i].name);
	}
}

/* A dependency counts where there is one, without its first bit. */
static void test_priority(void **state)
{
	static const struct {
		struct str_view frame;
		enum h2_verdict verdict;
	} rows[] = {
		{SV_INIT("\0\0\5\2\0\0\0\0\3\0\0\0\3w"), H2_POINTLESS},
		{SV_INIT("\0\0\5\2\0\0\0\0\3\200\0\0\3w"), H2_POINTLESS},
		{SV_INIT("\0\0\5\2\0\0\0\0\3\0\0\0\5w"), H2_FINE},
		{SV_INIT("\0\0\5\1\0\0\0\0\3\0\0\0\3w"), H2_FINE},
		{SV_INIT("\0\0\3\2\0\0\0\0\3\0\0\0"), H2_FINE}, /* of a wrong length */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct h2_scan scan;
		bool complete;

		h2_scan_init(&scan);
		(void)h2_scan_next(&scan, SV(PREFACE), &complete);
		assert_int_equal(h2_scan_next(&scan, rows[i].frame, &complete), rows[i].frame.len);
		assert_true(complete);
		assert_int_equal(h2_scan_verdict(&scan, false), rows[i].verdict);
	}
}

/* What lies far back is forgotten: an error either way. */
static void test_forgotten(void **state)
{
	struct h2_scan scan;

	(void)state;
	h2_scan_init(&scan);
	for (int32_t id = 1; id < 2 * (H2_CLOSED_MAX + 2); id += 2) {
		(void)judge(&scan, NGHTTP2_HEADERS, id, false);
		h2_scan_closed(&scan, id, true);
	}
	assert_int_equal(judge(&scan, NGHTTP2_DATA, 1, false), H2_STREAM_IS_CLOSED);
	assert_int_equal(judge(&scan, NGHTTP2_DATA, 5, false), H2_LATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_priority),
		cmocka_unit_test(test_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
