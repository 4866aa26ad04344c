/* PROXY protocol headers, and who is believed about a client's address. */
#include "dataplane/proxyproto.h"

#include "base/own.h"
#include "dataplane/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define SIG   "\r\n\r\n\0\r\nQUIT\n"
#define PAIR4 "\300\0\2\7\306\63\144\1\334\4\1\273" /* 192.0.2.7:56324 to 198.51.100.1:443 */
#define PAIR6                                                                              \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1" \
	"\xdc\4\1\273"
#define CRC        "\x54\x8e\x28\xff"
#define LINE(text) SV_INIT("PROXY " text "\r\n")

static const struct row {
	const char *name;
	struct str_view input;
	enum proxy_result result;
	size_t len;         /* DONE */
	const char *source; /* DONE; "": not told */
} rows[] = {
	{"TCP4", SV_INIT("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nGET"), PROXY_DONE, 45,
	 "192.0.2.7:56324"},
	{"TCP6", LINE("TCP6 2001:db8::7 2001:db8::1 1 443"), PROXY_DONE, 42, "[2001:db8::7]:1"},
	{"UNKNOWN", LINE("UNKNOWN"), PROXY_DONE, 15, ""},
	{"UNKNOWN with addresses", LINE("UNKNOWN ffff::1 ::2 3 4"), PROXY_DONE, 31, ""},
	{"nothing", SV_INIT(""), PROXY_MORE, 0, NULL},
	{"the first octets", SV_INIT("PRO"), PROXY_MORE, 0, NULL},
	{"half a line", SV_INIT("PROXY TCP4 192.0.2.7 198.51"), PROXY_MORE, 0, NULL},
	{"a line without CR", SV_INIT("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\nGET"), PROXY_MORE, 0,
	 NULL},
	{"107 octets and no end",
	 SV_INIT("PROXY UNKNOWN 0123456789012345678901234567890123456789012345678901234567890123456"
		 "7890123456789012345678901234567890"),
	 PROXY_BAD, 0, NULL},
	{"another family", LINE("TCP5 192.0.2.7 198.51.100.1 1 2"), PROXY_BAD, 0, NULL},
	{"lower case", LINE("tcp4 192.0.2.7 198.51.100.1 1 2"), PROXY_BAD, 0, NULL},
	{"an IPv6 address in TCP4", LINE("TCP4 ::1 198.51.100.1 1 2"), PROXY_BAD, 0, NULL},
	{"an IPv4 destination in TCP6", LINE("TCP6 ::1 198.51.100.1 1 2"), PROXY_BAD, 0, NULL},
	{"a name", LINE("TCP4 localhost 198.51.100.1 1 2"), PROXY_BAD, 0, NULL},
	{"an octet too large", LINE("TCP4 192.0.2.256 198.51.100.1 1 2"), PROXY_BAD, 0, NULL},
	{"a port too large", LINE("TCP4 192.0.2.7 198.51.100.1 65536 2"), PROXY_BAD, 0, NULL},
	{"a port with a sign", LINE("TCP4 192.0.2.7 198.51.100.1 +1 2"), PROXY_BAD, 0, NULL},
	{"a port with a zero before", LINE("TCP4 192.0.2.7 198.51.100.1 01 2"), PROXY_BAD, 0, NULL},
	{"no port", LINE("TCP4 192.0.2.7 198.51.100.1 1"), PROXY_BAD, 0, NULL},
	{"a word too many", LINE("TCP4 192.0.2.7 198.51.100.1 1 2 3"), PROXY_BAD, 0, NULL},
	{"two blanks", LINE("TCP4  192.0.2.7 198.51.100.1 1 2"), PROXY_BAD, 0, NULL},
	{"a blank at the end", LINE("TCP4 192.0.2.7 198.51.100.1 1 2 "), PROXY_BAD, 0, NULL},
	{"binary TCP4", SV_INIT(SIG "\x21\x11\0\x0c" PAIR4 "GET"), PROXY_DONE, 28,
	 "192.0.2.7:56324"},
	{"binary TCP6", SV_INIT(SIG "\x21\x21\0\x24" PAIR6), PROXY_DONE, 52, "[2001:db8::7]:56324"},
	{"binary LOCAL", SV_INIT(SIG "\x20\0\0\0"), PROXY_DONE, 16, ""},
	{"binary LOCAL with addresses", SV_INIT(SIG "\x20\x11\0\x0c" PAIR4), PROXY_DONE, 28, ""},
	{"binary, family not told", SV_INIT(SIG "\x21\0\0\2xx"), PROXY_DONE, 18, ""},
	{"binary with extensions", SV_INIT(SIG "\x21\x11\0\x11" PAIR4 "\1\0\2h2"), PROXY_DONE, 33,
	 "192.0.2.7:56324"},
	{"binary with a checksum", SV_INIT(SIG "\x21\x11\0\x13" PAIR4 "\3\0\4" CRC), PROXY_DONE, 35,
	 "192.0.2.7:56324"},
	{"binary with another's checksum", SV_INIT(SIG "\x21\x11\0\x13" PAIR4 "\3\0\4\1\2\3\4"),
	 PROXY_BAD, 0, NULL},
	{"binary with half an extension", SV_INIT(SIG "\x21\x11\0\x11" PAIR4 "\1\0\3h2"), PROXY_BAD,
	 0, NULL},
	{"binary with an octet too many", SV_INIT(SIG "\x21\x11\0\x0d" PAIR4 "\1"), PROXY_BAD, 0,
	 NULL},
	{"binary with too few addresses", SV_INIT(SIG "\x21\x11\0\x0b" PAIR4), PROXY_BAD, 0, NULL},
	{"binary version 3", SV_INIT(SIG "\x31\x11\0\x0c" PAIR4), PROXY_BAD, 0, NULL},
	{"binary, another command", SV_INIT(SIG "\x22\x11\0\x0c" PAIR4), PROXY_BAD, 0, NULL},
	{"binary datagrams", SV_INIT(SIG "\x21\x12\0\x0c" PAIR4), PROXY_BAD, 0, NULL},
	{"binary, too long", SV_INIT(SIG "\x21\x11\xff\xff" PAIR4), PROXY_BAD, 0, NULL},
	{"half a signature", SV_INIT("\r\n\r\n\0\r\nQU"), PROXY_MORE, 0, NULL},
	{"half a binary head", SV_INIT(SIG "\x21\x11"), PROXY_MORE, 0, NULL},
	{"half of binary addresses", SV_INIT(SIG "\x21\x11\0\x0c\300\0"), PROXY_MORE, 0, NULL},
	{"HTTP", SV_INIT("GET / HTTP/1.1\r\n"), PROXY_ABSENT, 0, NULL},
	{"HTTP that begins alike", SV_INIT("PROPFIND / HTTP/1.1\r\n"), PROXY_ABSENT, 0, NULL},
	{"HTTP behind an empty line", SV_INIT("\r\nGET / HTTP/1.1\r\n"), PROXY_ABSENT, 0, NULL},
	{"TLS", SV_INIT("\x16\x03\x01"), PROXY_ABSENT, 0, NULL},
};

