/* dataplane/hostindex.h - host name -> value, most specific first: exact, longest wildcard, any */
#ifndef DATAPLANE_HOSTINDEX_H
#define DATAPLANE_HOSTINDEX_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct host_index;

/* hosts are lower case: "a.example.com", "*.example.com" (any number of labels below), "" (any).
 * Views and values are borrowed and must outlive the index. values[i] may not be NULL. */
struct host_index *host_index_new(const struct str_view *hosts, void *const *values, size_t count);
void host_index_free(struct host_index *index);

struct host_walk { /* where the next less specific pattern is looked for */
	struct str_view rest;
	uint8_t stage;
};

/* Most specific value for host, then the less specific ones; NULL: no more. */
void *host_index_first(const struct host_index *index, struct str_view host,
		       struct host_walk *walk);
void *host_index_next(const struct host_index *index, struct host_walk *walk);

#endif
