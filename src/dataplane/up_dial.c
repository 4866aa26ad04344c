/* dataplane/up_dial.c - connections to backends that are being made, and the requests that wait for
 * them
 *
 * For HTTP/2, which many requests will share, and for TLS, where the handshake tells what is
 * spoken. A request waits with its content, as it came, until a codec takes it over.
 */
#include "dataplane/up_tls.h"
#include "dataplane/upstream_priv.h"

#include "base/own.h"

#include <stdlib.h>
#include <unistd.h>

#define DIAL_MAGIC  0x4449414cu
#define WAITERS_MAX 100 /* as many as a backend is expected to take at once (RFC 9113, 6.5.2) */

struct up_dial {
	uint32_t magic;
	struct loop_fd watch; /* owns the descriptor, until it is given away */
	struct upstreams *owner;
	struct endpoint *endpoint;
	struct list link; /* in endpoint->dials */
	struct list waiters;
	unsigned waiter_count;
	struct up_tls *tls;
	struct timer timer;
	struct task turn; /* it stands, or has failed, without an event */
	const char *failure;
	bool connected;
};

struct up_wait { /* a request */
	struct leg leg;
	struct up_dial *dial;
	struct list link;
	struct buf content;
	bool full; /* the codec was told to wait */
};

/* ---- the end ---- */

static void dial_release(void *object)
{
	free(object);
}

static void wait_free(struct up_wait *wait)
{
	struct worker *worker = wait->dial->owner->worker;

	list_remove(&wait->link);
	wait->dial->waiter_count--;
	wait->dial->endpoint->active--;
	buf_deinit(&wait->content);
	worker_free_later(worker, dial_release, wait);
}

/* Nobody waits any more. */
static void dial_close(struct up_dial *dial)
{
	struct worker *worker = dial->owner->worker;

	assert(dial->magic == DIAL_MAGIC && dial->waiter_count == 0);
	dial->magic = 0;
	list_remove(&dial->link);
	dial->endpoint->lines--;
	timer_stop(worker->loop, &dial->timer);
	task_cancel(&dial->turn);
	up_tls_free(dial->tls, dial->watch.fd);
	if (dial->watch.fd >= 0) {
		loop_remove(worker->loop, &dial->watch);
		close(dial->watch.fd);
	}
	worker_free_later(worker, dial_release, dial);
}

/* The request, with what came of its content, is an exchange without a leg again. */
static struct exchange *wait_end(struct up_wait *wait)
{
	struct exchange *ex = wait->leg.ex;

	leg_part(&wait->leg);
	up_give_back(ex, &wait->content);
	wait_free(wait);
	return ex;
}

/* All waiters in a list of their own: what they do next may dial again. */
static void take_waiters(struct up_dial *dial, struct list *out)
{
	list_init(out);
	while (!list_empty(&dial->waiters)) {
		struct list *first = dial->waiters.next;

		list_remove(first);
		list_append(out, first);
	}
}

static void dial_fail(struct up_dial *dial, uint16_t status, const char *failure)
{
	struct list waiters;

	take_waiters(dial, &waiters);
	list_remove(&dial->link); /* nobody joins */
	while (!list_empty(&waiters)) {
		struct exchange *ex = wait_end(LIST_ENTRY(waiters.next, struct up_wait, link));

		exchange_upstream_failed(ex, status, failure, LEG_UNREACHED);
	}
	dial_close(dial);
}

static void dial_fail_later(struct up_dial *dial, const char *failure)
{
	dial->failure = failure;
	task_defer(dial->owner->worker->loop, &dial->turn);
}

static void dial_timeout(struct timer *timer)
{
	struct up_dial *dial = CONTAINER_OF(timer, struct up_dial, timer);
	struct worker *worker = dial->owner->worker;

	metric_add(&worker->metrics.upstream_timeouts, 1);
	pool_failed(dial->endpoint, loop_now(worker->loop));
	dial_fail(dial, 503, "upstream_connect_timeout");
}

/* ---- it stands ---- */

static void hand_over(struct up_dial *dial, struct list *waiters)
{
	struct endpoint *endpoint = dial->endpoint;
	bool h1 = dial->tls != NULL && !up_tls_h2(dial->tls);
	struct up_tls *tls = TAKE(dial->tls);
	int fd = dial->watch.fd;
	struct up_h2 *h2;

	loop_remove(dial->owner->worker->loop, &dial->watch);
	dial->watch.fd = -1;
	endpoint->chose_h1 = h1;
	if (h1) { /* the first has it, the others make their own */
		struct exchange *ex = wait_end(LIST_ENTRY(waiters->next, struct up_wait, link));

		up_h1_begin(endpoint, fd, tls, ex);
	}
	h2 = h1 ? NULL : up_h2_new(dial->owner, endpoint, fd, tls);
	while (!list_empty(waiters)) {
		struct exchange *ex = wait_end(LIST_ENTRY(waiters->next, struct up_wait, link));

		if (h2 != NULL)
			up_h2_begin(h2, ex);
		else
			upstream_begin(ex);
	}
}

static void dial_done(struct up_dial *dial)
{
	struct list waiters;

	take_waiters(dial, &waiters);
	list_remove(&dial->link);
	hand_over(dial, &waiters);
	dial_close(dial);
}

