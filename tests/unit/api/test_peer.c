/* Who may use the control socket; at the other end of a socket pair is this process itself. */
#include "api/peer.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOBODYS_ID 4000000000u

static void test_rules(void **state)
{
	const struct {
		const char *name;
		struct peer_rule rule;
		bool may;
	} cases[] = {
		{"its own client", {.owner = geteuid(), .self = getpid()}, false},
		{"the owner", {.owner = geteuid(), .self = 1}, true},
		{"the group",
		 {.owner = NOBODYS_ID, .self = 1, .group_known = true, .group = getegid()},
		 true},
		{"another user", {.owner = NOBODYS_ID, .self = 1}, geteuid() == 0},
		{"another group",
		 {.owner = NOBODYS_ID, .self = 1, .group_known = true, .group = NOBODYS_ID},
		 geteuid() == 0},
	};
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {.code = ERR_NONE};
		bool may = peer_check(fds[0], &cases[i].rule, &err) == 0;

		if (may != cases[i].may)
			fail_msg("%s: %s", cases[i].name, may ? "may" : err.msg);
		assert_int_equal(err.code, may ? ERR_NONE : ERR_DENIED);
	}
	close(fds[0]);
	close(fds[1]);
}

static void test_no_unix_socket(void **state)
{
	struct err err = {.code = ERR_NONE};
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(peer_check(fds[0], &(struct peer_rule){.self = 1}, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_no_unix_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
