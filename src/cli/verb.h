/* cli/verb.h - the verbs: a row each in main.c, a file each */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include "cli/cli.h"

#define VERB_FLAGS_MAX 20

struct verb {
	const char *name;    /* "rollout status": one or two words */
	const char *alias;   /* another spelling, or NULL */
	const char *usage;   /* behind "sallyport " */
	const char *summary; /* one line */
	const char *details; /* of the help, or NULL: lines ended by line feeds */
	enum flag_id flags[VERB_FLAGS_MAX];
	int (*run)(struct cli *cli); /* returns an exit code */
};

/* Finds the verb, reads the flags, runs it, and says how it ended. rows end with name NULL. */
int verbs_run(const struct verb *rows, int argc, char **argv);

int verb_account_deactivate(struct cli *cli);
int verb_account_list(struct cli *cli);
int verb_account_rollover(struct cli *cli);
int verb_account_update(struct cli *cli);
int verb_annotate(struct cli *cli);
int verb_api_resources(struct cli *cli);
int verb_apply(struct cli *cli);
int verb_certificate_delete(struct cli *cli);
int verb_certificate_export(struct cli *cli);
int verb_certificate_issue(struct cli *cli);
int verb_certificate_list(struct cli *cli);
int verb_certificate_revoke(struct cli *cli);
int verb_certificate_show(struct cli *cli);
int verb_create(struct cli *cli);
int verb_create_configmap(struct cli *cli);
int verb_create_namespace(struct cli *cli);
int verb_create_secret(struct cli *cli);
int verb_delete(struct cli *cli);
int verb_describe(struct cli *cli);
int verb_diff(struct cli *cli);
int verb_edit(struct cli *cli);
int verb_events(struct cli *cli);
int verb_explain(struct cli *cli);
int verb_get(struct cli *cli);
int verb_import_acmesh(struct cli *cli);
int verb_import_certbot(struct cli *cli);
int verb_label(struct cli *cli);
int verb_patch(struct cli *cli);
int verb_renew(struct cli *cli);
int verb_replace(struct cli *cli);
int verb_rollout_status(struct cli *cli);
int verb_status(struct cli *cli);
int verb_version(struct cli *cli);
int verb_wait(struct cli *cli);

#endif
