/* loop/dns.c - look-ups: local answers, cache, then c-ares with one question for each family
 *
 * A look-up is one struct dns_query from dns_lookup to done. Its questions are counted by c-ares,
 * which ends each of them exactly once, perhaps long after the look-up was given up: so a question
 * has a life of its own and forgets its look-up.
 */
#include "loop/dns.h"

#include "base/own.h"
#include "loop/dns_cache.h"
#include "loop/dns_channel.h"
#include "loop/dns_local.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS     5000
#define FAILURE_TTL_MS  5000
#define TTL_MIN_MS      1000
#define TTL_MAX_MS      ((int64_t)24 * 3600 * 1000)
#define UNDER_WAY_MAX   64 /* two datagrams each: what a socket's buffer surely takes */
#define FAMILY_ADDR_MAX (DNS_ADDRS_MAX / 2)
#define CLASS_IN        1
#define TYPE_A          1
#define TYPE_AAAA       28

enum family { FAMILY_A, FAMILY_AAAA, FAMILY_COUNT };

struct dns {
	struct loop *loop;
	struct dns_channels channels;
	bool ask_system; /* the servers are those of /etc/resolv.conf */
	bool closing;
	int64_t deadline_ms;
	struct task start;     /* begins look-ups that wait, outside of c-ares' calls */
	struct list waiting;   /* of struct dns_query: not begun */
	struct list open;      /* the others until done */
	size_t under_way;      /* look-ups that c-ares works on */
	size_t question_count; /* questions c-ares has, given up ones too */
	struct dns_cache cache;
	struct dns_file hosts, resolv;
};

struct question { /* owned by c-ares until it answers */
	struct dns *dns;
	struct dns_query *query; /* NULL: given up */
	enum family family;
	enum channel_kind channel;
};

struct dns_query {
	struct dns *dns;
	struct list link;
	struct task deliver;
	struct timer deadline;
	char name[256]; /* lower case */
	uint16_t port;
	bool fresh;
	void (*done)(void *arg, const struct dns_answer *answer);
	void *arg;
	struct question *questions[FAMILY_COUNT]; /* NULL: answered or never asked */
	enum dns_status status[FAMILY_COUNT];
	struct dns_answer *answer; /* owned; made when it begins */
};

const char *dns_status_text(enum dns_status status)
{
	static const char *const texts[] = {
		[DNS_OK] = "ok",
		[DNS_NXDOMAIN] = "no such name (NXDOMAIN)",
		[DNS_NODATA] = "the name has no address (NODATA)",
		[DNS_SERVFAIL] = "the name server failed (SERVFAIL)",
		[DNS_TIMEOUT] = "no name server answered in time",
		[DNS_REFUSED] = "the name server refused, or cannot be reached",
		[DNS_CANCELLED] = "cancelled",
	};

	return texts[status];
}

/* ---- end of a look-up ---- */

static void deliver(struct task *task)
{
	struct dns_query *query = CONTAINER_OF(task, struct dns_query, deliver);

	list_remove(&query->link);
	for (size_t i = 0; i < query->answer->count; i++) {
		struct sock_addr *addr = &query->answer->addrs[i];

		if (addr->u.any.sa_family == AF_INET)
			addr->u.v4.sin_port = htons(query->port);
		else
			addr->u.v6.sin6_port = htons(query->port);
	}
	query->done(query->arg, query->answer);
	free(query->answer);
	free(query);
}

static bool is_hard(enum dns_status status)
{
	return status != DNS_OK && status != DNS_NXDOMAIN && status != DNS_NODATA;
}

/* What two families together say about the name. */
static enum dns_status combine(const enum dns_status status[FAMILY_COUNT])
{
	enum dns_status a = status[FAMILY_A], aaaa = status[FAMILY_AAAA];

	if (a == DNS_OK || aaaa == DNS_OK)
		return DNS_OK;
	if (a == DNS_NXDOMAIN || aaaa == DNS_NXDOMAIN)
		return DNS_NXDOMAIN;
	return is_hard(a) ? a : aaaa;
}

/* A first: answers come in any order, and the 32 places are shared fairly. */
static int by_family(const void *a, const void *b)
{
	const struct sock_addr *left = a, *right = b;

	return (left->u.any.sa_family == AF_INET6) - (right->u.any.sa_family == AF_INET6);
}

