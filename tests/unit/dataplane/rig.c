#include "rig.h"

#include "base/own.h"
#include "dataplane/binding.h"
#include "dataplane/conn.h"
#include "dataplane/transport.h"
#include "dataplane/worker.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 20000

/* ---- the codec ---- */

static _Atomic size_t most_pending;

size_t rig_most_pending(void)
{
	return atomic_load(&most_pending);
}

struct echo {
	struct conn *conn;
	uint64_t to_send, to_sink;
	struct task nudge;
	bool stalled, nudged;
};

static void echo_note(struct echo *echo)
{
	size_t pending = conn_pending(echo->conn);

	if (pending > atomic_load(&most_pending))
		atomic_store(&most_pending, pending);
}

static void echo_nudge(struct task *task)
{
	struct conn *conn = CONTAINER_OF(task, struct echo, nudge)->conn;

	conn->watch.ready(&conn->watch, LOOP_WRITE);
}

static void echo_open(struct conn *conn)
{
	struct echo *echo = xcalloc(1, sizeof(*echo));

	echo->conn = conn;
	task_init(&echo->nudge, echo_nudge);
	conn->codec = echo;
	conn_deadline(conn, conn->worker->config->limits.keepalive_idle_ms);
}

static void echo_produce(struct echo *echo)
{
	static const char block[10000] = "block";

	while (echo->to_send > 0 && !conn_full(echo->conn)) {
		size_t len = echo->to_send < sizeof(block) ? echo->to_send : sizeof(block);

		conn_write(echo->conn, sv_new(block, len));
		echo->to_send -= len;
		echo_note(echo);
	}
	if (echo->to_send == 0 && echo->conn->draining)
		conn_close(echo->conn);
}

static void echo_log(struct conn *conn)
{
	struct exchange ex = {.conn = conn,
			      .proto = conn->proto,
			      .status = 200,
			      .started_ms = loop_now(conn->worker->loop)};

	access_write(conn->worker->access, &ex);
	conn_write(conn, SV("logged\n"));
}

static void echo_line(struct echo *echo, struct str_view line)
{
	struct conn *conn = echo->conn;
	char text[400];

	if (sv_starts(line, SV("echo "))) {
		conn_write(conn, sv_skip(line, 5));
		conn_write(conn, SV("\n"));
	} else if (sv_eq(line, SV("info"))) {
		snprintf(text, sizeof(text), "%s sni=%.*s\n", conn->proto->name,
			 SV_ARG(conn_sni(conn)));
		conn_write(conn, sv_from(text));
	} else if (sv_starts(line, SV("big "))) {
		sv_to_u64(sv_skip(line, 4), &echo->to_send);
		echo_produce(echo);
	} else if (sv_starts(line, SV("sink "))) {
		sv_to_u64(sv_skip(line, 5), &echo->to_sink);
	} else if (sv_eq(line, SV("close"))) {
		conn_write(conn, SV("bye\n"));
		conn_close(conn);
	} else if (sv_eq(line, SV("abort"))) {
		conn_abort(conn);
	} else if (sv_eq(line, SV("token"))) {
		worker_challenge_fetched(conn->worker, SV("the-token"));
		conn_write(conn, SV("told\n"));
	} else if (sv_eq(line, SV("log"))) {
		echo_log(conn);
	} else if (sv_eq(line, SV("stall"))) {
		echo->stalled = true;
	} else if (sv_eq(line, SV("nudge"))) {
		echo->nudged = true;
	} else {
		conn_write(conn, SV("?\n"));
	}
}

static void echo_sink(struct echo *echo)
{
	size_t len = conn_input(echo->conn).len;

	len = len < echo->to_sink ? len : echo->to_sink;
	conn_consume(echo->conn, len);
	echo->to_sink -= len;
	if (echo->to_sink == 0)
		conn_write(echo->conn, SV("sunk\n"));
}

