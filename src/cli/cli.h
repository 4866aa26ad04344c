/* cli/cli.h - one run of the command: what was typed, whom it talks to, how it ends
 *
 * Verbs are rows (verb.h) and one file each; they get this, ask the server through cli_ask, speak
 * through out and err, and return how it ended.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/args.h"
#include "cli/client.h"
#include "cli/fault.h"
#include "cli/kinds.h"
#include "cli/out.h"

enum exit_code { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };

struct cli {
	struct args args;
	struct out out; /* data */
	struct out err; /* talk */
	const char *socket_path;
	const char *ns;    /* borrowed: -n, or "default" */
	bool ns_given;     /* -n was given */
	const char *usage; /* of the verb, for errors of usage */
	struct client *client;
	struct kinds kinds;
	bool kinds_known;
};

/* ---- asking the server ---- */

#define ACCEPT_TABLE                                                                        \
	"application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;" \
	"g=meta.k8s.io,application/json"

/* A new reference to the answer's value, or NULL with fault. */
json_t *cli_ask(struct cli *cli, const struct client_request *request, struct fault *fault);
/* The text of an answer, whatever it is. 0, or -1 with fault. text is initialised by the caller. */
int cli_ask_text(struct cli *cli, const struct client_request *request, struct buf *text,
		 struct fault *fault);
json_t *cli_get(struct cli *cli, const char *path, struct fault *fault);
/* A request with a body of JSON. */
struct cli_body {
	const char *method, *path;
	const char *type; /* NULL: application/json */
	const json_t *body;
};
json_t *cli_send(struct cli *cli, const struct cli_body *what, struct fault *fault);

/* ---- kinds (asked for at first use) ---- */

/* NULL: the error was printed. */
const struct kind_info *cli_kind(struct cli *cli, struct str_view word);
/* 0, or -1: the error was printed. */
int cli_learn(struct cli *cli);

/* ---- speaking; each returns the exit code that goes with it ---- */

int cli_usage(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int cli_error(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints the fault and releases it. context as in fault_text. */
int cli_fault(struct cli *cli, struct fault *fault, const char *context);

static inline int worse(int a, int b)
{
	return a > b ? a : b;
}

#endif
