/* dns01/hook.h - a script of the administrator's, run beside the loop
 *
 * Scripts are files directly below one folder. They, the folder and all above it belong to root (or
 * to the daemon's own user, where the folder is not the built-in one), and nobody else may write
 * there. Nothing of an object becomes a path but a bare file name.
 */
#ifndef DNS01_HOOK_H
#define DNS01_HOOK_H

#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

#define HOOK_OUTPUT_MAX 4096 /* bytes that are kept, the last ones */

struct hook;

/* How it ended. */
struct hook_result {
	bool fine;              /* exit status 0, in time */
	char why[128];          /* "exit status 3", "no end within 120 s", or why not begun */
	struct str_view output; /* stdout and stderr together, the end of it; borrowed */
};

struct hook_config {
	struct loop *loop;
	const char *const *argv; /* argv[0]: an absolute path; copied by the kernel */
	const char *const *env;  /* all of the environment */
	int64_t timeout_ms;      /* then its process group is killed */
	/* In a later turn, once; the hook is gone when it runs. */
	void (*done)(void *arg, const struct hook_result *result);
	void *arg;
};

/* The path of a script (heap) when it may be run; NULL with a sentence that says what to change.
 * own: files of this process's user will do as well. program: it is executed, not read. */
char *hook_path(const char *folder, struct str_view name, bool own, bool program, struct err *err);
struct hook *hook_start(const struct hook_config *config);
void hook_cancel(struct hook *hook); /* kills its process group; NULL is fine */

#endif
