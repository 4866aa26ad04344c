/* dataplane/conn_proxy.c - the PROXY header before a connection's first byte */
#include "dataplane/conn_io.h"
#include "dataplane/listener.h"
#include "dataplane/policy.h"
#include "dataplane/proxyproto.h"

/* What stands behind the header is the connection's first input. */
static bool begin_behind(struct conn *conn, size_t len)
{
	const struct snap_port *port = conn_port(conn);
	struct conn_buffers *buffers = conn->buffers;

	buffers->in.start += (uint32_t)len;
	conn->greeted = true;
	if (port->tls && !port->peek) { /* OpenSSL reads from there */
		buffers->cipher = buffers->in;
		buffers->in = (struct window){0};
	}
	buffers->announce = window_len(&buffers->in) > 0;
	return true;
}

static void send_away(struct conn *conn)
{
	metric_add(&conn->worker->metrics.proxy_refused, 1);
	conn_close(conn);
}

/* Reads on. False: not now, or never. */
static bool read_more(struct conn *conn)
{
	enum conn_io io = IO_AGAIN;

	if (conn->buffers->readable) {
		if (!conn_may_read(conn))
			return false;
		io = conn_read(conn, &conn->buffers->in);
	}
	if (io == IO_EOF || io == IO_ERROR || (io == IO_AGAIN && conn->peer_closed))
		conn_close(conn);
	return io == IO_OK;
}

bool conn_greet(struct conn *conn)
{
	do {
		struct proxy_header header;

		switch (proxy_parse(conn_input(conn), &header)) {
		case PROXY_DONE:
			if (header.source.len != 0)
				conn->peer = header.source;
			metric_add(&conn->worker->metrics.proxy_headers, 1);
			return begin_behind(conn, header.len);
		case PROXY_ABSENT:
			if (conn->policy->proxy == PROXY_OPTIONAL)
				return begin_behind(conn, 0);
			send_away(conn);
			return false;
		case PROXY_BAD:
			send_away(conn);
			return false;
		case PROXY_MORE:
			break;
		}
	} while (read_more(conn));
	return false;
}
