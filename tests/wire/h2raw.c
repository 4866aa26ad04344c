#include "h2raw.h"

#include "base/own.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void must(bool fine, const char *what)
{
	if (fine)
		return;
	perror(what);
	abort();
}

void h2_open(struct h2raw *h2, int fd)
{
	h2->fd = fd;
	buf_init(&h2->out, 16 << 20);
	buf_init(&h2->text, 1 << 20);
	must(nghttp2_hd_inflate_new(&h2->inflater) == 0, "inflater");
	(void)buf_add(&h2->out, SV(H2_MAGIC));
	h2_frame(h2, NGHTTP2_SETTINGS, 0, 0, SV(""));
	h2_flush(h2);
}

static bool read_bytes(int fd, char *out, size_t len);

static void accept_preface(struct h2raw *h2, int fd)
{
	char magic[24];

	h2->fd = fd;
	buf_init(&h2->out, 16 << 20);
	buf_init(&h2->text, 1 << 20);
	must(nghttp2_hd_inflate_new(&h2->inflater) == 0, "inflater");
	must(read_bytes(fd, magic, sizeof(magic)) && memcmp(magic, H2_MAGIC, sizeof(magic)) == 0,
	     "preface");
}

void h2_accept(struct h2raw *h2, int fd)
{
	accept_preface(h2, fd);
	h2_frame(h2, NGHTTP2_SETTINGS, 0, 0, SV(""));
	h2_flush(h2);
}

void h2_accept_saying(struct h2raw *h2, int fd, uint16_t setting, uint32_t value)
{
	accept_preface(h2, fd);
	h2_setting(h2, setting, value);
	h2_flush(h2);
}

void h2_close(struct h2raw *h2)
{
	nghttp2_hd_inflate_del(h2->inflater);
	buf_deinit(&h2->out);
	buf_deinit(&h2->text);
	close(h2->fd);
}

void h2_frame(struct h2raw *h2, uint8_t type, uint8_t flags, int32_t stream,
	      struct str_view payload)
{
	uint32_t id = htonl((uint32_t)stream);
	char head[9] = {(char)(payload.len >> 16), (char)(payload.len >> 8), (char)payload.len,
			(char)type, (char)flags};

	memcpy(head + 5, &id, 4);
	must(buf_add(&h2->out, sv_new(head, 9)) && buf_add(&h2->out, payload), "room for frames");
}

static void put_string(struct buf *block, struct str_view text)
{
	size_t rest = text.len;

	/* 7-bit prefix (RFC 7541, section 5.1), no Huffman code */
	if (rest < 127) {
		(void)buf_addc(block, (char)rest);
	} else {
		(void)buf_addc(block, 127);
		for (rest -= 127; rest >= 128; rest /= 128)
			(void)buf_addc(block, (char)(rest % 128 + 128));
		(void)buf_addc(block, (char)rest);
	}
	must(buf_add(block, text), "room for a header block");
}

void h2_block(struct buf *block, const char *rows)
{
	struct str_view rest = sv_from(rows);

	while (rest.len > 0) {
		struct str_view row = sv_split(&rest, '\n');
		bool never = sv_starts(row, SV("!"));
		size_t colon;

		row = sv_skip(row, never);
		colon = sv_find(sv_skip(row, 1), ':') + 1;
		(void)buf_addc(block, never ? 0x10 : 0);
		put_string(block, sv_head(row, colon));
		put_string(block, sv_skip(row, colon + 2));
	}
}

void h2_headers(struct h2raw *h2, int32_t stream, uint8_t flags, const char *rows)
{
	struct buf block;

	buf_init(&block, 1 << 20);
	h2_block(&block, rows);
	h2_frame(h2, NGHTTP2_HEADERS, flags | H2_END_HEADERS, stream, buf_view(&block));
	buf_deinit(&block);
}

void h2_request(struct h2raw *h2, int32_t stream, uint8_t flags, const char *what)
{
	struct str_view rest = sv_from(what), line = sv_split(&rest, '\n'), path = line,
			method = sv_split(&path, ' ');
	AUTO(auto_free)
	char *rows =
		xasprintf(":method: %.*s\n:scheme: http\n:authority: a.test\n:path: %.*s%s%.*s",
			  SV_ARG(method), SV_ARG(path), rest.len > 0 ? "\n" : "", SV_ARG(rest));

	h2_headers(h2, stream, flags, rows);
}

