#include "acme/nonce.h"

static bool is_base64url(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (!ascii_is_alnum(c) && c != '-' && c != '_')
			return false;
	}
	return text.len > 0;
}

static bool is_used(const struct nonce_pool *pool, struct str_view nonce)
{
	for (size_t i = 0; i < NONCE_USED_MAX; i++) {
		if (sv_eq(nonce, sv_from(pool->used[i])))
			return true;
	}
	return false;
}

bool nonce_put(struct nonce_pool *pool, struct str_view nonce)
{
	char *place = pool->nonces[pool->next];

	if (nonce.len > NONCE_LEN_MAX || !is_base64url(nonce) || is_used(pool, nonce))
		return false;
	memcpy(place, nonce.data, nonce.len);
	place[nonce.len] = '\0';
	pool->next = (pool->next + 1) % NONCE_POOL_MAX;
	if (pool->count < NONCE_POOL_MAX)
		pool->count++;
	return true;
}

bool nonce_take(struct nonce_pool *pool, char out[NONCE_LEN_MAX + 1])
{
	if (pool->count == 0)
		return false;
	pool->next = (pool->next + NONCE_POOL_MAX - 1) % NONCE_POOL_MAX;
	pool->count--;
	memcpy(out, pool->nonces[pool->next], NONCE_LEN_MAX + 1);
	memcpy(pool->used[pool->next_used], out, NONCE_LEN_MAX + 1);
	pool->next_used = (pool->next_used + 1) % NONCE_USED_MAX;
	return true;
}

void nonce_clear(struct nonce_pool *pool)
{
	pool->count = 0;
}
