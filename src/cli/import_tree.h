/* cli/import_tree.h - files below one folder, and no others
 *
 * A link may lead anywhere within the folder (or within `beside`, its archive elsewhere); what it
 * leads to outside is not opened.
 */
#ifndef CLI_IMPORT_TREE_H
#define CLI_IMPORT_TREE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

#define TREE_FILE_MAX    (256u << 10) /* bytes of one file */
#define TREE_ENTRIES_MAX 20000        /* of one folder */

struct tree {
	const char *name; /* borrowed: as it was typed */
	char *root;       /* owned: its real path, without a slash at the end */
	char *beside;     /* owned: another folder that links may lead into; NULL: none */
};

int tree_open(struct tree *tree, const char *name, struct err *err);
void tree_close(struct tree *tree);
/* Links may lead below this folder too, where path leads. Nothing happens when it is not there. */
void tree_allow(struct tree *tree, const char *path);

/* A whole regular file; path is below the folder. out is initialised by the caller. ERR_NOT_FOUND:
 * it is not there. */
int tree_read(const struct tree *tree, const char *path, struct buf *out, struct err *err);
bool tree_has(const struct tree *tree, const char *path);

/* Names in a folder, sorted, without those that begin with a dot; folders: those alone, else files
 * alone. */
struct tree_names {
	char **list; /* owned */
	size_t count;
};
int tree_list(const struct tree *tree, const char *path, bool folders, struct tree_names *names,
	      struct err *err);
void tree_names_deinit(struct tree_names *names);

#endif
