/* cli/args.c - the words of a command line */
#include "cli/args.h"

#include "base/clock.h"
#include "base/nearest.h"
#include "base/own.h"

#include <stdlib.h>

const struct flag flags[FLAG_COUNT] = {
	[FLAG_SOCKET] = {"socket", 0, FLAG_TEXT, NULL, "PATH",
			 "control socket (SALLYPORT_SOCKET, /run/sallyport/sallyport.sock)"},
	[FLAG_NAMESPACE] = {"namespace", 'n', FLAG_TEXT, NULL, "NAME", "namespace (default)"},
	[FLAG_HELP] = {"help", 'h', FLAG_BOOL, NULL, NULL, "this text"},
	[FLAG_FILE] = {"filename", 'f', FLAG_TEXT, NULL, "FILE|DIR|-",
		       "manifests: YAML or JSON, many documents; may be repeated"},
	[FLAG_RECURSIVE] = {"recursive", 'R', FLAG_BOOL, NULL, NULL, "folders of a DIR too"},
	[FLAG_ALL_NAMESPACES] = {"all-namespaces", 'A', FLAG_BOOL, NULL, NULL, "of all namespaces"},
	[FLAG_OUTPUT] = {"output", 'o', FLAG_TEXT, NULL, "FORM",
			 "json, yaml, name, wide, jsonpath=T, custom-columns=T"},
	[FLAG_SELECTOR] = {"selector", 'l', FLAG_TEXT, NULL, "LABELS",
			   "those with these labels: a=b,c!=d,e"},
	[FLAG_FIELD_SELECTOR] = {"field-selector", 0, FLAG_TEXT, NULL, "FIELDS",
				 "those with these fields: metadata.name=a"},
	[FLAG_WATCH] = {"watch", 'w', FLAG_BOOL, NULL, NULL, "then show what changes"},
	[FLAG_WATCH_ONLY] = {"watch-only", 0, FLAG_BOOL, NULL, NULL, "only show what changes"},
	[FLAG_NO_HEADERS] = {"no-headers", 0, FLAG_BOOL, NULL, NULL, "rows only"},
	[FLAG_SHOW_LABELS] = {"show-labels", 0, FLAG_BOOL, NULL, NULL, "labels as last column"},
	[FLAG_SHOW_KIND] = {"show-kind", 0, FLAG_BOOL, NULL, NULL, "KIND/NAME as names"},
	[FLAG_IGNORE_NOT_FOUND] = {"ignore-not-found", 0, FLAG_BOOL, NULL, NULL,
				   "absent objects are no error"},
	[FLAG_RAW] = {"raw", 0, FLAG_TEXT, NULL, "PATH", "what the server says at PATH (/metrics)"},
	[FLAG_SUBRESOURCE] = {"subresource", 0, FLAG_TEXT, NULL, "NAME", "status"},
	[FLAG_SHOW_EVENTS] = {"show-events", 0, FLAG_BOOL, NULL, NULL, "events too (true)"},
	[FLAG_DRY_RUN] = {"dry-run", 0, FLAG_MAYBE, "client", "HOW",
			  "none, client (ask nothing) or server (checked, not stored)"},
	[FLAG_VALIDATE] = {"validate", 0, FLAG_MAYBE, "strict", "HOW",
			   "unknown fields: strict (refused), warn or ignore"},
	[FLAG_FIELD_MANAGER] = {"field-manager", 0, FLAG_TEXT, NULL, "NAME",
				"name of who writes (sallyport)"},
	[FLAG_SERVER_SIDE] = {"server-side", 0, FLAG_BOOL, NULL, NULL,
			      "apply on the server (it always is)"},
	[FLAG_FORCE] = {"force", 0, FLAG_BOOL, NULL, NULL, "delete, then create anew"},
	[FLAG_TYPE] = {"type", 0, FLAG_TEXT, NULL, "TYPE",
		       "json, merge or strategic (core kinds: strategic, others: merge)"},
	[FLAG_PATCH] = {"patch", 'p', FLAG_TEXT, NULL, "TEXT", "the patch, JSON or YAML"},
	[FLAG_PATCH_FILE] = {"patch-file", 0, FLAG_TEXT, NULL, "FILE", "a file with the patch"},
	[FLAG_OVERWRITE] = {"overwrite", 0, FLAG_BOOL, NULL, NULL, "change what is there already"},
	[FLAG_LIST] = {"list", 0, FLAG_BOOL, NULL, NULL, "show what is there"},
	[FLAG_ALL] = {"all", 0, FLAG_BOOL, NULL, NULL, "all objects of the kind"},
	[FLAG_WAIT] = {"wait", 0, FLAG_BOOL, NULL, NULL, "wait for the end of it"},
	[FLAG_TIMEOUT] = {"timeout", 0, FLAG_TEXT, NULL, "TIME", "how long to wait: 30s, 5m"},
	[FLAG_FOR] = {"for", 0, FLAG_TEXT, NULL, "WHAT",
		      "condition=TYPE, jsonpath={.PATH}=VALUE, delete, create"},
	[FLAG_EXIT_CODE] = {"exit-code", 0, FLAG_BOOL, NULL, NULL,
			    "exit 0: fine, 1: degraded, 2: critical"},
	[FLAG_CLIENT] = {"client", 0, FLAG_BOOL, NULL, NULL, "do not ask the daemon"},
	[FLAG_API_GROUP] = {"api-group", 0, FLAG_TEXT, NULL, "GROUP", "kinds of this group"},
	[FLAG_NAMESPACED] = {"namespaced", 0, FLAG_BOOL, NULL, NULL,
			     "kinds that live in namespaces (=false: those that do not)"},
	[FLAG_NAME] = {"name", 0, FLAG_TEXT, NULL, "NAME",
		       "of the Certificate (made of the first name it is for)"},
	[FLAG_ISSUER] = {"issuer", 0, FLAG_TEXT, NULL, "NAME",
			 "who signs: NAME, issuer/NAME or clusterissuer/NAME (the only one)"},
	[FLAG_SECRET] = {"secret", 0, FLAG_TEXT, NULL, "NAME",
			 "Secret that key and certificate are kept in (as the Certificate)"},
	[FLAG_KEY_TYPE] = {"key-type", 0, FLAG_TEXT, NULL, "TYPE",
			   "p256, p384, rsa2048, rsa3072, rsa4096 or ed25519 (p256)"},
	[FLAG_REASON] = {"reason", 0, FLAG_TEXT, NULL, "REASON",
			 "unspecified, keyCompromise, superseded, ... (unspecified)"},
	[FLAG_REVOKE] = {"revoke", 0, FLAG_BOOL, NULL, NULL, "have the CA revoke it first"},
	[FLAG_DIR] = {"dir", 0, FLAG_TEXT, NULL, "DIR",
		      "cert.pem, privkey.pem, chain.pem and fullchain.pem in DIR"},
	[FLAG_CERT] = {"cert", 0, FLAG_TEXT, NULL, "FILE", "the certificate alone"},
	[FLAG_KEY] = {"key", 0, FLAG_TEXT, NULL, "FILE", "the private key"},
	[FLAG_CHAIN] = {"chain", 0, FLAG_TEXT, NULL, "FILE", "the CA's certificates"},
	[FLAG_FULLCHAIN] = {"fullchain", 0, FLAG_TEXT, NULL, "FILE",
			    "the certificate, then the CA's"},
	[FLAG_PEM] = {"pem", 0, FLAG_TEXT, NULL, "FILE", "key, certificate and the CA's as one"},
	[FLAG_P12] = {"p12", 0, FLAG_TEXT, NULL, "FILE", "all of it as PKCS #12"},
	[FLAG_PASSWORD_FILE] = {"password-file", 0, FLAG_TEXT, NULL, "FILE",
				"first line: the password of --p12 (none)"},
	[FLAG_OWNER] = {"owner", 0, FLAG_TEXT, NULL, "USER[:GROUP]", "of the files"},
	[FLAG_MODE] = {"mode", 0, FLAG_TEXT, NULL, "MODE",
		       "of files that hold the key, as 0640 (0600)"},
	[FLAG_HOOK] = {"hook", 0, FLAG_TEXT, NULL, "NAME",
		       "program in the hooks folder, run when files have changed"},
	[FLAG_HOOKS_DIR] = {"hooks-dir", 0, FLAG_TEXT, NULL, "DIR",
			    "hooks folder (/etc/sallyport/hooks)"},
	[FLAG_EMAIL] = {"email", 0, FLAG_TEXT, NULL, "ADDRESS", "where the CA may write to"},
	[FLAG_YES] = {"yes", 'y', FLAG_BOOL, NULL, NULL, "do not ask"},
	[FLAG_FROM_FILE] = {"from-file", 0, FLAG_TEXT, NULL, "[KEY=]FILE",
			    "a value is what the file holds; may be repeated"},
	[FLAG_FROM_LITERAL] = {"from-literal", 0, FLAG_TEXT, NULL, "KEY=VALUE",
			       "a value (others see it in the list of processes)"},
	[FLAG_TLS_CERT] = {"cert", 0, FLAG_TEXT, NULL, "FILE",
			   "PEM: the certificate, the CA's behind it"},
	[FLAG_TLS_KEY] = {"key", 0, FLAG_TEXT, NULL, "FILE", "PEM: its private key"},
	[FLAG_SECRET_TYPE] = {"type", 0, FLAG_TEXT, NULL, "TYPE", "of the Secret (Opaque)"},
	[FLAG_SORT_BY] = {"sort-by", 0, FLAG_TEXT, NULL, "PATH",
			  "in the order of a field: .metadata.creationTimestamp"},
	[FLAG_EVENTS_FOR] = {"for", 0, FLAG_TEXT, NULL, "KIND/NAME", "of this object"},
	[FLAG_EVENT_TYPES] = {"types", 0, FLAG_TEXT, NULL, "TYPE,...", "Normal or Warning"},
	[FLAG_EXPLAIN_ALL] = {"recursive", 0, FLAG_BOOL, NULL, NULL, "fields of fields too"},
};