static void echo_take(struct echo *echo)
{
	while (conn_input(echo->conn).len > 0 && !echo->stalled) {
		struct str_view input = conn_input(echo->conn);
		size_t end;

		if (echo->to_sink > 0) {
			echo_sink(echo);
			continue;
		}
		if (echo->to_send > 0)
			return;
		end = sv_find(input, '\n');
		if (end == SV_NOT_FOUND)
			return;
		echo_line(echo, sv_head(input, end));
		if (echo->conn->state == CONN_SERVING)
			conn_consume(echo->conn, end + 1);
		else
			return;
	}
}

static void echo_input(struct conn *conn)
{
	struct echo *echo = conn->codec;

	for (;;) {
		enum conn_io io;

		if (echo->stalled || echo->to_send > 0)
			return;
		io = conn_fill(conn);
		if (io == IO_AGAIN) {
			if (echo->nudged)
				task_defer(conn->worker->loop, &echo->nudge);
			return;
		}
		conn_deadline(conn, conn->worker->config->limits.keepalive_idle_ms);
		echo_take(echo);
		if (io == IO_ERROR)
			conn_abort(conn);
		else if (io == IO_EOF)
			conn_close(conn);
		if (io != IO_OK)
			return;
	}
}

static void echo_drained(struct conn *conn)
{
	struct echo *echo = conn->codec;

	echo_produce(echo);
	if (echo->to_send == 0 && conn->state == CONN_SERVING) {
		echo_take(echo);
		echo_input(conn);
	}
}

static void echo_timeout(struct conn *conn)
{
	conn_write(conn, SV("late\n"));
	conn_close(conn);
}

static void echo_drain(struct conn *conn)
{
	struct echo *echo = conn->codec;

	if (echo->to_send == 0 && !echo->stalled)
		conn_close(conn);
}

static void echo_closed(struct conn *conn)
{
	struct echo *echo = conn->codec;

	task_cancel(&echo->nudge);
	free(echo);
	conn->codec = NULL;
}

#define ECHO_CALLS                                                                                \
	.open = echo_open, .input = echo_input, .drained = echo_drained, .timeout = echo_timeout, \
	.drain = echo_drain, .closed = echo_closed

static const struct transport echo_h1 = {.name = "one", ECHO_CALLS};
static const struct transport echo_h2 = {.name = "two", ECHO_CALLS};

/* ---- the plane ---- */

static void on_acknowledged(void *arg, uint64_t generation)
{
	struct rig *rig = arg;

	rig->acknowledged = generation;
}

static void on_token(void *arg, struct str_view token)
{
	struct rig *rig = arg;

	assert_true(sv_eq(token, SV("the-token")));
	rig->tokens++;
}

void rig_start(struct rig *rig, unsigned workers, const struct plane_limits *limits, int access_fd)
{
	static const struct plane_codecs codecs = {.h1 = &echo_h1, .h2 = &echo_h2};
	struct plane_config config = {
		.workers = workers,
		.limits = limits == NULL ? plane_limits_default : *limits,
		.access_fd = access_fd,
		.acknowledged = on_acknowledged,
		.challenge_fetched = on_token,
		.arg = rig,
	};
	struct err err;

	*rig = (struct rig){.loop = loop_new(&err)};
	assert_non_null(rig->loop);
	config.loop = rig->loop;
	atomic_store(&most_pending, 0);
	rig->plane = plane_start_with(&config, &codecs, &err);
	if (rig->plane == NULL)
		fail_msg("%s", err.msg);
}

void rig_stop(struct rig *rig)
{
	plane_free(rig->plane);
	loop_free(rig->loop);
}

/* ---- turns of the control loop until something holds ---- */

struct waiting {
	struct loop_hook hook;
	struct timer timer;
	struct rig *rig;
	bool (*done)(struct rig *rig);
};

static void waiting_hook(struct loop_hook *self)
{
	struct waiting *waiting = CONTAINER_OF(self, struct waiting, hook);

	if (waiting->done(waiting->rig))
		loop_stop(waiting->rig->loop);
}

