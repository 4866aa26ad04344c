/* api/peer.c - who is at the other end of the Unix socket, and may he? */
#include "api/peer.h"

#include "base/own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GROUPS_MAX 65536 /* NGROUPS_MAX of Linux */

static bool in_group(int fd, gid_t group)
{
	socklen_t size = 64 * sizeof(gid_t);
	AUTO(auto_free) gid_t *groups = xmalloc(size);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0) {
		if (errno != ERANGE || size > GROUPS_MAX * sizeof(gid_t))
			return false;
		groups = xrealloc(groups, size);
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
			return false;
	}
	for (size_t i = 0; i < size / sizeof(gid_t); i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

int peer_check(int fd, const struct peer_rule *rule, struct err *err)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return err_set(err, ERR_DENIED, "the peer of the socket is not known: %s",
			       strerror(errno));
	if (peer.pid == rule->self)
		return err_set(err, ERR_DENIED,
			       "the daemon may not use its own control socket (does a Gateway lead "
			       "there?)");
	if (peer.uid == 0 || peer.uid == rule->owner)
		return 0;
	if (rule->group_known && (peer.gid == rule->group || in_group(fd, rule->group)))
		return 0;
	return err_set(err, ERR_DENIED,
		       "user %u may not use this socket: root, the daemon's owner and members of "
		       "the socket's group may (usermod -aG sallyport USER, then log in again)",
		       (unsigned)peer.uid);
}

bool peer_uid(int fd, uid_t *uid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	*uid = peer.uid;
	return true;
}
