/* Where a record belongs and who shows it, asked of a scripted name server on the same loop. */
#include "base/own.h"
#include "dns01/look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT_MS 30000
#define TYPE_A   1

struct row { /* an answer of the server */
	const char *name;
	uint16_t type;
	unsigned rcode;
	enum dns_section section;
	const char *owner; /* of the one record; NULL: none */
	uint16_t record_type;
	const char *target; /* name, text or address */
};

struct lab {
	struct loop *loop;
	struct dns *dns;
	struct loop_fd server;
	struct timer limit;
	const struct row *rows;
	size_t count;
	struct dns01_env env;
	struct place place;
	struct err err;
	struct propagation_result result;
};

/* ---- the server ---- */

static void add_data(struct buf *data, const struct row *row)
{
	static const char soa_rest[] = "\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1";

	if (row->record_type == DNS_TYPE_TXT)
		dns_write_txt(data, sv_from(row->target));
	else if (row->record_type == TYPE_A)
		buf_add(data, SV("\177\0\0\1"));
	else
		dns_write_name(data, sv_from(row->target));
	if (row->record_type == DNS_TYPE_SOA)
		buf_add(data, sv_new(soa_rest + 1, sizeof(soa_rest) - 1));
}

static void answer(const struct lab *lab, const struct dns_message *asked,
		   const struct dns_record *question, struct buf *out)
{
	const struct row *row = NULL;

	for (size_t i = 0; i < lab->count && row == NULL; i++) {
		if (lab->rows[i].type == question->type &&
		    strcmp(lab->rows[i].name, question->name) == 0)
			row = &lab->rows[i];
	}
	dns_write_head(out, &(struct dns_head){.id = asked->id});
	out->data[2] |= (char)0x84;
	out->data[3] = (char)(row == NULL ? DNS_RCODE_NXDOMAIN : row->rcode);
	dns_write_record(out, DNS_QUESTION,
			 &(struct dns_record_spec){.name = sv_from(question->name),
						   .type = question->type,
						   .class = DNS_CLASS_IN});
	if (row != NULL && row->owner != NULL) {
		AUTO(buf_deinit) struct buf data;

		buf_init(&data, 1024);
		add_data(&data, row);
		dns_write_record(out, row->section,
				 &(struct dns_record_spec){.name = sv_from(row->owner),
							   .type = row->record_type,
							   .class = DNS_CLASS_IN,
							   .ttl = 1,
							   .data = buf_view(&data)});
	}
}

static void serve(struct loop_fd *self, unsigned events)
{
	struct lab *lab = CONTAINER_OF(self, struct lab, server);
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct dns_message message;
	struct dns_record question;
	AUTO(buf_deinit) struct buf out;
	char bytes[2048];
	ssize_t count = recvfrom(self->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &len);

	(void)events;
	buf_init(&out, 4096);
	if (count < 0 || dns_message_open(&message, sv_new(bytes, (size_t)count)) < 0 ||
	    dns_message_next(&message, &question) != 1)
		return;
	answer(lab, &message, &question, &out);
	(void)sendto(self->fd, out.data + out.start, buf_len(&out), 0, (struct sockaddr *)&from,
		     len);
}

/* ---- the lab ---- */

static void on_limit(struct timer *timer)
{
	(void)timer;
	fail_msg("no end");
}

static int setup(void **state)
{
	struct lab *lab = xcalloc(1, sizeof(*lab));
	struct sock_addr addr;
	char text[SOCK_ADDR_TEXT];
	struct err err;

	lab->loop = loop_new(&err);
	assert_non_null(lab->loop);
	assert_true(sock_addr_ip(&addr, SV("127.0.0.1"), 0));
	lab->server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	lab->server.ready = serve;
	assert_int_equal(bind(lab->server.fd, &addr.u.any, addr.len), 0);
	sock_local(lab->server.fd, &addr);
	assert_int_equal(loop_add(lab->loop, &lab->server, LOOP_READ, &err), 0);
	sock_addr_text(&addr, text);
	lab->dns = dns_new(lab->loop, text, &err);
	assert_non_null(lab->dns);
	lab->env = (struct dns01_env){
		.loop = lab->loop, .dns = lab->dns, .authority_port = sock_addr_port(&addr)};
	timer_init(&lab->limit, on_limit);
	timer_in(lab->loop, &lab->limit, LIMIT_MS);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;

	timer_stop(lab->loop, &lab->limit);
	dns_free(lab->dns);
	loop_remove(lab->loop, &lab->server);
	close(lab->server.fd);
	loop_free(lab->loop);
	free(lab);
	return 0;
}

static void found(void *arg, const struct place *place, const struct err *err)
{
	struct lab *lab = arg;

	lab->place = *place;
	lab->err = *err;
	loop_stop(lab->loop);
}

static void find(struct lab *lab, const char *name, bool follow)
{
	(void)place_find(&(struct place_config){
		.env = &lab->env, .name = name, .follow = follow, .done = found, .arg = lab});
	assert_int_equal(loop_run(lab->loop), 0);
}

/* ---- places ---- */

#define CNAME(from, to)                                                       \
	{                                                                     \
		from, DNS_TYPE_CNAME, 0, DNS_ANSWER, from, DNS_TYPE_CNAME, to \
	}
#define SOA_BELOW(name, zone)                                                                   \
	{                                                                                       \
		name, DNS_TYPE_SOA, DNS_RCODE_NXDOMAIN, DNS_AUTHORITY, zone, DNS_TYPE_SOA, "ns" \
	}

