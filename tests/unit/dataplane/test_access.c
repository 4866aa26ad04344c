/* The access log: what a line says, that nobody forges one, and that a full pipe blocks nobody. */
#include "dataplane/access.h"

#include "base/own.h"
#include "dataplane/conn.h"
#include "dataplane/exchange.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
	struct loop *loop;
	struct task task;
	struct access_log *log;
	struct conn conn;
	struct exchange exchange;
	struct rule rule;
	struct backend backend;
	metric_counter dropped;
	int fds[2]; /* pipe: read, write (the log's) */
	int lines;
	int64_t age_ms; /* of the exchange when its line is written */
	char got[200000];
	size_t got_len;
};

static const struct transport one = {.name = "HTTP/1.1"};

static void write_lines(struct task *task)
{
	struct bench *bench = CONTAINER_OF(task, struct bench, task);

	bench->exchange.started_ms = loop_now(bench->loop) - bench->age_ms;
	for (int i = 0; i < bench->lines; i++)
		access_write(bench->log, &bench->exchange);
	loop_stop(bench->loop);
}

static void setup(struct bench *bench, bool json)
{
	struct err err;

	memset(bench, 0, sizeof(*bench));
	bench->loop = loop_new(&err);
	assert_non_null(bench->loop);
	assert_int_equal(pipe2(bench->fds, O_NONBLOCK | O_CLOEXEC), 0);
	bench->log = access_new(bench->loop, bench->fds[1], json, &bench->dropped);
	task_init(&bench->task, write_lines);
	sock_addr_ip(&bench->conn.peer, SV("192.0.2.7"), 4711);
	bench->exchange = (struct exchange){.conn = &bench->conn,
					    .proto = &one,
					    .status = 200,
					    .bytes_out = 1234,
					    .bytes_in = 5};
	bench->exchange.request.method = SV("GET");
	bench->exchange.request.authority.host = SV("shop.example");
	bench->exchange.request.target.path = SV("/a/b");
}

/* One turn that writes so many lines. */
static void turn(struct bench *bench, int lines)
{
	bench->lines = lines;
	task_defer(bench->loop, &bench->task);
	loop_run(bench->loop);
}

static void drain_pipe(struct bench *bench)
{
	ssize_t got;

	while ((got = read(bench->fds[0], bench->got + bench->got_len,
			   sizeof(bench->got) - 1 - bench->got_len)) > 0)
		bench->got_len += (size_t)got;
	bench->got[bench->got_len] = '\0';
}

static void teardown(struct bench *bench)
{
	access_free(bench->log);
	close(bench->fds[0]);
	loop_free(bench->loop);
}

/* The line with its time cut out. */
static const char *timeless(char *line, const char *begin, const char *end)
{
	char *from = strstr(line, begin), *to;

	assert_non_null(from);
	from += strlen(begin);
	to = strstr(from, end);
	assert_non_null(to);
	memmove(from, to, strlen(to) + 1);
	return line;
}

static void test_text(void **state)
{
	struct bench bench;

	(void)state;
	setup(&bench, false);
	turn(&bench, 1);
	drain_pipe(&bench);
	assert_string_equal(timeless(bench.got, "[", "]"),
			    "192.0.2.7 - - [] \"GET /a/b HTTP/1.1\" 200 1234 \"shop.example\" "
			    "0.000 \"-\" \"-\" -\n");
	bench.rule.name = SV("default/shop/0");
	bench.backend.name = SV("default/front:80");
	bench.exchange.rule = &bench.rule;
	bench.exchange.backend = &bench.backend;
	bench.exchange.failure = "upstream_connect";
	bench.exchange.status = 503;
	bench.age_ms = 12345;
	bench.got_len = 0;
	turn(&bench, 1);
	drain_pipe(&bench);
	assert_string_equal(
		timeless(bench.got, "[", "]"),
		"192.0.2.7 - - [] \"GET /a/b HTTP/1.1\" 503 1234 \"shop.example\" 12.345 "
		"\"default/shop/0\" \"default/front:80\" upstream_connect\n");
	teardown(&bench);
}

