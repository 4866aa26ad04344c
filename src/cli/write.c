/* cli/write.c - what the verbs that write share */
#include "cli/write.h"

#include "base/own.h"

#include <stdlib.h>

#define LABEL_TEXT_MAX 65536

/* ---- how ---- */

static int read_dry_run(struct cli *cli, struct write_how *how)
{
	static const struct {
		const char *text;
		enum dry_run dry;
	} words[] = {{"none", DRY_NONE},   {"false", DRY_NONE},     {"client", DRY_CLIENT},
		     {"true", DRY_CLIENT}, {"unchanged", DRY_NONE}, {"server", DRY_SERVER}};
	const char *text = args_text(&cli->args, FLAG_DRY_RUN);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(text == NULL ? "none" : text, words[i].text) == 0) {
			how->dry = words[i].dry;
			return 0;
		}
	}
	return cli_usage(cli,
			 "Invalid dry-run value (%s). Must be \"none\", \"server\", or \"client\".",
			 text);
}

static int read_validation(struct cli *cli, struct write_how *how)
{
	static const struct {
		const char *text, *word;
	} words[] = {{"strict", "Strict"},
		     {"true", "Strict"},
		     {"warn", "Warn"},
		     {"ignore", "Ignore"},
		     {"false", "Ignore"}};
	const char *text = args_text(&cli->args, FLAG_VALIDATE);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(text == NULL ? "strict" : text, words[i].text) == 0) {
			how->validation = words[i].word;
			return 0;
		}
	}
	return cli_usage(cli, "invalid --validate value (%s). Must be strict, warn or ignore.",
			 text);
}

int write_how_read(struct cli *cli, struct write_how *how)
{
	*how = (struct write_how){.manager = args_text(&cli->args, FLAG_FIELD_MANAGER)};
	if (how->manager == NULL)
		how->manager = "sallyport";
	if (read_dry_run(cli, how) != 0 || read_validation(cli, how) != 0 ||
	    form_read(cli, &how->form) != 0)
		return EXIT_USAGE;
	if (how->form.form == FORM_WIDE)
		return cli_usage(cli, "-o wide is for get");
	return 0;
}

void write_params(const struct write_how *how, char **path)
{
	path_add(path, "fieldManager", how->manager);
	path_add(path, "fieldValidation", how->validation);
	path_add(path, "dryRun", how->dry == DRY_SERVER ? "All" : NULL);
}

/* ---- what is said ---- */

int write_told(struct cli *cli, struct write_how *how, const json_t *object, const char *word)
{
	static const char *const dry[] = {
		[DRY_NONE] = "", [DRY_CLIENT] = " (dry run)", [DRY_SERVER] = " (server dry run)"};
	struct buf label;

	if (how->form.form != FORM_TABLE) {
		if (how->form.form == FORM_YAML && how->told)
			out_fmt(&cli->out, "---\n");
		how->told = true;
		return objects_print(cli, &how->form, object);
	}
	buf_init(&label, LABEL_TEXT_MAX);
	object_label(object, &label);
	out_fmt(&cli->out, "%s %s%s\n", buf_cstr(&label), word, dry[how->dry]);
	buf_deinit(&label);
	return EXIT_DONE;
}

char *write_context(const char *doing, const char *source)
{
	return source == NULL ? xstrdup("") : xasprintf("error when %s \"%s\": ", doing, source);
}

static json_t *without_times(const json_t *object, bool of_status)
{
	json_t *copy = json_deep_copy(object);

	json_set_at(copy, "metadata.resourceVersion", NULL);
	if (!of_status)
		json_object_del(copy, "status");
	return copy;
}

bool write_changed_nothing(const json_t *before, const json_t *after, bool of_status)
{
	AUTO(auto_json) json_t *old = NULL;
	AUTO(auto_json) json_t *new = NULL;

	if (json_same(json_at(before, "metadata.resourceVersion"),
		      json_at(after, "metadata.resourceVersion")) &&
	    json_same(before, after))
		return true;
	old = without_times(before, of_status);
	new = without_times(after, of_status);
	return json_same(old, new);
}

/* ---- documents ---- */

int write_files(struct cli *cli, write_one_fn *one)
{
	struct write_how how;
	struct refs refs;
	int rc = write_how_read(cli, &how);

	if (rc != 0)
		return rc;
	if (cli->args.word_count > 0)
		return cli_usage(cli, "unexpected argument \"%s\": objects come from -f FILE",
				 cli->args.words[0]);
	refs_init(&refs);
	rc = refs_of_files(cli, &refs);
	rc = worse(rc, refs.rc);
	for (size_t i = 0; i < refs.count; i++) {
		if (refs.count > 1 && how.form.form == FORM_TABLE)
			how.settle = i + 1 < refs.count ? "false" : "true";
		rc = worse(rc, one(cli, &how, &refs.list[i]));
	}
	refs_deinit(&refs);
	return rc;
}

json_t *write_create(struct cli *cli, const struct write_how *how, const struct ref *ref,
		     struct fault *fault)
{
	AUTO(auto_free) char *path = kind_path(ref->kind, ref->ns, NULL, NULL);

	write_params(how, &path);
	return cli_send(cli, &(struct cli_body){"POST", path, NULL, ref->doc}, fault);
}
