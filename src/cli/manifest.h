/* cli/manifest.h - the documents that -f names: files, folders, standard input */
#ifndef CLI_MANIFEST_H
#define CLI_MANIFEST_H

#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"

#include <stdbool.h>
#include <stddef.h>

#define MANIFEST_FILES_MAX 10000
#define MANIFEST_DEPTH_MAX 16 /* folders in folders */

struct manifest_doc {
	char *source; /* owned: "STDIN" or the file's path */
	json_t *json; /* owned: an object */
};

struct manifest {
	struct manifest_doc *docs; /* owned; in the order of the files and of what stands in them */
	size_t count;
};

void manifest_init(struct manifest *manifest);
void manifest_deinit(struct manifest *manifest);

/* Reads what one -f names ("-": standard input; a folder: its .yaml, .yml and .json files) and adds
 * its documents; a List adds its items. -1: nothing of this name was added. */
int manifest_read(struct manifest *manifest, const char *name, bool recursive, struct err *err);
/* Adds the documents of a text. Pure. */
int manifest_parse(struct manifest *manifest, const char *source, struct str_view text,
		   struct err *err);
/* A whole file ("-": standard input) into out, whose ceiling is the limit. */
int manifest_slurp(const char *name, struct buf *out, struct err *err);

#endif
