/* cli/verb.c - from the command line to the verb, and the help */
#include "cli/verb.h"

#include "base/nearest.h"
#include "base/own.h"

#include <stdlib.h>

#define SOCKET_DEFAULT "/run/sallyport/sallyport.sock"
#define HELP_COLUMN    26

/* ---- help ---- */

static void help_flag(struct out *out, const struct flag *flag)
{
	AUTO(auto_free)
	char *letter = flag->letter == 0 ? xstrdup("    ") : xasprintf("-%c, ", flag->letter);
	AUTO(auto_free)
	char *left = xasprintf("%s--%s%s%s", letter, flag->name, flag->value == NULL ? "" : " ",
			       flag->value == NULL ? "" : flag->value);

	out_fmt(out, "  %-*s %s\n", HELP_COLUMN, left, flag->help);
}

static void help_verb(struct out *out, const struct verb *verb)
{
	out_fmt(out, "%s\n\nUsage:\n  sallyport %s\n", verb->summary, verb->usage);
	if (verb->details != NULL)
		out_fmt(out, "\n%s", verb->details);
	out_fmt(out, "\nFlags:\n");
	for (size_t i = 0; i < VERB_FLAGS_MAX && verb->flags[i] != FLAG_NONE; i++)
		help_flag(out, &flags[verb->flags[i]]);
	help_flag(out, &flags[FLAG_NAMESPACE]);
	help_flag(out, &flags[FLAG_SOCKET]);
	help_flag(out, &flags[FLAG_HELP]);
}

static void help_all(struct out *out, const struct verb *rows)
{
	out_fmt(out, "sallyport controls sallyportd: gateways, routes and certificates of this "
		     "host.\n\nUsage:\n  sallyport [--socket PATH] VERB ...\n\nVerbs:\n");
	for (const struct verb *verb = rows; verb->name != NULL; verb++)
		out_fmt(out, "  %-19s %s\n", verb->name, verb->summary);
	out_fmt(out, "\n'sallyport VERB -h' tells more; so does man sallyport.\n");
}

/* ---- finding the verb ---- */

/* How many words of argv the name takes, 0: it is another verb. */
static int words_of(const char *name, int argc, char **argv)
{
	struct str_view second = sv_from(name), first;

	if (name == NULL)
		return 0;
	first = sv_split(&second, ' ');
	if (argc < 1 || !sv_eq(first, sv_from(argv[0])))
		return 0;
	if (second.data == NULL)
		return 1;
	return argc > 1 && sv_eq(second, sv_from(argv[1])) ? 2 : 0;
}

static const struct verb *find_verb(const struct verb *rows, int argc, char **argv, int *words)
{
	for (const struct verb *verb = rows; verb->name != NULL; verb++) {
		*words = words_of(verb->name, argc, argv);
		if (*words == 0)
			*words = words_of(verb->alias, argc, argv);
		if (*words > 0)
			return verb;
	}
	return NULL;
}

/* " list issue show": what may stand behind the first word; "" when there is no such verb. Heap. */
static char *second_words(const struct verb *rows, const char *word)
{
	char *words = xstrdup("");

	for (const struct verb *verb = rows; verb->name != NULL; verb++) {
		struct str_view second = sv_from(verb->name);
		AUTO(auto_free) char *before = NULL;

		if (!sv_eq(sv_split(&second, ' '), sv_from(word)) || second.data == NULL)
			continue;
		before = words;
		words = xasprintf("%s %.*s", before, SV_ARG(second));
	}
	return words;
}

/* Commands of kubectl that mean nothing here, or are spelt otherwise. */
static const struct {
	const char *word, *instead;
} elsewhere[] = {
	{"attach", "the daemon runs no containers"},
	{"auth", "who may use the control socket may do all; see FILES in man sallyport"},
	{"autoscale", "the daemon runs no containers"},
	{"cluster-info", "use 'sallyport status'"},
	{"config", "there is one daemon: --socket or SALLYPORT_SOCKET names its socket"},
	{"cp", "the daemon runs no containers"},
	{"debug", "the daemon runs no containers"},
	{"drain", "there is one host; 'systemctl stop sallyportd' ends requests in order"},
	{"exec", "the daemon runs no containers"},
	{"expose", "write a Service with its EndpointSlice, or a Backend: man sallyport-backend"},
	{"logs", "use 'journalctl -u sallyportd', or 'sallyport get events -A'"},
	{"port-forward", "write a Gateway and a route: man sallyport-tcproute"},
	{"proxy", "use 'curl --unix-socket /run/sallyport/sallyport.sock http://localhost/...'"},
	{"run", "the daemon runs no containers"},
	{"scale", "the daemon runs no containers"},
	{"set", "use 'sallyport patch' or 'sallyport edit'"},
	{"top", "use 'sallyport get --raw /metrics': man sallyport-metrics"},
};

