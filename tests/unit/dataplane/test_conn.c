/* Connections of a real worker: bytes in and out, limits, ends. */
#include "rig.h"

#include "dataplane/binding.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/* A rig with one worker and one plain port. */
static struct binding *start_plain(struct rig *rig, const struct plane_limits *limits)
{
	rig_start(rig, 1, limits, -1);
	return rig_serve(rig, (struct rig_port){0});
}

static void test_echo(void **state)
{
	struct rig rig;
	struct binding *binding = start_plain(&rig, NULL);
	int fd = rig_connect(binding);

	(void)state;
	send_text(fd, "echo hello\n");
	expect_text(fd, "hello\n");
	send_text(fd, "echo a\necho b\ninfo\nec");
	expect_text(fd, "a\nb\none sni=\n");
	send_text(fd, "ho c\n");
	expect_text(fd, "c\n");
	close(fd);
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	rig_stop(&rig);
}

static void test_byte_by_byte(void **state)
{
	static const char text[] = "echo abcdefgh\necho two\n";
	struct rig rig;
	struct binding *binding = start_plain(&rig, NULL);
	int fd = rig_connect(binding), on = 1;

	(void)state;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		assert_int_equal(send(fd, text + i, 1, 0), 1);
	expect_text(fd, "abcdefgh\ntwo\n");
	close(fd);
	rig_stop(&rig);
}

static void test_half_close(void **state)
{
	struct rig rig;
	struct binding *binding = start_plain(&rig, NULL);
	int fd = rig_connect(binding);

	(void)state;
	send_text(fd, "echo last\nbig 1000000\n");
	shutdown(fd, SHUT_WR);
	expect_text(fd, "last\n");
	expect_bytes(fd, 1000000);
	expect_end(fd);
	close(fd);
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	rig_stop(&rig);
}

