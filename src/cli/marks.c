/* cli/marks.c - annotate and label: KEY=VALUE sets, KEY- removes */
#include "cli/verb.h"
#include "cli/write.h"

#include "base/own.h"

#include <stdlib.h>

struct marks {
	const char *member; /* of metadata: "annotations", "labels" */
	const char *noun;
	const char *set_word, *removed_word, *same_word;
	struct write_how how;
	json_t *changes; /* key -> text, or null: to be removed */
	size_t removals;
	bool overwrite, list;
	bool long_refusal; /* kubectl words it differently for the two */
};

/* ---- the words ---- */

static bool is_mark(const char *word)
{
	struct str_view view = sv_from(word);

	return sv_find(view, '=') != SV_NOT_FOUND || (view.len > 1 && sv_ends(view, SV("-")));
}

static int add_mark(struct cli *cli, struct marks *marks, const char *word)
{
	struct str_view value = sv_from(word), key = sv_split(&value, '=');
	AUTO(auto_free) char *name = NULL;

	if (value.data == NULL && sv_ends(key, SV("-")))
		key = sv_head(key, key.len - 1);
	else if (value.data == NULL)
		return cli_usage(cli, "%s: KEY=VALUE or KEY- is due", word);
	if (key.len == 0)
		return cli_usage(cli, "%s: the key is empty", word);
	name = sv_dup(key);
	if (json_object_get(marks->changes, name) != NULL)
		return cli_usage(cli, "%s: given twice", name);
	if (value.data == NULL)
		marks->removals++;
	if (json_object_set_new(marks->changes, name,
				value.data == NULL ? json_null() : json_sv(value)) < 0)
		return cli_usage(cli, "%s: the key is no UTF-8", word);
	return 0;
}

static int read_words(struct cli *cli, struct marks *marks, size_t *objects)
{
	int rc = 0;
	size_t i = 0;

	while (i < cli->args.word_count && !is_mark(cli->args.words[i]))
		i++;
	*objects = i;
	for (; i < cli->args.word_count && rc == 0; i++)
		rc = add_mark(cli, marks, cli->args.words[i]);
	if (rc == 0 && json_object_size(marks->changes) == 0 && !marks->list)
		return cli_usage(cli, "at least one %s update is required: KEY=VALUE or KEY-",
				 marks->noun);
	return rc;
}

/* ---- one object ---- */

static const json_t *present(const struct marks *marks, const json_t *object)
{
	return json_member(json_member(object, "metadata"), marks->member);
}

static int list_one(struct cli *cli, const struct marks *marks, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)present(marks, object), key, value)
	{
		out_fmt(&cli->out, "%s=%s\n", key,
			json_is_string(value) ? json_string_value(value) : "");
	}
	return EXIT_DONE;
}

/* Without --overwrite nothing that is there with another value is changed. */
static int check_overwrite(struct cli *cli, const struct marks *marks, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach(marks->changes, key, value)
	{
		const char *there = json_string_value(json_member(present(marks, object), key));

		if (marks->overwrite || there == NULL || json_is_null(value) ||
		    strcmp(there, json_string_value(value)) == 0)
			continue;
		if (marks->long_refusal)
			return cli_error(cli,
					 "--overwrite is false but found the following declared "
					 "%s(s): '%s' already has a value (%s)",
					 marks->noun, key, there);
		return cli_error(cli, "'%s' already has a value (%s), and --overwrite is false",
				 key, there);
	}
	return 0;
}

static void warn_absent(struct cli *cli, const struct marks *marks, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach(marks->changes, key, value)
	{
		if (json_is_null(value) && json_member(present(marks, object), key) == NULL)
			out_fmt(&cli->err, "%s \"%s\" not found.\n", marks->noun, key);
	}
}

static json_t *changed(struct cli *cli, const struct marks *marks, const struct ref *ref,
		       const json_t *before, struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json)
	json_t *patch = json_pack("{s:{s:O}}", "metadata", marks->member, marks->changes);

	if (marks->how.dry == DRY_CLIENT)
		return json_incref((json_t *)(uintptr_t)before);
	write_params(&marks->how, &path);
	return cli_send(cli,
			&(struct cli_body){"PATCH", path, "application/merge-patch+json", patch},
			fault);
}

static int mark_one(struct cli *cli, void *arg, const struct ref *ref)
{
	struct marks *marks = arg;
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json) json_t *before = NULL;
	AUTO(auto_json) json_t *after = NULL;
	const char *word = marks->set_word;
	struct fault fault;

	fault_init(&fault);
	before = cli_get(cli, path, &fault);
	if (before == NULL)
		return cli_fault(cli, &fault, NULL);
	if (marks->list)
		return list_one(cli, marks, before);
	if (check_overwrite(cli, marks, before) != 0)
		return EXIT_FAILED;
	warn_absent(cli, marks, before);
	after = changed(cli, marks, ref, before, &fault);
	if (after == NULL)
		return cli_fault(cli, &fault, NULL);
	if (marks->how.dry != DRY_CLIENT && write_changed_nothing(before, after, false))
		word = marks->same_word;
	else if (marks->removals == json_object_size(marks->changes))
		word = marks->removed_word;
	return write_told(cli, &marks->how, after, word);
}

static int mark(struct cli *cli, struct marks *marks)
{
	struct refs_how how = {.word_count = 0};
	struct refs refs;
	int rc = write_how_read(cli, &marks->how);

	marks->overwrite = args_bool(&cli->args, FLAG_OVERWRITE, false);
	marks->list = args_bool(&cli->args, FLAG_LIST, false);
	marks->changes = json_object();
	refs_init(&refs);
	if (rc == 0)
		rc = read_words(cli, marks, &how.word_count);
	if (rc == 0)
		rc = refs_of_args(cli, &how, &refs);
	if (rc == 0)
		rc = refs_each(cli, &refs, mark_one, marks);
	refs_deinit(&refs);
	json_decref(marks->changes);
	return rc;
}

int verb_annotate(struct cli *cli)
{
	struct marks marks = {.member = "annotations",
			      .noun = "annotation",
			      .set_word = "annotated",
			      .removed_word = "annotated",
			      .same_word = "annotated",
			      .long_refusal = true};

	return mark(cli, &marks);
}

int verb_label(struct cli *cli)
{
	struct marks marks = {.member = "labels",
			      .noun = "label",
			      .set_word = "labeled",
			      .removed_word = "unlabeled",
			      .same_word = "not labeled"};

	return mark(cli, &marks);
}
