/* cli/account.c - account list, update, rollover, deactivate: what issuers have at ACME servers
 *
 * The daemon does it: the contact stands in spec.acme.email, the other two are annotations whose
 * value is the time that they were asked for.
 */
#include "cli/certificate.h"
#include "cli/condition.h"
#include "cli/follow.h"
#include "cli/issuers.h"
#include "cli/objects.h"
#include "cli/verb.h"

#include "base/clock.h"
#include "base/own.h"
#include "base/url.h"
#include "cli/columns.h"

#include <stdlib.h>
#include <unistd.h>

#define NOTE_ROLLOVER   "sallyport.dev/account-rollover"
#define NOTE_DEACTIVATE "sallyport.dev/account-deactivate"
#define TEXT_MAX        (1u << 20)
#define TIMEOUT_DEFAULT (INT64_C(60) * 1000)

/* ---- list ---- */

static void add_host(struct columns *columns, const json_t *issuer)
{
	columns_add(columns, url_authority(json_sv_at(issuer, "spec.acme.server")));
}

static void add_or_dash(struct columns *columns, struct str_view text)
{
	columns_add(columns, text.len == 0 ? SV("-") : text);
}

static struct str_view state_of(const json_t *issuer)
{
	const json_t *ready = condition_find(json_at(issuer, "status.conditions"), SV("Ready"));

	if (condition_is_true(issuer, "Ready"))
		return SV("ready");
	return ready == NULL ? SV("new") : json_sv_at(ready, "reason");
}

static void add_account(struct columns *columns, const json_t *issuer)
{
	bool cluster = sv_eq(json_sv_at(issuer, "kind"), SV("ClusterIssuer"));
	struct str_view uri = json_sv_at(issuer, "status.acme.uri");
	AUTO(auto_free)
	char *name = xasprintf("%s/%.*s", cluster ? "clusterissuer" : "issuer",
			       SV_ARG(json_sv_at(issuer, "metadata.name")));
	size_t slash = sv_rfind(uri, '/');

	columns_add(columns, sv_from(name));
	add_host(columns, issuer);
	add_or_dash(columns, json_sv_at(issuer, "spec.acme.email"));
	add_or_dash(columns, slash == SV_NOT_FOUND ? uri : sv_skip(uri, slash + 1));
	columns_add(columns, state_of(issuer));
	columns_end(columns);
}

static void print_accounts(struct cli *cli, const json_t *issuers)
{
	static const char *const heads[] = {"ISSUER", "SERVER", "EMAIL", "ACCOUNT", "STATE"};
	struct columns columns;
	const json_t *issuer;
	struct buf text;
	size_t i;

	columns_init(&columns);
	columns.gap = 2;
	for (i = 0; i < ARRAY_LEN(heads) && !args_bool(&cli->args, FLAG_NO_HEADERS, false); i++)
		columns_add(&columns, sv_from(heads[i]));
	if (i > 0)
		columns_end(&columns);
	json_array_foreach(issuers, i, issuer)
	{
		add_account(&columns, issuer);
	}
	buf_init(&text, TEXT_MAX);
	columns_fit(&columns, 0, out_table_width(&cli->out));
	columns_text(&columns, 0, &text);
	out_text(&cli->out, buf_view(&text));
	buf_deinit(&text);
	columns_deinit(&columns);
}

/* Issuers of other types have no account. */
static json_t *acme_issuers(struct cli *cli, const char *ns, struct fault *fault)
{
	AUTO(auto_json) json_t *issuers = NULL;

	if (cli_learn(cli) < 0)
		return NULL;
	issuers = all_issuers(cli, ns, fault);
	for (size_t i = json_array_size(issuers); i > 0; i--) {
		if (json_at(json_array_get(issuers, i - 1), "spec.acme") == NULL)
			json_array_remove(issuers, i - 1);
	}
	return TAKE(issuers);
}

int verb_account_list(struct cli *cli)
{
	const char *ns = args_bool(&cli->args, FLAG_ALL_NAMESPACES, false) ? NULL : cli->ns;
	AUTO(auto_json) json_t *issuers = NULL;
	AUTO(auto_json) json_t *list = NULL;
	struct objects_form form;
	struct fault fault;

	if (form_read(cli, &form) != 0)
		return EXIT_USAGE;
	if (cli->args.word_count > 0)
		return cli_usage(cli, "unexpected argument \"%s\"", cli->args.words[0]);
	fault_init(&fault);
	issuers = acme_issuers(cli, ns, &fault);
	if (issuers == NULL)
		return fault_is_set(&fault) ? cli_fault(cli, &fault, NULL) : EXIT_FAILED;
	if (!form_is_table(&form)) {
		list = objects_list(json_incref(issuers));
		return objects_print(cli, &form, list);
	}
	if (json_array_size(issuers) == 0)
		out_fmt(&cli->err, "No accounts found: no issuer has spec.acme\n");
	else
		print_accounts(cli, issuers);
	return EXIT_DONE;
}

