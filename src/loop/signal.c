/* loop/signal.c - signals as events of a loop */
#include "loop/signal.h"

#include "base/own.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct signals {
	struct loop *loop; /* borrowed */
	struct loop_fd watch;
	void (*caught)(void *arg, int number);
	void *arg;
};

/* One signal a call; the loop reports the next. So caught may free the signals. */
static void read_signal(struct loop_fd *self, unsigned events)
{
	struct signals *signals = CONTAINER_OF(self, struct signals, watch);
	struct signalfd_siginfo info;

	(void)events;
	if (read(self->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		signals->caught(signals->arg, (int)info.ssi_signo);
}

/* a callback and its argument count as two: NOLINTNEXTLINE(readability-function-size) */
struct signals *signals_new(struct loop *loop, const int *numbers, size_t count,
			    void (*caught)(void *arg, int number), void *arg, struct err *err)
{
	struct signals *signals;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < count; i++)
		sigaddset(&set, numbers[i]);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0) {
		err_set(err, ERR_IO, "cannot create a signal descriptor: %s", strerror(errno));
		return NULL;
	}
	signals = xcalloc(1, sizeof(*signals));
	signals->loop = loop;
	signals->watch = (struct loop_fd){.fd = fd, .ready = read_signal};
	signals->caught = caught;
	signals->arg = arg;
	if (loop_add(loop, &signals->watch, LOOP_READ, err) < 0) {
		signals_free(signals);
		return NULL;
	}
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signals;
}

void signals_free(struct signals *signals)
{
	if (signals == NULL)
		return;
	loop_remove(signals->loop, &signals->watch);
	close(signals->watch.fd);
	free(signals);
}
