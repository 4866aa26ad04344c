/* cli/get.c - get: tables that the server made, or objects in another form */
#include "cli/get.h"
#include "cli/custom_columns.h"
#include "cli/verb.h"

#include "base/own.h"

#include <stdlib.h>

#define TEXT_MAX (256u << 20)

/* ---- what is asked ---- */

char *get_path(const struct get *get, const struct kind_info *kind, const char *ns,
	       const char *name)
{
	const struct args *args = &get->cli->args;
	char *path = kind_path(kind, ns, name, get->sub);

	if (form_is_table(&get->form) && args_text(args, FLAG_SORT_BY) != NULL)
		path_add(&path, "includeObject", "Object");
	if (name != NULL)
		return path;
	path_add(&path, "labelSelector", args_text(args, FLAG_SELECTOR));
	path_add(&path, "fieldSelector", args_text(args, FLAG_FIELD_SELECTOR));
	return path;
}

static json_t *ask(struct get *get, const struct kind_info *kind, const char *ns, const char *name,
		   struct fault *fault)
{
	AUTO(auto_free) char *path = get_path(get, kind, ns, name);
	struct client_request request = {.method = "GET", .path = path, .accept = get_accept(get)};

	return cli_ask(get->cli, &request, fault);
}

const char *get_accept(const struct get *get)
{
	return form_is_table(&get->form) ? ACCEPT_TABLE : NULL;
}

/* ---- what is shown ---- */

/* Rows of a table, or objects. */
static int sort(struct get *get, json_t *values, bool rows)
{
	const char *by = args_text(&get->cli->args, FLAG_SORT_BY);
	struct err err = {.code = ERR_NONE};

	if (by == NULL || sort_values(values, rows ? "object" : NULL, sv_from(by), &err) == 0)
		return EXIT_DONE;
	return cli_usage(get->cli, "--sort-by: %s", err.msg);
}

/* A table for each kind, an empty line between. */
static void show_table(struct get *get, const struct kind_info *kind, const json_t *table)
{
	struct columns columns;
	struct buf label, text;

	if (table_rows(table) == 0)
		return;
	buf_init(&label, TEXT_MAX);
	kind_label(kind, &label);
	get->table.label = get->with_kind ? buf_cstr(&label) : NULL;
	columns_init(&columns);
	table_headers(&get->table, table, &columns);
	table_lines(&get->table, table, NULL, &columns);
	buf_init(&text, TEXT_MAX);
	if (get->shown > 0)
		buf_addc(&text, '\n');
	columns_text(&columns, 0, &text);
	out_text(&get->cli->out, buf_view(&text));
	buf_deinit(&text);
	columns_deinit(&columns);
	buf_deinit(&label);
	get->table.label = NULL;
	get->shown++;
}

static void append_items(json_t *to, const json_t *from)
{
	json_t *items = json_object_get(from, "items");

	if (json_is_array(items))
		json_array_extend(to, items);
	else
		json_array_append(to, (json_t *)(uintptr_t)from);
}

/* Takes an answer into what will be shown: rows of one kind stand in one table. */
static void take(struct get *get, json_t **table, const json_t *answer)
{
	if (!form_is_table(&get->form)) {
		append_items(get->items, answer);
		return;
	}
	if (*table == NULL)
		*table = json_incref((json_t *)(uintptr_t)answer);
	else
		json_array_extend(json_object_get(*table, "rows"), json_object_get(answer, "rows"));
}

static int fail(struct get *get, struct fault *fault)
{
	bool ignored = args_bool(&get->cli->args, FLAG_IGNORE_NOT_FOUND, false) &&
		       fault_is(fault, "NotFound");

	if (!ignored)
		fault_text(fault, NULL, &get->errors);
	fault_deinit(fault);
	return ignored ? EXIT_DONE : EXIT_FAILED;
}

/* ---- by name ---- */

static int get_refs(struct get *get, const struct refs *refs)
{
	int rc = refs->rc;

	get->single = refs->count == 1;
	for (size_t i = 0; i < refs->count;) {
		const struct kind_info *kind = refs->list[i].kind;
		AUTO(auto_json) json_t *table = NULL;

		for (; i < refs->count && refs->list[i].kind == kind; i++) {
			AUTO(auto_json) json_t *answer = NULL;
			struct fault fault;

			fault_init(&fault);
			answer = ask(get, kind, refs->list[i].ns, refs->list[i].name, &fault);
			if (answer == NULL)
				rc = worse(rc, fail(get, &fault));
			else
				take(get, &table, answer);
		}
		rc = worse(rc, sort(get, json_object_get(table, "rows"), true));
		show_table(get, kind, table);
	}
	return rc;
}

static bool several_kinds(const struct refs *refs)
{
	for (size_t i = 1; i < refs->count; i++) {
		if (refs->list[i].kind != refs->list[0].kind)
			return true;
	}
	return false;
}

static int get_named(struct get *get)
{
	struct refs_how how = {.word_count = get->cli->args.word_count};
	struct refs refs;
	int rc;

	refs_init(&refs);
	rc = refs_of_args(get->cli, &how, &refs);
	if (rc == 0 && several_kinds(&refs))
		get->with_kind = true;
	if (rc == 0)
		rc = get_refs(get, &refs);
	refs_deinit(&refs);
	return rc;
}

