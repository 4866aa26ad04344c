/* dataplane/listener.c - accept, and what to do when that is not possible */
#include "dataplane/listener.h"

#include "base/log.h"
#include "base/own.h"
#include "dataplane/conn_io.h"
#include "dataplane/policy.h"
#include "dataplane/udp.h"
#include "dataplane/worker_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define ACCEPT_BATCH                                                                \
	64 /* connections of one socket in one turn at most: others want theirs too \
	    */

/* False: no more now. */
static bool accept_failed(struct worker *worker)
{
	switch (errno) {
	case EINTR:
	case ECONNABORTED: /* and errors of the connection itself, see accept(2) */
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EPERM: /* a firewall's rule */
		return true;
	case EAGAIN:
		return false;
	default: /* EMFILE, ENFILE, ENOBUFS, ENOMEM */
		worker_accept_pause(worker, errno);
		return false;
	}
}

/* The options of the listening socket are inherited: no other system call. */
static int accept_fd(int fd, struct sock_addr *peer)
{
	*peer = (struct sock_addr){.len = sizeof(peer->u)};
	return accept4(fd, &peer->u.any, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* As many connections as the policy allows? */
static bool is_crowded(const struct acceptor *acceptor)
{
	const struct client_policy *policy = acceptor->port->policy;

	return policy != NULL && policy->connections != 0 &&
	       atomic_load_explicit(&acceptor->binding->conns, memory_order_relaxed) >=
		       policy->connections;
}

static bool accept_one(struct acceptor *acceptor)
{
	struct worker *worker = acceptor->worker;
	struct sock_addr peer;
	int fd = accept_fd(acceptor->watch.fd, &peer);

	if (fd < 0)
		return accept_failed(worker);
	metric_add(&worker->metrics.accepted, 1);
	if (worker->conn_count >= worker->config->limits.connections || is_crowded(acceptor)) {
		metric_add(&worker->metrics.refused_connections, 1);
		close(fd);
		return true;
	}
	conn_accept(acceptor, fd, &peer);
	return true;
}

static void acceptor_ready(struct loop_fd *self, unsigned events)
{
	struct acceptor *acceptor = CONTAINER_OF(self, struct acceptor, watch);

	(void)events;
	for (unsigned i = 0; i < acceptor->batch; i++) {
		if (!accept_one(acceptor)) {
			acceptor->batch = 1;
			return;
		}
	}
	if (acceptor->batch < ACCEPT_BATCH)
		acceptor->batch *= 2;
}

static void acceptor_timeout(struct timer *self)
{
	struct acceptor *acceptor = CONTAINER_OF(self, struct acceptor, timer);

	worker_destroy_conns(acceptor->worker, acceptor);
}

struct acceptor *acceptor_new(struct worker *worker, struct binding *binding,
			      const struct snap_port *port)
{
	struct acceptor *acceptor = xcalloc(1, sizeof(*acceptor));
	struct err err;

	acceptor->watch =
		(struct loop_fd){.fd = binding->fds[worker->index], .ready = acceptor_ready};
	acceptor->worker = worker;
	acceptor->binding = binding;
	acceptor->port = port;
	acceptor->open = true;
	acceptor->batch = 1;
	timer_init(&acceptor->timer, acceptor_timeout);
	if (binding->datagram) {
		acceptor->udp = udp_port_new(acceptor);
		acceptor->watch.ready = udp_port_ready;
	}
	if (loop_add(worker->loop, &acceptor->watch, LOOP_READ, &err) < 0)
		log_error("listener", "%s", err.msg);
	return acceptor;
}

void acceptor_close(struct acceptor *acceptor)
{
	if (!acceptor->open)
		return;
	if (acceptor->udp != NULL) {
		udp_port_free(TAKE(acceptor->udp));
	} else {
		while (accept_one(acceptor))
			continue;
	}
	loop_remove(acceptor->worker->loop, &acceptor->watch);
	binding_close(acceptor->binding, acceptor->worker->index);
	acceptor->open = false;
}

void acceptor_retire(struct acceptor *acceptor, const struct snapshot *held)
{
	struct worker *worker = acceptor->worker;

	acceptor_close(acceptor);
	acceptor->held = held;
	if (acceptor->conns == 0) {
		acceptor_free(acceptor);
		return;
	}
	timer_in(worker->loop, &acceptor->timer, worker->config->limits.drain_ms);
	worker_drain_conns(worker, acceptor);
}

void acceptor_conn_gone(struct acceptor *acceptor)
{
	struct worker *worker = acceptor->worker;

	acceptor->conns--;
	if (acceptor->conns > 0 || acceptor->held == NULL)
		return;
	acceptor_free(acceptor);
	worker_released(worker);
}

void acceptor_free(struct acceptor *acceptor)
{
	acceptor_close(acceptor);
	timer_stop(acceptor->worker->loop, &acceptor->timer);
	list_remove(&acceptor->link);
	binding_unref(acceptor->binding);
	worker_free_later(acceptor->worker, free, acceptor);
}

void acceptor_pause(struct acceptor *acceptor, bool pause)
{
	if (acceptor->open && acceptor->udp == NULL && acceptor->watch.registered)
		loop_change(acceptor->worker->loop, &acceptor->watch, pause ? 0 : LOOP_READ);
}