void h2_data(struct h2raw *h2, int32_t stream, uint8_t flags, struct str_view bytes)
{
	do {
		struct str_view part = sv_head(bytes, 16384);

		bytes = sv_skip(bytes, part.len);
		h2_frame(h2, NGHTTP2_DATA, bytes.len == 0 ? flags : 0, stream, part);
	} while (bytes.len > 0);
}

void h2_number(struct h2raw *h2, uint8_t type, int32_t stream, uint32_t number)
{
	uint32_t bytes = htonl(number);

	h2_frame(h2, type, 0, stream, sv_new((char *)&bytes, 4));
}

void h2_setting(struct h2raw *h2, uint16_t id, uint32_t value)
{
	char bytes[6] = {(char)(id >> 8),     (char)id,           (char)(value >> 24),
			 (char)(value >> 16), (char)(value >> 8), (char)value};

	h2_frame(h2, NGHTTP2_SETTINGS, 0, 0, sv_new(bytes, 6));
}

void h2_flush(struct h2raw *h2)
{
	while (buf_len(&h2->out) > 0) {
		struct str_view rest = buf_view(&h2->out);
		ssize_t count = write(h2->fd, rest.data, rest.len);

		if (count < 0 && (errno == EPIPE || errno == ECONNRESET))
			break;
		must(count > 0, "write frames");
		buf_take(&h2->out, (size_t)count);
	}
	buf_reset(&h2->out);
}

/* ---- in ---- */

static bool read_bytes(int fd, char *out, size_t len)
{
	while (len > 0) {
		ssize_t count = read(fd, out, len);

		if (count == 0 || (count < 0 && (errno == ECONNRESET || errno == EPIPE)))
			return false;
		must(count > 0, "read frames");
		out += count;
		len -= (size_t)count;
	}
	return true;
}

static uint32_t number_at(const char *at)
{
	uint32_t bytes;

	memcpy(&bytes, at, 4);
	return ntohl(bytes);
}

static void inflate(struct h2raw *h2, struct str_view block)
{
	buf_reset(&h2->text);
	while (block.len > 0) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t used = nghttp2_hd_inflate_hd2(h2->inflater, &nv, &flags,
						      (const uint8_t *)block.data, block.len, 1);

		must(used >= 0, "inflate");
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
			(void)buf_addf(&h2->text, "%.*s: %.*s\n", (int)nv.namelen, nv.name,
				       (int)nv.valuelen, nv.value);
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 &&
		    (nv.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0)
			(void)buf_addf(&h2->text, "(never: %.*s)\n", (int)nv.namelen, nv.name);
		if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
			break;
		block = sv_skip(block, (size_t)used);
	}
	nghttp2_hd_inflate_end_headers(h2->inflater);
}

bool h2_next(struct h2raw *h2, struct h2_frame *frame)
{
	char head[9];
	size_t len;

	*frame = (struct h2_frame){.fields = ""};
	if (!read_bytes(h2->fd, head, 9))
		return false;
	len = (size_t)(unsigned char)head[0] << 16 | (size_t)(unsigned char)head[1] << 8 |
	      (unsigned char)head[2];
	must(len <= sizeof(h2->payload), "frame size");
	if (!read_bytes(h2->fd, h2->payload, len))
		return false;
	frame->type = (uint8_t)head[3];
	frame->flags = (uint8_t)head[4];
	frame->stream = (int32_t)number_at(head + 5);
	frame->payload = sv_new(h2->payload, len);
	if (frame->type == NGHTTP2_RST_STREAM)
		frame->code = number_at(h2->payload);
	if (frame->type == NGHTTP2_GOAWAY) {
		frame->last = (int32_t)number_at(h2->payload);
		frame->code = number_at(h2->payload + 4);
	}
	if (frame->type == NGHTTP2_HEADERS) {
		inflate(h2, frame->payload);
		frame->fields = buf_cstr(&h2->text);
	}
	return true;
}

void h2_await(struct h2raw *h2, uint8_t type, int32_t stream, struct h2_frame *frame)
{
	do {
		if (!h2_next(h2, frame)) {
			fprintf(stderr, "awaited frame type %d on stream %d\n", type, stream);
			must(false, "the connection has ended");
		}
	} while (frame->type != type || (stream >= 0 && frame->stream != stream));
}

size_t h2_await_end(struct h2raw *h2, int32_t stream)
{
	struct h2_frame frame;
	size_t len = 0;

	do {
		h2_await(h2, NGHTTP2_DATA, stream, &frame);
		len += frame.payload.len;
	} while ((frame.flags & H2_END_STREAM) == 0);
	return len;
}
