/* store/statedir.h - the directory of the state: there, ours to write, and nobody else's meanwhile
 */
#ifndef STORE_STATEDIR_H
#define STORE_STATEDIR_H

#include "base/err.h"

/* Makes the directory (0700, with its parents) when missing and locks it: the descriptor of the
 * lock file, to be kept open as long as the directory is used, or -1. The errors name the cause,
 * the process that holds it, and what to do. */
int statedir_lock(const char *dir, struct err *err);
void statedir_unlock(int lock);

#endif
