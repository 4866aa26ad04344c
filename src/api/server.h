/* api/server.h - libmicrohttpd on our loop: one listener, its connections and their deadlines
 *
 * Its epoll descriptor nests in the loop, its timeouts become a timer; nothing here knows what is
 * served. A connection that owes us a request (the rest of one, or the next) has arrival_ms;
 * one that is slow to take an answer is libmicrohttpd's to close, after the same time.
 */
#ifndef API_SERVER_H
#define API_SERVER_H

#include "base/err.h"
#include "base/list.h"
#include "loop/loop.h"

#include <microhttpd.h>

struct server_conn {      /* one accepted connection; owned by the server */
	struct list link; /* in server->waiting while it owes us a request */
	struct server *server;
	int64_t deadline;
	int fd; /* borrowed from libmicrohttpd */
};

/* What is served: called by libmicrohttpd, with arg as their cls. */
struct server_ops {
	MHD_AccessHandlerCallback request;
	/* May be NULL. The raw target of a request (path and query, nothing decoded); what it
	 * returns is the request's *con_cls. */
	void *(*target)(void *cls, const char *target, struct MHD_Connection *connection);
	MHD_RequestCompletedCallback completed; /* may be NULL */
};

struct server {
	struct loop *loop;
	struct MHD_Daemon *mhd;
	struct loop_fd poll;  /* libmicrohttpd's epoll */
	struct timer timeout; /* libmicrohttpd's */
	struct task resumed;  /* gives libmicrohttpd its turn after server_resume */
	struct timer arrival; /* of the first in waiting */
	struct list waiting;  /* struct server_conn, the earliest deadline first */
	const struct server_ops *ops;
	void *arg;
	int64_t arrival_ms;
	size_t conn_count;
};

/* loop, ops (borrowed, static), arg and arrival_ms are set, the rest is zero. Takes listen_fd, also
 * when it fails. */
int server_start(struct server *server, int listen_fd, unsigned conn_max, struct err *err);
/* No new connections; the socket is closed. */
void server_quiesce(struct server *server);
/* Goes on with a suspended connection, later: nothing tells libmicrohttpd itself about it. */
void server_resume(struct server *server, struct MHD_Connection *connection);
/* Lets libmicrohttpd work without waiting for an event (answers that were queued). */
void server_run(struct server *server);
/* Ends all connections; none may be suspended. Harmless when not started. */
void server_stop(struct server *server);

struct server_conn *server_conn_of(struct MHD_Connection *connection); /* borrowed */
void server_conn_arrived(struct server_conn *conn); /* its request is here whole */

#endif
