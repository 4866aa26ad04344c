#include "dataplane/h2_scan.h"

#include <nghttp2/nghttp2.h>

#define PREFACE_LEN 24 /* RFC 9113, section 3.4 */

void h2_scan_init(struct h2_scan *scan)
{
	*scan = (struct h2_scan){.left = PREFACE_LEN};
}

static bool has_dependency(const struct h2_scan *scan)
{
	return h2_scan_type(scan) == NGHTTP2_PRIORITY && h2_scan_length(scan) >= H2_DEPENDENCY_LEN;
}

static size_t head_wanted(const struct h2_scan *scan)
{
	bool more = scan->head_len >= H2_HEAD_LEN && has_dependency(scan);

	return more ? H2_HEAD_LEN + H2_DEPENDENCY_LEN : H2_HEAD_LEN;
}

/* Gathers the head at the front of input; how many bytes of it were there. */
static size_t take_head(struct h2_scan *scan, struct str_view input)
{
	size_t used = 0;

	while (scan->head_len < head_wanted(scan) && used < input.len)
		scan->head[scan->head_len++] = (unsigned char)input.data[used++];
	return used;
}

size_t h2_scan_next(struct h2_scan *scan, struct str_view input, bool *complete)
{
	size_t used = 0;

	*complete = false;
	if (scan->left == 0) {
		used = take_head(scan, input);
		if (scan->head_len < head_wanted(scan))
			return used;
		*complete = true;
		scan->left = h2_scan_length(scan) + H2_HEAD_LEN - scan->head_len;
		scan->head_len = 0;
	}
	if (input.len - used > scan->left) {
		used += (size_t)scan->left;
		scan->left = 0;
	} else {
		scan->left -= input.len - used;
		used = input.len;
	}
	return used;
}

static int32_t stream_at(const unsigned char *id)
{
	return (int32_t)((uint32_t)(id[0] & 0x7f) << 24 | (uint32_t)id[1] << 16 |
			 (uint32_t)id[2] << 8 | id[3]);
}

int32_t h2_scan_stream(const struct h2_scan *scan)
{
	return stream_at(scan->head + 5);
}

unsigned h2_scan_type(const struct h2_scan *scan)
{
	return scan->head[3];
}

uint32_t h2_scan_length(const struct h2_scan *scan)
{
	return (uint32_t)scan->head[0] << 16 | (uint32_t)scan->head[1] << 8 | scan->head[2];
}

bool h2_scan_ignored(const struct h2_scan *scan)
{
	return scan->head[3] == NGHTTP2_PRIORITY || scan->head[3] > NGHTTP2_CONTINUATION;
}

static bool was_closed(const struct h2_scan *scan, int32_t id)
{
	for (size_t i = 0; i < H2_CLOSED_MAX; i++) {
		if (scan->closed[i] == id)
			return true;
	}
	return false;
}

/* RFC 9113, section 6.3; RFC 7540, section 5.3.1. A wrong length is the library's matter. */
static bool is_pointless(const struct h2_scan *scan)
{
	int32_t id = h2_scan_stream(scan);

	return scan->head[3] == NGHTTP2_PRIORITY &&
	       (id == 0 || (has_dependency(scan) && stream_at(scan->head + H2_HEAD_LEN) == id));
}

enum h2_verdict h2_scan_verdict(struct h2_scan *scan, bool open)
{
	int32_t id = h2_scan_stream(scan);
	bool opens = scan->head[3] == NGHTTP2_HEADERS;

	if (is_pointless(scan))
		return H2_POINTLESS;
	if ((!opens && scan->head[3] != NGHTTP2_DATA) || open || id % 2 == 0)
		return H2_FINE;
	if (id > scan->last_id) {
		if (opens)
			scan->last_id = id;
		return H2_FINE;
	}
	if (was_closed(scan, -id))
		return H2_LATE;
	return opens && !was_closed(scan, id) ? H2_BACKWARDS : H2_STREAM_IS_CLOSED;
}

void h2_scan_closed(struct h2_scan *scan, int32_t id, bool early)
{
	scan->closed[scan->closed_next] = early ? -id : id;
	scan->closed_next = (scan->closed_next + 1) % H2_CLOSED_MAX;
}
