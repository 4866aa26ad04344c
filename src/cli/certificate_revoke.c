/* cli/certificate_revoke.c - certificate revoke and certificate delete
 *
 * The daemon revokes what an annotation asks for (sallyport.dev/revoke: REASON).
 */
#include "cli/certificate.h"
#include "cli/condition.h"
#include "cli/delete.h"
#include "cli/follow.h"
#include "cli/verb.h"

#include "base/clock.h"
#include "base/own.h"

#include <stdlib.h>

#define NOTE_REVOKE     "sallyport.dev/revoke"
#define WORDS_MAX       65536
#define TIMEOUT_DEFAULT (INT64_C(60) * 1000)

/* RFC 5280, section 5.3.1, as far as a subscriber may say so. */
static const char *const reasons[] = {"unspecified", "keyCompromise", "affiliationChanged",
				      "superseded", "cessationOfOperation"};

static const char *reason_of(struct cli *cli, const char *fallback)
{
	const char *text = args_text(&cli->args, FLAG_REASON);
	struct buf words;

	text = text == NULL ? fallback : text;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (sv_eq_nocase(sv_from(text), sv_from(reasons[i])))
			return reasons[i];
	}
	buf_init(&words, 1024);
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		buf_addf(&words, "%s%s", i == 0 ? "" : ", ", reasons[i]);
	(void)cli_usage(cli, "invalid --reason \"%s\": one of %s is due", text, buf_cstr(&words));
	buf_deinit(&words);
	return NULL;
}

struct revoking {
	const char *reason;
	bool wait, then_delete;
	int64_t timeout; /* ms */

	/* of one certificate */
	json_t *last;   /* owned: as seen last */
	json_t *before; /* owned: condition Revoked, NULL: there was none */
	bool ended;
};

static const json_t *revoked_of(const json_t *certificate)
{
	return condition_find(json_at(certificate, "status.conditions"), SV("Revoked"));
}

/* The daemon takes the annotation away when it has seen to it, unless a file holds it: then the
 * condition tells. */
static bool see(void *arg, const json_t *certificate)
{
	struct revoking *revoking = arg;
	const json_t *notes = json_at(certificate, "metadata.annotations");

	json_decref(revoking->last);
	revoking->last = json_incref((json_t *)(uintptr_t)certificate);
	revoking->ended = json_member(notes, NOTE_REVOKE) == NULL ||
			  (!json_same(revoked_of(certificate), revoking->before) &&
			   json_str_at(certificate, "status.revocation.nextTryTime") == NULL);
	return certificate != NULL && !revoking->ended;
}

static int tell_end(struct cli *cli, const struct revoking *revoking, const struct ref *ref)
{
	struct buf words;

	if (revoking->last == NULL)
		return cli_error(cli, "certificate \"%s\" was deleted", ref->name);
	if (revoking->ended && condition_is_true(revoking->last, "Revoked")) {
		out_fmt(&cli->out, "certificate.cert-manager.io/%s revoked\n", ref->name);
		return EXIT_DONE;
	}
	buf_init(&words, WORDS_MAX);
	condition_words(revoking->last, SV("Revoked"), &words);
	cli_error(cli, "certificates/%s: %s: %s", ref->name,
		  revoking->ended ? "it was not revoked" : "it is not revoked yet",
		  buf_len(&words) == 0 ? "nothing is known" : buf_cstr(&words));
	buf_deinit(&words);
	return EXIT_FAILED;
}

static int await(struct cli *cli, struct revoking *revoking, const struct ref *ref)
{
	struct follow follow = {.ref = ref, .see = see, .arg = revoking, .deadline = -1};
	struct fault fault;
	enum watch_end end;

	(void)fflush(cli->out.file);
	if (revoking->timeout > 0)
		follow.deadline = clock_mono_ms() + revoking->timeout;
	revoking->ended = false;
	fault_init(&fault);
	end = follow_run(cli, &follow, &fault);
	return end == WATCH_FAILED ? cli_fault(cli, &fault, NULL) : tell_end(cli, revoking, ref);
}

static int revoke_one(struct cli *cli, void *arg, const struct ref *ref)
{
	struct revoking *revoking = arg;
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json) json_t *certificate = NULL;
	struct fault fault;
	int rc = EXIT_DONE;

	fault_init(&fault);
	certificate = cli_get(cli, path, &fault);
	if (certificate == NULL ||
	    annotate_one(cli, ref, NOTE_REVOKE, revoking->reason, &fault) < 0)
		return cli_fault(cli, &fault, NULL);
	out_fmt(&cli->out, "certificate.cert-manager.io/%s revocation requested (%s)\n", ref->name,
		revoking->reason);
	revoking->before = json_deep_copy(revoked_of(certificate));
	if (revoking->wait)
		rc = await(cli, revoking, ref);
	json_decref(revoking->before);
	json_decref(revoking->last);
	revoking->before = revoking->last = NULL;
	return rc;
}

/* 0, or EXIT_USAGE: it was said. */
static int read_revoking(struct cli *cli, struct revoking *revoking, const char *reason)
{
	struct err err = {.code = ERR_NONE};

	*revoking = (struct revoking){.reason = reason_of(cli, reason),
				      .wait = args_bool(&cli->args, FLAG_WAIT, false),
				      .timeout = TIMEOUT_DEFAULT};
	if (revoking->reason == NULL)
		return EXIT_USAGE;
	if (args_duration(&cli->args, FLAG_TIMEOUT, &revoking->timeout, &err) < 0)
		return cli_usage(cli, "%s", err.msg);
	return 0;
}

int verb_certificate_revoke(struct cli *cli)
{
	struct revoking revoking;

	if (read_revoking(cli, &revoking, "unspecified") != 0)
		return EXIT_USAGE;
	return certificates_each(cli, revoke_one, &revoking);
}

/* ---- certificate delete ---- */

static int delete_one(struct cli *cli, void *arg, const struct ref *ref)
{
	struct revoking *revoking = arg;
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json) json_t *certificate = NULL;
	struct fault fault;

	if (revoking->then_delete && revoke_one(cli, revoking, ref) != EXIT_DONE)
		return EXIT_FAILED; /* what could not be revoked stays, to be tried again */
	fault_init(&fault);
	certificate = cli_get(cli, path, &fault);
	if (certificate == NULL || delete_object(cli, ref, false, &fault) < 0)
		return cli_fault(cli, &fault, NULL);
	out_fmt(&cli->out, "certificate.cert-manager.io \"%s\" deleted\n", ref->name);
	out_fmt(&cli->err,
		"Secret %.*s, which holds its key, is kept; 'sallyport -n %s delete secret %.*s' "
		"ends it.\n",
		SV_ARG(json_sv_at(certificate, "spec.secretName")), ref->ns,
		SV_ARG(json_sv_at(certificate, "spec.secretName")));
	return EXIT_DONE;
}

int verb_certificate_delete(struct cli *cli)
{
	struct revoking revoking;

	if (read_revoking(cli, &revoking, "cessationOfOperation") != 0)
		return EXIT_USAGE;
	revoking.then_delete = args_bool(&cli->args, FLAG_REVOKE, false);
	revoking.wait = revoking.then_delete;
	if (args_text(&cli->args, FLAG_REASON) != NULL && !revoking.then_delete)
		return cli_usage(cli, "--reason is for --revoke");
	return certificates_each(cli, delete_one, &revoking);
}
