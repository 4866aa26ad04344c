#include "controller/alert.h"

#include "base/log.h"
#include "base/map.h"
#include "base/metric.h"
#include "base/own.h"
#include "controller/issuance.h"
#include "dns01/hook.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BATCH_MS   10000              /* what happens together is told together */
#define GAP_S      300                /* between two messages */
#define GAP_MAX_S  3600               /* when they cannot be delivered */
#define REPEAT_S   INT64_C(86400)     /* of a certificate that stays concerned */
#define LOOK_MS    INT64_C(600000)    /* for the repetitions */
#define LISTED_MAX 100                /* certificates in a message */
#define NAMES_MAX  10                 /* of a certificate in a message */
#define TEXT_MAX   (size_t)(96 << 10) /* an environment variable holds 128 KiB */
#define TIMEOUT_MS 60000

struct told { /* of a certificate */
	char level[16];
	int64_t at; /* 0: could not be delivered */
};

enum way { WAY_HOOK, WAY_WEBHOOK, WAY_COUNT };

struct alerts { /* ctl->state[CTL_ALERT] */
	struct controllers *ctl;
	struct map told; /* by the store key of a Certificate */
	struct hook *hook;
	struct fetch *fetch;
	int64_t last;      /* message; 0: none yet */
	unsigned failures; /* in a row */
	uint64_t sent[WAY_COUNT], failed[WAY_COUNT];
};

static struct alerts *alerts_of(struct controllers *ctl)
{
	return ctl->state[CTL_ALERT];
}

static bool is_wanted(const struct controllers *ctl)
{
	return ctl->config.alert_hook != NULL || ctl->config.alert_webhook != NULL;
}

void alert_changed(struct controllers *ctl)
{
	if (is_wanted(ctl))
		ctl_queue_in(ctl, CTL_ALERT, SV(""), BATCH_MS);
}

/* ---- the message ---- */

struct message {
	struct alerts *alerts;
	int64_t now;
	json_t *list, *resolved;
	size_t more;
	const char *worst; /* level */
};

static int rank(const char *level)
{
	static const char *const levels[] = {"late", "soon", "expired"};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (strcmp(levels[i], level) == 0)
			return (int)i + 1;
	}
	return 0;
}

static const char *level_of(const struct object *cert)
{
	static const struct {
		const char *reason, *level;
	} words[] = {{"Late", "late"}, {"Soon", "soon"}, {"Expired", "expired"}};
	const char *reason = condition_text(cert, ALARM_CONDITION, "reason");

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i].reason, reason) == 0)
			return words[i].level;
	}
	return "late";
}

static json_t *names_of(const struct object *cert)
{
	json_t *names = json_array(), *name;
	size_t i;

	json_array_foreach(json_at(cert->json, "spec.dnsNames"), i, name)
	{
		if (i < NAMES_MAX)
			json_array_append(names, name);
	}
	return names;
}

static json_t *entry_of(const struct object *cert, const char *level)
{
	const json_t *status = json_object_get(cert->json, "status");
	json_t *entry =
		json_pack("{s:s, s:s, s:s, s:o, s:s}", "namespace", object_namespace(cert), "name",
			  object_name(cert), "level", level, "names", names_of(cert), "message",
			  condition_text(cert, ALARM_CONDITION, "message"));

	json_object_set(entry, "notAfter", json_object_get(status, "notAfter"));
	json_object_set(entry, "renewalTime", json_object_get(status, "renewalTime"));
	return entry;
}

static bool is_news(const struct message *message, const struct told *told, const char *level)
{
	return told == NULL || told->at == 0 || rank(level) > rank(told->level) ||
	       message->now - told->at >= REPEAT_S || told->at > message->now;
}

static void note_told(struct message *message, const char *key, const char *level)
{
	struct map *all = &message->alerts->told;
	struct told *told = map_get(all, sv_from(key));

	if (told == NULL) {
		told = xcalloc(1, sizeof(*told));
		(void)map_put(all, sv_from(key), told);
	}
	snprintf(told->level, sizeof(told->level), "%s", level);
	told->at = message->now;
}

static bool take_certificate(void *arg, const struct object *cert)
{
	struct message *message = arg;
	const char *level;

	if (!condition_is_true(cert->json, ALARM_CONDITION))
		return true;
	level = level_of(cert);
	if (!is_news(message, map_get(&message->alerts->told, sv_from(cert->key)), level))
		return true;
	note_told(message, cert->key, level);
	if (rank(level) > rank(message->worst))
		message->worst = level;
	if (json_array_size(message->list) < LISTED_MAX)
		json_array_append_new(message->list, entry_of(cert, level));
	else
		message->more++;
	return true;
}