static void test_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct proxy_header header;
		char text[SOCK_ADDR_TEXT];

		if (proxy_parse(row->input, &header) != row->result)
			fail_msg("%s: not as it should be", row->name);
		if (row->result != PROXY_DONE)
			continue;
		sock_addr_text(&header.source, text);
		if (header.len != row->len || strcmp(text, row->source) != 0)
			fail_msg("%s: %zu bytes, from %s", row->name, header.len, text);
	}
}

static const struct {
	const char *cidr, *inside, *outside; /* inside NULL: no CIDR at all */
} cidrs[] = {
	{"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
	{"192.0.2.77/24", "192.0.2.1", "10.0.0.1"},
	{"192.0.2.128/25", "192.0.2.128", "192.0.2.127"},
	{"192.0.2.7/32", "192.0.2.7", "192.0.2.6"},
	{"0.0.0.0/0", "203.0.113.9", "2001:db8::1"},
	{"10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"},
	{"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"},
	{"2001:db8::8/125", "2001:db8::f", "2001:db8::10"},
	{"::/0", "192.0.2.1", NULL},
	{"192.0.2.0", NULL, NULL},
	{"192.0.2.0/33", NULL, NULL},
	{"192.0.2.0/", NULL, NULL},
	{"192.0.2.0/08", NULL, NULL},
	{"192.0.2.0/+8", NULL, NULL},
	{"192.0.2/24", NULL, NULL},
	{"2001:db8::/129", NULL, NULL},
	{"example.com/24", NULL, NULL},
};

static void test_cidrs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cidrs); i++) {
		struct cidr cidr;
		struct sock_addr addr;

		if (cidr_parse(sv_from(cidrs[i].cidr), &cidr) != (cidrs[i].inside != NULL))
			fail_msg("%s: is it one?", cidrs[i].cidr);
		if (cidrs[i].inside == NULL)
			continue;
		assert_true(sock_addr_ip(&addr, sv_from(cidrs[i].inside), 1));
		if (!cidr_has(&cidr, &addr))
			fail_msg("%s: %s is not in it", cidrs[i].cidr, cidrs[i].inside);
		if (cidrs[i].outside == NULL)
			continue;
		assert_true(sock_addr_ip(&addr, sv_from(cidrs[i].outside), 1));
		if (cidr_has(&cidr, &addr))
			fail_msg("%s: %s is in it", cidrs[i].cidr, cidrs[i].outside);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_cidrs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
