/* Datagrams through a real worker, to backends that the test plays itself. */
#include "rig.h"

#include "base/own.h"
#include "dataplane/binding.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 20000

/* ---- sockets ---- */

static struct sock_addr local_addr(int fd)
{
	struct sock_addr addr;

	sock_local(fd, &addr);
	return addr;
}

static int datagram_socket(void)
{
	static const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* A client takes answers from nobody but the address that it writes to. */
static int client_at(const char *ip, uint16_t port)
{
	struct sock_addr addr;
	int fd = datagram_socket();

	assert_true(sock_addr_ip(&addr, sv_from(ip), port));
	assert_int_equal(connect(fd, &addr.u.any, addr.len), 0);
	return fd;
}

static void put(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

static void get(int fd, const char *text)
{
	char got[256] = "";
	ssize_t len = recv(fd, got, sizeof(got) - 1, 0);

	if (len < 0)
		fail_msg("no datagram but %s, instead of '%s'", strerror(errno), text);
	assert_string_equal(got, text);
}

/* What came to the backend, and from which address. */
static struct sock_addr heard(int backend, const char *text)
{
	struct sock_addr from = {.len = sizeof(from.u)};
	char got[256] = "";
	ssize_t len = recvfrom(backend, got, sizeof(got) - 1, 0, &from.u.any, &from.len);

	if (len < 0)
		fail_msg("no datagram but %s, instead of '%s'", strerror(errno), text);
	assert_string_equal(got, text);
	return from;
}

static void reply(int backend, const struct sock_addr *to, const char *text)
{
	assert_int_equal(sendto(backend, text, strlen(text), 0, &to->u.any, to->len), strlen(text));
}

/* ---- a rig with one port of UDP ---- */

struct bed {
	struct rig rig;
	struct binding *binding;
	uint16_t port;
	int backend;
};

static struct vhost *vhost_at(struct rig *rig, const struct sock_addr *addrs, size_t count)
{
	struct graveyard *graveyard = plane_graveyard(rig->plane);
	struct backend *backend = backend_new(&(struct backend){.name = SV("test/backend:1"),
								.weight = 1,
								.endpoints = addrs,
								.endpoint_count = count});
	struct rule *rule = rule_new(&(struct rule){
		.name = SV("test/rule/0"), .backends = &backend, .backend_count = 1});
	struct match_spec spec = {.path_type = MATCH_PREFIX,
				  .path = SV("/"),
				  .route_key = SV("test/r"),
				  .rule = rule};
	struct err err;
	struct vhost *vhost = vhost_new(&spec, 1, &err);

	assert_non_null(vhost);
	part_unref(&backend->part, graveyard);
	part_unref(&rule->part, graveyard);
	return vhost;
}

static void bed_publish(struct bed *bed, const struct sock_addr *addrs, size_t count)
{
	struct vhost *vhost = vhost_at(&bed->rig, addrs, count);
	struct rig_port port = {
		.binding = bed->binding,
		.listeners = {{.hostname = "", .serves = SERVES_DATAGRAM, .vhost = vhost}},
		.listener_count = 1};

	rig_publish(&bed->rig, &port, 1, "k");
	part_unref(vhost_part(vhost), plane_graveyard(bed->rig.plane));
}

static void bed_bind(struct bed *bed, const char *ip)
{
	struct sock_addr addr;
	struct err err;

	assert_true(sock_addr_ip(&addr, sv_from(ip), 0));
	bed->binding = plane_bind_udp(bed->rig.plane, &addr, &err);
	if (bed->binding == NULL)
		fail_msg("%s", err.msg);
	bed->port = sock_addr_port(binding_addr(bed->binding));
}

static void bed_start_at(struct bed *bed, const struct plane_limits *limits, const char *ip)
{
	struct sock_addr addr;

	bed->backend = datagram_socket();
	addr = local_addr(bed->backend);
	rig_start(&bed->rig, 1, limits, -1);
	bed_bind(bed, ip);
	bed_publish(bed, &addr, 1);
}

static void bed_start(struct bed *bed, const struct plane_limits *limits)
{
	bed_start_at(bed, limits, "127.0.0.1");
}

static void bed_stop(struct bed *bed)
{
	rig_stop(&bed->rig);
	close(bed->backend);
}

/* ---- tests ---- */

static void test_two_clients(void **state)
{
	struct bed bed;
	struct sock_addr first, second, again;
	int one, two;

	(void)state;
	bed_start(&bed, NULL);
	one = client_at("127.0.0.1", bed.port);
	two = client_at("127.0.0.1", bed.port);
	put(one, "one");
	first = heard(bed.backend, "one");
	put(two, "two");
	second = heard(bed.backend, "two");
	assert_false(sock_addr_eq(&first, &second));
	reply(bed.backend, &second, "to two");
	reply(bed.backend, &first, "to one");
	get(one, "to one");
	get(two, "to two");
	put(one, "more");
	again = heard(bed.backend, "more");
	assert_true(sock_addr_eq(&first, &again));
	assert_int_equal(rig_metric(&bed.rig, "sallyport_udp_sessions_total"), 2);
	close(one);
	close(two);
	bed_stop(&bed);
}

static void test_answers_leave_from_where_asked(void **state)
{
	static const char *const addresses[] = {"127.0.0.1", "127.77.4.9"};
	struct bed bed;

	(void)state;
	bed_start_at(&bed, NULL, "0.0.0.0");
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		int client = client_at(addresses[i], bed.port);
		struct sock_addr from;

		put(client, "where");
		from = heard(bed.backend, "where");
		reply(bed.backend, &from, addresses[i]);
		get(client, addresses[i]);
		close(client);
	}
	bed_stop(&bed);
}

static void test_sizes(void **state)
{
	static char large[60000], got[sizeof(large) + 1];
	struct bed bed;
	struct sock_addr from = {.len = sizeof(from.u)};
	int client;

	(void)state;
	memset(large, 'l', sizeof(large));
	bed_start(&bed, NULL);
	client = client_at("127.0.0.1", bed.port);
	assert_int_equal(send(client, large, sizeof(large), 0), sizeof(large));
	assert_int_equal(recvfrom(bed.backend, got, sizeof(got), 0, &from.u.any, &from.len),
			 sizeof(large));
	assert_int_equal(sendto(bed.backend, large, sizeof(large), 0, &from.u.any, from.len),
			 sizeof(large));
	assert_int_equal(recv(client, got, sizeof(got), 0), sizeof(large));
	assert_int_equal(send(client, "", 0, 0), 0);
	assert_int_equal(recv(bed.backend, got, sizeof(got), 0), 0);
	close(client);
	bed_stop(&bed);
}

/* Nobody but the endpoint gets through to the client. */
static void test_strangers(void **state)
{
	struct bed bed;
	struct sock_addr from;
	int client, stranger = datagram_socket();

	(void)state;
	bed_start(&bed, NULL);
	client = client_at("127.0.0.1", bed.port);
	put(client, "hello");
	from = heard(bed.backend, "hello");
	(void)sendto(stranger, "forged", 6, 0, &from.u.any, from.len);
	reply(bed.backend, &from, "right");
	get(client, "right");
	close(stranger);
	close(client);
	bed_stop(&bed);
}

/* A session ends when its client is silent, however much the backend says. */
static void test_silence(void **state)
{
	struct plane_limits limits = plane_limits_default;
	struct bed bed;
	struct sock_addr from;
	int client, left = PATIENCE_MS / 5;

	(void)state;
	limits.udp_idle_ms = 150;
	bed_start(&bed, &limits);
	client = client_at("127.0.0.1", bed.port);
	put(client, "subscribe");
	from = heard(bed.backend, "subscribe");
	while (rig_metric(&bed.rig, "sallyport_udp_sessions_active") > 0) {
		(void)sendto(bed.backend, "news", 4, 0, &from.u.any, from.len);
		poll(NULL, 0, 5);
		assert_true(--left > 0);
	}
	put(client, "again");
	(void)heard(bed.backend, "again");
	assert_int_equal(rig_metric(&bed.rig, "sallyport_udp_sessions_total"), 2);
	close(client);
	bed_stop(&bed);
}

/* Who only writes makes room for others; who answers to answers does not. */
static void test_limit(void **state)
{
	struct plane_limits limits = plane_limits_default;
	struct bed bed;
	int clients[4];

	(void)state;
	limits.udp_sessions = 2;
	bed_start(&bed, &limits);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		struct sock_addr from;

		clients[i] = client_at("127.0.0.1", bed.port);
		put(clients[i], "first");
		if (i == 3)
			break;
		from = heard(bed.backend, "first");
		if (i == 0)
			continue; /* stays unproven */
		reply(bed.backend, &from, "answer");
		get(clients[i], "answer");
		put(clients[i], "second");
		(void)heard(bed.backend, "second");
	}
	rig_wait_metric(&bed.rig, "sallyport_udp_dropped_total", 1);
	assert_int_equal(rig_metric(&bed.rig, "sallyport_udp_sessions_total"), 3);
	assert_int_equal(rig_metric(&bed.rig, "sallyport_udp_sessions_active"), 2);
	put(clients[1], "still here");
	(void)heard(bed.backend, "still here");
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	bed_stop(&bed);
}