/* All questions have their answer, or are given up. */
static void conclude(struct dns_query *query)
{
	struct dns *dns = query->dns;
	struct dns_answer *answer = query->answer;
	bool a_failed = is_hard(query->status[FAMILY_A]);
	bool aaaa_failed = is_hard(query->status[FAMILY_AAAA]);

	answer->status = combine(query->status);
	answer->a_failed = a_failed;
	answer->aaaa_failed = aaaa_failed;
	if (answer->ttl_ms < TTL_MIN_MS)
		answer->ttl_ms = TTL_MIN_MS;
	if ((answer->status != DNS_OK || a_failed || aaaa_failed) &&
	    answer->ttl_ms > FAILURE_TTL_MS)
		answer->ttl_ms = FAILURE_TTL_MS;
	qsort(answer->addrs, answer->count, sizeof(answer->addrs[0]), by_family);
	dns_cache_put(&dns->cache, sv_from(query->name), loop_now(dns->loop), answer);
	timer_stop(dns->loop, &query->deadline);
	dns->under_way--;
	if (!list_empty(&dns->waiting))
		task_defer(dns->loop, &dns->start);
	task_defer(dns->loop, &query->deliver);
}

/* Forgets the questions still open; their family has this status. */
static void give_up(struct dns_query *query, enum dns_status status)
{
	for (size_t i = 0; i < FAMILY_COUNT; i++) {
		if (query->questions[i] == NULL)
			continue;
		query->questions[i]->query = NULL;
		query->questions[i] = NULL;
		query->status[i] = status;
	}
}

static void deadline_passed(struct timer *self)
{
	struct dns_query *query = CONTAINER_OF(self, struct dns_query, deadline);

	give_up(query, DNS_TIMEOUT);
	conclude(query);
}

/* ---- questions ---- */

static enum dns_status status_of(int ares_status)
{
	static const struct {
		int ares_status;
		enum dns_status status;
	} rows[] = {
		{ARES_SUCCESS, DNS_OK},           {ARES_ENOTFOUND, DNS_NXDOMAIN},
		{ARES_EBADNAME, DNS_NXDOMAIN},    {ARES_ENODATA, DNS_NODATA},
		{ARES_ETIMEOUT, DNS_TIMEOUT},     {ARES_EREFUSED, DNS_REFUSED},
		{ARES_ECONNREFUSED, DNS_REFUSED}, {ARES_EDESTRUCTION, DNS_CANCELLED},
		{ARES_ECANCELLED, DNS_CANCELLED},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].ares_status == ares_status)
			return rows[i].status;
	}
	return DNS_SERVFAIL; /* malformed, not implemented, out of memory: no answer to rely on */
}

static void add_address(struct dns_answer *answer, const struct sock_addr *addr, int ttl)
{
	int64_t ttl_ms = ttl < 0 ? 0 : (int64_t)ttl * 1000;

	dns_answer_add(answer, addr);
	if (ttl_ms < answer->ttl_ms)
		answer->ttl_ms = ttl_ms;
}

static int read_a(struct dns_answer *answer, const unsigned char *reply, int len)
{
	struct ares_addrttl found[FAMILY_ADDR_MAX];
	int count = FAMILY_ADDR_MAX;
	int status = ares_parse_a_reply(reply, len, NULL, found, &count);

	for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
		struct sock_addr addr = {.len = sizeof(addr.u.v4)};

		addr.u.v4.sin_family = AF_INET;
		addr.u.v4.sin_addr = found[i].ipaddr;
		add_address(answer, &addr, found[i].ttl);
	}
	return status == ARES_SUCCESS && count == 0 ? ARES_ENODATA : status;
}

static int read_aaaa(struct dns_answer *answer, const unsigned char *reply, int len)
{
	struct ares_addr6ttl found[FAMILY_ADDR_MAX];
	int count = FAMILY_ADDR_MAX;
	int status = ares_parse_aaaa_reply(reply, len, NULL, found, &count);

	for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
		struct sock_addr addr = {.len = sizeof(addr.u.v6)};

		addr.u.v6.sin6_family = AF_INET6;
		memcpy(&addr.u.v6.sin6_addr, &found[i].ip6addr, sizeof(addr.u.v6.sin6_addr));
		add_address(answer, &addr, found[i].ttl);
	}
	return status == ARES_SUCCESS && count == 0 ? ARES_ENODATA : status;
}

