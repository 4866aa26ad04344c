#include "dataplane/hostindex.h"

#include "base/own.h"

#include <stdlib.h>

/* A wildcard is kept as its suffix with the dot (".example.com"), which no exact host can equal. */
struct slot {
	struct str_view key;
	void *value; /* NULL: free */
};

struct host_index {
	size_t mask;
	void *any;
	struct slot slots[];
};

enum walk_stage { WALK_SUFFIX, WALK_ANY, WALK_END };

static bool is_wildcard(struct str_view host)
{
	return host.len > 2 && host.data[0] == '*' && host.data[1] == '.';
}

static void put(struct host_index *index, struct str_view key, void *value)
{
	size_t at = sv_hash(key) & index->mask;

	while (index->slots[at].value != NULL)
		at = (at + 1) & index->mask;
	index->slots[at] = (struct slot){.key = key, .value = value};
}

static void *get(const struct host_index *index, struct str_view key)
{
	size_t at = sv_hash(key) & index->mask;

	while (index->slots[at].value != NULL && !sv_eq(index->slots[at].key, key))
		at = (at + 1) & index->mask;
	return index->slots[at].value;
}

struct host_index *host_index_new(const struct str_view *hosts, void *const *values, size_t count)
{
	size_t size = 4;
	struct host_index *index;

	while (size < count * 2)
		size *= 2;
	index = xcalloc(1, sizeof(*index) + size * sizeof(index->slots[0]));
	index->mask = size - 1;
	for (size_t i = 0; i < count; i++) {
		if (hosts[i].len == 0)
			index->any = values[i];
		else
			put(index, is_wildcard(hosts[i]) ? sv_skip(hosts[i], 1) : hosts[i],
			    values[i]);
	}
	return index;
}

void host_index_free(struct host_index *index)
{
	free(index);
}

void *host_index_first(const struct host_index *index, struct str_view host, struct host_walk *walk)
{
	void *value = NULL;

	*walk = (struct host_walk){.rest = host, .stage = WALK_SUFFIX};
	if (host.len > 0 && host.data[0] != '.')
		value = get(index, host);
	return value != NULL ? value : host_index_next(index, walk);
}

void *host_index_next(const struct host_index *index, struct host_walk *walk)
{
	while (walk->stage == WALK_SUFFIX) {
		size_t dot = sv_find(sv_skip(walk->rest, 1), '.');
		void *value;

		if (walk->rest.len < 2 || dot == SV_NOT_FOUND) {
			walk->stage = WALK_ANY;
			break;
		}
		walk->rest = sv_skip(walk->rest, dot + 1);
		value = get(index, walk->rest);
		if (value != NULL)
			return value;
	}
	if (walk->stage == WALK_ANY) {
		walk->stage = WALK_END;
		return index->any;
	}
	return NULL;
}
