/* cli/edit.c - edit: an object in an editor, then replaced by what was saved */
#include "cli/temporary.h"
#include "cli/verb.h"
#include "cli/write.h"

#include "base/own.h"
#include "codec/yaml.h"

#include <stdlib.h>

#define TEXT_MAX  (8u << 20)
#define TRIES_MAX 5 /* when the daemon writes the status in between */

struct edit {
	struct write_how how;
	const struct ref *ref; /* borrowed */
	struct temporary dir;
	char *file;
	json_t *before; /* as it was when the editor was opened */
};

static const char *editor(void)
{
	static const char *const names[] = {"KUBE_EDITOR", "VISUAL", "EDITOR"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *text = getenv(names[i]);

		if (text != NULL && text[0] != '\0')
			return text;
	}
	return "vi";
}

/* ---- the file ---- */

/* The status is the daemon's. */
static json_t *shown(const json_t *object)
{
	json_t *copy = json_deep_copy(object);

	json_object_del(copy, "status");
	return copy;
}

static void add_comment(struct buf *text, struct str_view words)
{
	while (words.data != NULL) {
		struct str_view line = sv_split(&words, '\n');

		(void)buf_addf(text, "# %.*s\n", SV_ARG(line));
	}
}

/* why: of the try before, or empty. */
static int write_file(const struct edit *edit, struct str_view body, struct str_view why,
		      struct err *err)
{
	struct buf text;
	int rc;

	buf_init(&text, 2 * TEXT_MAX);
	add_comment(&text, SV("Change the object below and save it. Lines that begin with '#' are "
			      "left out;\nan unchanged file, or an empty one, ends this."));
	if (why.len > 0)
		add_comment(&text, sv_trim(why));
	(void)buf_add(&text, body);
	rc = temporary_write(edit->file, buf_view(&text), err);
	buf_deinit(&text);
	return rc;
}

/* What was saved, without comments at its head: "" when nothing is left. */
static int read_file(const struct edit *edit, struct buf *text, struct err *err)
{
	struct buf whole;
	struct str_view rest;
	int rc;

	buf_init(&whole, 2 * TEXT_MAX);
	rc = manifest_slurp(edit->file, &whole, err);
	rest = buf_view(&whole);
	while (rest.len > 0 && rest.data[0] == '#')
		(void)sv_split(&rest, '\n');
	(void)buf_add(text, rest);
	buf_deinit(&whole);
	return rc;
}

/* ---- storing ---- */

static json_t *put(struct cli *cli, const struct edit *edit, const json_t *object,
		   struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(edit->ref, NULL);

	write_params(&edit->how, &path);
	return cli_send(cli, &(struct cli_body){"PUT", path, NULL, object}, fault);
}

/* Only the status is another than when the editor was opened: its version may be taken. */
static bool take_version(struct cli *cli, const struct edit *edit, json_t *object,
			 struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(edit->ref, NULL);
	AUTO(auto_json) json_t *now = cli_get(cli, path, fault);

	if (now == NULL || !write_changed_nothing(edit->before, now, false))
		return false;
	json_set_at(object, "metadata.resourceVersion",
		    json_incref(json_at(now, "metadata.resourceVersion")));
	return true;
}

static json_t *store(struct cli *cli, const struct edit *edit, json_t *object, struct fault *fault)
{
	json_t *stored = put(cli, edit, object, fault);
	struct fault other;

	fault_init(&other);
	for (int i = 0; i < TRIES_MAX && stored == NULL && fault_is(fault, "Conflict"); i++) {
		if (!take_version(cli, edit, object, &other))
			break;
		stored = put(cli, edit, object, fault);
	}
	fault_deinit(&other);
	return stored;
}

/* ---- one try ---- */

enum try_end { TRY_AGAIN, TRY_ENDED };

/* why becomes what was wrong, for the next try. */
static enum try_end try_text(struct cli *cli, struct edit *edit, struct str_view text,
			     struct buf *why, int *rc)
{
	struct err err = {.code = ERR_NONE};
	AUTO(auto_json) json_t *docs = yaml_parse(text, &err);
	AUTO(auto_json) json_t *stored = NULL;
	json_t *doc = json_array_get(docs, 0);
	struct fault fault;

