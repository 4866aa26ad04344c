/* cli/cli.c - one run of the command: the server asked, kinds learnt, errors told */
#include "cli/cli.h"

#include "base/own.h"

#include <stdarg.h>
#include <stdlib.h>

#define FAULT_TEXT_MAX (1u << 20)

/* ---- speaking ---- */

static __attribute__((format(printf, 2, 0))) void tell(struct cli *cli, const char *fmt,
						       va_list args)
{
	AUTO(auto_free) char *text = xvasprintf(fmt, args);

	out_styled(&cli->err, STYLE_BAD, SV("error:"));
	out_fmt(&cli->err, " %s\n", text);
}

int cli_error(struct cli *cli, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tell(cli, fmt, args);
	va_end(args);
	return EXIT_FAILED;
}

int cli_usage(struct cli *cli, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tell(cli, fmt, args);
	va_end(args);
	out_fmt(&cli->err, "See 'sallyport %s%s-h'.\n", cli->usage == NULL ? "" : cli->usage,
		cli->usage == NULL ? "" : " ");
	return EXIT_USAGE;
}

int cli_fault(struct cli *cli, struct fault *fault, const char *context)
{
	struct buf text;

	buf_init(&text, FAULT_TEXT_MAX);
	fault_text(fault, context, &text);
	out_text(&cli->err, buf_view(&text));
	buf_deinit(&text);
	fault_deinit(fault);
	return EXIT_FAILED;
}

static void on_warning(void *arg, struct str_view text)
{
	struct cli *cli = arg;

	out_styled(&cli->err, STYLE_WARN, SV("Warning:"));
	out_fmt(&cli->err, " %.*s\n", SV_ARG(text));
}

/* ---- asking ---- */

static struct client *client_of(struct cli *cli)
{
	if (cli->client == NULL)
		cli->client = client_new(cli->socket_path, on_warning, cli);
	return cli->client;
}

static int call(struct cli *cli, const struct client_request *request, struct client_answer *answer,
		struct fault *fault)
{
	fault_deinit(fault);
	fault_init(fault);
	if (client_call(client_of(cli), request, answer, &fault->err) < 0)
		return -1;
	if (answer->http >= 200 && answer->http <= 299)
		return 0;
	fault_set_answer(fault, answer->http, buf_view(&answer->body));
	return -1;
}

json_t *cli_ask(struct cli *cli, const struct client_request *request, struct fault *fault)
{
	struct client_answer answer;
	json_t *value = NULL;

	if (call(cli, request, &answer, fault) == 0)
		value = json_parse_answer(buf_view(&answer.body), &fault->err);
	buf_deinit(&answer.body);
	return value;
}

int cli_ask_text(struct cli *cli, const struct client_request *request, struct buf *text,
		 struct fault *fault)
{
	struct client_answer answer;
	int rc = call(cli, request, &answer, fault);

	if (rc == 0)
		buf_add(text, buf_view(&answer.body));
	buf_deinit(&answer.body);
	return rc;
}

json_t *cli_get(struct cli *cli, const char *path, struct fault *fault)
{
	return cli_ask(cli, &(struct client_request){.method = "GET", .path = path}, fault);
}

json_t *cli_send(struct cli *cli, const struct cli_body *what, struct fault *fault)
{
	AUTO(auto_free) char *text = json_text(what->body);
	struct client_request request = {.method = what->method,
					 .path = what->path,
					 .type = what->type,
					 .body = sv_from(text)};

	return cli_ask(cli, &request, fault);
}

/* ---- kinds ---- */

static int learn_group(struct cli *cli, const char *path, struct fault *fault)
{
	AUTO(auto_json) json_t *list = cli_get(cli, path, fault);

	if (list == NULL)
		return -1;
	kinds_add(&cli->kinds, list);
	return 0;
}

static int learn_groups(struct cli *cli, struct fault *fault)
{
	AUTO(auto_json) json_t *groups = cli_get(cli, "/apis", fault);
	const json_t *group, *version;
	size_t i, k;

	if (groups == NULL)
		return -1;
	json_array_foreach(json_member(groups, "groups"), i, group)
	{
		json_array_foreach(json_member(group, "versions"), k, version)
		{
			AUTO(auto_free)
			char *path = xasprintf("/apis/%.*s",
					       SV_ARG(json_sv_at(version, "groupVersion")));

			if (learn_group(cli, path, fault) < 0)
				return -1;
		}
	}
	return 0;
}

int cli_learn(struct cli *cli)
{
	struct fault fault;

	if (cli->kinds_known)
		return 0;
	fault_init(&fault);
	kinds_deinit(&cli->kinds);
	kinds_init(&cli->kinds);
	if (learn_group(cli, "/api/v1", &fault) < 0 || learn_groups(cli, &fault) < 0) {
		cli_fault(cli, &fault, NULL);
		kinds_deinit(&cli->kinds);
		return -1;
	}
	cli->kinds_known = true;
	return 0;
}

static void unknown_kind(struct cli *cli, struct str_view word)
{
	const char *meant = kinds_meant(&cli->kinds, word);
	AUTO(auto_free) char *hint = meant == NULL ? NULL : xasprintf("is \"%s\" meant?", meant);

	cli_error(cli, "the server doesn't have a resource type \"%.*s\" (%s)", SV_ARG(word),
		  hint != NULL ? hint : "sallyport api-resources lists them");
}

const struct kind_info *cli_kind(struct cli *cli, struct str_view word)
{
	const struct kind_info *kind;

	if (cli_learn(cli) < 0)
		return NULL;
	kind = kinds_by_word(&cli->kinds, word);
	if (kind == NULL)
		unknown_kind(cli, word);
	return kind;
}
