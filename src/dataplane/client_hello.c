#include "dataplane/client_hello.h"

#include "base/own.h"

#include <stdlib.h>

#define RECORD_HEADER    5
#define RECORD_MAX       16384 /* RFC 8446, section 5.1: plaintext of one record */
#define RECORD_HANDSHAKE 22
#define MESSAGE_HEADER   4
#define MESSAGE_HELLO    1
#define EXT_SERVER_NAME  0  /* RFC 6066, section 3 */
#define EXT_ALPN         16 /* RFC 7301, section 3.1 */
#define EXTENSIONS_MAX   64 /* of one message; clients send some twenty */

/* ---- a cursor over lengths and what they count ---- */

struct cursor {
	const unsigned char *at, *end;
	bool bad; /* sticks */
};

static struct cursor cursor_of(struct str_view bytes)
{
	const unsigned char *at = (const unsigned char *)bytes.data;

	return (struct cursor){.at = at, .end = at + bytes.len};
}

static size_t left(const struct cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

static uint32_t take_number(struct cursor *cursor, unsigned size)
{
	uint32_t number = 0;

	if (cursor->bad || left(cursor) < size) {
		cursor->bad = true;
		return 0;
	}
	for (unsigned i = 0; i < size; i++)
		number = number << 8 | *cursor->at++;
	return number;
}

static struct str_view take_bytes(struct cursor *cursor, size_t len)
{
	struct str_view bytes = SV("");

	if (cursor->bad || left(cursor) < len) {
		cursor->bad = true;
		return bytes;
	}
	bytes = sv_new((const char *)cursor->at, len);
	cursor->at += len;
	return bytes;
}

/* A vector (RFC 8446, section 3.4): a length of size bytes, and as many bytes. */
static struct str_view take_vector(struct cursor *cursor, unsigned size)
{
	uint32_t len = take_number(cursor, size);

	return take_bytes(cursor, len);
}

/* ---- extensions ---- */

static bool name_byte_ok(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == ':';
}

/* One host_name: more of that type are forbidden, and no other type exists. */
static bool read_name(struct client_hello *hello, struct str_view body)
{
	struct cursor outer = cursor_of(body);
	struct cursor list = cursor_of(take_vector(&outer, 2));
	uint32_t type = take_number(&list, 1);
	struct str_view name = take_vector(&list, 2);

	if (outer.bad || list.bad || left(&outer) > 0 || left(&list) > 0 || type != 0 ||
	    name.len == 0 || name.len > sizeof(hello->name))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (!name_byte_ok(name.data[i]))
			return false;
		hello->name[i] = ascii_lower(name.data[i]);
	}
	hello->name_len = (uint8_t)name.len;
	return true;
}

static bool read_alpn(struct client_hello *hello, struct str_view body)
{
	struct cursor outer = cursor_of(body);
	struct cursor list = cursor_of(take_vector(&outer, 2));

	if (outer.bad || left(&outer) > 0 || left(&list) == 0)
		return false;
	while (left(&list) > 0) {
		struct str_view one = take_vector(&list, 1);

		if (list.bad || one.len == 0)
			return false;
		if (hello->alpn_len > 0)
			continue;
		memcpy(hello->alpn, one.data, one.len);
		hello->alpn_len = (uint8_t)one.len;
	}
	return true;
}

/* No type twice (RFC 8446, section 4.2). */
static bool seen_before(uint32_t type, uint16_t *types, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (types[i] == type)
			return true;
	}
	types[count] = (uint16_t)type;
	return false;
}

static bool read_extensions(struct client_hello *hello, struct str_view block)
{
	struct cursor cursor = cursor_of(block);
	uint16_t types[EXTENSIONS_MAX];
	size_t count = 0;

	while (left(&cursor) > 0) {
		uint32_t type = take_number(&cursor, 2);
		struct str_view body = take_vector(&cursor, 2);

		if (cursor.bad || count == EXTENSIONS_MAX || seen_before(type, types, count))
			return false;
		count++;
		if (type == EXT_SERVER_NAME && !read_name(hello, body))
			return false;
		if (type == EXT_ALPN && !read_alpn(hello, body))
			return false;
	}
	return true;
}

/* ---- the message ---- */

