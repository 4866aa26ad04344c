/* controller/dns01.c - DNS-01 (RFC 8555, section 8.4): TXT records, from where they belong to where
 * they are taken away
 *
 * A Challenge's status says how far it is: where the record belongs (record, stored before the
 * provider is asked), that it is there (presented), that the world sees it (propagated), that it is
 * to go (cleanUp). Every step may be taken twice, so a kill between them does no harm.
 */
#include "base/own.h"
#include "controller/account.h"
#include "controller/dns01_side.h"
#include "controller/selfcheck.h"
#include "dns01/ask.h"
#include "dns01/job.h"
#include "dns01/look.h"
#include "pki/jws.h"

#include <stdio.h>
#include <stdlib.h>

#define DNS_PORT         53
#define WRITE_LOOK_MS    5000 /* a status that was not stored by then is told anew */
#define PRESENT_FIRST_MS 3000 /* tries to present: then twice as long each, up to … */
#define PRESENT_LAST_MS  60000
#define PRESENT_MAX_MS   600000 /* then the Order fails */
#define CHECK_FIRST_MS   1000   /* looks at the zone's servers */
#define CHECK_LAST_MS    15000
#define PROPAGATION_MS   600000 /* propagationTimeout */
#define CLEAN_FIRST_MS   5000
#define CLEAN_TRIES      4

enum phase { PHASE_IDLE, PHASE_FINDING, PHASE_PRESENTING, PHASE_CHECKING, PHASE_CLEANING };

struct dns01 {           /* ctl->state[CTL_DNS01] */
	struct map runs; /* struct run, by store key of the Challenge */
	struct dns01_env env;
	struct dns01_counts counts;
};

struct run { /* what only memory knows of a Challenge */
	struct controllers *ctl;
	char *key;
	json_t *last; /* the Challenge as it was seen last */
	bool over;    /* the record is taken away, or was never made; the object is to go */
	bool ending;  /* it is to be taken away */
	bool orphan;  /* the object is gone */
	bool again;   /* it was deleted by somebody else, and stored again until it is cleaned up */
	enum phase phase;
	struct place_finder *finder;
	struct dns01_job *job;
	struct propagation *propagation;
	uint64_t written; /* revision that a write under way replaces; 0: none */
	int64_t written_at;
	int64_t since;      /* monotonic: this phase began; 0: not yet */
	int64_t not_before; /* monotonic */
	unsigned tries;     /* in this phase */
};

static struct dns01 *dns01_of(struct controllers *ctl)
{
	return ctl->state[CTL_DNS01];
}

static int64_t now_of(const struct run *run)
{
	return loop_now(run->ctl->config.loop);
}

/* ---- runs ---- */

static void stop_work(struct run *run)
{
	place_cancel(TAKE(run->finder));
	dns01_cancel(TAKE(run->job));
	propagation_cancel(TAKE(run->propagation));
	run->phase = PHASE_IDLE;
}

static void run_free(void *value)
{
	struct run *run = value;

	stop_work(run);
	json_decref(run->last);
	free(run->key);
	free(run);
}

static struct run *run_get(struct controllers *ctl, struct str_view key)
{
	struct map *runs = &dns01_of(ctl)->runs;
	struct run *run = map_get(runs, key);

	if (run != NULL)
		return run;
	run = xcalloc(1, sizeof(*run));
	run->ctl = ctl;
	run->key = sv_dup(key);
	(void)map_put(runs, key, run);
	return run;
}

static void run_end(struct run *run)
{
	run_free(map_remove(&dns01_of(run->ctl)->runs, sv_from(run->key)));
}

static const struct object *object_of(const struct run *run)
{
	return store_get(run->ctl->config.store, sv_from(run->key));
}

static void new_phase(struct run *run)
{
	run->since = 0;
	run->tries = 0;
	run->not_before = 0;
}

/* Looks again after a wait that grows from first to last. */
static void again_later(struct run *run, int64_t first, int64_t last)
{
	unsigned shift = run->tries < 16 ? run->tries : 16;
	int64_t delay = first << shift;

	delay = delay < last ? delay : last;
	delay += random_u32() % (uint32_t)(delay / 8 + 1);
	run->tries++;
	run->not_before = now_of(run) + delay;
	ctl_queue_in(run->ctl, CTL_DNS01, sv_from(run->key), delay);
}

/* ---- what is stored ---- */

