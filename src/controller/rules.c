#include "controller/rules.h"

#include "base/own.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Whoever can speak to one of these is root on this host, or can become it. */
static const char *const forbidden_sockets[] = {
	"/run/docker.sock",
	"/run/podman/podman.sock",
	"/run/containerd/containerd.sock",
	"/run/containerd/containerd.sock.ttrpc",
	"/run/crio/crio.sock",
	"/run/k3s/containerd/containerd.sock",
	"/run/systemd/private",
	"/run/systemd/notify",
	"/run/dbus/system_bus_socket",
	"/run/libvirt/libvirt-sock",
	"/run/libvirt/virtqemud-sock",
	"/run/snapd.socket",
	"/run/lxd.socket",
	"/var/lib/lxd/unix.socket",
	"/var/snap/lxd/common/lxd/unix.socket",
	"/var/lib/incus/unix.socket",
};

/* Below these nothing is an ordinary service. */
static const char *const forbidden_folders[] = {
	"/run/systemd/", "/run/docker/", "/run/containerd/", "/proc/", "/sys/",
};

enum allowed_kind { ALLOWED_NET, ALLOWED_UNIX };

struct allowed { /* one entry of allowedBackends */
	enum allowed_kind kind;
	int family;
	unsigned char net[16];
	unsigned bits;
	uint16_t port; /* 0: any */
	char *path;    /* a folder ends in '/' and allows what is below it */
};

struct address_rules {
	char *control_socket; /* resolved */
	size_t own_count, allowed_count;
	struct sock_addr *own;
	struct allowed *allowed;
};

/* ---- making ---- */

static unsigned address_bytes(const struct sock_addr *addr, const unsigned char **bytes)
{
	if (addr->u.any.sa_family == AF_INET) {
		*bytes = (const unsigned char *)&addr->u.v4.sin_addr;
		return 4;
	}
	*bytes = (const unsigned char *)&addr->u.v6.sin6_addr;
	return 16;
}

static int allowed_net(struct allowed *entry, struct str_view text, struct err *err)
{
	struct str_view whole = text, tail = text, address = sv_split(&tail, '/');
	struct sock_addr addr;
	const unsigned char *bytes;
	uint64_t bits, port = 0;
	unsigned size;
	bool bracketed = address.len > 2 && address.data[0] == '[';

	if (bracketed)
		address = sv_new(address.data + 1, address.len - 2);
	if (!sock_addr_ip(&addr, address, 0))
		return err_set(
			err, ERR_INVALID,
			"allowedBackends: '%.*s' is neither ADDRESS/BITS[:PORT] nor unix:PATH",
			SV_ARG(whole));
	size = address_bytes(&addr, &bytes);
	bits = size * 8u;
	if (tail.data != NULL) {
		struct str_view number = sv_split(&tail, ':');

		if (!sv_to_u64(number, &bits) || bits > size * 8u ||
		    (tail.data != NULL && (!sv_to_u64(tail, &port) || port == 0 || port > 65535)))
			return err_set(err, ERR_INVALID,
				       "allowedBackends: '%.*s': the form is ADDRESS/BITS[:PORT]",
				       SV_ARG(whole));
	}
	entry->family = addr.u.any.sa_family;
	memcpy(entry->net, bytes, size);
	entry->bits = (unsigned)bits;
	entry->port = (uint16_t)port;
	return 0;
}

static int allowed_parse(struct allowed *entry, const char *text, struct err *err)
{
	struct str_view view = sv_from(text);

	if (!sv_starts(view, SV("unix:"))) {
		entry->kind = ALLOWED_NET;
		return allowed_net(entry, view, err);
	}
	view = sv_skip(view, 5);
	if (view.len == 0 || view.data[0] != '/')
		return err_set(err, ERR_INVALID,
			       "allowedBackends: '%s': the path must start with '/'", text);
	entry->kind = ALLOWED_UNIX;
	entry->path = sv_dup(view);
	return 0;
}

struct address_rules *rules_new(const struct address_rules_config *config, struct err *err)
{
	struct address_rules *rules = xcalloc(1, sizeof(*rules));

	rules->own = xcalloc(config->own_listener_count + 1, sizeof(*rules->own));
	rules->allowed = xcalloc(config->allowed_count + 1, sizeof(*rules->allowed));
	if (config->control_socket != NULL)
		rules->control_socket = xstrdup(config->control_socket);
	for (size_t i = 0; i < config->own_listener_count; i++)
		rules->own[rules->own_count++] = config->own_listeners[i];
	for (size_t i = 0; i < config->allowed_count; i++) {
		rules->allowed_count++;
		if (allowed_parse(&rules->allowed[i], config->allowed_backends[i], err) < 0) {
			rules_free(rules);
			return NULL;
		}
	}
	return rules;
}

void rules_free(struct address_rules *rules)
{
	if (rules == NULL)
		return;
	for (size_t i = 0; i < rules->allowed_count; i++)
		free(rules->allowed[i].path);
	free(rules->control_socket);
	free(rules->own);
	free(rules->allowed);
	free(rules);
}

/* ---- sockets in the file system ---- */

static bool same_file(const char *a, const char *b)
{
	struct stat left, right;

	return stat(a, &left) == 0 && stat(b, &right) == 0 && left.st_dev == right.st_dev &&
	       left.st_ino == right.st_ino;
}

