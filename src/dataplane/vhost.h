/* dataplane/vhost.h - the matches of one hostname, ready to be looked up; match.c and snapshot.c
 * only */
#ifndef DATAPLANE_VHOST_H
#define DATAPLANE_VHOST_H

#include "dataplane/snapshot.h"
#include "http/message.h"

/* The rule of the best match for path and the request's method, fields and query, or NULL. *prefix:
 * the path prefix that matched ("" for exact and regular expressions). */
struct rule *vhost_match(const struct vhost *vhost, const struct http_request *request,
			 struct str_view path, struct str_view *prefix);

/* The rule of its first match by precedence, whatever the request; NULL: there is none. */
struct rule *vhost_first(const struct vhost *vhost);

#endif