/* Takes status. true: it is news, and what follows from it waits until it is stored. */
static bool put(struct run *run, const struct object *object, json_t *status)
{
	if (json_same(status, json_member(object->json, "status"))) {
		json_decref(status);
		return false;
	}
	run->written = object->revision;
	run->written_at = now_of(run);
	ctl_put_status(run->ctl, CTL_DNS01, object, status);
	ctl_queue_in(run->ctl, CTL_DNS01, sv_from(run->key), WRITE_LOOK_MS);
	return true;
}

static json_t *pending_status(const struct object *object, const char *reason)
{
	json_t *status = status_copy(object);

	json_object_set_new(status, "state", json_string("pending"));
	json_object_set_new(status, "processing", json_true());
	json_object_set_new(status, "reason", json_sv(sv_from(reason)));
	return status;
}

static void tell(struct run *run, const char *reason)
{
	const struct object *object = object_of(run);

	if (object != NULL)
		(void)put(run, object, pending_status(object, reason));
}

static void event(struct run *run, const char *reason, const char *words)
{
	const struct object *object = object_of(run);

	if (object != NULL)
		ctl_event(run->ctl, kind_of_challenge(), object, "Warning", reason, "%s", words);
}

/* The Order is to fail: it sees it, and says it. */
static void give_up(struct run *run, const char *type, const char *words)
{
	const struct object *object = object_of(run);
	json_t *status;

	if (object == NULL)
		return;
	status = pending_status(object, words);
	json_object_set_new(status, "failure", json_string(type));
	(void)put(run, object, status);
}

/* A failure that may pass; after a long time it is one that does not. */
static void try_again(struct run *run, const char *type, const char *words)
{
	event(run, type, words);
	if (run->since != 0 && now_of(run) - run->since > PRESENT_MAX_MS) {
		give_up(run, type, words);
		return;
	}
	again_later(run, PRESENT_FIRST_MS, PRESENT_LAST_MS);
	tell(run, words);
}

/* What was under way has ended. The Challenge; NULL: it is gone, and what follows is looked at
 * anew.
 */
static const struct object *work_ended(struct run *run)
{
	const struct object *object = object_of(run);

	run->finder = NULL;
	run->job = NULL;
	run->propagation = NULL;
	run->phase = PHASE_IDLE;
	if (object == NULL)
		ctl_queue(run->ctl, CTL_DNS01, sv_from(run->key));
	return object;
}

/* The same where a failure is tried again: NULL then as well. */
static const struct object *work_done(struct run *run, const char *type, const struct err *err)
{
	const struct object *object = work_ended(run);

	if (object == NULL || err->code == ERR_NONE)
		return object;
	try_again(run, type, err->msg);
	return NULL;
}

static const json_t *solver_of(const struct run *run)
{
	return json_at(run->last, "spec.solver.dns01");
}

static bool issuer_of(const struct run *run, struct issuer *issuer)
{
	return issuer_find(run->ctl, json_str_at(run->last, "metadata.namespace"),
			   json_at(run->last, "spec.issuerRef"), issuer);
}

/* ---- Secrets: of the issuer's namespace ---- */

static const struct object *secret_of(const struct run *run, const char *name, struct err *err)
{
	bool cluster = sv_eq(json_sv_at(run->last, "spec.issuerRef.kind"), SV("ClusterIssuer"));
	const char *ns = cluster ? CLUSTER_NAMESPACE : json_str_at(run->last, "metadata.namespace");
	const struct object *secret = ctl_get(run->ctl, kind_of_secret(), ns, name);

	if (secret == NULL)
		err_set(err, ERR_NOT_FOUND, "there is no Secret %.253s in namespace %s", name, ns);
	return secret;
}

static bool read_value(void *arg, const char *name, const char *key, struct buf *out,
		       struct err *err)
{
	const struct object *secret = secret_of(arg, name, err);

	if (secret_value(secret, key, out))
		return true;
	if (secret != NULL)
		err_set(err, ERR_NOT_FOUND, "Secret %.253s has no value \"%.253s\"", name, key);
	return false;
}

static json_t *read_names(void *arg, const char *name, struct err *err)
{
	const struct object *secret = secret_of(arg, name, err);
	json_t *list, *value;
	const char *key;

	if (secret == NULL)
		return NULL;
	list = json_array();
	json_object_foreach((json_t *)json_member(secret->json, "data"), key, value)
		json_array_append_new(list, json_string(key));
	return list;
}

/* ---- the provider ---- */

/* For scripts that want to make the value themselves; empty while the account is not at hand. */
static void key_authorization(const struct run *run, struct buf *out)
{
	struct issuer issuer;
	struct account *account;

	if (!issuer_of(run, &issuer) || issuer_type_of(issuer.object) != &issuer_acme)
		return;
	account = account_get(run->ctl, sv_from(issuer.object->key));
	if (account->pkey != NULL)
		(void)jws_key_authorization(account->pkey, json_sv_at(run->last, "spec.token"), out,
					    NULL);
}

