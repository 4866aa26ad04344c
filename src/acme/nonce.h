/* acme/nonce.h - anti-replay nonces of one CA (RFC 8555, section 6.5): each is used once; pure */
#ifndef ACME_NONCE_H
#define ACME_NONCE_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define NONCE_POOL_MAX 32
#define NONCE_LEN_MAX  256
#define NONCE_USED_MAX 8

/* A ring: the newest is taken first (the oldest may have expired at the CA) and the oldest is
 * dropped. */
struct nonce_pool {
	size_t count;
	size_t next; /* where the next one goes */
	char nonces[NONCE_POOL_MAX][NONCE_LEN_MAX + 1];
	size_t next_used;
	char used[NONCE_USED_MAX][NONCE_LEN_MAX + 1]; /* taken last */
};

/* false: empty, too long, outside base64url, or taken a moment ago (a CA that hands a nonce out
 * twice would only refuse it), and not kept. */
bool nonce_put(struct nonce_pool *pool, struct str_view nonce);
bool nonce_take(struct nonce_pool *pool, char out[NONCE_LEN_MAX + 1]); /* false: none left */
void nonce_clear(struct nonce_pool *pool);

#endif
