/* dataplane/worker.c - a worker's thread: turns, snapshots, lent memory, the end */
#include "dataplane/worker_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "dataplane/conn_io.h"
#include "dataplane/listener.h"
#include "dataplane/mirror.h"
#include "dataplane/tls.h"
#include "dataplane/udp.h"
#include "dataplane/upstream.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BUFFERS_KEPT    128 /* lent memory kept for reuse: 4 MiB */
#define ACCEPT_REST_MS  100 /* without descriptors: until accept is tried again */
#define TOKENS_A_SECOND 5   /* challenge fetches reported */
#define TOKEN_MAX       1024
#define LOG_EVERY_MS    10000 /* "out of descriptors" is said this often */

struct deferred_free {
	void (*release)(void *object);
	void *object;
};

struct worker_internals {
	struct worker *worker;
	pthread_t thread;
	bool started;
	struct mailbox *mailbox;
	struct mailbox *plane; /* borrowed */
	struct loop_hook hook;

	struct list acceptors;
	struct list arrived; /* snapshot mails, applied when the turn ends */
	bool stopping, drain_asked, drained_told;
	struct timer drain_timer;

	int spare_fd; /* given up for a moment when descriptors run out, to refuse instead of spin
		       */
	bool paused;
	struct timer pause_timer;
	int64_t pause_logged_ms;

	char *kept[BUFFERS_KEPT];
	size_t kept_count;
	struct deferred_free *frees;
	size_t free_count, free_size;

	int64_t date_until_ms;
	int64_t token_second_ms;
	unsigned tokens_told;
};

/* ---- lent memory ---- */

char *worker_buffer_take(struct worker *worker)
{
	struct worker_internals *in = worker->internals;

	return in->kept_count > 0 ? in->kept[--in->kept_count] : xmalloc(WORKER_BUFFER_SIZE);
}

void worker_buffer_give(struct worker *worker, char *buffer)
{
	struct worker_internals *in = worker->internals;

	if (buffer != NULL && in->kept_count < BUFFERS_KEPT)
		in->kept[in->kept_count++] = buffer;
	else
		free(buffer);
}

void worker_free_later(struct worker *worker, void (*release)(void *object), void *object)
{
	struct worker_internals *in = worker->internals;

	if (in->free_count == in->free_size) {
		in->free_size = in->free_size == 0 ? 64 : in->free_size * 2;
		in->frees = xrealloc(in->frees, in->free_size * sizeof(*in->frees));
	}
	in->frees[in->free_count++] = (struct deferred_free){.release = release, .object = object};
}

/* A release may defer others. */
static void run_frees(struct worker_internals *in)
{
	for (size_t i = 0; i < in->free_count; i++) {
		struct deferred_free one = in->frees[i];

		one.release(one.object);
	}
	in->free_count = 0;
}

/* ---- to the control thread ---- */

static void tell(struct worker *worker, enum plane_mail_kind kind, struct str_view token)
{
	struct plane_mail *mail = xcalloc(1, sizeof(*mail) + token.len);

	mail->kind = kind;
	mail->worker = worker->index;
	mail->token_len = token.len;
	if (token.len > 0)
		memcpy(mail->token, token.data, token.len);
	if (worker->snapshot != NULL)
		mail->generation = mail->oldest = worker->snapshot->generation;
	LIST_EACH(&worker->internals->acceptors, node)
	{
		const struct acceptor *acceptor = LIST_ENTRY(node, struct acceptor, link);

		if (acceptor->held != NULL && acceptor->held->generation < mail->oldest)
			mail->oldest = acceptor->held->generation;
	}
	mailbox_post(worker->internals->plane, &mail->mail);
}

void worker_released(struct worker *worker)
{
	tell(worker, TO_PLANE_RUNS, SV(""));
}

