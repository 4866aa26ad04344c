/* tests/engine/fault_vfs.h - SQLite's files with a disk that fails when told to */
#ifndef TESTS_ENGINE_FAULT_VFS_H
#define TESTS_ENGINE_FAULT_VFS_H

#include <stdbool.h>

enum fault_kind { FAULT_FULL, FAULT_IO };

/* Becomes the default VFS of this process; before the first database is opened. */
void fault_install(void);
/* The after-th write or sync from now (1: the next one) fails; lasting: so do all after it. */
void fault_arm(enum fault_kind kind, unsigned after, bool lasting);
/* -shm cannot be made or grow: no space. */
void fault_no_shm(bool on);
bool fault_disarm(void); /* true when something failed since fault_arm */

#endif
