/* acme/problem.h - problem documents (RFC 7807, RFC 8555 section 6.7), and what follows from them
 *
 * Pure. Texts of the server are cleaned and cut, fit for conditions and logs.
 */
#ifndef ACME_PROBLEM_H
#define ACME_PROBLEM_H

#include "base/buf.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

enum acme_verdict {
	ACME_VERDICT_RETRY,
	ACME_VERDICT_PERMANENT,
	ACME_VERDICT_NONCE,
	ACME_VERDICT_ACCOUNT_GONE,
	ACME_VERDICT_RATE_LIMITED
};

struct acme_problem {
	char type[64];  /* "rateLimited" without urn:ietf:params:acme:error: ; "" when not ACME's */
	char text[900]; /* detail and subproblems, escaped and cut; fit for a condition's message */
};

/* Any value, NULL included. http_status 0: the error member of an order, authorization or
 * challenge. */
void acme_problem_parse(const json_t *body, long http_status, struct acme_problem *problem);

/* With http_status 0 (errors inside objects): RETRY means that a later attempt may succeed
 * (validation failed), PERMANENT that the same names will fail again until something is changed. */
enum acme_verdict acme_problem_verdict(const struct acme_problem *problem, long http_status);

#endif
