/* loop/mailbox.c - messages into another thread's loop: a locked list and an eventfd */
#include "loop/mailbox.h"

#include "base/own.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
	struct loop *loop;     /* borrowed */
	struct loop_fd wakeup; /* an eventfd; readable while mails wait */
	void (*receive)(void *arg, struct mail *mail);
	void *arg;
	bool delivering;

	struct { /* between threads */
		pthread_mutex_t lock;
		struct list mails;
	} shared;
};

/* All that wait, in posting order. */
static void take_mails(struct mailbox *box, struct list *mails)
{
	list_init(mails);
	pthread_mutex_lock(&box->shared.lock);
	while (!list_empty(&box->shared.mails)) {
		struct list *first = box->shared.mails.next;

		list_remove(first);
		list_append(mails, first);
	}
	pthread_mutex_unlock(&box->shared.lock);
}

static void deliver(struct loop_fd *self, unsigned events)
{
	struct mailbox *box = CONTAINER_OF(self, struct mailbox, wakeup);
	struct list mails;
	uint64_t count;
	ssize_t ignored = read(self->fd, &count, sizeof(count)); /* before the list is emptied */

	(void)ignored;
	(void)events;
	take_mails(box, &mails);
	box->delivering = true;
	while (!list_empty(&mails)) {
		struct mail *mail = LIST_ENTRY(mails.next, struct mail, link);

		list_remove(&mail->link);
		box->receive(box->arg, mail);
	}
	box->delivering = false;
}

struct mailbox *mailbox_new(struct loop *loop, void (*receive)(void *arg, struct mail *mail),
			    void *arg, struct err *err)
{
	struct mailbox *box;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0) {
		err_set(err, ERR_IO, "cannot create an event descriptor: %s", strerror(errno));
		return NULL;
	}
	box = xcalloc(1, sizeof(*box));
	box->loop = loop;
	box->wakeup = (struct loop_fd){.fd = fd, .ready = deliver};
	box->receive = receive;
	box->arg = arg;
	pthread_mutex_init(&box->shared.lock, NULL);
	list_init(&box->shared.mails);
	if (loop_add(loop, &box->wakeup, LOOP_READ, err) < 0) {
		mailbox_free(box, NULL);
		return NULL;
	}
	return box;
}

void mailbox_free(struct mailbox *box, void (*drop)(void *arg, struct mail *mail))
{
	struct list mails;

	if (box == NULL)
		return;
	assert(!box->delivering);
	loop_remove(box->loop, &box->wakeup);
	take_mails(box, &mails);
	while (!list_empty(&mails)) {
		struct mail *mail = LIST_ENTRY(mails.next, struct mail, link);

		assert(drop != NULL);
		list_remove(&mail->link);
		drop(box->arg, mail);
	}
	close(box->wakeup.fd);
	pthread_mutex_destroy(&box->shared.lock);
	free(box);
}

void mailbox_post(struct mailbox *box, struct mail *mail)
{
	static const uint64_t one = 1;
	bool first;

	pthread_mutex_lock(&box->shared.lock);
	first = list_empty(&box->shared.mails);
	list_append(&box->shared.mails, &mail->link);
	if (first) { /* under the lock: afterwards the receiver may have freed the box */
		ssize_t ignored = write(box->wakeup.fd, &one, sizeof(one));

		(void)ignored; /* only a full counter fails, and then the loop is awake */
	}
	pthread_mutex_unlock(&box->shared.lock);
}
