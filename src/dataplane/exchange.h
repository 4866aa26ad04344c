/* dataplane/exchange.h - one request and its response, between a downstream codec and an upstream
 *
 * Life: exchange_new -> codec fills ex->request -> exchange_start -> request body and end ->
 * respond, body, finish -> exchange_close (by the codec, when both its sides are done or the client
 * is gone). A response may begin and end before the request does (early answers).
 */
#ifndef DATAPLANE_EXCHANGE_H
#define DATAPLANE_EXCHANGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "dataplane/snapshot.h"
#include "dataplane/transport.h"
#include "http/message.h"
#include "loop/loop.h"

#include <stdint.h>

struct leg;
struct worker;

#define EXCHANGE_MAGIC 0x45584348u

/* Exchanges kept for reuse by one worker (with their first arena chunk), and its random numbers.
 * All zero is a fresh one. */
struct exchange_pool {
	struct exchange *spare;
	unsigned count;
	struct list copies; /* mirror.c */
	unsigned copy_count;
	uint64_t random;
	struct buf scratch; /* a head that is being written */
};
/* The scratch buffer, emptied; what stands in it must be copied out before anybody else is called.
 */
struct buf *exchange_scratch(struct worker *worker);
void exchange_pool_deinit(struct exchange_pool *pool);

struct exchange {
	uint32_t magic;
	struct exchange *next_spare;
	struct arena arena; /* head, fields, rewritten text: all of this exchange, ceiling =
			       limits.head * 3 */
	struct worker *worker;
	struct conn *conn;             /* NULL: a copy, nobody waits for it (mirror.h) */
	const struct transport *proto; /* the downstream codec */
	void *stream;                  /* its state for this exchange */
	struct http_request request;
	struct http_response response;
	struct rule *rule;       /* pinned from match to close */
	struct backend *backend; /* pinned likewise */
	struct leg *upstream;
	struct cert *client_cert; /* pinned likewise: for backends that ask for one; or NULL */
	struct buf unsent; /* what a leg that failed had not written yet: the next one sends it */
	struct buf replay; /* content so far, as long as the rule may have to repeat the request */
	const struct fields *request_trailers; /* once the request has ended; or NULL */
	struct list copies;                    /* that are still fed (mirror.c) */
	struct timer timer;                    /* request / backend timeouts of the rule */
	struct timer again;                    /* armed: between two attempts (retry.c) */
	int64_t backend_deadline_ms, request_deadline_ms; /* 0: none */
	int64_t started_ms;
	uint64_t bytes_in, bytes_out; /* bodies, for the access log */
	struct str_view client;       /* address text, when the policy found it; else conn->peer */
	const char *failure; /* why a 5xx was made here ("upstream_connect", …), for the access log;
				or NULL */
	uint16_t status;     /* sent to the client */
	bool request_ended, response_started, response_ended, upgraded;
	bool unsent_raw;   /* that is content; else text of HTTP/1.1, head and all */
	bool trusted;      /* what the request says of its client is believed (clientip.c) */
	bool looped;       /* it came through here too often already (filter.c) */
	bool routed;       /* the head was complete and understood */
	bool replay_lost;  /* more content came than is kept */
	uint8_t tries;     /* legs begun for one attempt */
	uint8_t retries;   /* attempts after the first */
	bool fresh;        /* the next leg is not to be a kept connection: the last one had ended */
	uint64_t endpoint; /* that the last leg went to (pool.h); 0: none */
};

struct exchange *exchange_new(struct conn *conn, void *stream);
/* Of mirror.c: no client, and a deadline of its own. copy->request is filled between the two. */
struct exchange *exchange_copy_new(struct worker *worker, const struct transport *proto,
				   void *stream);
void exchange_copy_start(struct exchange *copy, const struct exchange *of, struct backend *backend);

/* ---- called by the codec ---- */
void exchange_start(struct exchange *ex); /* request head complete: match, filter, answer or dial */
/* All bytes are taken. false: no more until proto->request_resume. */
bool exchange_request_body(struct exchange *ex, struct str_view bytes);
void exchange_request_end(struct exchange *ex, const struct fields *trailers);
void exchange_response_resume(
	struct exchange *ex); /* the client took enough: read the upstream again */
/* Nobody waits for the response any more: lets the backend go at once. exchange_close follows. */
void exchange_abandon(struct exchange *ex);
/* The codec is done with it (answered, or the client is gone): releases everything, writes the
 * access log line. */
void exchange_close(struct exchange *ex);
/* Answers from here with a short text/plain body ("404 Not Found\n"), any time before the response
 * started; afterwards it aborts. Used by codecs for 400, 408, 413, 431 too (ex->request may be half
 * filled). */
void exchange_fail(struct exchange *ex, uint16_t status, const char *failure);

/* ---- called by upstream.c (the leg to the backend) ---- */
void exchange_upstream_head(struct exchange *ex); /* ex->response filled */
void exchange_upstream_interim(struct exchange *ex, const struct http_response *interim);
bool exchange_upstream_body(struct exchange *ex, struct str_view bytes); /* false: stop reading */
void exchange_upstream_end(struct exchange *ex, const struct fields *trailers);
void exchange_upstream_room(struct exchange *ex); /* its output drained */
/* What the backend knows of the request when the leg fails. */
enum leg_fate {
	LEG_UNREACHED,  /* nothing, no connection was made; all of it is in ex->unsent */
	LEG_UNSEEN,     /* nothing, the kept connection had ended; all of it is in ex->unsent */
	LEG_REPEATABLE, /* maybe all of it, but it may see it twice (RFC 9110, section 9.2.2) */
	LEG_SEEN        /* something */
};
/* The leg failed: connect, reset, malformed answer, time-out; ex->upstream is NULL again. */
void exchange_upstream_failed(struct exchange *ex, uint16_t status, const char *failure,
			      enum leg_fate fate);

void exchange_arm(struct exchange *ex); /* the rule's time-outs, for an attempt that begins now */
uint64_t exchange_random(struct worker *worker); /* xorshift; not for secrets */

#endif
