/* dataplane/regex.h - regular expressions of routes (PCRE2): whole-value matches, bounded in time
 * and depth */
#ifndef DATAPLANE_REGEX_H
#define DATAPLANE_REGEX_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

#define REGEX_STEPS_MAX 100000 /* backtracking steps a match may take; more is no match */
#define REGEX_DEPTH_MAX 1000

struct regex;

/* The expression must match the whole value. NULL: err names what is wrong and where. */
struct regex *regex_new(struct str_view pattern, struct err *err);
void regex_free(struct regex *regex);                                 /* NULL is fine */
bool regex_matches(const struct regex *regex, struct str_view value); /* any thread */

#endif
