#include "wire.h"

#include "base/buf.h"
#include "base/own.h"
#include "dataplane/plane.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "loop/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20000 /* a test that waits longer has failed */

enum order { ORDER_STOP, ORDER_DRAIN };

struct wire {
	struct wire_setup setup;
	pthread_t control, origin;
	sem_t serving, drained;
	struct loop *loop;
	struct plane *plane;
	struct mailbox *box;
	struct wire_order {
		struct mail mail;
		enum order order;
	} stop, drain;
	uint16_t port, origin_port, spare_port, refusing_port, deaf_port;
	int origin_fd, spare_fd, refusing_fd, deaf_fd, filling[3];
	pthread_mutex_t lock;    /* of all below */
	pthread_cond_t unserved; /* signalled when served comes to 0 */
	unsigned served;         /* connections that the origin serves */
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
		struct str_view body = sv_skip(text, head - 2);
		size_t last = sv_find_sv(body, SV("\r\n0\r\n"));
		size_t end = sv_find_sv(sv_skip(body, last + 3), SV("\r\n\r\n")); /* trailers */

		return last == SV_NOT_FOUND || end == SV_NOT_FOUND ? 0
								   : head - 2 + last + 3 + end + 4;
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
	pthread_mutex_lock(&served.wire->lock);
	if (--served.wire->served == 0)
		pthread_cond_signal(&served.wire->unserved);
	pthread_mutex_unlock(&served.wire->lock);
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
		pthread_mutex_lock(&wire->lock);
		wire->served++;
		pthread_mutex_unlock(&wire->lock);
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

static void drained(void *arg)
{
	sem_post(&((struct wire *)arg)->drained);
}

static void obey(void *arg, struct mail *mail)
{
	struct wire *wire = arg;

	if (CONTAINER_OF(mail, struct wire_order, mail)->order == ORDER_DRAIN)
		plane_drain(wire->plane, drained, wire);
	else
		loop_stop(wire->loop);
}

static struct sock_addr loopback(uint16_t port)
{
	struct sock_addr addr;

	must(sock_addr_ip(&addr, SV("127.0.0.1"), port), "address");
	return addr;
}

enum { TO_ORIGIN, TO_NOBODY, TO_REFUSING, TO_EITHER, TO_SPARE, TO_DEAF, TO_FILTERED, BACKENDS };

/* A backendRef with filters of its own. */
static struct backend *filtered_backend(const struct sock_addr *origin, struct backend *spare)
{
	static const struct header_pair set[] = {{SV_INIT("x-set"), SV_INIT("backend")}};
	const struct mirror mirror = {.backend = spare};
	const struct backend like = {
		.name = SV("wire/filtered"),
		.weight = 1,
		.endpoint_count = 1,
		.endpoints = origin,
		.request_headers = {.set = set, .set_count = 1},
		.response_headers = {.set = set, .set_count = 1},
		.rewrite = {.present = true,
			    .hostname = SV("inner.test"),
			    .path_change = PATH_REPLACE_PREFIX,
			    .path = SV("/inner")},
		.mirrors = &mirror,
		.mirror_count = 1,
	};