static void test_preface(void **state)
{
	static const struct {
		const char *name, *parts[4], *answer;
	} cases[] = {
		{"the preface at once", {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, "?\n?\n?\n?\n"},
		{"the preface in pieces",
		 {"P", "RI * HTTP/2.0\r\n\r", "\nSM\r\n\r\n"},
		 "?\n?\n?\n?\n"},
		{"nearly", {"PRI * HTTP/2.0\r\n", "\r\nSM\r\r"}, "?\n?\n"},
		{"HTTP/1", {"P", "echo x\n"}, "?\n"},
		{"a short beginning and the end", {"PRI"}, ""},
	};
	struct rig rig;
	struct binding *binding = start_plain(&rig, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = rig_connect(binding), on = 1;

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		for (size_t j = 0; j < 4 && cases[i].parts[j] != NULL; j++)
			send_text(fd, cases[i].parts[j]);
		expect_text(fd, cases[i].answer);
		if (i < 2) {
			send_text(fd, "info\n");
			expect_text(fd, "two sni=\n");
		} else if (i < 4) {
			send_text(fd, "\ninfo\n");
			expect_text(fd, "?\none sni=\n");
		}
		shutdown(fd, SHUT_WR);
		expect_end(fd);
		close(fd);
	}
	rig_stop(&rig);
}

static void test_slow_reader(void **state)
{
	enum { SIZE = 32 << 20 };
	struct rig rig;
	struct binding *binding = start_plain(&rig, NULL);
	int fd = rig_connect(binding);
	uint64_t before, after = 1;

	(void)state;
	send_text(fd, "big 33554432\n");
	do { /* until the kernel takes no more */
		before = after;
		usleep(20000);
		after = rig_metric(&rig, "sallyport_sent_bytes_total");
	} while (before != after);
	assert_true(after < SIZE);
	expect_bytes(fd, SIZE);
	assert_true(rig_most_pending() >= plane_limits_default.buffer);
	assert_true(rig_most_pending() < plane_limits_default.buffer + 65536);
	send_text(fd, "echo on\n");
	expect_text(fd, "on\n");
	close(fd);
	rig_stop(&rig);
}

static void send_bytes(int fd, size_t len)
{
	static const char block[65536];

	while (len > 0) {
		size_t part = len < sizeof(block) ? len : sizeof(block);
		ssize_t sent = send(fd, block, part, MSG_NOSIGNAL);

		if (sent <= 0)
			fail_msg("send: %s", strerror(errno));
		len -= (size_t)sent;
	}
}

static void test_upload(void **state)
{
	struct rig rig;
	struct binding *binding = start_plain(&rig, NULL);
	int fd = rig_connect(binding);

	(void)state;
	send_text(fd, "sink 20000000\n");
	send_bytes(fd, 20000000);
	expect_text(fd, "sunk\n");
	close(fd);
	rig_stop(&rig);
}

/* More than a turn reads is there, and before the next turn the kernel takes bytes of ours: no
 * further edge tells of what was not read. */
static void test_upload_and_writable(void **state)
{
	struct rig rig;
	struct binding *binding = start_plain(&rig, NULL);
	int fd = rig_connect(binding);

	(void)state;
	send_text(fd, "nudge\nsink 20000000\n");
	send_bytes(fd, 20000000);
	expect_text(fd, "sunk\n");
	close(fd);
	rig_stop(&rig);
}

/* What still arrives after the last answer must not turn it into a reset. */
static void test_linger(void **state)
{
	struct rig rig;
	struct binding *binding = start_plain(&rig, NULL);
	int fd = rig_connect(binding);

	(void)state;
	send_text(fd, "close\n");
	send_bytes(fd, 300000);
	expect_text(fd, "bye\n");
	expect_end(fd);
	send_bytes(fd, 300000);
	close(fd);
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	rig_stop(&rig);
}

static void test_abort(void **state)
{
	struct rig rig;
	struct binding *binding = start_plain(&rig, NULL);
	int fd = rig_connect(binding);
	char byte;

	(void)state;
	send_text(fd, "abort\n");
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	rig_stop(&rig);
}

/* A reset is noticed although the codec does not read. */
static void test_reset_while_stalled(void **state)
{
	static const struct linger reset = {.l_onoff = 1};
	struct rig rig;
	struct binding *binding = start_plain(&rig, NULL);
	int fd = rig_connect(binding);

	(void)state;
	send_text(fd, "echo x\nstall\n");
	expect_text(fd, "x\n");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	rig_stop(&rig);
}

static void test_time_outs(void **state)
{
	struct plane_limits limits = plane_limits_default;
	struct rig rig;
	struct binding *binding;
	int silent, idle;

	(void)state;
	limits.request_head_ms = 1000;
	limits.keepalive_idle_ms = 1000;
	binding = start_plain(&rig, &limits);
	silent = rig_connect(binding);
	expect_end(silent);
	idle = rig_connect(binding);
	send_text(idle, "echo x\n");
	expect_text(idle, "x\nlate\n");
	expect_end(idle);
	close(silent);
	close(idle);
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	rig_stop(&rig);
}

/* The last answer is not taken: the connection is given up all the same. */
static void test_nobody_reads_the_end(void **state)
{
	struct plane_limits limits = plane_limits_default;
	struct rig rig;
	struct binding *binding;
	int fd;

	(void)state;
	limits.keepalive_idle_ms = 50;
	limits.body_idle_ms = 50;
	binding = start_plain(&rig, &limits);
	fd = rig_connect(binding);
	send_text(fd, "big 50000000\n");
	rig_wait_metric(&rig, "sallyport_connections_accepted_total", 1);
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	close(fd);
	rig_stop(&rig);
}

static void test_connection_limit(void **state)
{
	struct plane_limits limits = plane_limits_default;
	struct rig rig;
	struct binding *binding;
	int first, second, third;

	(void)state;
	limits.connections = 2;
	binding = start_plain(&rig, &limits);
	first = rig_connect(binding);
	second = rig_connect(binding);
	rig_wait_metric(&rig, "sallyport_connections_active", 2);
	third = rig_connect(binding);
	expect_end(third);
	close(third);
	assert_int_equal(rig_metric(&rig, "sallyport_connections_refused_total"), 1);
	close(first);
	rig_wait_metric(&rig, "sallyport_connections_active", 1);
	third = rig_connect(binding);
	send_text(third, "echo in\n");
	expect_text(third, "in\n");
	close(second);
	close(third);
	rig_stop(&rig);
}

/* A line longer than the buffer: the codec is told, and nothing grows. */
static void test_input_limit(void **state)
{
	struct rig rig;
	struct binding *binding = start_plain(&rig, NULL);
	int fd = rig_connect(binding);
	char byte;

	(void)state;
	send_bytes(fd, 65536);
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_preface),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_upload),
		cmocka_unit_test(test_upload_and_writable),
		cmocka_unit_test(test_linger),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_reset_while_stalled),
		cmocka_unit_test(test_time_outs),
		cmocka_unit_test(test_nobody_reads_the_end),
		cmocka_unit_test(test_connection_limit),
		cmocka_unit_test(test_input_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
