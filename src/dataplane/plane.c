/* dataplane/plane.c - control thread: bindings, snapshots and who runs which, drain */
#include "dataplane/plane.h"

#include "base/log.h"
#include "base/own.h"
#include "dataplane/binding.h"
#include "dataplane/plane_priv.h"
#include "dataplane/transport.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FDS_FOR_OTHERS  128  /* descriptors left for all that is not a connection */
#define CONNECTIONS_MIN 16   /* per worker, however few descriptors there are */
#define SWEEP_MS        1000 /* pinned parts are looked at again */

const struct plane_limits plane_limits_default = {
	.connections = 50000,
	.request_line = 8192,
	.head = 32768,
	.fields = 128,
	.h2_streams = 128,
	.buffer = 262144,
	.upstream_idle = 256,
	.requests_per_conn = 0,
	.tls_handshake_ms = 10000,
	.request_head_ms = 30000,
	.keepalive_idle_ms = 75000,
	.body_idle_ms = 60000,
	.upstream_connect_ms = 5000,
	.upstream_response_ms = 60000,
	.upstream_idle_ms = 50000,
	.tunnel_idle_ms = 3600000,
	.udp_sessions = 10000,
	.udp_idle_ms = 60000,
	.drain_ms = 20000,
	.h2_window = 131072,
	.h2_conn_window = 1048576,
};

/* ---- bindings ---- */

void binding_ref(struct binding *binding)
{
	atomic_fetch_add_explicit(&binding->refs, 1, memory_order_relaxed);
}

void binding_unref(struct binding *binding)
{
	if (atomic_fetch_sub_explicit(&binding->refs, 1, memory_order_acq_rel) == 1)
		free(binding);
}

void binding_close(struct binding *binding, unsigned worker)
{
	close(binding->fds[worker]);
	atomic_fetch_sub_explicit(&binding->open, 1, memory_order_release);
}

const struct sock_addr *binding_addr(const struct binding *binding)
{
	return &binding->addr;
}

