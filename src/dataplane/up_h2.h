/* dataplane/up_h2.h - what up_h2.c (the connection), up_h2_send.c (requests) and up_h2_reply.c
 * (responses) share; nobody else includes it
 */
#ifndef DATAPLANE_UP_H2_H
#define DATAPLANE_UP_H2_H

#include "dataplane/up_tls.h"
#include "dataplane/upstream_priv.h"
#include "http/h2_head.h"

#include <nghttp2/nghttp2.h>

#define UP_H2_MAGIC       0x55503248u
#define UP_H2_CHECK(h2)   assert((h2)->magic == UP_H2_MAGIC)
#define UP_H2_WINDOW      131072     /* response bytes that a stream may have under way */
#define UP_H2_STREAMS_MAX 100        /* at once, however many more the backend would take */
#define UP_H2_OUT_HIGH    65536      /* frames that wait for the socket: no more are made */
#define UP_H2_OUT_MAX     (1u << 20) /* bound: OUT_HIGH and one frame's head */

struct up_h2 { /* one connection */
	uint32_t magic;
	struct loop_fd watch; /* owns the descriptor */
	struct upstreams *owner;
	struct endpoint *endpoint;
	struct up_tls *tls; /* or NULL */
	nghttp2_session *session;
	struct list link; /* in endpoint->sessions */
	struct list streams;
	uint32_t stream_count, streams_max;
	uint64_t served;  /* exchanges that it completed */
	uint64_t reads;   /* how often bytes came */
	int64_t heard_ms; /* the last time */
	struct buf out;
	struct timer timer; /* without streams: idle */
	struct task turn;
	bool readable, eof; /* as struct upstream_conn */
	bool busy;          /* it will be flushed anyway */
	bool closed;
	bool retired;   /* takes no more requests */
	bool attention; /* some stream is to be looked at (settle_streams) */
	bool settled;   /* its SETTINGS have come */
	bool crowded;   /* it turned out to take fewer streams than it was given */
};

struct up_stream { /* one exchange */
	struct leg leg;
	struct list link;
	struct up_h2 *h2;
	int32_t id;
	struct h2_head head;   /* the response's, then the trailers' */
	struct buf out;        /* content of the request that the library has not taken */
	struct buf in;         /* content of the response that the client has no room for */
	uint64_t content_sent; /* of the request */
	uint64_t received;     /* content of the response */
	uint64_t reads;        /* h2->reads when it began */
	size_t unconsumed;     /* bytes by which the window stays shut */
	unsigned interims;
	struct timer timer;
	int64_t armed_ms;
	const struct fields *trailers; /* of the request */
	const char *failure;           /* to be reported by the turn */
	uint16_t failure_status;
	bool head_sent, ended, sent_all; /* the request: HEADERS, known to be whole, END_STREAM */
	bool head_done, has_trailers, over; /* the response */
	bool unproved;                      /* its head waits: it says that no content comes */
	bool closed;                        /* the library has forgotten it */
	bool deferred;                      /* the library waits for content */
	bool full;                          /* the codec was told to wait */
	bool held;                          /* a WebSocket waits for its SETTINGS (RFC 8441) */
	bool hopeless;                      /* no other connection would do, either */
	bool paused, resumed;               /* the client is full; it is not any more */
	bool streams;                       /* events, gRPC: long silences are normal */
};

static inline const struct plane_limits *up_h2_limits(const struct up_h2 *h2)
{
	return &h2->owner->worker->config->limits;
}

/* ---- up_h2.c ---- */
void up_h2_flush_later(struct up_h2 *h2);
void up_h2_retire(struct up_h2 *h2); /* takes no more requests */
/* Registered, with a deadline; not submitted. */
struct up_stream *up_stream_new(struct up_h2 *h2, struct exchange *ex);
struct up_stream *up_stream_of(struct up_h2 *h2, int32_t id); /* NULL: over, or given up */
void up_stream_drop(struct up_stream *stream); /* the exchange has all it gets, or is gone */
/* Gives up and tells the exchange. refused: the backend says that it did not look at it. */
void up_stream_fail(struct up_stream *stream, uint16_t status, const char *failure, bool refused);
/* The same from inside a call of the exchange. */
void up_stream_fail_later(struct up_stream *stream, uint16_t status, const char *failure);
void up_stream_arm(struct up_stream *stream); /* something moved: the deadline is counted anew */

/* ---- up_h2_send.c ---- */
void up_h2_submit(struct up_stream *stream); /* what was held, now that SETTINGS have come */
bool up_h2_body(struct leg *leg, struct str_view bytes);
void up_h2_end(struct leg *leg, const struct fields *trailers);

/* ---- up_h2_reply.c ---- */
bool up_h2_is_stream(const struct fields *fields); /* its type: events, or gRPC */
void up_stream_frame(struct up_stream *stream, const nghttp2_frame *frame); /* HEADERS, DATA */
void up_stream_go_on(struct up_stream *stream); /* its client takes more again */
/* Callbacks of nghttp2. */
int up_h2_on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg);
int up_h2_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		    void *arg);
int up_h2_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		  size_t len, void *arg);

#endif