static bool read_message(struct client_hello *hello, struct str_view message)
{
	struct cursor cursor = cursor_of(sv_skip(message, MESSAGE_HEADER));
	uint32_t version = take_number(&cursor, 2);
	struct str_view session, suites, compressions;

	(void)take_bytes(&cursor, 32); /* random */
	session = take_vector(&cursor, 1);
	suites = take_vector(&cursor, 2);
	compressions = take_vector(&cursor, 1);
	if (cursor.bad || version < 0x0301 || version > 0x03ff || session.len > 32 ||
	    suites.len < 2 || suites.len % 2 != 0 || compressions.len == 0)
		return false;
	if (left(&cursor) == 0) /* before TLS 1.2 there may be no extensions */
		return true;
	if (!read_extensions(hello, take_vector(&cursor, 2)))
		return false;
	return !cursor.bad && left(&cursor) == 0;
}

/* ---- the records ---- */

/* The payload of the record at an offset, as far as it has come; false: its header has not. */
static bool record_at(struct str_view stream, size_t at, struct str_view *payload, size_t *len)
{
	const unsigned char *header = (const unsigned char *)stream.data + at;

	if (stream.len - at < RECORD_HEADER)
		return false;
	*len = (size_t)header[3] << 8 | header[4];
	*payload = sv_head(sv_skip(stream, at + RECORD_HEADER), *len);
	return true;
}

/* The first bytes that do not belong end it: whoever speaks no TLS need not send a record first. */
static bool header_ok(struct str_view stream, size_t at)
{
	const unsigned char *header = (const unsigned char *)stream.data + at;
	size_t have = stream.len - at;

	if (have > 0 && header[0] != RECORD_HANDSHAKE)
		return false;
	if (have > 1 && header[1] != 3)
		return false;
	if (have < RECORD_HEADER)
		return true;
	return (header[3] | header[4]) != 0 && ((size_t)header[3] << 8 | header[4]) <= RECORD_MAX;
}

/* Copies the first len bytes of the message, record after record. */
static void gather(struct str_view stream, char *out, size_t len)
{
	size_t at = 0, done = 0;

	while (done < len) {
		struct str_view payload = SV("");
		size_t size = 0, part;

		if (!record_at(stream, at, &payload, &size))
			return;
		part = payload.len < len - done ? payload.len : len - done;
		memcpy(out + done, payload.data, part);
		done += part;
		at += RECORD_HEADER + size;
	}
}

/* The length is known as soon as four bytes of the message have come. */
static bool read_length(struct client_hello *hello, struct str_view stream, size_t come)
{
	unsigned char header[MESSAGE_HEADER] = {0};

	if (hello->needed != 0 || come == 0)
		return true;
	gather(stream, (char *)header, come < MESSAGE_HEADER ? come : MESSAGE_HEADER);
	if (header[0] != MESSAGE_HELLO)
		return false;
	if (come < MESSAGE_HEADER)
		return true;
	hello->needed =
		MESSAGE_HEADER + ((size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3]);
	return hello->needed <= CLIENT_HELLO_MAX;
}

static enum hello_step finish(struct client_hello *hello, struct str_view stream)
{
	AUTO(auto_free) char *whole = NULL;
	struct str_view message = sv_head(sv_skip(stream, RECORD_HEADER), hello->needed);

	if (hello->records > 1) {
		whole = xmalloc(hello->needed);
		gather(stream, whole, hello->needed);
		message = sv_new(whole, hello->needed);
	}
	return read_message(hello, message) ? HELLO_DONE : HELLO_BAD;
}

enum hello_step client_hello_read(struct client_hello *hello, struct str_view stream)
{
	stream = sv_head(stream, CLIENT_HELLO_WIRE_MAX);
	for (;;) {
		struct str_view payload = SV("");
		size_t len = 0, come;
		bool whole;

		if (!header_ok(stream, hello->at))
			return HELLO_BAD;
		if (!record_at(stream, hello->at, &payload, &len))
			break;
		come = hello->have + payload.len;
		if (!read_length(hello, stream, come))
			return HELLO_BAD;
		whole = payload.len == len;
		if (whole) {
			hello->at += RECORD_HEADER + len;
			hello->have += len;
			hello->records++;
		}
		/* Nothing may follow in the record: keys change behind it (RFC 8446, section
		 * 5.1). */
		if (hello->needed != 0 && hello->have >= hello->needed)
			return hello->have == hello->needed ? finish(hello, stream) : HELLO_BAD;
		if (!whole)
			break;
	}
	return stream.len == CLIENT_HELLO_WIRE_MAX ? HELLO_BAD : HELLO_MORE;
}

struct str_view client_hello_name(const struct client_hello *hello)
{
	return sv_new(hello->name, hello->name_len);
}

struct str_view client_hello_alpn(const struct client_hello *hello)
{
	return sv_new(hello->alpn, hello->alpn_len);
}
