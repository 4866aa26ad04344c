/* cli/create.c - create: objects that do not exist yet */
#include "cli/verb.h"
#include "cli/write.h"

#include "base/own.h"

static int create_one(struct cli *cli, struct write_how *how, struct ref *ref)
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

/* "create namespace NAME", which manuals of others begin with. */
static int create_namespace(struct cli *cli)
{
	struct ref ref = {.ns = NULL};
	struct write_how how;
	int rc = write_how_read(cli, &how);

	if (rc != 0)
		return rc;
	if (cli->args.word_count != 2)
		return cli_usage(cli, "exactly one NAME is required: create namespace NAME");
	ref.kind = cli_kind(cli, SV("namespaces"));
	if (ref.kind == NULL)
		return EXIT_FAILED;
	ref.doc = json_pack("{s:s, s:s, s:{s:o}}", "apiVersion", "v1", "kind", "Namespace",
			    "metadata", "name", json_sv(sv_from(cli->args.words[1])));
	rc = create_one(cli, &how, &ref);
	json_decref(ref.doc);
	return rc;
}

int verb_create(struct cli *cli)
{
	const char *word = cli->args.word_count == 0 ? "" : cli->args.words[0];

	if (strcmp(word, "namespace") == 0 || strcmp(word, "ns") == 0)
		return create_namespace(cli);
	return write_files(cli, create_one);
}