/* ---- one account ---- */

struct wish {
	struct cli *cli;
	const char *word;      /* "rolled over": what is said when it is done */
	const char *path;      /* where the daemon writes that it is done */
	const char *value;     /* what it writes there; NULL: anything */
	const char *condition; /* that says why not, when it is False or Ready */
	bool done;
	json_t *last; /* owned */
};

static bool see(void *arg, const json_t *issuer)
{
	struct wish *wish = arg;
	struct str_view there = json_sv_at(issuer, wish->path);

	json_decref(wish->last);
	wish->last = json_incref((json_t *)(uintptr_t)issuer);
	wish->done = there.len > 0 && (wish->value == NULL || sv_eq(there, sv_from(wish->value)));
	return issuer != NULL && !wish->done;
}

static int tell_end(const struct wish *wish, const struct ref *ref, const char *label)
{
	struct cli *cli = wish->cli;
	struct buf words;

	if (wish->done) {
		out_fmt(&cli->out, "%s %s\n", label, wish->word);
		return EXIT_DONE;
	}
	buf_init(&words, TEXT_MAX);
	if (wish->last != NULL)
		condition_words(wish->last, sv_from(wish->condition), &words);
	cli_error(cli, "%s is not %s yet: %s", label, wish->word,
		  wish->last == NULL ? "it was deleted" : buf_cstr(&words));
	buf_deinit(&words);
	out_fmt(&cli->err, "See 'sallyport describe %s %s'; it is tried on.\n", ref->kind->singular,
		ref->name);
	return EXIT_FAILED;
}

static int await(struct wish *wish, const struct ref *ref, const char *label)
{
	struct follow follow = {.ref = ref, .see = see, .arg = wish};
	int64_t timeout = TIMEOUT_DEFAULT;
	struct err err = {.code = ERR_NONE};
	struct fault fault;
	int rc;

	if (!args_bool(&wish->cli->args, FLAG_WAIT, false))
		return EXIT_DONE;
	if (args_duration(&wish->cli->args, FLAG_TIMEOUT, &timeout, &err) < 0)
		return cli_usage(wish->cli, "%s", err.msg);
	(void)fflush(wish->cli->out.file);
	follow.deadline = timeout > 0 ? clock_mono_ms() + timeout : -1;
	fault_init(&fault);
	if (follow_run(wish->cli, &follow, &fault) == WATCH_FAILED)
		rc = cli_fault(wish->cli, &fault, NULL);
	else
		rc = tell_end(wish, ref, label);
	fault_deinit(&fault);
	json_decref(wish->last);
	wish->last = NULL;
	return rc;
}

typedef int change_fn(struct cli *cli, const struct ref *ref, const char *value,
		      struct fault *fault);

struct change {
	change_fn *make;
	const char *value, *asked; /* asked: what is said when it was written */
	struct wish wish;
};

static int change_issuer(struct cli *cli, struct change *change, const json_t *issuer)
{
	bool cluster = sv_eq(json_sv_at(issuer, "kind"), SV("ClusterIssuer"));
	AUTO(auto_free) char *name = sv_dup(json_sv_at(issuer, "metadata.name"));
	AUTO(auto_free)
	char *label =
		xasprintf("%s.cert-manager.io/%s", cluster ? "clusterissuer" : "issuer", name);
	struct ref ref = {.kind = cli_kind(cli, cluster ? SV("clusterissuers.cert-manager.io")
							: SV("issuers.cert-manager.io")),
			  .ns = cluster ? NULL : (char *)(uintptr_t)cli->ns,
			  .name = name};
	struct fault fault;

	if (ref.kind == NULL)
		return EXIT_FAILED;
	fault_init(&fault);
	if (change->make(cli, &ref, change->value, &fault) < 0)
		return cli_fault(cli, &fault, NULL);
	out_fmt(&cli->out, "%s %s\n", label, change->asked);
	change->wish.cli = cli;
	return await(&change->wish, &ref, label);
}

/* The issuer that the only word names. NULL: rc is the exit code, and it was said. */
static const json_t *named_issuer(struct cli *cli, json_t **issuers, int *rc)
{
	const json_t *issuer;
	struct fault fault;

	fault_init(&fault);
	*issuers = acme_issuers(cli, cli->ns, &fault);
	*rc = EXIT_FAILED;
	if (*issuers == NULL && fault_is_set(&fault))
		(void)cli_fault(cli, &fault, NULL);
	if (*issuers == NULL)
		return NULL;
	issuer = issuer_find(*issuers, cli->args.words[0]);
	if (issuer == NULL)
		*rc = issuer_refuse(cli, *issuers, cli->args.words[0]);
	return issuer;
}