static const enum flag_id common[] = {FLAG_SOCKET, FLAG_NAMESPACE, FLAG_HELP, FLAG_NONE};

struct reader {
	struct args *args;
	int argc, at;
	char **argv;
	const enum flag_id *allowed;
	struct err *err;
};

static bool listed(const enum flag_id *list, enum flag_id id)
{
	for (; list != NULL && *list != FLAG_NONE; list++) {
		if (*list == id)
			return true;
	}
	return false;
}

static bool usable(const struct reader *reader, enum flag_id id)
{
	return flags[id].name != NULL && (listed(common, id) || listed(reader->allowed, id));
}

static enum flag_id find_name(const struct reader *reader, struct str_view name)
{
	for (int id = FLAG_NONE + 1; id < FLAG_COUNT; id++) {
		if (usable(reader, (enum flag_id)id) && sv_eq(name, sv_from(flags[id].name)))
			return (enum flag_id)id;
	}
	return FLAG_NONE;
}

static enum flag_id find_letter(const struct reader *reader, char letter)
{
	for (int id = FLAG_NONE + 1; id < FLAG_COUNT; id++) {
		if (usable(reader, (enum flag_id)id) && flags[id].letter == letter)
			return (enum flag_id)id;
	}
	return FLAG_NONE;
}

