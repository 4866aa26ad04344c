/* http/chars.h - which byte may stand where (RFC 9110, section 5.6; RFC 3986, sections 2 and 3)
 *
 * One table for the whole room: every parser asks it, so no two of them can disagree.
 */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum char_class {
	CHAR_TOKEN = 1 << 0, /* tchar */
	CHAR_VALUE = 1 << 1, /* in a field value: VCHAR, obs-text, SP, HTAB */
	CHAR_PATH =
		1 << 2, /* raw in a path segment: pchar without '%', and [ ] { } | ^ ` (browsers) */
	CHAR_QUERY = 1 << 3, /* raw in a query: VCHAR but '#', '%' */
	CHAR_HOST = 1 << 4,  /* in a host name: letters, digits, - . _ ~ */
	CHAR_PLAIN = 1 << 5, /* unreserved: its escape is undone */
	CHAR_UPPER = 1 << 6, /* A to Z */
	CHAR_QDTEXT = 1 << 7 /* inside a quoted string, unescaped */
};

extern const uint8_t char_classes[256];

static inline bool char_is(char c, unsigned class_mask)
{
	return (char_classes[(unsigned char)c] & class_mask) != 0;
}

static inline char char_lower(char c)
{
	return char_is(c, CHAR_UPPER) ? (char)(c | 0x20) : c;
}

/* Does every byte of the view belong to the class? True for the empty view. */
bool chars_all(struct str_view view, enum char_class class_bit);

#endif