static void ask(struct question *question);

static void answered(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
	struct question *question = arg;
	struct dns_query *query = question->query;
	enum family family = question->family;

	(void)timeouts;
	if (query != NULL && status == ARES_ECONNREFUSED &&
	    question->channel == CHANNEL_PERSISTENT) {
		question->channel = CHANNEL_LITERAL;
		ask(question);
		return;
	}
	question->dns->question_count--;
	free(question);
	if (query == NULL)
		return;
	query->questions[family] = NULL;
	if (status == ARES_SUCCESS)
		status = family == FAMILY_A ? read_a(query->answer, reply, len)
					    : read_aaaa(query->answer, reply, len);
	query->status[family] = status_of(status);
	for (size_t i = 0; i < FAMILY_COUNT; i++) {
		if (query->questions[i] != NULL)
			return;
	}
	conclude(query);
}

static void ask(struct question *question)
{
	ares_channel channel = question->dns->channels.of[question->channel].ares;
	const char *name = question->query->name;
	int type = question->family == FAMILY_A ? TYPE_A : TYPE_AAAA;

	if (strchr(name, '.') == NULL)
		ares_search(channel, name, CLASS_IN, type, answered, question);
	else
		ares_query(channel, name, CLASS_IN, type, answered, question);
}

/* ---- begin of a look-up ---- */

/* c-ares reads /etc/resolv.conf once; a daemon lives longer than a DHCP lease. Channels that still
 * have questions are left alone: the next look-up sees the change too. */
static void follow_system_servers(struct dns *dns)
{
	if (dns->ask_system && dns->question_count == 0 && dns_file_changed(&dns->resolv))
		(void)dns_channels_open(&dns->channels, NULL, NULL);
}

static void begin(struct dns_query *query)
{
	struct dns *dns = query->dns;
	struct question *questions[FAMILY_COUNT];

	list_append(&dns->open, &query->link);
	query->answer = xcalloc(1, sizeof(*query->answer));
	query->answer->ttl_ms = TTL_MAX_MS;
	dns->under_way++;
	timer_in(dns->loop, &query->deadline, dns->deadline_ms);
	follow_system_servers(dns);
	for (enum family i = 0; i < FAMILY_COUNT; i++) {
		questions[i] = xcalloc(1, sizeof(*questions[i]));
		*questions[i] = (struct question){.dns = dns, .query = query, .family = i};
		query->questions[i] = questions[i];
		dns->question_count++;
	}
	for (enum family i = 0; i < FAMILY_COUNT; i++)
		ask(questions[i]); /* not query->questions[i]: an answer may come at once */
	dns_channels_arm(&dns->channels);
}

static struct str_view hosts_text(struct dns *dns)
{
	if (dns_file_changed(&dns->hosts))
		dns_file_read(&dns->hosts);
	return sv_new(dns->hosts.text, dns->hosts.len);
}

/* Can it be answered without asking? The answer stands in the query then. */
static bool answer_at_once(struct dns_query *query, struct str_view name)
{
	struct dns *dns = query->dns;
	struct dns_answer *answer = query->answer;

	if (dns_local_answer(name, hosts_text(dns), answer))
		return true;
	if (!dns_name_valid(name)) {
		*answer = (struct dns_answer){.status = DNS_NXDOMAIN, .ttl_ms = FAILURE_TTL_MS};
		return true;
	}
	return !query->fresh && dns_cache_get(&dns->cache, name, loop_now(dns->loop), answer);
}

/* Delivers it, or returns false. */
static bool settle_at_once(struct dns_query *query)
{
	query->answer = xcalloc(1, sizeof(*query->answer));
	if (!answer_at_once(query, sv_from(query->name))) {
		free(TAKE(query->answer)); /* 4 KiB: not for all that wait */
		return false;
	}
	list_append(&query->dns->open, &query->link);
	task_defer(query->dns->loop, &query->deliver);
	return true;
}

static void begin_waiting(struct task *task)
{
	struct dns *dns = CONTAINER_OF(task, struct dns, start);

	while (!list_empty(&dns->waiting) && dns->under_way < UNDER_WAY_MAX) {
		struct dns_query *query = LIST_ENTRY(dns->waiting.next, struct dns_query, link);

		list_remove(&query->link);
		if (!settle_at_once(query)) /* the cache may have learnt it meanwhile */
			begin(query);
	}
}