/* Accepted sockets inherit these, so that they cost no system call. */
static void listen_options(int fd)
{
	static const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

struct wish { /* what is to be bound */
	const struct sock_addr *addr;
	bool datagram;
	unsigned flags; /* SOCK_LISTEN_PROBE */
};

static int wish_socket(const struct wish *wish, const struct sock_addr *addr, unsigned flags,
		       struct err *err)
{
	int fd;

	if (wish->datagram)
		return sock_bind_udp(addr, flags, err);
	fd = sock_listen(addr, flags, err);
	if (fd >= 0)
		listen_options(fd);
	return fd;
}

static struct binding *binding_new(const struct wish *wish, unsigned count, struct err *err)
{
	struct binding *binding = xcalloc(1, sizeof(*binding) + count * sizeof(int));
	unsigned flags = wish->flags;

	binding->addr = *wish->addr;
	binding->datagram = wish->datagram;
	atomic_init(&binding->refs, 1);
	atomic_init(&binding->open, 0);
	atomic_init(&binding->conns, 0);
	for (; binding->count < count; binding->count++) {
		int fd = wish_socket(wish, &binding->addr, flags, err);

		if (fd < 0) {
			while (binding->count > 0)
				close(binding->fds[--binding->count]);
			free(binding);
			return NULL;
		}
		binding->fds[binding->count] = fd;
		if (binding->count == 0) /* port 0: the one that the kernel chose is everyone's */
			sock_local(fd, &binding->addr);
		flags = 0;
	}
	atomic_store(&binding->open, count);
	return binding;
}

static struct binding *find_binding(struct list *bindings, const struct wish *wish)
{
	LIST_EACH(bindings, node)
	{
		struct binding *binding = LIST_ENTRY(node, struct binding, link);

		if (binding->datagram == wish->datagram && sock_addr_eq(&binding->addr, wish->addr))
			return binding;
	}
	return NULL;
}

static bool is_wildcard(const struct sock_addr *addr)
{
	return addr->u.any.sa_family == AF_INET ? addr->u.v4.sin_addr.s_addr == htonl(INADDR_ANY)
						: IN6_IS_ADDR_UNSPECIFIED(&addr->u.v6.sin6_addr);
}

/* Would the sockets of the one be in the way of the other? */
static bool overlaps(const struct sock_addr *a, const struct sock_addr *b)
{
	return a->u.any.sa_family == b->u.any.sa_family && sock_addr_port(a) == sock_addr_port(b) &&
	       (sock_addr_eq(a, b) || is_wildcard(a) || is_wildcard(b));
}

static bool any_overlaps(struct list *bindings, const struct wish *wish)
{
	LIST_EACH(bindings, node)
	{
		const struct binding *binding = LIST_ENTRY(node, struct binding, link);

		if (binding->datagram == wish->datagram && overlaps(&binding->addr, wish->addr))
			return true;
	}
	return false;
}

/* Forgets those whose sockets are all closed. */
static void purge_leaving(struct plane *plane)
{
	LIST_EACH(&plane->leaving, node)
	{
		struct binding *binding = LIST_ENTRY(node, struct binding, link);

		if (atomic_load_explicit(&binding->open, memory_order_acquire) > 0)
			continue;
		list_remove(node);
		binding_unref(binding);
	}
}

static struct binding *bind_wish(struct plane *plane, struct wish *wish, struct err *err)
{
	struct binding *binding = NULL;

	if (sock_addr_port(wish->addr) != 0)
		binding = find_binding(&plane->bindings, wish);
	if (binding != NULL)
		return binding;
	purge_leaving(plane);
	/* What is in the way may be ours: about to close, or of another address of the port. */
	if (any_overlaps(&plane->leaving, wish) || any_overlaps(&plane->bindings, wish))
		wish->flags = 0;
	binding = binding_new(wish, plane->config.workers, err);
	if (binding != NULL)
		list_append(&plane->bindings, &binding->link);
	return binding;
}

struct binding *plane_bind(struct plane *plane, const struct sock_addr *addr, struct err *err)
{
	struct wish wish = {.addr = addr, .flags = SOCK_LISTEN_PROBE};

	return bind_wish(plane, &wish, err);
}

struct binding *plane_bind_udp(struct plane *plane, const struct sock_addr *addr, struct err *err)
{
	struct wish wish = {.addr = addr, .datagram = true, .flags = SOCK_LISTEN_PROBE};

	return bind_wish(plane, &wish, err);
}

static bool names_binding(const struct snapshot *snapshot, const struct binding *binding)
{
	for (size_t i = 0; i < snapshot->port_count; i++) {
		if (snapshot->ports[i].binding == binding)
			return true;
	}
	return false;
}

/* The workers close what they know; what they never heard of is closed here. */
static void drop_binding(struct plane *plane, struct binding *binding)
{
	list_remove(&binding->link);
	if (!binding->published) {
		for (unsigned i = 0; i < binding->count; i++)
			binding_close(binding, i);
	}
	list_append(&plane->leaving, &binding->link);
	purge_leaving(plane);
}

static void publish_bindings(struct plane *plane, const struct snapshot *snapshot)
{
	LIST_EACH(&plane->bindings, node)
	{
		struct binding *binding = LIST_ENTRY(node, struct binding, link);

		if (!names_binding(snapshot, binding)) {
			drop_binding(plane, binding);
			continue;
		}
		for (unsigned i = 0; i < binding->count && !binding->published; i++)
			binding_ref(binding); /* each worker's */
		binding->published = true;
	}
}

/* ---- snapshots ---- */

static void to_workers(struct plane *plane, const struct worker_mail *like)
{
	for (unsigned i = 0; i < plane->config.workers; i++) {
		struct worker_mail *mail = xcalloc(1, sizeof(*mail));

		*mail = *like;
		worker_post(plane->workers[i], mail);
	}
}

uint64_t plane_publish(struct plane *plane, struct snapshot *snapshot)
{
	struct published *published = xcalloc(1, sizeof(*published));

	snapshot->generation = ++plane->graveyard.newest;
	published->snapshot = snapshot;
	list_append(&plane->published, &published->link);
	publish_bindings(plane, snapshot);
	to_workers(plane, &(struct worker_mail){.kind = TO_WORKER_SNAPSHOT, .snapshot = snapshot});
	return snapshot->generation;
}

struct graveyard *plane_graveyard(struct plane *plane)
{
	return &plane->graveyard;
}

const struct plane_limits *plane_limits(const struct plane *plane)
{
	return &plane->config.limits;
}

uint64_t plane_acknowledged(const struct plane *plane)
{
	return plane->acknowledged;
}

/* What only a freed snapshot held was last seen by workers that ran that snapshot. */
static void free_snapshot(struct plane *plane, struct published *published)
{
	uint64_t newest = plane->graveyard.newest;

	plane->graveyard.newest = published->snapshot->generation;
	snapshot_free(published->snapshot, &plane->graveyard);
	plane->graveyard.newest = newest;
	list_remove(&published->link);
	free(published);
}

static void free_snapshots(struct plane *plane, uint64_t before)
{
	LIST_EACH(&plane->published, node)
	{
		struct published *published = LIST_ENTRY(node, struct published, link);

		if (published->snapshot->generation < before)
			free_snapshot(plane, published);
	}
}

static void sweep(struct plane *plane)
{
	if (graveyard_sweep(&plane->graveyard, plane->oldest) > 0)
		timer_in(plane->config.loop, &plane->sweep_timer, SWEEP_MS);
}

static void sweep_again(struct timer *self)
{
	sweep(CONTAINER_OF(self, struct plane, sweep_timer));
}

/* A worker runs another generation, or has let go of an old one. */
static void on_runs(struct plane *plane, const struct plane_mail *mail)
{
	uint64_t runs = UINT64_MAX, oldest = UINT64_MAX;

	plane->states[mail->worker] = (struct worker_state){mail->generation, mail->oldest};
	for (unsigned i = 0; i < plane->config.workers; i++) {
		const struct worker_state *state = &plane->states[i];

		runs = state->runs < runs ? state->runs : runs;
		oldest = state->oldest < oldest ? state->oldest : oldest;
	}
	plane->oldest = oldest;
	free_snapshots(plane, oldest);
	sweep(plane);
	if (runs == plane->acknowledged)
		return;
	plane->acknowledged = runs;
	if (plane->config.acknowledged != NULL)
		plane->config.acknowledged(plane->config.arg, runs);
}

/* ---- drain ---- */

static void on_drained(struct plane *plane)
{
	if (++plane->drained == plane->config.workers)
		task_defer(plane->config.loop, &plane->drain_task);
}

static void drain_done(struct task *self)
{
	struct plane *plane = CONTAINER_OF(self, struct plane, drain_task);

	plane->drain_done(plane->drain_arg); /* may free the plane */
}

void plane_drain(struct plane *plane, void (*done)(void *arg), void *arg)
{
	assert(plane->drain_done == NULL);
	plane->drain_done = done;
	plane->drain_arg = arg;
	to_workers(plane, &(struct worker_mail){.kind = TO_WORKER_DRAIN});
}

/* ---- mail ---- */

static void receive(void *arg, struct mail *mail)
{
	struct plane *plane = arg;
	struct plane_mail *message = CONTAINER_OF(mail, struct plane_mail, mail);

	switch (message->kind) {
	case TO_PLANE_RUNS:
		on_runs(plane, message);
		break;
	case TO_PLANE_DRAINED:
		on_drained(plane);
		break;
	case TO_PLANE_CHALLENGE:
		if (plane->config.challenge_fetched != NULL)
			plane->config.challenge_fetched(plane->config.arg,
							sv_new(message->token, message->token_len));
		break;
	}
	free(message);
}

static void drop_mail(void *arg, struct mail *mail)
{
	(void)arg;
	free(CONTAINER_OF(mail, struct plane_mail, mail));
}

/* ---- access log ---- */

/* Each worker writes to a descriptor of its own. Where a write could block (pipe, terminal), it is
 * opened anew, so that O_NONBLOCK does not change whoever shares the original. */
static int access_copy(int fd)
{
	struct stat st;
	char path[64];
	int copy = -1;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		copy = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	return copy >= 0 ? copy : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void plane_reopen_access(struct plane *plane, int fd)
{
	for (unsigned i = 0; i < plane->config.workers; i++) {
		struct worker_mail *mail = xcalloc(1, sizeof(*mail));

		*mail = (struct worker_mail){.kind = TO_WORKER_ACCESS, .fd = access_copy(fd)};
		worker_post(plane->workers[i], mail);
	}
}

/* ---- birth and death ---- */

/* As many descriptors as the system grants; a proxied connection takes two. */
static void fit_connections(struct plane_config *config)
{
	struct rlimit limit;
	rlim_t fit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
			return;
	}
	if (limit.rlim_cur == RLIM_INFINITY)
		return;
	fit = limit.rlim_cur > FDS_FOR_OTHERS ? limit.rlim_cur - FDS_FOR_OTHERS : 0;
	fit /= 2 * (rlim_t)config->workers;
	if (fit < CONNECTIONS_MIN)
		fit = CONNECTIONS_MIN;
	if (config->limits.connections > fit)
		config->limits.connections = (uint32_t)fit;
	if (config->limits.udp_sessions > fit)
		config->limits.udp_sessions = (uint32_t)fit;
}

static int start_workers(struct plane *plane, const struct plane_codecs *codecs, struct err *err)
{
	for (unsigned i = 0; i < plane->config.workers; i++) {
		struct worker_birth birth = {
			.index = i,
			.config = &plane->config,
			.plane = plane->mailbox,
			.access_fd = access_copy(plane->config.access_fd),
			.h1 = codecs->h1,
			.h2 = codecs->h2,
		};

		plane->workers[i] = worker_new(&birth, err);
		if (plane->workers[i] == NULL || worker_start(plane->workers[i], err) < 0)
			return -1;
	}
	return 0;
}

struct plane *plane_start_with(const struct plane_config *config, const struct plane_codecs *codecs,
			       struct err *err)
{
	struct plane *plane = xcalloc(1, sizeof(*plane));

	assert(config->workers >= 1 && config->workers <= WORKERS_MAX);
	plane->config = *config;
	list_init(&plane->bindings);
	list_init(&plane->leaving);
	list_init(&plane->published);
	timer_init(&plane->sweep_timer, sweep_again);
	task_init(&plane->drain_task, drain_done);
	fit_connections(&plane->config);
	plane->mailbox = mailbox_new(config->loop, receive, plane, err);
	if (plane->mailbox == NULL || start_workers(plane, codecs, err) < 0) {
		plane_free(plane);
		return NULL;
	}
	return plane;
}

struct plane *plane_start(const struct plane_config *config, struct err *err)
{
	static const struct plane_codecs codecs = {.h1 = &h1_transport, .h2 = &h2_transport};

	return plane_start_with(config, &codecs, err);
}

static void free_workers(struct plane *plane)
{
	for (unsigned i = 0; i < plane->config.workers; i++) {
		struct worker_mail *mail;

		if (plane->workers[i] == NULL)
			continue;
		mail = xcalloc(1, sizeof(*mail));
		mail->kind = TO_WORKER_STOP;
		worker_post(plane->workers[i], mail);
	}
	for (unsigned i = 0; i < plane->config.workers; i++)
		worker_free(plane->workers[i]);
}

static void free_bindings(struct list *bindings)
{
	LIST_EACH(bindings, node)
	{
		struct binding *binding = LIST_ENTRY(node, struct binding, link);

		list_remove(node);
		for (unsigned i = 0; i < binding->count && !binding->published; i++)
			binding_close(binding, i);
		binding_unref(binding);
	}
}

void plane_free(struct plane *plane)
{
	if (plane == NULL)
		return;
	free_workers(plane);
	mailbox_free(plane->mailbox, drop_mail);
	timer_stop(plane->config.loop, &plane->sweep_timer);
	task_cancel(&plane->drain_task);
	free_bindings(&plane->bindings);
	free_bindings(&plane->leaving);
	free_snapshots(plane, UINT64_MAX);
	graveyard_sweep(&plane->graveyard, UINT64_MAX);
	free(plane);
}
