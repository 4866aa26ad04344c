/* cli/export.c - certificate export: once, or whenever the Secret changes */
#include "cli/export.h"
#include "cli/certificate.h"
#include "cli/files.h"
#include "cli/follow.h"
#include "cli/hook.h"
#include "cli/verb.h"

#include "base/clock.h"
#include "base/own.h"
#include "pki/key.h"

#include <poll.h>
#include <stdlib.h>

#define PASSWORD_MAX   1024
#define PAUSE_FIRST_MS 500
#define PAUSE_MAX_MS   30000
#define ROUND_MS       60000 /* after that the Certificate is looked at again */

struct exporting {
	struct cli *cli;
	struct export_how how;
	struct buf password; /* owned */
	const struct ref *certificate;
	bool watch;
	char *told; /* owned: what was complained of last; NULL: nothing since all was well */
};

/* A complaint is made once, not once a minute. text NULL: all is well. */
static void tell_once(struct exporting *exporting, const char *text)
{
	bool same = text != NULL && exporting->told != NULL && strcmp(text, exporting->told) == 0;

	if (same)
		return;
	free(exporting->told);
	exporting->told = text == NULL ? NULL : xstrdup(text);
	if (text != NULL)
		out_fmt(&exporting->cli->err, "%.*s\n", (int)strcspn(text, "\n"), text);
}

/* ---- how ---- */

static int read_paths(struct cli *cli, struct export_how *how)
{
	static const enum flag_id ids[EXPORT_PART_COUNT] = {
		[EXPORT_CERT] = FLAG_CERT,   [EXPORT_KEY] = FLAG_KEY,
		[EXPORT_CHAIN] = FLAG_CHAIN, [EXPORT_FULLCHAIN] = FLAG_FULLCHAIN,
		[EXPORT_PEM] = FLAG_PEM,     [EXPORT_P12] = FLAG_P12};
	bool any = false;

	how->dir = args_text(&cli->args, FLAG_DIR);
	any = how->dir != NULL;
	for (int part = 0; part < EXPORT_PART_COUNT; part++) {
		how->paths[part] = args_text(&cli->args, ids[part]);
		any |= how->paths[part] != NULL;
		if (how->paths[part] != NULL && how->paths[part][0] == '\0')
			return cli_usage(cli, "--%s: the path is empty", flags[ids[part]].name);
	}
	return any ? 0
		   : cli_usage(cli, "where to? --dir, or --cert, --key, --chain, --fullchain, "
				    "--pem, --p12");
}

/* The first line of the file. */
static int read_password(struct exporting *exporting, struct err *err)
{
	const char *path = args_text(&exporting->cli->args, FLAG_PASSWORD_FILE);
	size_t end;

	exporting->how.password = "";
	if (path == NULL)
		return 0;
	(void)buf_room(&exporting->password, PASSWORD_MAX);
	if (manifest_slurp(path, &exporting->password, err) < 0)
		return -1;
	end = sv_find(buf_view(&exporting->password), '\n');
	if (end != SV_NOT_FOUND)
		exporting->password.end = exporting->password.start + end;
	exporting->how.password = buf_cstr(&exporting->password);
	return 0;
}

/* Everything that can be wrong is told before anything is written or waited for. */
static int check_all(struct exporting *exporting, struct err *err)
{
	struct export_how *how = &exporting->how;
	const char *mode = args_text(&exporting->cli->args, FLAG_MODE);
	AUTO(auto_free) char *hook = NULL;
	struct files files;

	files_init(&files);
	how->mode = EXPORT_MODE_KEY;
	if (mode != NULL && files_mode(mode, &how->mode, err) < 0)
		return -1;
	if (how->owner != NULL && files_owner(&files, how->owner, err) < 0)
		return -1;
	if (how->hook != NULL) {
		hook = hook_find(how->hooks_dir, how->hook, err);
		if (hook == NULL)
			return -1;
	}
	return read_password(exporting, err);
}

static int read_how(struct exporting *exporting)
{
	struct cli *cli = exporting->cli;
	struct export_how *how = &exporting->how;
	struct err err = {.code = ERR_NONE};

	if (cli->args.word_count != 1)
		return cli_usage(cli, "certificate export NAME is due");
	if (read_paths(cli, how) != 0)
		return EXIT_USAGE;
	how->owner = args_text(&cli->args, FLAG_OWNER);
	how->hook = args_text(&cli->args, FLAG_HOOK);
	how->hooks_dir = args_text(&cli->args, FLAG_HOOKS_DIR);
	if (how->hooks_dir == NULL)
		how->hooks_dir = HOOKS_DIR;
	return check_all(exporting, &err) < 0 ? cli_error(cli, "%s", err.msg) : 0;
}

/* ---- once ---- */