static void start_job(struct run *run, enum dns01_action action, dns01_done_fn *done)
{
	AUTO(secret_deinit) struct buf authorization;

	buf_init(&authorization, 2048);
	key_authorization(run, &authorization);
	run->job = dns01_start(&(struct dns01_config){
		.env = &dns01_of(run->ctl)->env,
		.action = action,
		.dns01 = solver_of(run),
		.record = {.name = json_str_at(run->last, "status.record.name"),
			   .zone = json_str_at(run->last, "status.record.zone"),
			   .value = json_str_at(run->last, "spec.key"),
			   .dns_name = json_str_at(run->last, "spec.dnsName"),
			   .token = json_str_at(run->last, "spec.token"),
			   .key_authorization = buf_cstr(&authorization)},
		.secrets = {.value = read_value, .names = read_names, .arg = run},
		.done = done,
		.arg = run});
}

static void presented(void *arg, const struct err *err)
{
	struct run *run = arg;
	const struct object *object;
	json_t *status;

	dns01_count(&dns01_of(run->ctl)->counts, solver_of(run), DNS01_PRESENT,
		    err->code == ERR_NONE);
	object = work_done(run, "PresentError", err);
	if (object == NULL)
		return;
	new_phase(run);
	status = pending_status(object, "the TXT record is made; waiting until the servers of its "
					"zone show it");
	json_object_set_new(status, "presented", json_true());
	(void)put(run, object, status);
}

static void present(struct run *run)
{
	if (run->since == 0)
		run->since = now_of(run);
	run->phase = PHASE_PRESENTING;
	start_job(run, DNS01_PRESENT, presented);
}

/* ---- where it belongs ---- */

static void place_found(void *arg, const struct place *place, const struct err *err)
{
	struct run *run = arg;
	const struct object *object = work_done(run, "PresentError", err);
	json_t *status;

	if (object == NULL)
		return;
	new_phase(run);
	status = pending_status(object, "the TXT record is being made");
	json_object_set_new(status, "record", dns01_place_json(place));
	(void)put(run, object, status);
}

/* What the CA will see: at the end of the CNAMEs, whatever the strategy. */
static void lookup_found(void *arg, const struct place *place, const struct err *err)
{
	struct run *run = arg;
	const struct object *object = work_done(run, "PropagationError", err);
	json_t *status;

	if (object == NULL)
		return;
	status = status_copy(object);
	json_object_set_new(status, "lookup", dns01_place_json(place));
	(void)put(run, object, status);
}

static bool is_literal(const struct run *run)
{
	return sv_eq(json_sv_at(solver_of(run), "cnameStrategy"), SV("None"));
}

static void find(struct run *run, bool follow, place_done_fn *done)
{
	AUTO(auto_free)
	char *name = xasprintf("_acme-challenge.%s", json_str_at(run->last, "spec.dnsName"));

	if (run->since == 0)
		run->since = now_of(run);
	run->phase = PHASE_FINDING;
	run->finder = place_find(&(struct place_config){.env = &dns01_of(run->ctl)->env,
							.name = name,
							.follow = follow,
							.done = done,
							.arg = run});
}

/* ---- does the world see it? ---- */

static void seen(struct run *run, const char *note)
{
	const struct object *object = object_of(run);
	json_t *status;

	if (object == NULL)
		return;
	status = pending_status(object, note);
	json_object_set_new(status, "propagated", json_true());
	(void)put(run, object, status);
}

static int64_t duration_at(const json_t *value, const char *path, int64_t fallback)
{
	struct str_view text = json_sv_at(value, path);
	int64_t ms;

	return text.len > 0 && clock_parse_duration(text, &ms) ? ms : fallback;
}

static enum selfcheck_mode mode_of(const struct run *run)
{
	struct issuer issuer;

	return issuer_of(run, &issuer) ? selfcheck_mode_of(issuer.object) : SELFCHECK_ENFORCE;
}

static void not_seen(struct run *run, const char *words)
{
	int64_t limit = duration_at(solver_of(run), "propagationTimeout", PROPAGATION_MS);
	char reason[LOOK_WORDS_MAX + 200];

	snprintf(reason, sizeof(reason), "%s is not shown by all servers of its zone yet: %s",
		 json_str_at(run->last, "status.record.name"), words);
	if (now_of(run) - run->since <= limit) {
		again_later(run, CHECK_FIRST_MS, CHECK_LAST_MS);
		tell(run, reason);
		return;
	}
	dns01_of(run->ctl)->counts.late++;
	event(run, "PropagationTimeout", reason);
	if (mode_of(run) == SELFCHECK_WARN)
		seen(run, reason);
	else
		give_up(run, "PropagationTimeout", reason);
}

