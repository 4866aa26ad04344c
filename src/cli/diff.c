/* cli/diff.c - diff: what apply would change, found by a dry run of the daemon */
#include "cli/temporary.h"
#include "cli/verb.h"
#include "cli/write.h"

#include "base/own.h"
#include "codec/yaml.h"

#include <stdlib.h>

#define APPLY_TYPE "application/apply-patch+yaml"
#define DIFF_ERROR 2 /* and more: as diff(1) */

struct diff {
	struct write_how how;
	struct temporary dir;
};

/* ---- the two sides ---- */

/* What every write changes, and what the daemon tells, says nothing about the manifest. */
static void strip(json_t *object)
{
	if (object == NULL)
		return;
	json_object_del(object, "status");
	json_set_at(object, "metadata.resourceVersion", NULL);
	json_set_at(object, "metadata.generation", NULL);
	json_set_at(object, "metadata.uid", NULL);
	json_set_at(object, "metadata.creationTimestamp", NULL);
}

/* Values of Secrets are not shown, only whether they change. */
static void mask(json_t *values, const json_t *other, const char *word)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(values, next, name, value)
	{
		bool same = json_same(value, json_member(other, name));

		json_object_set_new(values, name,
				    same || json_member(other, name) == NULL
					    ? json_string("***")
					    : json_fmt("*** (%s)", word));
	}
}

static void mask_secret(json_t *before, json_t *after)
{
	json_t *old = json_object_get(before, "data"), *new = json_object_get(after, "data");
	AUTO(auto_json) json_t *old_values = json_deep_copy(old);

	mask(old, new, "before");
	if (json_object_size(old_values) == 0)
		mask(new, NULL, "after");
	else
		mask(new, old_values, "after");
}

static int write_side(const struct diff *diff, const char *side, const char *name,
		      const json_t *object, struct err *err)
{
	AUTO(auto_free) char *file = xasprintf("%s/%s", side, name);
	AUTO(auto_free) char *path = temporary_path(&diff->dir, file);
	AUTO(auto_free) char *text = NULL;

	if (object == NULL) /* diff -N takes it for an empty file */
		return 0;
	text = yaml_text(object);
	return temporary_write(path, sv_from(text), err);
}

/* "gateway.networking.k8s.io.v1.Gateway.default.web" */
static char *file_name(const struct ref *ref)
{
	return xasprintf("%.*s%s%.*s.%s.%s.%s", SV_ARG(ref->kind->group),
			 ref->kind->group.len == 0 ? "" : ".", SV_ARG(ref->kind->version),
			 ref->kind->kind, ref->ns == NULL ? "" : ref->ns, ref->name);
}

/* ---- asking ---- */

static json_t *live(struct cli *cli, const struct ref *ref, struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	json_t *object = cli_get(cli, path, fault);

	if (object == NULL && fault_is(fault, "NotFound")) {
		fault_deinit(fault);
		fault_init(fault);
	}
	return object;
}

static json_t *merged(struct cli *cli, const struct diff *diff, const struct ref *ref,
		      struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(ref, NULL);

	write_params(&diff->how, &path);
	path_add(&path, "force", "true");
	return cli_send(cli, &(struct cli_body){"PATCH", path, APPLY_TYPE, ref->doc}, fault);
}

static int add_one(struct cli *cli, void *arg, const struct ref *ref)
{
	struct diff *diff = arg;
	AUTO(auto_free) char *context = write_context("comparing", ref->source);
	AUTO(auto_free) char *name = file_name(ref);
	AUTO(auto_json) json_t *before = NULL;
	AUTO(auto_json) json_t *after = NULL;
	struct err err = {.code = ERR_NONE};
	struct fault fault;

	fault_init(&fault);
	before = live(cli, ref, &fault);
	if (!fault_is_set(&fault))
		after = merged(cli, diff, ref, &fault);
	if (after == NULL) {
		(void)cli_fault(cli, &fault, context);
		return DIFF_ERROR;
	}
	strip(before);
	strip(after);
	if (strcmp(ref->kind->kind, "Secret") == 0)
		mask_secret(before, after);
	if (write_side(diff, "LIVE", name, before, &err) < 0 ||
	    write_side(diff, "MERGED", name, after, &err) < 0) {
		(void)cli_error(cli, "%s", err.msg);
		return DIFF_ERROR;
	}
	return EXIT_DONE;
}

/* ---- the verb ---- */

static int compare(struct cli *cli, struct diff *diff, const struct refs *refs)
{
	AUTO(auto_free) char *before = temporary_path(&diff->dir, "LIVE");
	AUTO(auto_free) char *after = temporary_path(&diff->dir, "MERGED");
	const char *program = getenv("KUBECTL_EXTERNAL_DIFF");
	const char *const words[] = {before, after, NULL};
	struct err err = {.code = ERR_NONE};
	int rc, end;

	if (temporary_folder(&diff->dir, "LIVE", &err) < 0 ||
	    temporary_folder(&diff->dir, "MERGED", &err) < 0) {
		(void)cli_error(cli, "%s", err.msg);
		return DIFF_ERROR;
	}
	rc = refs_each(cli, refs, add_one, diff);
	(void)fflush(cli->out.file);
	end = run_program(program == NULL || program[0] == '\0' ? "diff -u -N -r" : program, words,
			  &err);
	if (end < 0)
		(void)cli_error(cli, "%s", err.msg);
	return worse(rc == EXIT_DONE ? EXIT_DONE : DIFF_ERROR, end < 0 ? DIFF_ERROR : end);
}

int verb_diff(struct cli *cli)
{
	struct diff diff = {.dir = {NULL}};
	struct err err = {.code = ERR_NONE};
	struct refs refs;
	int rc = write_how_read(cli, &diff.how);

	diff.how.dry = DRY_SERVER;
	if (rc == 0 && cli->args.word_count > 0)
		rc = cli_usage(cli, "unexpected argument \"%s\": objects come from -f FILE",
			       cli->args.words[0]);
	refs_init(&refs);
	if (rc == 0)
		rc = refs_of_files(cli, &refs);
	if (rc == 0 && temporary_init(&diff.dir, &err) < 0)
		rc = cli_error(cli, "%s", err.msg);
	rc = rc == 0 ? compare(cli, &diff, &refs) : DIFF_ERROR;
	temporary_deinit(&diff.dir);
	refs_deinit(&refs);
	return rc;
}
