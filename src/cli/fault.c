/* cli/fault.c - why a command failed, in kubectl's words */
#include "cli/fault.h"

#define BODY_SHOWN_MAX 500 /* bytes of an answer that is no Status */

void fault_init(struct fault *fault)
{
	*fault = (struct fault){.http = 0};
}

void fault_deinit(struct fault *fault)
{
	json_decref(fault->status);
	fault->status = NULL;
}

void fault_set_answer(struct fault *fault, long http, struct str_view body)
{
	json_decref(fault->status);
	fault->http = http;
	fault->status = json_parse(body, NULL);
	if (json_str_at(fault->status, "message") != NULL)
		return;
	json_decref(fault->status);
	fault->status = NULL;
	err_set(&fault->err, ERR_PROTOCOL, "the server answered %ld: %.*s", http,
		SV_ARG(sv_trim(sv_head(body, BODY_SHOWN_MAX))));
}

bool fault_is(const struct fault *fault, const char *reason)
{
	return sv_eq(json_sv_at(fault->status, "reason"), sv_from(reason));
}

static void add_cause(const json_t *cause, struct buf *out)
{
	struct str_view field = json_sv_at(cause, "field");

	if (field.len > 0)
		buf_addf(out, "%.*s: ", SV_ARG(field));
	buf_addf(out, "%.*s", SV_ARG(json_sv_at(cause, "message")));
}

/* All that is wrong with an object: one on the same line, more as a list. */
static void add_causes(const json_t *causes, struct buf *out)
{
	const json_t *cause;
	size_t i;

	if (json_array_size(causes) == 1) {
		buf_addf(out, ": ");
		add_cause(json_array_get(causes, 0), out);
		buf_addc(out, '\n');
		return;
	}
	buf_addf(out, ": \n");
	json_array_foreach(causes, i, cause)
	{
		buf_addf(out, "* ");
		add_cause(cause, out);
		buf_addc(out, '\n');
	}
}

static void add_invalid(const json_t *status, struct buf *out)
{
	struct str_view kind = json_sv_at(status, "details.kind");
	struct str_view name = json_sv_at(status, "details.name");
	const json_t *causes = json_at(status, "details.causes");

	if (kind.len > 0 || name.len > 0)
		buf_addf(out, "The %.*s \"%.*s\" is invalid", SV_ARG(kind), SV_ARG(name));
	else
		buf_addf(out, "The request is invalid");
	if (json_array_size(causes) > 0)
		add_causes(causes, out);
	else
		buf_addf(out, ": %.*s\n", SV_ARG(json_sv_at(status, "message")));
}

void fault_text(const struct fault *fault, const char *context, struct buf *out)
{
	const json_t *status = fault->status;
	struct str_view reason = json_sv_at(status, "reason");

	context = context == NULL ? "" : context;
	if (status == NULL)
		buf_addf(out, "error: %s%s\n", context, fault->err.msg);
	else if (sv_eq(reason, SV("Invalid")))
		add_invalid(status, out);
	else
		buf_addf(out, "Error from server%s%.*s%s: %s%.*s\n", reason.len > 0 ? " (" : "",
			 SV_ARG(reason), reason.len > 0 ? ")" : "", context,
			 SV_ARG(json_sv_at(status, "message")));
}
