#include "dns01/dialogue.h"

#include "base/buf.h"
#include "base/own.h"
#include "dns01/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_MS   1000 /* the first repetition over UDP; the next ones take twice as long */
#define UDP_SENDS  3    /* then TCP */
#define STRAYS_MAX 64   /* datagrams that are no answer */

struct dialogue {
	struct dialogue_config config;
	struct buf message; /* owned */
	struct task end;
	struct timer limit, again;
	struct loop_fd watch;
	bool open, connecting, tcp;
	unsigned sends, strays;
	size_t written;   /* TCP: of length and message */
	struct buf input; /* TCP: length and answer; at the end the answer alone */
	struct err err;
};

/* ---- the end ---- */

static void close_socket(struct dialogue *dialogue)
{
	if (!dialogue->open)
		return;
	loop_remove(dialogue->config.loop, &dialogue->watch);
	close(dialogue->watch.fd);
	dialogue->open = false;
}

void dialogue_cancel(struct dialogue *dialogue)
{
	if (dialogue == NULL)
		return;
	close_socket(dialogue);
	timer_stop(dialogue->config.loop, &dialogue->limit);
	timer_stop(dialogue->config.loop, &dialogue->again);
	task_cancel(&dialogue->end);
	buf_deinit(&dialogue->message);
	buf_deinit(&dialogue->input);
	free(dialogue);
}

static void on_end(struct task *task)
{
	struct dialogue *dialogue = CONTAINER_OF(task, struct dialogue, end);
	struct dialogue_config config = dialogue->config;
	struct err err = dialogue->err;
	AUTO(buf_deinit) struct buf answer = dialogue->input;

	dialogue->input = (struct buf){.data = NULL};
	dialogue_cancel(dialogue);
	config.done(config.arg, err.code == ERR_NONE ? buf_view(&answer) : SV_NONE, &err);
}

static void finish(struct dialogue *dialogue)
{
	close_socket(dialogue);
	timer_stop(dialogue->config.loop, &dialogue->limit);
	timer_stop(dialogue->config.loop, &dialogue->again);
	task_defer(dialogue->config.loop, &dialogue->end);
}

/* The first reason is kept: "is wrongly signed" says more than the time-out that follows. */
static void fail(struct dialogue *dialogue, enum err_code code, const char *words)
{
	if (dialogue->err.code == ERR_NONE)
		err_set(&dialogue->err, code, "%s", words);
	finish(dialogue);
}

static bool is_answer(struct dialogue *dialogue, struct str_view bytes, struct err *err)
{
	struct dns_message message, sent;

	(void)dns_message_open(&sent, buf_view(&dialogue->message));
	if (dns_message_open(&message, bytes) < 0 || !message.response || message.id != sent.id ||
	    message.opcode != sent.opcode) {
		err_set(err, ERR_PROTOCOL, "something came that is no answer");
		return false;
	}
	return message.truncated || dialogue->config.is_answer(dialogue->config.arg, bytes, err);
}

static void take(struct dialogue *dialogue, struct str_view answer)
{
	struct buf taken;

	buf_init(&taken, DNS_MESSAGE_MAX);
	buf_add(&taken, answer);
	buf_deinit(&dialogue->input);
	dialogue->input = taken;
	dialogue->err.code = ERR_NONE;
	finish(dialogue);
}

/* ---- TCP ---- */

static void tcp_write(struct dialogue *dialogue)
{
	struct str_view message = buf_view(&dialogue->message);
	char whole[2 + 4096];
	struct str_view left;

	if (message.len > sizeof(whole) - 2) {
		fail(dialogue, ERR_LIMIT, "the message is too long");
		return;
	}
	whole[0] = (char)(message.len >> 8);
	whole[1] = (char)(message.len & 0xff);
	memcpy(whole + 2, message.data, message.len);
	left = sv_skip(sv_new(whole, message.len + 2), dialogue->written);
	if (left.len > 0) {
		ssize_t count = send(dialogue->watch.fd, left.data, left.len, MSG_NOSIGNAL);

		if (count > 0)
			dialogue->written += (size_t)count;
		else if (errno != EAGAIN && errno != EINTR)
			fail(dialogue, ERR_IO, strerror(errno));
	}
	if (dialogue->open && dialogue->written == message.len + 2)
		loop_change(dialogue->config.loop, &dialogue->watch, LOOP_READ);
}

/* What is there: length first, then as many bytes. */
static void tcp_take(struct dialogue *dialogue)
{
	struct str_view have = buf_view(&dialogue->input);
	struct dns_message message;
	struct err err = {0};
	size_t want;

	if (have.len < 2)
		return;
	want = (size_t)(unsigned char)have.data[0] << 8 | (unsigned char)have.data[1];
	if (have.len - 2 < want)
		return;
	have = sv_head(sv_skip(have, 2), want);
	if (!is_answer(dialogue, have, &err))
		fail(dialogue, err.code, err.msg);
	else if (dns_message_open(&message, have) == 0 && message.truncated)
		fail(dialogue, ERR_PROTOCOL, "its answer is truncated over TCP too");
	else
		take(dialogue, have);
}

static void tcp_read(struct dialogue *dialogue)
{
	char *room = buf_room(&dialogue->input, 4096);
	ssize_t count;

	if (room == NULL) {
		fail(dialogue, ERR_LIMIT, "its answer is too long");
		return;
	}
	count = recv(dialogue->watch.fd, room, 4096, 0);
	if (count > 0) {
		buf_wrote(&dialogue->input, (size_t)count);
		tcp_take(dialogue);
	} else if (count == 0) {
		fail(dialogue, ERR_IO, "it closed the connection without an answer");
	} else if (errno != EAGAIN && errno != EINTR) {
		fail(dialogue, ERR_IO, strerror(errno));
	}
}