/* ---- by kind ---- */

static void say_nothing_found(struct get *get, bool namespaced)
{
	struct cli *cli = get->cli;

	if (namespaced && !get->everywhere)
		out_fmt(&cli->err, "No resources found in %s namespace.\n", cli->ns);
	else
		out_fmt(&cli->err, "No resources found\n");
}

static int get_kind(struct get *get, const struct kind_info *kind)
{
	AUTO(auto_json) json_t *answer = NULL;
	AUTO(auto_json) json_t *table = NULL;
	struct fault fault;
	int rc;

	fault_init(&fault);
	answer = ask(get, kind, get->everywhere ? NULL : get->cli->ns, NULL, &fault);
	if (answer == NULL)
		return fail(get, &fault);
	take(get, &table, answer);
	get->table.with_namespace = get->everywhere && kind->namespaced;
	rc = sort(get, json_object_get(table, "rows"), true);
	if (rc == EXIT_DONE)
		show_table(get, kind, table);
	return rc;
}

static int get_listed(struct get *get, const struct word_kinds *kinds)
{
	bool namespaced = false;
	int rc = 0;

	get->with_kind |= kinds->count > 1;
	for (size_t i = 0; i < kinds->count; i++) {
		namespaced |= kinds->list[i]->namespaced;
		rc = worse(rc, get_kind(get, kinds->list[i]));
	}
	if (rc == 0 && form_is_table(&get->form) && get->shown == 0 &&
	    !args_bool(&get->cli->args, FLAG_IGNORE_NOT_FOUND, false))
		say_nothing_found(get, namespaced);
	return rc;
}

/* ---- the verb ---- */

/* Objects that were collected, as one value. */
static int show_items(struct get *get)
{
	AUTO(auto_json) json_t *list = NULL;

	if (form_is_table(&get->form))
		return EXIT_DONE;
	if (get->single && json_array_size(get->items) == 1)
		return objects_print(get->cli, &get->form, json_array_get(get->items, 0));
	if (get->single)
		return EXIT_DONE; /* an error, or an absent one to be ignored */
	if (sort(get, get->items, false) != EXIT_DONE)
		return EXIT_USAGE;
	list = objects_list(json_incref(get->items));
	return objects_print(get->cli, &get->form, list);
}

/* What the server says at a path, as it is. */
static int get_raw(struct cli *cli, const char *path)
{
	struct client_request request = {.method = "GET", .path = path, .accept = "*/*"};
	struct buf text;
	struct fault fault;
	int rc = EXIT_DONE;

	if (path[0] != '/' || cli->args.word_count > 0)
		return cli_usage(cli, "--raw takes a PATH that begins with '/', and nothing else");
	fault_init(&fault);
	buf_init(&text, CLIENT_ANSWER_MAX);
	if (cli_ask_text(cli, &request, &text, &fault) < 0)
		rc = cli_fault(cli, &fault, NULL);
	else
		out_text(&cli->out, buf_view(&text));
	buf_deinit(&text);
	return rc;
}

static int read_flags(struct get *get)
{
	struct cli *cli = get->cli;
	const struct args *args = &cli->args;

	if (form_read(cli, &get->form) != 0)
		return EXIT_USAGE;
	get->sub = args_text(args, FLAG_SUBRESOURCE);
	get->everywhere = args_bool(args, FLAG_ALL_NAMESPACES, false);
	get->with_kind = args_bool(args, FLAG_SHOW_KIND, false);
	get->watch = args_bool(args, FLAG_WATCH, false);
	get->watch_only = args_bool(args, FLAG_WATCH_ONLY, false);
	get->table = (struct table_how){
		.wide = get->form.form == FORM_WIDE,
		.no_headers = args_bool(args, FLAG_NO_HEADERS, false),
		.with_labels = args_bool(args, FLAG_SHOW_LABELS, false),
	};
	return 0;
}

static int get_objects(struct get *get)
{
	struct cli *cli = get->cli;
	struct word_kinds kinds = {.count = 0};
	bool named = args_text(&cli->args, FLAG_FILE) != NULL || cli->args.word_count > 1 ||
		     (cli->args.word_count == 1 && strchr(cli->args.words[0], '/') != NULL);
	int rc;

	if (!named && cli->args.word_count == 0)
		return cli_usage(cli, "You must specify the type of resource to get "
				      "(sallyport api-resources lists them)");
	if (get->watch || get->watch_only)
		return get_watched(get, named);
	if (named) {
		rc = get_named(get);
	} else {
		rc = word_kinds(cli, sv_from(cli->args.words[0]), &kinds);
		if (rc == 0)
			rc = get_listed(get, &kinds);
	}
	return rc == EXIT_USAGE ? rc : worse(rc, show_items(get));
}

int verb_get(struct cli *cli)
{
	const char *raw = args_text(&cli->args, FLAG_RAW);
	struct get get = {.cli = cli};
	int rc;

	if (raw != NULL)
		return get_raw(cli, raw);
	rc = read_flags(&get);
	if (rc != 0)
		return rc;
	get.items = json_array();
	buf_init(&get.errors, TEXT_MAX);
	rc = get_objects(&get);
	out_text(&cli->err, buf_view(&get.errors));
	buf_deinit(&get.errors);
	json_decref(get.items);
	return rc;
}
