/* cli/create.h - create: objects that do not exist yet, from documents or from what flags say */
#ifndef CLI_CREATE_H
#define CLI_CREATE_H

#include "cli/write.h"

/* Creates the document of a ref, and says so. */
int create_one(struct cli *cli, struct write_how *how, struct ref *ref);
/* The same for a document that was made here, of kind and name in it. Takes doc. */
int create_made(struct cli *cli, json_t *doc);

#endif