static bool truth(const char *text, bool *value)
{
	static const struct {
		const char *text;
		bool value;
	} words[] = {{"true", true},   {"1", true},  {"t", true},  {"True", true},
		     {"false", false}, {"0", false}, {"f", false}, {"False", false}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(text, words[i].text) == 0) {
			*value = words[i].value;
			return true;
		}
	}
	return false;
}

static int add_value(const struct reader *reader, enum flag_id id, const char *text)
{
	struct args *args = reader->args;
	bool value;

	if (flags[id].kind == FLAG_BOOL && !truth(text, &value))
		return err_set(reader->err, ERR_INVALID,
			       "invalid argument \"%s\" for \"--%s\": true or false is due", text,
			       flags[id].name);
	if (args->value_count == ARGS_VALUES_MAX)
		return err_set(reader->err, ERR_INVALID, "more than %d flags", ARGS_VALUES_MAX);
	args->values[args->value_count++] = (struct arg_value){.id = id, .text = text};
	return 0;
}

/* A flag that stands without "=": its value is the next argument, if it needs one. */
static int add_alone(struct reader *reader, enum flag_id id, const char *as_typed)
{
	if (flags[id].kind == FLAG_BOOL)
		return add_value(reader, id, "true");
	if (flags[id].kind == FLAG_MAYBE)
		return add_value(reader, id, flags[id].alone);
	if (reader->at + 1 >= reader->argc)
		return err_set(reader->err, ERR_INVALID, "flag needs an argument: %s", as_typed);
	return add_value(reader, id, reader->argv[++reader->at]);
}

static int unknown_flag(const struct reader *reader, struct str_view arg)
{
	struct nearest nearest;

	nearest_init(&nearest, sv_skip(arg, 2));
	for (int id = FLAG_NONE + 1; id < FLAG_COUNT; id++) {
		if (usable(reader, (enum flag_id)id))
			nearest_offer(&nearest, flags[id].name);
	}
	return err_set(reader->err, ERR_INVALID, "unknown flag: %.*s%s%s%s", SV_ARG(arg),
		       nearest.best == NULL ? "" : ": is \"--",
		       nearest.best == NULL ? "" : nearest.best,
		       nearest.best == NULL ? "" : "\" meant?");
}

