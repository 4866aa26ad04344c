/* loop/dns_cache.h - answers that may still be believed; bounded, the least recently used goes
 * first */
#ifndef LOOP_DNS_CACHE_H
#define LOOP_DNS_CACHE_H

#include "base/list.h"
#include "base/map.h"
#include "loop/dns.h"

#define DNS_CACHE_MAX 1024 /* names */

struct dns_cache {
	struct map names;   /* lower-case name -> struct dns_known */
	struct list recent; /* the most recently used last */
};

void dns_cache_init(struct dns_cache *cache);
void dns_cache_deinit(struct dns_cache *cache);
/* False: not known, or no longer. ttl_ms of the answer is what is left. name is lower-case. */
bool dns_cache_get(struct dns_cache *cache, struct str_view name, int64_t now,
		   struct dns_answer *answer);
void dns_cache_put(struct dns_cache *cache, struct str_view name, int64_t now,
		   const struct dns_answer *answer);

#endif
