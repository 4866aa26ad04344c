/* Streams of a real worker: TCP and TLS joined to backends that the test plays itself. */
#include "rig.h"

#include "base/own.h"
#include "dataplane/binding.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE 20 /* seconds */

/* ---- backends and rules ---- */

static struct sock_addr local_addr(int fd)
{
	struct sock_addr addr;

	sock_local(fd, &addr);
	return addr;
}

/* A socket that is bound and, when asked for, listens; a bound one refuses connections. */
static int backend_open(bool listens)
{
	static const struct timeval patience = {.tv_sec = PATIENCE};
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (listens)
		assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static int backend_accept(int listener)
{
	static const struct timeval patience = {.tv_sec = PATIENCE};
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		fail_msg("nobody came: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* One rule with one backend of those endpoints, as a vhost. */
static struct vhost *vhost_to(struct rig *rig, const struct backend *like)
{
	struct graveyard *graveyard = plane_graveyard(rig->plane);
	struct backend *backend = backend_new(like);
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

static struct vhost *vhost_at(struct rig *rig, const struct sock_addr *addrs, size_t count)
{
	return vhost_to(rig, &(struct backend){.name = SV("test/backend:1"),
					       .weight = 1,
					       .endpoints = addrs,
					       .endpoint_count = count});
}

struct bed { /* a rig whose only port leads to the test's own backend */
	struct rig rig;
	struct binding *binding;
	struct vhost *vhost;
	int listener;
};

static void bed_serve(struct bed *bed, struct vhost *vhost)
{
	bed->vhost = vhost;
	bed->binding = rig_serve(
		&bed->rig,
		(struct rig_port){
			.listeners = {{.hostname = "", .serves = SERVES_STREAM, .vhost = vhost}},
			.listener_count = 1});
}

static void bed_start(struct bed *bed, const struct plane_limits *limits)
{
	struct sock_addr addr;

	bed->listener = backend_open(true);
	addr = local_addr(bed->listener);
	rig_start(&bed->rig, 1, limits, -1);
	bed_serve(bed, vhost_at(&bed->rig, &addr, 1));
}

static void bed_stop(struct bed *bed)
{
	part_unref(vhost_part(bed->vhost), plane_graveyard(bed->rig.plane));
	rig_wait_metric(&bed->rig, "sallyport_connections_active", 0);
	rig_stop(&bed->rig);
	close(bed->listener);
}

/* ---- ends ---- */

static void expect_reset(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	if (got >= 0 || errno != ECONNRESET)
		fail_msg("no reset: %s", got < 0 ? strerror(errno) : got == 0 ? "FIN" : "bytes");
	close(fd);
}

/* The reset may come before connect() has looked. */
static void expect_refused(const struct binding *binding)
{
	static const struct timeval patience = {.tv_sec = PATIENCE};
	const struct sock_addr *addr = binding_addr(binding);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, &addr->u.any, addr->len) == 0) {
		expect_reset(fd);
		return;
	}
	if (errno != ECONNRESET)
		fail_msg("connect: %s", strerror(errno));
	close(fd);
}

/* ---- TCP ---- */

static void test_server_speaks_first(void **state)
{
	struct bed bed;
	int client, backend;

	(void)state;
	bed_start(&bed, NULL);
	client = rig_connect(bed.binding);
	backend = backend_accept(bed.listener);
	send_text(backend, "220 hello\n");
	expect_text(client, "220 hello\n");
	send_text(client, "HELO\n");
	expect_text(backend, "HELO\n");
	close(client);
	expect_end(backend);
	close(backend);
	bed_stop(&bed);
}

static void test_client_ends_first(void **state)
{
	struct bed bed;
	int client, backend;

	(void)state;
	bed_start(&bed, NULL);
	client = rig_connect(bed.binding);
	send_text(client, "question");
	shutdown(client, SHUT_WR);
	backend = backend_accept(bed.listener);
	expect_text(backend, "question");
	expect_end(backend);
	send_text(backend, "late answer");
	expect_text(client, "late answer");
	close(backend);
	expect_end(client);
	close(client);
	bed_stop(&bed);
}

static void test_backend_ends_first(void **state)
{
	struct bed bed;
	int client, backend;

	(void)state;
	bed_start(&bed, NULL);
	client = rig_connect(bed.binding);
	backend = backend_accept(bed.listener);
	send_text(backend, "bye");
	shutdown(backend, SHUT_WR);
	expect_text(client, "bye");
	expect_end(client);
	send_text(client, "not yet");
	expect_text(backend, "not yet");
	close(client);
	expect_end(backend);
	close(backend);
	bed_stop(&bed);
}

static void reset(int fd)
{
	static const struct linger hard = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

static void test_resets_pass(void **state)
{
	struct bed bed;
	int client, backend;
	char byte;

	(void)state;
	bed_start(&bed, NULL);
	client = rig_connect(bed.binding);
	backend = backend_accept(bed.listener);
	send_text(client, "a");
	expect_text(backend, "a");
	reset(backend);
	expect_reset(client);
	assert_int_equal(rig_metric(&bed.rig, "sallyport_streams_refused_total"), 0);
	client = rig_connect(bed.binding);
	backend = backend_accept(bed.listener);
	send_text(client, "a");
	expect_text(backend, "a");
	reset(client);
	assert_true(recv(backend, &byte, 1, 0) <= 0);
	close(backend);
	bed_stop(&bed);
}

/* ---- nobody reads ---- */

static size_t push(int fd)
{
	static char block[65536];
	size_t total = 0;
	ssize_t sent;

	memset(block, 'x', sizeof(block));
	for (int idle = 0; idle < 20;) {
		sent = send(fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent > 0) {
			total += (size_t)sent;
			idle = 0;
		} else {
			poll(NULL, 0, 5);
			idle++;
		}
		assert_true(total < 64u << 20); /* somebody holds all of that */
	}
	return total;
}

static void pull(int fd, size_t total)
{
	static char block[65536];

	while (total > 0) {
		ssize_t got = recv(fd, block, sizeof(block), 0);

		if (got <= 0)
			fail_msg("%zu bytes did not come: %s", total,
				 got == 0 ? "FIN" : strerror(errno));
		total -= (size_t)got;
	}
}

static void test_nobody_reads(void **state)
{
	struct bed bed;
	int client, backend;
	size_t up, down;

	(void)state;
	bed_start(&bed, NULL);
	client = rig_connect(bed.binding);
	backend = backend_accept(bed.listener);
	up = push(client);
	down = push(backend);
	pull(backend, up);
	pull(client, down);
	close(client);
	expect_end(backend);
	close(backend);
	bed_stop(&bed);
}

/* ---- endpoints ---- */

static void test_next_endpoint(void **state)
{
	struct bed bed = {.listener = backend_open(true)};
	int dead = backend_open(false);
	struct sock_addr addrs[] = {local_addr(dead), local_addr(bed.listener)};

	(void)state;
	rig_start(&bed.rig, 1, NULL, -1);
	bed_serve(&bed, vhost_at(&bed.rig, addrs, 2));
	for (int i = 0; i < 8; i++) {
		int client = rig_connect(bed.binding), backend;

		send_text(client, "x");
		backend = backend_accept(bed.listener);
		expect_text(backend, "x");
		close(client);
		expect_end(backend);
		close(backend);
	}
	assert_int_equal(rig_metric(&bed.rig, "sallyport_streams_refused_total"), 0);
	bed_stop(&bed);
	close(dead);
}

static void test_refused(void **state)
{
	struct bed bed = {.listener = backend_open(false)};
	struct sock_addr addr = local_addr(bed.listener);
	const struct backend backends[] = {
		{.name = SV("dead"), .weight = 1, .endpoints = &addr, .endpoint_count = 1},
		{.name = SV("unresolved"), .weight = 1, .fail_status = 500},
		{.name = SV("nobody"), .weight = 1, .fail_status = 503},
		{.name = SV("weightless"), .endpoints = &addr, .endpoint_count = 1},
	};

	(void)state;
	rig_start(&bed.rig, 1, NULL, -1);
	for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
		bed_serve(&bed, vhost_to(&bed.rig, &backends[i]));
		expect_refused(bed.binding);
		part_unref(vhost_part(bed.vhost), plane_graveyard(bed.rig.plane));
	}
	bed_serve(&bed, vhost_to(&bed.rig, &backends[0]));
	rig_wait_metric(&bed.rig, "sallyport_streams_refused_total", ARRAY_LEN(backends));
	bed_stop(&bed);
}

/* A route that leads back to its own listener ends where it begins. */
static void test_loop(void **state)
{
	struct bed bed = {.listener = backend_open(true)};
	struct sock_addr addr = local_addr(bed.listener);
	struct rig_port port = {.listeners = {{.hostname = "", .serves = SERVES_STREAM}},
				.listener_count = 1};

	(void)state;
	rig_start(&bed.rig, 1, NULL, -1);
	bed_serve(&bed, vhost_at(&bed.rig, &addr, 1));
	part_unref(vhost_part(bed.vhost), plane_graveyard(bed.rig.plane));
	bed.vhost = vhost_at(&bed.rig, binding_addr(bed.binding), 1);
	port.binding = bed.binding;
	port.listeners[0].vhost = bed.vhost;
	rig_publish(&bed.rig, &port, 1, "k");
	expect_refused(bed.binding);
	assert_int_equal(rig_metric(&bed.rig, "sallyport_streams_total"), 1);
	bed_stop(&bed);
}

/* ---- time ---- */

static void test_idle(void **state)
{
	struct plane_limits limits = plane_limits_default;
	struct bed bed;
	int client, backend;

	(void)state;
	limits.tunnel_idle_ms = 150;
	bed_start(&bed, &limits);
	client = rig_connect(bed.binding);
	backend = backend_accept(bed.listener);
	expect_reset(client);
	expect_end(backend);
	close(backend);
	assert_int_equal(rig_metric(&bed.rig, "sallyport_client_timeouts_total"), 1);
	bed_stop(&bed);
}

static void drained(void *arg)
{
	struct rig *rig = arg;

	rig->drained = true;
	loop_stop(rig->loop);
}

/* What runs goes on while a drain lasts. */
static void test_drain(void **state)
{
	struct bed bed;
	int client, backend;

	(void)state;
	bed_start(&bed, NULL);
	client = rig_connect(bed.binding);
	backend = backend_accept(bed.listener);
	plane_drain(bed.rig.plane, drained, &bed.rig);
	send_text(client, "still");
	expect_text(backend, "still");
	send_text(backend, "here");
	expect_text(client, "here");
	close(client);
	expect_end(backend);
	close(backend);
	rig_run_until(&bed.rig, rig_drained);
	bed_stop(&bed);
}

/* But no longer than that. */
static void test_drain_ends(void **state)
{
	struct plane_limits limits = plane_limits_default;
	struct bed bed;
	int client, backend;
	char byte;

	(void)state;
	limits.drain_ms = 100;
	bed_start(&bed, &limits);
	client = rig_connect(bed.binding);
	backend = backend_accept(bed.listener);
	plane_drain(bed.rig.plane, drained, &bed.rig);
	rig_run_until(&bed.rig, rig_drained);
	assert_true(recv(client, &byte, 1, 0) <= 0);
	expect_end(backend);
	close(client);
	close(backend);
	bed_stop(&bed);
}

/* The rule may go while its stream runs. */
static void test_rule_goes(void **state)
{
	struct bed bed;
	struct rig_port port = {.listeners = {{.hostname = "", .serves = SERVES_STREAM}},
				.listener_count = 1};
	int client, backend;

	(void)state;
	bed_start(&bed, NULL);
	client = rig_connect(bed.binding);
	backend = backend_accept(bed.listener);
	part_unref(vhost_part(bed.vhost), plane_graveyard(bed.rig.plane));
	port.binding = bed.binding;
	rig_publish(&bed.rig, &port, 1, "k");
	expect_refused(bed.binding); /* there is no rule any more */
	send_text(client, "on");
	expect_text(backend, "on");
	close(client);
	expect_end(backend);
	close(backend);
	rig_wait_metric(&bed.rig, "sallyport_connections_active", 0);
	rig_stop(&bed.rig);
	close(bed.listener);
}

/* ---- TLS ---- */

struct tls_client {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
};

static struct tls_client tls_open(const struct binding *binding, const char *name)
{
	struct tls_client client = {.fd = rig_connect(binding),
				    .ctx = SSL_CTX_new(TLS_client_method())};

	SSL_CTX_set_verify(client.ctx, SSL_VERIFY_NONE, NULL);
	client.ssl = SSL_new(client.ctx);
	if (name != NULL)
		SSL_set_tlsext_host_name(client.ssl, name);
	SSL_set_alpn_protos(client.ssl, (const unsigned char *)"\004mqtt", 5);
	SSL_set_fd(client.ssl, client.fd);
	return client;
}

static void tls_close(struct tls_client *client)
{
	SSL_free(client->ssl);
	SSL_CTX_free(client->ctx);
	close(client->fd);
}

struct tls_bed {
	struct rig rig;
	struct binding *binding;
	struct cert *cert;
	struct vhost *inner, *outer;
	int inner_fd,
		outer_fd; /* listeners: behind TLS that ended here, and behind TLS passed on */
};

/* "in.test" ends here, "out.test" passes through, "web.test" is HTTPS: on one port. */
static void tls_start(struct tls_bed *bed, const struct plane_limits *limits)
{
	struct sock_addr inner, outer;
	struct rig_port port = {.tls = true, .listener_count = 3};

	bed->inner_fd = backend_open(true);
	bed->outer_fd = backend_open(true);
	inner = local_addr(bed->inner_fd);
	outer = local_addr(bed->outer_fd);
	rig_start(&bed->rig, 1, limits, -1);
	bed->cert = rig_cert("in.test");
	bed->inner = vhost_at(&bed->rig, &inner, 1);
	bed->outer = vhost_at(&bed->rig, &outer, 1);
	port.listeners[0] = (struct rig_listener){.hostname = "in.test",
						  .serves = SERVES_STREAM,
						  .vhost = bed->inner,
						  .cert = bed->cert};
	port.listeners[1] = (struct rig_listener){
		.hostname = "out.test", .serves = SERVES_PASSTHROUGH, .vhost = bed->outer};
	port.listeners[2] = (struct rig_listener){.hostname = "web.test"};
	bed->binding = rig_serve(&bed->rig, port);
}

static void tls_stop(struct tls_bed *bed)
{
	struct graveyard *graveyard = plane_graveyard(bed->rig.plane);

	part_unref(vhost_part(bed->inner), graveyard);
	part_unref(vhost_part(bed->outer), graveyard);
	part_unref(&bed->cert->part, graveyard);
	rig_wait_metric(&bed->rig, "sallyport_connections_active", 0);
	rig_stop(&bed->rig);
	close(bed->inner_fd);
	close(bed->outer_fd);
}

static void test_terminated(void **state)
{
	struct tls_bed bed;
	struct tls_client client;
	char text[8] = "";
	int backend;

	(void)state;
	tls_start(&bed, NULL);
	client = tls_open(bed.binding, "in.test");
	assert_int_equal(SSL_connect(client.ssl), 1);
	backend = backend_accept(bed.inner_fd);
	assert_int_equal(SSL_write(client.ssl, "plain", 5), 5);
	expect_text(backend, "plain");
	SSL_shutdown(client.ssl);
	expect_end(backend);
	send_text(backend, "late");
	close(backend);
	assert_int_equal(SSL_read(client.ssl, text, sizeof(text)), 4);
	assert_string_equal(text, "late");
	assert_true(SSL_read(client.ssl, text, sizeof(text)) <= 0);
	assert_int_equal(SSL_get_shutdown(client.ssl) & SSL_RECEIVED_SHUTDOWN,
			 SSL_RECEIVED_SHUTDOWN);
	tls_close(&client);
	tls_stop(&bed);
}

/* The backend gets the ClientHello as the client sent it, whatever pieces it came in. */
static void test_passed_through(void **state)
{
	struct tls_bed bed;
	struct tls_client probe;
	BIO *memory = BIO_new(BIO_s_mem());
	char *hello, *got;
	int client, backend;
	long len;

	(void)state;
	tls_start(&bed, NULL);
	probe = tls_open(bed.binding, "out.test");
	SSL_set_bio(probe.ssl, BIO_new(BIO_s_mem()), memory);
	assert_int_equal(SSL_connect(probe.ssl), -1);
	len = BIO_get_mem_data(memory, &hello);
	client = rig_connect(bed.binding);
	assert_int_equal(send(client, hello, 10, 0), 10);
	assert_int_equal(send(client, hello + 10, (size_t)len - 10, 0), len - 10);
	backend = backend_accept(bed.outer_fd);
	got = xmalloc((size_t)len);
	assert_int_equal(recv(backend, got, (size_t)len, MSG_WAITALL), len);
	assert_memory_equal(got, hello, (size_t)len);
	send_text(backend, "any answer");
	expect_text(client, "any answer");
	free(got);
	close(client);
	expect_end(backend);
	close(backend);
	tls_close(&probe);
	tls_stop(&bed);
}

static void test_other_names(void **state)
{
	static const char *const names[] = {"web.test", "none.test", NULL};
	struct tls_bed bed;

	(void)state;
	tls_start(&bed, NULL);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct tls_client client = tls_open(bed.binding, names[i]);
		int result = SSL_connect(client.ssl);

		/* Without a name the only certificate is shown, and ALPN finds nothing in common
		 * with HTTP. */
		assert_true(result <= 0);
		tls_close(&client);
	}
	assert_int_equal(rig_metric(&bed.rig, "sallyport_streams_total"), 0);
	tls_stop(&bed);
}

static void test_no_hello(void **state)
{
	struct tls_bed bed;
	int client;
	char byte;

	(void)state;
	tls_start(&bed, NULL);
	client = rig_connect(bed.binding);
	send_text(client, "GET / HTTP/1.1\r\n\r\n");
	assert_true(recv(client, &byte, 1, 0) <= 0);
	close(client);
	client = rig_connect(bed.binding);
	send_text(client, "\x16\x03\x01");
	shutdown(client, SHUT_WR);
	assert_true(recv(client, &byte, 1, 0) <= 0);
	close(client);
	assert_int_equal(rig_metric(&bed.rig, "sallyport_tls_handshake_failures_total"), 2);
	tls_stop(&bed);
}

static void test_slow_hello(void **state)
{
	struct plane_limits limits = plane_limits_default;
	struct tls_bed bed;
	int client;
	char byte;

	(void)state;
	limits.tls_handshake_ms = 1000;
	tls_start(&bed, &limits);
	client = rig_connect(bed.binding);
	send_text(client, "\x16\x03\x01");
	assert_int_equal(recv(client, &byte, 1, 0), 0);
	close(client);
	tls_stop(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_speaks_first),
		cmocka_unit_test(test_client_ends_first),
		cmocka_unit_test(test_backend_ends_first),
		cmocka_unit_test(test_resets_pass),
		cmocka_unit_test(test_nobody_reads),
		cmocka_unit_test(test_next_endpoint),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_drain_ends),
		cmocka_unit_test(test_rule_goes),
		cmocka_unit_test(test_terminated),
		cmocka_unit_test(test_passed_through),
		cmocka_unit_test(test_other_names),
		cmocka_unit_test(test_no_hello),
		cmocka_unit_test(test_slow_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
