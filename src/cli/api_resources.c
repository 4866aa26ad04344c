/* cli/api_resources.c - api-resources: the kinds that the daemon knows */
#include "cli/columns.h"
#include "cli/objects.h"
#include "cli/verb.h"

#include "base/own.h"

#include <stdlib.h>

#define CELL_MAX 65536
#define TEXT_MAX (1u << 20)

static bool is_wanted(const struct args *args, const struct kind_info *kind)
{
	const char *group = args_text(args, FLAG_API_GROUP);

	if (group != NULL && !sv_eq(kind->group, sv_from(group)))
		return false;
	return args_bool(args, FLAG_NAMESPACED, kind->namespaced) == kind->namespaced &&
	       kind->preferred;
}

static void add_short_names(struct columns *columns, const struct kind_info *kind)
{
	struct buf text;
	const json_t *name;
	size_t i;

	buf_init(&text, CELL_MAX);
	json_array_foreach(kind->short_names, i, name)
	{
		buf_addf(&text, "%s%s", i == 0 ? "" : ",",
			 json_is_string(name) ? json_string_value(name) : "");
	}
	columns_add(columns, buf_view(&text));
	buf_deinit(&text);
}

static void add_kind(struct columns *columns, const struct kind_info *kind)
{
	struct buf version;

	buf_init(&version, CELL_MAX);
	kind_api_version(kind, &version);
	columns_add(columns, sv_from(kind->plural));
	add_short_names(columns, kind);
	columns_add(columns, buf_view(&version));
	columns_add(columns, kind->namespaced ? SV("true") : SV("false"));
	columns_add(columns, sv_from(kind->kind));
	columns_end(columns);
	buf_deinit(&version);
}

/* By group, the core group first, then by name. */
static int by_group(const void *left, const void *right)
{
	const struct kind_info *a = left, *b = right;
	int order = sv_cmp(a->group, b->group);

	return order != 0 ? order : strcmp(a->plural, b->plural);
}

static void add_heads(struct columns *columns)
{
	static const char *const heads[] = {"NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED",
					    "KIND"};

	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		columns_add(columns, sv_from(heads[i]));
	columns_end(columns);
}

static void print_name(struct cli *cli, const struct kind_info *kind)
{
	out_fmt(&cli->out, "%s%s%.*s\n", kind->plural, kind->group.len > 0 ? "." : "",
		SV_ARG(kind->group));
}

int verb_api_resources(struct cli *cli)
{
	struct objects_form form;
	struct columns columns;
	struct buf text;

	if (form_read(cli, &form) != 0)
		return EXIT_USAGE;
	if (!form_is_table(&form) && form.form != FORM_NAME)
		return cli_usage(cli, "api-resources knows -o name and -o wide");
	if (cli_learn(cli) < 0)
		return EXIT_FAILED;
	qsort(cli->kinds.list, cli->kinds.count, sizeof(*cli->kinds.list), by_group);
	columns_init(&columns);
	if (!args_bool(&cli->args, FLAG_NO_HEADERS, false))
		add_heads(&columns);
	for (size_t i = 0; i < cli->kinds.count; i++) {
		const struct kind_info *kind = &cli->kinds.list[i];

		if (!is_wanted(&cli->args, kind))
			continue;
		if (form.form == FORM_NAME)
			print_name(cli, kind);
		else
			add_kind(&columns, kind);
	}
	buf_init(&text, TEXT_MAX);
	columns_text(&columns, 0, &text);
	if (form_is_table(&form))
		out_text(&cli->out, buf_view(&text));
	buf_deinit(&text);
	columns_deinit(&columns);
	return EXIT_DONE;
}
