/* base/utf8.h - characters of UTF-8 (RFC 3629, section 4) */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/str.h"

/* Bytes of the well-formed character at the front of text (not empty): 1 to 4; 0: there is none.
 * *code, which may be NULL, is its code point, or the first byte where there is none. */
size_t utf8_first(struct str_view text, uint32_t *code);

#endif
