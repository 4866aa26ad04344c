#include "dataplane/udp.h"

#include "base/own.h"
#include "dataplane/l4.h"
#include "dataplane/match.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#define SESSION_MAGIC    0x55445053u
#define DATAGRAM_MAX     65536
#define BATCH            64   /* datagrams of one socket in one turn */
#define REFUSED_EVERY_MS 1000 /* a refused datagram is told to the access log this often */

/* The address of ours that a datagram came to, as the kernel wants it back for the answer. */
struct to_us {
	int family;
	union {
		struct in_addr v4;
		struct in6_pktinfo v6;
	} u;
};

struct udp {
	struct worker *worker;
	unsigned count; /* of sessions */
	/* The one that has been silent longest first. A client that wrote again after an answer has
	 * proved that it gets them: it is not put out for those who have not. */
	struct list unproven, proven;
	struct timer timer;
	int64_t refused_told_ms;
	char buffer[DATAGRAM_MAX];
};

struct udp_port {
	struct acceptor *acceptor;
	struct map sessions; /* client and address of ours -> struct session */
};

struct session {
	uint32_t magic;
	struct list link; /* in udp->unproven or udp->proven */
	struct udp_port *port;
	struct sock_addr peer;
	struct to_us to_us;
	struct l4_flow flow;
	struct loop_fd watch; /* connected to the endpoint */
	int64_t active_ms;    /* when the client wrote last */
	bool answered, proven;
};

struct datagram { /* one that came, in udp->buffer */
	struct sock_addr peer;
	struct to_us to_us;
	struct str_view bytes;
};

/* ---- keys ---- */

struct key {
	char text[sizeof(((struct sock_addr *)0)->u) + sizeof(struct to_us)];
	size_t len;
};

static void key_add(struct key *key, const void *bytes, size_t len)
{
	memcpy(key->text + key->len, bytes, len);
	key->len += len;
}

static struct str_view key_of(struct key *key, const struct sock_addr *peer,
			      const struct to_us *to_us)
{
	key->len = 0;
	if (to_us->family == AF_INET) {
		key_add(key, &peer->u.v4.sin_addr, sizeof(peer->u.v4.sin_addr));
		key_add(key, &peer->u.v4.sin_port, sizeof(peer->u.v4.sin_port));
		key_add(key, &to_us->u.v4, sizeof(to_us->u.v4));
	} else {
		key_add(key, &peer->u.v6.sin6_addr, sizeof(peer->u.v6.sin6_addr));
		key_add(key, &peer->u.v6.sin6_scope_id, sizeof(peer->u.v6.sin6_scope_id));
		key_add(key, &peer->u.v6.sin6_port, sizeof(peer->u.v6.sin6_port));
		key_add(key, &to_us->u.v6, sizeof(to_us->u.v6));
	}
	return sv_new(key->text, key->len);
}

/* ---- the end of a session ---- */

static struct worker *worker_of(const struct udp_port *port)
{
	return port->acceptor->worker;
}

static void tell(const struct session *session, struct l4_flow *flow)
{
	struct access_flow line = {.peer = &session->peer, .protocol = "UDP"};

	l4_end(flow, &line);
}

static void session_end(struct session *session)
{
	struct udp_port *port = session->port;
	struct worker *worker = worker_of(port);
	struct key key;

	assert(session->magic == SESSION_MAGIC);
	session->magic = 0;
	loop_remove(worker->loop, &session->watch);
	close(session->watch.fd);
	list_remove(&session->link);
	(void)map_remove(&port->sessions, key_of(&key, &session->peer, &session->to_us));
	worker->udp->count--;
	metric_add(&worker->metrics.udp_active, UINT64_MAX); /* one less */
	tell(session, &session->flow);
	worker_free_later(worker, free, session);
}

/* The endpoint said that nobody is there: the client's next datagram goes to another. */
static void session_refused(struct session *session)
{
	l4_failed(&session->flow);
	if (!session->answered)
		(void)l4_refuse(&session->flow, 503, "upstream_connect");
	session_end(session);
}