static void take_resolved(struct message *message)
{
	struct alerts *alerts = message->alerts;
	struct str_view key;
	void *value;

	for (size_t it = 0; map_next(&alerts->told, &it, &key, &value);) {
		const struct object *cert = store_get(alerts->ctl->config.store, key);

		if (cert != NULL && condition_is_true(cert->json, ALARM_CONDITION))
			continue;
		if (cert != NULL && json_array_size(message->resolved) < LISTED_MAX)
			json_array_append_new(message->resolved,
					      json_pack("{s:s, s:s}", "namespace",
							object_namespace(cert), "name",
							object_name(cert)));
		free(map_remove(&alerts->told, key));
	}
}

/* NULL: nothing is new. */
static char *message_text(struct message *message)
{
	AUTO(auto_json) json_t *all = NULL;
	char host[256] = "", when[CLOCK_TEXT_SIZE];
	AUTO(auto_free) char *text = NULL;

	(void)gethostname(host, sizeof(host) - 1);
	clock_rfc3339(message->now, when);
	store_each(message->alerts->ctl->config.store, SV("cert-manager.io/certificates/"),
		   take_certificate, message);
	take_resolved(message);
	if (json_array_size(message->list) + json_array_size(message->resolved) == 0)
		return NULL;
	all = json_pack("{s:s, s:s, s:s, s:O, s:O, s:I}", "host", host, "time", when, "level",
			message->worst[0] == '\0' ? "resolved" : message->worst, "certificates",
			message->list, "resolved", message->resolved, "more",
			(json_int_t)message->more);
	text = json_dumps(all, JSON_COMPACT);
	while (text != NULL && strlen(text) > TEXT_MAX && json_array_size(message->list) > 1) {
		json_array_remove(message->list, json_array_size(message->list) - 1);
		json_object_set_new(all, "more", json_integer((json_int_t)++message->more));
		free(text);
		text = json_dumps(all, JSON_COMPACT);
	}
	return TAKE(text);
}

/* ---- ways ---- */

static int64_t gap_of(const struct alerts *alerts)
{
	int64_t gap = GAP_S << (alerts->failures < 4 ? alerts->failures : 4);

	return gap < GAP_MAX_S ? gap : GAP_MAX_S;
}

/* Nobody has heard of it: it is news again. */
static void not_delivered(struct alerts *alerts)
{
	struct str_view key;
	void *value;

	alerts->failures++;
	for (size_t it = 0; map_next(&alerts->told, &it, &key, &value);) {
		struct told *told = value;

		if (told->at == alerts->last)
			told->at = 0;
	}
}

static void ended(struct alerts *alerts, enum way way, bool fine, const char *why)
{
	if (fine) {
		alerts->sent[way]++;
		alerts->failures = 0;
	} else {
		alerts->failed[way]++;
		log_warn("controller", "the alert could not be delivered by %s: %s",
			 way == WAY_HOOK ? "the hook" : "the webhook", why);
		not_delivered(alerts);
	}
	ctl_queue_in(alerts->ctl, CTL_ALERT, SV(""), gap_of(alerts) * 1000);
}

static void hook_ended(void *arg, const struct hook_result *result)
{
	struct alerts *alerts = arg;

	alerts->hook = NULL;
	ended(alerts, WAY_HOOK, result->fine, result->why);
}

static void run_hook(struct alerts *alerts, const char *text, const struct message *message)
{
	const struct controllers_config *config = &alerts->ctl->config;
	const char *level = message->worst[0] == '\0' ? "resolved" : message->worst;
	AUTO(auto_free) char *json = xasprintf("SALLYPORT_ALERT=%s", text);
	AUTO(auto_free) char *worst = xasprintf("SALLYPORT_ALERT_LEVEL=%s", level);
	const char *env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			     "LANG=C.UTF-8",
			     "HOME=/",
			     json,
			     worst,
			     NULL};
	AUTO(auto_free) char *path = NULL;
	struct err err = {0};

	if (config->alert_hook == NULL || alerts->hook != NULL)
		return;
	path = config->hooks == NULL ? NULL
				     : hook_path(config->hooks, sv_from(config->alert_hook),
						 config->own_hooks, true, &err);
	if (path == NULL) {
		ended(alerts, WAY_HOOK, false,
		      config->hooks == NULL ? "this daemon runs no scripts: see --hooks-dir"
					    : err.msg);
		return;
	}
	alerts->hook = hook_start(&(struct hook_config){.loop = config->loop,
							.argv = (const char *const[]){path, NULL},
							.env = env,
							.timeout_ms = TIMEOUT_MS,
							.done = hook_ended,
							.arg = alerts});
}

