/* cli/wait.c - wait: until conditions hold, or objects are there or gone */
#include "cli/condition.h"
#include "cli/follow.h"
#include "cli/jsonpath.h"
#include "cli/objects.h"
#include "cli/progress.h"
#include "cli/verb.h"

#include "base/clock.h"
#include "base/own.h"

#include <stdlib.h>

#define TIMEOUT_DEFAULT (INT64_C(30) * 1000)
#define TIMEOUT_WEEK    (INT64_C(7) * 24 * 3600 * 1000)
#define WORDS_MAX       65536

#define FOR_WORDS "condition=TYPE[=VALUE], jsonpath={.PATH}[=VALUE], delete or create"

enum aim { AIM_CONDITION, AIM_DELETE, AIM_CREATE, AIM_VALUE };

struct waiting {
	struct objects_form form;
	enum aim aim;
	struct str_view type, value; /* of a condition; or a path, and what is to stand there */
	int64_t deadline;            /* monotonic ms, of all objects together */
	bool once;                   /* --timeout=0: as it is now */

	/* of the object that is being waited for */
	struct progress *progress;
	json_t *last; /* owned: as it was seen last; NULL: absent */
	bool met, absent;
};

/* ---- what for ---- */

/* "{.status.phase}=Active"; without a value anything may stand there. */
static int read_path(struct cli *cli, struct waiting *waiting, struct str_view text)
{
	size_t end = sv_find_sv(text, SV("}="));
	struct err err = {.code = ERR_NONE};
	struct buf none;
	int rc;

	waiting->aim = AIM_VALUE;
	waiting->type = end == SV_NOT_FOUND ? text : sv_head(text, end + 1);
	waiting->value = end == SV_NOT_FOUND ? SV_NONE : sv_skip(text, end + 2);
	if (!sv_starts(text, SV("{")))
		return cli_usage(cli, "--for: jsonpath={.PATH}=VALUE is due");
	buf_init(&none, WORDS_MAX);
	rc = jsonpath_text(waiting->type, NULL, &none, &err);
	buf_deinit(&none);
	return rc == 0 ? EXIT_DONE : cli_usage(cli, "--for: %s", err.msg);
}

static int read_for(struct cli *cli, struct waiting *waiting)
{
	const char *text = args_text(&cli->args, FLAG_FOR);
	struct str_view rest = sv_from(text), word = sv_split(&rest, '=');

	if (text == NULL)
		return cli_usage(cli, "must specify --for: " FOR_WORDS);
	if (rest.data != NULL && sv_eq(word, SV("jsonpath")))
		return read_path(cli, waiting, rest);
	if (rest.data == NULL && sv_eq_nocase(word, SV("delete"))) {
		waiting->aim = AIM_DELETE;
		return 0;
	}
	if (rest.data == NULL && sv_eq_nocase(word, SV("create"))) {
		waiting->aim = AIM_CREATE;
		return 0;
	}
	if (!sv_eq(word, SV("condition")) || rest.len == 0)
		return cli_usage(cli, "unrecognized condition: \"%s\"; " FOR_WORDS " is due", text);
	waiting->type = sv_split(&rest, '=');
	waiting->value = rest.data == NULL ? SV("True") : rest;
	return 0;
}

static int read_flags(struct cli *cli, struct waiting *waiting)
{
	int64_t timeout = TIMEOUT_DEFAULT;
	struct err err = {.code = ERR_NONE};

	if (read_for(cli, waiting) != 0 || form_read(cli, &waiting->form) != 0)
		return EXIT_USAGE;
	if (args_duration(&cli->args, FLAG_TIMEOUT, &timeout, &err) < 0)
		return cli_usage(cli, "%s", err.msg);
	waiting->once = timeout == 0;
	waiting->deadline = clock_mono_ms() + (timeout < 0 ? TIMEOUT_WEEK : timeout);
	return 0;
}

/* ---- one object ---- */

static bool value_met(const struct waiting *waiting, const json_t *object)
{
	struct err err = {.code = ERR_NONE};
	struct buf text;
	bool met;

	buf_init(&text, WORDS_MAX);
	met = jsonpath_text(waiting->type, object, &text, &err) == 0 &&
	      (waiting->value.data == NULL ? buf_len(&text) > 0
					   : sv_eq(buf_view(&text), waiting->value));
	buf_deinit(&text);
	return met;
}

static bool needs_object(const struct waiting *waiting)
{
	return waiting->aim == AIM_CONDITION || waiting->aim == AIM_VALUE;
}

