/* Requests over real sockets, against a server on the same loop that says exactly what a case
 * wants. */
#include "acme/fetch.h"

#include "base/own.h"
#include "loop/sock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define CONNS_MAX 16

struct conn {
	struct loop_fd watch;
	char in[8192];
	size_t len;
};

static struct {
	struct loop *loop;
	struct dns *dns;
	struct fetcher *fetcher;
	struct loop_fd listener;
	struct timer deadline;
	uint16_t port;
	struct conn conns[CONNS_MAX];
	size_t accepted, requests;
	char last[8192]; /* request */
	/* what the server does */
	const char *replies[8]; /* one a request; the last for all later ones; NULL: close without a
				   word */
	bool close_after;       /* each reply */
	bool silent;
	size_t flood; /* bytes of body after the reply */
} world;

struct seen {
	int calls;
	enum fetch_failure failure;
	long status;
	bool reused, sent;
	char why[256], body[4096], nonce[64], links[256], url[256], location[128];
	size_t body_len;
};

/* ---- the server ---- */

static void conn_close(struct conn *conn)
{
	loop_remove(world.loop, &conn->watch);
	close(conn->watch.fd);
	conn->watch.fd = -1;
}

static void conn_write(struct conn *conn, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t wrote = write(conn->watch.fd, text, len);

		if (wrote <= 0)
			return; /* the flood: the client has seen enough */
		text += wrote;
		len -= (size_t)wrote;
	}
}

static void conn_reply(struct conn *conn)
{
	size_t at = world.requests++;
	static const char filler[65536];
	const char *reply;

	if (at >= ARRAY_LEN(world.replies))
		at = ARRAY_LEN(world.replies) - 1;
	while (at > 0 && world.replies[at] == NULL)
		at--;
	reply = world.replies[at];
	if (reply == NULL || reply[0] == '\0') {
		if (!world.silent)
			conn_close(conn);
		return;
	}
	conn_write(conn, reply, strlen(reply));
	for (size_t done = 0; done < world.flood; done += sizeof(filler))
		conn_write(conn, filler, sizeof(filler));
	if (world.close_after)
		conn_close(conn);
}

static void on_conn(struct loop_fd *self, unsigned events)
{
	struct conn *conn = CONTAINER_OF(self, struct conn, watch);
	ssize_t got = read(self->fd, conn->in + conn->len, sizeof(conn->in) - 1 - conn->len);
	const char *end;

	(void)events;
	if (got <= 0) {
		conn_close(conn);
		return;
	}
	conn->len += (size_t)got;
	conn->in[conn->len] = '\0';
	end = strstr(conn->in, "\r\n\r\n");
	if (end == NULL)
		return;
	if (strncmp(conn->in, "POST", 4) == 0 && strstr(end + 4, "END") == NULL)
		return; /* our bodies end so */
	memcpy(world.last, conn->in, conn->len + 1);
	conn->len = 0;
	conn_reply(conn);
}

static void on_listener(struct loop_fd *self, unsigned events)
{
	struct conn *conn = &world.conns[world.accepted % CONNS_MAX];
	struct sock_addr peer;

	(void)events;
	conn->watch = (struct loop_fd){.fd = sock_accept(self->fd, &peer), .ready = on_conn};
	assert_true(conn->watch.fd >= 0);
	conn->len = 0;
	world.accepted++;
	loop_add(world.loop, &conn->watch, LOOP_READ, NULL);
}

/* ---- the tests' own ---- */

static void copy(char *out, size_t size, struct str_view text)
{
	snprintf(out, size, "%.*s", SV_ARG(text));
}

static void on_done(void *arg, const struct fetch_answer *answer)
{
	struct seen *seen = arg;

	seen->calls++;
	seen->failure = answer->failure;
	seen->status = answer->status;
	seen->reused = answer->reused;
	seen->sent = answer->sent;
	seen->body_len = answer->body.len;
	copy(seen->why, sizeof(seen->why), sv_from(answer->why));
	copy(seen->body, sizeof(seen->body), answer->body);
	copy(seen->nonce, sizeof(seen->nonce), answer->replay_nonce);
	copy(seen->links, sizeof(seen->links), answer->links);
	copy(seen->location, sizeof(seen->location), answer->location);
	copy(seen->url, sizeof(seen->url), sv_from(answer->final_url));
	loop_stop(world.loop);
}

