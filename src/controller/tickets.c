#include "controller/tickets.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

bool tickets_rotate(struct tickets *tickets, int64_t now)
{
	struct ticket_key fresh = {.set = true};

	if (tickets->made != 0 && now - tickets->made < (int64_t)TICKET_ROTATE_S * 1000)
		return false;
	tickets->made = now != 0 ? now : 1;
	if (RAND_bytes(fresh.name, sizeof(fresh.name)) != 1 ||
	    RAND_priv_bytes(fresh.aes, sizeof(fresh.aes)) != 1 ||
	    RAND_priv_bytes(fresh.hmac, sizeof(fresh.hmac)) != 1)
		return false;
	memmove(&tickets->keys[1], &tickets->keys[0], (TICKET_KEYS - 1) * sizeof(tickets->keys[0]));
	tickets->keys[0] = fresh;
	OPENSSL_cleanse(&fresh, sizeof(fresh));
	return true;
}

void tickets_deinit(struct tickets *tickets)
{
	OPENSSL_cleanse(tickets, sizeof(*tickets));
}
