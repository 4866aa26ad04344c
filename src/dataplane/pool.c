#include "dataplane/pool.h"

#include "base/own.h"
#include "dataplane/up_tls.h"

#include <stdlib.h>

#define REST_MS_FIRST 1000
#define REST_MS_MAX   30000
#define TROUBLES_MAX  5 /* in a row */
#define OUT_MS_FIRST  5000
#define OUT_MS_MAX    60000
#define FORGIVE_MS    3600000 /* without an ejection */

void pool_init(struct pool *pool)
{
	map_init(&pool->endpoints);
}

static void endpoint_free(void *value)
{
	struct endpoint *endpoint = value;

	up_peer_free(endpoint->peer);
	free(endpoint);
}

void pool_deinit(struct pool *pool)
{
	map_deinit(&pool->endpoints, endpoint_free);
}

#define KEY_MAX  (1 + 2 * sizeof(uint64_t) + sizeof(struct sockaddr_un))
#define KEY_MARK 0x80 /* an address by itself begins with its family, which is less */

/* Connections are shared by those that would make the same ones: address, protocol, and with TLS
 * whom it trusts and which certificate it shows. */
static struct str_view key_of(const struct sock_addr *addr, const struct backend *backend,
			      const struct pool_wish *wish, char out[KEY_MAX])
{
	uint64_t ids[2] = {backend->tls == NULL ? 0 : backend->tls->id,
			   wish->client_cert == NULL ? 0 : wish->client_cert->id};

	if (wish->way == WAY_H1)
		return sv_new((const char *)&addr->u, addr->len);
	out[0] = (char)(KEY_MARK | wish->way);
	memcpy(out + 1, ids, sizeof(ids));
	memcpy(out + 1 + sizeof(ids), &addr->u, addr->len);
	return sv_new(out, 1 + sizeof(ids) + addr->len);
}

static struct endpoint *pool_endpoint(struct pool *pool, const struct backend *backend,
				      size_t index, const struct pool_wish *wish)
{
	const struct sock_addr *addr = &backend->endpoints[index];
	char text[KEY_MAX];
	struct str_view key = key_of(addr, backend, wish, text);
	struct endpoint *endpoint = map_get(&pool->endpoints, key);

	if (endpoint == NULL) {
		endpoint = xcalloc(1, sizeof(*endpoint));
		endpoint->addr = *addr;
		endpoint->way = wish->way;
		endpoint->id = ++pool->last_id;
		endpoint->pool = pool;
		list_init(&endpoint->idle);
		list_init(&endpoint->sessions);
		list_init(&endpoint->dials);
		(void)map_put(&pool->endpoints, key, endpoint);
	}
	return endpoint;
}

static bool rests(const struct endpoint *endpoint, int64_t now)
{
	return endpoint->down_until > now || endpoint->out_until > now;
}

/* Rested, failed just now for this request, busy: in this order of reluctance. */
static bool better(const struct endpoint *a, const struct endpoint *b, const struct pool_wish *wish)
{
	bool a_down = rests(a, wish->now), b_down = rests(b, wish->now);

	if ((a->id == wish->avoid) != (b->id == wish->avoid))
		return b->id == wish->avoid;
	if (a_down != b_down)
		return b_down;
	return a->active < b->active;
}

static bool unwelcome(const struct endpoint *endpoint, const struct pool_wish *wish)
{
	return rests(endpoint, wish->now) || endpoint->id == wish->avoid;
}

/* A rest that is over for one is over for all only by chance: look on from a random place for one
 * that is up. */
static struct endpoint *first_up(struct pool *pool, const struct backend *backend, size_t from,
				 const struct pool_wish *wish)
{
	for (size_t i = 0; i < backend->endpoint_count; i++) {
		struct endpoint *endpoint =
			pool_endpoint(pool, backend, (from + i) % backend->endpoint_count, wish);

		if (!unwelcome(endpoint, wish))
			return endpoint;
	}
	return NULL;
}

struct endpoint *pool_choose(struct pool *pool, const struct backend *backend,
			     const struct pool_wish *wish)
{
	size_t count = backend->endpoint_count;
	size_t first = (size_t)((wish->random >> 32) % count),
	       second = (size_t)((wish->random & 0xffffffffu) % count);
	struct endpoint *chosen = pool_endpoint(pool, backend, first, wish);
	struct endpoint *other;

	if (count > 1) {
		other = pool_endpoint(pool, backend, second, wish);
		if (better(other, chosen, wish))
			chosen = other;
		other = unwelcome(chosen, wish) ? first_up(pool, backend, first, wish) : NULL;
		if (other != NULL)
			chosen = other;
	}
	chosen->used = wish->now;
	return chosen;
}

static void count_ejection(struct endpoint *endpoint)
{
	if (endpoint->pool->ejections != NULL)
		metric_add(endpoint->pool->ejections, 1);
}

void pool_failed(struct endpoint *endpoint, int64_t now)
{
	int64_t rest = REST_MS_FIRST << (endpoint->failures < 5 ? endpoint->failures : 5);

	if (!rests(endpoint, now))
		count_ejection(endpoint);
	endpoint->failures++;
	endpoint->down_until = now + (rest < REST_MS_MAX ? rest : REST_MS_MAX);
}

void pool_worked(struct endpoint *endpoint)
{
	endpoint->failures = 0;
	endpoint->down_until = 0;
}

void pool_answered(struct endpoint *endpoint, int status, int64_t now)
{
	int64_t rest;

	if (status < 502 || status > 504) {
		endpoint->troubles = 0;
		return;
	}
	if (++endpoint->troubles < TROUBLES_MAX)
		return;
	endpoint->troubles = 0;
	if (endpoint->out_until > now) /* these were under way when it was sent to rest */
		return;
	if (endpoint->out_until + FORGIVE_MS < now)
		endpoint->ejections = 0;
	rest = OUT_MS_FIRST << (endpoint->ejections < 5 ? endpoint->ejections : 5);
	endpoint->ejections++;
	if (!rests(endpoint, now))
		count_ejection(endpoint);
	endpoint->out_until = now + (rest < OUT_MS_MAX ? rest : OUT_MS_MAX);
}

void pool_sweep(struct pool *pool, int64_t now, int64_t idle_ms)
{
	struct str_view key;
	void *value;

	for (size_t it = 0; map_next(&pool->endpoints, &it, &key, &value);) {
		struct endpoint *endpoint = value;

		if (endpoint->active == 0 && endpoint->idle_count == 0 && endpoint->lines == 0 &&
		    endpoint->used + idle_ms < now)
			endpoint_free(map_remove(&pool->endpoints, key));
	}
}
