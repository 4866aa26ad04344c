/* cli/refs.h - which objects a command is about: KIND/NAME, KIND NAME…, K1,K2, -f, -l, --all */
#ifndef CLI_REFS_H
#define CLI_REFS_H

#include "cli/cli.h"
#include "cli/manifest.h"

struct ref {
	const struct kind_info *kind; /* borrowed from cli->kinds */
	char *ns;                     /* owned; NULL: cluster-scoped */
	char *name;                   /* owned */
	json_t *doc;                  /* owned; of -f, with the namespace filled in; else NULL */
	char *source;                 /* owned; of -f: "STDIN", a path; else NULL */
};

struct refs {
	struct ref *list; /* owned */
	size_t count;
	int rc; /* EXIT_FAILED when something named could not be made a ref: it was said */
};

void refs_init(struct refs *refs);
void refs_deinit(struct refs *refs);

/* The documents of every -f. 0, or an exit code: nothing can be done (it was said). */
int refs_of_files(struct cli *cli, struct refs *refs);

/* From -f, or words: KIND/NAME…, KIND NAME…, K1,K2 NAME…; with -l or --all (or when may_list and no
 * name is given) all that a list of the kinds shows. Not 0: nothing may be done with what was found
 * until then. */
struct refs_how {
	size_t word_count; /* of cli->args.words, how many name objects */
	bool may_list;     /* a kind without names means all of them */
};
int refs_of_args(struct cli *cli, const struct refs_how *how, struct refs *refs);
/* The same for a verb that is about one kind: the word for it may be left out ("renew NAME"). */
int refs_of_kind(struct cli *cli, const char *kind, struct refs *refs);

typedef int ref_fn(struct cli *cli, void *arg, const struct ref *ref);
/* Calls one for each, and goes on after errors. Returns the worst exit code, refs->rc included. */
int refs_each(struct cli *cli, const struct refs *refs, ref_fn *one, void *arg);

/* "gateway.gateway.networking.k8s.io/name" into out */
void ref_label(const struct ref *ref, struct buf *out);
char *ref_path(const struct ref *ref, const char *sub); /* heap */

/* ---- kinds in words ---- */

#define WORD_KINDS_MAX 64

struct word_kinds {
	const struct kind_info *list[WORD_KINDS_MAX];
	size_t count;
};

/* "gateway", "gateways,httproutes", "all": kinds and categories. 0, or an exit code. */
int word_kinds(struct cli *cli, struct str_view word, struct word_kinds *kinds);

#endif
