/* api/peer.h - who is at the other end of the Unix socket, and may he?
 *
 * The kernel says who connected (SO_PEERCRED, SO_PEERGROUPS): no name service is asked, so nothing
 * blocks, and what counts are the groups of the process, as for the socket's file mode.
 */
#ifndef API_PEER_H
#define API_PEER_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct peer_rule {
	uid_t owner; /* of the daemon's process */
	pid_t self;  /* the daemon: never its own client */
	bool group_known;
	gid_t group;
};

/* root, the owner and members of the group may; 0, or -1 with ERR_DENIED. */
int peer_check(int fd, const struct peer_rule *rule, struct err *err);
/* The user at the other end; false: the kernel does not say. */
bool peer_uid(int fd, uid_t *uid);

#endif
