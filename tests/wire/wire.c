#include "wire.h"

#include "base/buf.h"
#include "base/own.h"
#include "dataplane/plane.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "loop/sock.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20000 /* a test that waits longer has failed */

struct wire {
	pthread_t control, origin;
	sem_t serving;
	struct loop *loop;
	struct plane *plane;
	struct mailbox *box;
	struct mail stop;
	uint16_t port, origin_port;
	int origin_fd;
	pthread_mutex_t lock; /* of all below */
	struct str_view answer;
	int close;
	struct buf seen;
};

static void must(bool fine, const char *what)
{
	if (fine)
		return;
	perror(what);
	abort();
}

static int listen_loopback(uint16_t *port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && bind(fd, (struct sockaddr *)&addr, len) == 0 && listen(fd, 64) == 0 &&
		     getsockname(fd, (struct sockaddr *)&addr, &len) == 0,
	     "listen");
	*port = ntohs(addr.sin_port);
	return fd;
}

/* ---- the origin: a strict little server that believes Content-Length and chunked, as we send them
 * ---- */

/* Length of the first complete request in text, or 0. */
static size_t request_length(struct str_view text)
{
	size_t head = sv_find_sv(text, SV("\r\n\r\n"));
	struct str_view fields;
	size_t at;

	if (head == SV_NOT_FOUND)
		return 0;
	head += 4;
	fields = sv_head(text, head);
	at = sv_find_sv(fields, SV("transfer-encoding: chunked"));
	if (at != SV_NOT_FOUND) {
		size_t end = sv_find_sv(sv_skip(text, head - 2), SV("\r\n0\r\n\r\n"));

		return end == SV_NOT_FOUND ? 0 : head - 2 + end + 7;
	}
	at = sv_find_sv(fields, SV("content-length: "));
	if (at != SV_NOT_FOUND) {
		size_t length = strtoul(fields.data + at + 16, NULL, 10);

		return text.len < head + length ? 0 : head + length;
	}
	return head;
}

static void origin_serve(struct wire *wire, int fd)
{
	struct buf got;
	ssize_t count;

	buf_init(&got, WIRE_TEXT_MAX);
	for (;;) {
		char *room = buf_room(&got, 65536);
		size_t length;

		must(room != NULL, "origin buffer");
		count = read(fd, room, 65536);
		if (count <= 0)
			break;
		buf_wrote(&got, (size_t)count);
		while ((length = request_length(buf_view(&got))) > 0) {
			int close_after;
			struct str_view answer;

			pthread_mutex_lock(&wire->lock);
			(void)buf_add(&wire->seen, sv_head(buf_view(&got), length));
			answer = wire->answer;
			close_after = wire->close;
			pthread_mutex_unlock(&wire->lock);
			buf_take(&got, length);
			if (write(fd, answer.data, answer.len) < 0 || close_after)
				goto done;
		}
	}
done:
	buf_deinit(&got);
	close(fd);
}

struct served {
	struct wire *wire;
	int fd;
};

static void *origin_conn(void *arg)
{
	struct served served = *(struct served *)arg;

	free(arg);
	origin_serve(served.wire, served.fd);
	return NULL;
}