static void on_deadline(struct timer *timer)
{
	(void)timer;
	fail_msg("nothing happened for 20 s");
}

static const char *url(const char *path)
{
	static char text[256];

	snprintf(text, sizeof(text), "http://127.0.0.1:%u%s", world.port, path);
	return text;
}

static struct seen run(const struct fetch_request *request)
{
	struct seen seen = {0};

	timer_in(world.loop, &world.deadline, 20000);
	fetch_start(world.fetcher, request, on_done, &seen);
	assert_int_equal(seen.calls, 0);
	assert_int_equal(loop_run(world.loop), 0);
	timer_stop(world.loop, &world.deadline);
	assert_int_equal(seen.calls, 1);
	return seen;
}

static struct seen get(const char *path)
{
	struct fetch_request request = {.method = "GET", .url = url(path)};

	return run(&request);
}

static struct seen post(void)
{
	struct fetch_request request = {.method = "POST",
					.url = url("/p"),
					.content_type = "application/jose+json",
					.body = SV("{}END")};

	return run(&request);
}

static int set_up(void **state)
{
	struct sock_addr addr;
	struct err err = {0};

	(void)state;
	memset(&world, 0, sizeof(world));
	world.loop = loop_new(&err);
	world.dns = dns_new(world.loop, "127.0.0.1:9", &err);
	world.fetcher = fetcher_new(world.loop, world.dns, &err);
	assert_non_null(world.fetcher);
	timer_init(&world.deadline, on_deadline);
	assert_true(sock_addr_ip(&addr, SV("127.0.0.1"), 0));
	world.listener = (struct loop_fd){.fd = sock_listen(&addr, 0, &err), .ready = on_listener};
	assert_true(world.listener.fd >= 0);
	sock_local(world.listener.fd, &addr);
	world.port = sock_addr_port(&addr);
	loop_add(world.loop, &world.listener, LOOP_READ, &err);
	for (size_t i = 0; i < CONNS_MAX; i++)
		world.conns[i].watch.fd = -1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONNS_MAX; i++) {
		if (world.conns[i].watch.fd >= 0)
			conn_close(&world.conns[i]);
	}
	loop_remove(world.loop, &world.listener);
	close(world.listener.fd);
	fetcher_free(world.fetcher);
	dns_free(world.dns);
	loop_free(world.loop);
	return 0;
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"

static void test_answer(void **state)
{
	struct seen seen;

	(void)state;
	world.replies[0] = "HTTP/1.1 103 Early Hints\r\nLocation: /no\r\n\r\n" OK_HEAD
			   "REPLAY-NONCE:  abc \r\nLink: <a>;rel=x\r\nLink: <b>;rel=y\r\n\r\nhello";
	seen = get("/a");
	assert_int_equal(seen.failure, FETCH_FINE);
	assert_int_equal(seen.status, 200);
	assert_string_equal(seen.body, "hello");
	assert_string_equal(seen.nonce, "abc");
	assert_string_equal(seen.links, "<a>;rel=x, <b>;rel=y");
	assert_string_equal(seen.location, "");
	assert_non_null(strstr(world.last, "User-Agent: sallyport/"));
	assert_non_null(strstr(world.last, "GET /a HTTP/1.1\r\n"));
}

static void test_kept_connection(void **state)
{
	struct fetch_request request = {.method = "GET", .url = url("/a")};

	(void)state;
	world.replies[0] = OK_HEAD "\r\nhello";
	assert_false(get("/a").reused);
	assert_true(get("/b").reused);
	assert_true(post().reused);
	assert_int_equal(world.accepted, 1);
	request.fresh = true;
	assert_false(run(&request).reused);
}

