/* loop/mailbox.h - messages into another thread's loop (one of the three files that lock) */
#ifndef LOOP_MAILBOX_H
#define LOOP_MAILBOX_H

#include "loop/loop.h"

struct mailbox;

/* Embedded in a message that its sender allocated; owned by the receiver once posted. */
struct mail {
	struct list link;
};

/* receive runs on the loop's thread, once per message, in posting order. */
struct mailbox *mailbox_new(struct loop *loop, void (*receive)(void *arg, struct mail *mail),
			    void *arg, struct err *err);
/* On the loop's thread; undelivered messages go to drop (may be NULL only if none can be left). */
void mailbox_free(struct mailbox *box, void (*drop)(void *arg, struct mail *mail));
void mailbox_post(struct mailbox *box, struct mail *mail); /* any thread */

#endif