	return backend_new(&like);
}

static void make_backends(const struct wire *wire, struct backend *backends[BACKENDS])
{
	const struct sock_addr origin = loopback(wire->origin_port),
			       refusing = loopback(wire->refusing_port),
			       spare = loopback(wire->spare_port), deaf = loopback(wire->deaf_port),
			       either[] = {refusing, origin};
	const struct backend like[BACKENDS] = {
		[TO_ORIGIN] = {.name = SV("wire/origin"),
			       .protocol = wire->setup.protocol,
			       .endpoint_count = 1,
			       .endpoints = &origin},
		[TO_NOBODY] = {.name = SV("wire/none"), .fail_status = 503},
		[TO_REFUSING] = {.name = SV("wire/refusing"),
				 .endpoint_count = 1,
				 .endpoints = &refusing},
		[TO_EITHER] = {.name = SV("wire/either"), .endpoint_count = 2, .endpoints = either},
		[TO_DEAF] = {.name = SV("wire/deaf"), .endpoint_count = 1, .endpoints = &deaf},
		[TO_SPARE] = {.name = SV("wire/spare"), .endpoint_count = 1, .endpoints = &spare},
	};

	for (size_t i = 0; i < TO_FILTERED; i++) {
		struct backend one = like[i];

		one.weight = 1;
		backends[i] = backend_new(&one);
	}
	backends[TO_FILTERED] = filtered_backend(&origin, backends[TO_SPARE]);
}

static const struct cors cors_some = {
	.present = true,
	.credentials = true,
	.origins = (const struct str_view[]){SV_INIT("https://www.foo.com"),
					     SV_INIT("https://*.bar.com"),
					     SV_INIT("https://port.test:443")},
	.origin_count = 3,
	.methods = (const struct str_view[]){SV_INIT("GET"), SV_INIT("PUT")},
	.method_count = 2,
	.headers = (const struct str_view[]){SV_INIT("x-a"), SV_INIT("x-b")},
	.header_count = 2,
	.expose = (const struct str_view[]){SV_INIT("x-c")},
	.expose_count = 1,
	.max_age = 3600,
};
static const struct str_view star[] = {SV_INIT("*")};

static struct cors cors_all(bool credentials)
{
	return (struct cors){.present = true,
			     .credentials = credentials,
			     .origins = star,
			     .origin_count = 1,
			     .methods = star,
			     .method_count = 1,
			     .headers = star,
			     .header_count = 1,
			     .expose = star,
			     .expose_count = 1,
			     .max_age = 5};
}

/* The paths that tests may ask for; a rule each. */
static struct vhost *make_vhost(const struct wire *wire, struct graveyard *graveyard)
{
	static const struct str_view gone[] = {SV_INIT("x-remove")};
	static const struct header_pair set[] = {{SV_INIT("x-set"), SV_INIT("ours")}};
	static const uint16_t codes[] = {500, 503};
	static const struct rule_retry thrice = {
		.present = true, .attempts = 3, .backoff_ms = 10, .codes = codes, .code_count = 2};
	struct backend *to[BACKENDS];
	struct mirror mirrors[2];
	struct {
		struct str_view path;
		struct rule rule;
	} rows[] = {
		{SV("/"), {.backends = &to[TO_ORIGIN]}},
		{SV("/denied"),
		 {.redirect = {.present = true, .scheme = SV("https"), .status = 301},
		  .response_headers = {.set = set, .set_count = 1}}},
		{SV("/dead"), {.backends = &to[TO_NOBODY], .cors = cors_some}},
		{SV("/refused"), {.backends = &to[TO_REFUSING]}},
		{SV("/deaf"), {.backends = &to[TO_DEAF]}},
		{SV("/either"), {.backends = &to[TO_EITHER]}},
		{SV("/hurry"), {.backends = &to[TO_ORIGIN], .backend_timeout_ms = 150}},
		{SV("/patience"), {.backends = &to[TO_ORIGIN], .request_timeout_ms = 150}},
		{SV("/headers"),
		 {.backends = &to[TO_ORIGIN],
		  .request_headers =
			  {.set = set, .set_count = 1, .remove = gone, .remove_count = 1}}},
		{SV("/retry"), {.backends = &to[TO_ORIGIN], .retry = thrice}},
		{SV("/retry/hurry"), /* time enough to answer the second attempt */
		 {.backends = &to[TO_ORIGIN], .retry = thrice, .backend_timeout_ms = 1500}},
		{SV("/retry/late"),
		 {.backends = &to[TO_ORIGIN], .retry = thrice, .request_timeout_ms = 150}},
		{SV("/mirror"),
		 {.backends = &to[TO_ORIGIN],
		  .mirrors = mirrors,
		  .mirror_count = 1,
		  .request_headers = {.set = set, .set_count = 1}}},
		{SV("/mirror/half"),
		 {.backends = &to[TO_ORIGIN], .mirrors = &mirrors[1], .mirror_count = 1}},
		{SV("/filtered"),
		 {.backends = &to[TO_FILTERED],
		  .rewrite = {.present = true,
			      .path_change = PATH_REPLACE_FULL,
			      .path = SV("/never")}}},
		{SV("/cors/some"), {.backends = &to[TO_ORIGIN], .cors = cors_some}},
		{SV("/cors/all"), {.backends = &to[TO_ORIGIN], .cors = cors_all(false)}},
		{SV("/cors/secret"), {.backends = &to[TO_ORIGIN], .cors = cors_all(true)}},
	};
	struct match_spec matches[ARRAY_LEN(rows)];
	struct vhost *vhost;

	make_backends(wire, to);
	mirrors[0] = (struct mirror){.backend = to[TO_SPARE]};
	mirrors[1] = (struct mirror){.backend = to[TO_REFUSING], .numerator = 1, .denominator = 2};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rows[i].rule.name = rows[i].path;
		rows[i].rule.backend_count = rows[i].rule.backends == NULL ? 0 : 1;
		matches[i] = (struct match_spec){.path_type = MATCH_PREFIX,
						 .path = rows[i].path,
						 .rule = rule_new(&rows[i].rule)};
	}
	vhost = vhost_new(matches, ARRAY_LEN(matches), NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		part_unref(&matches[i].rule->part, graveyard);
	for (size_t i = 0; i < BACKENDS; i++)
		part_unref(&to[i]->part, graveyard);
	return vhost;
}

/* A port that was free a moment ago may be somebody else's by now: programs that run beside this
 * one look for theirs in the same way. Then another is taken. */
static struct binding *bind_free(struct wire *wire)
{
	for (int tries = 0; tries < 100; tries++) {
		struct binding *binding;
		struct sock_addr here;

		close(listen_loopback(&wire->port));
		here = loopback(wire->port);
		binding = plane_bind(wire->plane, &here, NULL);
		if (binding != NULL)
			return binding;
	}
	must(false, "bind");
	return NULL;
}

static struct client_policy *make_policy(const struct wire_setup *setup)
{
	struct client_policy like = *setup->policy;

