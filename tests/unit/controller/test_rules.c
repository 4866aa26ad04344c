/* What a Backend may never name: a route to it would be a way to root. */
#include "controller/rules.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sock_addr addr_of(const char *text)
{
	struct sock_addr addr = {0};

	if (text[0] == '/')
		assert_true(sock_addr_unix(&addr, sv_from(text)));
	else
		assert_true(sock_addr_parse(&addr, sv_from(text), 80));
	return addr;
}

struct row {
	const char *addr;
	const char *why; /* part of the sentence; NULL: allowed */
};

static void check_rows(const struct address_rules *rules, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct sock_addr addr = addr_of(rows[i].addr);
		struct err err = {.msg = ""};
		int result = rules_check(rules, &addr, &err);

		if ((result == 0) != (rows[i].why == NULL))
			fail_msg("%s: %s", rows[i].addr, result == 0 ? "allowed" : err.msg);
		if (result < 0 && strstr(err.msg, rows[i].why) == NULL)
			fail_msg("%s: '%s' does not say '%s'", rows[i].addr, err.msg, rows[i].why);
		assert_int_equal(rules_may_dial(rules, &addr), result == 0);
	}
}

static void test_forbidden(void **state)
{
	struct sock_addr metrics = addr_of("127.0.0.1:9090");
	struct address_rules_config config = {.control_socket = "/run/sallyport/sallyport.sock",
					      .own_listeners = &metrics,
					      .own_listener_count = 1};
	struct address_rules *rules = rules_new(&config, NULL);
	static const struct row rows[] = {
		{"127.0.0.1:8080", NULL},
		{"[::1]:8080", NULL},
		{"192.0.2.1:9090", NULL},
		{"127.0.0.1:9090", "sallyport itself"},
		{"127.0.0.2:9090", "sallyport itself"},
		{"[::1]:9090", "sallyport itself"},
		{"[::ffff:127.0.0.1]:9090", "sallyport itself"},
		{"0.0.0.0:9090", "sallyport itself"},
		{"169.254.169.254:80", "link-local"},
		{"[::ffff:169.254.169.254]:80", "link-local"},
		{"[fe80::1]:80", "link-local"},
		{"/run/sallyport/sallyport.sock", "control socket"},
		{"/var/run/sallyport/sallyport.sock", "control socket"},
		{"/run/docker.sock", "root on this host"},
		{"/var/run/docker.sock", "root on this host"},
		{"/run/containerd/containerd.sock", "root on this host"},
		{"/run/systemd/anything", "below /run/systemd/"},
		{"/run/../run/docker.sock.not", "'..'"},
		{"/run/app/app.sock", NULL},
	};

	(void)state;
	assert_non_null(rules);
	check_rows(rules, rows, ARRAY_LEN(rows));
	rules_free(rules);
}

/* A link to the control socket is the control socket, and so is a hard link. */
static void test_links(void **state)
{
	char folder[] = "/tmp/rules.XXXXXX", control[64], link_path[64], hard[64];
	struct address_rules_config config = {0};
	struct address_rules *rules;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(control, sizeof(control), "%s/control", folder);
	(void)snprintf(link_path, sizeof(link_path), "%s/innocent", folder);
	(void)snprintf(hard, sizeof(hard), "%s/hard", folder);
	fd = open(control, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(symlink(control, link_path), 0);
	assert_int_equal(link(control, hard), 0);
	config.control_socket = control;
	rules = rules_new(&config, NULL);
	check_rows(rules,
		   (struct row[]){{control, "control socket"},
				  {link_path, "control socket"},
				  {hard, "control socket"}},
		   3);
	rules_free(rules);
	unlink(link_path);
	unlink(hard);
	unlink(control);
	rmdir(folder);
}

static void test_allowed(void **state)
{
	const char *allowed[] = {"127.0.0.0/8:8080", "10.1.0.0/16", "::1/128", "unix:/run/app/",
				 "unix:/run/one.sock"};
	struct address_rules_config config = {.allowed_backends = allowed,
					      .allowed_count = ARRAY_LEN(allowed)};
	struct address_rules *rules = rules_new(&config, NULL);
	static const struct row rows[] = {
		{"127.0.0.1:8080", NULL},
		{"127.0.0.1:8081", "allowedBackends"},
		{"10.1.255.1:1", NULL},
		{"10.2.0.1:1", "allowedBackends"},
		{"[::1]:5", NULL},
		{"[::2]:5", "allowedBackends"},
		{"/run/app/x.sock", NULL},
		{"/run/one.sock", NULL},
		{"/run/one.sock.not", "allowedBackends"},
		{"/run/application.sock", "allowedBackends"},
	};

	(void)state;
	assert_non_null(rules);
	check_rows(rules, rows, ARRAY_LEN(rows));
	rules_free(rules);
}

static void test_bad_settings(void **state)
{
	static const char *const bad[] = {"nonsense",
					  "10.0.0.0/33",
					  "10.0.0.0/8:0",
					  "10.0.0.0/8:x",
					  "unix:relative",
					  "::1/129",
					  ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct address_rules_config config = {.allowed_backends = &bad[i],
						      .allowed_count = 1};
		struct err err = {.msg = ""};

		if (rules_new(&config, &err) != NULL)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(err.msg, "allowedBackends"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_bad_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
