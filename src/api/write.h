/* api/write.h - the way of every write: the store's answer, then the controllers settle, then ours
 *
 * A write belongs to its request. The store cannot be told that a request has ended, so a write
 * that the store still has to answer outlives its request, and is freed then.
 */
#ifndef API_WRITE_H
#define API_WRITE_H

#include "api/verbs.h"

#define WRITE_TRIES_MAX 8 /* compare-and-swaps before a client is told to try again itself */

struct write {                   /* embedded first in what a verb needs; heap */
	struct request *request; /* NULL: ended */
	struct api *api;
	size_t outstanding; /* answers that the store owes */
	bool settling;
	void (*settled)(struct write *write); /* answers the request and ends the write */
	void (*release)(struct write *write); /* frees what embeds it */
};

void write_init(struct write *write, struct request *request);
/* In each callback of the store: true when it was the last that is owed and the request still
 * lives. */
bool write_is_due(struct write *write);
/* settled runs when the controllers have done what follows from changes up to revision, or at once
 * when nobody settles. */
void write_settle(struct write *write, uint64_t revision);
void write_end(struct write *write); /* frees it; the request has its answer */

/* What the query asks for; -1: refused, answered. */
int write_dry_run(struct request *request, bool *dry_run);

/* The file of the manifests folder that an object comes from, a JSON string; NULL: none. */
const json_t *write_source(const struct object *object);
/* Warns when the object comes from a file of the manifests folder. */
void write_warn_source(struct request *request, const struct object *object);

#endif
