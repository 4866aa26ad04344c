/* tests/fuzz/fuzz_addr.c - addresses and /etc/hosts; what is read is printed and read again */
#include "fuzz.h"
#include "loop/dns_local.h"

#include <stdlib.h>

static void check_addr(const struct sock_addr *addr)
{
	char text[SOCK_ADDR_TEXT];
	struct sock_addr back;

	sock_addr_text(addr, text);
	if (!sock_addr_parse(&back, sv_from(text), 1) || !sock_addr_eq(addr, &back))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view text = sv_new((const char *)data, size);
	struct str_view hosts = text, name = sv_split(&hosts, '\n');
	struct dns_answer answer;
	struct sock_addr addr;

	if (sock_addr_parse(&addr, text, 53))
		check_addr(&addr);
	else if (addr.len != 0)
		abort();
	if (dns_local_answer(name, hosts, &answer) != (answer.count > 0) ||
	    answer.count > DNS_ADDRS_MAX)
		abort();
	for (size_t i = 0; i < answer.count; i++)
		check_addr(&answer.addrs[i]);
	return 0;
}