static void waiting_timeout(struct timer *self)
{
	struct waiting *waiting = CONTAINER_OF(self, struct waiting, timer);

	waiting->rig->timed_out = true;
	loop_stop(waiting->rig->loop);
}

void rig_run_until(struct rig *rig, bool (*done)(struct rig *rig))
{
	struct waiting waiting = {.rig = rig, .done = done, .hook.turn_end = waiting_hook};

	if (done(rig))
		return;
	timer_init(&waiting.timer, waiting_timeout);
	timer_in(rig->loop, &waiting.timer, PATIENCE_MS);
	loop_hook_add(rig->loop, &waiting.hook);
	loop_run(rig->loop);
	loop_hook_remove(&waiting.hook);
	timer_stop(rig->loop, &waiting.timer);
	assert_false(rig->timed_out);
}

static bool newest_runs(struct rig *rig)
{
	return rig->acknowledged == plane_graveyard(rig->plane)->newest;
}

bool rig_drained(struct rig *rig)
{
	return rig->drained;
}

struct binding *rig_bind(struct rig *rig, uint16_t port)
{
	struct sock_addr addr;
	struct err err;
	struct binding *binding;

	assert_true(sock_addr_ip(&addr, SV("127.0.0.1"), port));
	binding = plane_bind(rig->plane, &addr, &err);
	if (binding == NULL)
		fail_msg("%s", err.msg);
	return binding;
}

static struct snap_listener *listener_make(const struct rig_listener *like, bool tls)
{
	struct cert *certs[] = {like->cert};
	struct vhost *vhosts[] = {like->vhost};
	struct str_view host = sv_from(like->hostname);
	char name[300];

	snprintf(name, sizeof(name), "test/gw/%s", like->hostname);
	return snap_listener_new(&(struct snap_listener){.name = sv_from(name),
							 .hostname = sv_from(like->hostname),
							 .tls = tls,
							 .serves = like->serves,
							 .vhosts = vhosts,
							 .vhost_hosts = &host,
							 .vhost_count = like->vhost == NULL ? 0 : 1,
							 .certs = certs,
							 .cert_count = like->cert == NULL ? 0 : 1});
}

void rig_publish(struct rig *rig, const struct rig_port *ports, size_t count, const char *key_seeds)
{
	struct graveyard *graveyard = plane_graveyard(rig->plane);
	struct snap_listener *listeners[4][4] = {0};
	struct snap_port snap_ports[4] = {0};
	struct snapshot like = {.ports = snap_ports, .port_count = count};

	for (size_t i = 0; i < count; i++) {
		snap_ports[i] = (struct snap_port){
			.binding = ports[i].binding,
			.port = sock_addr_port(binding_addr(ports[i].binding)),
			.tls = ports[i].tls,
			.listeners = listeners[i],
			.listener_count = ports[i].listener_count,
		};
		for (size_t j = 0; j < ports[i].listener_count; j++)
			listeners[i][j] = listener_make(&ports[i].listeners[j], ports[i].tls);
	}
	for (size_t i = 0; key_seeds[i] != '\0'; i++) {
		memset(&like.ticket_keys[i], key_seeds[i], sizeof(like.ticket_keys[i]));
		like.ticket_keys[i].set = true;
	}
	plane_publish(rig->plane, snapshot_new(&like));
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < ports[i].listener_count; j++)
			part_unref(&listeners[i][j]->part, graveyard);
	}
	rig_run_until(rig, newest_runs);
}

struct binding *rig_serve(struct rig *rig, struct rig_port port)
{
	if (port.listener_count == 0) {
		port.listeners[0].hostname = "";
		port.listener_count = 1;
	}
	port.binding = rig_bind(rig, 0);
	rig_publish(rig, &port, 1, "k");
	return port.binding;
}

