/* dataplane/plane.h - the workers as the control thread sees them: bind, publish, drain, count
 *
 * Control thread only. The only header of this room, with snapshot.h, that others may include.
 */
#ifndef DATAPLANE_PLANE_H
#define DATAPLANE_PLANE_H

#include "base/buf.h"
#include "base/err.h"
#include "dataplane/policy.h"
#include "dataplane/snapshot.h"
#include "loop/loop.h"

struct plane;

struct plane_config {
	struct loop *loop; /* control loop */
	unsigned workers;  /* 1..64 */
	struct plane_limits limits;
	int access_fd; /* -1: off; O_APPEND file, pipe or socket; each worker writes to a copy */
	bool access_json;
	/* Called on the control loop when all workers run the generation. */
	void (*acknowledged)(void *arg, uint64_t generation);
	/* The CA (or anybody) fetched the token of a challenge; at most a few times a second. */
	void (*challenge_fetched)(void *arg, struct str_view token);
	/* Last question before a worker dials an address (pure, any thread): may it be dialled? */
	bool (*may_dial)(const void *arg, const struct sock_addr *addr);
	const void *may_dial_arg; /* immutable for the plane's life */
	void *arg;
};

/* Starts the workers. config is copied, what it points to outlives the plane. NULL with err: a
 * thread, its loop or OpenSSL could not be set up. */
struct plane *plane_start(const struct plane_config *config, struct err *err);

/* Binds (address, port) for every worker now: port in use and permission errors come back here and
 * become conditions. The binding accepts nothing until a published snapshot has a port with it.
 * Bound already: the same binding again (no second bind). */
struct binding *plane_bind(struct plane *plane, const struct sock_addr *addr, struct err *err);
struct binding *plane_bind_udp(struct plane *plane, const struct sock_addr *addr, struct err *err);
const struct sock_addr *binding_addr(const struct binding *binding);

/* Takes the snapshot, gives it the next generation, and mails it to the workers. Bindings that no
 * port of it names are closed (their queue is accepted empty first); kept connections of theirs are
 * drained. Returns the generation. */
uint64_t plane_publish(struct plane *plane, struct snapshot *snapshot);
struct graveyard *plane_graveyard(struct plane *plane); /* for part_unref */
const struct plane_limits *plane_limits(const struct plane *plane);
uint64_t plane_acknowledged(const struct plane *plane); /* newest generation that all workers run */

/* Stops accepting, GOAWAY / Connection: close, idle connections end at once, requests in flight get
 * limits.drain_ms; then done on the control loop. */
void plane_drain(struct plane *plane, void (*done)(void *arg), void *arg);
void plane_free(struct plane *plane); /* stops and joins the workers */

void plane_metrics(struct plane *plane, struct buf *out); /* Prometheus text */
/* After log rotation. The workers write to copies of fd: the caller may close it, and the old one.
 */
void plane_reopen_access(struct plane *plane, int fd);

#endif