static int read_long(struct reader *reader, const char *arg)
{
	const char *equals = strchr(arg, '=');
	size_t len = equals == NULL ? strlen(arg) : (size_t)(equals - arg);
	enum flag_id id = find_name(reader, sv_new(arg + 2, len - 2));

	if (id == FLAG_NONE)
		return unknown_flag(reader, sv_new(arg, len));
	return equals == NULL ? add_alone(reader, id, arg) : add_value(reader, id, equals + 1);
}

/* "-A", "-Aw", "-n NAME", "-nNAME", "-n=NAME", "-w=false" */
static int read_letters(struct reader *reader, const char *arg)
{
	for (const char *letter = arg + 1; *letter != '\0'; letter++) {
		enum flag_id id = find_letter(reader, *letter);

		if (id == FLAG_NONE)
			return err_set(reader->err, ERR_INVALID,
				       "unknown shorthand flag: '%c' in %s", *letter, arg);
		if (letter[1] == '=')
			return add_value(reader, id, letter + 2);
		if (flags[id].kind == FLAG_TEXT && letter[1] != '\0')
			return add_value(reader, id, letter + 1);
		if (add_alone(reader, id, arg) < 0)
			return -1;
	}
	return 0;
}

static bool is_flag(const char *arg)
{
	return arg[0] == '-' && arg[1] != '\0'; /* "-" alone is a word */
}

static int read_flag(struct reader *reader, const char *arg)
{
	return arg[1] == '-' ? read_long(reader, arg) : read_letters(reader, arg);
}

int args_parse(struct args *args, int argc, char **argv, const enum flag_id *allowed,
	       struct err *err)
{
	struct reader reader = {
		.args = args, .argc = argc, .argv = argv, .allowed = allowed, .err = err};
	bool only_words = false;

	free(args->words);
	args->word_count = 0;
	args->words = xcalloc((size_t)argc + 1, sizeof(*args->words));
	for (; reader.at < argc; reader.at++) {
		const char *arg = argv[reader.at];

		if (!only_words && strcmp(arg, "--") == 0)
			only_words = true;
		else if (only_words || !is_flag(arg))
			args->words[args->word_count++] = arg;
		else if (read_flag(&reader, arg) < 0)
			return -1;
	}
	return 0;
}

int args_parse_common(struct args *args, int argc, char **argv, int *at, struct err *err)
{
	struct reader reader = {.args = args, .argc = argc, .argv = argv, .err = err, .at = *at};

	for (; reader.at < argc && is_flag(argv[reader.at]); reader.at++) {
		if (read_flag(&reader, argv[reader.at]) < 0)
			return -1;
	}
	*at = reader.at;
	return 0;
}

void args_deinit(struct args *args)
{
	free(args->words);
	args->words = NULL;
	args->word_count = 0;
}

/* ---- what was said ---- */

const char *args_text(const struct args *args, enum flag_id id)
{
	for (size_t i = args->value_count; i > 0; i--) {
		if (args->values[i - 1].id == id)
			return args->values[i - 1].text;
	}
	return NULL;
}

bool args_bool(const struct args *args, enum flag_id id, bool fallback)
{
	const char *text = args_text(args, id);

	if (text != NULL)
		(void)truth(text, &fallback);
	return fallback;
}

const char *args_next(const struct args *args, enum flag_id id, size_t *it)
{
	while (*it < args->value_count) {
		const struct arg_value *value = &args->values[(*it)++];

		if (value->id == id)
			return value->text;
	}
	return NULL;
}

#define SECONDS_MAX (INT64_MAX / 2000)

int args_duration(const struct args *args, enum flag_id id, int64_t *ms, struct err *err)
{
	const char *text = args_text(args, id);
	uint64_t seconds;

	if (text == NULL)
		return 0;
	if (text[0] == '-') {
		*ms = -1;
		return 0;
	}
	if (sv_to_u64(sv_from(text), &seconds) && seconds < (uint64_t)SECONDS_MAX) {
		*ms = (int64_t)seconds * 1000;
		return 0;
	}
	if (clock_parse_duration(sv_from(text), ms))
		return 0;
	return err_set(err, ERR_INVALID,
		       "invalid argument \"%s\" for \"--%s\": a time is due, such as 30s or 5m",
		       text, flags[id].name);
}
