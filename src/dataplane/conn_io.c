/* dataplane/conn_io.c - bytes between the socket, TLS and the codec */
#include "dataplane/conn_io.h"
#include "dataplane/client_hello.h"
#include "dataplane/tls.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PIECES_MAX  16                 /* of one sendmsg: 512 KiB */
#define SEND_AT     WORKER_BUFFER_SIZE /* queued bytes that leave before the end of the turn */
#define DIRECT_SEND 16384              /* plain bytes that do not go through the queue */

enum conn_io conn_read(struct conn *conn, struct window *window)
{
	struct conn_buffers *buffers = conn->buffers;
	size_t room;
	char *at = window_room(window, conn->worker, &room);
	ssize_t got;

	if (room == 0)
		return IO_ERROR;
	do
		got = read(conn->watch.fd, at, room);
	while (got < 0 && errno == EINTR);
	/* Less than asked for: the kernel has no more, and an edge will say when it has. Behind a
	 * FIN there is no further edge, so that is read for. */
	if (got < (ssize_t)room && !(got > 0 && buffers->fin))
		buffers->readable = false;
	if (got > 0) {
		window->end += (uint32_t)got;
		metric_add(&conn->worker->metrics.bytes_received, (uint64_t)got);
		return IO_OK;
	}
	if (got < 0 && errno == EAGAIN)
		return IO_AGAIN;
	buffers->eof = conn->peer_closed = true;
	if (got == 0)
		return IO_EOF;
	buffers->failed = true;
	conn_touch(conn);
	return IO_ERROR;
}

static ssize_t send_pieces(int fd, struct iovec *pieces, int count)
{
	struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
	ssize_t sent;

	do
		sent = count == 1 ? send(fd, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL)
				  : sendmsg(fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent;
}

/* What became of asked bytes: sent of them, or -1 with errno. False: the connection is broken. */
static bool note_sent(struct conn *conn, size_t asked, ssize_t sent)
{
	struct conn_buffers *buffers = conn->buffers;

	if (sent < 0 && errno != EAGAIN) {
		buffers->failed = true;
		conn_touch(conn);
		return false;
	}
	if (sent > 0) {
		buffers->sent += (uint64_t)sent;
		metric_add(&conn->worker->metrics.bytes_sent, (uint64_t)sent);
	}
	buffers->blocked = sent < (ssize_t)asked;
	return true;
}

enum conn_io conn_send(struct conn *conn)
{
	struct conn_buffers *buffers = conn->buffers;

	while (buffers->queued > 0 && !buffers->blocked) {
		struct iovec pieces[PIECES_MAX];
		int count = buffers_pieces(buffers, pieces, PIECES_MAX);
		size_t asked = 0;
		ssize_t sent = send_pieces(conn->watch.fd, pieces, count);

		for (int i = 0; i < count; i++)
			asked += pieces[i].iov_len;
		if (!note_sent(conn, asked, sent))
			return IO_ERROR;
		if (sent > 0)
			buffers_sent(buffers, conn->worker, (size_t)sent);
	}
	return buffers->queued == 0 ? IO_OK : IO_AGAIN;
}

/* Plain bytes: a long run is not copied when nothing waits before it. Returns what is left. */
static struct str_view send_direct(struct conn *conn, struct str_view bytes)
{
	struct conn_buffers *buffers = conn->buffers;
	struct iovec piece = {.iov_base = (char *)bytes.data, .iov_len = bytes.len};
	ssize_t sent;

	if (bytes.len < DIRECT_SEND || buffers->queued > 0 || buffers->blocked || buffers->failed)
		return bytes;
	sent = send_pieces(conn->watch.fd, &piece, 1);
	return note_sent(conn, bytes.len, sent) && sent > 0 ? sv_skip(bytes, (size_t)sent) : bytes;
}

/* ---- for the codecs ---- */

struct str_view conn_input(const struct conn *conn)
{
	return window_view(&conn->buffers->in);
}

void conn_consume(struct conn *conn, size_t count)
{
	struct window *in = &conn->buffers->in;

	assert(count <= window_len(in));
	in->start += (uint32_t)count;
	if (in->start == in->end)
		conn_touch(conn);
}

bool conn_may_read(struct conn *conn)
{
	struct conn_buffers *buffers = conn->buffers;

	if (buffers->budget > 0) {
		buffers->budget--;
		return true;
	}
	buffers->resume = true;
	conn_touch(conn);
	return false;
}

static enum conn_io fill_tls(struct conn *conn)
{
	struct conn_buffers *buffers = conn->buffers;

	for (;;) {
		enum conn_io io = tls_open(conn);

		if (io != IO_AGAIN || !buffers->readable)
			return io;
		io = conn_read(conn, &buffers->cipher);
		if (io != IO_OK)
			return io;
	}
}

enum conn_io conn_fill(struct conn *conn)
{
	struct conn_buffers *buffers = conn->buffers;

	CONN_CHECK(conn);
	if (conn->state >= CONN_LINGER)
		return IO_AGAIN;
	if (buffers->announce) {
		buffers->announce = false;
		return IO_OK;
	}
	if (!conn_may_read(conn))
		return IO_AGAIN;
	if (conn->tls != NULL) {
		enum conn_io io = fill_tls(conn);

		return io == IO_AGAIN && conn->peer_closed ? IO_EOF : io;
	}
	if (!buffers->readable)
		return conn->peer_closed ? IO_EOF : IO_AGAIN;
	return conn_read(conn, &buffers->in);
}

size_t conn_pending(const struct conn *conn)
{
	return conn->buffers->queued + window_len(&conn->buffers->staged);
}

uint64_t conn_taken(const struct conn *conn)
{
	int under_way = 0;

	if (ioctl(conn->watch.fd, SIOCOUTQ, &under_way) < 0 || under_way < 0)
		under_way = 0;
	return conn->buffers->sent - (uint64_t)under_way;
}

bool conn_full(const struct conn *conn)
{
	return conn_pending(conn) >= conn->limits->buffer;
}

void conn_write(struct conn *conn, struct str_view bytes)
{
	CONN_CHECK(conn);
	if (conn->state != CONN_SERVING || bytes.len == 0)
		return;
	if (conn->tls != NULL) {
		tls_write(conn, bytes);
	} else {
		bytes = send_direct(conn, bytes);
		buffers_queue(conn->buffers, conn->worker, bytes.data, bytes.len);
	}
	/* At once, while it is in the processor's caches; the buffer is used again for the next. */
	if (conn->buffers->queued >= SEND_AT && !conn->buffers->failed)
		(void)conn_send(conn);
	conn->buffers->full = conn->buffers->full || conn_full(conn);
	conn_touch(conn);
}

enum conn_io conn_flush(struct conn *conn)
{
	CONN_CHECK(conn);
	if (conn->state == CONN_CLOSED || conn->buffers->failed)
		return IO_ERROR;
	if (conn->tls != NULL)
		tls_seal(conn);
	return conn_send(conn);
}

struct str_view conn_sni(const struct conn *conn)
{
	if (conn->tls != NULL)
		return tls_server_name(conn->tls);
	return conn->hello != NULL ? client_hello_name(conn->hello) : SV("");
}

uint64_t conn_clients(const struct conn *conn)
{
	return conn->tls == NULL ? 0 : tls_clients(conn->tls);
}
