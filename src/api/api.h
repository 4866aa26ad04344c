/* api/api.h - the control API: Kubernetes conventions over HTTP on a Unix socket; metrics and health
 *
 * libmicrohttpd with external epoll on the control loop. The Unix socket knows its caller (SO_PEERCRED): root,
 * the socket's group and the owner of the daemon's process may do all; the daemon's own process nothing.
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
	const struct sock_addr *metrics; /* --listen-metrics: /metrics /readyz /livez, read-only; NULL: none */
	/* Answers to writes wait for this (controllers_settle); done must be called in a later turn. */
	void (*settle)(void *arg, uint64_t revision, void (*done)(void *done_arg), void *done_arg);
	void (*settle_cancel)(void *arg, void *done_arg);
	void (*metrics_text)(void *arg, struct buf *out); /* everybody's metrics but the API's own */
	bool (*ready)(void *arg, struct err *why);        /* /readyz */
	void *arg;
};

/* Limits: 1 MiB + 64 KiB a body is 413 above 3 MiB, 64 connections, 30 s for a request to arrive, 256 watches. */
struct api *api_start(const struct api_config *config, struct err *err);
void api_drain(struct api *api); /* ends watches, stops accepting; before the store closes */
void api_free(struct api *api);

#endif
