#include "acme/problem.h"

#include "acme/words.h"
#include "base/own.h"
#include "codec/json.h"

#include <string.h>

#define SUBPROBLEMS_SHOWN 8

static const struct { /* RFC 8555, section 6.7; RFC 9773, section 7.4; unknown types are permanent
		       */
	struct str_view type;
	enum acme_verdict verdict;
	bool of_request; /* as the answer to a request; false: the verdict holds inside objects as
			    well */
} verdicts[] = {
	{SV_INIT("badNonce"), ACME_VERDICT_NONCE, true},
	{SV_INIT("accountDoesNotExist"), ACME_VERDICT_ACCOUNT_GONE, true},
	{SV_INIT("rateLimited"), ACME_VERDICT_RATE_LIMITED, false},
	{SV_INIT("serverInternal"), ACME_VERDICT_RETRY, false},
	/* Validation failed: the same names may pass at the next attempt. */
	{SV_INIT("connection"), ACME_VERDICT_RETRY, false},
	{SV_INIT("dns"), ACME_VERDICT_RETRY, false},
	{SV_INIT("tls"), ACME_VERDICT_RETRY, false},
	{SV_INIT("incorrectResponse"), ACME_VERDICT_RETRY, false},
	/* To a request: the account may not; inside a challenge: the file was not the right one. */
	{SV_INIT("unauthorized"), ACME_VERDICT_PERMANENT, true},
};

static struct str_view member(const json_t *object, const char *key)
{
	const json_t *value = json_member(object, key);

	return json_is_string(value) ? sv_new(json_string_value(value), json_string_length(value))
				     : SV_NONE;
}

/* "rateLimited" of the urn, or the empty view for a type that is not ACME's. */
static struct str_view acme_type(struct str_view urn)
{
	static const struct str_view prefix = SV_INIT("urn:ietf:params:acme:error:");
	struct str_view type = sv_skip(urn, prefix.len);

	if (!sv_starts(urn, prefix) || type.len >= sizeof(((struct acme_problem *)NULL)->type))
		return SV_NONE;
	for (size_t i = 0; i < type.len; i++) {
		if (!ascii_is_alnum(type.data[i]))
			return SV_NONE;
	}
	return type;
}

static void add_subproblem(struct acme_problem *problem, const json_t *sub)
{
	char *out = problem->text;
	size_t size = sizeof(problem->text);
	struct str_view name = member(json_member(sub, "identifier"), "value");
	struct str_view type = acme_type(member(sub, "type"));

	words_add(out, size, SV("; "));
	if (name.len > 0) {
		words_add(out, size, sv_head(name, 255));
		words_add(out, size, SV(": "));
	}
	words_add(out, size, member(sub, "detail"));
	if (type.len > 0)
		words_addf(out, size, " (%.*s)", SV_ARG(type));
}

static void add_subproblems(struct acme_problem *problem, const json_t *list)
{
	size_t count = json_array_size(list);

	for (size_t i = 0; i < count && i < SUBPROBLEMS_SHOWN; i++)
		add_subproblem(problem, json_array_get(list, i));
	if (count > SUBPROBLEMS_SHOWN)
		words_addf(problem->text, sizeof(problem->text), "; and %zu more",
			   count - SUBPROBLEMS_SHOWN);
}

void acme_problem_parse(const json_t *body, long http_status, struct acme_problem *problem)
{
	struct str_view urn = member(body, "type");
	struct str_view type = acme_type(urn);
	struct str_view detail = member(body, "detail");

	*problem = (struct acme_problem){0};
	memcpy(problem->type, type.len == 0 ? "" : type.data, type.len);
	if (detail.len == 0)
		detail = member(body, "title");
	words_add(problem->text, sizeof(problem->text), detail);
	if (detail.len == 0 && http_status > 0)
		words_addf(problem->text, sizeof(problem->text), "HTTP status %ld without a reason",
			   http_status);
	else if (detail.len == 0 && json_is_object(body)) /* inside an object */
		words_addf(problem->text, sizeof(problem->text), "%s without a reason",
			   type.len == 0 ? "an error" : problem->type);
	if (type.len == 0 && urn.len > 0 && !sv_eq(urn, SV("about:blank"))) {
		words_add(problem->text, sizeof(problem->text), SV(" (type "));
		words_add(problem->text, sizeof(problem->text), sv_head(urn, 100));
		words_add(problem->text, sizeof(problem->text), SV(")"));
	}
	add_subproblems(problem, json_member(body, "subproblems"));
}

enum acme_verdict acme_problem_verdict(const struct acme_problem *problem, long http_status)
{
	struct str_view type = sv_from(problem->type);

	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		bool overridden = verdicts[i].verdict == ACME_VERDICT_PERMANENT &&
				  (http_status == 0 || http_status >= 500);

		if (sv_eq(verdicts[i].type, type) &&
		    !(verdicts[i].of_request && http_status == 0) && !overridden)
			return verdicts[i].verdict;
	}
	if (http_status == 429)
		return ACME_VERDICT_RATE_LIMITED;
	/* Without a type of ACME's it is not the CA that speaks but something in front of it. */
	if (http_status >= 500 || http_status == 408 || http_status == 425 || type.len == 0)
		return ACME_VERDICT_RETRY;
	if (sv_eq(type, SV("unauthorized")))
		return ACME_VERDICT_RETRY;
	return ACME_VERDICT_PERMANENT;
}