/* ---- time ---- */

static int64_t idle_of(const struct udp *udp)
{
	return udp->worker->config->limits.udp_idle_ms;
}

static void expire(struct udp *udp, struct list *sessions, int64_t now)
{
	while (!list_empty(sessions)) {
		struct session *oldest = LIST_ENTRY(sessions->next, struct session, link);

		if (oldest->active_ms + idle_of(udp) > now)
			return;
		session_end(oldest);
	}
}

static int64_t next_end(const struct udp *udp, const struct list *sessions, int64_t before)
{
	int64_t end;

	if (list_empty(sessions))
		return before;
	end = LIST_ENTRY(sessions->next, struct session, link)->active_ms + idle_of(udp);
	return before == 0 || end < before ? end : before;
}

static void udp_timeout(struct timer *timer)
{
	struct udp *udp = CONTAINER_OF(timer, struct udp, timer);
	int64_t now = loop_now(udp->worker->loop), next;

	expire(udp, &udp->unproven, now);
	expire(udp, &udp->proven, now);
	next = next_end(udp, &udp->unproven, 0);
	next = next_end(udp, &udp->proven, next);
	if (next != 0)
		timer_set(udp->worker->loop, &udp->timer, next);
}

static void session_alive(struct udp *udp, struct session *session)
{
	session->active_ms = loop_now(udp->worker->loop);
	session->proven = session->proven || session->answered;
	list_remove(&session->link);
	list_append(session->proven ? &udp->proven : &udp->unproven, &session->link);
	if (!timer_armed(&udp->timer))
		timer_set(udp->worker->loop, &udp->timer, session->active_ms + idle_of(udp));
}

/* ---- from the backend to the client ---- */

static size_t put_source(struct msghdr *message, const struct to_us *to_us)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	struct in_pktinfo v4 = {.ipi_spec_dst = to_us->u.v4};
	bool is_v4 = to_us->family == AF_INET;
	size_t len = is_v4 ? sizeof(v4) : sizeof(to_us->u.v6);

	control->cmsg_level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
	control->cmsg_type = is_v4 ? IP_PKTINFO : IPV6_PKTINFO;
	control->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(control), is_v4 ? (const void *)&v4 : &to_us->u.v6, len);
	return CMSG_SPACE(len);
}

#define CONTROL_SIZE CMSG_SPACE(sizeof(struct in6_pktinfo))

