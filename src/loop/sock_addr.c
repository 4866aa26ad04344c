/* loop/sock_addr.c - addresses: read, print, compare, what they belong to */
#include "loop/sock.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

bool sock_addr_ip(struct sock_addr *addr, struct str_view ip, uint16_t port)
{
	char text[INET6_ADDRSTRLEN];

	memset(addr, 0, sizeof(*addr));
	if (ip.len == 0 || ip.len >= sizeof(text) || sv_find(ip, '\0') != SV_NOT_FOUND)
		return false;
	memcpy(text, ip.data, ip.len);
	text[ip.len] = '\0';
	if (inet_pton(AF_INET, text, &addr->u.v4.sin_addr) == 1) {
		addr->u.v4.sin_family = AF_INET;
		addr->u.v4.sin_port = htons(port);
		addr->len = sizeof(addr->u.v4);
	} else if (inet_pton(AF_INET6, text, &addr->u.v6.sin6_addr) == 1) {
		addr->u.v6.sin6_family = AF_INET6;
		addr->u.v6.sin6_port = htons(port);
		addr->len = sizeof(addr->u.v6);
	}
	return addr->len != 0;
}

bool sock_addr_unix(struct sock_addr *addr, struct str_view path)
{
	memset(addr, 0, sizeof(*addr));
	if (path.len == 0 || path.len >= sizeof(addr->u.un.sun_path) ||
	    sv_find(path, '\0') != SV_NOT_FOUND)
		return false;
	addr->u.un.sun_family = AF_UNIX;
	memcpy(addr->u.un.sun_path, path.data, path.len);
	addr->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
	return true;
}

static bool parse_port(struct str_view text, uint16_t *port)
{
	uint64_t value;

	if (text.len > 5 || !sv_to_u64(text, &value) || value > UINT16_MAX)
		return false;
	*port = (uint16_t)value;
	return true;
}

bool sock_addr_parse(struct sock_addr *addr, struct str_view text, uint16_t default_port)
{
	uint16_t port = default_port;
	size_t colon = sv_find(text, ':'), last = sv_rfind(text, ':');

	addr->len = 0;
	if (sv_starts(text, SV("["))) {
		size_t end = sv_find(text, ']');
		struct str_view behind = sv_skip(text, end == SV_NOT_FOUND ? text.len : end + 1);

		if (end == SV_NOT_FOUND ||
		    (behind.len > 0 &&
		     (behind.data[0] != ':' || !parse_port(sv_skip(behind, 1), &port))))
			return false;
		if (sock_addr_ip(addr, sv_skip(sv_head(text, end), 1), port) &&
		    addr->u.any.sa_family != AF_INET6)
			addr->len = 0; /* brackets are for IPv6 */
		return addr->len != 0;
	}
	if (colon != SV_NOT_FOUND && colon == last) { /* two colons: IPv6 without port */
		if (!parse_port(sv_skip(text, colon + 1), &port))
			return false;
		text = sv_head(text, colon);
	}
	return sock_addr_ip(addr, text, port);
}

void sock_addr_ip_text(const struct sock_addr *addr, char out[SOCK_ADDR_TEXT])
{
	out[0] = '\0';
	if (addr->len == 0)
		return;
	if (addr->u.any.sa_family == AF_INET)
		inet_ntop(AF_INET, &addr->u.v4.sin_addr, out, SOCK_ADDR_TEXT);
	else if (addr->u.any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &addr->u.v6.sin6_addr, out, SOCK_ADDR_TEXT);
	else if (addr->u.any.sa_family == AF_UNIX)
		snprintf(out, SOCK_ADDR_TEXT, "unix:%s%.*s",
			 addr->u.un.sun_path[0] == '\0' ? "@" : "",
			 (int)sizeof(addr->u.un.sun_path), addr->u.un.sun_path);
}

void sock_addr_text(const struct sock_addr *addr, char out[SOCK_ADDR_TEXT])
{
	char ip[SOCK_ADDR_TEXT];

	sock_addr_ip_text(addr, ip);
	if (addr->len != 0 && addr->u.any.sa_family == AF_INET6)
		snprintf(out, SOCK_ADDR_TEXT, "[%.64s]:%u", ip, (unsigned)sock_addr_port(addr));
	else if (addr->len != 0 && addr->u.any.sa_family == AF_INET)
		snprintf(out, SOCK_ADDR_TEXT, "%.64s:%u", ip, (unsigned)sock_addr_port(addr));
	else
		memcpy(out, ip, sizeof(ip));
}

