#include "dataplane/proxyproto.h"

#include <string.h>

#define V2_HEAD  16
#define V2_LOCAL 0x20
#define V2_PROXY 0x21
#define TLV_HEAD 3
#define TLV_CRC  0x03 /* PP2_TYPE_CRC32C */
#define V1_WORDS 5    /* of a line behind PROXY */

/* ---- version 1: a line ---- */

static bool read_port(struct str_view text, uint16_t *port)
{
	uint64_t number;

	if (text.len == 0 || text.len > 5 || (text.len > 1 && text.data[0] == '0') ||
	    !sv_to_u64(text, &number) || number > 65535)
		return false;
	*port = (uint16_t)number;
	return true;
}

/* "TCP4 source destination source-port destination-port" */
static bool read_addresses(const struct str_view words[V1_WORDS], struct sock_addr *source)
{
	int family = sv_eq(words[0], SV("TCP4"))   ? AF_INET
		     : sv_eq(words[0], SV("TCP6")) ? AF_INET6
						   : AF_UNSPEC;
	struct sock_addr destination;
	uint16_t from, to;

	return family != AF_UNSPEC && read_port(words[3], &from) && read_port(words[4], &to) &&
	       sock_addr_ip(source, words[1], from) && sock_addr_ip(&destination, words[2], to) &&
	       source->u.any.sa_family == family && destination.u.any.sa_family == family;
}

/* line: behind "PROXY ", without CRLF. */
static bool read_line(struct str_view line, struct sock_addr *source)
{
	struct str_view words[V1_WORDS];
	size_t count = 0;

	if (sv_eq(line, SV("UNKNOWN")) || sv_starts(line, SV("UNKNOWN "))) {
		*source = (struct sock_addr){.len = 0}; /* whatever follows is to be ignored */
		return true;
	}
	for (;;) {
		size_t blank = sv_find(line, ' ');

		if (count == V1_WORDS)
			return false;
		words[count++] = blank == SV_NOT_FOUND ? line : sv_head(line, blank);
		if (blank == SV_NOT_FOUND)
			return count == V1_WORDS && read_addresses(words, source);
		line = sv_skip(line, blank + 1);
	}
}

static enum proxy_result parse_v1(struct str_view input, struct proxy_header *header)
{
	size_t end = sv_find_sv(sv_head(input, PROXY_V1_MAX), SV("\r\n"));

	if (end == SV_NOT_FOUND)
		return input.len < PROXY_V1_MAX ? PROXY_MORE : PROXY_BAD;
	header->len = end + 2;
	return read_line(sv_skip(sv_head(input, end), 6), &header->source) ? PROXY_DONE : PROXY_BAD;
}

/* ---- version 2: binary ---- */

static size_t number16(const unsigned char *at)
{
	return (size_t)at[0] << 8 | at[1];
}

/* CRC-32C (RFC 3720, appendix B.4), bit by bit: a header is short and comes once. */
static uint32_t crc32c(uint32_t crc, unsigned char byte)
{
	crc ^= byte;
	for (int i = 0; i < 8; i++)
		crc = crc >> 1 ^ ((crc & 1) != 0 ? UINT32_C(0x82f63b78) : 0);
	return crc;
}

/* The checksum at that place is of the whole header, itself as zeros. */
static bool crc_fits(const unsigned char *all, size_t len, size_t at)
{
	uint32_t crc = UINT32_MAX;
	uint32_t told = (uint32_t)number16(all + at) << 16 | (uint32_t)number16(all + at + 2);

	for (size_t i = 0; i < len; i++)
		crc = crc32c(crc, i >= at && i < at + 4 ? 0 : all[i]);
	return told == (crc ^ UINT32_MAX);
}

/* Extensions are not used, but must be whole. */
static bool extensions_ok(const unsigned char *all, size_t len, size_t at)
{
	while (at < len) {
		size_t size;

		if (len - at < TLV_HEAD)
			return false;
		size = number16(all + at + 1);
		if (size > len - at - TLV_HEAD)
			return false;
		if (all[at] == TLV_CRC && (size != 4 || !crc_fits(all, len, at + TLV_HEAD)))
			return false;
		at += TLV_HEAD + size;
	}
	return true;
}

/* How many bytes of addresses a family has; SIZE_MAX: no such family. */
static size_t addresses_len(unsigned family)
{
	switch (family) {
	case 0x00: /* UNSPEC: whatever comes is to be ignored */
		return 0;
	case 0x11: /* TCP over IPv4 */
		return 12;
	case 0x21: /* TCP over IPv6 */
		return 36;
	case 0x31: /* a Unix socket */
		return 216;
	default: /* datagrams do not make connections */
		return SIZE_MAX;
	}
}

static void read_binary(unsigned family, const unsigned char *at, struct sock_addr *source)
{
	*source = (struct sock_addr){.len = 0};
	if (family == 0x11) {
		source->len = sizeof(source->u.v4);
		source->u.v4.sin_family = AF_INET;
		memcpy(&source->u.v4.sin_addr, at, 4);
		memcpy(&source->u.v4.sin_port, at + 8, 2);
	} else if (family == 0x21) {
		source->len = sizeof(source->u.v6);
		source->u.v6.sin6_family = AF_INET6;
		memcpy(&source->u.v6.sin6_addr, at, 16);
		memcpy(&source->u.v6.sin6_port, at + 32, 2);
	}
}

static enum proxy_result parse_v2(struct str_view input, struct proxy_header *header)
{
	const unsigned char *all = (const unsigned char *)input.data;
	unsigned family;
	size_t addresses;

	if (input.len < V2_HEAD)
		return PROXY_MORE;
	header->len = V2_HEAD + number16(all + 14);
	family = all[13];
	addresses = addresses_len(family);
	if (header->len > PROXY_V2_MAX || (all[12] != V2_LOCAL && all[12] != V2_PROXY))
		return PROXY_BAD;
	if (all[12] == V2_LOCAL) /* of its own: family and addresses are to be ignored */
		return input.len < header->len ? PROXY_MORE : PROXY_DONE;
	if (addresses == SIZE_MAX || header->len < V2_HEAD + addresses)
		return PROXY_BAD;
	if (input.len < header->len)
		return PROXY_MORE;
	if (family != 0 && !extensions_ok(all, header->len, V2_HEAD + addresses))
		return PROXY_BAD;
	read_binary(family, all + V2_HEAD, &header->source);
	return PROXY_DONE;
}

/* ---- both ---- */

enum proxy_result proxy_parse(struct str_view input, struct proxy_header *header)
{
	static const struct str_view v1 = SV_INIT("PROXY ");
	static const struct str_view v2 = SV_INIT("\r\n\r\n\0\r\nQUIT\n");

	*header = (struct proxy_header){.len = 0};
	if (sv_starts(input, v1))
		return parse_v1(input, header);
	if (sv_starts(input, v2))
		return parse_v2(input, header);
	return sv_starts(v1, input) || sv_starts(v2, input) ? PROXY_MORE : PROXY_ABSENT;
}
