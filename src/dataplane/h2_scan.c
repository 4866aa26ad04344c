#include "dataplane/h2_scan.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#define PREFACE_LEN 24 /* RFC 9113, section 3.4 */

void h2_scan_init(struct h2_scan *scan)
{
	*scan = (struct h2_scan){.left = PREFACE_LEN};
}

size_t h2_scan_next(struct h2_scan *scan, struct str_view input, bool *complete)
{
	size_t used = 0;

	*complete = false;
	if (scan->left == 0) {
		used = sizeof(scan->head) - scan->head_len;
		used = used < input.len ? used : input.len;
		memcpy(scan->head + scan->head_len, input.data, used);
		scan->head_len += used;
		if (scan->head_len < sizeof(scan->head))
			return used;
		*complete = true;
		scan->head_len = 0;
		scan->left = h2_scan_length(scan);
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

int32_t h2_scan_stream(const struct h2_scan *scan)
{
	const unsigned char *id = scan->head + 5;

	return (int32_t)((uint32_t)(id[0] & 0x7f) << 24 | (uint32_t)id[1] << 16 |
			 (uint32_t)id[2] << 8 | id[3]);
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

enum h2_verdict h2_scan_verdict(struct h2_scan *scan, bool open)
{
	int32_t id = h2_scan_stream(scan);
	bool opens = scan->head[3] == NGHTTP2_HEADERS;

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