static void dial_shake(struct up_dial *dial)
{
	switch (dial->tls == NULL ? UP_TLS_DONE : up_tls_handshake(dial->tls, dial->watch.fd)) {
	case UP_TLS_MORE:
		return;
	case UP_TLS_FAILED:
		pool_failed(dial->endpoint, loop_now(dial->owner->worker->loop));
		dial_fail(dial, 502, up_tls_failure(dial->tls));
		return;
	case UP_TLS_DONE:
		break;
	}
	if (dial->endpoint->way == WAY_TLS_H2 && !up_tls_h2(dial->tls))
		dial_fail(dial, 502, "upstream_tls_no_h2");
	else
		dial_done(dial);
}

static void dial_connected(struct up_dial *dial)
{
	dial->connected = true;
	if (sock_error(dial->watch.fd) == 0) {
		dial_shake(dial);
		return;
	}
	pool_failed(dial->endpoint, loop_now(dial->owner->worker->loop));
	dial_fail(dial, 503, "upstream_connect");
}

static void dial_ready(struct loop_fd *watch, unsigned events)
{
	struct up_dial *dial = CONTAINER_OF(watch, struct up_dial, watch);

	assert(dial->magic == DIAL_MAGIC);
	if (dial->failure != NULL)
		return;
	if (dial->connected)
		dial_shake(dial);
	else if ((events & (LOOP_WRITE | LOOP_GONE)) != 0)
		dial_connected(dial);
}

static void dial_turn(struct task *task)
{
	struct up_dial *dial = CONTAINER_OF(task, struct up_dial, turn);

	if (dial->failure != NULL)
		dial_fail(dial, 503, dial->failure);
	else if (!dial->connected)
		dial_connected(dial);
}

/* ---- a request waits ---- */

static bool wait_body(struct leg *leg, struct str_view bytes)
{
	struct up_wait *wait = CONTAINER_OF(leg, struct up_wait, leg);

	if (!buf_add(&wait->content, bytes))
		dial_fail_later(wait->dial, "upstream_buffer");
	wait->full = wait->full ||
		     buf_len(&wait->content) >= wait->dial->owner->worker->config->limits.buffer;
	return !wait->full;
}

/* The exchange remembers that itself, and its trailers. */
static void wait_for_end(struct leg *leg, const struct fields *trailers)
{
	(void)leg;
	(void)trailers;
}

static void wait_resume(struct leg *leg)
{
	(void)leg;
}

static void wait_detach(struct leg *leg)
{
	struct up_wait *wait = CONTAINER_OF(leg, struct up_wait, leg);
	struct up_dial *dial = wait->dial;

	leg_part(leg);
	wait_free(wait);
	if (dial->waiter_count == 0 && list_linked(&dial->link)) /* else it is ending */
		dial_close(dial);
}

static const struct leg_codec wait_leg = {
	.body = wait_body,
	.end = wait_for_end,
	.resume = wait_resume,
	.detach = wait_detach,
};

static void dial_connect(struct up_dial *dial, const struct exchange *ex)
{
	const struct backend_tls *policy = ex->backend->tls;
	bool in_progress = false;
	const char *failure = NULL;

	if (policy != NULL)
		dial->tls = up_tls_new(dial->owner->contexts, dial->endpoint, policy,
				       ex->client_cert, &failure);
	if (policy == NULL || dial->tls != NULL)
		failure = up_connect(dial->owner, dial->endpoint, &dial->watch, &in_progress);
	if (failure != NULL)
		dial_fail_later(dial, failure);
	else if (!in_progress)
		task_defer(dial->owner->worker->loop, &dial->turn);
}

static struct up_dial *dial_new(struct endpoint *endpoint, const struct exchange *ex)
{
	struct worker *worker = ex->worker;
	struct up_dial *dial = xcalloc(1, sizeof(*dial));

	dial->magic = DIAL_MAGIC;
	dial->owner = worker->upstreams;
	dial->endpoint = endpoint;
	dial->watch = (struct loop_fd){.fd = -1, .ready = dial_ready};
	list_init(&dial->waiters);
	timer_init(&dial->timer, dial_timeout);
	task_init(&dial->turn, dial_turn);
	timer_in(worker->loop, &dial->timer, worker->config->limits.upstream_connect_ms);
	list_append(&endpoint->dials, &dial->link);
	endpoint->lines++;
	dial_connect(dial, ex);
	return dial;
}

static unsigned waiters_max(const struct endpoint *endpoint)
{
	return endpoint->streams_max > 0 && endpoint->streams_max < WAITERS_MAX
		       ? endpoint->streams_max
		       : WAITERS_MAX;
}

/* One that still takes requests: several share it, unless the last one became HTTP/1.1. */
static struct up_dial *dial_find(const struct endpoint *endpoint)
{
	LIST_EACH(&endpoint->dials, node)
	{
		struct up_dial *dial = LIST_ENTRY(node, struct up_dial, link);

		if (!endpoint->chose_h1 && endpoint->way != WAY_TLS_H1 && dial->failure == NULL &&
		    dial->waiter_count < waiters_max(endpoint))
			return dial;
	}
	return NULL;
}

void up_dial_begin(struct endpoint *endpoint, struct exchange *ex)
{
	struct up_dial *dial = dial_find(endpoint);
	struct up_wait *wait = xcalloc(1, sizeof(*wait));

	if (dial == NULL)
		dial = dial_new(endpoint, ex);
	(void)up_content(ex, &wait->content);
	wait->dial = dial;
	list_append(&dial->waiters, &wait->link);
	dial->waiter_count++;
	endpoint->active++;
	leg_join(&wait->leg, &wait_leg, ex);
	wait->leg.endpoint = wait->dial->endpoint;
}

void up_dial_close_all(struct endpoint *endpoint)
{
	while (!list_empty(&endpoint->dials))
		dial_close(LIST_ENTRY(endpoint->dials.next, struct up_dial, link));
}
