/* daemon/manifests.h - the folder of manifests: applied at start and on SIGHUP, all or nothing per
 * file
 *
 * Objects remember their file (SOURCE_ANNOTATION). What leaves the files is deleted; a file that
 * does not parse, or holds one wrong object, leaves its old objects in force and is reported; what
 * it names as far as it can be read is not deleted either. A Namespace that leaves goes with all
 * that is in it, as by the API, but stays while a file holds objects in it.
 */
#ifndef DAEMON_MANIFESTS_H
#define DAEMON_MANIFESTS_H

#include "loop/loop.h"
#include "store/store.h"

#include <stdio.h>

struct manifests;

/* A relative folder is one of the working directory of this moment; the folder need not exist. */
struct manifests *manifests_new(struct loop *loop, struct store *store, const char *folder);
void manifests_free(struct manifests *manifests);
/* Reads the folder and asks for the writes; done (may be NULL) runs in a later turn with the number
 * of files that were refused. A second call while one runs makes it run once more. */
void manifests_apply(struct manifests *manifests, void (*done)(void *arg, unsigned refused),
		     void *arg);

/* Offline (--check): a line on out for each good file and for each mistake; the number of files
 * refused. Each file is judged alone: an object that stands in two is found by the daemon.
 * "-" is standard input; a folder stands for its *.yaml, *.yml and *.json. */
unsigned manifests_check(char **files, size_t count, FILE *out);

#endif
