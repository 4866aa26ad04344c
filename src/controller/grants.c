#include "controller/grants.h"

#include "base/own.h"

#include <stdio.h>

static bool is(const json_t *entry, const char *member, const char *text)
{
	return sv_eq(json_sv_at(entry, member), sv_from(text));
}

bool grant_permits(const json_t *grant, const struct grant_ask *ask)
{
	bool from_named = false;
	json_t *entry;
	size_t i;

	json_array_foreach(json_at(grant, "spec.from"), i, entry)
	{
		from_named = from_named || (is(entry, "group", ask->from_group) &&
					    is(entry, "kind", ask->from_kind) &&
					    is(entry, "namespace", ask->from_ns));
	}
	json_array_foreach(json_at(grant, "spec.to"), i, entry)
	{
		bool any_name = json_sv_at(entry, "name").len == 0;

		if (from_named && is(entry, "group", ask->to_group) &&
		    is(entry, "kind", ask->to_kind) &&
		    (any_name || is(entry, "name", ask->to_name)))
			return true;
	}
	return false;
}

struct search {
	const struct grant_ask *ask;
	bool found;
};

static bool look(void *arg, const struct object *grant)
{
	struct search *search = arg;

	search->found = grant_permits(grant->json, search->ask);
	return !search->found;
}

bool grants_permit(const struct store *store, const struct grant_ask *ask)
{
	struct search search = {.ask = ask};
	char prefix[512];

	if (strcmp(ask->from_ns, ask->to_ns) == 0)
		return true;
	snprintf(prefix, sizeof(prefix), "gateway.networking.k8s.io/referencegrants/%s/",
		 ask->to_ns);
	store_each(store, sv_from(prefix), look, &search);
	return search.found;
}
