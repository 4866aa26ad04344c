/* loop/dns_channel.c - c-ares on the loop: its sockets, its time-outs, its servers */
#include "loop/dns_channel.h"

#include "base/own.h"
#include "loop/dns.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define TRY_MS      1500 /* for the first answer of a server; the second try waits twice that */
#define TRIES       2
#define SERVERS_MAX 16 /* that --dns-servers may name */
#define DNS_PORT    53

struct dns_sock { /* a socket of c-ares */
	struct loop_fd watch;
	struct dns_channel *channel;
	struct list link; /* in socks */
};

/* ---- sockets and time-outs ---- */

void dns_channels_arm(struct dns_channels *channels)
{
	struct timeval lefts[CHANNEL_COUNT];
	struct timeval *left = NULL;

	for (size_t i = 0; i < CHANNEL_COUNT; i++)
		left = ares_timeout(channels->of[i].ares, left, &lefts[i]); /* the shorter one */
	if (left == NULL)
		timer_stop(channels->loop, &channels->retry);
	else
		timer_in(channels->loop, &channels->retry,
			 (int64_t)left->tv_sec * 1000 + left->tv_usec / 1000 + 1);
}

static void sock_ready(struct loop_fd *self, unsigned events)
{
	struct dns_sock *sock = CONTAINER_OF(self, struct dns_sock, watch);
	struct dns_channels *channels = sock->channel->all;
	int fd = self->fd;

	/* Both may end the socket, and with it sock. */
	ares_process_fd(sock->channel->ares,
			(events & (LOOP_READ | LOOP_GONE)) != 0 ? fd : ARES_SOCKET_BAD,
			(events & LOOP_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
	dns_channels_arm(channels);
}

static void retry(struct timer *self)
{
	struct dns_channels *channels = CONTAINER_OF(self, struct dns_channels, retry);

	for (size_t i = 0; i < CHANNEL_COUNT; i++)
		ares_process_fd(channels->of[i].ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	dns_channels_arm(channels);
}

static struct dns_sock *find_sock(struct dns_channels *channels, int fd)
{
	LIST_EACH(&channels->socks, node)
	{
		struct dns_sock *sock = LIST_ENTRY(node, struct dns_sock, link);

		if (sock->watch.fd == fd)
			return sock;
	}
	return NULL;
}

static void forget_sock(struct dns_sock *sock)
{
	loop_remove(sock->channel->all->loop, &sock->watch);
	list_remove(&sock->link);
	free(sock);
}

/* c-ares tells what it wants to know of a socket; nothing: it is about to close it. */
static void sock_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns_channel *channel = arg;
	struct dns_channels *channels = channel->all;
	struct dns_sock *sock = find_sock(channels, fd);
	unsigned events = (readable ? LOOP_READ : 0u) | (writable ? LOOP_WRITE : 0u);

	if (events == 0) {
		if (sock != NULL)
			forget_sock(sock);
		return;
	}
	if (sock != NULL) {
		loop_change(channels->loop, &sock->watch, events);
		return;
	}
	sock = xcalloc(1, sizeof(*sock));
	sock->channel = channel;
	sock->watch = (struct loop_fd){.fd = fd, .ready = sock_ready};
	list_append(&channels->socks, &sock->link);
	if (loop_add(channels->loop, &sock->watch, events, NULL) < 0)
		forget_sock(sock); /* the question ends by its time-out */
}

/* ---- servers ---- */

/* The servers of the flag, as c-ares wants them: a chain in nodes; -1: one is no address. */
static int parse_servers(struct ares_addr_port_node nodes[SERVERS_MAX], const char *servers,
			 struct err *err)
{
	struct str_view rest = sv_from(servers);
	size_t count = 0;

	memset(nodes, 0, SERVERS_MAX * sizeof(*nodes));

	while (rest.data != NULL) {
		struct str_view text = sv_trim(sv_split(&rest, ','));
		struct ares_addr_port_node *node = &nodes[count];
		struct sock_addr addr;

		if (count == SERVERS_MAX)
			return err_set(err, ERR_LIMIT, "name servers: at most %d may be given",
				       SERVERS_MAX);
		if (!sock_addr_parse(&addr, text, DNS_PORT) || sock_addr_port(&addr) == 0)
			return err_set(err, ERR_INVALID,
				       "name server \"%.*s\" is no address; write for example "
				       "192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53",
				       SV_ARG(sv_head(text, 200)));
		node->family = addr.u.any.sa_family;
		node->udp_port = node->tcp_port = sock_addr_port(&addr);
		if (node->family == AF_INET)
			memcpy(&node->addr.addr4, &addr.u.v4.sin_addr, sizeof(node->addr.addr4));
		else
			memcpy(&node->addr.addr6, &addr.u.v6.sin6_addr, sizeof(node->addr.addr6));
		if (count > 0)
			nodes[count - 1].next = node;
		count++;
	}
	return 0;
}

int dns_servers_check(const char *servers, struct err *err)
{
	struct ares_addr_port_node nodes[SERVERS_MAX];

	return parse_servers(nodes, servers, err);
}

static int set_servers(ares_channel channel, const char *servers, struct err *err)
{
	struct ares_addr_port_node nodes[SERVERS_MAX];

	if (parse_servers(nodes, servers, err) < 0)
		return -1;
	if (ares_set_servers_ports(channel, nodes) != ARES_SUCCESS)
		return err_set(err, ERR_IO, "name servers \"%s\" cannot be used", servers);
	return 0;
}

size_t dns_channels_servers(const struct dns_channels *channels, struct sock_addr *out, size_t max)
{
	struct ares_addr_port_node *nodes = NULL;
	size_t count = 0;

	(void)ares_get_servers_ports(channels->of[CHANNEL_PERSISTENT].ares, &nodes);
	for (struct ares_addr_port_node *node = nodes; node != NULL && count < max;
	     node = node->next) {
		char text[INET6_ADDRSTRLEN];
		uint16_t port = node->udp_port == 0 ? DNS_PORT : (uint16_t)node->udp_port;

		if (inet_ntop(node->family, &node->addr, text, sizeof(text)) != NULL &&
		    sock_addr_ip(&out[count], sv_from(text), port))
			count++;
	}
	ares_free_data(nodes);
	return count;
}

/* ---- channels ---- */

/* channel: told of the new one's sockets; *opened takes the place of channel->ares. */
static int open_channel(struct dns_channel *channel, ares_channel *opened, const char *servers,
			struct err *err)
{
	bool literal = channel == &channel->all->of[CHANNEL_LITERAL];
	struct ares_options options = {
		.flags = ARES_FLAG_NOALIASES | (literal ? ARES_FLAG_NOCHECKRESP : 0),
		.timeout = TRY_MS,
		.tries = TRIES,
		.sock_state_cb = sock_state,
		.sock_state_cb_data = channel,
	};
	int status = ares_init_options(opened, &options,
				       ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
					       ARES_OPT_SOCK_STATE_CB);

	if (status != ARES_SUCCESS)
		return err_set(err, ERR_IO, "cannot set up name look-ups: %s",
			       ares_strerror(status));
	if (servers != NULL && set_servers(*opened, servers, err) < 0) {
		ares_destroy(*opened);
		return -1;
	}
	return 0;
}

/* Ends all questions. */
static void close_all(struct dns_channels *channels)
{
	for (size_t i = 0; i < CHANNEL_COUNT; i++) {
		if (channels->of[i].ares != NULL)
			ares_destroy(TAKE(channels->of[i].ares));
	}
}

int dns_channels_open(struct dns_channels *channels, const char *servers, struct err *err)
{
	ares_channel opened[CHANNEL_COUNT];

	for (size_t i = 0; i < CHANNEL_COUNT; i++) {
		if (open_channel(&channels->of[i], &opened[i], servers, err) < 0) {
			while (i-- > 0)
				ares_destroy(opened[i]);
			return -1;
		}
	}
	close_all(channels);
	for (size_t i = 0; i < CHANNEL_COUNT; i++)
		channels->of[i].ares = opened[i];
	return 0;
}

void dns_channels_init(struct dns_channels *channels, struct loop *loop)
{
	*channels = (struct dns_channels){.loop = loop};
	timer_init(&channels->retry, retry);
	list_init(&channels->socks);
	for (size_t i = 0; i < CHANNEL_COUNT; i++)
		channels->of[i].all = channels;
}

void dns_channels_deinit(struct dns_channels *channels)
{
	close_all(channels);
	while (!list_empty(&channels->socks))
		forget_sock(LIST_ENTRY(channels->socks.next, struct dns_sock, link));
	timer_stop(channels->loop, &channels->retry);
}