static void test_json(void **state)
{
	struct bench bench;

	(void)state;
	setup(&bench, true);
	turn(&bench, 1);
	drain_pipe(&bench);
	assert_string_equal(
		timeless(bench.got, "\"time\":\"", "\""),
		"{\"time\":\"\",\"client\":\"192.0.2.7\",\"method\":\"GET\",\"host\":\"shop."
		"example\","
		"\"path\":\"/a/b\",\"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes\":1234,"
		"\"bytes_in\":5,\"duration_ms\":0,\"rule\":\"\",\"backend\":\"\",\"failure\":\"\"}"
		"\n");
	teardown(&bench);
}

static void test_no_forged_line(void **state)
{
	struct bench bench;

	(void)state;
	for (int json = 0; json < 2; json++) {
		setup(&bench, json == 1);
		bench.exchange.request.target.path = SV("/\"\n\r\x7f\\\xc3\xa4\x00z");
		turn(&bench, 1);
		drain_pipe(&bench);
		assert_non_null(strstr(bench.got, json == 1 ? "/\\u0022\\u000a\\u000d\\u007f\\u005c"
							      "\\u00c3\\u00a4\\u0000z\""
							    : "/\\x22\\x0a\\x0d\\x7f\\x5c\\xc3\\xa4"
							      "\\x00z HTTP/1.1\""));
		assert_ptr_equal(strchr(bench.got, '\n'), bench.got + bench.got_len - 1);
		teardown(&bench);
	}
}

/* A request that was not understood has no method. */
static void test_nothing_known(void **state)
{
	struct bench bench;

	(void)state;
	setup(&bench, false);
	memset(&bench.exchange.request, 0, sizeof(bench.exchange.request));
	bench.exchange.status = 400;
	turn(&bench, 1);
	drain_pipe(&bench);
	assert_string_equal(timeless(bench.got, "[", "]"),
			    "192.0.2.7 - - [] \"-\" 400 1234 \"-\" 0.000 \"-\" \"-\" -\n");
	teardown(&bench);
}

static size_t count_lines(const struct bench *bench)
{
	size_t count = 0;

	for (size_t i = 0; i < bench->got_len; i++)
		count += bench->got[i] == '\n';
	return count;
}

/* Full pipe: whole lines are left out and counted, none is torn, and writing goes on by itself. */
static void test_full_pipe(void **state)
{
	static char path[3000];
	struct bench bench;

	(void)state;
	memset(path, 'p', sizeof(path));
	setup(&bench, false);
	bench.exchange.request.target.path = sv_new(path, sizeof(path));
	for (int i = 0; i < 50; i++)
		turn(&bench, 2);
	assert_true(metric_get(&bench.dropped) > 0);
	drain_pipe(&bench);
	while (bench.got_len == 0 || count_lines(&bench) + metric_get(&bench.dropped) < 100) {
		turn(&bench, 0); /* until the timer has sent the rest */
		drain_pipe(&bench);
	}
	assert_int_equal(count_lines(&bench) + metric_get(&bench.dropped), 100);
	for (char *line = bench.got; *line != '\0'; line = strchr(line, '\n') + 1) {
		assert_memory_equal(line, "192.0.2.7 - - [", 15);
		assert_non_null(strchr(line, '\n'));
	}
	teardown(&bench);
}

static void test_reader_gone(void **state)
{
	struct bench bench;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	setup(&bench, false);
	close(bench.fds[0]);
	turn(&bench, 3);
	assert_int_equal(metric_get(&bench.dropped), 3);
	assert_int_equal(pipe2(bench.fds, O_NONBLOCK | O_CLOEXEC), 0);
	access_reopen(bench.log, bench.fds[1]);
	turn(&bench, 1);
	drain_pipe(&bench);
	assert_int_equal(count_lines(&bench), 1);
	access_reopen(bench.log, -1);
	turn(&bench, 1);
	assert_int_equal(metric_get(&bench.dropped), 3);
	teardown(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),           cmocka_unit_test(test_json),
		cmocka_unit_test(test_no_forged_line), cmocka_unit_test(test_nothing_known),
		cmocka_unit_test(test_full_pipe),      cmocka_unit_test(test_reader_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
