/* tests/unit/loop/test_dns.c - look-ups against a small name server on the same loop */
#include "loop/dns.h"

#include "base/clock.h"
#include "base/own.h"
#include "loop/dns_cache.h"
#include "loop/dns_local.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the name server ---- */

#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3
#define RCODE_REFUSED  5
#define RCODE_SILENT   99 /* no answer at all */
#define RCODE_GARBAGE  98 /* an answer cut in its middle */
#define RCODE_OTHER_ID 97 /* an answer to another question */

static const struct zone_row {
	const char *name;
	int rcode_a, rcode_aaaa;
	const char *a, *aaaa; /* NULL: no such record */
	unsigned ttl;
} zone[] = {
	{"both.test", 0, 0, "192.0.2.1", "2001:db8::1", 300},
	{"four.test", 0, 0, "192.0.2.4", NULL, 60},
	{"six.test", 0, 0, NULL, "2001:db8::6", 60},
	{"zero.test", 0, 0, "192.0.2.5", NULL, 0},
	{"empty.test", 0, 0, NULL, NULL, 60},
	{"gone.test", RCODE_NXDOMAIN, RCODE_NXDOMAIN, NULL, NULL, 60},
	{"broken.test", RCODE_SERVFAIL, RCODE_SERVFAIL, NULL, NULL, 60},
	{"closed.test", RCODE_REFUSED, RCODE_REFUSED, NULL, NULL, 60},
	{"silent.test", RCODE_SILENT, RCODE_SILENT, NULL, NULL, 60},
	{"garbage.test", RCODE_GARBAGE, RCODE_GARBAGE, NULL, NULL, 60},
	{"spoof.test", RCODE_OTHER_ID, RCODE_OTHER_ID, "192.0.2.66", NULL, 60},
	{"half.test", 0, RCODE_SERVFAIL, "192.0.2.7", NULL, 300},
	{"late.test", RCODE_SILENT, 0, NULL, "2001:db8::8", 300},
	{"torn.test", 0, RCODE_SERVFAIL, NULL, NULL, 300},
};

struct server {
	struct loop_fd watch;
	unsigned questions;
};

static struct str_view question_name(const unsigned char *packet, size_t len, char out[256],
				     size_t *end)
{
	size_t at = 12, used = 0;

	while (at < len && packet[at] != 0 && at + packet[at] < len && used + packet[at] < 255) {
		if (used > 0)
			out[used++] = '.';
		memcpy(out + used, packet + at + 1, packet[at]);
		used += packet[at];
		at += packet[at] + 1u;
	}
	*end = at + 5;
	return sv_new(out, used);
}

static size_t add_record(unsigned char *packet, size_t at, int type, const char *text, unsigned ttl)
{
	unsigned char head[12] = {0xc0, 12, 0, (unsigned char)type,       0,
				  1,    0,  0, (unsigned char)(ttl >> 8), (unsigned char)ttl,
				  0,    0};
	struct sock_addr addr;

	assert_true(sock_addr_ip(&addr, sv_from(text), 0));
	head[11] = type == 1 ? 4 : 16;
	memcpy(packet + at, head, sizeof(head));
	memcpy(packet + at + sizeof(head),
	       type == 1 ? (const void *)&addr.u.v4.sin_addr : &addr.u.v6.sin6_addr, head[11]);
	packet[7] = 1; /* one record */
	return at + sizeof(head) + head[11];
}

static const struct zone_row *find_row(struct str_view name)
{
	for (size_t i = 0; i < ARRAY_LEN(zone); i++) {
		if (sv_eq_nocase(name, sv_from(zone[i].name)))
			return &zone[i];
	}
	return NULL;
}