static void tcp_ready(struct loop_fd *self, unsigned events)
{
	struct dialogue *dialogue = CONTAINER_OF(self, struct dialogue, watch);

	if (dialogue->connecting) {
		int error = sock_error(self->fd);

		dialogue->connecting = false;
		if (error != 0) {
			fail(dialogue, ERR_IO, strerror(error));
			return;
		}
	}
	if ((events & LOOP_WRITE) != 0)
		tcp_write(dialogue);
	if (dialogue->open && (events & (LOOP_READ | LOOP_GONE)) != 0)
		tcp_read(dialogue);
}

static void watch_socket(struct dialogue *dialogue, int fd, unsigned events)
{
	dialogue->open = true;
	dialogue->watch.fd = fd;
	if (loop_add(dialogue->config.loop, &dialogue->watch, events, NULL) < 0) {
		dialogue->open = false;
		close(fd);
		fail(dialogue, ERR_IO, "its socket cannot be watched");
	}
}

static void tcp_begin(struct dialogue *dialogue)
{
	int fd;

	close_socket(dialogue);
	timer_stop(dialogue->config.loop, &dialogue->again);
	dialogue->tcp = true;
	dialogue->written = 0;
	buf_reset(&dialogue->input);
	fd = sock_connect(&dialogue->config.server, &dialogue->connecting);
	if (fd < 0) {
		fail(dialogue, ERR_IO, strerror(errno));
		return;
	}
	dialogue->watch.ready = tcp_ready;
	watch_socket(dialogue, fd, LOOP_WRITE | LOOP_READ);
}

/* ---- UDP ---- */

static void udp_send(struct dialogue *dialogue)
{
	struct str_view message = buf_view(&dialogue->message);

	if (dialogue->sends == UDP_SENDS) {
		tcp_begin(dialogue);
		return;
	}
	timer_in(dialogue->config.loop, &dialogue->again, (int64_t)AGAIN_MS << dialogue->sends);
	dialogue->sends++;
	/* A failure (the port is closed, no route) is reported by the next receive, or by time. */
	(void)!send(dialogue->watch.fd, message.data, message.len, MSG_NOSIGNAL);
}

static void on_again(struct timer *timer)
{
	udp_send(CONTAINER_OF(timer, struct dialogue, again));
}

static bool has_our_id(const struct dialogue *dialogue, struct str_view datagram)
{
	return datagram.len >= 2 &&
	       sv_eq(sv_head(datagram, 2), sv_head(buf_view(&dialogue->message), 2));
}

static void udp_take(struct dialogue *dialogue, struct str_view datagram)
{
	struct dns_message message;
	struct err err = {0};

	if (!is_answer(dialogue, datagram, &err)) {
		if (dialogue->err.code == ERR_NONE)
			dialogue->err = err; /* when nothing better comes */
		/* With our id it is the server's own, or forged: TCP tells, at once. */
		if (has_our_id(dialogue, datagram) || ++dialogue->strays == STRAYS_MAX)
			tcp_begin(dialogue);
	} else if (dns_message_open(&message, datagram) == 0 && message.truncated) {
		tcp_begin(dialogue);
	} else {
		take(dialogue, datagram);
	}
}

static void udp_ready(struct loop_fd *self, unsigned events)
{
	struct dialogue *dialogue = CONTAINER_OF(self, struct dialogue, watch);
	char datagram[4096];
	ssize_t count = recv(self->fd, datagram, sizeof(datagram), 0);

	(void)events;
	if (count >= 0)
		udp_take(dialogue, sv_new(datagram, (size_t)count));
	else if (errno != EAGAIN && errno != EINTR)
		tcp_begin(dialogue); /* nobody listens to UDP there */
}

static void udp_begin(struct dialogue *dialogue)
{
	const struct sock_addr *server = &dialogue->config.server;
	int fd = socket(server->u.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, &server->u.any, server->len) < 0) {
		fail(dialogue, ERR_IO, strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	dialogue->watch.ready = udp_ready;
	watch_socket(dialogue, fd, LOOP_READ);
	if (dialogue->open)
		udp_send(dialogue);
}

/* ---- life ---- */

static void on_limit(struct timer *timer)
{
	struct dialogue *dialogue = CONTAINER_OF(timer, struct dialogue, limit);

	fail(dialogue, ERR_TIMEOUT,
	     dialogue->tcp ? "it did not answer in time, neither by UDP nor by TCP"
			   : "it did not answer in time");
}

struct dialogue *dialogue_start(const struct dialogue_config *config)
{
	struct dialogue *dialogue = xcalloc(1, sizeof(*dialogue));

	dialogue->config = *config;
	buf_init(&dialogue->message, DNS_MESSAGE_MAX);
	buf_init(&dialogue->input, DNS_MESSAGE_MAX + 2 + 4096);
	buf_add(&dialogue->message, config->message);
	task_init(&dialogue->end, on_end);
	timer_init(&dialogue->limit, on_limit);
	timer_init(&dialogue->again, on_again);
	timer_in(config->loop, &dialogue->limit, config->timeout_ms);
	if (config->tcp)
		tcp_begin(dialogue);
	else
		udp_begin(dialogue);
	return dialogue;
}
