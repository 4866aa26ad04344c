/* The plane: bindings that come and go, generations, drain, the end under load. */
#include "rig.h"

#include "dataplane/binding.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void drained(void *arg)
{
	struct rig *rig = arg;

	rig->drained = true;
}

/* A second instance sees that the port is taken; the same plane gets its binding again. */
static void test_bind(void **state)
{
	struct rig rig, other;
	struct binding *binding;
	struct sock_addr addr;
	struct err err;

	(void)state;
	rig_start(&rig, 3, NULL, -1);
	binding = rig_bind(&rig, 0);
	addr = *binding_addr(binding);
	assert_true(sock_addr_port(&addr) != 0);
	assert_ptr_equal(plane_bind(rig.plane, &addr, &err), binding);
	rig_start(&other, 1, NULL, -1);
	assert_null(plane_bind(other.plane, &addr, &err));
	assert_true(strlen(err.msg) > 0);
	rig_stop(&other);
	rig_stop(&rig);
}

/* All addresses and one of them on the same port: the one is the more exact. */
static void test_bind_overlapping(void **state)
{
	struct rig rig;
	struct rig_port ports[2] = {{.listeners = {{.hostname = ""}}, .listener_count = 1},
				    {.listeners = {{.hostname = ""}}, .listener_count = 1}};
	struct sock_addr any;
	struct err err;
	int fd;

	(void)state;
	rig_start(&rig, 2, NULL, -1);
	ports[0].binding = rig_bind(&rig, 0);
	sock_addr_ip(&any, SV("0.0.0.0"), sock_addr_port(binding_addr(ports[0].binding)));
	ports[1].binding = plane_bind(rig.plane, &any, &err);
	if (ports[1].binding == NULL)
		fail_msg("%s", err.msg);
	rig_publish(&rig, ports, 2, "k");
	fd = rig_connect(ports[0].binding);
	send_text(fd, "echo exact\n");
	expect_text(fd, "exact\n");
	close(fd);
	rig_stop(&rig);
}

static void test_all_workers_serve(void **state)
{
	enum { COUNT = 200 };
	struct rig rig;
	struct binding *binding;
	int fds[COUNT];

	(void)state;
	rig_start(&rig, 4, NULL, -1);
	binding = rig_serve(&rig, (struct rig_port){0});
	for (int i = 0; i < COUNT; i++) {
		fds[i] = rig_connect(binding);
		send_text(fds[i], "echo hi\n");
	}
	for (int i = 0; i < COUNT; i++) {
		expect_text(fds[i], "hi\n");
		close(fds[i]);
	}
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	assert_int_equal(rig_metric(&rig, "sallyport_connections_accepted_total"), COUNT);
	assert_int_equal(rig_metric(&rig, "sallyport_workers"), 4);
	rig_stop(&rig);
}

/* Nothing is lost when a port leaves: what was accepted or waits in the queue is served, what runs
 * finishes, idle connections end; and the port can be bound again at once. */
static void test_port_leaves(void **state)
{
	struct rig rig;
	struct rig_port stays = {.listeners = {{.hostname = ""}}, .listener_count = 1};
	struct rig_port leaves = stays, ports[2];
	struct sock_addr addr;
	struct err err;
	int idle, busy, queued, other;

	(void)state;
	rig_start(&rig, 2, NULL, -1);
	stays.binding = rig_bind(&rig, 0);
	leaves.binding = rig_bind(&rig, 0);
	addr = *binding_addr(leaves.binding);
	ports[0] = stays;
	ports[1] = leaves;
	rig_publish(&rig, ports, 2, "k");
	other = rig_connect(stays.binding);
	send_text(other, "echo o\n");
	expect_text(other, "o\n");
	idle = rig_connect(leaves.binding);
	send_text(idle, "echo i\n");
	expect_text(idle, "i\n");
	busy = rig_connect(leaves.binding);
	send_text(busy, "echo b\nbig 20000000\n");
	expect_text(busy, "b\n");
	queued = rig_connect(leaves.binding);
	rig_publish(&rig, &stays, 1, "k");
	expect_end(idle);
	send_text(queued, "echo q\n");
	expect_text(queued, "q\n");
	expect_end(queued);
	leaves.binding =
		plane_bind(rig.plane, &addr, &err); /* the old one still has a connection */
	if (leaves.binding == NULL)
		fail_msg("%s", err.msg);
	ports[1] = leaves;
	rig_publish(&rig, ports, 2, "k");
	close(idle);
	idle = rig_connect(leaves.binding);
	send_text(idle, "echo again\n");
	expect_text(idle, "again\n");
	expect_bytes(busy, 20000000);
	expect_end(busy);
	send_text(other, "echo o\n");
	expect_text(other, "o\n");
	close(idle);
	close(busy);
	close(queued);
	close(other);
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	rig_stop(&rig);
}

