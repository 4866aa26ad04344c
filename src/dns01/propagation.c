/* dns01/propagation.c - does every server of the zone show the record? */
#include "dns01/look.h"

#include "base/own.h"
#include "dns01/ask.h"

#include <stdio.h>
#include <stdlib.h>

#define RECURSOR_MS 8000
#define SERVER_MS   6000
#define NAMES_MAX   16 /* NS records that are looked at */

enum verdict { VERDICT_NONE, VERDICT_SHOWS, VERDICT_LACKS, VERDICT_SILENT };

struct server {
	struct propagation *of;
	struct sock_addr addr;
	char label[256 + SOCK_ADDR_TEXT]; /* "ns1.example.com (192.0.2.1)" */
	struct ask *ask;
	enum verdict verdict;
	char why[120]; /* silent */
};

struct name_server {
	struct propagation *of;
	char name[256];
	struct dns_query *query;
};

struct propagation {
	struct propagation_config config;
	struct place place;
	char *value;
	struct ask *ask; /* for the NS records */
	struct task start, end;
	size_t name_count, looking; /* looking: names without their addresses yet */
	struct name_server names[NAMES_MAX];
	bool recursive; /* the servers are recursors */
	size_t count, asked;
	struct server servers[ASK_SERVERS_MAX];
	struct propagation_result result;
};

/* ---- the end ---- */

void propagation_cancel(struct propagation *propagation)
{
	if (propagation == NULL)
		return;
	ask_cancel(propagation->ask);
	for (size_t i = 0; i < propagation->name_count; i++)
		dns_cancel(propagation->names[i].query);
	for (size_t i = 0; i < propagation->count; i++)
		ask_cancel(propagation->servers[i].ask);
	task_cancel(&propagation->start);
	task_cancel(&propagation->end);
	free(propagation->value);
	free(propagation);
}

static void on_end(struct task *task)
{
	struct propagation *propagation = CONTAINER_OF(task, struct propagation, end);

	propagation->config.done(propagation->config.arg, &propagation->result);
	propagation_cancel(propagation);
}

static void finish(struct propagation *propagation)
{
	task_defer(propagation->config.env->loop, &propagation->end);
}

static void add_words(struct propagation_result *result, const char *before,
		      const struct server *server, const char *why)
{
	size_t used = strlen(result->words);

	snprintf(result->words + used, sizeof(result->words) - used, "%s%s%s%s%s",
		 used == 0 ? "" : ", ", before, server->label, why[0] == '\0' ? "" : ": ", why);
}

static void ask_recursors(struct propagation *propagation);

/* All have answered, or will not. */
static void conclude(struct propagation *propagation)
{
	struct propagation_result *result = &propagation->result;
	size_t shows = 0, lacks = 0;

	for (size_t i = 0; i < propagation->count; i++) {
		const struct server *server = &propagation->servers[i];

		shows += server->verdict == VERDICT_SHOWS;
		lacks += server->verdict == VERDICT_LACKS;
		if (server->verdict == VERDICT_LACKS)
			add_words(result, "", server, "the record is not there");
	}
	for (size_t i = 0; i < propagation->count; i++) {
		if (propagation->servers[i].verdict == VERDICT_SILENT)
			add_words(result, "no answer of ", &propagation->servers[i],
				  propagation->servers[i].why);
	}
	/* Port 53 may be closed to the outside here, and open to the CA. */
	if (shows + lacks == 0 && !propagation->recursive &&
	    propagation->config.server_count == 0) {
		result->words[0] = '\0';
		ask_recursors(propagation);
		return;
	}
	result->seen = shows > 0 && lacks == 0;
	finish(propagation);
}

/* ---- one server ---- */

static bool shows_value(const struct propagation *propagation, struct dns_message *message)
{
	struct dns_record record;

	while (dns_message_next(message, &record) == 1) {
		if (record.section == DNS_ANSWER && record.type == DNS_TYPE_TXT &&
		    dns_txt_is(record.data, sv_from(propagation->value)))
			return true;
	}
	return false;
}

static void server_answered(void *arg, struct dns_message *message, const struct err *err)
{
	struct server *server = arg;
	struct propagation *propagation = server->of;

	server->ask = NULL;
	server->verdict = VERDICT_SILENT;
	if (err->code != ERR_NONE)
		snprintf(server->why, sizeof(server->why), "%.100s", err->msg);
	else if (message->rcode != DNS_RCODE_OK && message->rcode != DNS_RCODE_NXDOMAIN)
		snprintf(server->why, sizeof(server->why), "%s", dns_rcode_text(message->rcode));
	else
		server->verdict = shows_value(propagation, message) ? VERDICT_SHOWS : VERDICT_LACKS;
	if (--propagation->asked == 0)
		conclude(propagation);
}