static void test_post_on_a_dead_kept_connection_goes_out_once(void **state)
{
	struct seen seen;

	(void)state;
	world.replies[0] = OK_HEAD "\r\nhello";
	world.replies[1] = ""; /* reads it, then closes */
	world.replies[2] = OK_HEAD "\r\nagain";
	get("/a");
	seen = post();
	assert_int_equal(seen.failure, FETCH_BROKEN);
	assert_true(seen.reused && seen.sent);
	assert_int_equal(world.requests, 2);
	assert_int_equal(world.accepted, 1); /* nor is there a connection for a second sending */
	seen = post();
	assert_non_null(strstr(world.last, "Content-Type: application/jose+json\r\n"));
	assert_string_equal(seen.body, "again");
}

static void test_connection_closed_between(void **state)
{
	(void)state;
	world.replies[0] = OK_HEAD "\r\nhello";
	world.close_after = true; /* without having said so */
	get("/a");
	assert_int_equal(post().failure, FETCH_FINE);
	assert_int_equal(get("/b").failure, FETCH_FINE);
	assert_int_equal(world.requests, 3);
}

static void test_broken_answers(void **state)
{
	static const struct {
		const char *reply;
		enum fetch_failure failure;
	} cases[] = {
		{"", FETCH_BROKEN},
		{"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", FETCH_BROKEN},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf", FETCH_BROKEN},
		{"nonsense\r\n\r\n", FETCH_BROKEN},
		{"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", FETCH_BROKEN},
	};

	(void)state;
	world.close_after = true;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seen seen;

		world.requests = 0;
		world.replies[0] = cases[i].reply;
		seen = get("/a");
		if (seen.failure != cases[i].failure || seen.status != 0 || seen.why[0] == '\0')
			fail_msg("%s: %d %ld %s", cases[i].reply, seen.failure, seen.status,
				 seen.why);
	}
}

static void test_too_big(void **state)
{
	struct fetch_request request = {.method = "GET", .url = url("/a"), .body_max = 5};
	struct seen seen;
	static char headers[300000];

	(void)state;
	world.replies[0] = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n";
	world.flood = 4u << 20;
	seen = get("/a");
	assert_int_equal(seen.failure, FETCH_TOO_BIG);
	assert_true(seen.body_len <= FETCH_BODY_MAX);
	world.flood = 0;

	world.requests = 0;
	world.replies[0] = OK_HEAD "\r\nhello";
	assert_int_equal(run(&request).failure, FETCH_FINE);
	request.body_max = 4;
	assert_int_equal(run(&request).failure, FETCH_TOO_BIG);

	strcpy(headers, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 140; i++) {
		size_t len = strlen(headers);

		memset(headers + len, 'x', 1000);
		memcpy(headers + len, "X-Pad: ", 7);
		memcpy(headers + len + 1000, "\r\n", 3);
	}
	strcat(headers, "\r\n");
	world.requests = 0;
	world.replies[0] = headers;
	world.close_after = true;
	assert_int_equal(get("/a").failure, FETCH_TOO_BIG);
}

static void test_redirects(void **state)
{
	struct fetch_request request = {
		.method = "GET", .url = url("/a"), .follow_redirects = true};
	struct seen seen;
	char away[256];

	(void)state;
	world.replies[0] = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 3\r\n\r\nold";
	world.replies[1] = OK_HEAD "\r\nhello";
	seen = run(&request);
	assert_string_equal(seen.body, "hello");
	assert_true(sv_ends(sv_from(seen.url), SV("/b")));

	world.requests = 0;
	world.replies[1] = NULL; /* the first for ever */
	seen = run(&request);
	assert_int_equal(seen.failure, FETCH_DENIED);
	assert_non_null(strstr(seen.why, "redirects"));
	assert_int_equal(world.requests, 6);

	world.requests = 0;
	seen = get("/a"); /* not asked to follow */
	assert_int_equal(seen.status, 302);
	assert_string_equal(seen.location, "/b");

	world.requests = 0;
	snprintf(away, sizeof(away),
		 "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
		 "http://169.254.169.254/latest");
	world.replies[0] = away;
	assert_int_equal(run(&request).failure, FETCH_DENIED);

	world.requests = 0;
	world.replies[0] = "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
			   "Content-Length: 0\r\n\r\n";
	assert_int_equal(run(&request).failure, FETCH_DENIED);
}

