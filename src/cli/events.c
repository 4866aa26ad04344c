/* cli/events.c - events: what happened, oldest first; get of Events with flags made up */
#include "cli/verb.h"

#include "base/own.h"

#include <stdlib.h>

static void add_flag(struct cli *cli, enum flag_id id, const char *text)
{
	if (cli->args.value_count < ARGS_VALUES_MAX)
		cli->args.values[cli->args.value_count++] =
			(struct arg_value){.id = id, .text = text};
}

/* Adds "field=value" to a list on the heap. */
static void add_field(char **fields, const char *field, struct str_view value)
{
	AUTO(auto_free) char *before = *fields;

	*fields = xasprintf("%s%s%s=%.*s", before, before[0] == '\0' ? "" : ",", field,
			    SV_ARG(value));
}

/* --for KIND/NAME */
static int add_object(struct cli *cli, char **fields)
{
	struct str_view name = sv_from(args_text(&cli->args, FLAG_EVENTS_FOR));
	struct str_view word = sv_split(&name, '/');
	const struct kind_info *kind;

	if (word.data == NULL)
		return EXIT_DONE;
	if (word.len == 0 || name.len == 0)
		return cli_usage(cli, "--for: KIND/NAME is due");
	kind = cli_kind(cli, word);
	if (kind == NULL)
		return EXIT_FAILED;
	add_field(fields, "involvedObject.kind", sv_from(kind->kind));
	add_field(fields, "involvedObject.name", name);
	return EXIT_DONE;
}

/* --types=Normal,Warning is all there are. */
static int add_types(struct cli *cli, char **fields)
{
	struct str_view rest = sv_from(args_text(&cli->args, FLAG_EVENT_TYPES)), one = SV("");
	size_t count = 0;

	while (rest.data != NULL) {
		struct str_view type = sv_split(&rest, ',');

		one = sv_eq_nocase(type, SV("Warning")) ? SV("Warning") : SV("Normal");
		if (!sv_eq_nocase(type, one))
			return cli_usage(cli, "--types: Normal or Warning is due, not \"%.*s\"",
					 SV_ARG(type));
		count++;
	}
	if (count == 1)
		add_field(fields, "type", one);
	return EXIT_DONE;
}

int verb_events(struct cli *cli)
{
	static const char *words[] = {"events", NULL};
	AUTO(auto_free) char *fields = xstrdup("");
	int rc;

	if (cli->args.word_count > 0)
		return cli_usage(cli, "unexpected argument \"%s\": --for KIND/NAME names an object",
				 cli->args.words[0]);
	rc = add_object(cli, &fields);
	if (rc == EXIT_DONE)
		rc = add_types(cli, &fields);
	if (rc != EXIT_DONE)
		return rc;
	free(cli->args.words);
	cli->args.words = xcalloc(ARRAY_LEN(words), sizeof(*words));
	cli->args.words[0] = words[0];
	cli->args.word_count = 1;
	add_flag(cli, FLAG_FIELD_SELECTOR, fields);
	add_flag(cli, FLAG_SORT_BY, ".lastTimestamp");
	rc = verb_get(cli);
	cli->args.value_count = 0; /* the texts are about to go */
	return rc;
}