	like.limits = setup->limits;
	if (setup->policy_buffer != 0)
		like.limits.buffer = setup->policy_buffer;
	return client_policy_new(&like);
}

static void publish(struct wire *wire)
{
	struct graveyard *graveyard = plane_graveyard(wire->plane);
	struct challenge token = {.host = SV("a.test"),
				  .token = SV("token"),
				  .key_authorization = SV("token.thumbprint")};
	struct str_view any = SV("");
	struct vhost *vhost;
	struct snap_listener like = {
		.name = SV("wire/http"), .vhost_count = 1, .vhost_hosts = &any};
	struct snap_listener *listener;
	struct snap_port port = {.port = 80, .listener_count = 1};

	vhost = make_vhost(wire, graveyard);
	like.vhosts = &vhost;
	listener = snap_listener_new(&like);
	part_unref(vhost_part(vhost), graveyard);
	port.listeners = &listener;
	port.binding = bind_free(wire);
	if (wire->setup.policy != NULL)
		port.policy = make_policy(&wire->setup);
	plane_publish(wire->plane, snapshot_new(&(struct snapshot){.port_count = 1,
								   .ports = &port,
								   .challenge_count = 1,
								   .challenges = &token}));
	part_unref(&listener->part, graveyard);
	if (port.policy != NULL)
		part_unref(&port.policy->part, graveyard);
}

static void *control_run(void *arg)
{
	struct wire *wire = arg;
	struct plane_config config = {.workers = 1,
				      .limits = wire->setup.limits,
				      .access_fd = wire->setup.access_fd,
				      .acknowledged = acknowledged,
				      .challenge_fetched = fetched,
				      .arg = wire};

	wire->loop = config.loop = loop_new(NULL);
	wire->plane = plane_start(&config, NULL);
	wire->box = mailbox_new(wire->loop, obey, wire, NULL);
	must(wire->plane != NULL && wire->box != NULL, "plane");
	publish(wire);
	loop_run(wire->loop);
	mailbox_free(wire->box, NULL);
	plane_free(wire->plane);
	loop_free(wire->loop);
	return NULL;
}

/* ---- outside ---- */

struct wire_setup wire_setup_default(void)
{
	return (struct wire_setup){.limits = plane_limits_default, .access_fd = -1};
}

struct wire *wire_start(void)
{
	struct wire_setup setup = wire_setup_default();

	return wire_start_with(&setup);
}

/* A port on which nobody listens, and nobody else will as long as the descriptor is kept. */
static int refusing_port(uint16_t *port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && bind(fd, (struct sockaddr *)&addr, len) == 0 &&
		     getsockname(fd, (struct sockaddr *)&addr, &len) == 0,
	     "bind");
	*port = ntohs(addr.sin_port);
	return fd;
}

/* A listener whose queue is full: who connects to it waits. */
static void make_deaf(struct wire *wire)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	wire->deaf_fd = listen_loopback(&wire->deaf_port);
	must(listen(wire->deaf_fd, 0) == 0, "listen");
	addr.sin_port = htons(wire->deaf_port);
	for (size_t i = 0; i < ARRAY_LEN(wire->filling); i++) {
		wire->filling[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		must(wire->filling[i] >= 0, "socket");
		(void)connect(wire->filling[i], (struct sockaddr *)&addr, sizeof(addr));
	}
}

struct wire *wire_start_with(const struct wire_setup *setup)
{
	struct wire *wire = xcalloc(1, sizeof(*wire));

