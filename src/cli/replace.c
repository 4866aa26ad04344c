/* cli/replace.c - replace: objects that exist, by whole new ones */
#include "cli/delete.h"
#include "cli/verb.h"
#include "cli/write.h"

#include "base/own.h"

#include <stdlib.h>

#define TRIES_MAX 5 /* when somebody else writes between our reading and writing */

/* GET, then PUT with the version that was read; a version in the manifest is the user's word. */
static json_t *put(struct cli *cli, const struct write_how *how, struct ref *ref,
		   struct fault *fault)
{
	const char *sub = args_text(&cli->args, FLAG_SUBRESOURCE);
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_free) char *to = ref_path(ref, sub);
	bool pinned = json_str_at(ref->doc, "metadata.resourceVersion") != NULL;

	write_params(how, &to);
	for (int tries = 0;; tries++) {
		AUTO(auto_json) json_t *old = cli_get(cli, path, fault);
		json_t *new;

		if (old == NULL)
			return NULL;
		if (how->dry == DRY_CLIENT)
			return json_incref(ref->doc);
		if (!pinned)
			json_set_at(ref->doc, "metadata.resourceVersion",
				    json_incref(json_at(old, "metadata.resourceVersion")));
		new = cli_send(cli, &(struct cli_body){"PUT", to, NULL, ref->doc}, fault);
		if (new != NULL || pinned || tries == TRIES_MAX || !fault_is(fault, "Conflict"))
			return new;
	}
}

static int replace_one(struct cli *cli, struct write_how *how, struct ref *ref)
{
	AUTO(auto_free) char *context = write_context("replacing", ref->source);
	AUTO(auto_json) json_t *object = NULL;
	struct fault fault;

	if (ref->name[0] == '\0')
		return cli_error(cli, "%s: replace needs metadata.name", ref->source);
	fault_init(&fault);
	object = put(cli, how, ref, &fault);
	if (object == NULL)
		return cli_fault(cli, &fault, context);
	return write_told(cli, how, object, "replaced");
}

/* --force: deleted if it is there, then created. */
static int force_one(struct cli *cli, struct write_how *how, struct ref *ref)
{
	AUTO(auto_free) char *context = write_context("replacing", ref->source);
	AUTO(auto_json) json_t *object = NULL;
	struct fault fault;

	fault_init(&fault);
	if (how->dry == DRY_CLIENT)
		return write_told(cli, how, ref->doc, "replaced");
	if (delete_object(cli, ref, how->dry == DRY_SERVER, &fault) < 0) {
		if (!fault_is(&fault, "NotFound"))
			return cli_fault(cli, &fault, context);
	} else if (how->dry == DRY_NONE && !delete_await(cli, ref, -1, &fault)) {
		return cli_fault(cli, &fault, context);
	}
	json_set_at(ref->doc, "metadata.resourceVersion", NULL);
	json_set_at(ref->doc, "metadata.uid", NULL);
	if (how->dry == DRY_SERVER) /* the old one is still there: create would refuse */
		object = json_incref(ref->doc);
	else
		object = write_create(cli, how, ref, &fault);
	if (object == NULL)
		return cli_fault(cli, &fault, context);
	fault_deinit(&fault);
	return write_told(cli, how, object, "replaced");
}

int verb_replace(struct cli *cli)
{
	bool force = args_bool(&cli->args, FLAG_FORCE, false);

	return write_files(cli, force ? force_one : replace_one);
}