static bool answer(struct session *session, struct str_view bytes)
{
	_Alignas(struct cmsghdr) char control[CONTROL_SIZE] = {0};
	struct iovec piece = {.iov_base = (char *)(uintptr_t)bytes.data, .iov_len = bytes.len};
	struct msghdr message = {.msg_name = &session->peer.u,
				 .msg_namelen = session->peer.len,
				 .msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};

	message.msg_controllen = put_source(&message, &session->to_us);
	return sendmsg(session->port->acceptor->watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >=
	       0;
}

/* One datagram; false: no more now, or the session is gone. */
static bool session_read(struct session *session)
{
	struct worker *worker = worker_of(session->port);
	char *buffer = worker->udp->buffer;
	ssize_t got = recv(session->watch.fd, buffer, DATAGRAM_MAX, 0);

	if (got < 0 && errno == EINTR)
		return true;
	if (got < 0 && errno == EAGAIN)
		return false;
	if (got < 0) { /* ICMP: nobody there, no way there */
		session_refused(session);
		return false;
	}
	if (!session->answered)
		l4_worked(&session->flow);
	session->answered = true;
	if (answer(session, sv_new(buffer, (size_t)got))) {
		session->flow.bytes_out += (uint64_t)got;
		metric_add(&worker->metrics.udp_out, 1);
	} else {
		metric_add(&worker->metrics.udp_dropped, 1);
	}
	return true;
}

static void session_ready(struct loop_fd *watch, unsigned events)
{
	struct session *session = CONTAINER_OF(watch, struct session, watch);

	(void)events;
	assert(session->magic == SESSION_MAGIC);
	for (unsigned i = 0; i < BATCH && session_read(session); i++)
		continue;
}

/* ---- a new session ---- */

/* Room for one more: at the cost of who has been silent longest, and has proved nothing. */
static bool make_room(struct session *session)
{
	struct udp *udp = worker_of(session->port)->udp;

	if (udp->count < udp->worker->config->limits.udp_sessions)
		return true;
	if (list_empty(&udp->unproven))
		return l4_refuse(&session->flow, 503, "udp_sessions");
	session_end(LIST_ENTRY(udp->unproven.next, struct session, link));
	return true;
}

static int connect_to(const struct sock_addr *addr)
{
	int fd = socket(addr->u.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, &addr->u.any, addr->len) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static int flow_connect(struct l4_flow *flow)
{
	const struct endpoint *endpoint;

	while ((endpoint = l4_next(flow)) != NULL) {
		int fd = connect_to(&endpoint->addr);

		if (fd >= 0)
			return fd;
		l4_undialled(flow, errno);
	}
	if (flow->failure == NULL)
		(void)l4_refuse(flow, 503, "upstream_connect");
	return -1;
}

static struct rule *rule_of(const struct udp_port *port)
{
	const struct snap_listener *listener = match_listener(port->acceptor->port, SV(""));

	return listener == NULL || listener->serves != SERVES_DATAGRAM
		       ? NULL
		       : match_stream(listener, SV(""));
}

/* Under a flood of them not each has its line. */
static void refuse(struct udp *udp, struct session *session)
{
	int64_t now = loop_now(udp->worker->loop);
	struct access_flow line = {.peer = &session->peer, .protocol = "UDP"};

	line.unlogged = udp->refused_told_ms != 0 && now - udp->refused_told_ms < REFUSED_EVERY_MS;
	if (!line.unlogged)
		udp->refused_told_ms = now;
	l4_end(&session->flow, &line);
	free(session);
}

/* Two listeners of ours, or one and itself, would answer each other for ever. */
static bool comes_from_outside(struct session *session)
{
	return !l4_leads_back(&session->flow, &session->peer) ||
	       l4_refuse(&session->flow, 508, "upstream_loop");
}

static struct session *session_new(struct udp_port *port, const struct datagram *datagram)
{
	struct worker *worker = worker_of(port);
	struct udp *udp = worker->udp;
	struct session *session = xcalloc(1, sizeof(*session));
	struct key key;
	int fd = -1;

	session->magic = SESSION_MAGIC;
	session->port = port;
	session->peer = datagram->peer;
	session->to_us = datagram->to_us;
	session->flow.worker = worker;
	session->flow.from = port->acceptor->binding;
	list_init(&session->link);
	if (l4_begin(&session->flow, rule_of(port)) && comes_from_outside(session) &&
	    make_room(session))
		fd = flow_connect(&session->flow);
	session->watch = (struct loop_fd){.fd = fd, .ready = session_ready};
	if (fd >= 0 && loop_add(worker->loop, &session->watch, LOOP_READ, NULL) < 0) {
		close(fd);
		fd = -1;
	}
	if (fd < 0) {
		refuse(udp, session);
		return NULL;
	}
	(void)map_put(&port->sessions, key_of(&key, &session->peer, &session->to_us), session);
	udp->count++;
	metric_add(&worker->metrics.udp_sessions, 1);
	metric_add(&worker->metrics.udp_active, 1);
	return session;
}

/* ---- from the client to the backend ---- */

static ssize_t session_send(struct session *session, struct str_view bytes)
{
	ssize_t sent;

	do
		sent = send(session->watch.fd, bytes.data, bytes.len, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent;
}

static bool is_refusal(int error)
{
	return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

/* An error that the datagram before it caused costs this one a second try, elsewhere. */
static bool forward(struct udp_port *port, const struct datagram *datagram)
{
	struct key key;
	struct str_view name = key_of(&key, &datagram->peer, &datagram->to_us);

	for (int i = 0; i < 2; i++) {
		struct session *session = map_get(&port->sessions, name);

		if (session == NULL)
			session = session_new(port, datagram);
		if (session == NULL)
			return false;
		session_alive(worker_of(port)->udp, session);
		if (session_send(session, datagram->bytes) >= 0) {
			session->flow.bytes_in += datagram->bytes.len;
			return true;
		}
		if (!is_refusal(errno))
			return false;
		session_refused(session);
	}
	return false;
}

static void read_source(struct msghdr *message, struct to_us *to_us)
{
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
	     control = CMSG_NXTHDR(message, control)) {
		struct in_pktinfo v4;

		if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
			memcpy(&v4, CMSG_DATA(control), sizeof(v4));
			to_us->u.v4 = v4.ipi_spec_dst;
		} else if (control->cmsg_level == IPPROTO_IPV6 &&
			   control->cmsg_type == IPV6_PKTINFO) {
			memcpy(&to_us->u.v6, CMSG_DATA(control), sizeof(to_us->u.v6));
		}
	}
}

/* Some of what the kernel told is no good in the answer: a group is no sender, and only addresses
 * of a link are tied to an interface. */
static void settle_source(struct datagram *datagram)
{
	struct in6_pktinfo *v6 = &datagram->to_us.u.v6;

	if (datagram->to_us.family != AF_INET6)
		return;
	if (IN6_IS_ADDR_MULTICAST(&v6->ipi6_addr))
		v6->ipi6_addr = in6addr_any;
	if (!sock_addr_link_local(&datagram->peer))
		v6->ipi6_ifindex = 0;
}

/* The next datagram; false: no more now. */
static bool take(const struct udp_port *port, struct datagram *datagram)
{
	_Alignas(struct cmsghdr) char control[256];
	char *buffer = worker_of(port)->udp->buffer;
	struct iovec piece = {.iov_base = buffer, .iov_len = DATAGRAM_MAX};
	struct msghdr message = {.msg_name = &datagram->peer.u,
				 .msg_namelen = sizeof(datagram->peer.u),
				 .msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	ssize_t got;

	*datagram = (struct datagram){.peer.len = 0};
	do
		got = recvmsg(port->acceptor->watch.fd, &message, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return false;
	datagram->peer.len = message.msg_namelen;
	datagram->to_us.family = datagram->peer.u.any.sa_family;
	datagram->bytes = sv_new(buffer, (size_t)got);
	read_source(&message, &datagram->to_us);
	settle_source(datagram);
	return true;
}

void udp_port_ready(struct loop_fd *watch, unsigned events)
{
	struct acceptor *acceptor = CONTAINER_OF(watch, struct acceptor, watch);
	struct worker_metrics *metrics = &acceptor->worker->metrics;
	struct datagram datagram;

	(void)events;
	for (unsigned i = 0; i < BATCH && take(acceptor->udp, &datagram); i++) {
		metric_add(&metrics->udp_in, 1);
		if (sock_addr_port(&datagram.peer) == 0 || !forward(acceptor->udp, &datagram))
			metric_add(&metrics->udp_dropped, 1);
	}
}

/* ---- birth and death ---- */

struct udp_port *udp_port_new(struct acceptor *acceptor)
{
	struct udp_port *port = xcalloc(1, sizeof(*port));

	port->acceptor = acceptor;
	if (acceptor->worker->udp == NULL)
		acceptor->worker->udp = udp_new(acceptor->worker);
	return port;
}

void udp_port_free(struct udp_port *port)
{
	void *value;

	for (size_t it = 0; map_next(&port->sessions, &it, NULL, &value);)
		session_end(value);
	map_deinit(&port->sessions, NULL);
	free(port);
}

struct udp *udp_new(struct worker *worker)
{
	struct udp *udp = xcalloc(1, sizeof(*udp));

	udp->worker = worker;
	list_init(&udp->unproven);
	list_init(&udp->proven);
	timer_init(&udp->timer, udp_timeout);
	return udp;
}

void udp_free(struct udp *udp)
{
	if (udp == NULL)
		return;
	assert(udp->count == 0);
	timer_stop(udp->worker->loop, &udp->timer);
	free(udp);
}
