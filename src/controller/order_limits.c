/* controller/order_limits.c - what was counted of each ACME issuer (limits.h), kept over restarts
 * in a ConfigMap beside the issuer's Secrets
 *
 * It is written a moment after a change, many changes at once: what a kill takes with it the CA
 * still knows.
 */
#include "controller/limits.h"
#include "controller/order_run.h"

#include "base/own.h"

#include <stdlib.h>

#define NOTE_LIMITS "sallyport.dev/acme-limits"
#define WRITE_MS    2000

struct ledger { /* of one issuer */
	struct controllers *ctl;
	char *issuer; /* store key */
	struct limits *limits;
	struct timer later;
	bool writing, changed;
};

static struct map *ledgers_of(struct controllers *ctl)
{
	return &((struct orders *)ctl->state[CTL_ORDER])->ledgers;
}

static const struct kind *kind_of_map(void)
{
	return kind_by_plural(SV(""), SV("configmaps"));
}

static char *map_name(const struct issuer *issuer)
{
	return derived_name(object_name(issuer->object),
			    issuer->kind->namespaced ? "-issuer-acme-limits" : "-acme-limits");
}

/* ---- kept ---- */

static void write_later(struct ledger *ledger)
{
	ledger->changed = true;
	if (!ledger->writing && !timer_armed(&ledger->later))
		timer_in(ledger->ctl->config.loop, &ledger->later, WRITE_MS);
}

struct written {
	struct controllers *ctl;
	char issuer[];
};

static void written(void *arg, const struct object *object, const struct err *err)
{
	struct written *done = arg;
	struct ledger *ledger = err->code == ERR_GONE
					? NULL
					: map_get(ledgers_of(done->ctl), sv_from(done->issuer));

	(void)object;
	if (ledger != NULL) {
		ledger->writing = false;
		if (ledger->changed || err->code != ERR_NONE)
			write_later(ledger);
	}
	free(done);
}

static bool issuer_by_key(struct controllers *ctl, const char *key, struct issuer *issuer)
{
	bool cluster = sv_starts(sv_from(key), SV("cert-manager.io/clusterissuers/"));

	issuer->object = store_get(ctl->config.store, sv_from(key));
	issuer->kind = kind_by_plural(SV("cert-manager.io"),
				      cluster ? SV("clusterissuers") : SV("issuers"));
	return issuer->object != NULL;
}

static void write_now(struct timer *timer)
{
	struct ledger *ledger = CONTAINER_OF(timer, struct ledger, later);
	struct written *done;
	struct issuer issuer;
	const struct object *old;
	AUTO(auto_free) char *name = NULL, *text = NULL;
	AUTO(auto_json) json_t *dump = NULL;
	json_t *body;

	if (!issuer_by_key(ledger->ctl, ledger->issuer, &issuer))
		return;
	name = map_name(&issuer);
	old = ctl_get(ledger->ctl, kind_of_map(), issuer_namespace(&issuer), name);
	dump = limits_dump(ledger->limits, ctl_now());
	text = json_dumps(dump, JSON_COMPACT | JSON_SORT_KEYS);
	body = old != NULL ? json_deep_copy(old->json)
			   : body_new(kind_of_map(), issuer_namespace(&issuer), name, issuer.kind,
				      issuer.object);
	json_object_set_new(body, "data", json_pack("{s:s}", "counted.json", text));
	done = xcalloc(1, sizeof(*done) + strlen(ledger->issuer) + 1);
	done->ctl = ledger->ctl;
	memcpy(done->issuer, ledger->issuer, strlen(ledger->issuer));
	ledger->writing = true;
	ledger->changed = false;
	ctl_put_object(ledger->ctl, kind_of_map(), old, body, written, done);
}