uint16_t sock_addr_port(const struct sock_addr *addr)
{
	if (addr->len == 0)
		return 0;
	if (addr->u.any.sa_family == AF_INET)
		return ntohs(addr->u.v4.sin_port);
	return addr->u.any.sa_family == AF_INET6 ? ntohs(addr->u.v6.sin6_port) : 0;
}

bool sock_addr_eq(const struct sock_addr *a, const struct sock_addr *b)
{
	if (a->len == 0 || b->len == 0)
		return a->len == b->len;
	if (a->u.any.sa_family != b->u.any.sa_family)
		return false;
	if (a->u.any.sa_family == AF_INET)
		return a->u.v4.sin_port == b->u.v4.sin_port &&
		       a->u.v4.sin_addr.s_addr == b->u.v4.sin_addr.s_addr;
	if (a->u.any.sa_family == AF_INET6)
		return a->u.v6.sin6_port == b->u.v6.sin6_port &&
		       a->u.v6.sin6_scope_id == b->u.v6.sin6_scope_id &&
		       IN6_ARE_ADDR_EQUAL(&a->u.v6.sin6_addr, &b->u.v6.sin6_addr);
	return a->len == b->len && memcmp(&a->u.un, &b->u.un, a->len) == 0;
}

/* The IPv4 address in host order, also of a mapped one; false: it is none. */
static bool as_ipv4(const struct sock_addr *addr, uint32_t *ipv4)
{
	uint32_t net;

	if (addr->len == 0)
		return false;
	if (addr->u.any.sa_family == AF_INET) {
		*ipv4 = ntohl(addr->u.v4.sin_addr.s_addr);
		return true;
	}
	if (addr->u.any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&addr->u.v6.sin6_addr))
		return false;
	memcpy(&net, &addr->u.v6.sin6_addr.s6_addr[12], sizeof(net));
	*ipv4 = ntohl(net);
	return true;
}

static bool is_ipv6(const struct sock_addr *addr)
{
	return addr->len != 0 && addr->u.any.sa_family == AF_INET6;
}

bool sock_addr_any(const struct sock_addr *addr)
{
	uint32_t ipv4;

	if (as_ipv4(addr, &ipv4))
		return ipv4 == INADDR_ANY;
	return is_ipv6(addr) && IN6_IS_ADDR_UNSPECIFIED(&addr->u.v6.sin6_addr);
}

bool sock_addr_loopback(const struct sock_addr *addr)
{
	uint32_t ipv4;

	if (as_ipv4(addr, &ipv4))
		return ipv4 >> 24 == IN_LOOPBACKNET;
	return is_ipv6(addr) && IN6_IS_ADDR_LOOPBACK(&addr->u.v6.sin6_addr);
}

bool sock_addr_link_local(const struct sock_addr *addr)
{
	uint32_t ipv4;

	if (as_ipv4(addr, &ipv4))
		return ipv4 >> 16 == 0xA9FE; /* RFC 3927: 169.254.0.0/16 */
	return is_ipv6(addr) && IN6_IS_ADDR_LINKLOCAL(&addr->u.v6.sin6_addr);
}

/* Same IP address as the interface's, whatever port and scope. */
static bool has_ip(const struct sockaddr *interface, const struct sock_addr *addr)
{
	uint32_t ipv4;

	if (interface == NULL)
		return false;
	if (interface->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, interface, sizeof(v4));
		return as_ipv4(addr, &ipv4) && ipv4 == ntohl(v4.sin_addr.s_addr);
	}
	if (interface->sa_family == AF_INET6 && is_ipv6(addr)) {
		struct sockaddr_in6 v6;

		memcpy(&v6, interface, sizeof(v6));
		return IN6_ARE_ADDR_EQUAL(&v6.sin6_addr, &addr->u.v6.sin6_addr);
	}
	return false;
}

bool sock_addr_is_local(const struct sock_addr *addr)
{
	struct ifaddrs *all = NULL;
	bool found = false;

	if (addr->len == 0)
		return false;
	if (addr->u.any.sa_family == AF_UNIX || sock_addr_loopback(addr) || sock_addr_any(addr))
		return true;
	if (getifaddrs(&all) < 0)
		return false;
	for (const struct ifaddrs *at = all; at != NULL && !found; at = at->ifa_next)
		found = has_ip(at->ifa_addr, addr);
	freeifaddrs(all);
	return found;
}
