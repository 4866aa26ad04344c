/* dns01/dialogue.h - one DNS message to one server, and its answer: UDP, then TCP (RFC 1035,
 * section 4.2; RFC 7766)
 *
 * Over UDP the message is repeated, and whatever is no answer to it is passed over; a truncated
 * answer, silence and a closed port lead to TCP. Bounded in time and bytes.
 */
#ifndef DNS01_DIALOGUE_H
#define DNS01_DIALOGUE_H

#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"
#include "loop/sock.h"

struct dialogue;

struct dialogue_config {
	struct loop *loop;
	struct sock_addr server;
	struct str_view message; /* with its header; copied */
	bool tcp;                /* not by UDP */
	int64_t timeout_ms;      /* of the whole */
	/* Beyond id and direction: is this an answer to the message? false with a sentence. */
	bool (*is_answer)(void *arg, struct str_view answer, struct err *err);
	/* In a later turn, once. err->code is ERR_NONE: answer is one; else why there is none. The
	 * dialogue is gone when it runs. */
	void (*done)(void *arg, struct str_view answer, const struct err *err);
	void *arg;
};

struct dialogue *dialogue_start(const struct dialogue_config *config);
void dialogue_cancel(struct dialogue *dialogue); /* done is not called; NULL is fine */

#endif
