/* dataplane/upstream.h - the leg to a backend: endpoint choice, connect, pooled keepalive
 *
 * Per worker: a pool of idle connections for each endpoint address, bounded in number and age. A
 * connection goes back to the pool only when both messages ended exactly at their framing and
 * nothing is left over. HTTP/2 connections are shared by many exchanges at once.
 */
#ifndef DATAPLANE_UPSTREAM_H
#define DATAPLANE_UPSTREAM_H

#include "dataplane/exchange.h"

struct pool;
struct up_contexts;
struct upstreams; /* the worker's pools */

struct upstreams *upstreams_new(struct worker *worker);
void upstreams_free(struct upstreams *upstreams);

/* The endpoints that all kinds of legs of this worker share. What is added is swept by and by. */
struct pool *upstreams_pool(struct upstreams *upstreams);
struct up_contexts *upstreams_contexts(struct upstreams *upstreams); /* of TLS */

/* Takes an idle connection or dials, and sends the head of ex->request (already filtered). Result
 * comes by exchange_upstream_*, in this or a later turn; never from inside this call. */
void upstream_begin(struct exchange *ex);
bool upstream_body(struct exchange *ex, struct str_view bytes); /* all taken; false: full */
void upstream_end(struct exchange *ex, const struct fields *trailers);
void upstream_resume(struct exchange *ex); /* read the response again */
/* What its endpoint answered, or was answered for it: too much of that, and it rests (pool.h). */
void upstream_judge(struct exchange *ex, int status);
void upstream_detach(struct exchange *ex); /* the exchange ends: pool the connection or close it */

#endif