uint64_t rig_metric(struct rig *rig, const char *name)
{
	struct buf text;
	const char *line;
	uint64_t value;
	char key[100];

	buf_init(&text, 1 << 20);
	plane_metrics(rig->plane, &text);
	snprintf(key, sizeof(key), "\n%s ", name);
	line = strstr(buf_cstr(&text), key);
	assert_non_null(line);
	value = strtoull(line + strlen(key), NULL, 10);
	buf_deinit(&text);
	return value;
}

/* Counters of other threads: nothing tells when they change. */
void rig_wait_metric(struct rig *rig, const char *name, uint64_t value)
{
	for (int i = 0; i < PATIENCE_MS / 5; i++) {
		if (rig_metric(rig, name) == value)
			return;
		poll(NULL, 0, 5);
	}
	fail_msg("%s is %llu, not %llu", name, (unsigned long long)rig_metric(rig, name),
		 (unsigned long long)value);
}

void rig_wait_at_least(struct rig *rig, const char *name, uint64_t value)
{
	for (int i = 0; i < PATIENCE_MS / 5; i++) {
		if (rig_metric(rig, name) >= value)
			return;
		poll(NULL, 0, 5);
	}
	fail_msg("%s is below %llu", name, (unsigned long long)value);
}

/* ---- certificates ---- */

static void add_name(X509 *x509, const char *name)
{
	char san[300];
	X509_EXTENSION *extension;

	snprintf(san, sizeof(san), "DNS:%s", name);
	extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
	assert_non_null(extension);
	X509_add_ext(x509, extension, -1);
	X509_EXTENSION_free(extension);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x509, X509_get_subject_name(x509));
}

struct cert *rig_cert(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x509 = X509_new();
	unsigned char *der = NULL, *key_der = NULL;
	struct str_view chain, names = sv_from(name);
	PKCS8_PRIV_KEY_INFO *pkcs8;
	struct cert *cert;
	int der_len, key_len;

	X509_set_version(x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
	X509_gmtime_adj(X509_getm_notBefore(x509), -60);
	X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
	X509_set_pubkey(x509, key);
	add_name(x509, name);
	assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
	der_len = i2d_X509(x509, &der);
	pkcs8 = EVP_PKEY2PKCS8(key);
	key_len = i2d_PKCS8_PRIV_KEY_INFO(pkcs8, &key_der);
	assert_true(der_len > 0 && key_len > 0);
	chain = sv_new((const char *)der, (size_t)der_len);
	cert = cert_new(&(struct cert){.name = names,
				       .chain = &chain,
				       .chain_count = 1,
				       .key = sv_new((const char *)key_der, (size_t)key_len),
				       .names = &names,
				       .name_count = 1});
	OPENSSL_free(der);
	OPENSSL_free(key_der);
	PKCS8_PRIV_KEY_INFO_free(pkcs8);
	X509_free(x509);
	EVP_PKEY_free(key);
	return cert;
}

/* ---- clients ---- */

int rig_connect(const struct binding *binding)
{
	static const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	const struct sock_addr *addr = binding_addr(binding);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, &addr->u.any, addr->len) < 0)
		fail_msg("connect: %s", strerror(errno));
	return fd;
}

void send_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

void expect_text(int fd, const char *text)
{
	char got[512] = "";
	size_t len = 0, want = strlen(text);

	while (len < want) {
		ssize_t part = recv(fd, got + len, want - len, 0);

		if (part <= 0)
			fail_msg("got '%s', then %s, instead of '%s'", got,
				 part == 0 ? "the end" : strerror(errno), text);
		len += (size_t)part;
	}
	assert_string_equal(got, text);
}

void expect_end(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	if (got != 0)
		fail_msg("no end: %s", got < 0 ? strerror(errno) : "more bytes");
}

void expect_bytes(int fd, size_t len)
{
	char block[65536];

	while (len > 0) {
		ssize_t part = recv(fd, block, len < sizeof(block) ? len : sizeof(block), 0);

		if (part <= 0)
			fail_msg("%zu bytes missing: %s", len, strerror(errno));
		len -= (size_t)part;
	}
}
