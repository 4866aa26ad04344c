/* cli/get.h - what get.c and get_watch.c share */
#ifndef CLI_GET_H
#define CLI_GET_H

#include "cli/objects.h"
#include "cli/refs.h"
#include "cli/table.h"

struct get {
	struct cli *cli;
	struct objects_form form;
	struct table_how table;
	const char *sub;
	bool everywhere, with_kind, watch, watch_only;
	bool single;       /* one object was asked for by its name */
	json_t *items;     /* owned: collected, unless tables are shown */
	size_t shown;      /* tables */
	struct buf errors; /* told after what was found */
};

/* Path of an object, or of a list with the selectors of the flags (name NULL). Heap. */
char *get_path(const struct get *get, const struct kind_info *kind, const char *ns,
	       const char *name);
const char *get_accept(const struct get *get);
/* -w: shows what there is, then every change, until the server ends it. */
int get_watched(struct get *get, bool named);

#endif
