/* dataplane/filter_spec.h - filters of a rule, or of one of its backendRefs, as they are asked for
 * (Gateway API, HTTPRouteFilter); filter.h applies them
 */
#ifndef DATAPLANE_FILTER_SPEC_H
#define DATAPLANE_FILTER_SPEC_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct header_pair {
	struct str_view name, value;
};

struct header_mods { /* HTTPHeaderFilter: set, then add, then remove */
	const struct header_pair *set, *add;
	const struct str_view *remove;
	size_t set_count, add_count, remove_count;
};

enum path_change { PATH_KEEP, PATH_REPLACE_FULL, PATH_REPLACE_PREFIX };

struct redirect { /* HTTPRequestRedirectFilter; empty view / 0: as the request (Gateway API's rules)
		   */
	bool present;
	struct str_view scheme, hostname;
	uint16_t port; /* 0: well-known port of scheme when scheme is given, else the listener's */
	enum path_change path_change;
	struct str_view path;
	uint16_t status; /* 301 302 303 307 308 */
};

struct rewrite { /* HTTPURLRewriteFilter */
	bool present;
	struct str_view hostname;
	enum path_change path_change;
	struct str_view path;
};

struct cors { /* HTTPCORSFilter; of the lists, "*" stands alone */
	bool present, credentials;
	const struct str_view *origins, *methods, *headers, *expose;
	size_t origin_count, method_count, header_count, expose_count;
	uint32_t max_age; /* seconds */
};

struct mirror { /* HTTPRequestMirrorFilter: a share of the requests goes there too */
	struct backend *backend;
	uint32_t numerator, denominator; /* denominator 0: all */
};

#endif
