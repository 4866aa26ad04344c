/* daemon/manifest_file.h - one file of manifests: read, judged as a whole */
#ifndef DAEMON_MANIFEST_FILE_H
#define DAEMON_MANIFEST_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "resource/kind.h"
#include "store/store.h"

#define MANIFEST_TEXT_MAX  (8u << 20)
#define MANIFEST_DOCS_MAX  20000 /* of a file */
#define MANIFEST_FILES_MAX 10000 /* of a folder: one with more is not applied */

struct manifest_doc {
	const struct kind *kind;
	char *key;       /* of the store */
	json_t *object;  /* admitted */
	uint64_t expect; /* revision it replaces, 0: new */
	bool unchanged;
};

struct manifest_file {
	char *path;
	size_t count;
	struct manifest_doc *docs;
	struct buf problems; /* a line each: what is wrong; empty: the file is good */
	struct buf remarks;  /* a line each: what is taken although it will not work */
};

/* Paths below a folder (sorted; *.yaml *.yml *.json, no hidden files) or the path itself. Heap
 * array of heap strings, NULL-terminated; NULL with a sentence (MANIFEST_FILES_MAX is one). */
char **manifest_paths(const char *path, struct err *err);
void manifest_paths_free(char **paths);

/* store NULL: offline, every object is judged as new. */
void manifest_file_read(struct manifest_file *file, const char *path, const struct store *store);
void manifest_file_deinit(struct manifest_file *file);

#endif
