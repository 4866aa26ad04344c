/* dataplane/leg.h - an exchange's way to a backend, whatever form it has; by upstream_priv.h only
 *
 * A leg has one of three forms: a connection of HTTP/1.1 (upstream.c sends, upstream_read.c
 * receives), a stream of HTTP/2 (up_h2.c), or a place in the queue for a connection that is being
 * made, when only the handshake tells which of the two it will be, or many will share it
 * (up_dial.c).
 */
#ifndef DATAPLANE_LEG_H
#define DATAPLANE_LEG_H

#include "dataplane/exchange.h"

struct endpoint;

struct leg; /* what ex->upstream points to: the first member of each form */

struct leg_codec { /* the functions of upstream.h, for one form; ex is the leg's */
	bool (*body)(struct leg *leg, struct str_view bytes);
	void (*end)(struct leg *leg, const struct fields *trailers);
	void (*resume)(struct leg *leg);
	void (*detach)(struct leg *leg);
};

struct leg {
	const struct leg_codec *codec;
	struct exchange *ex; /* NULL: they have forgotten each other */
	struct endpoint *endpoint;
};

/* The exchange and the leg forget each other. */
static inline void leg_part(struct leg *leg)
{
	if (leg->ex != NULL)
		leg->ex->upstream = NULL;
	leg->ex = NULL;
}

static inline void leg_join(struct leg *leg, const struct leg_codec *codec, struct exchange *ex)
{
	leg->codec = codec;
	leg->ex = ex;
	ex->upstream = leg;
}

#endif
