/* loop/sock.c - sockets: listen, accept, connect; all non-blocking and CLOEXEC */
#include "loop/sock.h"

#include "loop/sock_owner.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTEN_QUEUE 4096 /* the kernel cuts it to net.core.somaxconn */

static const int on = 1;

static void set_option(int fd, int level, int name)
{
	setsockopt(fd, level, name, &on, sizeof(on)); /* a missing option is no reason to stop */
}

static int new_socket(const struct sock_addr *addr)
{
	return socket(addr->u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Closes and keeps errno. Always returns -1. */
static int close_failed(int fd)
{
	int reason = errno;

	close(fd);
	errno = reason;
	return -1;
}

/* ---- TCP listeners ---- */

/* A bound socket, or -1 with errno. */
static int bind_tcp(const struct sock_addr *addr, bool reuse_port)
{
	int fd = new_socket(addr);

	if (fd < 0)
		return -1;
	set_option(fd, SOL_SOCKET, SO_REUSEADDR);
	if (reuse_port)
		set_option(fd, SOL_SOCKET, SO_REUSEPORT);
	if (addr->u.any.sa_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	return bind(fd, &addr->u.any, addr->len) < 0 ? close_failed(fd) : fd;
}

static int port_in_use(const struct sock_addr *addr, const char *text, struct err *err)
{
	char owner[SOCK_OWNER_TEXT];

	if (sock_owner(addr, owner))
		return err_set(err, ERR_EXISTS,
			       "cannot listen on %s: the port is in use by %s; stop it, or "
			       "choose another port",
			       text, owner);
	return err_set(err, ERR_EXISTS,
		       "cannot listen on %s: the port is in use by another process "
		       "(as root, ss -ltnp 'sport = :%u' shows which); stop it, or choose another "
		       "port",
		       text, (unsigned)sock_addr_port(addr));
}

static int listen_failed(const struct sock_addr *addr, int reason, struct err *err)
{
	char text[SOCK_ADDR_TEXT];

	sock_addr_text(addr, text);
	switch (reason) {
	case EADDRINUSE:
		return port_in_use(addr, text, err);
	case EACCES:
	case EPERM:
		return err_set(err, ERR_DENIED,
			       "cannot listen on %s: no permission for this port; give the process "
			       "CAP_NET_BIND_SERVICE (the systemd unit does), lower sysctl "
			       "net.ipv4.ip_unprivileged_port_start, or choose a port above 1023",
			       text);
	case EADDRNOTAVAIL:
		return err_set(err, ERR_NOT_FOUND,
			       "cannot listen on %s: no interface of this host has that address",
			       text);
	case EAFNOSUPPORT:
		return err_set(err, ERR_UNSUPPORTED,
			       "cannot listen on %s: this host has no support for such addresses "
			       "(is IPv6 disabled?)",
			       text);
	default:
		return err_set(err, ERR_IO, "cannot listen on %s: %s", text, strerror(reason));
	}
}

int sock_listen(const struct sock_addr *addr, unsigned flags, struct err *err)
{
	int fd;

	if ((flags & SOCK_LISTEN_PROBE) != 0 && sock_addr_port(addr) != 0) {
		fd = bind_tcp(addr, false);
		if (fd < 0)
			return listen_failed(addr, errno, err);
		close(fd);
	}
	fd = bind_tcp(addr, true);
	if (fd < 0)
		return listen_failed(addr, errno, err);
	if (listen(fd, LISTEN_QUEUE) < 0) {
		close_failed(fd);
		return listen_failed(addr, errno, err);
	}
	return fd;
}

/* ---- Unix listeners ---- */

enum socket_file { SOCKET_FILE_NONE, SOCKET_FILE_STALE, SOCKET_FILE_LIVE, SOCKET_FILE_OTHER };

/* What is at the path? A socket is stale when nobody listens behind it. */
static enum socket_file look_at(const struct sock_addr *addr)
{
	struct stat info;
	bool in_progress;
	int fd;

	if (lstat(addr->u.un.sun_path, &info) < 0)
		return errno == ENOENT ? SOCKET_FILE_NONE : SOCKET_FILE_OTHER;
	if (!S_ISSOCK(info.st_mode))
		return SOCKET_FILE_OTHER;
	fd = sock_connect(addr, &in_progress);
	if (fd < 0)
		return errno == ECONNREFUSED ? SOCKET_FILE_STALE : SOCKET_FILE_LIVE;
	close(fd);
	return SOCKET_FILE_LIVE;
}

static int clear_path(const struct sock_addr *addr, struct err *err)
{
	const char *path = addr->u.un.sun_path;

	switch (look_at(addr)) {
	case SOCKET_FILE_NONE:
		return 0;
	case SOCKET_FILE_STALE:
		if (unlink(path) < 0 && errno != ENOENT)
			return err_set(err, ERR_IO, "cannot remove the stale socket %s: %s", path,
				       strerror(errno));
		return 0;
	case SOCKET_FILE_LIVE:
		return err_set(err, ERR_EXISTS,
			       "%s is in use: a process listens there (is the daemon running "
			       "already?)",
			       path);
	case SOCKET_FILE_OTHER:
	default:
		return err_set(
			err, ERR_EXISTS,
			"%s is there and is no socket of ours: remove it, or name another path",
			path);
	}
}

/* The socket's own mode goes to the file at bind, less the umask: never wider than asked; chmod
 * gives back what the umask took. Before listen nobody can connect. */
static int bind_unix(int fd, const struct sock_addr *addr, mode_t mode)
{
	if (fchmod(fd, mode) < 0 || bind(fd, &addr->u.any, addr->len) < 0)
		return -1;
	return chmod(addr->u.un.sun_path, mode) < 0 || listen(fd, LISTEN_QUEUE) < 0 ? -1 : 0;
}

static int unix_failed(const struct sock_addr *addr, int reason, struct err *err)
{
	bool denied = reason == EACCES || reason == EPERM;
	const char *fix = "";

	if (reason == ENOENT)
		fix = "; make its directory, or name another path";
	else if (denied)
		fix = "; give its directory to the user the daemon runs as, or name another path";
	return err_set(err, denied ? ERR_DENIED : ERR_IO, "cannot listen on %s: %s%s",
		       addr->u.un.sun_path, strerror(reason), fix);
}

int sock_listen_unix(struct str_view path, mode_t mode, struct err *err)
{
	struct sock_addr addr;
	int fd;

	if (!sock_addr_unix(&addr, path))
		return err_set(err, ERR_INVALID,
			       "socket path \"%.*s\": must have 1 to %zu bytes without NUL",
			       SV_ARG(sv_head(path, 200)), sizeof(addr.u.un.sun_path) - 1);
	if (clear_path(&addr, err) < 0)
		return -1;
	fd = new_socket(&addr);
	if (fd >= 0 && bind_unix(fd, &addr, mode) < 0)
		fd = close_failed(fd);
	if (fd < 0)
		return unix_failed(&addr, errno, err);
	return fd;
}

/* ---- connections ---- */

/* Errors of a connection that died in the queue are not the listener's (accept(2)). */
static bool died_in_queue(int reason)
{
	return reason == ECONNABORTED || reason == EINTR || reason == EPROTO ||
	       reason == ENETDOWN || reason == ENOPROTOOPT || reason == EHOSTDOWN ||
	       reason == ENONET || reason == EHOSTUNREACH || reason == ENETUNREACH;
}

int sock_accept(int fd, struct sock_addr *peer)
{
	struct sock_addr addr;
	int conn;

	do {
		memset(&addr, 0, sizeof(addr));
		addr.len = sizeof(addr.u);
		conn = accept4(fd, &addr.u.any, &addr.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (conn < 0 && died_in_queue(errno));
	if (conn < 0)
		return -1;
	if (addr.u.any.sa_family != AF_UNIX)
		set_option(conn, IPPROTO_TCP, TCP_NODELAY);
	if (peer != NULL)
		*peer = addr;
	return conn;
}

int sock_connect(const struct sock_addr *addr, bool *in_progress)
{
	int fd = new_socket(addr);

	*in_progress = false;
	if (fd < 0)
		return -1;
	if (addr->u.any.sa_family != AF_UNIX)
		set_option(fd, IPPROTO_TCP, TCP_NODELAY);
	if (connect(fd, &addr->u.any, addr->len) == 0)
		return fd;
	if (errno == EINPROGRESS || errno == EINTR) {
		*in_progress = true;
		return fd;
	}
	return close_failed(fd);
}

bool sock_is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int sock_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

void sock_local(int fd, struct sock_addr *local)
{
	memset(local, 0, sizeof(*local));
	local->len = sizeof(local->u);
	if (getsockname(fd, &local->u.any, &local->len) < 0)
		local->len = 0;
}
