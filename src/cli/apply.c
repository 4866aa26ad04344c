/* cli/apply.c - apply: created, or made as the manifest says (the server does it) */
#include "cli/verb.h"
#include "cli/write.h"

#include "base/own.h"

#include <stdlib.h>

#define APPLY_TYPE "application/apply-patch+yaml"

/* The object as it is, or NULL: absent, or fault says what else. */
static json_t *look(struct cli *cli, const struct ref *ref, struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	json_t *object = cli_get(cli, path, fault);

	if (object == NULL && fault_is(fault, "NotFound")) {
		fault_deinit(fault);
		fault_init(fault);
	}
	return object;
}

static const char *word_of(const struct cli *cli, const json_t *before, const json_t *after)
{
	if (args_bool(&cli->args, FLAG_SERVER_SIDE, false))
		return "serverside-applied";
	if (before == NULL)
		return "created";
	return write_changed_nothing(before, after, false) ? "unchanged" : "configured";
}

static json_t *send(struct cli *cli, const struct write_how *how, const struct ref *ref,
		    struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(ref, NULL);

	write_params(how, &path);
	path_add(&path, "force", "true");
	path_add(&path, "settle", how->settle);
	return cli_send(cli, &(struct cli_body){"PATCH", path, APPLY_TYPE, ref->doc}, fault);
}

static int apply_one(struct cli *cli, struct write_how *how, struct ref *ref)
{
	AUTO(auto_free) char *context = write_context("applying", ref->source);
	AUTO(auto_json) json_t *before = NULL;
	AUTO(auto_json) json_t *after = NULL;
	struct fault fault;

	if (ref->name[0] == '\0')
		return cli_error(cli, "%s: apply needs metadata.name (create takes generateName)",
				 ref->source);
	fault_init(&fault);
	before = look(cli, ref, &fault);
	if (fault_is_set(&fault))
		return cli_fault(cli, &fault, context);
	if (how->dry == DRY_CLIENT)
		return write_told(cli, how, ref->doc, before == NULL ? "created" : "configured");
	after = send(cli, how, ref, &fault);
	if (after == NULL)
		return cli_fault(cli, &fault, context);
	return write_told(cli, how, after, word_of(cli, before, after));
}

int verb_apply(struct cli *cli)
{
	return write_files(cli, apply_one);
}
