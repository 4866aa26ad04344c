/* dataplane/h2_stream.h - one connection of HTTP/2 and its streams, as h2.c, h2_request.c and
 * h2_reply.c share them */
#ifndef DATAPLANE_H2_STREAM_H
#define DATAPLANE_H2_STREAM_H

#include "base/buf.h"
#include "base/list.h"
#include "dataplane/conn.h"
#include "dataplane/exchange.h"
#include "dataplane/h2_guard.h"
#include "dataplane/h2_scan.h"
#include "dataplane/worker.h"
#include "http/h2_head.h"

#include <nghttp2/nghttp2.h>

struct h2 { /* codec state of one connection */
	struct conn *conn;
	nghttp2_session *session;
	struct h2_guard guard;
	struct h2_scan scan;
	struct list streams;
	struct list gone; /* streams that closed inside h2_lend: freed by the next h2_send */
	unsigned stream_count, requests;
	unsigned continuations; /* frames of the header block that is coming ... */
	uint64_t block;         /* ... and its octets */
	size_t buffered;        /* response bytes that wait in all streams */
	uint64_t taken;         /* bytes that the client had taken ... */
	int64_t taken_ms;       /* ... when they were last seen to grow */
	struct task flush;      /* what was submitted leaves at the end of the turn */
	struct timer goodbye;   /* from the first GOAWAY to the second */
	bool receiving; /* inside nghttp2_session_mem_recv: streams are not freed, nothing is sent
			 */
	bool lending;   /* inside h2_lend: streams are not freed */
	bool leaving;   /* GOAWAY that names no last stream was submitted */
	bool ending;    /* GOAWAY that does */
	bool noisy;     /* the guard has had enough */
	bool deaf;      /* the session is broken: nothing more is read */
	bool over;      /* nothing more is sent either */
};

struct h2_stream {
	struct list link;
	struct h2 *h2;
	int32_t id;
	struct exchange *ex;
	struct h2_head head;    /* the request's, then the trailers' */
	struct str_view lent;   /* response content, only during h2_lend; out is empty then */
	struct buf out;         /* response content that waits for the window */
	struct buf early;       /* of a tunnel, before the backend has agreed to it */
	struct fields trailers; /* of the response */
	uint64_t received;      /* bytes of content */
	int64_t active_ms;      /* last time either side moved */
	size_t unconsumed; /* received bytes that the upstream has not taken: the window stays shut
			    */
	char held; /* last octet of a content-length, kept until END_STREAM proves it was the last
		    */
	bool has_held, started, paused;
	bool deferred; /* nghttp2 waits for content */
	bool full;     /* the upstream was told to wait */
	bool finished; /* the response is complete */
	bool has_trailers;
	bool has_head;   /* of the request, complete */
	bool wasted;     /* reset for a mistake of the client */
	bool counted;    /* as one that stalled: its reset costs nothing more */
	bool peer_ended; /* END_STREAM has come */
	bool aborted;    /* reset for a failure of ours or of the backend */
	bool peer_reset; /* by the client */
	bool sent_all;   /* END_STREAM is out */
};

static inline int64_t h2_now(const struct h2 *h2)
{
	return loop_now(h2->conn->worker->loop);
}

static inline const struct plane_limits *h2_limits_of(const struct h2 *h2)
{
	return h2->conn->limits;
}

/* What the leg to a backend holds, whatever a policy allows its clients. */
static inline uint32_t h2_backend_buffer(const struct conn *conn)
{
	return conn->worker->config->limits.buffer;
}

/* ---- h2.c: the connection ---- */
void h2_set_deadline(struct h2 *h2);
void h2_begin_goodbye(struct h2 *h2); /* GOAWAY twice; what runs is finished */
/* One more thing that costs us and brings nothing; too many of them end the connection. */
void h2_count_noise(struct h2 *h2, enum h2_attack attack);
void h2_calm_down(struct h2 *h2, enum h2_attack attack);   /* ENHANCE_YOUR_CALM, now */
struct h2_stream *h2_stream_of(struct h2 *h2, int32_t id); /* NULL: not open, or broken */

/* ---- h2_request.c: from the client to the exchange ---- */
void h2_reset_stream(struct h2_stream *stream, uint32_t error); /* for a mistake of the client */
void h2_on_stream_frame(struct h2 *h2, const nghttp2_frame *frame); /* HEADERS or DATA, whole */
void h2_request_resume(struct exchange *ex);
void h2_tunnel(struct exchange *ex);
/* Callbacks of nghttp2. */
int h2_on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg);
int h2_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		 size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg);
int h2_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
	       void *arg);

/* ---- h2_reply.c: from the exchange to the client ---- */
void h2_flush_later(struct h2 *h2);
void h2_respond(struct exchange *ex);
void h2_inform(struct exchange *ex, const struct http_response *interim);
bool h2_body(struct exchange *ex, struct str_view bytes);
void h2_finish(struct exchange *ex, const struct fields *trailers);
void h2_abort(struct exchange *ex);
/* Nothing of what it was sent has the client taken since bodyIdle ago? */
bool h2_stuck(struct h2 *h2);
/* nghttp2's send_data_callback. */
int h2_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *framehd,
		 size_t length, nghttp2_data_source *source, void *arg);

#endif
