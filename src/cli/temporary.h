/* cli/temporary.h - a folder of our own for files that another program is to see, gone at the end
 *
 * Nobody else can look into it: what is put there may be a key.
 */
#ifndef CLI_TEMPORARY_H
#define CLI_TEMPORARY_H

#include "base/err.h"
#include "codec/json.h"

struct temporary {
	char *path; /* owned */
};

/* In TMPDIR, or /tmp. */
int temporary_init(struct temporary *dir, struct err *err);
void temporary_deinit(struct temporary *dir); /* with all files and folders in it */
/* "PATH/NAME", heap. */
char *temporary_path(const struct temporary *dir, const char *name);
int temporary_folder(const struct temporary *dir, const char *name, struct err *err);
int temporary_write(const char *path, struct str_view text, struct err *err);

/* Runs words (NULL-terminated) with the shell's rules for the first one, whose text may hold flags
 * ("code --wait"), and waits. The exit status; -1: it did not run. */
int run_program(const char *command, const char *const *words, struct err *err);

#endif