void worker_conn_gone(struct worker *worker)
{
	struct worker_internals *in = worker->internals;

	if (!worker->draining || worker->conn_count > 0 || in->drained_told)
		return;
	in->drained_told = true;
	tell(worker, TO_PLANE_DRAINED, SV(""));
}

void worker_challenge_fetched(struct worker *worker, struct str_view token)
{
	struct worker_internals *in = worker->internals;
	int64_t now = loop_now(worker->loop);

	if (now >= in->token_second_ms + 1000) {
		in->token_second_ms = now;
		in->tokens_told = 0;
	}
	if (in->tokens_told >= TOKENS_A_SECOND || token.len > TOKEN_MAX)
		return;
	in->tokens_told++;
	tell(worker, TO_PLANE_CHALLENGE, token);
}

/* ---- connections ---- */

void worker_drain_conns(struct worker *worker, const struct acceptor *of)
{
	LIST_EACH(&worker->conns, node)
	{
		struct conn *conn = LIST_ENTRY(node, struct conn, link);

		if (of == NULL || conn->acceptor == of)
			conn_drain(conn);
	}
}

void worker_destroy_conns(struct worker *worker, const struct acceptor *of)
{
	LIST_EACH(&worker->conns, node)
	{
		struct conn *conn = LIST_ENTRY(node, struct conn, link);

		if (of == NULL || conn->acceptor == of)
			conn_destroy(conn);
	}
}

static void settle_touched(struct task *self)
{
	conn_settle_all(CONTAINER_OF(self, struct worker, settle));
}

static void pause_acceptors(struct worker_internals *in, bool pause)
{
	in->paused = pause;
	LIST_EACH(&in->acceptors, node)
	acceptor_pause(LIST_ENTRY(node, struct acceptor, link), pause);
}

static void pause_over(struct timer *self)
{
	struct worker_internals *in = CONTAINER_OF(self, struct worker_internals, pause_timer);

	if (in->spare_fd < 0)
		in->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pause_acceptors(in, false);
}

/* One waiting client of each socket is told at once (closed) instead of being left to its time-out.
 */
