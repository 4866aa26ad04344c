/* cli/delete.c - delete */
#include "cli/delete.h"
#include "cli/follow.h"
#include "cli/verb.h"
#include "cli/write.h"

#include "base/clock.h"
#include "base/own.h"

#include <stdlib.h>

#define LABEL_TEXT_MAX 65536

/* ---- one object ---- */

int delete_object(struct cli *cli, const struct ref *ref, bool dry, struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json) json_t *options = json_pack("{s:s}", "propagationPolicy", "Background");
	AUTO(auto_json) json_t *answer = NULL;

	if (dry)
		json_object_set_new(options, "dryRun", json_pack("[s]", "All"));
	answer = cli_send(cli, &(struct cli_body){"DELETE", path, NULL, options}, fault);
	return answer == NULL ? -1 : 0;
}

struct gone {
	char *uid; /* owned: of the one that was seen first */
};

static bool until_gone(void *arg, const json_t *object)
{
	struct gone *gone = arg;
	struct str_view uid = json_sv_at(object, "metadata.uid");

	if (object == NULL)
		return false;
	if (gone->uid == NULL)
		gone->uid = sv_dup(uid);
	return sv_eq(uid, sv_from(gone->uid)); /* another uid: a new one of the same name */
}

bool delete_await(struct cli *cli, const struct ref *ref, int64_t deadline, struct fault *fault)
{
	struct gone gone = {.uid = NULL};
	struct follow follow = {.ref = ref, .deadline = deadline, .see = until_gone, .arg = &gone};
	enum watch_end end = follow_run(cli, &follow, fault);

	free(gone.uid);
	return end == WATCH_STOPPED;
}

/* ---- the verb ---- */

struct deletion {
	struct write_how how;
	bool ignore_absent, wait;
	int64_t timeout; /* ms; 0 and less: none */
};

static int tell(struct cli *cli, const struct deletion *deletion, const struct ref *ref)
{
	static const char *const dry[] = {
		[DRY_NONE] = "", [DRY_CLIENT] = " (dry run)", [DRY_SERVER] = " (server dry run)"};
	struct buf label;

	buf_init(&label, LABEL_TEXT_MAX);
	kind_label(ref->kind, &label);
	if (deletion->how.form.form == FORM_NAME)
		out_fmt(&cli->out, "%s/%s\n", buf_cstr(&label), ref->name);
	else
		out_fmt(&cli->out, "%s \"%s\" deleted%s\n", buf_cstr(&label), ref->name,
			dry[deletion->how.dry]);
	buf_deinit(&label);
	return EXIT_DONE;
}

/* Is it there? What a dry run of the client looks at. */
static int look(struct cli *cli, const struct ref *ref, struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json) json_t *object = cli_get(cli, path, fault);

	return object == NULL ? -1 : 0;
}

static int delete_one(struct cli *cli, const struct deletion *deletion, const struct ref *ref)
{
	AUTO(auto_free) char *context = write_context("deleting", ref->source);
	struct fault fault;
	int rc;

	fault_init(&fault);
	rc = deletion->how.dry == DRY_CLIENT
		     ? look(cli, ref, &fault)
		     : delete_object(cli, ref, deletion->how.dry == DRY_SERVER, &fault);
	if (rc < 0 && deletion->ignore_absent && fault_is(&fault, "NotFound")) {
		fault_deinit(&fault);
		return EXIT_DONE;
	}
	return rc < 0 ? cli_fault(cli, &fault, context) : tell(cli, deletion, ref);
}

static int await_one(struct cli *cli, const struct ref *ref, int64_t deadline)
{
	struct fault fault;
	bool gone;

	fault_init(&fault);
	gone = delete_await(cli, ref, deadline, &fault);
	if (!gone && fault_is_set(&fault))
		return cli_fault(cli, &fault, NULL);
	fault_deinit(&fault);
	if (gone)
		return EXIT_DONE;
	return cli_error(cli, "timed out waiting for the end of %s/%s", ref->kind->plural,
			 ref->name);
}

static int delete_all(struct cli *cli, struct deletion *deletion, const struct refs *refs)
{
	bool wait = deletion->wait && deletion->how.dry == DRY_NONE;
	int64_t deadline = -1;
	int rc = EXIT_DONE, one;

	for (size_t i = 0; i < refs->count; i++) {
		one = delete_one(cli, deletion, &refs->list[i]);
		if (one == EXIT_DONE && wait) {
			if (deadline < 0 && deletion->timeout > 0)
				deadline = clock_mono_ms() + deletion->timeout;
			one = await_one(cli, &refs->list[i], deadline);
		}
		rc = worse(rc, one);
	}
	return rc;
}

static int read_flags(struct cli *cli, struct deletion *deletion)
{
	struct err err = {.code = ERR_NONE};
	bool listed = args_bool(&cli->args, FLAG_ALL, false) ||
		      args_text(&cli->args, FLAG_SELECTOR) != NULL ||
		      args_text(&cli->args, FLAG_FIELD_SELECTOR) != NULL;

	if (write_how_read(cli, &deletion->how) != 0)
		return EXIT_USAGE;
	if (!form_is_table(&deletion->how.form) && deletion->how.form.form != FORM_NAME)
		return cli_usage(cli, "unexpected -o output mode: delete knows -o name");
	if (args_duration(&cli->args, FLAG_TIMEOUT, &deletion->timeout, &err) < 0)
		return cli_usage(cli, "%s", err.msg);
	deletion->wait = args_bool(&cli->args, FLAG_WAIT, true);
	/* What was listed may be gone when its turn comes. */
	deletion->ignore_absent = args_bool(&cli->args, FLAG_IGNORE_NOT_FOUND, listed);
	return 0;
}

int verb_delete(struct cli *cli)
{
	struct deletion deletion = {.timeout = 0};
	struct refs_how how = {.word_count = cli->args.word_count};
	struct refs refs;
	int rc = read_flags(cli, &deletion);

	if (rc != 0)
		return rc;
	refs_init(&refs);
	rc = refs_of_args(cli, &how, &refs);
	if (rc == EXIT_DONE && refs.count == 0 && refs.rc == EXIT_DONE)
		out_fmt(&cli->err, "No resources found\n");
	if (rc == EXIT_DONE)
		rc = worse(refs.rc, delete_all(cli, &deletion, &refs));
	refs_deinit(&refs);
	return rc;
}
