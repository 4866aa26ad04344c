#include "dns01/ask.h"

#include "base/own.h"
#include "dns01/dialogue.h"

#include <stdlib.h>
#include <sys/random.h>

struct ask {
	struct ask_config config;
	struct sock_addr servers[ASK_SERVERS_MAX];
	size_t at; /* the server that is asked */
	char name[DNS_NAME_TEXT];
	struct dialogue *dialogue;
};

/* One question, ours, echoed; and the rest can be read. */
static bool is_answer(void *arg, struct str_view answer, struct err *err)
{
	struct ask *ask = arg;
	struct dns_message message;
	struct dns_record question;

	if (dns_message_open(&message, answer) == 0 && message.counts[DNS_QUESTION] == 1 &&
	    dns_message_next(&message, &question) == 1 && question.type == ask->config.type &&
	    question.class == DNS_CLASS_IN && strcmp(question.name, ask->name) == 0 &&
	    dns_message_check(&message) == 0)
		return true;
	err_set(err, ERR_PROTOCOL, "its answer is malformed or to another question");
	return false;
}

static void begin(struct ask *ask);

static void answered(void *arg, struct str_view answer, const struct err *err)
{
	struct ask *ask = arg;
	struct ask_config config = ask->config;
	struct dns_message message = {.rcode = DNS_RCODE_SERVFAIL};
	bool usable;

	ask->dialogue = NULL;
	if (err->code == ERR_NONE)
		(void)dns_message_open(&message, answer);
	usable = message.rcode == DNS_RCODE_OK || message.rcode == DNS_RCODE_NXDOMAIN;
	if (!usable && ask->at + 1 < config.count) {
		ask->at++;
		begin(ask);
		return;
	}
	free(ask);
	config.done(config.arg, &message, err);
}

static void begin(struct ask *ask)
{
	struct dns_head head = {.opcode = DNS_OPCODE_QUERY, .recursion = ask->config.recursion};
	struct buf message;

	(void)!getrandom(&head.id, sizeof(head.id), 0);
	buf_init(&message, 512);
	dns_write_head(&message, &head);
	dns_write_record(&message, DNS_QUESTION,
			 &(struct dns_record_spec){.name = sv_from(ask->name),
						   .type = ask->config.type,
						   .class = DNS_CLASS_IN});
	ask->dialogue =
		dialogue_start(&(struct dialogue_config){.loop = ask->config.loop,
							 .server = ask->servers[ask->at],
							 .message = buf_view(&message),
							 .timeout_ms = ask->config.timeout_ms,
							 .is_answer = is_answer,
							 .done = answered,
							 .arg = ask});
	buf_deinit(&message);
}

struct ask *ask_start(const struct ask_config *config)
{
	struct ask *ask = xcalloc(1, sizeof(*ask));

	ask->config = *config;
	memcpy(ask->servers, config->servers, config->count * sizeof(ask->servers[0]));
	memcpy(ask->name, config->name, strlen(config->name) + 1);
	ask->config.name = ask->name;
	begin(ask);
	return ask;
}

void ask_cancel(struct ask *ask)
{
	if (ask == NULL)
		return;
	dialogue_cancel(ask->dialogue);
	free(ask);
}