	buf_reset(why);
	if (docs == NULL || json_array_size(docs) != 1 || !json_is_object(doc)) {
		(void)buf_addf(why, "%s", docs == NULL ? err.msg : "one object is due");
		return TRY_AGAIN;
	}
	fault_init(&fault);
	stored = store(cli, edit, doc, &fault);
	if (stored == NULL) {
		fault_text(&fault, NULL, why);
		fault_deinit(&fault);
		return TRY_AGAIN;
	}
	fault_deinit(&fault);
	*rc = write_told(cli, &edit->how, stored, "edited");
	return TRY_ENDED;
}

static int cancelled(struct cli *cli, struct edit *edit, const struct buf *why)
{
	if (buf_len(why) == 0) {
		out_fmt(&cli->err, "Edit cancelled, no changes made.\n");
		return EXIT_DONE;
	}
	out_text(&cli->err, buf_view(why));
	out_fmt(&cli->err, "%sA copy of your changes is kept: %s\n",
		sv_ends(buf_view(why), SV("\n")) ? "" : "\n", edit->file);
	free(TAKE(edit->dir.path)); /* the folder stays */
	return EXIT_FAILED;
}

static int edit_text(struct cli *cli, struct edit *edit, struct buf *text, struct buf *why)
{
	const char *const words[] = {edit->file, NULL};
	struct err err = {.code = ERR_NONE};
	int rc = EXIT_FAILED, end;
	bool same;

	do {
		AUTO(auto_free) char *offered = sv_dup(buf_view(text));

		if (write_file(edit, buf_view(text), buf_view(why), &err) < 0)
			return cli_error(cli, "%s", err.msg);
		(void)fflush(cli->out.file);
		end = run_program(editor(), words, &err);
		if (end != 0)
			return cli_error(cli, "the editor %s failed%s%s", editor(),
					 end < 0 ? ": " : "", end < 0 ? err.msg : "");
		buf_reset(text);
		if (read_file(edit, text, &err) < 0)
			return cli_error(cli, "%s", err.msg);
		same = sv_eq(buf_view(text), sv_from(offered));
		if (same || sv_trim(buf_view(text)).len == 0)
			return cancelled(cli, edit, why);
	} while (try_text(cli, edit, buf_view(text), why, &rc) == TRY_AGAIN);
	return rc;
}

static int edit_one(struct cli *cli, void *arg, const struct ref *ref)
{
	struct edit *edit = arg;
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json) json_t *offered = NULL;
	AUTO(auto_free) char *yaml = NULL;
	struct buf text, why;
	struct fault fault;
	int rc;

	fault_init(&fault);
	edit->ref = ref;
	edit->before = cli_get(cli, path, &fault);
	if (edit->before == NULL)
		return cli_fault(cli, &fault, NULL);
	fault_deinit(&fault);
	offered = shown(edit->before);
	yaml = yaml_text(offered);
	buf_init(&text, 2 * TEXT_MAX);
	buf_init(&why, TEXT_MAX);
	(void)buf_add(&text, sv_from(yaml));
	rc = edit_text(cli, edit, &text, &why);
	buf_deinit(&text);
	buf_deinit(&why);
	return rc;
}

int verb_edit(struct cli *cli)
{
	struct edit edit = {.dir = {NULL}};
	struct refs_how how = {.word_count = cli->args.word_count};
	struct err err = {.code = ERR_NONE};
	struct refs refs;
	int rc = write_how_read(cli, &edit.how);

	refs_init(&refs);
	if (rc == 0)
		rc = refs_of_args(cli, &how, &refs);
	if (rc == 0 && refs.count != 1)
		rc = cli_usage(cli, "one object at a time is edited");
	if (rc == 0 && temporary_init(&edit.dir, &err) < 0)
		rc = cli_error(cli, "%s", err.msg);
	if (rc == 0) {
		edit.file = temporary_path(&edit.dir, "object.yaml");
		rc = refs_each(cli, &refs, edit_one, &edit);
	}
	temporary_deinit(&edit.dir);
	free(edit.file);
	json_decref(edit.before);
	refs_deinit(&refs);
	return rc;
}