/* Nobody is behind one of the endpoints: what is sent again arrives. */
static void test_next_endpoint(void **state)
{
	struct bed bed;
	struct sock_addr addrs[2];
	int client, dead = datagram_socket();
	struct pollfd waiting;

	(void)state;
	bed_start(&bed, NULL);
	addrs[0] = local_addr(dead);
	addrs[1] = local_addr(bed.backend);
	close(dead);
	bed_publish(&bed, addrs, 2);
	waiting = (struct pollfd){.fd = bed.backend, .events = POLLIN};
	for (int i = 0; i < 8; i++) {
		int left = PATIENCE_MS / 20;

		client = client_at("127.0.0.1", bed.port);
		do {
			put(client, "anybody");
			assert_true(--left > 0);
		} while (poll(&waiting, 1, 20) == 0);
		close(client);
		while (poll(&waiting, 1, 0) > 0)
			(void)heard(bed.backend, "anybody");
	}
	bed_stop(&bed);
}

static void test_loop(void **state)
{
	struct bed bed;
	int client;

	(void)state;
	bed_start(&bed, NULL);
	bed_publish(&bed, binding_addr(bed.binding), 1);
	client = client_at("127.0.0.1", bed.port);
	put(client, "round");
	rig_wait_metric(&bed.rig, "sallyport_udp_dropped_total", 1);
	assert_int_equal(rig_metric(&bed.rig, "sallyport_udp_sessions_total"), 0);
	close(client);
	bed_stop(&bed);
}

/* With the port its sessions go. */
static void test_port_goes(void **state)
{
	struct bed bed;
	int client;

	(void)state;
	bed_start(&bed, NULL);
	client = client_at("127.0.0.1", bed.port);
	put(client, "a");
	(void)heard(bed.backend, "a");
	rig_publish(&bed.rig, NULL, 0, "k");
	rig_wait_metric(&bed.rig, "sallyport_udp_sessions_active", 0);
	close(client);
	bed_stop(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_clients),
		cmocka_unit_test(test_answers_leave_from_where_asked),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_next_endpoint),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_port_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
