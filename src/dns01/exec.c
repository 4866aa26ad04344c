/* dns01/exec.c - the administrator's own scripts, called as acme.sh or lego would call them
 *
 *     dnsapi   sourced by dnsapi.sh; dns_xx_add or dns_xx_rm NAME VALUE
 *     lego     SCRIPT present|cleanup NAME. VALUE; mode RAW: SCRIPT present -- DOMAIN TOKEN KEYAUTH
 */
#include "dns01/provider.h"

#include "acme/words.h"
#include "base/clock.h"
#include "base/own.h"
#include "dns01/dnsapi_sh.h"
#include "dns01/hook.h"
#include "pki/key.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#define TIMEOUT_MS INT64_C(120000)
#define ENV_MAX    64 /* values of the Secret */
#define ENV_BYTES  (64u << 10)
#define WORDS_MAX  600 /* of output in a condition */
#define ENV_OWN    3   /* the first variables are ours */
#define MASK_MIN   5   /* bytes: what is shorter would be found everywhere */

struct exec {
	struct dns01_job job;
	struct hook *hook;
	size_t env_count;
	char *env[ENV_MAX + 8]; /* NULL-terminated; wiped at the end */
};

static void stop(struct dns01_job *job)
{
	struct exec *exec = (struct exec *)job;

	hook_cancel(exec->hook);
	for (size_t i = 0; i < exec->env_count; i++)
		auto_secret_text(&exec->env[i]);
}

static void mask(char *text, size_t len, struct str_view word)
{
	char *at = text;

	while (word.len >= MASK_MIN &&
	       (at = memmem(at, len - (size_t)(at - text), word.data, word.len)) != NULL)
		memset(at, '*', word.len);
}

/* A script may print what it was given: no value of the Secret gets into a condition. */
static void mask_secrets(struct exec *exec, char *text, size_t len)
{
	for (size_t i = ENV_OWN; i < exec->env_count; i++) {
		struct str_view rest = sv_from(exec->env[i]);

		(void)sv_split(&rest, '=');
		while (rest.len > 0)
			mask(text, len, sv_trim(sv_split(&rest, '\n')));
	}
}

static void ended(void *arg, const struct hook_result *result)
{
	struct exec *exec = arg;
	struct str_view output = result->output;
	AUTO(auto_free) char *copy = NULL;
	char words[WORDS_MAX] = "";

	exec->hook = NULL;
	if (result->fine) {
		job_done(&exec->job);
		return;
	}
	copy = sv_dup(output);
	mask_secrets(exec, copy, output.len);
	output.data = copy;
	while (output.len > 0 && strchr(" \t\r\n", output.data[output.len - 1]) != NULL)
		output.len--;
	if (output.len > WORDS_MAX - 8)
		output = sv_skip(output, output.len - (WORDS_MAX - 8));
	words_add(words, sizeof(words), output);
	job_fail(&exec->job, ERR_IO, "%s: %s%s%s", json_str_at(exec->job.own, "script"),
		 result->why, words[0] == '\0' ? "" : "; it said: ", words);
}

/* ---- the environment: ours, then the Secret's ---- */

static void add_env(struct exec *exec, char *line)
{
	exec->env[exec->env_count++] = line;
}

/* No variable that changes which code runs. */
static bool is_variable(struct str_view name)
{
	static const struct str_view refused[] = {
		SV_INIT("LD_"),     SV_INIT("PATH"),    SV_INIT("IFS"),     SV_INIT("ENV"),
		SV_INIT("BASH"),    SV_INIT("SHELL"),   SV_INIT("GCONV_"),  SV_INIT("MALLOC_"),
		SV_INIT("HOME"),    SV_INIT("CURL_"),   SV_INIT("OPENSSL"), SV_INIT("SSLKEYLOG"),
		SV_INIT("PYTHON"),  SV_INIT("PERL"),    SV_INIT("RUBY"),    SV_INIT("NODE_"),
		SV_INIT("LUA_"),    SV_INIT("JAVA_"),   SV_INIT("_JAVA"),   SV_INIT("GIT_"),
		SV_INIT("XDG_"),    SV_INIT("PS4"),     SV_INIT("CDPATH"),  SV_INIT("TMPDIR"),
		SV_INIT("LOCPATH"), SV_INIT("NLSPATH"),
	};

	for (size_t i = 0; i < name.len; i++) {
		if (!ascii_is_alnum(name.data[i]) && name.data[i] != '_')
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		if (sv_starts(name, refused[i]))
			return false;
	}
	return name.len > 0 && !ascii_is_digit(name.data[0]);
}