static const char *instead_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
		if (strcmp(elsewhere[i].word, word) == 0)
			return elsewhere[i].instead;
	}
	return NULL;
}

static const char *nearest_verb(const struct verb *rows, const char *word)
{
	struct nearest nearest;

	nearest_init(&nearest, sv_from(word));
	for (const struct verb *verb = rows; verb->name != NULL; verb++)
		nearest_offer(&nearest, verb->name);
	return nearest.best;
}

static int unknown_verb(struct cli *cli, const struct verb *rows, const char *word)
{
	AUTO(auto_free) char *seconds = second_words(rows, word);
	const char *instead = instead_of(word), *meant = nearest_verb(rows, word);

	if (seconds[0] != '\0')
		return cli_usage(cli, "%s needs a second word:%s", word, seconds);
	if (instead != NULL)
		return cli_usage(cli, "there is no command \"%s\": %s", word, instead);
	return cli_usage(cli, "unknown command \"%s\" for \"sallyport\"%s%s%s", word,
			 meant == NULL ? "" : ": is \"", meant == NULL ? "" : meant,
			 meant == NULL ? "" : "\" meant?");
}

/* ---- running it ---- */

static void take_common(struct cli *cli)
{
	const char *path = args_text(&cli->args, FLAG_SOCKET), *from = getenv("SALLYPORT_SOCKET");
	const char *ns = args_text(&cli->args, FLAG_NAMESPACE);

	cli->socket_path = path != NULL                      ? path
			   : from != NULL && from[0] != '\0' ? from
							     : SOCKET_DEFAULT;
	cli->ns_given = ns != NULL && ns[0] != '\0';
	cli->ns = cli->ns_given ? ns : "default";
}

static int run_verb(struct cli *cli, const struct verb *verb, int argc, char **argv)
{
	struct err err = {.code = ERR_NONE};

	cli->usage = verb->name;
	if (args_parse(&cli->args, argc, argv, verb->flags, &err) < 0)
		return cli_usage(cli, "%s", err.msg);
	if (args_bool(&cli->args, FLAG_HELP, false)) {
		help_verb(&cli->out, verb);
		return EXIT_DONE;
	}
	take_common(cli);
	return verb->run(cli);
}

static int run(struct cli *cli, const struct verb *rows, int argc, char **argv)
{
	struct err err = {.code = ERR_NONE};
	const struct verb *verb;
	int at = 1, words;
	bool help;

	if (args_parse_common(&cli->args, argc, argv, &at, &err) < 0)
		return cli_usage(cli, "%s", err.msg);
	help = args_bool(&cli->args, FLAG_HELP, false);
	if (at < argc && strcmp(argv[at], "help") == 0) {
		help = true;
		at++;
	}
	if (at == argc) {
		help_all(help ? &cli->out : &cli->err, rows);
		return help ? EXIT_DONE : EXIT_USAGE;
	}
	verb = find_verb(rows, argc - at, argv + at, &words);
	if (verb == NULL)
		return unknown_verb(cli, rows, argv[at]);
	if (!help)
		return run_verb(cli, verb, argc - at - words, argv + at + words);
	help_verb(&cli->out, verb);
	return EXIT_DONE;
}

/* What could not be written was not done. */
static int flush(struct cli *cli, int rc)
{
	if (fflush(cli->out.file) == 0 && ferror(cli->out.file) == 0)
		return rc;
	return worse(rc, cli_error(cli, "standard output cannot be written to"));
}

int verbs_run(const struct verb *rows, int argc, char **argv)
{
	struct cli *cli = xcalloc(1, sizeof(*cli));
	int rc;

	out_init(&cli->out, stdout);
	out_init(&cli->err, stderr);
	rc = flush(cli, run(cli, rows, argc, argv));
	client_free(cli->client);
	kinds_deinit(&cli->kinds);
	args_deinit(&cli->args);
	free(cli);
	return rc;
}
