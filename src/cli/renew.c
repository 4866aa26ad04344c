/* cli/renew.c - renew: a certificate is ordered anew (the condition Issuing, as cert-manager's own
 * tool sets it) */
#include "cli/condition.h"
#include "cli/follow.h"
#include "cli/progress.h"
#include "cli/verb.h"

#include "base/clock.h"
#include "base/own.h"

#include <inttypes.h>
#include <stdlib.h>

#define TRIES_MAX       5
#define TIMEOUT_DEFAULT (INT64_C(300) * 1000)

struct renewal {
	struct cli *cli;
	bool wait;
	int64_t timeout; /* ms */

	/* of one certificate */
	struct progress *progress;
	int64_t revision;   /* before */
	char *last_failure; /* owned: status.lastFailureTime before, or NULL */
	json_t *last;       /* owned: as seen last */
	bool renewed, failed;
};

/* ---- asking for it ---- */

static void set_issuing(json_t *certificate)
{
	char now[CLOCK_TEXT_SIZE];
	json_t *conditions = json_at(certificate, "status.conditions"), *issuing;
	const json_t *condition;
	size_t i;

	clock_rfc3339(clock_wall(), now);
	issuing = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "type", "Issuing", "status", "True",
			    "reason", "ManuallyTriggered", "message",
			    "Certificate re-issuance manually triggered", "lastTransitionTime", now,
			    "observedGeneration",
			    (json_int_t)json_int_at(certificate, "metadata.generation", 1));
	if (!json_is_array(conditions)) {
		json_set_at(certificate, "status.conditions", json_pack("[o]", issuing));
		return;
	}
	json_array_foreach(conditions, i, condition)
	{
		if (sv_eq(json_sv_at(condition, "type"), SV("Issuing"))) {
			json_array_set_new(conditions, i, issuing);
			return;
		}
	}
	json_array_append_new(conditions, issuing);
}

/* GET, then PUT …/status; again when somebody else wrote between. */
static json_t *trigger(struct cli *cli, const struct ref *ref, struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_free) char *status = ref_path(ref, "status");

	path_add(&status, "fieldManager", "sallyport");
	for (int tries = 0;; tries++) {
		AUTO(auto_json) json_t *before = cli_get(cli, path, fault);
		AUTO(auto_json) json_t *changed = NULL;
		AUTO(auto_json) json_t *after = NULL;

		if (before == NULL)
			return NULL;
		changed = json_deep_copy(before);
		set_issuing(changed);
		after = cli_send(cli, &(struct cli_body){"PUT", status, NULL, changed}, fault);
		if (after != NULL)
			return TAKE(before);
		if (tries == TRIES_MAX || !fault_is(fault, "Conflict"))
			return NULL;
	}
}

/* ---- waiting for it ---- */

static bool has_failed(const struct renewal *renewal, const json_t *certificate)
{
	const char *failure = json_str_at(certificate, "status.lastFailureTime");

	if (failure == NULL || condition_is_true(certificate, "Issuing"))
		return false;
	return renewal->last_failure == NULL || strcmp(failure, renewal->last_failure) != 0;
}

static bool see(void *arg, const json_t *certificate)
{
	struct renewal *renewal = arg;

	json_decref(renewal->last);
	renewal->last = json_incref((json_t *)(uintptr_t)certificate);
	if (certificate == NULL)
		return false;
	renewal->renewed = json_int_at(certificate, "status.revision", 0) > renewal->revision &&
			   condition_met(certificate, SV("Ready"), SV("True"));
	renewal->failed = !renewal->renewed && has_failed(renewal, certificate);
	if (!renewal->renewed)
		progress_see(renewal->progress, certificate);
	return !renewal->renewed && !renewal->failed;
}

static void beside(void *arg, struct watches *watches)
{
	struct renewal *renewal = arg;

	progress_watch(renewal->progress, watches);
}

static int tell(struct renewal *renewal, const struct ref *ref, enum watch_end end)
{
	struct cli *cli = renewal->cli;
	struct buf words;

	if (renewal->renewed) {
		out_fmt(&cli->out,
			"certificate.cert-manager.io/%s renewed (revision %" PRId64 ")\n",
			ref->name, json_int_at(renewal->last, "status.revision", 0));
		return EXIT_DONE;
	}
	if (renewal->last == NULL)
		return cli_error(cli, "certificate \"%s\" was deleted", ref->name);
	buf_init(&words, 65536);
	condition_words(renewal->last, SV("Issuing"), &words);
	cli_error(cli, "certificates/%s: %s: %s", ref->name,
		  end == WATCH_TIMED_OUT ? "timed out waiting for the new certificate"
					 : "the renewal failed",
		  buf_cstr(&words));
	buf_deinit(&words);
	out_fmt(&cli->err, "See 'sallyport -n %s describe certificate %s'.\n", ref->ns, ref->name);
	return EXIT_FAILED;
}

static int await(struct renewal *renewal, const struct ref *ref, const json_t *before)
{
	struct cli *cli = renewal->cli;
	struct follow follow = {
		.ref = ref, .see = see, .beside = beside, .arg = renewal, .deadline = -1};
	struct fault fault;
	enum watch_end end;
	int rc;

	if (renewal->timeout > 0)
		follow.deadline = clock_mono_ms() + renewal->timeout;
	fault_init(&fault);
	renewal->revision = json_int_at(before, "status.revision", 0);
	renewal->last_failure = sv_dup(json_sv_at(before, "status.lastFailureTime"));
	renewal->progress = progress_new(cli, ref);
	end = follow_run(cli, &follow, &fault);
	progress_free(renewal->progress);
	rc = end == WATCH_FAILED ? cli_fault(cli, &fault, NULL) : tell(renewal, ref, end);
	fault_deinit(&fault);
	json_decref(renewal->last);
	renewal->last = NULL;
	free(renewal->last_failure);
	return rc;
}

/* ---- the verb ---- */

static int renew_one(struct cli *cli, void *arg, const struct ref *ref)
{
	struct renewal *renewal = arg;
	AUTO(auto_json) json_t *before = NULL;
	struct fault fault;

	if (!sv_eq(ref->kind->group, SV("cert-manager.io")) ||
	    strcmp(ref->kind->kind, "Certificate") != 0)
		return cli_usage(cli, "%s/%s: certificates are renewed, nothing else",
				 ref->kind->singular, ref->name);
	fault_init(&fault);
	before = trigger(cli, ref, &fault);
	if (before == NULL)
		return cli_fault(cli, &fault, NULL);
	fault_deinit(&fault);
	out_fmt(&cli->out, "certificate.cert-manager.io/%s renewal triggered\n", ref->name);
	(void)fflush(cli->out.file);
	return renewal->wait ? await(renewal, ref, before) : EXIT_DONE;
}

int verb_renew(struct cli *cli)
{
	struct renewal renewal = {.cli = cli, .timeout = TIMEOUT_DEFAULT};
	struct err err = {.code = ERR_NONE};
	struct refs refs;
	int rc;

	if (args_duration(&cli->args, FLAG_TIMEOUT, &renewal.timeout, &err) < 0)
		return cli_usage(cli, "%s", err.msg);
	renewal.wait = args_bool(&cli->args, FLAG_WAIT, false);
	refs_init(&refs);
	rc = refs_of_kind(cli, "certificates.cert-manager.io", &refs);
	if (rc == 0 && refs.count == 0 && refs.rc == 0)
		out_fmt(&cli->err, "No resources found\n");
	if (rc == 0)
		rc = refs_each(cli, &refs, renew_one, &renewal);
	refs_deinit(&refs);
	return rc;
}
