/* controller/order.c - Order: what is stored says what comes next
 *
 * What the CA could not tell again is stored before the next request is sent: the intent, the
 * order's URL, the certificate; and the answers to challenges, since they are served from the
 * store. So an Order goes on after a kill where it stood. All that one answer of the CA leads to
 * is one transaction.
 */
#include "controller/order_run.h"

#include "acme/retry.h"
#include "base/own.h"
#include "controller/order_chain.h"
#include "controller/renewal.h"
#include "controller/selfcheck.h"

#include <stdlib.h>

#define LOOK_AGAIN_MS 60000 /* the wall clock may be set meanwhile */
#define POLL_MAX_MS   15000
#define STORE_LOOK_MS 1000 /* a result is on its way to the disk: the change is news before */
#define FETCHED_MS    20
#define FETCHES_MAX   8      /* that move a poll forward, between two signs of progress */
#define PLACE_MAX_MS  300000 /* an order that takes longer lets others go first */

static struct map *runs_of(struct controllers *ctl)
{
	return &((struct orders *)ctl->state[CTL_ORDER])->runs;
}

/* ---- what is stored ---- */

bool order_is_valid(const struct object *order)
{
	return sv_eq(json_sv_at(order->json, "status.state"), SV("valid")) &&
	       json_sv_at(order->json, "status.certificate").len > 0;
}

bool order_has_ended(const struct object *order)
{
	return order_is_valid(order) || json_at(order->json, "status.failureTime") != NULL;
}

json_t *order_authz(const json_t *status, size_t index)
{
	return json_array_get(json_member(status, "authorizations"), index);
}

void order_names(const struct order_look *look, struct acme_new_order *order,
		 struct name_list *names)
{
	const json_t *spec = json_member(look->object->json, "spec");

	name_list_from_spec(names, spec);
	*order = (struct acme_new_order){.dns = names->dns_views,
					 .dns_count = names->dns_count,
					 .ips = names->ip_views,
					 .ip_count = names->ip_count,
					 .profile = json_sv_at(spec, "profile"),
					 .replaces = json_sv_at(spec, "replaces")};
	if (json_bool_at(look->status, "withoutReplaces", false))
		order->replaces = SV_NONE;
}

/* ---- runs ---- */

static void use_changed(struct account_use *use, bool lost)
{
	struct order_run *run = CONTAINER_OF(use, struct order_run, use);

	if (lost) {
		run->call = NULL;
		order_side_lost(run);
	}
	ctl_queue(run->ctl, CTL_ORDER, sv_from(run->key));
}

static struct order_run *run_get(struct controllers *ctl, const struct object *order)
{
	struct str_view key = sv_from(order->key);
	struct order_run *run = map_get(runs_of(ctl), key);

	if (run != NULL)
		return run;
	run = xcalloc(1, sizeof(*run));
	run->ctl = ctl;
	run->key = sv_dup(key);
	run->use.changed = use_changed;
	run->asked_to_wait_ms = -1;
	run->inherited = json_at(order->json, "status.url") != NULL;
	(void)map_put(runs_of(ctl), key, run);
	return run;
}

static void run_free(void *value)
{
	struct order_run *run = value;

	if (run->call != NULL)
		acme_cancel(run->call);
	selfcheck_cancel(run->check);
	order_end_fetch(run);
	account_release(&run->use);
	json_decref(run->result);
	order_side_free(run);
	free(run->key);
	free(run);
}

static void run_end(struct controllers *ctl, struct str_view key)
{
	struct order_run *run = map_remove(runs_of(ctl), key);

	if (run != NULL)
		run_free(run);
}

void order_again(struct order_run *run, int64_t delay_ms)
{
	run->not_before = loop_now(run->ctl->config.loop) + delay_ms;
	if (delay_ms > 0)
		ctl_queue_in(run->ctl, CTL_ORDER, sv_from(run->key), delay_ms);
	else
		ctl_queue(run->ctl, CTL_ORDER, sv_from(run->key));
}

void order_progress(struct order_run *run)
{
	run->delay_ms = 0;
	run->polls = run->fetches = 0;
	run->waiting_since = 0;
	run->told = run->fetched = run->looked_late = false;
}

void order_poll_later(struct order_run *run, int64_t first_ms, int64_t retry_after_ms)
{
	int64_t now = loop_now(run->ctl->config.loop);

	if (run->waiting_since == 0)
		run->waiting_since = now;
	if (run->use.has_place && now - run->waiting_since > PLACE_MAX_MS)
		account_leave_place(&run->use);
	run->polls++;
	run->delay_ms = run->delay_ms == 0 ? first_ms : run->delay_ms * 2;
	if (run->delay_ms > POLL_MAX_MS)
		run->delay_ms = POLL_MAX_MS;
	run->told = retry_after_ms >= 0;
	order_again(run, run->told      ? retry_spread(retry_after_ms, random_u32())
			 : run->fetched ? FETCHED_MS
					: run->delay_ms);
	run->fetched = false;
}

