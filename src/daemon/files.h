/* daemon/files.h - whole files into memory, with a limit */
#ifndef DAEMON_FILES_H
#define DAEMON_FILES_H

#include "base/err.h"

#include <stddef.h>

/* NUL-terminated heap copy of a regular file (or of standard input for "-"); NULL with a sentence
 * without the name. */
char *file_read(const char *path, size_t max, size_t *len, struct err *err);

#endif