static bool nobody(const void *rules, const struct sock_addr *addr)
{
	(void)rules, (void)addr;
	return false;
}

static void test_addresses(void **state)
{
	struct fetch_request request = {.method = "GET", .url = url("/a"), .no_loopback = true};

	(void)state;
	world.replies[0] = OK_HEAD "\r\nhello";
	assert_int_equal(run(&request).failure, FETCH_DENIED);
	request.url = "http://[fe80::1]/";
	assert_int_equal(run(&request).failure, FETCH_DENIED);
	request.url = "gopher://127.0.0.1/";
	assert_int_equal(run(&request).failure, FETCH_DENIED);
	fetcher_rules(world.fetcher, nobody, NULL);
	assert_int_equal(get("/a").failure, FETCH_DENIED);
	fetcher_rules(world.fetcher, NULL, NULL);
	assert_int_equal(get("/a").failure, FETCH_FINE);
	assert_int_equal(world.requests, 1);
}

static void test_names(void **state)
{
	struct fetch_request request = {.method = "GET"};
	char text[128];
	struct sock_addr pin;

	(void)state;
	world.replies[0] = OK_HEAD "\r\nhello";
	snprintf(text, sizeof(text), "http://localhost:%u/a", world.port);
	request.url = text;
	assert_int_equal(run(&request).failure, FETCH_FINE);
	assert_non_null(strstr(world.last, "\r\nHost: localhost:"));

	/* The pin replaces the look-up and the port; the name stays in Host. */
	assert_true(sock_addr_ip(&pin, SV("127.0.0.1"), world.port));
	request.url = "http://www.example.org/.well-known/acme-challenge/x";
	request.pin = &pin;
	assert_int_equal(run(&request).failure, FETCH_FINE);
	assert_non_null(strstr(world.last, "\r\nHost: www.example.org\r\n"));
}

static void test_nobody_listens(void **state)
{
	struct fetch_request request = {
		.method = "POST", .url = "http://127.0.0.1:1/", .body = SV("x")};
	struct seen seen = run(&request);

	(void)state;
	assert_int_equal(seen.failure, FETCH_CONNECT);
	assert_false(seen.sent);
}

static void test_silence(void **state)
{
	struct fetch_request request = {.method = "GET", .url = url("/a"), .timeout_ms = 200};
	struct seen seen;

	(void)state;
	world.silent = true;
	seen = run(&request);
	assert_int_equal(seen.failure, FETCH_TIMEOUT);
	assert_true(seen.sent);
}

static void test_cancel(void **state)
{
	struct fetch_request request = {.method = "GET", .url = url("/a")};
	struct seen never = {0};
	struct fetch *first, *second;

	(void)state;
	world.silent = true;
	world.replies[0] = "";
	world.replies[1] = OK_HEAD "\r\nhello";
	first = fetch_start(world.fetcher, &request, on_done, &never);
	fetch_cancel(first); /* before anything */
	second = fetch_start(world.fetcher, &request, on_done, &never);
	get("/b");
	fetch_cancel(second);                                  /* while the server keeps silent */
	fetch_start(world.fetcher, &request, on_done, &never); /* ends with the fetcher */
	assert_int_equal(world.requests, 2);
	assert_int_equal(never.calls, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answer),
		TEST(test_kept_connection),
		TEST(test_post_on_a_dead_kept_connection_goes_out_once),
		TEST(test_connection_closed_between),
		TEST(test_broken_answers),
		TEST(test_too_big),
		TEST(test_redirects),
		TEST(test_addresses),
		TEST(test_names),
		TEST(test_nobody_listens),
		TEST(test_silence),
		TEST(test_cancel),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