/* ---- what was learned, and is to be stored ---- */

/* true: it is stored, or there is nothing to store. */
static bool store_result(struct order_run *run)
{
	const struct object *object;

	if (run->result == NULL)
		return true;
	object = store_get(run->ctl->config.store, sv_from(run->key));
	if (object == NULL || json_same(json_member(object->json, "status"), run->result)) {
		json_decref(TAKE(run->result));
		run->put = false;
		return true;
	}
	run->put = !run->put;
	if (run->put)
		ctl_put_status(run->ctl, CTL_ORDER, object, json_incref(run->result));
	else
		ctl_queue_in(run->ctl, CTL_ORDER, sv_from(run->key), STORE_LOOK_MS);
	return false;
}

/* What is told by the same answer is written in the same turn: the event, and the Challenges of
 * authorizations that were read. */
void order_learned(struct order_run *run, json_t *status)
{
	AUTO(order_look_end) struct order_look look = {0};

	json_decref(run->result);
	run->result = status;
	run->put = false;
	order_again(run, 0);
	if (!order_side_reading(run) && !store_result(run) && order_look_of(run, &look) &&
	    look.client != NULL)
		order_make_challenges(&look);
}

/* Must the next request wait until what is known is stored? Not once the CA has validated the
 * names: the order's URL is stored, and whoever is killed asks it again for the rest. */
static bool runs_ahead(const struct order_look *look)
{
	static const char *const ends[] = {"failureTime", "nextTryTime", "certificate"};
	struct str_view stored = json_sv_at(look->object->json, "status.url");
	enum order_status state;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		if (json_member(look->status, ends[i]) != NULL)
			return false;
	}
	return stored.len > 0 && sv_eq(stored, json_sv_at(look->status, "url")) &&
	       order_status_parse(json_sv_at(look->status, "state"), &state) &&
	       state != ORDER_PENDING && state != ORDER_INVALID;
}

/* ---- one look ---- */

bool order_look_of(struct order_run *run, struct order_look *look)
{
	*look = (struct order_look){.ctl = run->ctl, .run = run};
	look->object = store_get(run->ctl->config.store, sv_from(run->key));
	if (look->object == NULL)
		return false;
	look->status =
		run->result != NULL ? run->result : json_object_get(look->object->json, "status");
	json_incref(look->status);
	if (issuer_find(run->ctl, object_namespace(look->object),
			json_at(look->object->json, "spec.issuerRef"), &look->issuer) &&
	    issuer_type_of(look->issuer.object) == &issuer_acme)
		look->client = account_client(run->ctl, &look->issuer, &run->use);
	return true;
}

void order_look_end(struct order_look *look)
{
	json_decref(look->status);
	look->status = NULL;
}

json_t *order_status(const struct order_look *look)
{
	return look->status == NULL ? json_object() : json_deep_copy(look->status);
}

/* Is it time? Otherwise another look is arranged for. */
static bool is_due(const struct order_look *look)
{
	struct order_run *run = look->run;
	int64_t left = run->not_before - loop_now(run->ctl->config.loop);
	int64_t next;

	if (json_time_at(look->status, "nextTryTime", &next) && attempt_waits(next, ctl_now())) {
		account_leave_place(&run->use);
		left = wall_wait_ms(next, ctl_now(), LOOK_AGAIN_MS);
	}
	if (left <= 0)
		return true;
	ctl_queue_in(run->ctl, CTL_ORDER, sv_from(run->key), left);
	return false;
}

/* Certificates that expire sooner go first; those that have none yet go before all. */
static int64_t rank_of(const struct order_look *look)
{
	const struct object *request = owner_of_kind(look->ctl, look->object, kind_of_request());
	const struct object *cert =
		request == NULL ? NULL : owner_of_kind(look->ctl, request, kind_of_certificate());
	int64_t expires;

	if (cert == NULL || !json_time_at(cert->json, "status.notAfter", &expires))
		return 0;
	return expires;
}

