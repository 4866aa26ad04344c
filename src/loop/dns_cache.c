/* loop/dns_cache.c - a map of answers with a list by use */
#include "loop/dns_cache.h"

#include "base/own.h"

#include <stdlib.h>

struct dns_known {
	struct list link; /* in recent */
	char *name;       /* owned */
	int64_t expires;  /* monotonic ms */
	enum dns_status status;
	bool a_failed, aaaa_failed;
	size_t count;
	struct sock_addr addrs[];
};

static void known_free(void *value)
{
	struct dns_known *known = value;

	if (known == NULL)
		return;
	list_remove(&known->link);
	free(known->name);
	free(known);
}

void dns_cache_init(struct dns_cache *cache)
{
	map_init(&cache->names);
	list_init(&cache->recent);
}

void dns_cache_deinit(struct dns_cache *cache)
{
	map_deinit(&cache->names, known_free);
}

bool dns_cache_get(struct dns_cache *cache, struct str_view name, int64_t now,
		   struct dns_answer *answer)
{
	struct dns_known *known = map_get(&cache->names, name);

	if (known == NULL)
		return false;
	if (known->expires <= now) {
		known_free(map_remove(&cache->names, name));
		return false;
	}
	list_remove(&known->link);
	list_append(&cache->recent, &known->link);
	answer->status = known->status;
	answer->ttl_ms = known->expires - now;
	answer->a_failed = known->a_failed;
	answer->aaaa_failed = known->aaaa_failed;
	answer->count = known->count;
	memcpy(answer->addrs, known->addrs, known->count * sizeof(known->addrs[0]));
	return true;
}

void dns_cache_put(struct dns_cache *cache, struct str_view name, int64_t now,
		   const struct dns_answer *answer)
{
	struct dns_known *known =
		xcalloc(1, sizeof(*known) + answer->count * sizeof(answer->addrs[0]));

	known->name = sv_dup(name);
	known->expires = now + answer->ttl_ms;
	known->status = answer->status;
	known->a_failed = answer->a_failed;
	known->aaaa_failed = answer->aaaa_failed;
	known->count = answer->count;
	memcpy(known->addrs, answer->addrs, answer->count * sizeof(answer->addrs[0]));
	known_free(map_put(&cache->names, name, known));
	list_append(&cache->recent, &known->link);
	if (cache->names.count > DNS_CACHE_MAX) {
		struct dns_known *oldest = LIST_ENTRY(cache->recent.next, struct dns_known, link);

		map_remove(&cache->names, sv_from(oldest->name));
		known_free(oldest);
	}
}