static bool add_secret_value(struct exec *exec, const char *secret, const char *name)
{
	struct dns01_job *job = &exec->job;
	const struct dns01_secrets *secrets = &job->config.secrets;
	AUTO(secret_deinit) struct buf value = {.data = NULL};
	struct err err = {0};

	if (!is_variable(sv_from(name)))
		job_fail(job, ERR_INVALID,
			 "secretRef: \"%.100s\" of Secret %s can be no variable of a script's "
			 "environment",
			 name, secret);
	else if (!secrets->value(secrets->arg, secret, name, &value, &err))
		job_fail(job, err.code, "secretRef: %s", err.msg);
	else if (buf_len(&value) > ENV_BYTES || sv_find(buf_view(&value), '\0') != SV_NOT_FOUND ||
		 exec->env_count > ENV_MAX)
		job_fail(job, ERR_LIMIT, "secretRef: Secret %s is too large for an environment",
			 secret);
	else {
		add_env(exec, xasprintf("%s=%.*s", name, SV_ARG(buf_view(&value))));
		return true;
	}
	return false;
}

static bool add_secret(struct exec *exec)
{
	struct dns01_job *job = &exec->job;
	const struct dns01_secrets *secrets = &job->config.secrets;
	const char *secret = json_str_at(job->own, "secretRef.name");
	AUTO(auto_json) json_t *names = NULL;
	struct err err = {0};
	json_t *name;
	size_t i;

	if (secret == NULL)
		return true;
	names = secrets->names(secrets->arg, secret, &err);
	if (names == NULL) {
		job_fail(job, err.code, "secretRef: %s", err.msg);
		return false;
	}
	json_array_foreach(names, i, name)
	{
		if (!add_secret_value(exec, secret, json_string_value(name)))
			return false;
	}
	return true;
}

/* ---- the call ---- */

static int64_t timeout_of(const struct dns01_job *job)
{
	struct str_view text = json_sv_at(job->own, "timeout");
	int64_t ms;

	return text.len > 0 && clock_parse_duration(text, &ms) && ms > 0 ? ms : TIMEOUT_MS;
}

static void run(struct exec *exec, const char *const *argv)
{
	exec->hook = hook_start(&(struct hook_config){.loop = exec->job.config.env->loop,
						      .argv = argv,
						      .env = (const char *const *)exec->env,
						      .timeout_ms = timeout_of(&exec->job),
						      .done = ended,
						      .arg = exec});
}

/* The functions are named after the file: dns_xx.sh has dns_xx_add and dns_xx_rm. */
static void run_dnsapi(struct exec *exec, const char *path)
{
	const struct dns01_record *record = &exec->job.config.record;
	bool present = exec->job.config.action == DNS01_PRESENT;
	struct str_view name = sv_skip(sv_from(path), sv_rfind(sv_from(path), '/') + 1);
	AUTO(auto_free) char *function = NULL;

	if (sv_ends(name, SV(".sh")))
		name.len -= 3;
	function = xasprintf("%.*s_%s", SV_ARG(name), present ? "add" : "rm");
	run(exec, (const char *const[]){"/bin/sh", "-c", dnsapi_sh, "dnsapi", path, function,
					record->name, record->value, NULL});
}

static void run_lego(struct exec *exec, const char *path)
{
	const struct dns01_record *record = &exec->job.config.record;
	const char *action = exec->job.config.action == DNS01_PRESENT ? "present" : "cleanup";
	AUTO(auto_free) char *name = xasprintf("%s.", record->name);

	if (sv_eq(json_sv_at(exec->job.own, "mode"), SV("RAW")))
		run(exec, (const char *const[]){path, action, "--", record->dns_name, record->token,
						record->key_authorization, NULL});
	else
		run(exec, (const char *const[]){path, action, name, record->value, NULL});
}

static void start(struct dns01_job *job)
{
	struct exec *exec = (struct exec *)job;
	const struct dns01_env *env = job->config.env;
	bool dnsapi = !sv_eq(json_sv_at(job->own, "convention"), SV("lego"));
	AUTO(auto_free) char *path = NULL;
	struct err err = {0};

	if (env->hooks == NULL) {
		job_fail(job, ERR_UNSUPPORTED, "this daemon runs no scripts: see --hooks-dir");
		return;
	}
	path = hook_path(env->hooks, json_sv_at(job->own, "script"), env->own_hooks, !dnsapi, &err);
	if (path == NULL) {
		job_fail(job, err.code, "%s", err.msg);
		return;
	}
	add_env(exec, xstrdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
	add_env(exec, xstrdup("LANG=C.UTF-8"));
	add_env(exec, xstrdup("HOME=/"));
	if (!add_secret(exec))
		return;
	if (dnsapi)
		run_dnsapi(exec, path);
	else
		run_lego(exec, path);
}

const struct dns01_provider dns01_exec = {
	.member = "exec", .size = sizeof(struct exec), .start = start, .stop = stop};