static void follow(struct order_run *run)
{
	AUTO(order_look_end) struct order_look look = {0};
	bool stored;

	if (order_side_reading(run))
		return; /* what they say is stored together */
	order_side_store(run);
	stored = store_result(run);
	if (run->call != NULL || run->check != NULL || run->issuer_fetch != NULL ||
	    !order_look_of(run, &look) || look.client == NULL || (!stored && !runs_ahead(&look)) ||
	    !is_due(&look))
		return;
	run->use.rank = rank_of(&look);
	if (run->use.has_place || run->waiting_since != 0 ||
	    account_place(run->ctl, &look.issuer, &run->use))
		order_take_step(&look);
}

static void order_reconcile(struct controllers *ctl, struct str_view key)
{
	const struct object *order = store_get(ctl->config.store, key);

	if (sv_starts(key, SV("acme.cert-manager.io/challenges/"))) {
		/* its status was not stored: the Order will try again */
		if (order != NULL)
			queue_owner(ctl, CTL_ORDER, order, kind_of_order());
	} else if (order == NULL) {
		run_end(ctl, key);
	} else if (order_has_ended(order)) {
		struct order_look look = {.ctl = ctl, .object = order};

		run_end(ctl, key);
		order_drop_challenges(&look);
	} else {
		follow(run_get(ctl, order));
	}
}

void order_nudge(struct controllers *ctl, struct str_view order_key)
{
	struct order_run *run = map_get(runs_of(ctl), order_key);
	AUTO(order_look_end) struct order_look look = {0};
	json_t *status;

	if (run == NULL || order_side_reading(run) || run->call != NULL || run->check != NULL ||
	    run->issuer_fetch != NULL || run->result != NULL || !order_look_of(run, &look))
		return;
	status = order_status(&look);
	json_object_del(status, "nextTryTime");
	json_object_del(status, "retries");
	run->check_failures = 0;
	order_learned(run, status);
}

/* ---- what changes concern an Order ---- */

/* Every Order that has not ended waits for its issuer at some time. */
static void issuer_map(struct controllers *ctl, const struct object *before,
		       const struct object *after)
{
	const struct object *issuer = after != NULL ? after : before;
	struct str_view key;
	void *value;

	for (size_t it = 0; map_next(runs_of(ctl), &it, &key, &value);) {
		const struct object *order = store_get(ctl->config.store, key);

		if (order != NULL && sv_eq(json_sv_at(order->json, "spec.issuerRef.name"),
					   sv_from(object_name(issuer))))
			ctl_queue(ctl, CTL_ORDER, key);
	}
}

static void challenge_map(struct controllers *ctl, const struct object *before,
			  const struct object *after)
{
	queue_owner(ctl, CTL_ORDER, after != NULL ? after : before, kind_of_order());
}

/* ---- the CA has fetched a token of ours: it will know soon ---- */

struct fetched {
	struct controllers *ctl;
	struct str_view token;
};

static bool look_soon(void *arg, const struct object *challenge)
{
	const struct fetched *fetched = arg;
	const struct object *owner;
	struct order_run *run;

	if (!sv_eq(json_sv_at(challenge->json, "spec.token"), fetched->token))
		return true;
	owner = owner_of_kind(fetched->ctl, challenge, kind_of_order());
	run = owner == NULL ? NULL : map_get(runs_of(fetched->ctl), sv_from(owner->key));
	if (run == NULL || run->told || run->fetches++ >= FETCHES_MAX)
		return false;
	if (run->polls > 0 && run->call == NULL)
		order_again(run, FETCHED_MS);
	else
		run->fetched = true;
	return false;
}

void controllers_challenge_fetched(struct controllers *controllers, struct str_view token)
{
	struct fetched fetched = {.ctl = controllers, .token = token};

	store_each(controllers->config.store, SV("acme.cert-manager.io/challenges/"), look_soon,
		   &fetched);
}

/* ---- life ---- */

static int order_start(struct controllers *ctl, struct err *err)
{
	(void)err;
	ctl->state[CTL_ORDER] = xcalloc(1, sizeof(struct orders));
	return 0;
}

/* The clients of the accounts have ended, and the calls with them: CTL_ISSUER stops first. */
static void order_stop(struct controllers *ctl)
{
	map_deinit(runs_of(ctl), run_free);
	order_limits_stop(ctl);
	selfcheck_forget(ctl);
	free(ctl->state[CTL_ORDER]);
	ctl->state[CTL_ORDER] = NULL;
}

const struct ctl_row ctl_order = {
	.name = "order",
	.watches = {{.prefix = "acme.cert-manager.io/orders/"},
		    {.prefix = "acme.cert-manager.io/challenges/", .map = challenge_map},
		    {.prefix = "cert-manager.io/clusterissuers/", .map = issuer_map},
		    {.prefix = "cert-manager.io/issuers/", .map = issuer_map}},
	.reconcile = order_reconcile,
	.start = order_start,
	.stop = order_stop,
};
