/* daemon/sandbox.h - what neither the daemon nor a command that it starts may ask of the kernel
 *
 * A second wall: the unit of systemd draws a narrower one, but not every host has it.
 */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

/* For the calling thread and all it starts, for good: no more privileges by set-user-ID files, and
 * with libseccomp a filter that refuses (EPERM) system calls a gateway has no use for. Before the
 * first thread. What the kernel does not let it do is logged, and is no failure: a container may
 * have drawn its own wall. */
void sandbox_enter(void);

#endif