static void add_server(struct propagation *propagation, const char *name,
		       const struct sock_addr *addr)
{
	struct server *server;
	char text[SOCK_ADDR_TEXT];

	if (propagation->count == ASK_SERVERS_MAX)
		return;
	for (size_t i = 0; i < propagation->count; i++) {
		if (sock_addr_eq(&propagation->servers[i].addr, addr))
			return;
	}
	server = &propagation->servers[propagation->count++];
	*server = (struct server){.of = propagation, .addr = *addr};
	if (name == NULL) {
		sock_addr_text(addr, server->label);
	} else {
		sock_addr_ip_text(addr, text);
		snprintf(server->label, sizeof(server->label), "%s (%s)", name, text);
	}
}

static void ask_servers(struct propagation *propagation)
{
	const struct dns01_env *env = propagation->config.env;

	for (size_t i = 0; i < propagation->count; i++) {
		struct server *server = &propagation->servers[i];

		/* Recursors are the administrator's choice, not an object's. */
		if (!propagation->recursive && !dns01_may_dial(env, &server->addr)) {
			server->verdict = VERDICT_SILENT;
			snprintf(server->why, sizeof(server->why), "an address that is not asked");
			continue;
		}
		propagation->asked++;
		server->ask = ask_start(&(struct ask_config){.loop = env->loop,
							     .servers = &server->addr,
							     .count = 1,
							     .recursion = propagation->recursive,
							     .name = propagation->place.name,
							     .type = DNS_TYPE_TXT,
							     .timeout_ms = SERVER_MS,
							     .done = server_answered,
							     .arg = server});
	}
	if (propagation->asked == 0)
		conclude(propagation);
}

static void ask_recursors(struct propagation *propagation)
{
	struct sock_addr servers[ASK_SERVERS_MAX];
	size_t count = dns_servers(propagation->config.env->dns, servers, ASK_SERVERS_MAX);

	propagation->recursive = true;
	propagation->count = 0;
	for (size_t i = 0; i < count; i++)
		add_server(propagation, NULL, &servers[i]);
	ask_servers(propagation);
}

/* ---- the zone's servers ---- */

static void looked_up(void *arg, const struct dns_answer *answer)
{
	struct name_server *name = arg;
	struct propagation *propagation = name->of;

	name->query = NULL;
	for (size_t i = 0; answer->status == DNS_OK && i < answer->count; i++)
		add_server(propagation, name->name, &answer->addrs[i]);
	if (--propagation->looking == 0)
		ask_servers(propagation);
}

static void add_name(struct propagation *propagation, const char *name)
{
	struct name_server *server;

	if (propagation->name_count == NAMES_MAX || strlen(name) >= sizeof(server->name))
		return;
	server = &propagation->names[propagation->name_count++];
	server->of = propagation;
	memcpy(server->name, name, strlen(name) + 1);
}

static void servers_named(void *arg, struct dns_message *message, const struct err *err)
{
	struct propagation *propagation = arg;
	const struct dns01_env *env = propagation->config.env;
	struct dns_record record;
	char name[DNS_NAME_TEXT];

	propagation->ask = NULL;
	while (err->code == ERR_NONE && dns_message_next(message, &record) == 1) {
		if (record.section == DNS_ANSWER && record.type == DNS_TYPE_NS &&
		    strcmp(record.name, propagation->place.zone) == 0 &&
		    dns_record_name(message, &record, name) == 0)
			add_name(propagation, name);
	}
	propagation->looking = propagation->name_count;
	for (size_t i = 0; i < propagation->name_count; i++) {
		struct name_server *server = &propagation->names[i];

		server->query = dns_lookup(env->dns, sv_from(server->name), env->authority_port,
					   false, looked_up, server);
	}
	if (propagation->name_count == 0)
		ask_recursors(propagation);
}

static void ask_for_servers(struct propagation *propagation)
{
	const struct dns01_env *env = propagation->config.env;
	struct sock_addr servers[ASK_SERVERS_MAX];
	size_t count = dns_servers(env->dns, servers, ASK_SERVERS_MAX);

	if (count == 0) {
		ask_recursors(propagation);
		return;
	}
	propagation->ask = ask_start(&(struct ask_config){.loop = env->loop,
							  .servers = servers,
							  .count = count,
							  .recursion = true,
							  .name = propagation->place.zone,
							  .type = DNS_TYPE_NS,
							  .timeout_ms = RECURSOR_MS,
							  .done = servers_named,
							  .arg = propagation});
}

/* ---- life ---- */

static void on_start(struct task *task)
{
	struct propagation *propagation = CONTAINER_OF(task, struct propagation, start);

	if (propagation->count > 0)
		ask_servers(propagation);
	else if (propagation->place.zone[0] == '\0')
		ask_recursors(propagation);
	else
		ask_for_servers(propagation);
}

struct propagation *propagation_start(const struct propagation_config *config)
{
	struct propagation *propagation = xcalloc(1, sizeof(*propagation));

	propagation->config = *config;
	propagation->place = *config->place;
	propagation->value = sv_dup(config->value);
	for (size_t i = 0; i < config->server_count; i++)
		add_server(propagation, NULL, &config->servers[i]);
	task_init(&propagation->start, on_start);
	task_init(&propagation->end, on_end);
	task_defer(config->env->loop, &propagation->start);
	return propagation;
}
