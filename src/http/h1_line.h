/* http/h1_line.h - one field line of a head or of a trailer section (inside this room only) */
#ifndef HTTP_H1_LINE_H
#define HTTP_H1_LINE_H

#include "http/field.h"
#include "http/target.h"

/* line: without its CRLF. The field is copied into the arena of fields. False: bad says why (400,
 * or 431 when the limit or the arena is full). */
bool h1_line_add(struct str_view line, struct fields *fields, struct http_bad *bad);

/* The same, but a field that may not be a trailer is only checked. */
bool h1_line_add_trailer(struct str_view line, struct fields *fields, struct http_bad *bad);

#endif