/* Turns the question in packet into its answer; 0: say nothing. */
static size_t make_answer(unsigned char packet[512], size_t len)
{
	char name[256];
	size_t end;
	const struct zone_row *row = find_row(question_name(packet, len, name, &end));
	int type = packet[end - 3];
	int rcode = row == NULL ? RCODE_NXDOMAIN : type == 1 ? row->rcode_a : row->rcode_aaaa;
	const char *text = row == NULL ? NULL : type == 1 ? row->a : row->aaaa;

	if (rcode == RCODE_SILENT)
		return 0;
	packet[2] = 0x84;
	packet[3] = (unsigned char)(0x80 | (rcode > 15 ? 0 : rcode));
	memset(packet + 6, 0, 6);
	if (text != NULL)
		end = add_record(packet, end, type, text, row->ttl);
	if (rcode == RCODE_OTHER_ID)
		packet[0] ^= 0xff;
	if (rcode == RCODE_GARBAGE)
		packet[7] = 9; /* records that are not there */
	return end;
}

static void serve(struct loop_fd *self, unsigned events)
{
	struct server *server = CONTAINER_OF(self, struct server, watch);
	unsigned char packet[512];
	struct sock_addr peer = {.len = sizeof(peer.u)};
	ssize_t len = recvfrom(self->fd, packet, sizeof(packet), 0, &peer.u.any, &peer.len);
	size_t answer;

	(void)events;
	assert_true(len > 16);
	server->questions++;
	answer = make_answer(packet, (size_t)len);
	if (answer > 0)
		sendto(self->fd, packet, answer, 0, &peer.u.any, peer.len);
}

/* ---- a loop with the server and a resolver that asks it ---- */

struct fixture {
	struct loop *loop;
	struct dns *dns;
	struct server server;
	char servers[SOCK_ADDR_TEXT];
	struct dns_answer answer; /* the last one */
	unsigned done, awaited;
};