static void webhook_ended(void *arg, const struct fetch_answer *answer)
{
	struct alerts *alerts = arg;
	char why[320];

	alerts->fetch = NULL;
	snprintf(why, sizeof(why), "%s", answer->why);
	if (answer->failure == FETCH_FINE)
		snprintf(why, sizeof(why), "HTTP %ld", answer->status);
	ended(alerts, WAY_WEBHOOK,
	      answer->failure == FETCH_FINE && answer->status >= 200 && answer->status < 300, why);
}

static void call_webhook(struct alerts *alerts, const char *text)
{
	const struct controllers_config *config = &alerts->ctl->config;

	if (config->alert_webhook == NULL || alerts->fetch != NULL)
		return;
	alerts->fetch = fetch_start(config->fetcher,
				    &(struct fetch_request){.method = "POST",
							    .url = config->alert_webhook,
							    .content_type = "application/json",
							    .body = sv_from(text),
							    .timeout_ms = TIMEOUT_MS},
				    webhook_ended, alerts);
}

/* ---- when ---- */

static void send_message(struct alerts *alerts, int64_t now)
{
	AUTO(auto_json) json_t *list = json_array();
	AUTO(auto_json) json_t *resolved = json_array();
	struct message message = {
		.alerts = alerts, .now = now, .list = list, .resolved = resolved, .worst = ""};
	AUTO(auto_free) char *text = message_text(&message);

	if (text == NULL)
		return;
	alerts->last = now;
	call_webhook(alerts, text);
	run_hook(alerts, text, &message);
}

static void alert_reconcile(struct controllers *ctl, struct str_view key)
{
	struct alerts *alerts = alerts_of(ctl);
	int64_t now = ctl_now(), wait = alerts->last + gap_of(alerts) - now;

	if (!is_wanted(ctl) || alerts->hook != NULL || alerts->fetch != NULL)
		return; /* comes again when they have ended */
	if (alerts->last == 0 || wait <= 0 || wait > GAP_MAX_S)
		send_message(alerts, now);
	else
		ctl_queue_in(ctl, CTL_ALERT, key, wait * 1000);
	ctl_queue_in(ctl, CTL_ALERT, key, LOOK_MS);
}

/* ---- life ---- */

static void alert_metrics(struct controllers *ctl, struct buf *out)
{
	static const char name[] = "sallyport_alerts_total";
	const struct alerts *alerts = alerts_of(ctl);

	metric_head(out, name, "counter", "Alerts by the way they took and how that ended.");
	for (unsigned way = 0; way < WAY_COUNT; way++) {
		const char *word = way == WAY_HOOK ? "hook" : "webhook";
		AUTO(auto_free)
		char *sent = xasprintf("way=\"%s\",result=\"sent\"", word);
		AUTO(auto_free)
		char *failed = xasprintf("way=\"%s\",result=\"failed\"", word);

		metric_sample(out, name, sent, (double)alerts->sent[way]);
		metric_sample(out, name, failed, (double)alerts->failed[way]);
	}
}

static int alert_start(struct controllers *ctl, struct err *err)
{
	struct alerts *alerts = xcalloc(1, sizeof(*alerts));

	(void)err;
	alerts->ctl = ctl;
	map_init(&alerts->told);
	ctl->state[CTL_ALERT] = alerts;
	alert_changed(ctl);
	return 0;
}

static void alert_stop(struct controllers *ctl)
{
	struct alerts *alerts = alerts_of(ctl);

	hook_cancel(alerts->hook);
	if (alerts->fetch != NULL)
		fetch_cancel(alerts->fetch);
	map_deinit(&alerts->told, free);
	free(alerts);
	ctl->state[CTL_ALERT] = NULL;
}

const struct ctl_row ctl_alert = {
	.name = "alert",
	.reconcile = alert_reconcile,
	.start = alert_start,
	.stop = alert_stop,
	.metrics = alert_metrics,
};
