/* api/server.c - libmicrohttpd on our loop */
#include "api/server.h"

#include "base/log.h"
#include "base/own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONN_MEMORY (32u << 10) /* bytes of a request's head, and of an answer's */

/* ---- connections ---- */

struct server_conn *server_conn_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info == NULL ? NULL : info->socket_context;
}

/* Deadlines are all alike, so the list is in their order. */
static void arm_arrival(struct server *server)
{
	if (list_empty(&server->waiting))
		timer_stop(server->loop, &server->arrival);
	else
		timer_set(server->loop, &server->arrival,
			  LIST_ENTRY(server->waiting.next, struct server_conn, link)->deadline);
}

void server_conn_arrived(struct server_conn *conn)
{
	list_remove(&conn->link);
	arm_arrival(conn->server);
}

static void conn_waits(struct server_conn *conn)
{
	list_remove(&conn->link);
	conn->deadline = loop_now(conn->server->loop) + conn->server->arrival_ms;
	list_append(&conn->server->waiting, &conn->link);
	arm_arrival(conn->server);
}

/* libmicrohttpd finds the end of the stream and closes the connection itself. */
static void on_arrival(struct timer *timer)
{
	struct server *server = CONTAINER_OF(timer, struct server, arrival);

	LIST_EACH(&server->waiting, node)
	{
		struct server_conn *conn = LIST_ENTRY(node, struct server_conn, link);

		if (conn->deadline > loop_now(server->loop))
			break;
		list_remove(&conn->link);
		shutdown(conn->fd, SHUT_RDWR);
	}
	arm_arrival(server);
}

static void conn_opened(struct server *server, struct MHD_Connection *connection, void **context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct server_conn *conn = xcalloc(1, sizeof(*conn));

	conn->server = server;
	conn->fd = info == NULL ? -1 : info->connect_fd;
	list_init(&conn->link);
	conn_waits(conn);
	server->conn_count++;
	*context = conn;
}

static void conn_closed(struct server *server, void **context)
{
	struct server_conn *conn = *context;

	if (conn == NULL)
		return;
	server_conn_arrived(conn);
	server->conn_count--;
	free(conn);
	*context = NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		conn_opened(cls, connection, context);
	else
		conn_closed(cls, context);
}

/* ---- what libmicrohttpd calls ---- */

static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
	struct server *server = cls;

	if (server->ops->target == NULL)
		return NULL;
	return server->ops->target(server->arg, target, connection);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **request,
			 enum MHD_RequestTerminationCode how)
{
	struct server *server = cls;
	struct server_conn *conn = server_conn_of(connection);

	if (server->ops->completed != NULL)
		server->ops->completed(server->arg, connection, request, how);
	if (conn != NULL)
		conn_waits(conn);
}

/* Targets are decoded by target.c, part by part. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

static void on_log(void *cls, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
static void on_log(void *cls, const char *fmt, va_list args)
{
	char text[256];

	(void)cls;
	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("api", "libmicrohttpd: %s", text);
}

/* ---- on the loop ---- */

static void arm_timeout(struct server *server)
{
	unsigned long long ms;

	if (MHD_get_timeout(server->mhd, &ms) == MHD_YES)
		timer_in(server->loop, &server->timeout, ms > 60000 ? 60000 : (int64_t)ms);
	else
		timer_stop(server->loop, &server->timeout);
}

void server_run(struct server *server)
{
	MHD_run(server->mhd);
	arm_timeout(server);
}

static void on_poll(struct loop_fd *poll, unsigned events)
{
	(void)events;
	server_run(CONTAINER_OF(poll, struct server, poll));
}

static void on_timeout(struct timer *timer)
{
	server_run(CONTAINER_OF(timer, struct server, timeout));
}

static void on_resumed(struct task *task)
{
	server_run(CONTAINER_OF(task, struct server, resumed));
}

void server_resume(struct server *server, struct MHD_Connection *connection)
{
	MHD_resume_connection(connection);
	task_defer(server->loop, &server->resumed);
}

static struct MHD_Daemon *start_daemon(struct server *server, int listen_fd, unsigned conn_max)
{
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, (intptr_t)conn_max, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)CONN_MEMORY, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, (server->arrival_ms + 999) / 1000, NULL},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, server},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, server},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, server},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, server},
		{MHD_OPTION_END, 0, NULL},
	};

	/* The log comes first: it is used for what is wrong with the other options. */
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
				NULL, NULL, server->ops->request, server->arg,
				MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_ARRAY, options,
				MHD_OPTION_END);
}

int server_start(struct server *server, int listen_fd, unsigned conn_max, struct err *err)
{
	const union MHD_DaemonInfo *info;

	list_init(&server->waiting);
	timer_init(&server->timeout, on_timeout);
	timer_init(&server->arrival, on_arrival);
	task_init(&server->resumed, on_resumed);
	server->mhd = start_daemon(server, listen_fd, conn_max);
	if (server->mhd == NULL) {
		close(listen_fd);
		return err_set(err, ERR_IO, "cannot start the HTTP server: %s", strerror(errno));
	}
	info = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	server->poll = (struct loop_fd){.fd = info->epoll_fd, .ready = on_poll};
	if (loop_add(server->loop, &server->poll, LOOP_READ, err) < 0) {
		server_stop(server);
		return -1;
	}
	return 0;
}

void server_quiesce(struct server *server)
{
	MHD_socket fd = server->mhd == NULL ? MHD_INVALID_SOCKET : MHD_quiesce_daemon(server->mhd);

	if (fd != MHD_INVALID_SOCKET)
		close(fd);
}

void server_stop(struct server *server)
{
	if (server->mhd == NULL)
		return;
	loop_remove(server->loop, &server->poll);
	MHD_stop_daemon(server->mhd);
	server->mhd = NULL;
	timer_stop(server->loop, &server->timeout);
	timer_stop(server->loop, &server->arrival);
	task_cancel(&server->resumed);
}
