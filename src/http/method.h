/* http/method.h - request methods and status codes as words (RFC 9110, sections 9 and 15) */
#ifndef HTTP_METHOD_H
#define HTTP_METHOD_H

#include "base/str.h"

#include <stdbool.h>

#define HTTP_METHODS(X) \
	X(GET) X(HEAD) X(POST) X(PUT) X(DELETE) X(CONNECT) X(OPTIONS) X(TRACE) X(PATCH)

enum http_method {
	METHOD_OTHER, /* a token that is none of the below; methods are case-sensitive */
#define X(name) METHOD_##name,
	HTTP_METHODS(X) METHOD_COUNT
#undef X
};

enum http_method http_method_parse(struct str_view text);
struct str_view http_method_text(enum http_method method); /* METHOD_OTHER: "" */

/* RFC 9110, section 9.2: what a proxy may repeat by itself when the first try was lost. */
bool http_method_idempotent(enum http_method method);

/* Reason phrase of our own table ("Not Found"), "" for a code that it does not know. */
struct str_view http_reason(int status);

#endif