static void load(struct ledger *ledger, const struct issuer *issuer)
{
	AUTO(auto_free) char *name = map_name(issuer);
	const struct object *kept =
		ctl_get(ledger->ctl, kind_of_map(), issuer_namespace(issuer), name);
	const json_t *text =
		kept == NULL ? NULL : json_member(json_member(kept->json, "data"), "counted.json");
	AUTO(auto_json)
	json_t *dump = text == NULL ? NULL
				    : json_parse_answer(sv_new(json_string_value(text),
							       json_string_length(text)),
							NULL);

	if (json_is_object(dump))
		limits_load(ledger->limits, dump);
}

static struct ledger *ledger_of(struct controllers *ctl, const struct issuer *issuer)
{
	struct str_view key = sv_from(issuer->object->key);
	struct ledger *ledger = map_get(ledgers_of(ctl), key);

	if (ledger != NULL)
		return ledger;
	ledger = xcalloc(1, sizeof(*ledger));
	ledger->ctl = ctl;
	ledger->issuer = sv_dup(key);
	ledger->limits = limits_new();
	timer_init(&ledger->later, write_now);
	load(ledger, issuer);
	(void)map_put(ledgers_of(ctl), key, ledger);
	return ledger;
}

static void ledger_free(void *value)
{
	struct ledger *ledger = value;

	timer_stop(ledger->ctl->config.loop, &ledger->later);
	limits_free(ledger->limits);
	free(ledger->issuer);
	free(ledger);
}

void order_limits_stop(struct controllers *ctl)
{
	map_deinit(ledgers_of(ctl), ledger_free);
}

/* ---- asked and counted ---- */

static bool rules_of(const struct order_look *look, struct limits_rules *rules)
{
	struct err err = {0};

	if (limits_rules_for(json_sv_at(look->issuer.object->json, "spec.acme.server"),
			     note_of(look->issuer.object, NOTE_LIMITS), rules, &err) == 0)
		return true;
	ctl_event(look->ctl, look->issuer.kind, look->issuer.object, "Warning", "BadConfig",
		  "annotation " NOTE_LIMITS ": %s", err.msg);
	return false;
}

static bool any_rule(const struct limits_rules *rules)
{
	return rules->orders.count + rules->domain.count + rules->duplicates.count +
		       rules->failures.count >
	       0;
}

static struct limits_names names_of(const struct acme_new_order *order)
{
	return (struct limits_names){
		.dns = order->dns, .count = order->dns_count, .replaces = order->replaces.len > 0};
}

bool order_within_limits(struct order_look *look, const struct acme_new_order *order)
{
	struct limits_names names = names_of(order);
	int64_t now = ctl_now(), at;
	struct limits_rules rules;
	struct err err = {0};

	if (!rules_of(look, &rules) || !any_rule(&rules))
		return true;
	at = limits_wait(ledger_of(look->ctl, &look->issuer)->limits, &rules, &names, now, &err);
	if (at <= now)
		return true;
	order_back_off(look, "rateLimited", err.msg, (at - now) * 1000);
	return false;
}

void order_count(struct order_look *look, enum order_counted what)
{
	struct acme_new_order order;
	struct limits_rules rules;
	struct limits_names names;
	struct name_list list;
	struct ledger *ledger;

	if (look->issuer.object == NULL || !rules_of(look, &rules) || !any_rule(&rules))
		return;
	ledger = ledger_of(look->ctl, &look->issuer);
	order_names(look, &order, &list);
	names = names_of(&order);
	if (what == ORDER_COUNT_MADE)
		limits_ordered(ledger->limits, &names, ctl_now());
	else
		limits_issued(ledger->limits, &names, ctl_now());
	name_list_deinit(&list);
	write_later(ledger);
}

void order_count_failure(struct order_look *look, struct str_view name)
{
	struct limits_rules rules;
	struct ledger *ledger;

	if (look->issuer.object == NULL || !rules_of(look, &rules) || !any_rule(&rules))
		return;
	ledger = ledger_of(look->ctl, &look->issuer);
	limits_failed(ledger->limits, name, ctl_now());
	write_later(ledger);
}