static const struct row world[] = {
	SOA_BELOW("_acme-challenge.www.example.test", "example.test"),
	CNAME("_acme-challenge.del.example.test", "one.example.test"),
	CNAME("one.example.test", "two.auth.test"),
	{"two.auth.test", DNS_TYPE_SOA, 0, DNS_ANSWER, NULL, 0, NULL},
	{"auth.test", DNS_TYPE_SOA, 0, DNS_ANSWER, "auth.test", DNS_TYPE_SOA, "ns"},
	SOA_BELOW("_acme-challenge.del.example.test", "example.test"),
	CNAME("_acme-challenge.loop.example.test", "round.example.test"),
	CNAME("round.example.test", "_acme-challenge.loop.example.test"),
	{"_acme-challenge.bad.example.test", DNS_TYPE_CNAME, DNS_RCODE_SERVFAIL, 0, NULL, 0, NULL},
	{"_acme-challenge.old.example.test", DNS_TYPE_CNAME, DNS_RCODE_NOTIMP, 0, NULL, 0, NULL},
	/* of a zone that the name is not in: no answer to believe */
	SOA_BELOW("_acme-challenge.old.example.test", "elsewhere.test"),
	SOA_BELOW("old.example.test", "test"),
};

static void test_places(void **state)
{
	static const struct {
		const char *host, *name, *zone, *words;
		bool literal;
	} cases[] = {
		{"www.example.test", "_acme-challenge.www.example.test", "example.test", NULL,
		 false},
		{"WWW.Example.test", "_acme-challenge.www.example.test", "example.test", NULL,
		 false},
		{"del.example.test", "two.auth.test", "auth.test", NULL, false},
		{"del.example.test", "_acme-challenge.del.example.test", "example.test", NULL,
		 true},
		{"loop.example.test", NULL, NULL, "circle", false},
		{"bad.example.test", NULL, NULL, "SERVFAIL", false},
		{"old.example.test", "_acme-challenge.old.example.test", "test", NULL, false},
		{"no.zone", "_acme-challenge.no.zone", "", NULL, false},
		{"a..b", NULL, NULL, "no DNS name", false},
	};
	struct lab *lab = *state;

	lab->rows = world;
	lab->count = ARRAY_LEN(world);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free) char *name = xasprintf("_acme-challenge.%s", cases[i].host);

		find(lab, name, !cases[i].literal);
		if (cases[i].words != NULL) {
			assert_non_null(strstr(lab->err.msg, cases[i].words));
			continue;
		}
		if (lab->err.code != ERR_NONE)
			fail_msg("%s: %s", cases[i].host, lab->err.msg);
		assert_string_equal(lab->place.name, cases[i].name);
		assert_string_equal(lab->place.zone, cases[i].zone);
	}
}

/* ---- propagation ---- */

static void looked(void *arg, const struct propagation_result *result)
{
	struct lab *lab = arg;

	lab->result = *result;
	loop_stop(lab->loop);
}

static void look(struct lab *lab, const char *value)
{
	struct place place = {.name = "_acme-challenge.example.test", .zone = "example.test"};

	(void)propagation_start(&(struct propagation_config){.env = &lab->env,
							     .place = &place,
							     .value = sv_from(value),
							     .done = looked,
							     .arg = lab});
	assert_int_equal(loop_run(lab->loop), 0);
}

static void test_propagation(void **state)
{
	static const struct row zone[] = {
		{"example.test", DNS_TYPE_NS, 0, DNS_ANSWER, "example.test", DNS_TYPE_NS,
		 "ns1.example.test"},
		{"ns1.example.test", TYPE_A, 0, DNS_ANSWER, "ns1.example.test", TYPE_A, ""},
		{"_acme-challenge.example.test", DNS_TYPE_TXT, 0, DNS_ANSWER,
		 "_acme-challenge.example.test", DNS_TYPE_TXT, "ours"},
	};
	struct lab *lab = *state;

	lab->rows = zone;
	lab->count = ARRAY_LEN(zone);
	look(lab, "ours");
	assert_true(lab->result.seen);
	look(lab, "another");
	assert_false(lab->result.seen);
	assert_string_equal(lab->result.words,
			    "ns1.example.test (127.0.0.1): the record is not there");
	/* without NS records the recursors are asked */
	lab->rows = zone + 2;
	lab->count = 1;
	look(lab, "ours");
	assert_true(lab->result.seen);
	lab->count = 0;
	look(lab, "ours");
	assert_false(lab->result.seen);
}

static bool nobody(const void *rules, const struct sock_addr *addr)
{
	(void)rules, (void)addr;
	return false;
}

/* What may not be dialled is not asked, and is told. */
static void test_forbidden(void **state)
{
	struct lab *lab = *state;
	struct place place = {.name = "a.test", .zone = "test"};
	struct sock_addr server;

	lab->env.may_dial = nobody;
	assert_true(sock_addr_ip(&server, SV("127.0.0.1"), lab->env.authority_port));
	(void)propagation_start(&(struct propagation_config){.env = &lab->env,
							     .place = &place,
							     .value = SV("x"),
							     .servers = &server,
							     .server_count = 1,
							     .done = looked,
							     .arg = lab});
	assert_int_equal(loop_run(lab->loop), 0);
	assert_false(lab->result.seen);
	assert_non_null(strstr(lab->result.words, "an address that is not asked"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_places), TEST(test_propagation),
					   TEST(test_forbidden)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