	wire->setup = *setup;
	wire->stop.order = ORDER_STOP;
	wire->drain.order = ORDER_DRAIN;
	pthread_mutex_init(&wire->lock, NULL);
	pthread_cond_init(&wire->unserved, NULL);
	sem_init(&wire->serving, 0, 0);
	sem_init(&wire->drained, 0, 0);
	buf_init(&wire->seen, WIRE_TEXT_MAX * 4);
	wire_answer(wire, SV("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 0);
	wire->origin_fd = listen_loopback(&wire->origin_port);
	wire->spare_fd = listen_loopback(&wire->spare_port);
	wire->refusing_fd = refusing_port(&wire->refusing_port);
	make_deaf(wire);
	if (!setup->manual)
		must(pthread_create(&wire->origin, NULL, origin_run, wire) == 0, "thread");
	must(pthread_create(&wire->control, NULL, control_run, wire) == 0, "thread");
	sem_wait(&wire->serving);
	return wire;
}

void wire_stop(struct wire *wire)
{
	mailbox_post(wire->box, &wire->stop.mail);
	pthread_join(wire->control, NULL);
	shutdown(wire->origin_fd, SHUT_RDWR);
	if (!wire->setup.manual)
		pthread_join(wire->origin, NULL);
	pthread_mutex_lock(&wire->lock); /* the plane's ends are closed, so these come to theirs */
	while (wire->served > 0)
		pthread_cond_wait(&wire->unserved, &wire->lock);
	pthread_mutex_unlock(&wire->lock);
	close(wire->origin_fd);
	close(wire->spare_fd);
	close(wire->deaf_fd);
	for (size_t i = 0; i < ARRAY_LEN(wire->filling); i++)
		close(wire->filling[i]);
	close(wire->refusing_fd);
	buf_deinit(&wire->seen);
	sem_destroy(&wire->serving);
	sem_destroy(&wire->drained);
	pthread_cond_destroy(&wire->unserved);
	pthread_mutex_destroy(&wire->lock);
	free(wire);
}

void wire_drain(struct wire *wire)
{
	mailbox_post(wire->box, &wire->drain.mail);
}

void wire_await_drained(struct wire *wire)
{
	sem_wait(&wire->drained);
}

uint64_t wire_metric(struct wire *wire, const char *name)
{
	struct buf text;
	const char *at;
	uint64_t value = 0;
	size_t len = strlen(name);

	buf_init(&text, 1 << 20);
	plane_metrics(wire->plane, &text);
	for (at = buf_cstr(&text); (at = strstr(at, name)) != NULL; at += len) {
		if (at[-1] == '\n' && (at[len] == ' ' || at[len] == '{'))
			value += strtoull(strchr(at, ' '), NULL, 10);
	}
	buf_deinit(&text);
	return value;
}

void wire_await_metric(struct wire *wire, const char *name, uint64_t value)
{
	for (int i = 0; wire_metric(wire, name) != value; i++) {
		must(i < PATIENCE_MS, name);
		poll(NULL, 0, 1);
	}
}

/* ---- by hand: the test is the client and the origin ---- */

static void be_patient(int fd)
{
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};

	must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
		     setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0,
	     "setsockopt");
}

static int take_conn(int listener)
{
	struct pollfd ready = {.fd = listener, .events = POLLIN};
	int fd;

	must(poll(&ready, 1, PATIENCE_MS) == 1, "nobody connects to the origin");
	fd = accept(listener, NULL, NULL);
	must(fd >= 0, "accept");
	be_patient(fd);
	return fd;
}

int wire_backend(struct wire *wire)
{
	return take_conn(wire->origin_fd);
}

int wire_spare(struct wire *wire)
{
	return take_conn(wire->spare_fd);
}

void wire_put(int fd, struct str_view bytes)
{
	while (bytes.len > 0) {
		ssize_t count = write(fd, bytes.data, bytes.len);

		must(count > 0, "write");
		bytes = sv_skip(bytes, (size_t)count);
	}
}

void wire_get_bytes(int fd, char *out, size_t len)
{
	while (len > 0) {
		ssize_t count = read(fd, out, len);

		must(count > 0, "read: fewer bytes than awaited");
		out += count;
		len -= (size_t)count;
	}
}

const char *wire_get(int fd, const char *end, char out[WIRE_GET_MAX])
{
	size_t len = 0, tail = strlen(end);

	do {
		ssize_t count = len < WIRE_GET_MAX - 1 ? read(fd, out + len, 1) : -1;

		if (count <= 0) {
			out[len] = '\0';
			fprintf(stderr, "awaited \"%s\", got \"%s\"\n", end, out);
			must(false, "read: the end came too early");
		}
		len++;
	} while (len < tail || memcmp(out + len - tail, end, tail) != 0);
	out[len] = '\0';
	return out;
}

enum wire_end wire_end_of(int fd)
{
	char bytes[4096];
	ssize_t count;

	while ((count = read(fd, bytes, sizeof(bytes))) > 0)
		;
	must(count == 0 || errno == ECONNRESET || errno == EPIPE, "the connection does not end");
	close(fd);
	return count == 0 ? WIRE_FIN : WIRE_RESET;
}

void wire_reset(int fd)
{
	static const struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
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

int wire_dial(const struct wire *wire)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons(wire->port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0, "connect");
	be_patient(fd);
	return fd;
}

size_t wire_talk(struct wire *wire, struct str_view send, char *out)
{
	int fd = wire_dial(wire);
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
