/* dns01/place.c - where a record belongs: the end of its CNAMEs, and the zone that holds it */
#include "dns01/look.h"

#include "base/own.h"
#include "dns01/ask.h"

#include <stdio.h>
#include <stdlib.h>

#define HOPS_MAX  10   /* CNAMEs in a row */
#define SERVER_MS 8000 /* for each recursor */

struct place_finder {
	struct place_config config;
	struct place place;
	const char *cut; /* in place.name: the part that is asked for as a zone */
	unsigned hops;
	struct ask *ask;
	struct task end; /* when there is nobody to ask */
	struct err err;
};

bool dns01_may_dial(const struct dns01_env *env, const struct sock_addr *addr)
{
	return !sock_addr_link_local(addr) &&
	       (env->may_dial == NULL || env->may_dial(env->rules, addr));
}

static void finish(struct place_finder *finder, const struct err *err)
{
	finder->config.done(finder->config.arg, &finder->place, err);
	place_cancel(finder);
}

static void on_end(struct task *task)
{
	struct place_finder *finder = CONTAINER_OF(task, struct place_finder, end);

	finish(finder, &finder->err);
}

static void ask(struct place_finder *finder, const char *name, uint16_t type, ask_done_fn *done)
{
	const struct dns01_env *env = finder->config.env;
	struct sock_addr servers[ASK_SERVERS_MAX];
	size_t count = dns_servers(env->dns, servers, ASK_SERVERS_MAX);

	if (count == 0) {
		err_set(&finder->err, ERR_NOT_FOUND,
			"there is no name server to ask: see /etc/resolv.conf, or name some with "
			"--dns-servers");
		task_defer(env->loop, &finder->end);
		return;
	}
	finder->ask = ask_start(&(struct ask_config){.loop = env->loop,
						     .servers = servers,
						     .count = count,
						     .recursion = true,
						     .name = name,
						     .type = type,
						     .timeout_ms = SERVER_MS,
						     .done = done,
						     .arg = finder});
}

/* false: the answer is none, and the search has ended. */
static bool is_answered(struct place_finder *finder, const char *name,
			const struct dns_message *message, const struct err *err)
{
	struct err words = {0};

	finder->ask = NULL;
	if (err->code != ERR_NONE)
		err_set(&words, err->code, "%.253s cannot be looked up: the name server: %s", name,
			err->msg);
	else if (message->rcode != DNS_RCODE_OK && message->rcode != DNS_RCODE_NXDOMAIN &&
		 message->rcode != DNS_RCODE_NOTIMP) /* then it has none of that type */
		err_set(&words, ERR_IO,
			"%.253s cannot be looked up: the name server says %s: look at the zone, "
			"its delegation and DNSSEC",
			name, dns_rcode_text(message->rcode));
	else
		return true;
	finish(finder, &words);
	return false;
}

/* ---- the zone ---- */

static void ask_zone(struct place_finder *finder);

/* The owner of the SOA record that the answer names, when it is a zone above the name. */
static bool read_zone(struct place_finder *finder, struct dns_message *message)
{
	struct dns_record record;

	while (dns_message_next(message, &record) == 1) {
		if (record.type != DNS_TYPE_SOA || record.section == DNS_QUESTION ||
		    record.name[0] == '\0' || !dns_name_within(finder->cut, record.name))
			continue;
		memcpy(finder->place.zone, record.name, sizeof(record.name));
		return true;
	}
	return false;
}

static void zone_answered(void *arg, struct dns_message *message, const struct err *err)
{
	struct place_finder *finder = arg;
	static const struct err none;
	const char *dot;

	if (!is_answered(finder, finder->cut, message, err))
		return;
	dot = strchr(finder->cut, '.');
	if (read_zone(finder, message) || dot == NULL) {
		finish(finder, &none);
		return;
	}
	finder->cut = dot + 1;
	ask_zone(finder);
}

static void ask_zone(struct place_finder *finder)
{
	ask(finder, finder->cut, DNS_TYPE_SOA, zone_answered);
}

static void begin_zone(struct place_finder *finder)
{
	finder->cut = finder->place.name;
	ask_zone(finder);
}

/* ---- CNAMEs ---- */

static void ask_cname(struct place_finder *finder);

static bool read_cname(struct place_finder *finder, struct dns_message *message)
{
	struct dns_record record;

	while (dns_message_next(message, &record) == 1) {
		char target[DNS_NAME_TEXT];

		if (record.section != DNS_ANSWER || record.type != DNS_TYPE_CNAME ||
		    strcmp(record.name, finder->place.name) != 0 ||
		    dns_record_name(message, &record, target) < 0)
			continue;
		memcpy(finder->place.name, target, sizeof(target));
		return true;
	}
	return false;
}

static void cname_answered(void *arg, struct dns_message *message, const struct err *err)
{
	struct place_finder *finder = arg;
	struct err words = {0};

	if (!is_answered(finder, finder->place.name, message, err))
		return;
	if (!read_cname(finder, message)) {
		begin_zone(finder);
	} else if (++finder->hops > HOPS_MAX) {
		err_set(&words, ERR_INVALID,
			"%.253s leads through more than %d CNAME records: do they run in a circle?",
			finder->config.name, HOPS_MAX);
		finish(finder, &words);
	} else {
		ask_cname(finder);
	}
}

static void ask_cname(struct place_finder *finder)
{
	ask(finder, finder->place.name, DNS_TYPE_CNAME, cname_answered);
}

/* ---- life ---- */

struct place_finder *place_find(const struct place_config *config)
{
	struct place_finder *finder = xcalloc(1, sizeof(*finder));

	finder->config = *config;
	finder->config.name = xstrdup(config->name);
	task_init(&finder->end, on_end);
	if (!dns_name_text(sv_from(config->name), finder->place.name)) {
		err_set(&finder->err, ERR_INVALID, "%.253s is no DNS name", config->name);
		task_defer(config->env->loop, &finder->end);
	} else if (config->follow) {
		ask_cname(finder);
	} else {
		begin_zone(finder);
	}
	return finder;
}

void place_cancel(struct place_finder *finder)
{
	if (finder == NULL)
		return;
	ask_cancel(finder->ask);
	task_cancel(&finder->end);
	free((char *)finder->config.name);
	free(finder);
}
