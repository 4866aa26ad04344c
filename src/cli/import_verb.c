/* cli/import_verb.c - import certbot, import acme.sh: the objects, sent in order */
#include "cli/certificate.h"
#include "cli/import.h"
#include "cli/objects.h"
#include "cli/verb.h"
#include "cli/write.h"

#include "base/enc.h"
#include "base/own.h"

#include <stdlib.h>

#define TEXT_MAX (1u << 20)

typedef int reader_fn(struct import *import, struct err *err);

/* ---- showing what would be made ---- */

/* What a Secret holds is shown to nobody who did not ask for it (-o yaml, -o json). */
static json_t *without_values(const json_t *object)
{
	json_t *copy = json_deep_copy(object), *value;
	json_t *data = json_object_get(copy, "data");
	const char *key;
	void *next;

	json_object_foreach_safe(data, next, key, value)
	{
		size_t size = json_string_length(value) / 4 * 3;

		if (strcmp(key, "tls.crt") != 0)
			json_object_set_new(data, key, json_fmt("<hidden: some %zu bytes>", size));
	}
	return copy;
}

static int show_all(struct cli *cli, struct write_how *how, const json_t *objects)
{
	bool hide = how->form.form == FORM_TABLE;
	const json_t *object;
	int rc = EXIT_DONE;
	size_t i;

	if (hide)
		how->form.form = FORM_YAML;
	json_array_foreach(objects, i, object)
	{
		AUTO(auto_json)
		json_t *shown =
			hide ? without_values(object) : json_incref((json_t *)(uintptr_t)object);

		rc = worse(rc, write_told(cli, how, shown, "created"));
	}
	return rc;
}

/* ---- making it ---- */

/* What is there already is somebody's: it stays as it is. */
static int send_one(struct cli *cli, struct write_how *how, const json_t *object)
{
	const char *ns = json_str_at(object, "metadata.namespace");
	struct ref ref = {.kind = kinds_by_gvk(&cli->kinds, json_sv_at(object, "apiVersion"),
					       json_sv_at(object, "kind")),
			  .ns = (char *)(uintptr_t)ns,
			  .name = (char *)(uintptr_t)json_str_at(object, "metadata.name"),
			  .doc = (json_t *)(uintptr_t)object};
	AUTO(auto_json) json_t *made = NULL;
	struct fault fault;

	if (ref.kind == NULL)
		return cli_error(cli, "the daemon does not know the kind %.*s",
				 SV_ARG(json_sv_at(object, "kind")));
	fault_init(&fault);
	made = write_create(cli, how, &ref, &fault);
	if (made != NULL)
		return write_told(cli, how, made, "created");
	if (!fault_is(&fault, "AlreadyExists"))
		return cli_fault(cli, &fault, NULL);
	fault_deinit(&fault);
	return write_told(cli, how, object, "exists already and was left as it is");
}

static int send_all(struct cli *cli, struct write_how *how, const json_t *objects)
{
	const json_t *object;
	int rc = EXIT_DONE;
	size_t i;

	if (cli_learn(cli) < 0)
		return EXIT_FAILED;
	json_array_foreach(objects, i, object)
	{
		rc = worse(rc, send_one(cli, how, object));
		if (rc != EXIT_DONE) /* a Certificate without its Secret would be ordered anew */
			return cli_error(cli, "stopped there: what was made stays, and a second "
					      "import goes on");
	}
	return rc;
}

/* ---- the verb ---- */

static void print_notes(struct cli *cli, const struct import *import)
{
	size_t certificates = json_array_size(import->certificates);
	size_t accounts = json_array_size(import->issuers);
	const json_t *note;
	size_t i;

	out_fmt(&cli->err, "%zu certificate%s, %zu account%s", certificates,
		certificates == 1 ? "" : "s", accounts, accounts == 1 ? "" : "s");
	out_fmt(&cli->err, json_array_size(import->notes) == 0 ? "\n" : "; mind these:\n");
	json_array_foreach(import->notes, i, note)
	{
		out_fmt(&cli->err, "  %s\n", json_string_value(note));
	}
}

/* Something is left behind when a certificate is. */
static bool is_whole(const struct import *import)
{
	const json_t *note;
	size_t i;

	json_array_foreach(import->notes, i, note)
	{
		if (strstr(json_string_value(note), ": NOT taken over: ") != NULL)
			return false;
	}
	return true;
}

static int run(struct cli *cli, struct write_how *how, struct import *import)
{
	AUTO(auto_json) json_t *objects = json_array();
	int rc;

	import_finish(import);
	json_array_extend(objects, import->secrets);
	json_array_extend(objects, import->issuers);
	json_array_extend(objects, import->certificates);
	rc = how->dry == DRY_CLIENT ? show_all(cli, how, objects) : send_all(cli, how, objects);
	(void)fflush(cli->out.file);
	print_notes(cli, import);
	if (json_array_size(import->certificates) == 0 && json_array_size(objects) == 0)
		return worse(rc, cli_error(cli, "nothing was found in %s", import->tree.name));
	return is_whole(import) ? rc : worse(rc, EXIT_FAILED);
}

static int import_from(struct cli *cli, reader_fn *reader)
{
	struct err err = {.code = ERR_NONE};
	struct write_how how;
	struct import import;
	int rc;

	if (write_how_read(cli, &how) != 0)
		return EXIT_USAGE;
	if (cli->args.word_count != 1)
		return cli_usage(cli, "which folder?");
	import_init(&import);
	import.ns = cli->ns;
	import.all = args_bool(&cli->args, FLAG_ALL, false);
	if (tree_open(&import.tree, cli->args.words[0], &err) < 0 || reader(&import, &err) < 0)
		rc = cli_error(cli, "%s", err.msg);
	else
		rc = run(cli, &how, &import);
	import_deinit(&import);
	return rc;
}

int verb_import_certbot(struct cli *cli)
{
	return import_from(cli, import_certbot);
}

int verb_import_acmesh(struct cli *cli)
{
	return import_from(cli, import_acmesh);
}
