/* tests/unit/loop/test_sock.c - addresses and sockets */
#include "loop/sock.h"

#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- addresses ---- */

static void test_parse(void **state)
{
	static const struct {
		struct str_view text;
		const char *printed; /* NULL: refused */
	} cases[] = {
		{SV_INIT("127.0.0.1:80"), "127.0.0.1:80"},
		{SV_INIT("127.0.0.1"), "127.0.0.1:53"},
		{SV_INIT("127.0.0.1:0"), "127.0.0.1:0"},
		{SV_INIT("[::1]:65535"), "[::1]:65535"},
		{SV_INIT("[2001:DB8::0:1]"), "[2001:db8::1]:53"},
		{SV_INIT("::1"), "[::1]:53"},
		{SV_INIT("::"), "[::]:53"},
		{SV_INIT("::ffff:192.0.2.1"), "[::ffff:192.0.2.1]:53"},
		{SV_INIT("127.0.0.1:65536"), NULL},
		{SV_INIT("127.0.0.1:"), NULL},
		{SV_INIT("127.0.0.1:-1"), NULL},
		{SV_INIT("127.0.0.1:000080"), NULL},
		{SV_INIT("127.0.0.1 :80"), NULL},
		{SV_INIT("127.1"), NULL},
		{SV_INIT("0127.0.0.1"), NULL},
		{SV_INIT("256.0.0.1"), NULL},
		{SV_INIT("[127.0.0.1]:80"), NULL},
		{SV_INIT("[::1"), NULL},
		{SV_INIT("[::1]80"), NULL},
		{SV_INIT("[::1]:"), NULL},
		{SV_INIT("[]:80"), NULL},
		{SV_INIT("::1%lo"), NULL},
		{SV_INIT("127.0.0.1\0"), NULL},
		{SV_INIT("localhost:80"), NULL},
		{SV_INIT(":80"), NULL},
		{SV_INIT(""), NULL},
		{SV_INIT("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"), NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sock_addr addr;
		char text[SOCK_ADDR_TEXT] = "";
		bool good = sock_addr_parse(&addr, cases[i].text, 53);

		sock_addr_text(&addr, text);
		if (good != (cases[i].printed != NULL) ||
		    strcmp(text, good ? cases[i].printed : "") != 0)
			fail_msg("%.*s: %s", SV_ARG(cases[i].text), text);
	}
}

static void test_kinds(void **state)
{
	static const struct {
		struct str_view ip;
		bool any, loopback, link_local, local;
	} cases[] = {
		{SV_INIT("0.0.0.0"), true, false, false, true},
		{SV_INIT("::"), true, false, false, true},
		{SV_INIT("::ffff:0.0.0.0"), true, false, false, true},
		{SV_INIT("127.0.0.1"), false, true, false, true},
		{SV_INIT("127.255.255.254"), false, true, false, true},
		{SV_INIT("::1"), false, true, false, true},
		{SV_INIT("::ffff:127.0.0.1"), false, true, false, true},
		{SV_INIT("169.254.169.254"), false, false, true, false},
		{SV_INIT("::ffff:169.254.169.254"), false, false, true, false},
		{SV_INIT("fe80::1234:5678:9abc:def0"), false, false, true, false},
		{SV_INIT("192.0.2.1"), false, false, false, false},
		{SV_INIT("128.0.0.1"), false, false, false, false},
		{SV_INIT("2001:db8::1"), false, false, false, false},
		{SV_INIT("::2"), false, false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sock_addr addr;

		assert_true(sock_addr_ip(&addr, cases[i].ip, 80));
		if (sock_addr_any(&addr) != cases[i].any ||
		    sock_addr_loopback(&addr) != cases[i].loopback ||
		    sock_addr_link_local(&addr) != cases[i].link_local ||
		    sock_addr_is_local(&addr) != cases[i].local)
			fail_msg("%.*s", SV_ARG(cases[i].ip));
	}
}

static void test_equal(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{"127.0.0.1:80", "127.0.0.1:80", true},  {"127.0.0.1:80", "127.0.0.1:81", false},
		{"127.0.0.1:80", "127.0.0.2:80", false}, {"[::1]:80", "[0::0:1]:80", true},
		{"[::1]:80", "[::2]:80", false},         {"[::1]:80", "[::1]:81", false},
		{"0.0.0.0:80", "[::]:80", false},
	};
	struct sock_addr a, b, none = {.len = 0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(sock_addr_parse(&a, sv_from(cases[i].a), 0));
		assert_true(sock_addr_parse(&b, sv_from(cases[i].b), 0));
		if (sock_addr_eq(&a, &b) != cases[i].equal)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
		assert_false(sock_addr_eq(&a, &none));
	}
	assert_true(sock_addr_unix(&a, SV("/run/a")));
	assert_true(sock_addr_unix(&b, SV("/run/a")));
	assert_true(sock_addr_eq(&a, &b));
	assert_true(sock_addr_unix(&b, SV("/run/b")));
	assert_false(sock_addr_eq(&a, &b));
}

static void test_unix_addresses(void **state)
{
	char path[200], text[SOCK_ADDR_TEXT];
	struct sock_addr addr;

	(void)state;
	memset(path, 'p', sizeof(path));
	assert_true(sock_addr_unix(&addr, sv_new(path, 107)));
	sock_addr_text(&addr, text);
	assert_int_equal(strlen(text), 5 + 107);
	assert_true(sock_addr_is_local(&addr));
	assert_int_equal(sock_addr_port(&addr), 0);
	assert_false(sock_addr_unix(&addr, sv_new(path, 108)));
	assert_false(sock_addr_unix(&addr, SV("")));
	assert_false(sock_addr_unix(&addr, SV("\0abstract")));
}

/* ---- TCP ---- */

static int must_listen(const char *text, unsigned flags, struct sock_addr *local)
{
	struct sock_addr addr;
	struct err err = {0};
	int fd;

	assert_true(sock_addr_parse(&addr, sv_from(text), 0));
	fd = sock_listen(&addr, flags, &err);
	if (fd < 0)
		fail_msg("%s", err.msg);
	sock_local(fd, local);
	return fd;
}

static void wait_for(int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	assert_int_equal(poll(&poll_fd, 1, 20000), 1);
}

static void test_connection(void **state)
{
	struct sock_addr local, peer, self;
	int listener = must_listen("127.0.0.1:0", SOCK_LISTEN_PROBE, &local);
	bool in_progress;
	int client, server, nodelay = 0;
	socklen_t len = sizeof(nodelay);

	(void)state;
	assert_int_not_equal(sock_addr_port(&local), 0);
	assert_int_equal(sock_accept(listener, &peer), -1);
	assert_int_equal(errno, EAGAIN);
	client = sock_connect(&local, &in_progress);
	assert_true(client >= 0);
	wait_for(client, POLLOUT);
	assert_int_equal(sock_error(client), 0);
	wait_for(listener, POLLIN);
	server = sock_accept(listener, &peer);
	assert_true(server >= 0);
	sock_local(client, &self);
	assert_true(sock_addr_eq(&peer, &self));
	assert_int_equal(getsockopt(server, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
	assert_true(nodelay != 0);
	assert_true((fcntl(server, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(server, F_GETFD) & FD_CLOEXEC) != 0);
	close(client);
	close(server);
	close(listener);
}

static void test_nobody_there(void **state)
{
	struct sock_addr local;
	int listener = must_listen("127.0.0.1:0", 0, &local);
	bool in_progress;
	int client, error;

	(void)state;
	close(listener);
	client = sock_connect(&local, &in_progress);
	error = errno;
	if (client >= 0) {
		wait_for(client, POLLOUT);
		error = sock_error(client);
		close(client);
	}
	assert_int_equal(error, ECONNREFUSED);
}

/* Two of our own share a port; the probe sees a socket that listens, and says whose. */
static void test_port_in_use(void **state)
{
	struct sock_addr local;
	int first = must_listen("127.0.0.1:0", 0, &local);
	struct err err = {0};
	char pid[32];
	int second = sock_listen(&local, 0, &err);

	(void)state;
	assert_true(second >= 0);
	assert_int_equal(sock_listen(&local, SOCK_LISTEN_PROBE, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	snprintf(pid, sizeof(pid), "(pid %d)", (int)getpid());
	if (strstr(err.msg, "in use by ") == NULL || strstr(err.msg, pid) == NULL)
		fail_msg("%s", err.msg);
	close(first);
	close(second);
}

static void test_address_of_another_host(void **state)
{
	struct sock_addr addr;
	struct err err = {0};

	(void)state;
	assert_true(sock_addr_parse(&addr, SV("192.0.2.1:0"), 0));
	assert_int_equal(sock_listen(&addr, 0, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "192.0.2.1:0"));
}

/* [::] does not take IPv4 along: 0.0.0.0 binds the same port beside it. */
static void test_both_families_on_one_port(void **state)
{
	struct sock_addr v4, local;
	int first, second;
	struct sock_addr v6;

	(void)state;
	assert_true(sock_addr_parse(&v6, SV("[::]:0"), 0));
	first = sock_listen(&v6, 0, NULL);
	if (first < 0)
		skip(); /* a host without IPv6 */
	sock_local(first, &local);
	assert_true(sock_addr_ip(&v4, SV("0.0.0.0"), sock_addr_port(&local)));
	second = sock_listen(&v4, SOCK_LISTEN_PROBE, NULL);
	assert_true(second >= 0);
	close(first);
	close(second);
}

/* ---- Unix ---- */

struct dir {
	char path[64], socket[80];
};

static void make_dir(struct dir *dir)
{
	snprintf(dir->path, sizeof(dir->path), "/tmp/sallyport-test-XXXXXX");
	assert_non_null(mkdtemp(dir->path));
	snprintf(dir->socket, sizeof(dir->socket), "%s/s", dir->path);
}

static void remove_dir(const struct dir *dir)
{
	unlink(dir->socket);
	assert_int_equal(rmdir(dir->path), 0);
}

static void test_unix_mode(void **state)
{
	static const struct {
		mode_t umask, mode;
	} cases[] = {{0, 0600}, {077, 0660}, {0777, 0666}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dir dir;
		struct stat info;
		mode_t before;
		int fd;

		make_dir(&dir);
		before = umask(cases[i].umask);
		fd = sock_listen_unix(sv_from(dir.socket), cases[i].mode, NULL);
		umask(before);
		assert_true(fd >= 0);
		assert_int_equal(stat(dir.socket, &info), 0);
		assert_int_equal(info.st_mode & 07777, cases[i].mode);
		close(fd);
		remove_dir(&dir);
	}
}

static void test_unix_connection(void **state)
{
	struct sock_addr addr, peer;
	struct err err = {0};
	bool in_progress;
	struct dir dir;
	int listener, client, server;

	(void)state;
	make_dir(&dir);
	listener = sock_listen_unix(sv_from(dir.socket), 0600, &err);
	assert_true(listener >= 0);
	assert_true(sock_addr_unix(&addr, sv_from(dir.socket)));
	client = sock_connect(&addr, &in_progress);
	assert_true(client >= 0 && !in_progress);
	server = sock_accept(listener, &peer);
	assert_true(server >= 0);
	assert_int_equal(sock_listen_unix(sv_from(dir.socket), 0600, &err), -1); /* live */
	assert_int_equal(err.code, ERR_EXISTS);
	close(listener);
	close(client);
	close(server);
	listener = sock_listen_unix(sv_from(dir.socket), 0600, &err); /* stale */
	assert_true(listener >= 0);
	close(listener);
	remove_dir(&dir);
}

static void test_unix_paths_that_cannot_be(void **state)
{
	struct err err = {0};
	char long_path[300];
	struct dir dir;
	int file;

	(void)state;
	make_dir(&dir);
	memset(long_path, 'x', sizeof(long_path));
	assert_int_equal(sock_listen_unix(sv_new(long_path, sizeof(long_path)), 0600, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(sock_listen_unix(SV("/nonexistent/s"), 0600, &err), -1);
	assert_non_null(strstr(err.msg, "make its directory"));
	assert_int_equal(err.code, ERR_IO);
	file = open(dir.socket, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(file);
	assert_int_equal(sock_listen_unix(sv_from(dir.socket), 0600, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_int_equal(access(dir.socket, F_OK), 0); /* somebody's file: left alone */
	remove_dir(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_unix_addresses),
		cmocka_unit_test(test_connection),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_port_in_use),
		cmocka_unit_test(test_address_of_another_host),
		cmocka_unit_test(test_both_families_on_one_port),
		cmocka_unit_test(test_unix_mode),
		cmocka_unit_test(test_unix_connection),
		cmocka_unit_test(test_unix_paths_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
