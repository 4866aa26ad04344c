/* daemon/manifests.h - the folder of manifests: applied at start and on SIGHUP, all or nothing per
 * file
 *
 * Objects remember their file (SOURCE_ANNOTATION). What leaves the files is deleted; a file that
 * does not parse, or holds one wrong object, leaves its old objects in force and is reported.
 */
#ifndef DAEMON_MANIFESTS_H
#define DAEMON_MANIFESTS_H

#include "loop/loop.h"
#include "store/store.h"

#include <stdio.h>

#define MANIFEST_FILES_MAX 10000

struct manifests;

struct manifests *manifests_new(struct loop *loop, struct store *store, const char *folder);
void manifests_free(struct manifests *manifests);
/* Reads the folder and asks for the writes; done (may be NULL) runs in a later turn with the number
 * of files that were refused. A second call while one runs makes it run once more. */
void manifests_apply(struct manifests *manifests, void (*done)(void *arg, unsigned refused),
		     void *arg);

/* Offline (--check): one line for each file on out, causes indented; the number of files refused.
 * "-" is standard input; a folder stands for its *.yaml, *.yml and *.json. */
unsigned manifests_check(char **files, size_t count, FILE *out);

#endif
