#include "dataplane/pool.h"

#include "base/own.h"

#include <stdlib.h>

#define REST_MS_FIRST 1000
#define REST_MS_MAX   30000

void pool_init(struct pool *pool)
{
	map_init(&pool->endpoints);
}

void pool_deinit(struct pool *pool)
{
	map_deinit(&pool->endpoints, free);
}

static struct str_view key_of(const struct sock_addr *addr)
{
	return sv_new((const char *)&addr->u, addr->len);
}

static struct endpoint *pool_endpoint(struct pool *pool, const struct sock_addr *addr)
{
	struct endpoint *endpoint = map_get(&pool->endpoints, key_of(addr));

	if (endpoint == NULL) {
		endpoint = xcalloc(1, sizeof(*endpoint));
		endpoint->addr = *addr;
		list_init(&endpoint->idle);
		(void)map_put(&pool->endpoints, key_of(addr), endpoint);
	}
	return endpoint;
}

static bool better(const struct endpoint *a, const struct endpoint *b, int64_t now)
{
	bool a_down = a->down_until > now, b_down = b->down_until > now;

	if (a_down != b_down)
		return b_down;
	return a->active < b->active;
}

/* A rest that is over for one is over for all only by chance: look on from a random place for one
 * that is up. */
static struct endpoint *first_up(struct pool *pool, const struct backend *backend, size_t from,
				 int64_t now)
{
	for (size_t i = 0; i < backend->endpoint_count; i++) {
		struct endpoint *endpoint = pool_endpoint(
			pool, &backend->endpoints[(from + i) % backend->endpoint_count]);

		if (endpoint->down_until <= now)
			return endpoint;
	}
	return NULL;
}

struct endpoint *pool_choose(struct pool *pool, const struct backend *backend, uint64_t random,
			     int64_t now)
{
	size_t count = backend->endpoint_count;
	size_t first = (size_t)((random >> 32) % count),
	       second = (size_t)((random & 0xffffffffu) % count);
	struct endpoint *chosen = pool_endpoint(pool, &backend->endpoints[first]);
	struct endpoint *other;

	if (count > 1) {
		other = pool_endpoint(pool, &backend->endpoints[second]);
		if (better(other, chosen, now))
			chosen = other;
		other = chosen->down_until > now ? first_up(pool, backend, first, now) : NULL;
		if (other != NULL)
			chosen = other;
	}
	chosen->used = now;
	return chosen;
}

void pool_failed(struct endpoint *endpoint, int64_t now)
{
	int64_t rest = REST_MS_FIRST << (endpoint->failures < 5 ? endpoint->failures : 5);

	endpoint->failures++;
	endpoint->down_until = now + (rest < REST_MS_MAX ? rest : REST_MS_MAX);
}

void pool_worked(struct endpoint *endpoint)
{
	endpoint->failures = 0;
	endpoint->down_until = 0;
}

void pool_sweep(struct pool *pool, int64_t now, int64_t idle_ms)
{
	struct str_view key;
	void *value;

	for (size_t it = 0; map_next(&pool->endpoints, &it, &key, &value);) {
		struct endpoint *endpoint = value;

		if (endpoint->active == 0 && endpoint->idle_count == 0 &&
		    endpoint->used + idle_ms < now)
			free(map_remove(&pool->endpoints, key));
	}
}
