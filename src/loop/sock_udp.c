/* loop/sock_udp.c - sockets that take datagrams */
#include "loop/sock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void set_option(int fd, int level, int name)
{
	static const int on = 1;

	setsockopt(fd, level, name, &on, sizeof(on));
}

/* A bound socket, or -1 with errno. */
static int bind_udp(const struct sock_addr *addr, bool reuse_port)
{
	bool v6 = addr->u.any.sa_family == AF_INET6;
	int fd = socket(addr->u.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int reason;

	if (fd < 0)
		return -1;
	if (reuse_port)
		set_option(fd, SOL_SOCKET, SO_REUSEPORT);
	if (v6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	set_option(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO);
	if (bind(fd, &addr->u.any, addr->len) == 0)
		return fd;
	reason = errno;
	close(fd);
	errno = reason;
	return -1;
}

static int bind_failed(const struct sock_addr *addr, int reason, struct err *err)
{
	char text[SOCK_ADDR_TEXT];

	sock_addr_text(addr, text);
	switch (reason) {
	case EADDRINUSE:
		return err_set(err, ERR_EXISTS,
			       "cannot take datagrams on %s: the UDP port is in use by another "
			       "process (as root, ss -lunp 'sport = :%u' shows which); stop it, or "
			       "choose another port",
			       text, (unsigned)sock_addr_port(addr));
	case EACCES:
	case EPERM:
		return err_set(err, ERR_DENIED,
			       "cannot take datagrams on %s: no permission for this UDP port; give "
			       "the process CAP_NET_BIND_SERVICE (the systemd unit does), lower "
			       "sysctl net.ipv4.ip_unprivileged_port_start, or choose a port above "
			       "1023",
			       text);
	case EADDRNOTAVAIL:
		return err_set(err, ERR_NOT_FOUND,
			       "cannot take datagrams on %s: no interface of this host has that "
			       "address",
			       text);
	case EAFNOSUPPORT:
		return err_set(err, ERR_UNSUPPORTED,
			       "cannot take datagrams on %s: this host has no support for such "
			       "addresses (is IPv6 disabled?)",
			       text);
	default:
		return err_set(err, ERR_IO, "cannot take datagrams on %s: %s", text,
			       strerror(reason));
	}
}

int sock_bind_udp(const struct sock_addr *addr, unsigned flags, struct err *err)
{
	int fd;

	if ((flags & SOCK_LISTEN_PROBE) != 0 && sock_addr_port(addr) != 0) {
		fd = bind_udp(addr, false);
		if (fd < 0)
			return bind_failed(addr, errno, err);
		close(fd);
	}
	fd = bind_udp(addr, true);
	return fd < 0 ? bind_failed(addr, errno, err) : fd;
}