static int change_named(struct cli *cli, struct change *change)
{
	AUTO(auto_json) json_t *issuers = NULL;
	const json_t *issuer;
	int rc;

	issuer = named_issuer(cli, &issuers, &rc);
	return issuer == NULL ? rc : change_issuer(cli, change, issuer);
}

static int one_word(struct cli *cli)
{
	return cli->args.word_count == 1
		       ? 0
		       : cli_usage(cli, "which account? The name of its issuer is due "
					"('account list' shows them)");
}

/* ---- update ---- */

static int set_email(struct cli *cli, const struct ref *ref, const char *value, struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json)
	json_t *patch = json_pack("{s:{s:{s:s}}}", "spec", "acme", "email", value);
	AUTO(auto_json) json_t *after = NULL;

	if (patch == NULL)
		return err_set(&fault->err, ERR_INVALID, "--email is no UTF-8");
	path_add(&path, "fieldManager", "sallyport");
	after = cli_send(cli,
			 &(struct cli_body){"PATCH", path, "application/merge-patch+json", patch},
			 fault);
	return after == NULL ? -1 : 0;
}

int verb_account_update(struct cli *cli)
{
	const char *email = args_text(&cli->args, FLAG_EMAIL);
	struct change change = {.make = set_email,
				.value = email,
				.asked = "contact changed",
				.wish = {.word = "updated",
					 .path = "status.acme.lastRegisteredEmail",
					 .value = email,
					 .condition = "Ready"}};

	if (one_word(cli) != 0)
		return EXIT_USAGE;
	if (email == NULL || email[0] == '\0')
		return cli_usage(cli, "--email ADDRESS is due");
	return change_named(cli, &change);
}

/* ---- rollover ---- */

static int ask_rollover(struct cli *cli, const struct ref *ref, const char *value,
			struct fault *fault)
{
	return annotate_one(cli, ref, NOTE_ROLLOVER, value, fault);
}

int verb_account_rollover(struct cli *cli)
{
	char now[CLOCK_TEXT_SIZE];
	struct change change = {.make = ask_rollover,
				.value = now,
				.asked = "new key requested",
				.wish = {.word = "rolled over",
					 .path = "status.acme.lastRollover",
					 .value = now,
					 .condition = "AccountRollover"}};

	if (one_word(cli) != 0)
		return EXIT_USAGE;
	clock_rfc3339(clock_wall(), now);
	return change_named(cli, &change);
}

/* ---- deactivate ---- */

static int ask_deactivation(struct cli *cli, const struct ref *ref, const char *value,
			    struct fault *fault)
{
	return annotate_one(cli, ref, NOTE_DEACTIVATE, value, fault);
}

/* 0, or an exit code: it was said. */
static int confirm(struct cli *cli, const json_t *issuer)
{
	struct str_view uri = json_sv_at(issuer, "status.acme.uri");
	char answer[16] = "";

	if (args_bool(&cli->args, FLAG_YES, false))
		return 0;
	if (!isatty(STDIN_FILENO))
		return cli_usage(cli, "deactivation cannot be undone: --yes is due where nobody "
				      "can be asked");
	out_fmt(&cli->err,
		"The account %.*s will be deactivated; this cannot be undone. Go on? [y/N] ",
		SV_ARG(uri));
	(void)fflush(cli->err.file);
	if (fgets(answer, sizeof(answer), stdin) != NULL &&
	    (sv_eq_nocase(sv_from(answer), SV("y\n")) ||
	     sv_eq_nocase(sv_from(answer), SV("yes\n"))))
		return 0;
	return cli_error(cli, "nothing was done");
}

int verb_account_deactivate(struct cli *cli)
{
	char now[CLOCK_TEXT_SIZE];
	struct change change = {.make = ask_deactivation,
				.value = now,
				.asked = "deactivation requested",
				.wish = {.word = "deactivated",
					 .path = "status.acme.deactivatedTime",
					 .condition = "Ready"}};
	AUTO(auto_json) json_t *issuers = NULL;
	const json_t *issuer;
	int rc;

	if (one_word(cli) != 0)
		return EXIT_USAGE;
	issuer = named_issuer(cli, &issuers, &rc);
	if (issuer == NULL)
		return rc;
	rc = confirm(cli, issuer);
	clock_rfc3339(clock_wall(), now);
	return rc != 0 ? rc : change_issuer(cli, &change, issuer);
}