/* Lower case, without the dot of the root; cut names are too long to be valid anyway. */
static void set_name(struct dns_query *query, struct str_view name)
{
	if (sv_ends(name, SV(".")))
		name.len--;
	name = sv_head(name, sizeof(query->name) - 1);
	for (size_t i = 0; i < name.len; i++) {
		query->name[i] = ascii_lower(name.data[i]);
		if (query->name[i] == '\0')
			query->name[i] = ' '; /* no name has one: not to be cut there */
	}
}

/* a callback and its argument count as two: NOLINTNEXTLINE(readability-function-size) */
struct dns_query *dns_lookup(struct dns *dns, struct str_view name, uint16_t port, bool fresh,
			     void (*done)(void *arg, const struct dns_answer *answer), void *arg)
{
	struct dns_query *query = xcalloc(1, sizeof(*query));

	query->dns = dns;
	query->port = port;
	query->fresh = fresh;
	query->done = done;
	query->arg = arg;
	set_name(query, name);
	task_init(&query->deliver, deliver);
	timer_init(&query->deadline, deadline_passed);
	if (!dns->closing && settle_at_once(query))
		return query;
	list_append(&dns->waiting, &query->link);
	if (!dns->closing)
		task_defer(dns->loop, &dns->start);
	return query;
}

void dns_cancel(struct dns_query *query)
{
	struct dns *dns;

	if (query == NULL)
		return;
	dns = query->dns;
	if (timer_armed(&query->deadline)) { /* c-ares works on it */
		give_up(query, DNS_CANCELLED);
		timer_stop(dns->loop, &query->deadline);
		dns->under_way--;
		if (!list_empty(&dns->waiting) && !dns->closing)
			task_defer(dns->loop, &dns->start);
	}
	task_cancel(&query->deliver);
	list_remove(&query->link);
	free(query->answer);
	free(query);
}

/* ---- life ---- */

struct dns *dns_new(struct loop *loop, const char *servers, struct err *err)
{
	struct dns *dns;

	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
		err_set(err, ERR_IO, "cannot set up name look-ups");
		return NULL;
	}
	dns = xcalloc(1, sizeof(*dns));
	dns->loop = loop;
	dns->ask_system = servers == NULL;
	dns->deadline_ms = DEADLINE_MS;
	dns->hosts.path = "/etc/hosts";
	dns->resolv.path = "/etc/resolv.conf";
	dns_channels_init(&dns->channels, loop);
	task_init(&dns->start, begin_waiting);
	list_init(&dns->waiting);
	list_init(&dns->open);
	dns_cache_init(&dns->cache);
	dns_file_changed(&dns->resolv); /* before it is read: a change in between is seen later */
	if (dns_channels_open(&dns->channels, servers, err) < 0) {
		dns_cache_deinit(&dns->cache);
		free(dns);
		ares_library_cleanup();
		return NULL;
	}
	return dns;
}

size_t dns_servers(const struct dns *dns, struct sock_addr *out, size_t max)
{
	return dns_channels_servers(&dns->channels, out, max);
}

void dns_set_deadline(struct dns *dns, int64_t milliseconds)
{
	dns->deadline_ms = milliseconds;
}

static void end_cancelled(struct list *queries)
{
	while (!list_empty(queries)) {
		struct dns_query *query = LIST_ENTRY(queries->next, struct dns_query, link);
		static const struct dns_answer answer = {.status = DNS_CANCELLED};

		list_remove(&query->link);
		query->done(query->arg, &answer);
		free(query->answer);
		free(query);
	}
}

void dns_free(struct dns *dns)
{
	if (dns == NULL)
		return;
	dns->closing = true;
	LIST_EACH(&dns->open, node)
	{
		struct dns_query *query = LIST_ENTRY(node, struct dns_query, link);

		give_up(query, DNS_CANCELLED);
		timer_stop(dns->loop, &query->deadline);
		task_cancel(&query->deliver);
	}
	dns_channels_deinit(&dns->channels);
	assert(dns->question_count == 0);
	end_cancelled(&dns->open);
	end_cancelled(&dns->waiting);
	task_cancel(&dns->start);
	dns_cache_deinit(&dns->cache);
	free(dns->hosts.text);
	free(dns->resolv.text);
	free(dns);
	ares_library_cleanup();
}
