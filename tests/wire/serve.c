/* tests/wire/serve.c - real workers with a fixed configuration, for tests that speak in bytes
 *
 * usage: serve LISTEN-ADDR:PORT BACKEND-ADDR:PORT [CERT.pem KEY.pem TLS-ADDR:PORT]
 * Everything goes to the backend, /denied is redirected. Prints "ready" when it serves; ends when its
 * standard input does, after a drain.
 */
#include "base/log.h"
#include "base/own.h"
#include "dataplane/plane.h"
#include "loop/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct serve {
	struct loop *loop;
	struct plane *plane;
	struct loop_fd in;
};

static void acknowledged(void *arg, uint64_t generation)
{
	(void)arg;
	if (generation == 1) {
		puts("ready");
		fflush(stdout);
	}
}

static void fetched(void *arg, struct str_view token)
{
	(void)arg;
	(void)token;
}

static void drained(void *arg)
{
	loop_stop(((struct serve *)arg)->loop);
}

static void in_ready(struct loop_fd *watch, unsigned events)
{
	struct serve *serve = CONTAINER_OF(watch, struct serve, in);
	char byte;

	(void)events;
	if (read(watch->fd, &byte, 1) > 0)
		return;
	loop_remove(serve->loop, watch);
	plane_drain(serve->plane, drained, serve);
}

static void check(bool fine, const char *what, const struct err *err)
{
	if (fine)
		return;
	fprintf(stderr, "serve: %s: %s\n", what, err->msg);
	exit(1);
}

static struct vhost *make_vhost(struct backend *to, struct err *err)
{
	struct rule forward = {.name = SV("wire/forward"), .backend_count = 1, .backends = &to};
	struct rule denied = {.name = SV("wire/denied"),
			      .redirect = {.present = true,
					   .scheme = SV("https"),
					   .status = 301}};
	struct match_spec matches[] = {
		{.path_type = MATCH_PREFIX, .path = SV("/"), .rule = rule_new(&forward)},
		{.path_type = MATCH_PREFIX, .path = SV("/denied"), .rule = rule_new(&denied)},
	};

	return vhost_new(matches, ARRAY_LEN(matches), err);
}

static struct binding *bind_to(struct serve *serve, const char *text, struct err *err)
{
	struct sock_addr addr;

	check(sock_addr_parse(&addr, sv_from(text), 0), "not an address", err);
	return plane_bind(serve->plane, &addr, err);
}

static void publish(struct serve *serve, char **argv, struct err *err)
{
	struct sock_addr to;
	struct backend backend = {.name = SV("wire/backend"),
				  .weight = 1,
				  .endpoint_count = 1,
				  .endpoints = &to};
	struct str_view any = SV("");
	struct snap_listener listener = {.name = SV("wire/http"), .vhost_count = 1};
	struct snap_listener *listeners[1];
	struct snap_port port = {.port = 80, .listener_count = 1};
	struct vhost *vhost;

	check(sock_addr_parse(&to, sv_from(argv[2]), 0), argv[2], err);
	vhost = make_vhost(backend_new(&backend), err);
	check(vhost != NULL, "vhost", err);
	listener.vhosts = &vhost;
	listener.vhost_hosts = &any;
	listeners[0] = snap_listener_new(&listener);
	port.listeners = listeners;
	port.binding = bind_to(serve, argv[1], err);
	check(port.binding != NULL, argv[1], err);
	plane_publish(serve->plane,
		      snapshot_new(&(struct snapshot){.port_count = 1, .ports = &port}));
}

int main(int argc, char **argv)
{
	struct serve serve = {.in = {.fd = STDIN_FILENO, .ready = in_ready}};
	struct err err = {.code = ERR_NONE, .msg = ""};
	struct plane_config config = {.workers = 1,
				      .limits = plane_limits_default,
				      .access_fd = -1,
				      .acknowledged = acknowledged,
				      .challenge_fetched = fetched,
				      .arg = &serve};

	if (argc < 3) {
		fprintf(stderr, "usage: serve LISTEN BACKEND\n");
		return 2;
	}
	log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT, STDERR_FILENO);
	serve.loop = config.loop = loop_new(&err);
	check(serve.loop != NULL, "loop", &err);
	serve.plane = plane_start(&config, &err);
	check(serve.plane != NULL, "plane", &err);
	publish(&serve, argv, &err);
	check(loop_add(serve.loop, &serve.in, LOOP_READ, &err) == 0, "stdin", &err);
	loop_run(serve.loop);
	plane_free(serve.plane);
	loop_free(serve.loop);
	return 0;
}