static void checked(void *arg, const struct propagation_result *result)
{
	struct run *run = arg;

	if (work_ended(run) == NULL)
		return;
	if (result->seen)
		seen(run, result->words);
	else
		not_seen(run, result->words);
}

static size_t own_servers(const struct run *run, struct sock_addr servers[ASK_SERVERS_MAX])
{
	const json_t *list = json_member(solver_of(run), "nameservers");
	size_t count = 0, i;
	json_t *text;

	json_array_foreach(list, i, text)
	{
		if (count < ASK_SERVERS_MAX &&
		    sock_addr_parse(&servers[count],
				    sv_new(json_string_value(text), json_string_length(text)),
				    DNS_PORT))
			count++;
	}
	return count;
}

static void copy_text(const json_t *value, const char *path, char *out, size_t size)
{
	const char *text = json_str_at(value, path);

	snprintf(out, size, "%s", text == NULL ? "" : text);
}

static void start_check(struct run *run)
{
	const json_t *where =
		json_at(run->last, is_literal(run) ? "status.lookup" : "status.record");
	struct sock_addr servers[ASK_SERVERS_MAX];
	struct place place;

	copy_text(where, "name", place.name, sizeof(place.name));
	copy_text(where, "zone", place.zone, sizeof(place.zone));
	run->phase = PHASE_CHECKING;
	run->propagation = propagation_start(
		&(struct propagation_config){.env = &dns01_of(run->ctl)->env,
					     .place = &place,
					     .value = json_sv_at(run->last, "spec.key"),
					     .servers = servers,
					     .server_count = own_servers(run, servers),
					     .done = checked,
					     .arg = run});
}

static void check(struct run *run)
{
	int64_t wait = duration_at(run->last, "spec.solver.waitInsteadOfSelfCheck", 0);

	if (run->since == 0)
		run->since = now_of(run);
	if (wait > 0 && now_of(run) - run->since < wait) {
		run->not_before = run->since + wait;
		ctl_queue_in(run->ctl, CTL_DNS01, sv_from(run->key), wait);
	} else if (wait > 0 || mode_of(run) == SELFCHECK_OFF) {
		seen(run, "");
	} else if (is_literal(run) && json_at(run->last, "status.lookup") == NULL) {
		find(run, true, lookup_found);
	} else {
		start_check(run);
	}
}

/* ---- taken away ---- */

static void end_object(struct run *run)
{
	const struct object *object = object_of(run);

	if (object == NULL) {
		run_end(run);
		return;
	}
	run->over = true;
	run->written = object->revision;
	run->written_at = now_of(run);
	ctl_delete_object(run->ctl, object);
	ctl_queue_in(run->ctl, CTL_DNS01, sv_from(run->key), WRITE_LOOK_MS);
}

static void cleaned(void *arg, const struct err *err)
{
	struct run *run = arg;
	char words[ERR_MSG_MAX + 200];

	run->job = NULL;
	run->phase = PHASE_IDLE;
	dns01_count(&dns01_of(run->ctl)->counts, solver_of(run), DNS01_CLEAN_UP,
		    err->code == ERR_NONE);
	if (err->code != ERR_NONE && run->tries + 1 < CLEAN_TRIES) {
		again_later(run, CLEAN_FIRST_MS, PRESENT_LAST_MS);
		return;
	}
	if (err->code != ERR_NONE) {
		snprintf(words, sizeof(words),
			 "the TXT record of %s could not be taken away and is left behind: %s",
			 json_str_at(run->last, "status.record.name"), err->msg);
		event(run, "CleanUpError", words);
	}
	end_object(run);
}

static void clean_up(struct run *run)
{
	if (run->over || json_at(run->last, "status.record") == NULL) {
		end_object(run);
		return;
	}
	if (run->phase != PHASE_IDLE)
		stop_work(run);
	run->phase = PHASE_CLEANING;
	start_job(run, DNS01_CLEAN_UP, cleaned);
}

/* ---- which step ---- */

/* Is it time? Otherwise another look is arranged for. */
static bool is_due(struct run *run)
{
	int64_t left = run->not_before - now_of(run);

	if (left > 0)
		ctl_queue_in(run->ctl, CTL_DNS01, sv_from(run->key), left);
	return left <= 0;
}

