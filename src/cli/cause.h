/* cli/cause.h - why is the certificate not there? Causes, how each is recognised, what mends it
 *
 * One table (cause.c), used by describe; sallyport-troubleshooting(7) has it in words. Pure: what
 * conditions, orders, challenges and events say goes in, a row comes out. What a CA says is told by
 * its problem type (RFC 8555, section 6.7), which the daemon makes the reason; only where that
 * leaves several causes do words decide.
 */
#ifndef CLI_CAUSE_H
#define CLI_CAUSE_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define FINDINGS_MAX 64

/* One thing that was said about the certificate or what it depends on; borrowed texts. */
struct finding {
	struct str_view reason; /* of a condition or event: "Connection", "SelfCheckFailed" */
	struct str_view words;
};

struct findings {
	struct finding list[FINDINGS_MAX]; /* what is nearest to the failure first */
	size_t count;
};

/* More than FINDINGS_MAX are dropped, and so is one without words and reason. */
void findings_add(struct findings *findings, struct str_view reason, struct str_view words);

struct cause {
	const char *id; /* a word for tests and people: "firewall" */

	/* recognised by all of these that are set, in one finding */
	const char *reason;
	const char *words[2];
	const char *const *any; /* one of these is in the words, in any case; ended by NULL */
	bool ipv6;              /* an IPv6 address is in the words */
	/* and by these words of any other finding */
	const char *besides;

	const char *cause, *fix; /* sentences */
};

/* The first finding that a row fits decides; NULL: none does. *by: that finding. */
const struct cause *cause_of(const struct findings *findings, const struct finding **by);
/* All rows, for tests: *count of them. */
const struct cause *cause_rows(size_t *count);

#endif
