/* controller/rules.h - which addresses a backend, webhook or CA may name: a Gateway must not become
 * a way to root
 *
 * Immutable after rules_new, so workers may ask it too (plane_config.may_dial). Refused: the
 * control socket, the API's and metrics' ports on every address of this host, container and init
 * sockets (docker, containerd, podman, crio, systemd, dbus), link-local addresses; allowedBackends
 * of sallyportd.yaml narrows further.
 */
#ifndef CONTROLLER_RULES_H
#define CONTROLLER_RULES_H

#include "base/err.h"
#include "loop/sock.h"

#include <stdbool.h>

struct address_rules;

struct address_rules_config {
	const char *control_socket;            /* path */
	const struct sock_addr *own_listeners; /* API, metrics */
	size_t own_listener_count;
	const char *const *allowed_backends; /* "127.0.0.0/8", "10.0.0.0/8:8080", "unix:/run/app/";
						none: all but the forbidden */
	size_t allowed_count;
};

/* Copies config. NULL: an entry of allowed_backends cannot be read, err names it. */
struct address_rules *rules_new(const struct address_rules_config *config, struct err *err);
void rules_free(struct address_rules *rules);

/* 0, or -1 with a sentence that names what is refused and why. Unix paths are resolved (symbolic
 * links,
 * "..", and by device and inode where the socket exists). Blocking only on the file system. */
int rules_check(const struct address_rules *rules, const struct sock_addr *addr, struct err *err);
bool rules_may_dial(const void *rules, const struct sock_addr *addr); /* plane_config.may_dial */

#endif
