/* Connections that owe a request are closed in time; others are served. */
#include "api/server.h"

#include "base/own.h"
#include "loop/sock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 60000

struct client {
	struct loop_fd fd;
	struct loop *loop;
	size_t step;
	struct timer drip; /* step bytes at a time */
	struct timer patience;
	const char *text;
	size_t sent;
	char got[1024];
	size_t got_len;
	bool closed, answered;
};

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **con_cls)
{
	static char text[] = "hello";
	struct MHD_Response *response;
	enum MHD_Result result;

	(void)cls;
	(void)url;
	(void)method;
	(void)version;
	(void)data;
	(void)size;
	if (*con_cls == NULL) {
		*con_cls = text;
		return MHD_YES;
	}
	server_conn_arrived(server_conn_of(connection));
	response = MHD_create_response_from_buffer(5, text, MHD_RESPMEM_PERSISTENT);
	result = MHD_queue_response(connection, 200, response);
	MHD_destroy_response(response);
	return result;
}

static const struct server_ops ops = {.request = on_request};

static void on_drip(struct timer *timer)
{
	struct client *client = CONTAINER_OF(timer, struct client, drip);
	size_t left = strlen(client->text) - client->sent;
	ssize_t count;

	if (left == 0 || client->closed)
		return;
	count = send(client->fd.fd, client->text + client->sent,
		     left < client->step ? left : client->step, MSG_NOSIGNAL);
	client->sent += count > 0 ? (size_t)count : 0;
	timer_in(client->loop, timer, 5);
}

static void on_patience(struct timer *timer)
{
	loop_stop(CONTAINER_OF(timer, struct client, patience)->loop);
}

static void on_ready(struct loop_fd *fd, unsigned events)
{
	struct client *client = CONTAINER_OF(fd, struct client, fd);
	ssize_t count = recv(fd->fd, client->got + client->got_len,
			     sizeof(client->got) - 1 - client->got_len, 0);

	(void)events;
	if (count > 0) {
		client->got_len += (size_t)count;
		client->answered = strstr(client->got, "hello") != NULL;
		return;
	}
	client->closed = true;
	loop_stop(client->loop);
}

/* What becomes of a client that sends text, bit by bit, and then waits. */
static void serve(struct client *client, const char *text, size_t step)
{
	char path[] = "/tmp/test_server.XXXXXX", socket[64];
	struct err err = {.code = ERR_NONE};
	struct server server = {.ops = &ops, .arrival_ms = 100};
	struct sock_addr addr;
	bool in_progress;
	int fd;

	*client = (struct client){.text = text, .step = step};
	client->loop = loop_new(&err);
	assert_non_null(mkdtemp(path));
	snprintf(socket, sizeof(socket), "%s/s", path);
	fd = sock_listen_unix(sv_from(socket), 0600, &err);
	server.loop = client->loop;
	assert_int_equal(server_start(&server, fd, 8, &err), 0);
	assert_true(sock_addr_unix(&addr, sv_from(socket)));
	client->fd = (struct loop_fd){.fd = sock_connect(&addr, &in_progress), .ready = on_ready};
	assert_int_equal(loop_add(client->loop, &client->fd, LOOP_READ, &err), 0);
	timer_init(&client->drip, on_drip);
	timer_init(&client->patience, on_patience);
	timer_in(client->loop, &client->drip, 1);
	timer_in(client->loop, &client->patience, PATIENCE_MS);
	loop_run(client->loop);
	timer_stop(client->loop, &client->drip);
	timer_stop(client->loop, &client->patience);
	loop_remove(client->loop, &client->fd);
	close(client->fd.fd);
	server_stop(&server);
	assert_int_equal(server.conn_count, 0);
	loop_free(client->loop);
	unlink(socket);
	rmdir(path);
}

static void test_deadlines(void **state)
{
	static const struct {
		const char *name, *text;
		size_t step;
		bool answered;
	} cases[] = {
		{"nothing is sent", "", 100, false},
		{"bytes that come too slowly do not move the deadline",
		 "GET / HTTP/1.1\r\nHost: x\r\nX-Long: "
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
		 "\r\n",
		 1, false},
		{"empty lines are no request", "\r\n\r\n", 100, false},
		{"half a body", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nx", 100,
		 false},
		{"a kept connection without another request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		 100, true},
		{"a whole request", "GET / HTTP/1.0\r\n\r\n", 100, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct client client;

		serve(&client, cases[i].text, cases[i].step);
		if (!client.closed || client.answered != cases[i].answered)
			fail_msg("%s: closed %d, answered %d: %s", cases[i].name, client.closed,
				 client.answered, client.got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_deadlines)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