/* The Secret that the Certificate names, or NULL with fault. */
static json_t *secret_of(struct cli *cli, const struct ref *ref, struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_free) char *secret = NULL;
	AUTO(auto_json) json_t *certificate = cli_get(cli, path, fault);
	const struct kind_info *kind = kinds_by_word(&cli->kinds, SV("secrets"));

	if (certificate == NULL || kind == NULL)
		return NULL;
	secret = kind_path(kind, ref->ns, json_str_at(certificate, "spec.secretName"), NULL);
	return cli_get(cli, secret, fault);
}

static int write_now(struct exporting *exporting, const json_t *secret)
{
	struct cli *cli = exporting->cli;
	const struct ref *ref = exporting->certificate;
	struct export_what what = {.name = ref->name, .ns = ref->ns, .secret = secret};
	struct err err = {.code = ERR_NONE};
	bool changed = false;
	int rc = export_write(&exporting->how, &what, &changed, &err);

	if (changed)
		out_fmt(&cli->out, "certificate.cert-manager.io/%s exported\n", ref->name);
	else if (rc == 0 && !exporting->watch)
		out_fmt(&cli->out, "certificate.cert-manager.io/%s unchanged\n", ref->name);
	(void)fflush(cli->out.file);
	if (rc == 0)
		return EXIT_DONE;
	if (!exporting->watch)
		return cli_error(cli, "%s", err.msg);
	tell_once(exporting, err.msg);
	return EXIT_FAILED;
}

static int export_once(struct exporting *exporting)
{
	struct cli *cli = exporting->cli;
	AUTO(auto_json) json_t *secret = NULL;
	struct fault fault;

	fault_init(&fault);
	secret = secret_of(cli, exporting->certificate, &fault);
	if (secret == NULL)
		return cli_fault(cli, &fault, NULL);
	fault_deinit(&fault);
	return write_now(exporting, secret);
}

/* ---- for ever ---- */

static bool see(void *arg, const json_t *secret)
{
	struct exporting *exporting = arg;

	if (secret == NULL)
		tell_once(exporting, "the Secret is not there yet");
	else if (write_now(exporting, secret) == EXIT_DONE)
		tell_once(exporting, NULL);
	return true; /* what could not be written is tried again in the next round */
}

/* One look at the Certificate, then its Secret for a minute. Also what others did to the files is
 * made good within that. */
static bool watch_round(struct exporting *exporting, struct fault *fault)
{
	struct cli *cli = exporting->cli;
	const struct ref *ref = exporting->certificate;
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json) json_t *certificate = cli_get(cli, path, fault);
	struct ref secret = {.kind = kinds_by_word(&cli->kinds, SV("secrets")), .ns = ref->ns};
	struct follow follow = {.ref = &secret,
				.deadline = clock_mono_ms() + ROUND_MS,
				.see = see,
				.arg = exporting};

	if (certificate == NULL)
		return false;
	secret.name = (char *)(uintptr_t)json_str_at(certificate, "spec.secretName");
	if (secret.kind == NULL || secret.name == NULL)
		return false;
	return follow_run(cli, &follow, fault) != WATCH_FAILED;
}

static void tell_fault(struct exporting *exporting, struct fault *fault)
{
	struct buf text;

	buf_init(&text, JSON_TEXT_MAX);
	fault_text(fault, NULL, &text);
	tell_once(exporting, buf_cstr(&text));
	buf_deinit(&text);
}

/* Until a signal ends it, which may be at any time. */
static __attribute__((noreturn)) void export_watch(struct exporting *exporting)
{
	int64_t pause = PAUSE_FIRST_MS;

	for (;;) {
		struct fault fault;

		fault_init(&fault);
		if (watch_round(exporting, &fault)) {
			pause = PAUSE_FIRST_MS;
		} else {
			tell_fault(exporting, &fault);
			(void)poll(NULL, 0, (int)pause);
			pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
		}
		fault_deinit(&fault);
	}
}

/* ---- the verb ---- */

static int learn(struct exporting *exporting)
{
	struct cli *cli = exporting->cli;

	for (int64_t pause = PAUSE_FIRST_MS; cli_learn(cli) < 0;) { /* it says why */
		if (!exporting->watch)
			return EXIT_FAILED;
		(void)poll(NULL, 0, (int)pause);
		pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
	}
	return 0;
}

int verb_certificate_export(struct cli *cli)
{
	struct exporting exporting = {.cli = cli,
				      .watch = args_bool(&cli->args, FLAG_WATCH, false)};
	struct ref ref = {.ns = (char *)(uintptr_t)cli->ns};
	int rc;

	buf_init(&exporting.password, PASSWORD_MAX);
	rc = read_how(&exporting);
	if (rc == 0)
		rc = learn(&exporting);
	if (rc == 0) {
		ref.kind = cli_kind(cli, SV(CERTIFICATES));
		ref.name = (char *)(uintptr_t)cli->args.words[0];
		exporting.certificate = &ref;
		rc = ref.kind == NULL ? EXIT_FAILED : 0;
	}
	if (rc == 0 && exporting.watch)
		export_watch(&exporting);
	if (rc == 0)
		rc = export_once(&exporting);
	free(exporting.told);
	secret_deinit(&exporting.password);
	return rc;
}
