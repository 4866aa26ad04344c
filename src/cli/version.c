/* cli/version.c - version: of this program and of the daemon */
#include "config.h"

#include "cli/objects.h"
#include "cli/verb.h"

#include "base/own.h"

#include <stdlib.h>

static json_t *versions(struct cli *cli, struct fault *fault)
{
	json_t *both = json_pack("{s:{s:s}}", "clientVersion", "gitVersion", "v" PACKAGE_VERSION);
	json_t *server;

	if (args_bool(&cli->args, FLAG_CLIENT, false))
		return both;
	server = cli_get(cli, "/version", fault);
	if (server != NULL)
		json_object_set_new(both, "serverVersion", server);
	return both;
}

/* The daemon's own version; what it answers as gitVersion is that of the API that it follows. */
static void tell_server(struct out *out, const json_t *server)
{
	struct str_view own = json_sv_at(server, "sallyportVersion");
	struct str_view api = json_sv_at(server, "gitVersion");

	if (own.len == 0)
		out_fmt(out, "Server Version: %.*s\n", SV_ARG(api));
	else
		out_fmt(out, "Server Version: %.*s\nAPI Version: %.*s\n", SV_ARG(own), SV_ARG(api));
}

int verb_version(struct cli *cli)
{
	struct fault fault;
	AUTO(auto_json) json_t *both = NULL;
	struct objects_form form;
	int rc = form_read(cli, &form);

	if (rc != 0)
		return rc;
	if (cli->args.word_count > 0)
		return cli_usage(cli, "unexpected argument \"%s\"", cli->args.words[0]);
	fault_init(&fault);
	both = versions(cli, &fault);
	if (form.form == FORM_JSON || form.form == FORM_YAML) {
		objects_print(cli, &form, both);
	} else {
		out_fmt(&cli->out, "Client Version: %s\n",
			json_str_at(both, "clientVersion.gitVersion"));
		if (json_at(both, "serverVersion") != NULL)
			tell_server(&cli->out, json_at(both, "serverVersion"));
	}
	return fault_is_set(&fault) ? cli_fault(cli, &fault, NULL) : EXIT_DONE;
}