static void test_bound_and_dropped(void **state)
{
	struct rig rig;
	struct binding *binding;
	struct sock_addr addr;
	struct err err;

	(void)state;
	rig_start(&rig, 2, NULL, -1);
	for (int i = 0; i < 3; i++) {
		binding = rig_bind(&rig, 0);
		addr = *binding_addr(binding);
		rig_publish(&rig, NULL, 0, "");
		assert_int_equal(rig_metric(&rig, "sallyport_snapshot_generation"),
				 (uint64_t)i + 1);
		assert_non_null(plane_bind(rig.plane, &addr, &err)); /* all sockets are closed */
	}
	rig_stop(&rig);
}

static void test_drain(void **state)
{
	struct rig rig;
	struct binding *binding;
	int idle, busy, fresh;

	(void)state;
	rig_start(&rig, 2, NULL, -1);
	binding = rig_serve(&rig, (struct rig_port){0});
	idle = rig_connect(binding);
	send_text(idle, "echo i\n");
	expect_text(idle, "i\n");
	busy = rig_connect(binding);
	send_text(busy, "echo b\nbig 10000000\n");
	expect_text(busy, "b\n");
	fresh = rig_connect(binding);
	plane_drain(rig.plane, drained, &rig);
	expect_end(idle);
	send_text(fresh, "echo f\n");
	expect_text(fresh, "f\n");
	expect_end(fresh);
	expect_bytes(busy, 10000000);
	expect_end(busy);
	close(idle);
	close(busy);
	close(fresh);
	rig_run_until(&rig, rig_drained);
	assert_int_equal(rig_metric(&rig, "sallyport_connections_active"), 0);
	rig_stop(&rig);
}

static void test_drain_has_an_end(void **state)
{
	struct plane_limits limits = plane_limits_default;
	struct rig rig;
	struct binding *binding;
	int stalled;

	(void)state;
	limits.drain_ms = 100;
	rig_start(&rig, 1, &limits, -1);
	binding = rig_serve(&rig, (struct rig_port){0});
	stalled = rig_connect(binding);
	send_text(stalled, "echo s\nstall\n");
	expect_text(stalled, "s\n");
	plane_drain(rig.plane, drained, &rig);
	rig_run_until(&rig, rig_drained);
	expect_end(stalled);
	close(stalled);
	rig_stop(&rig);
}

static void test_drain_without_connections(void **state)
{
	struct rig rig;

	(void)state;
	rig_start(&rig, 3, NULL, -1);
	plane_drain(rig.plane, drained, &rig);
	rig_run_until(&rig, rig_drained);
	rig_stop(&rig);
}

/* Stopped at any moment: nothing leaks (the sanitizers look), nothing hangs. */
static void test_stop_under_load(void **state)
{
	enum { COUNT = 40 };

	(void)state;
	for (int round = 0; round < 5; round++) {
		struct rig rig;
		struct rig_port port = {.listeners = {{.hostname = ""}}, .listener_count = 1};
		int fds[COUNT];

		rig_start(&rig, 2, NULL, -1);
		port.binding = rig_serve(&rig, port);
		for (int i = 0; i < COUNT; i++) {
			fds[i] = rig_connect(port.binding);
			send_text(fds[i], i % 2 == 0 ? "big 50000000\n" : "echo x\n");
		}
		plane_publish(rig.plane, snapshot_new(&(struct snapshot){0}));
		if (round % 2 == 0)
			plane_drain(rig.plane, drained, &rig);
		rig_stop(&rig);
		for (int i = 0; i < COUNT; i++)
			close(fds[i]);
	}
}

