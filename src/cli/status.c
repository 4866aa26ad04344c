/* cli/status.c - status: what is served, the certificates, and what is wrong */
#include "cli/status.h"
#include "cli/objects.h"
#include "cli/verb.h"

#include "base/clock.h"
#include "base/own.h"

#include <stdlib.h>

struct look {
	struct cli *cli;
	struct fault fault;
	bool failed;
};

/* Adds the objects of a kind to list; kinds that the server does not know are none. */
static void add_objects(struct look *look, const struct kind_info *kind, json_t *list)
{
	struct cli *cli = look->cli;
	AUTO(auto_free) char *path = NULL;
	AUTO(auto_json) json_t *answer = NULL;

	if (kind == NULL || look->failed)
		return;
	path = kind_path(kind, cli->ns_given ? cli->ns : NULL, NULL, NULL);
	answer = cli_get(cli, path, &look->fault);
	look->failed = answer == NULL;
	if (answer != NULL && json_is_array(json_object_get(answer, "items")))
		json_array_extend(list, json_object_get(answer, "items"));
}

static json_t *objects_of(struct look *look, const char *word)
{
	json_t *list = json_array();

	add_objects(look, kinds_by_word(&look->cli->kinds, sv_from(word)), list);
	return list;
}

static json_t *routes_of(struct look *look)
{
	const struct kinds *kinds = &look->cli->kinds;
	json_t *list = json_array();

	for (size_t i = 0; i < kinds->count; i++) {
		const struct kind_info *kind = &kinds->list[i];

		if (kind->preferred && sv_eq(kind->group, SV("gateway.networking.k8s.io")) &&
		    sv_ends(sv_from(kind->kind), SV("Route")))
			add_objects(look, kind, list);
	}
	return list;
}

/* What /readyz says against the daemon: heap, or NULL when it is ready. */
static char *not_ready(struct look *look)
{
	struct client_request request = {.method = "GET", .path = "/readyz", .accept = "*/*"};
	struct buf text;
	char *why = NULL;
	int rc;

	buf_init(&text, 65536);
	rc = cli_ask_text(look->cli, &request, &text, &look->fault);
	buf_deinit(&text);
	if (rc == 0 || look->fault.http == 404)
		return NULL;
	if (look->fault.http == 0 || look->fault.status != NULL)
		look->failed = true;
	else
		why = xstrdup(look->fault.err.msg);
	return why;
}

static json_t *report_of(struct look *look, int64_t now)
{
	AUTO(auto_free) char *why = not_ready(look);
	AUTO(auto_json) json_t *gateways = NULL;
	AUTO(auto_json) json_t *routes = NULL;
	AUTO(auto_json) json_t *certificates = NULL;
	AUTO(auto_json) json_t *issuers = NULL;
	AUTO(auto_json) json_t *events = NULL;
	struct status_lists lists;

	if (look->failed || cli_learn(look->cli) < 0)
		return NULL;
	gateways = objects_of(look, "gateways.gateway.networking.k8s.io");
	routes = routes_of(look);
	certificates = objects_of(look, "certificates.cert-manager.io");
	issuers = objects_of(look, "issuers.cert-manager.io");
	add_objects(look, kinds_by_word(&look->cli->kinds, SV("clusterissuers.cert-manager.io")),
		    issuers);
	events = objects_of(look, "events");
	lists = (struct status_lists){gateways, routes, certificates, issuers, events, why};
	return look->failed ? NULL : status_report(&lists, now);
}

static int show(struct cli *cli, const struct objects_form *form, const json_t *report)
{
	if (!form_is_table(form))
		return objects_print(cli, form, report);
	status_print(&cli->out, report, clock_wall());
	return EXIT_DONE;
}

/* For monitoring, the answer to "how is it" is no failure to answer. */
static int tell_down(struct look *look, const struct objects_form *form, bool exit_code)
{
	struct cli *cli = look->cli;
	AUTO(auto_json) json_t *report = NULL;
	struct buf text;

	if (!exit_code)
		return look->failed ? cli_fault(cli, &look->fault, NULL) : EXIT_FAILED;
	buf_init(&text, JSON_TEXT_MAX);
	if (look->failed)
		fault_text(&look->fault, NULL, &text);
	else
		buf_addf(&text, "it does not tell its kinds");
	report = status_down(buf_cstr(&text));
	(void)show(cli, form, report);
	buf_deinit(&text);
	fault_deinit(&look->fault);
	return SEVERITY_CRITICAL;
}

int verb_status(struct cli *cli)
{
	bool exit_code = args_bool(&cli->args, FLAG_EXIT_CODE, false);
	struct look look = {.cli = cli};
	AUTO(auto_json) json_t *report = NULL;
	struct objects_form form;
	int rc;

	if (form_read(cli, &form) != 0)
		return EXIT_USAGE;
	if (form.form == FORM_NAME)
		return cli_usage(cli, "status knows -o json, yaml and jsonpath");
	if (cli->args.word_count > 0)
		return cli_usage(cli, "unexpected argument \"%s\"", cli->args.words[0]);
	report = report_of(&look, clock_wall());
	if (report == NULL)
		return tell_down(&look, &form, exit_code);
	fault_deinit(&look.fault);
	rc = show(cli, &form, report);
	return rc == EXIT_DONE && exit_code ? (int)status_severity(report) : rc;
}
