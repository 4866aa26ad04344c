/* daemon/sandbox.c - a filter of system calls (seccomp(2)) */
#include "daemon/sandbox.h"

#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>

#ifdef HAVE_LIBSECCOMP

#include <seccomp.h>

/* LeakSanitizer looks at the threads of its process by ptrace. */
#if defined(__SANITIZE_ADDRESS__)
#define TRACED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TRACED true
#endif
#endif
#ifndef TRACED
#define TRACED false
#endif

/* A list of what is refused, since hooks are programs of the administrator and may do what programs
 * do. Each is a way to other processes, to the kernel or to another view of the file system, or
 * has had holes that led there. */
static const char *const refused[] = {
	/* other processes */
	"process_vm_readv",
	"process_vm_writev",
	"process_madvise",
	"pidfd_getfd",
	"kcmp",
	/* the kernel */
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"reboot",
	"iopl",
	"ioperm",
	"syslog",
	"acct",
	"quotactl",
	"swapon",
	"swapoff",
	/* another view of the file system, other namespaces */
	"mount",
	"umount2",
	"pivot_root",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	"unshare",
	"setns",
	"open_by_handle_at",
	/* keys of the kernel */
	"add_key",
	"request_key",
	"keyctl",
	/* the clock and the name of the host */
	"clock_settime",
	"settimeofday",
	"sethostname",
	"setdomainname",
};

static int refuse(scmp_filter_ctx filter, const char *name)
{
	int call = seccomp_syscall_resolve_name(name);

	if (call == __NR_SCMP_ERROR || call < 0) /* not on this architecture */
		return 0;
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
}

static int load_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int result = filter == NULL ? -ENOMEM : 0;

	for (size_t i = 0; result == 0 && i < sizeof(refused) / sizeof(refused[0]); i++)
		result = refuse(filter, refused[i]);
	if (result == 0 && !TRACED)
		result = refuse(filter, "ptrace");
	if (result == 0)
		result = seccomp_load(filter);
	if (filter != NULL)
		seccomp_release(filter);
	return result;
}

#else

static int load_filter(void)
{
	return 0;
}

#endif

void sandbox_enter(void)
{
	int result = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? load_filter() : -errno;

	if (result < 0)
		log_warn("daemon", "no filter of system calls: %s", strerror(-result));
}
