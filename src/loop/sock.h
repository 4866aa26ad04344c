/* loop/sock.h - addresses and sockets: parse, print, bind, connect, accept; all non-blocking,
 * CLOEXEC */
#ifndef LOOP_SOCK_H
#define LOOP_SOCK_H

#include "base/err.h"
#include "base/str.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct sock_addr {
	socklen_t len; /* 0: none */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
	} u;
};

#define SOCK_ADDR_TEXT 128 /* enough for every sock_addr_text, with its NUL */

bool sock_addr_ip(struct sock_addr *addr, struct str_view ip,
		  uint16_t port);                                  /* "127.0.0.1", "::1" */
bool sock_addr_unix(struct sock_addr *addr, struct str_view path); /* false: too long, empty, NUL */
/* "127.0.0.1:53", "[::1]:53"; without a port default_port is taken. */
bool sock_addr_parse(struct sock_addr *addr, struct str_view text, uint16_t default_port);
/* With port; "unix:/path"; an address that is none gives "". */
void sock_addr_text(const struct sock_addr *addr, char out[SOCK_ADDR_TEXT]);
void sock_addr_ip_text(const struct sock_addr *addr, char out[SOCK_ADDR_TEXT]); /* without */
uint16_t sock_addr_port(const struct sock_addr *addr);
bool sock_addr_eq(const struct sock_addr *a, const struct sock_addr *b);
/* These look into IPv4-mapped addresses (::ffff:127.0.0.1) too. */
bool sock_addr_any(const struct sock_addr *addr);        /* 0.0.0.0, :: */
bool sock_addr_loopback(const struct sock_addr *addr);   /* 127.0.0.0/8, ::1 */
bool sock_addr_link_local(const struct sock_addr *addr); /* 169.254.0.0/16, fe80::/10 */
/* Does a connection to it stay on this host? Addresses of its interfaces, loopback, 0.0.0.0, ::,
 * and every Unix address. Asks the kernel each time: not for a request's path. */
bool sock_addr_is_local(const struct sock_addr *addr);

enum sock_listen_flag {
	SOCK_LISTEN_PROBE =
		1, /* bind once without SO_REUSEPORT first, so a second instance is seen */
};
/* TCP: SO_REUSEADDR, SO_REUSEPORT, V6ONLY, TCP_NODELAY is left to accept. Returns the fd or -1 with
 * a sentence that says what to do (port in use: by which process, when it can be told). ERR_EXISTS:
 * in use; ERR_DENIED: no permission; ERR_NOT_FOUND: no such address on this host. */
int sock_listen(const struct sock_addr *addr, unsigned flags, struct err *err);
/* UDP, bound, with SO_REUSEPORT and V6ONLY; the address that a datagram came to comes with it
 * (IP_PKTINFO, IPV6_PKTINFO). Flags and errors as sock_listen. */
int sock_bind_udp(const struct sock_addr *addr, unsigned flags, struct err *err);
/* Unix: replaces a stale socket file, refuses a live one and anything else that is there
 * (ERR_EXISTS); mode holds, whatever the umask, before anybody can connect. */
int sock_listen_unix(struct str_view path, mode_t mode, struct err *err);

/* Next connection (TCP: with TCP_NODELAY), or -1 with errno (EAGAIN: none). peer may be NULL. */
int sock_accept(int fd, struct sock_addr *peer);
/* Begins to connect: fd, *in_progress says whether to wait for writability; -1 with errno. */
int sock_connect(const struct sock_addr *addr, bool *in_progress);
/* An errno of sock_connect or sock_accept: this process or host has no descriptors or no memory
 * left. It says nothing of the other side. */
bool sock_is_shortage(int error);
int sock_error(int fd); /* pending SO_ERROR */
void sock_local(int fd, struct sock_addr *local);

#endif
