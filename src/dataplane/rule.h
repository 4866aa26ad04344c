/* dataplane/rule.h - rules of routes, and the matches that lead to them
 *
 * match.h looks them up.
 */
#ifndef DATAPLANE_RULE_H
#define DATAPLANE_RULE_H

#include "base/err.h"
#include "dataplane/filter_spec.h"
#include "dataplane/part.h"

struct backend;

struct rule_retry { /* HTTPRouteRetry */
	bool present;
	uint32_t attempts;     /* after the first one */
	int64_t backoff_ms;    /* 0: not said */
	const uint16_t *codes; /* of responses that are not the last word */
	size_t code_count;
};

struct rule { /* of one route */
	struct part part;
	struct str_view name; /* "default/shop/0" or the rule's name, for the access log */
	struct header_mods request_headers, response_headers;
	struct redirect redirect;
	struct rewrite rewrite;
	struct cors cors;
	size_t mirror_count;
	const struct mirror *mirrors;
	struct rule_retry retry;
	int64_t request_timeout_ms, backend_timeout_ms; /* 0: none */
	uint16_t fail_status; /* 500: an unknown filter; answered without looking at backends; 0:
				 fine */
	uint32_t weight_total;
	size_t backend_count;
	struct backend *const *backends; /* none: 500 (404 when the route has no backendRefs is not
					    the API's way) */
};

/* Copies like and takes references on its backends and mirrors; one owner, the caller. */
struct rule *rule_new(const struct rule *like);

/* ---- matches ---- */
enum path_match { MATCH_EXACT, MATCH_PREFIX, MATCH_REGEX };
enum value_match { VALUE_EXACT, VALUE_REGEX };

struct value_test {
	struct str_view name; /* header names: compared without case; first rule for a name wins */
	enum value_match type;
	struct str_view value;
	void *regex; /* of vhost_new: compiled (regex.h), or NULL */
};

struct match_spec { /* one HTTPRouteMatch or GRPCRouteMatch of one rule; borrowed views, copied by
		       vhost_new */
	enum path_match path_type;
	struct str_view path;
	struct str_view method;      /* empty: any */
	bool grpc;                   /* only requests of gRPC (http_is_grpc) */
	struct str_view grpc_method; /* the path ends with "/METHOD"; empty: any */
	const struct value_test *headers, *queries;
	size_t header_count, query_count;
	/* precedence after path, method, headers and queries: oldest route, then name, then order
	 * in it */
	int64_t route_created;     /* seconds */
	struct str_view route_key; /* "namespace/name" */
	uint32_t order;
	struct rule *rule; /* a reference is taken */
};

struct vhost; /* a part: the matches of one hostname of one listener, sorted by precedence (vhost.c)
	       */
struct part *vhost_part(struct vhost *vhost);
/* NULL: a regular expression does not compile (err names it). Owned by the caller (one owner). */
struct vhost *vhost_new(const struct match_spec *matches, size_t count, struct err *err);

#endif
