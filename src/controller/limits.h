/* controller/limits.h - what a CA allows in a time: counted here, so that it need not say no; pure
 *
 * The limits are those that Let's Encrypt publishes: orders of an account, certificates for a
 * registered domain, duplicates of one set of names, failed validations of a name. What replaces
 * another certificate (RFC 9773) counts against none of them but the last. Seconds since the epoch;
 * the clock comes in as an argument.
 *
 * Where a registered domain begins is told without the public suffix list: two labels, or three
 * below country codes that register under "co", "com" and the like. A wrong guess makes a domain
 * wait, or lets the CA say it.
 */
#ifndef CONTROLLER_LIMITS_H
#define CONTROLLER_LIMITS_H

#include "base/err.h"
#include "base/str.h"
#include "codec/json.h"

#include <stdbool.h>
#include <stdint.h>

struct limit { /* count 0: there is none */
	unsigned count;
	int64_t window_s;
};

struct limits_rules {
	struct limit orders, domain, duplicates, failures;
};

#define LIMIT_COUNT_MAX 500 /* a larger count is none: nobody here comes near it */

/* Rules of the CA with that directory; note: the annotation "orders=300/3h,domain=50/168h,
 * duplicates=5/168h,failures=5/1h", "off", or NULL. -1 with a sentence: the note is no such text.
 */
int limits_rules_for(struct str_view directory, const char *note, struct limits_rules *rules,
		     struct err *err);

struct limits; /* what was counted */

struct limits *limits_new(void);
void limits_free(struct limits *limits);
json_t *limits_dump(struct limits *limits, int64_t now); /* what still counts */
void limits_load(struct limits *limits, const json_t *dump);

struct limits_names {
	const struct str_view *dns;
	size_t count;
	bool replaces; /* another certificate, by renewal information */
};

/* 0: an order for these names is within the rules; else when it is, and err says which rule. */
int64_t limits_wait(struct limits *limits, const struct limits_rules *rules,
		    const struct limits_names *names, int64_t now, struct err *err);

/* What has happened, to be counted: an order was made, a certificate issued, a name (of an
 * authorization) not validated. now: wall clock, seconds. */
void limits_ordered(struct limits *limits, const struct limits_names *names, int64_t now);
void limits_issued(struct limits *limits, const struct limits_names *names, int64_t now);
void limits_failed(struct limits *limits, struct str_view name, int64_t now);

#endif