static bool is_written(struct run *run, const struct object *object)
{
	if (run->written != object->revision || now_of(run) - run->written_at >= WRITE_LOOK_MS)
		run->written = 0;
	return run->written == 0;
}

static void take_step(struct run *run)
{
	const char *state = json_str_at(run->last, "status.state");

	if ((state != NULL && strcmp(state, "pending") != 0) ||
	    json_at(run->last, "status.failure") != NULL)
		return;
	if (json_at(run->last, "status.record") == NULL)
		find(run, !is_literal(run), place_found);
	else if (!json_bool_at(run->last, "status.presented", false))
		present(run);
	else if (!json_bool_at(run->last, "status.propagated", false))
		check(run);
}

/* Deleted by somebody else: it comes back until what was presented is taken away, which a kill
 * must not forget. When it cannot, memory knows enough. */
static void without_object(struct run *run)
{
	if (run->over) {
		run_end(run);
		return;
	}
	if (!run->again && json_at(run->last, "status.record") != NULL) {
		run->again = true;
		put_object(&(struct wake){run->ctl, CTL_DNS01, run->key}, kind_of_challenge(), NULL,
			   dns01_left_behind(run->last));
		return;
	}
	if (!run->orphan)
		new_phase(run);
	run->orphan = true;
	if (run->phase != PHASE_CLEANING && is_due(run))
		clean_up(run);
}

static void dns01_reconcile(struct controllers *ctl, struct str_view key)
{
	const struct object *object = store_get(ctl->config.store, key);
	struct run *run;
	bool over;

	if (object == NULL) {
		run = map_get(&dns01_of(ctl)->runs, key);
		if (run != NULL)
			without_object(run);
		return;
	}
	if (!sv_eq(json_sv_at(object->json, "spec.type"), SV("DNS-01")))
		return;
	run = run_get(ctl, key);
	over = json_bool_at(object->json, "status.cleanUp", false) ||
	       owner_of_kind(ctl, object, kind_of_order()) == NULL;
	if (over && !run->ending)
		new_phase(run);
	run->ending = over;
	json_decref(run->last);
	run->last = json_incref(object->json);
	if (!is_written(run, object) || run->phase == PHASE_CLEANING || !is_due(run))
		return;
	if (over)
		clean_up(run);
	else if (run->phase == PHASE_IDLE)
		take_step(run);
}

/* ---- a Secret that was put right: what waits for the next try tries now ---- */

static void secret_map(struct controllers *ctl, const struct object *before,
		       const struct object *after)
{
	const char *name = object_name(after != NULL ? after : before);
	struct str_view key;
	void *value;

	for (size_t it = 0; map_next(&dns01_of(ctl)->runs, &it, &key, &value);) {
		struct run *run = value;

		if (run->phase != PHASE_IDLE || run->not_before == 0 ||
		    !dns01_names_secret(solver_of(run), name))
			continue;
		run->not_before = 0;
		ctl_queue(ctl, CTL_DNS01, key);
	}
}

/* ---- life ---- */

static int dns01_start_all(struct controllers *ctl, struct err *err)
{
	const struct controllers_config *config = &ctl->config;
	struct dns01 *dns01 = xcalloc(1, sizeof(*dns01));

	(void)err;
	dns01->env = (struct dns01_env){
		.loop = config->loop,
		.dns = config->dns,
		.fetcher = config->fetcher,
		.may_dial = config->rules == NULL ? NULL : rules_may_dial,
		.rules = config->rules,
		.authority_port = config->authority_port == 0 ? DNS_PORT : config->authority_port,
		.hooks = config->hooks,
		.own_hooks = config->own_hooks};
	ctl->state[CTL_DNS01] = dns01;
	return 0;
}

static void dns01_stop_all(struct controllers *ctl)
{
	map_deinit(&dns01_of(ctl)->runs, run_free);
	free(ctl->state[CTL_DNS01]);
	ctl->state[CTL_DNS01] = NULL;
}

static void dns01_metrics(struct controllers *ctl, struct buf *out)
{
	dns01_counts_metrics(&dns01_of(ctl)->counts, dns01_of(ctl)->runs.count, out);
}

const struct ctl_row ctl_dns01 = {
	.name = "dns01",
	.watches = {{.prefix = "acme.cert-manager.io/challenges/"},
		    {.prefix = "core/secrets/", .map = secret_map}},
	.reconcile = dns01_reconcile,
	.start = dns01_start_all,
	.stop = dns01_stop_all,
	.metrics = dns01_metrics,
};