static void *origin_run(void *arg)
{
	struct wire *wire = arg;

	for (;;) {
		struct served *served;
		pthread_t thread;
		int fd = accept(wire->origin_fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		served = xcalloc(1, sizeof(*served));
		*served = (struct served){.wire = wire, .fd = fd};
		must(pthread_create(&thread, NULL, origin_conn, served) == 0, "thread");
		pthread_detach(thread);
	}
}

/* ---- the plane ---- */

static void acknowledged(void *arg, uint64_t generation)
{
	struct wire *wire = arg;

	if (generation == 1)
		sem_post(&wire->serving);
}

static void fetched(void *arg, struct str_view token)
{
	(void)arg;
	(void)token;
}

static void stop_mail(void *arg, struct mail *mail)
{
	(void)mail;
	loop_stop(((struct wire *)arg)->loop);
}

static struct vhost *make_vhost(struct graveyard *graveyard, const struct sock_addr *to)
{
	static const struct str_view gone[] = {SV_INIT("x-remove")};
	static const struct header_pair set[] = {{SV_INIT("x-set"), SV_INIT("ours")}};
	struct backend like = {
		.name = SV("wire/origin"), .weight = 1, .endpoint_count = 1, .endpoints = to};
	struct backend dead = {.name = SV("wire/none"), .weight = 1, .fail_status = 503};
	struct backend *backend = backend_new(&like), *none = backend_new(&dead);
	struct rule rules[] = {
		{.name = SV("all"), .backend_count = 1, .backends = &backend},
		{.name = SV("denied"),
		 .redirect = {.present = true, .scheme = SV("https"), .status = 301}},
		{.name = SV("dead"), .backend_count = 1, .backends = &none},
		{.name = SV("headers"),
		 .backend_count = 1,
		 .backends = &backend,
		 .request_headers =
			 {.set = set, .set_count = 1, .remove = gone, .remove_count = 1}},
	};
	static const struct str_view paths[] = {SV_INIT("/"), SV_INIT("/denied"), SV_INIT("/dead"),
						SV_INIT("/headers")};
	struct match_spec matches[ARRAY_LEN(rules)];
	struct vhost *vhost;

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		matches[i] = (struct match_spec){
			.path_type = MATCH_PREFIX, .path = paths[i], .rule = rule_new(&rules[i])};
	vhost = vhost_new(matches, ARRAY_LEN(matches), NULL);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		part_unref(&matches[i].rule->part, graveyard);
	part_unref(&backend->part, graveyard);
	part_unref(&none->part, graveyard);
	return vhost;
}

static void publish(struct wire *wire)
{
	struct graveyard *graveyard = plane_graveyard(wire->plane);
	struct sock_addr to, here;
	struct str_view any = SV("");
	struct vhost *vhost;
	struct snap_listener like = {
		.name = SV("wire/http"), .vhost_count = 1, .vhost_hosts = &any};
	struct snap_listener *listener;
	struct snap_port port = {.port = 80, .listener_count = 1};

	must(sock_addr_ip(&to, SV("127.0.0.1"), wire->origin_port) &&
		     sock_addr_ip(&here, SV("127.0.0.1"), wire->port),
	     "address");
	vhost = make_vhost(graveyard, &to);
	like.vhosts = &vhost;
	listener = snap_listener_new(&like);
	part_unref(vhost_part(vhost), graveyard);
	port.listeners = &listener;
	port.binding = plane_bind(wire->plane, &here, NULL);
	must(port.binding != NULL, "bind");
	plane_publish(wire->plane,
		      snapshot_new(&(struct snapshot){.port_count = 1, .ports = &port}));
	part_unref(&listener->part, graveyard);
}

static void *control_run(void *arg)
{
	struct wire *wire = arg;
	struct plane_config config = {.workers = 1,
				      .limits = plane_limits_default,
				      .access_fd = -1,
				      .acknowledged = acknowledged,
				      .challenge_fetched = fetched,
				      .arg = wire};

	wire->loop = config.loop = loop_new(NULL);
	wire->plane = plane_start(&config, NULL);
	wire->box = mailbox_new(wire->loop, stop_mail, wire, NULL);
	must(wire->plane != NULL && wire->box != NULL, "plane");
	publish(wire);
	loop_run(wire->loop);
	mailbox_free(wire->box, NULL);
	plane_free(wire->plane);
	loop_free(wire->loop);
	return NULL;
}

/* ---- outside ---- */

struct wire *wire_start(void)
{
	struct wire *wire = xcalloc(1, sizeof(*wire));
	int probe = listen_loopback(&wire->port); /* a port that is free just now */

	close(probe);
	pthread_mutex_init(&wire->lock, NULL);
	sem_init(&wire->serving, 0, 0);
	buf_init(&wire->seen, WIRE_TEXT_MAX * 4);
	wire_answer(wire, SV("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 0);
	wire->origin_fd = listen_loopback(&wire->origin_port);
	must(pthread_create(&wire->origin, NULL, origin_run, wire) == 0 &&
		     pthread_create(&wire->control, NULL, control_run, wire) == 0,
	     "thread");
	sem_wait(&wire->serving);
	return wire;
}

void wire_stop(struct wire *wire)
{
	mailbox_post(wire->box, &wire->stop);
	pthread_join(wire->control, NULL);
	shutdown(wire->origin_fd, SHUT_RDWR);
	pthread_join(wire->origin, NULL);
	close(wire->origin_fd);
	buf_deinit(&wire->seen);
	sem_destroy(&wire->serving);
	pthread_mutex_destroy(&wire->lock);
	free(wire);
}

uint16_t wire_port(const struct wire *wire)
{
	return wire->port;
}

void wire_answer(struct wire *wire, struct str_view answer, int close_after)
{
	pthread_mutex_lock(&wire->lock);
	wire->answer = answer;
	wire->close = close_after;
	pthread_mutex_unlock(&wire->lock);
}

static int dial(const struct wire *wire)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons(wire->port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0, "connect");
	return fd;
}

size_t wire_talk(struct wire *wire, struct str_view send, char *out)
{
	int fd = dial(wire);
	size_t len = 0;
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	/* What is refused half-way may be answered and reset before all of it was sent. */
	while (send.len > 0) {
		ssize_t count = write(fd, send.data, send.len);

		if (count <= 0)
			break;
		send = sv_skip(send, (size_t)count);
	}
	shutdown(fd, SHUT_WR);
	while (len < WIRE_TEXT_MAX - 1) {
		ssize_t count;

		must(poll(&ready, 1, PATIENCE_MS) == 1, "the connection did not end");
		count = read(fd, out + len, WIRE_TEXT_MAX - 1 - len);
		if (count <= 0)
			break;
		len += (size_t)count;
	}
	out[len] = '\0';
	close(fd);
	return len;
}

char *wire_seen(struct wire *wire)
{
	char *text;

	pthread_mutex_lock(&wire->lock);
	text = sv_dup(buf_view(&wire->seen));
	buf_reset(&wire->seen);
	pthread_mutex_unlock(&wire->lock);
	return text;
}
