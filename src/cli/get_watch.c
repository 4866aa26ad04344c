/* cli/get_watch.c - get -w: what there is, then what changes */
#include "cli/get.h"

#include "base/own.h"

#include <stdlib.h>

#define TEXT_MAX (64u << 20)

struct show {
	struct get *get;
	struct columns columns;
	json_t *head; /* owned: the Table that named the columns */
	int rc;
	struct err err; /* an ERROR of the stream */
};

static void flush_columns(struct show *show)
{
	struct out *out = &show->get->cli->out;
	struct buf text;

	buf_init(&text, TEXT_MAX);
	columns_text(&show->columns, 0, &text);
	out_text(out, buf_view(&text));
	(void)fflush(out->file);
	buf_deinit(&text);
	columns_restart(&show->columns);
}

static void show_table(struct show *show, const json_t *table)
{
	if (show->head == NULL && json_array_size(json_member(table, "columnDefinitions")) > 0) {
		show->head = json_incref((json_t *)(uintptr_t)table);
		if (table_rows(table) > 0) /* no lonely headers */
			table_headers(&show->get->table, table, &show->columns);
		else
			json_decref(TAKE(show->head));
	}
	table_lines(&show->get->table, table, show->head, &show->columns);
	flush_columns(show);
}

static void show_object(struct show *show, const json_t *object)
{
	struct get *get = show->get;

	if (get->form.form == FORM_YAML && get->shown++ > 0)
		out_fmt(&get->cli->out, "---\n");
	show->rc = worse(show->rc, objects_print(get->cli, &get->form, object));
	get->form.no_headers = true;
	(void)fflush(get->cli->out.file);
}

static void show_value(struct show *show, const json_t *value)
{
	const json_t *items = json_member(value, "items"), *item;
	size_t i;

	if (table_is(value)) {
		show_table(show, value);
		return;
	}
	if (!json_is_array(items))
		show_object(show, value);
	json_array_foreach(items, i, item)
	{
		show_object(show, item);
	}
}

static bool on_event(void *arg, struct str_view type, const json_t *object)
{
	struct show *show = arg;

	if (sv_eq(type, SV("ERROR"))) {
		err_set(&show->err, ERR_GONE, "the watch ended: %.*s",
			SV_ARG(json_sv_at(object, "message")));
		return false;
	}
	if (!sv_eq(type, SV("BOOKMARK")))
		show_value(show, object);
	return true;
}

/* ---- one kind ---- */

struct watched {
	const struct kind_info *kind;
	const char *ns;   /* NULL: all */
	const char *name; /* NULL: a list */
};

static int first_look(struct show *show, const struct watched *what, char **version)
{
	struct get *get = show->get;
	AUTO(auto_free) char *path = get_path(get, what->kind, what->ns, what->name);
	AUTO(auto_json) json_t *value = NULL;
	struct client_request request = {.method = "GET", .path = path, .accept = get_accept(get)};
	struct fault fault;

	fault_init(&fault);
	value = cli_ask(get->cli, &request, &fault);
	if (value == NULL)
		return cli_fault(get->cli, &fault, NULL);
	*version = sv_dup(json_sv_at(value, "metadata.resourceVersion"));
	if (!get->watch_only)
		show_value(show, value);
	return show->rc;
}

static char *watch_path(const struct get *get, const struct watched *what, const char *version)
{
	AUTO(auto_free)
	char *field = what->name == NULL ? NULL : xasprintf("metadata.name=%s", what->name);
	char *path = get_path(get, what->kind, what->ns, NULL);

	path_add(&path, "fieldSelector", field);
	path_add(&path, "watch", "true");
	path_add(&path, "resourceVersion", version);
	return path;
}

static int watch_kind(struct show *show, const struct watched *what)
{
	struct cli *cli = show->get->cli;
	AUTO(auto_free) char *version = NULL;
	AUTO(auto_free) char *path = NULL;
	struct watches *watches;
	enum watch_end end;
	int rc = first_look(show, what, &version);

	if (rc != EXIT_DONE)
		return rc;
	path = watch_path(show->get, what, version);
	watches = watches_new(cli->client);
	watches_add(watches, path, get_accept(show->get), on_event, show);
	end = watches_run(watches, -1, &show->err);
	watches_free(watches);
	if (end == WATCH_FAILED || show->err.code != ERR_NONE)
		return cli_error(cli, "%s", show->err.msg);
	return show->rc;
}

/* ---- which ---- */

static int watch_what(struct get *get, const struct watched *what)
{
	struct show show = {.get = get};
	struct buf label;
	int rc;

	buf_init(&label, TEXT_MAX);
	kind_label(what->kind, &label);
	get->table.label = get->with_kind ? buf_cstr(&label) : NULL;
	get->table.with_namespace = get->everywhere && what->kind->namespaced;
	columns_init(&show.columns);
	rc = watch_kind(&show, what);
	columns_deinit(&show.columns);
	json_decref(show.head);
	buf_deinit(&label);
	return rc;
}

static int watch_named(struct get *get)
{
	struct refs_how how = {.word_count = get->cli->args.word_count};
	struct watched what;
	struct refs refs;
	int rc;

	refs_init(&refs);
	rc = refs_of_args(get->cli, &how, &refs);
	if (rc == 0)
		rc = refs.rc;
	if (rc == 0 && refs.count != 1)
		rc = cli_usage(get->cli, "watch is only supported on individual resources and "
					 "resource collections: one name, or none");
	if (rc == 0) {
		what = (struct watched){refs.list[0].kind, refs.list[0].ns, refs.list[0].name};
		rc = watch_what(get, &what);
	}
	refs_deinit(&refs);
	return rc;
}

int get_watched(struct get *get, bool named)
{
	struct cli *cli = get->cli;
	struct word_kinds kinds = {.count = 0};
	struct watched what;
	int rc;

	if (named)
		return watch_named(get);
	rc = word_kinds(cli, sv_from(cli->args.words[0]), &kinds);
	if (rc != 0)
		return rc;
	if (kinds.count != 1)
		return cli_usage(cli, "you may only specify a single resource type");
	what = (struct watched){.kind = kinds.list[0], .ns = get->everywhere ? NULL : cli->ns};
	return watch_what(get, &what);
}