static void expect_line(int fd)
{
	static const char want[] = "127.0.0.1 - - [";
	char got[200] = "";

	for (size_t len = 0; strchr(got, '\n') == NULL && len < sizeof(got) - 1; len++)
		assert_int_equal(read(fd, got + len, 1), 1);
	assert_memory_equal(got, want, sizeof(want) - 1);
}

/* The descriptors given are the caller's: the workers write to copies. */
static void test_access_log(void **state)
{
	struct rig rig;
	struct binding *binding;
	int first[2], second[2], fd;

	(void)state;
	assert_int_equal(pipe2(first, O_CLOEXEC), 0);
	assert_int_equal(pipe2(second, O_CLOEXEC), 0);
	rig_start(&rig, 2, NULL, first[1]);
	close(first[1]);
	binding = rig_serve(&rig, (struct rig_port){0});
	fd = rig_connect(binding);
	send_text(fd, "log\nlog\n");
	expect_text(fd, "logged\nlogged\n");
	expect_line(first[0]);
	expect_line(first[0]);
	plane_reopen_access(rig.plane, second[1]);
	close(second[1]);
	assert_int_equal(read(first[0], &(char){0}, 1), 0); /* every worker has let go */
	send_text(fd, "log\n");
	expect_line(second[0]);
	close(fd);
	close(first[0]);
	close(second[0]);
	rig_stop(&rig);
}

static bool token_came(struct rig *rig)
{
	return rig->tokens > 0;
}

static void test_tokens(void **state)
{
	struct rig rig;
	struct binding *binding;
	int fd;

	(void)state;
	rig_start(&rig, 1, NULL, -1);
	binding = rig_serve(&rig, (struct rig_port){0});
	fd = rig_connect(binding);
	for (int i = 0; i < 50; i++) {
		send_text(fd, "token\n");
		expect_text(fd, "told\n");
	}
	rig_run_until(&rig, token_came);
	close(fd);
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	assert_in_range(rig.tokens, 1, 30);
	rig_stop(&rig);
}

enum { CLIENTS = 8, LEFT = 3 };

/* Without descriptors the worker refuses, rests, and serves again when there are some. The clients'
 * sockets are there before the limit, which leaves the worker fewer than there are clients. */
static void test_no_descriptors(void **state)
{
	struct rlimit before, small;
	struct rig rig;
	struct binding *binding;
	const struct sock_addr *addr;
	int clients[CLIENTS], spare, fd;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	rig_start(&rig, 1, NULL, -1);
	binding = rig_serve(&rig, (struct rig_port){0});
	addr = binding_addr(binding);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_true(clients[i] >= 0);
	}
	spare = open("/dev/null", O_RDONLY);
	small = before;
	small.rlim_cur = (rlim_t)spare + 1 + LEFT;
	setrlimit(RLIMIT_NOFILE, &small);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(connect(clients[i], &addr->u.any, addr->len), 0);
	rig_wait_at_least(&rig, "sallyport_connections_refused_total", 1);
	setrlimit(RLIMIT_NOFILE, &before);
	fd = rig_connect(binding);
	send_text(fd, "echo back\n");
	expect_text(fd, "back\n");
	close(fd);
	close(spare);
	for (int i = 0; i < CLIENTS; i++)
		close(clients[i]);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_bind_overlapping),
		cmocka_unit_test(test_all_workers_serve),
		cmocka_unit_test(test_port_leaves),
		cmocka_unit_test(test_bound_and_dropped),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_drain_has_an_end),
		cmocka_unit_test(test_drain_without_connections),
		cmocka_unit_test(test_stop_under_load),
		cmocka_unit_test(test_access_log),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_no_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