static void shed(struct worker_internals *in)
{
	LIST_EACH(&in->acceptors, node)
	{
		struct acceptor *acceptor = LIST_ENTRY(node, struct acceptor, link);
		int fd;

		if (!acceptor->open || acceptor->udp != NULL || in->spare_fd < 0)
			continue;
		close(in->spare_fd);
		fd = sock_accept(acceptor->watch.fd, &(struct sock_addr){0});
		if (fd >= 0) {
			close(fd);
			metric_add(&in->worker->metrics.refused_connections, 1);
		}
		in->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
}

void worker_accept_pause(struct worker *worker, int error)
{
	struct worker_internals *in = worker->internals;
	int64_t now = loop_now(worker->loop);

	if (in->paused)
		return;
	if (in->pause_logged_ms == 0 || now - in->pause_logged_ms >= LOG_EVERY_MS) {
		in->pause_logged_ms = now;
		log_warn("listener", "cannot accept more connections now: %s", strerror(error));
	}
	if (error == EMFILE || error == ENFILE)
		shed(in);
	pause_acceptors(in, true);
	timer_in(worker->loop, &in->pause_timer, ACCEPT_REST_MS);
}

/* ---- snapshots: swapped between two turns ---- */

static const struct snap_port *find_port(const struct snapshot *snapshot,
					 const struct binding *binding)
{
	for (size_t i = 0; i < snapshot->port_count; i++) {
		if (snapshot->ports[i].binding == binding)
			return &snapshot->ports[i];
	}
	return NULL;
}

static struct acceptor *find_acceptor(struct worker_internals *in, const struct binding *binding)
{
	LIST_EACH(&in->acceptors, node)
	{
		struct acceptor *acceptor = LIST_ENTRY(node, struct acceptor, link);

		if (acceptor->binding == binding && acceptor->held == NULL)
			return acceptor;
	}
	return NULL;
}

static void open_port(struct worker_internals *in, const struct snap_port *port)
{
	struct acceptor *acceptor = find_acceptor(in, port->binding);

	if (acceptor != NULL) {
		acceptor->port = port;
		return;
	}
	acceptor = acceptor_new(in->worker, port->binding, port);
	list_append(&in->acceptors, &acceptor->link);
	if (in->worker->draining)
		acceptor_close(acceptor);
	else if (in->paused)
		acceptor_pause(acceptor, true);
}

static void swap_snapshot(struct worker_internals *in, const struct snapshot *snapshot)
{
	struct worker *worker = in->worker;
	const struct snapshot *old = worker->snapshot;

	LIST_EACH(&in->acceptors, node)
	{
		struct acceptor *acceptor = LIST_ENTRY(node, struct acceptor, link);

		if (acceptor->held == NULL && find_port(snapshot, acceptor->binding) == NULL)
			acceptor_retire(acceptor, old);
	}
	worker->snapshot = snapshot;
	for (size_t i = 0; i < snapshot->port_count; i++)
		open_port(in, &snapshot->ports[i]);
	worker_released(worker);
}

static void apply_arrived(struct worker_internals *in)
{
	while (!list_empty(&in->arrived)) {
		struct worker_mail *mail =
			CONTAINER_OF(in->arrived.next, struct worker_mail, mail.link);

		list_remove(&mail->mail.link);
		swap_snapshot(in, mail->snapshot);
		free(mail);
	}
}

/* ---- drain and stop ---- */

static void drain_over(struct timer *self)
{
	struct worker_internals *in = CONTAINER_OF(self, struct worker_internals, drain_timer);

	worker_destroy_conns(in->worker, NULL);
}

static void drain(struct worker_internals *in)
{
	struct worker *worker = in->worker;

	if (worker->draining)
		return;
	LIST_EACH(&in->acceptors, node)
	acceptor_close(LIST_ENTRY(node, struct acceptor, link));
	worker->draining = true;
	timer_in(worker->loop, &in->drain_timer, worker->config->limits.drain_ms);
	worker_drain_conns(worker, NULL);
	worker_conn_gone(worker);
}

static void stop(struct worker_internals *in)
{
	in->stopping = true;
	worker_destroy_conns(in->worker, NULL);
	loop_stop(in->worker->loop);
}

static void turn_end(struct loop_hook *self)
{
	struct worker_internals *in = CONTAINER_OF(self, struct worker_internals, hook);

	apply_arrived(in);
	if (in->drain_asked && !in->stopping)
		drain(in);
	run_frees(in);
}

static void receive(void *arg, struct mail *mail)
{
	struct worker_internals *in = arg;
	struct worker_mail *message = CONTAINER_OF(mail, struct worker_mail, mail);

	switch (message->kind) {
	case TO_WORKER_SNAPSHOT:
		list_append(&in->arrived, &mail->link);
		return;
	case TO_WORKER_DRAIN:
		in->drain_asked = true; /* behind the snapshots that came before it */
		break;
	case TO_WORKER_ACCESS:
		access_reopen(in->worker->access, message->fd);
		break;
	case TO_WORKER_STOP:
		stop(in);
		break;
	}
	free(message);
}

/* ---- time ---- */

struct str_view worker_date(struct worker *worker)
{
	struct worker_internals *in = worker->internals;
	int64_t now = loop_now(worker->loop);

	if (now >= in->date_until_ms) {
		int64_t wall_us = clock_wall_us();

		clock_http_date(wall_us / 1000000, worker->date);
		in->date_until_ms = now + 1000 - wall_us / 1000 % 1000;
	}
	return sv_from(worker->date);
}

/* ---- birth and death ---- */

static struct worker *worker_alloc(const struct worker_birth *birth)
{
	struct worker *worker = xcalloc(1, sizeof(*worker));
	struct worker_internals *in = xcalloc(1, sizeof(*in));

	worker->internals = in;
	worker->config = birth->config;
	worker->index = birth->index;
	worker->h1 = birth->h1;
	worker->h2 = birth->h2;
	list_init(&worker->conns);
	list_init(&worker->touched);
	task_init(&worker->settle, settle_touched);
	in->worker = worker;
	in->plane = birth->plane;
	in->hook.turn_end = turn_end;
	in->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	list_init(&in->acceptors);
	list_init(&in->arrived);
	timer_init(&in->drain_timer, drain_over);
	timer_init(&in->pause_timer, pause_over);
	return worker;
}

struct worker *worker_new(const struct worker_birth *birth, struct err *err)
{
	struct worker *worker = worker_alloc(birth);
	struct worker_internals *in = worker->internals;

	worker->loop = loop_new(err);
	if (worker->loop != NULL)
		in->mailbox = mailbox_new(worker->loop, receive, in, err);
	if (in->mailbox != NULL)
		worker->tls = tls_server_new(err);
	if (worker->tls == NULL) {
		if (birth->access_fd >= 0)
			close(birth->access_fd);
		worker_free(worker);
		return NULL;
	}
	loop_hook_add(worker->loop, &in->hook);
	worker->access = access_new(worker->loop, birth->access_fd, birth->config->access_json,
				    &worker->metrics.access_dropped);
	worker->upstreams = upstreams_new(worker);
	return worker;
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;

	loop_run(worker->loop);
	return NULL;
}

/* Signals are the control thread's. */
int worker_start(struct worker *worker, struct err *err)
{
	struct worker_internals *in = worker->internals;
	sigset_t all, before;
	char name[16];
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&in->thread, NULL, worker_main, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0)
		return err_set(err, ERR_IO, "cannot start a worker thread: %s", strerror(failed));
	in->started = true;
	snprintf(name, sizeof(name), "worker/%u", worker->index);
	pthread_setname_np(in->thread, name);
	return 0;
}

