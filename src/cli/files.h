/* cli/files.h - a set of files that change together, atomically each, and only when they differ
 *
 * Each file is written beside its place, synced, and renamed over it; no reader ever sees half a
 * file, and all are on disk before the first takes its place. A mark beside the first file stands
 * from before the first rename until files_settled(): who was ended between knows after the next
 * start that somebody has yet to be told.
 */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

#define FILES_MAX 16

struct file_want {
	char *path;      /* owned */
	struct buf text; /* owned; overwritten when released */
	mode_t mode;
};

struct files {
	struct file_want list[FILES_MAX];
	size_t count;
	uid_t uid; /* (uid_t)-1: as they are made */
	gid_t gid;
};

void files_init(struct files *files);
void files_deinit(struct files *files);
/* Adds a file that is to hold text. Takes path. */
int files_add(struct files *files, char *path, struct str_view text, mode_t mode, struct err *err);
/* Makes them so. *changed: one at least was written. -1: what was not written yet stays as it was.
 */
int files_write(struct files *files, bool *changed, struct err *err);
/* Is there a mark of changes that nobody was told of? */
bool files_unsettled(const struct files *files);
void files_settled(const struct files *files);

/* "user", "user:group", ":group", names or numbers. */
int files_owner(struct files *files, const char *text, struct err *err);
/* "0640": octal, at most 0777, and nothing for others. */
int files_mode(const char *text, mode_t *mode, struct err *err);

#endif
