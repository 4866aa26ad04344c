/* cli/write.h - what the verbs that write share: how it is asked for, and what is said after it */
#ifndef CLI_WRITE_H
#define CLI_WRITE_H

#include "cli/objects.h"
#include "cli/refs.h"

enum dry_run { DRY_NONE, DRY_CLIENT, DRY_SERVER };

struct write_how {
	enum dry_run dry;
	const char *validation; /* Strict, Warn or Ignore */
	const char *manager;
	struct objects_form form;
	bool told; /* one was printed */
	/* Of many documents only the last answer waits until the daemon has done what follows. */
	const char *settle; /* "false", "true", or NULL: as usual */
};

/* Reads --dry-run, --validate, --field-manager and -o. 0, or EXIT_USAGE: it was said. */
int write_how_read(struct cli *cli, struct write_how *how);
/* Adds the parameters of a write to a path on the heap. */
void write_params(const struct write_how *how, char **path);

/* The object in the form of -o, or "LABEL WORD" with how dry it ran. Returns an exit code. */
int write_told(struct cli *cli, struct write_how *how, const json_t *object, const char *word);
/* 'error when creating "STDIN": '; "" without a source. Heap. */
char *write_context(const char *doing, const char *source);
/* Equal but for resourceVersion and, unless a status was written, the status? */
bool write_changed_nothing(const json_t *before, const json_t *after, bool of_status);

typedef int write_one_fn(struct cli *cli, struct write_how *how, struct ref *ref);
/* Calls one for every document of -f, and goes on after errors. Returns the worst exit code. */
int write_files(struct cli *cli, write_one_fn *one);

/* POSTs the document of a ref. New reference, or NULL with fault. */
json_t *write_create(struct cli *cli, const struct write_how *how, const struct ref *ref,
		     struct fault *fault);

#endif
