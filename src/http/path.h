/* http/path.h - normalisation of paths; the rules stand in target.h (inside this room only) */
#ifndef HTTP_PATH_H
#define HTTP_PATH_H

#include "http/target.h"

/* text starts with '/'. Sets target->path and target->path_eager. */
bool path_normalise(struct str_view text, struct arena *arena, struct http_target *target,
		    struct http_bad *bad);

/* Characters and escapes of a query. */
bool query_ok(struct str_view query, struct http_bad *bad);

#endif
