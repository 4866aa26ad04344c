/* base/enc.h - bytes as text: base64 (RFC 4648, sections 4 and 5), hexadecimal, percent */
#ifndef BASE_ENC_H
#define BASE_ENC_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

bool enc_base64(struct buf *out, struct str_view bytes);    /* with padding; false: out is full */
bool enc_base64url(struct buf *out, struct str_view bytes); /* without padding (RFC 7515) */
bool enc_hex(struct buf *out, struct str_view bytes);       /* lower case */

/* Strict: no white space but with dec_base64, which skips line ends; padding must be right. */
bool dec_base64(struct buf *out, struct str_view text);
bool dec_base64url(struct buf *out, struct str_view text); /* refuses padding */

/* Percent-encoding for one query value or path segment (RFC 3986, unreserved stays). */
bool enc_percent(struct buf *out, struct str_view bytes);
bool dec_percent(struct buf *out, struct str_view text); /* refuses %00 and broken escapes */

int hex_digit(char c); /* 0..15, or -1 */

#endif
