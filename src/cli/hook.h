/* cli/hook.h - programs of the administrator's that are run when something has changed
 *
 * Only a bare name of a file in the hooks folder is ever run, and only when nobody but root (or the
 * user who runs this) can have put it there or changed it. No shell, no arguments.
 */
#ifndef CLI_HOOK_H
#define CLI_HOOK_H

#include "base/err.h"

#include <stdint.h>

#define HOOKS_DIR    "/etc/sallyport/hooks"
#define HOOK_TIME_MS (INT64_C(300) * 1000)

/* The path of a hook that may be run, heap; NULL: err says why not. */
char *hook_find(const char *dir, const char *name, struct err *err);
/* Runs it to its end, its output going to ours. env: "NAME=value", ended by NULL, beside PATH and
 * LANG alone. -1: it could not be run, failed, or took longer than ms (it is killed then). */
int hook_run(const char *path, char *const env[], int64_t ms, struct err *err);

#endif