void worker_post(struct worker *worker, struct worker_mail *mail)
{
	mailbox_post(worker->internals->mailbox, &mail->mail);
}

static void drop_mail(void *arg, struct mail *mail)
{
	struct worker_mail *message = CONTAINER_OF(mail, struct worker_mail, mail);

	(void)arg;
	if (message->kind == TO_WORKER_ACCESS && message->fd >= 0)
		close(message->fd);
	free(message);
}

static void drop_arrived(struct worker_internals *in)
{
	while (!list_empty(&in->arrived)) {
		struct list *first = in->arrived.next;

		list_remove(first);
		drop_mail(NULL, CONTAINER_OF(first, struct mail, link));
	}
}

static void worker_close_parts(struct worker *worker)
{
	struct worker_internals *in = worker->internals;

	worker_destroy_conns(worker, NULL);
	mirrors_stop(worker);
	LIST_EACH(&in->acceptors, node)
	acceptor_free(LIST_ENTRY(node, struct acceptor, link));
	udp_free(worker->udp);
	if (worker->upstreams != NULL)
		upstreams_free(worker->upstreams);
	run_frees(in);
	exchange_pool_deinit(&worker->exchanges);
	access_free(worker->access);
	tls_server_free(worker->tls);
	mailbox_free(in->mailbox, drop_mail);
	drop_arrived(in);
	timer_stop(worker->loop, &in->drain_timer);
	timer_stop(worker->loop, &in->pause_timer);
	loop_hook_remove(&in->hook);
	task_cancel(&worker->settle);
	loop_free(worker->loop);
}

void worker_free(struct worker *worker)
{
	struct worker_internals *in;

	if (worker == NULL)
		return;
	in = worker->internals;
	if (in->started)
		pthread_join(in->thread, NULL);
	if (worker->loop != NULL)
		worker_close_parts(worker);
	while (in->kept_count > 0)
		free(in->kept[--in->kept_count]);
	free(in->frees);
	if (in->spare_fd >= 0)
		close(in->spare_fd);
	free(in);
	free(worker);
}
