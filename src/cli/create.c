/* cli/create.c - create: objects that do not exist yet */
#include "cli/create.h"
#include "cli/verb.h"

#include "base/own.h"

#include <stdlib.h>

int create_one(struct cli *cli, struct write_how *how, struct ref *ref)
{
	AUTO(auto_free) char *context = write_context("creating", ref->source);
	AUTO(auto_json) json_t *object = NULL;
	struct fault fault;

	fault_init(&fault);
	if (how->dry == DRY_CLIENT)
		return write_told(cli, how, ref->doc, "created");
	object = write_create(cli, how, ref, &fault);
	if (object == NULL)
		return cli_fault(cli, &fault, context);
	return write_told(cli, how, object, "created");
}

int create_made(struct cli *cli, json_t *doc)
{
	struct ref ref = {.doc = doc};
	struct write_how how;
	int rc = write_how_read(cli, &how);

	if (rc == 0) {
		ref.kind = cli_kind(cli, json_sv_at(doc, "kind"));
		rc = ref.kind == NULL ? EXIT_FAILED : EXIT_DONE;
	}
	if (rc == 0) {
		ref.ns = ref.kind->namespaced ? xstrdup(cli->ns) : NULL;
		rc = create_one(cli, &how, &ref);
		free(ref.ns);
	}
	json_decref(doc);
	return rc;
}

int verb_create_namespace(struct cli *cli)
{
	if (cli->args.word_count != 1)
		return cli_usage(cli, "exactly one NAME is required: create namespace NAME");
	return create_made(cli,
			   json_pack("{s:s, s:s, s:{s:o}}", "apiVersion", "v1", "kind", "Namespace",
				     "metadata", "name", json_sv(sv_from(cli->args.words[0]))));
}

int verb_create(struct cli *cli)
{
	return write_files(cli, create_one);
}