static bool is_met(const struct waiting *waiting, const json_t *object)
{
	switch (waiting->aim) {
	case AIM_DELETE:
		return object == NULL;
	case AIM_CREATE:
		return object != NULL;
	case AIM_VALUE:
		return object != NULL && value_met(waiting, object);
	case AIM_CONDITION:
	default:
		return object != NULL && condition_met(object, waiting->type, waiting->value);
	}
}

static bool see(void *arg, const json_t *object)
{
	struct waiting *waiting = arg;

	json_decref(waiting->last);
	waiting->last = json_incref((json_t *)(uintptr_t)object);
	waiting->met = is_met(waiting, object);
	waiting->absent = object == NULL;
	if (object != NULL && !waiting->met)
		progress_see(waiting->progress, object);
	return !waiting->met && !waiting->once && !(needs_object(waiting) && waiting->absent);
}

static void beside(void *arg, struct watches *watches)
{
	struct waiting *waiting = arg;

	progress_watch(waiting->progress, watches);
}

static int tell_met(struct cli *cli, const struct waiting *waiting, const struct ref *ref)
{
	struct buf label;

	if (!form_is_table(&waiting->form) && waiting->last != NULL)
		return objects_print(cli, &waiting->form, waiting->last);
	buf_init(&label, WORDS_MAX);
	ref_label(ref, &label);
	out_fmt(&cli->out, "%s condition met\n", buf_cstr(&label));
	buf_deinit(&label);
	return EXIT_DONE;
}

/* kubectl's line, then why, and what to look at. */
static int tell_late(struct cli *cli, const struct waiting *waiting, const struct ref *ref)
{
	bool elsewhere = ref->ns != NULL && strcmp(ref->ns, "default") != 0;
	struct buf words;

	cli_error(cli, "timed out waiting for the condition on %s/%s", ref->kind->plural,
		  ref->name);
	if (waiting->aim != AIM_CONDITION)
		return EXIT_FAILED;
	buf_init(&words, WORDS_MAX);
	condition_words(waiting->last, waiting->type, &words);
	out_fmt(&cli->err, "%s/%s: %s\nSee 'sallyport%s%s describe %s %s'.\n", ref->kind->singular,
		ref->name, buf_cstr(&words), elsewhere ? " -n " : "", elsewhere ? ref->ns : "",
		ref->kind->singular, ref->name);
	buf_deinit(&words);
	return EXIT_FAILED;
}

static int tell_absent(struct cli *cli, const struct ref *ref)
{
	AUTO(auto_free)
	char *gone = xasprintf("%s \"%s\" was deleted", ref->kind->plural, ref->name);

	return follow_gone(cli, ref, gone);
}

static int wait_one(struct cli *cli, void *arg, const struct ref *ref)
{
	struct waiting *waiting = arg;
	struct follow follow = {.ref = ref,
				.deadline = waiting->deadline,
				.see = see,
				.beside = beside,
				.arg = waiting};
	struct fault fault;
	enum watch_end end;
	int rc;

	fault_init(&fault);
	waiting->met = waiting->absent = false;
	waiting->progress = waiting->aim == AIM_CONDITION ? progress_new(cli, ref) : NULL;
	end = follow_run(cli, &follow, &fault);
	progress_free(waiting->progress);
	if (end == WATCH_FAILED)
		return cli_fault(cli, &fault, NULL);
	fault_deinit(&fault);
	if (waiting->met)
		rc = tell_met(cli, waiting, ref);
	else if (waiting->absent && needs_object(waiting))
		rc = tell_absent(cli, ref);
	else
		rc = tell_late(cli, waiting, ref);
	json_decref(waiting->last);
	waiting->last = NULL;
	return rc;
}

int verb_wait(struct cli *cli)
{
	struct waiting waiting = {.aim = AIM_CONDITION};
	struct refs_how how = {.word_count = cli->args.word_count};
	struct refs refs;
	int rc = read_flags(cli, &waiting);

	if (rc != 0)
		return rc;
	refs_init(&refs);
	rc = refs_of_args(cli, &how, &refs);
	if (rc == 0 && refs.count == 0 && refs.rc == 0 && waiting.aim != AIM_DELETE)
		rc = cli_error(cli, "no matching resources found");
	if (rc == 0)
		rc = refs_each(cli, &refs, wait_one, &waiting);
	refs_deinit(&refs);
	return rc;
}
