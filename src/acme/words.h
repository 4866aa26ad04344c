/* acme/words.h - text of a server made fit for conditions and logs: no control bytes, cut; pure */
#ifndef ACME_WORDS_H
#define ACME_WORDS_H

#include "base/str.h"

#include <stddef.h>

/* Appends to the NUL-terminated text in out[size]. Control characters (C0, C1), line ends, marks
 * that turn the direction of writing and broken UTF-8 become '?' or a space; what does not fit ends
 * in "...". */
void words_add(char *out, size_t size, struct str_view text);
/* What a reader of an HTML page sees (RFC 9110 lets anything stand in an error's body): its text
 * without tags, white space collapsed. Text that is no page is added like any other. */
void words_add_page(char *out, size_t size, struct str_view page);
void words_addf(char *out, size_t size, const char *fmt, ...) /* of our own, or cleaned already */
	__attribute__((format(printf, 3, 4)));

#endif
