/* cli/rollout.c - rollout status: until a Deployment is available */
#include "cli/follow.h"
#include "cli/verb.h"

#include "base/clock.h"
#include "base/own.h"
#include "cli/condition.h"

#include <inttypes.h>
#include <stdlib.h>

struct rollout {
	struct cli *cli;
	bool watch;
	int64_t deadline; /* monotonic ms; negative: none */
	char *told;       /* owned: the last line */
	bool done, failed, absent;
};

/* What kubectl says about the state. True: rolled out. */
static bool judge(const json_t *object, const char *name, struct buf *line)
{
	int64_t wanted = json_int_at(object, "spec.replicas", 1);
	int64_t updated = json_int_at(object, "status.updatedReplicas", 0);
	int64_t all = json_int_at(object, "status.replicas", 0);
	int64_t available = json_int_at(object, "status.availableReplicas", 0);

	if (json_int_at(object, "metadata.generation", 0) >
	    json_int_at(object, "status.observedGeneration", 0))
		buf_addf(line, "Waiting for deployment spec update to be observed...");
	else if (updated < wanted)
		buf_addf(line,
			 "Waiting for deployment \"%s\" rollout to finish: %" PRId64
			 " out of %" PRId64 " new replicas have been updated...",
			 name, updated, wanted);
	else if (all > updated)
		buf_addf(line,
			 "Waiting for deployment \"%s\" rollout to finish: %" PRId64
			 " old replicas are pending termination...",
			 name, all - updated);
	else if (available < updated)
		buf_addf(line,
			 "Waiting for deployment \"%s\" rollout to finish: %" PRId64 " of %" PRId64
			 " updated replicas are available...",
			 name, available, updated);
	else
		buf_addf(line, "deployment \"%s\" successfully rolled out", name);
	return sv_starts(buf_view(line), SV("deployment "));
}

static bool has_stalled(const json_t *object)
{
	const json_t *condition =
		condition_find(json_at(object, "status.conditions"), SV("Progressing"));

	return sv_eq(json_sv_at(condition, "reason"), SV("ProgressDeadlineExceeded"));
}

static bool see(void *arg, const json_t *object)
{
	struct rollout *rollout = arg;
	const char *name = json_str_at(object, "metadata.name");
	struct buf line;

	rollout->absent = object == NULL;
	rollout->failed = has_stalled(object);
	if (rollout->absent || rollout->failed)
		return false;
	buf_init(&line, 65536);
	rollout->done = judge(object, name, &line);
	if (rollout->told == NULL || strcmp(rollout->told, buf_cstr(&line)) != 0) {
		out_fmt(&rollout->cli->out, "%s\n", buf_cstr(&line));
		(void)fflush(rollout->cli->out.file);
		free(rollout->told);
		rollout->told = sv_dup(buf_view(&line));
	}
	buf_deinit(&line);
	return !rollout->done && rollout->watch;
}

static int rollout_one(struct cli *cli, void *arg, const struct ref *ref)
{
	struct rollout *rollout = arg;
	struct follow follow = {
		.ref = ref, .deadline = rollout->deadline, .see = see, .arg = rollout};
	struct fault fault;
	enum watch_end end;

	if (strcmp(ref->kind->kind, "Deployment") != 0)
		return cli_error(cli,
				 "no status viewer has been implemented for %s: rollout "
				 "status is for Deployments",
				 ref->kind->kind);
	fault_init(&fault);
	end = follow_run(cli, &follow, &fault);
	free(rollout->told);
	rollout->told = NULL;
	if (end == WATCH_FAILED)
		return cli_fault(cli, &fault, NULL);
	fault_deinit(&fault);
	if (end == WATCH_TIMED_OUT)
		return cli_error(cli, "timed out waiting for the condition");
	if (rollout->absent)
		return follow_gone(cli, ref, "object has been deleted");
	if (rollout->failed)
		return cli_error(cli, "deployment \"%s\" exceeded its progress deadline",
				 ref->name);
	return EXIT_DONE;
}

int verb_rollout_status(struct cli *cli)
{
	struct rollout rollout = {.cli = cli, .deadline = -1};
	struct refs_how how = {.word_count = cli->args.word_count};
	struct err err = {.code = ERR_NONE};
	int64_t timeout = 0;
	struct refs refs;
	int rc;

	if (args_duration(&cli->args, FLAG_TIMEOUT, &timeout, &err) < 0)
		return cli_usage(cli, "%s", err.msg);
	if (timeout > 0)
		rollout.deadline = clock_mono_ms() + timeout;
	rollout.watch = args_bool(&cli->args, FLAG_WATCH, true);
	refs_init(&refs);
	rc = refs_of_args(cli, &how, &refs);
	if (rc == 0)
		rc = refs_each(cli, &refs, rollout_one, &rollout);
	refs_deinit(&refs);
	return rc;
}