static void open_server(struct fixture *fixture)
{
	struct sock_addr addr, local = {.len = sizeof(local.u)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(sock_addr_ip(&addr, SV("127.0.0.1"), 0));
	assert_int_equal(bind(fd, &addr.u.any, addr.len), 0);
	sock_local(fd, &local);
	sock_addr_text(&local, fixture->servers);
	fixture->server.watch = (struct loop_fd){.fd = fd, .ready = serve};
	assert_int_equal(loop_add(fixture->loop, &fixture->server.watch, LOOP_READ, NULL), 0);
}

static int setup(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	struct err err = {0};

	fixture->loop = loop_new(&err);
	assert_non_null(fixture->loop);
	open_server(fixture);
	fixture->dns = dns_new(fixture->loop, fixture->servers, &err);
	if (fixture->dns == NULL)
		fail_msg("%s", err.msg);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	dns_free(fixture->dns);
	loop_remove(fixture->loop, &fixture->server.watch);
	close(fixture->server.watch.fd);
	loop_free(fixture->loop);
	free(fixture);
	return 0;
}

static void keep_answer(void *arg, const struct dns_answer *answer)
{
	struct fixture *fixture = arg;

	fixture->answer = *answer;
	if (++fixture->done == fixture->awaited)
		loop_stop(fixture->loop);
}

static void look_up(struct fixture *fixture, const char *name, bool fresh)
{
	fixture->done = 0;
	fixture->awaited = 1;
	dns_lookup(fixture->dns, sv_from(name), 8080, fresh, keep_answer, fixture);
	assert_int_equal(fixture->done, 0); /* never inside the call */
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_int_equal(fixture->done, 1);
}

/* "192.0.2.1:8080 [2001:db8::1]:8080" */
static const char *addresses(const struct dns_answer *answer, char out[512])
{
	out[0] = '\0';
	for (size_t i = 0; i < answer->count; i++) {
		char text[SOCK_ADDR_TEXT];
		size_t used = strlen(out);

		sock_addr_text(&answer->addrs[i], text);
		snprintf(out + used, 512 - used, "%s%s", i > 0 ? " " : "", text);
	}
	return out;
}

static void test_answers(void **state)
{
	static const struct {
		const char *name;
		enum dns_status status;
		const char *addresses;
		int64_t ttl_ms;
		bool a_failed, aaaa_failed;
	} cases[] = {
		{"both.test", DNS_OK, "192.0.2.1:8080 [2001:db8::1]:8080", 300000, false, false},
		{"BOTH.Test.", DNS_OK, "192.0.2.1:8080 [2001:db8::1]:8080", 300000, false, false},
		{"four.test", DNS_OK, "192.0.2.4:8080", 60000, false, false},
		{"six.test", DNS_OK, "[2001:db8::6]:8080", 60000, false, false},
		{"zero.test", DNS_OK, "192.0.2.5:8080", 1000, false, false},
		{"empty.test", DNS_NODATA, "", 5000, false, false},
		{"gone.test", DNS_NXDOMAIN, "", 5000, false, false},
		{"broken.test", DNS_SERVFAIL, "", 5000, true, true},
		{"closed.test", DNS_REFUSED, "", 5000, true, true},
		{"garbage.test", DNS_SERVFAIL, "", 5000, true, true},
		{"half.test", DNS_OK, "192.0.2.7:8080", 5000, false, true},
		{"torn.test", DNS_SERVFAIL, "", 5000, false, true},
		{"no spaces.test", DNS_NXDOMAIN, "", 5000, false, false},
		{"back\\slash.test", DNS_NXDOMAIN, "", 5000, false, false},
		{"", DNS_NXDOMAIN, "", 5000, false, false},
		{"two..dots.test", DNS_NXDOMAIN, "", 5000, false, false},
		{"192.0.2.99", DNS_OK, "192.0.2.99:8080", 86400000, false, false},
		{"2001:db8::99", DNS_OK, "[2001:db8::99]:8080", 86400000, false, false},
		{"localhost", DNS_OK, "127.0.0.1:8080 [::1]:8080", 86400000, false, false},
		{"a.LOCALHOST.", DNS_OK, "127.0.0.1:8080 [::1]:8080", 86400000, false, false},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct dns_answer *got = &fixture->answer;
		char text[512];

		look_up(fixture, cases[i].name, true);
		if (got->status != cases[i].status || got->ttl_ms != cases[i].ttl_ms ||
		    strcmp(addresses(got, text), cases[i].addresses) != 0 ||
		    got->a_failed != cases[i].a_failed || got->aaaa_failed != cases[i].aaaa_failed)
			fail_msg("%s: %s, %s, ttl %lld, a %d, aaaa %d", cases[i].name,
				 dns_status_text(got->status), text, (long long)got->ttl_ms,
				 got->a_failed, got->aaaa_failed);
	}
}

static void test_local_names_are_not_asked(void **state)
{
	static const char *const names[] = {"localhost", "x.localhost", "192.0.2.1", "::1", "a b"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		look_up(fixture, names[i], true);
	assert_int_equal(fixture->server.questions, 0);
}

static void test_silence_is_a_timeout(void **state)
{
	static const struct {
		const char *name;
		enum dns_status status;
		bool a_failed, aaaa_failed;
		int64_t deadline;
	} cases[] = {
		{"silent.test", DNS_TIMEOUT, true, true, 30},
		{"spoof.test", DNS_TIMEOUT, true, true, 30},
		{"late.test", DNS_OK, true, false, 1000}, /* one of the two is answered in time */
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t before = clock_mono_ms();

		dns_set_deadline(fixture->dns, cases[i].deadline);
		look_up(fixture, cases[i].name, true);
		if (fixture->answer.status != cases[i].status ||
		    fixture->answer.a_failed != cases[i].a_failed ||
		    fixture->answer.aaaa_failed != cases[i].aaaa_failed ||
		    clock_mono_ms() - before > 4000) /* less than unless told */
			fail_msg("%s: %s, a %d, aaaa %d", cases[i].name,
				 dns_status_text(fixture->answer.status), fixture->answer.a_failed,
				 fixture->answer.aaaa_failed);
	}
}

static void test_nobody_listens(void **state)
{
	struct fixture *fixture = *state;
	struct dns *ours = fixture->dns;
	struct sock_addr addr, local;
	char server[SOCK_ADDR_TEXT];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(sock_addr_ip(&addr, SV("127.0.0.1"), 0));
	assert_int_equal(bind(fd, &addr.u.any, addr.len), 0);
	sock_local(fd, &local);
	sock_addr_text(&local, server);
	/* nobody else's port, and no question is for a socket with a peer of its own */
	assert_int_equal(connect(fd, &local.u.any, local.len), 0);
	fixture->dns = dns_new(fixture->loop, server, NULL);
	look_up(fixture, "both.test", false);
	assert_int_equal(fixture->answer.status, DNS_REFUSED);
	dns_free(fixture->dns);
	fixture->dns = ours;
	close(fd);
}

static void test_cache(void **state)
{
	struct fixture *fixture = *state;
	char text[512];

	look_up(fixture, "both.test", false);
	look_up(fixture, "Both.Test", false);
	assert_string_equal(addresses(&fixture->answer, text), "192.0.2.1:8080 [2001:db8::1]:8080");
	assert_true(fixture->answer.ttl_ms > 290000 && fixture->answer.ttl_ms <= 300000);
	assert_int_equal(fixture->server.questions, 2);
	look_up(fixture, "gone.test", false);
	look_up(fixture, "gone.test", false);
	assert_int_equal(fixture->answer.status, DNS_NXDOMAIN);
	assert_int_equal(fixture->server.questions, 4);
	look_up(fixture, "both.test", true);
	assert_int_equal(fixture->server.questions, 6);
}

static void test_more_than_may_be_under_way(void **state)
{
	struct fixture *fixture = *state;

	fixture->awaited = 600;
	for (unsigned i = 0; i < fixture->awaited; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%u.test", i);
		dns_lookup(fixture->dns, sv_from(name), 1, false, keep_answer, fixture);
	}
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_int_equal(fixture->done, 600);
	assert_int_equal(fixture->server.questions, 1200);
}

static void must_not_run(void *arg, const struct dns_answer *answer)
{
	(void)arg;
	(void)answer;
	fail_msg("done ran for a cancelled look-up");
}

static void test_cancel(void **state)
{
	struct fixture *fixture = *state;
	struct dns_query *local, *waiting, *silent;

	dns_set_deadline(fixture->dns, 5000);
	silent = dns_lookup(fixture->dns, SV("silent.test"), 1, true, must_not_run, NULL);
	look_up(fixture, "four.test", true); /* meanwhile the first one is under way */
	local = dns_lookup(fixture->dns, SV("localhost"), 1, true, must_not_run, NULL);
	waiting = dns_lookup(fixture->dns, SV("both.test"), 1, true, must_not_run, NULL);
	dns_cancel(local);
	dns_cancel(waiting);
	dns_cancel(silent);
	dns_cancel(NULL);
	look_up(fixture, "six.test", true);
	assert_int_equal(fixture->answer.status, DNS_OK);
}

static void test_free_ends_open_lookups(void **state)
{
	struct fixture *fixture = *state;

	dns_lookup(fixture->dns, SV("silent.test"), 1, true, keep_answer, fixture);
	look_up(fixture, "four.test", true);
	fixture->done = 0;
	fixture->awaited = 99;
	dns_lookup(fixture->dns, SV("both.test"), 1, true, keep_answer, fixture);
	dns_lookup(fixture->dns, SV("localhost"), 1, true, keep_answer, fixture);
	dns_free(fixture->dns);
	fixture->dns = NULL;
	assert_int_equal(fixture->done, 3);
	assert_int_equal(fixture->answer.status, DNS_CANCELLED);
}

static void test_servers(void **state)
{
	static const struct {
		const char *servers;
		enum err_code code;
	} cases[] = {
		{"127.0.0.1", ERR_NONE},
		{"127.0.0.1:8053,[::1]:53, 192.0.2.1", ERR_NONE},
		{"::1", ERR_NONE},
		{"", ERR_INVALID},
		{"localhost", ERR_INVALID},
		{"127.0.0.1:0", ERR_INVALID},
		{"127.0.0.1:99999", ERR_INVALID},
		{"127.0.0.1,", ERR_INVALID},
		{"1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,"
		 "1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1",
		 ERR_LIMIT},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		struct dns *dns = dns_new(fixture->loop, cases[i].servers, &err);

		if (err.code != cases[i].code || (dns != NULL) != (cases[i].code == ERR_NONE))
			fail_msg("\"%s\": %d %s", cases[i].servers, (int)err.code, err.msg);
		dns_free(dns);
	}
}

static void test_system_servers(void **state)
{
	struct fixture *fixture = *state;
	struct err err = {0};
	struct dns *ours = fixture->dns;

	fixture->dns = dns_new(fixture->loop, NULL, &err);
	if (fixture->dns == NULL)
		fail_msg("%s", err.msg);
	look_up(fixture, "localhost", false); /* the only name every machine knows */
	assert_int_equal(fixture->answer.status, DNS_OK);
	dns_free(fixture->dns);
	fixture->dns = ours;
}

/* ---- parts ---- */

static void test_hosts(void **state)
{
	static const struct str_view hosts =
		SV_INIT("# first\n127.0.0.1 localhost\n192.0.2.1\tshop shop.example # the shop\r\n"
			"\n  2001:db8::1 shop.example\r\nnonsense shop.example\n192.0.2.2\n"
			"192.0.2.3 last.example");
	static const struct {
		const char *name, *addresses;
	} cases[] = {
		{"shop.example", "192.0.2.1:0 [2001:db8::1]:0"},
		{"SHOP", "192.0.2.1:0"},
		{"last.example", "192.0.2.3:0"},
		{"example", ""},
		{"first", ""},
		{"the", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_answer answer;
		char text[512];
		bool known = dns_local_answer(sv_from(cases[i].name), hosts, &answer);

		if (strcmp(addresses(&answer, text), cases[i].addresses) != 0 ||
		    known != (cases[i].addresses[0] != '\0'))
			fail_msg("%s: %s", cases[i].name, text);
	}
}

static void test_file_is_read_again(void **state)
{
	char path[] = "/tmp/sallyport-test-XXXXXX";
	int fd = mkstemp(path);
	struct dns_file file = {.path = path};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "one", 3), 3);
	assert_true(dns_file_changed(&file));
	dns_file_read(&file);
	assert_true(sv_eq(sv_new(file.text, file.len), SV("one")));
	assert_false(dns_file_changed(&file));
	assert_int_equal(write(fd, "two", 3), 3);
	assert_true(dns_file_changed(&file));
	dns_file_read(&file);
	assert_true(sv_eq(sv_new(file.text, file.len), SV("onetwo")));
	close(fd);
	unlink(path);
	assert_true(dns_file_changed(&file));
	dns_file_read(&file);
	assert_null(file.text);
}

static void test_cache_is_bounded(void **state)
{
	static struct dns_answer answer = {.status = DNS_OK, .count = 1, .ttl_ms = 1000};
	struct dns_answer found;
	struct dns_cache cache;

	(void)state;
	dns_cache_init(&cache);
	for (int i = 0; i < 2 * DNS_CACHE_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%d", i);
		dns_cache_put(&cache, sv_from(name), 0, &answer);
		assert_true(dns_cache_get(&cache, SV("n0"), 500, &found)); /* used: it stays */
	}
	assert_int_equal(cache.names.count, DNS_CACHE_MAX);
	assert_int_equal(found.ttl_ms, 500);
	assert_false(dns_cache_get(&cache, SV("n1"), 500, &found));
	assert_false(dns_cache_get(&cache, SV("n0"), 1000, &found)); /* its time is over */
	assert_int_equal(cache.names.count, DNS_CACHE_MAX - 1);
	dns_cache_deinit(&cache);
}

int main(void)
{
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_answers),
		WITH_SERVER(test_local_names_are_not_asked),
		WITH_SERVER(test_silence_is_a_timeout),
		WITH_SERVER(test_nobody_listens),
		WITH_SERVER(test_cache),
		WITH_SERVER(test_more_than_may_be_under_way),
		WITH_SERVER(test_cancel),
		WITH_SERVER(test_free_ends_open_lookups),
		WITH_SERVER(test_servers),
		WITH_SERVER(test_system_servers),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_file_is_read_again),
		cmocka_unit_test(test_cache_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
