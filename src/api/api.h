/* api/api.h - the control API: Kubernetes conventions over HTTP on a Unix socket; metrics and
 * health
 *
 * libmicrohttpd with external epoll on the control loop. The Unix socket knows its caller
 * (SO_PEERCRED): root, the socket's group and the owner of the daemon's process may do all; the
 * daemon's own process nothing.
 */
#ifndef API_API_H
#define API_API_H

#include "base/buf.h"
#include "base/err.h"
#include "loop/loop.h"
#include "loop/sock.h"
#include "store/store.h"

#include <stdbool.h>

struct api;

struct api_config {
	struct loop *loop;
	struct store *store;
	const char *socket_path;
	const char *socket_group; /* "sallyport" when it exists; NULL: only root and the owner */
	const struct sock_addr
		*metrics; /* --listen-metrics: /metrics /readyz /livez, read-only; NULL: none */
	/* Answers to writes wait for this (controllers_settle); done must be called in a later
	 * turn. */
	void (*settle)(void *arg, uint64_t revision, void (*done)(void *done_arg), void *done_arg);
	void (*settle_cancel)(void *arg, void *done_arg);
	void (*metrics_text)(void *arg,
			     struct buf *out);     /* everybody's metrics but the API's own */
	bool (*ready)(void *arg, struct err *why); /* /readyz */
	void *arg; /* functions may be NULL: nothing settles, always ready */
};

/* Limits: a body of 3 MiB (else 413), 64 MiB of bodies at a time (else 429), a head of 32 KiB, 320
 * connections, at most 256 of them watches (else 429), 30 s for a request to arrive and for a
 * client to take an answer, 4096 changes that a watch may lag behind; 16 connections to the
 * metrics. */
struct api *api_start(const struct api_config *config, struct err *err);
/* Before the store closes and the controllers end: accepts no more, ends watches, answers writes
 * that settle at once and everything new with 503. Neither settle nor settle_cancel are called any
 * more. */
void api_drain(struct api *api);
/* Drains first. What still waits for the store is answered with 503. Once drained, of the config
 * only metrics_text is called, and only while the loop runs: store and controllers may be gone.
 * NULL is fine. */
void api_free(struct api *api);

#endif
