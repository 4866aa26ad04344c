/* loop/sock_owner.h - which process listens on a port? (for the sentence that says it is in use) */
#ifndef LOOP_SOCK_OWNER_H
#define LOOP_SOCK_OWNER_H

#include "loop/sock.h"

#define SOCK_OWNER_TEXT 96

/* "nginx (pid 123)", several with commas; false: cannot be told (another user's process, or /proc
 * is too large: at most 4096 sockets and 65536 descriptors are looked at). */
bool sock_owner(const struct sock_addr *addr, char out[SOCK_OWNER_TEXT]);

#endif