/* /var/run is /run, whether it is a link here or not. */
static const char *without_var(const char *path)
{
	return strncmp(path, "/var/run/", 9) == 0 ? path + 4 : path;
}

static bool is_one(const char *path, const char *other)
{
	return strcmp(without_var(path), other) == 0 || same_file(path, other);
}

static int check_unix_path(const struct address_rules *rules, const char *given, const char *path,
			   struct err *err)
{
	if (rules->control_socket != NULL && is_one(path, rules->control_socket))
		return err_set(err, ERR_DENIED,
			       "%s is the control socket of sallyport: a route to it would let "
			       "anybody rule this host",
			       given);
	for (size_t i = 0; i < ARRAY_LEN(forbidden_sockets); i++) {
		if (is_one(path, forbidden_sockets[i]))
			return err_set(err, ERR_DENIED,
				       "%s (%s) is a socket that gives root on this host", given,
				       forbidden_sockets[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(forbidden_folders); i++) {
		const char *folder = forbidden_folders[i];

		if (strncmp(without_var(path), folder, strlen(folder)) == 0)
			return err_set(err, ERR_DENIED, "%s lies below %s, which no backend may",
				       given, folder);
	}
	return 0;
}

static int check_unix(const struct address_rules *rules, const struct sock_addr *addr,
		      char resolved[PATH_MAX], struct err *err)
{
	const char *given = addr->u.un.sun_path;

	if (given[0] != '/')
		return err_set(err, ERR_DENIED, "a Unix socket must be named by an absolute path");
	if (check_unix_path(rules, given, given, err) < 0)
		return -1;
	/* Links and ".." are followed here; whoever may change a link after this is asked again
	 * when the socket is dialled. A socket that is not there yet is judged by its folder. */
	if (realpath(given, resolved) != NULL)
		return check_unix_path(rules, given, resolved, err);
	if (strstr(given, "/../") != NULL)
		return err_set(err, ERR_DENIED,
			       "%s does not exist, and '..' in it could lead anywhere", given);
	strncpy(resolved, given, PATH_MAX - 1);
	resolved[PATH_MAX - 1] = '\0';
	return 0;
}

/* ---- addresses ---- */

static struct sock_addr unmapped(const struct sock_addr *addr)
{
	struct sock_addr v4 = {.len = sizeof(v4.u.v4)};

	if (addr->u.any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&addr->u.v6.sin6_addr))
		return *addr;
	v4.u.v4.sin_family = AF_INET;
	v4.u.v4.sin_port = addr->u.v6.sin6_port;
	memcpy(&v4.u.v4.sin_addr, &addr->u.v6.sin6_addr.s6_addr[12], 4);
	return v4;
}

static int check_ip(const struct address_rules *rules, const struct sock_addr *addr,
		    struct err *err)
{
	char text[SOCK_ADDR_TEXT];

	sock_addr_text(addr, text);
	if (sock_addr_link_local(addr))
		return err_set(err, ERR_DENIED,
			       "%s is link-local: metadata services of clouds listen there", text);
	for (size_t i = 0; i < rules->own_count; i++) {
		if (sock_addr_port(addr) == sock_addr_port(&rules->own[i]) &&
		    sock_addr_is_local(addr))
			return err_set(err, ERR_DENIED,
				       "%s is a port of sallyport itself (API or metrics)", text);
	}
	return 0;
}

static bool net_covers(const struct allowed *entry, const struct sock_addr *addr)
{
	const unsigned char *bytes;
	unsigned whole = entry->bits / 8, rest = entry->bits % 8;

	if (entry->kind != ALLOWED_NET || entry->family != addr->u.any.sa_family ||
	    (entry->port != 0 && entry->port != sock_addr_port(addr)))
		return false;
	(void)address_bytes(addr, &bytes);
	if (memcmp(bytes, entry->net, whole) != 0)
		return false;
	return rest == 0 || ((bytes[whole] ^ entry->net[whole]) >> (8 - rest)) == 0;
}

static bool path_covers(const struct allowed *entry, const char *path)
{
	size_t len;

	if (entry->kind != ALLOWED_UNIX)
		return false;
	len = strlen(entry->path);
	return entry->path[len - 1] == '/' ? strncmp(path, entry->path, len) == 0
					   : strcmp(path, entry->path) == 0;
}

int rules_check(const struct address_rules *rules, const struct sock_addr *addr, struct err *err)
{
	struct sock_addr plain = unmapped(addr);
	bool is_unix = plain.u.any.sa_family == AF_UNIX;
	char path[PATH_MAX] = "", text[SOCK_ADDR_TEXT];

	if ((is_unix ? check_unix(rules, &plain, path, err) : check_ip(rules, &plain, err)) < 0)
		return -1;
	if (rules->allowed_count == 0)
		return 0;
	for (size_t i = 0; i < rules->allowed_count; i++) {
		if (is_unix ? path_covers(&rules->allowed[i], path)
			    : net_covers(&rules->allowed[i], &plain))
			return 0;
	}
	sock_addr_text(&plain, text);
	return err_set(err, ERR_DENIED, "%s is not among allowedBackends of sallyportd.yaml", text);
}

bool rules_may_dial(const void *rules, const struct sock_addr *addr)
{
	return rules_check(rules, addr, NULL) == 0;
}
