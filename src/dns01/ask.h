/* dns01/ask.h - one DNS question of any type to given servers, one after another until one answers
 *
 * Names to addresses are asked of loop/dns.h; this is for what no resolver library is asked for:
 * SOA, NS, CNAME and TXT, of recursors and of a zone's own servers.
 */
#ifndef DNS01_ASK_H
#define DNS01_ASK_H

#include "base/err.h"
#include "dns01/message.h"
#include "loop/loop.h"
#include "loop/sock.h"

#define ASK_SERVERS_MAX 16

struct ask;

/* err->code ERR_NONE: message is an answer to the question that can be read to its end, whatever
 * its rcode. Borrowed for the call; the ask is gone when it runs. */
typedef void ask_done_fn(void *arg, struct dns_message *message, const struct err *err);

struct ask_config {
	struct loop *loop;
	const struct sock_addr *servers; /* copied; the next one when one fails or refuses */
	size_t count;                    /* 1..ASK_SERVERS_MAX */
	bool recursion;                  /* wanted of them */
	const char *name;                /* text */
	uint16_t type;
	int64_t timeout_ms; /* for each server */
	ask_done_fn *done;  /* in a later turn, once */
	void *arg;
};

struct ask *ask_start(const struct ask_config *config);
void ask_cancel(struct ask *ask); /* done is not called; NULL is fine */

#endif
