/* controller/certificate.c - Certificate: is it Ready, and when is it to be renewed? */
#include "controller/certificate.h"

#include "base/map.h"
#include "base/metric.h"
#include "base/own.h"
#include "controller/certificate_issuer.h"
#include "controller/issuer.h"
#include "controller/renewal.h"
#include "controller/spread.h"

#include <stdlib.h>

#define TICK_MS    30000
#define SOON_S     INT64_C(60) /* what is due within this time has a timer of its own */
#define METRIC_MAX 10000       /* certificates with a metric of their own */

struct certificates { /* ctl->state[CTL_CERTIFICATE] */
	struct controllers *ctl;
	struct map runs;    /* struct cert_run, by store key */
	struct map blocked; /* unsigned, by the store key of an issuer */
	struct spread *spread;
	json_t *by_secret; /* {"namespace/secret": {"store key of a Certificate": true}} */
	struct timer tick;
	int64_t seen;       /* the latest wall time since the last tick */
	unsigned questions; /* about renewal, under way */
};

static struct certificates *certificates_of(struct controllers *ctl)
{
	return ctl->state[CTL_CERTIFICATE];
}

/* ---- when to look again ---- */

void certificate_look_at(struct cert_look *look, int64_t due)
{
	struct cert_run *run = look->run;

	if (run->due == 0 || due < run->due)
		run->due = due;
	if (due - look->now <= SOON_S)
		ctl_queue_in(look->ctl, CTL_CERTIFICATE, sv_from(run->key),
			     wall_wait_ms(due, look->now, SOON_S * 1000));
}

/* The wall clock is looked at every half minute: it may have been set, or the host have slept. */
static void tick(struct timer *timer)
{
	struct certificates *all = CONTAINER_OF(timer, struct certificates, tick);
	int64_t now = ctl_now();
	struct str_view key;
	void *value;
	bool set_back = now < all->seen; /* then what is due is to be told anew */

	for (size_t it = 0; map_next(&all->runs, &it, &key, &value);) {
		const struct cert_run *run = value;

		if (run->due != 0 && (set_back || run->due - now <= SOON_S))
			ctl_queue_in(all->ctl, CTL_CERTIFICATE, key,
				     set_back ? 1 : wall_wait_ms(run->due, now, SOON_S * 1000));
	}
	all->seen = now;
	timer_in(all->ctl->config.loop, &all->tick, TICK_MS);
}

/* ---- side by side with the others ---- */

static void plan_drop(struct cert_run *run)
{
	if (run->planned != 0)
		spread_remove(certificates_of(run->ctl)->spread, run->planned, run->period);
	run->planned = 0;
}

int64_t certificate_plan(struct cert_look *look, int64_t latest, uint64_t bits)
{
	plan_drop(look->run);
	return spread_pick(certificates_of(look->ctl)->spread,
			   latest - renewal_leeway(look->not_before, look->not_after, latest),
			   latest, bits);
}

static void plan_put(struct cert_run *run, int64_t when, int64_t not_before)
{
	plan_drop(run);
	run->planned = when;
	run->period = when - not_before;
	spread_add(certificates_of(run->ctl)->spread, run->planned, run->period);
}

int64_t certificate_plan_within(struct cert_run *run, int64_t earliest, int64_t latest)
{
	uint64_t random = (uint64_t)random_u32() << 32 | random_u32();
	int64_t when;

	plan_drop(run);
	when = spread_within(certificates_of(run->ctl)->spread, earliest, latest, random);
	plan_put(run, when, run->facts.not_before);
	return when;
}

void certificate_planned(struct cert_look *look)
{
	if (look->run->planned != look->renewal)
		plan_put(look->run, look->renewal, look->not_before);
}

static void unblock(struct cert_run *run)
{
	struct map *blocked = &certificates_of(run->ctl)->blocked;
	unsigned *count;

	if (run->blocked_on == NULL)
		return;
	count = map_get(blocked, sv_from(run->blocked_on));
	if (--*count == 0)
		free(map_remove(blocked, sv_from(run->blocked_on)));
	free(TAKE(run->blocked_on));
}

void certificate_blocked(struct cert_look *look, const struct object *issuer)
{
	struct map *blocked = &certificates_of(look->ctl)->blocked;
	struct cert_run *run = look->run;
	unsigned *count;

	if (issuer != NULL && run->blocked_on != NULL && strcmp(run->blocked_on, issuer->key) == 0)
		return;
	unblock(run);
	if (issuer == NULL)
		return;
	run->blocked_on = xstrdup(issuer->key);
	count = map_get(blocked, sv_from(issuer->key));
	if (count == NULL) {
		count = xcalloc(1, sizeof(*count));
		(void)map_put(blocked, sv_from(issuer->key), count);
	}
	++*count;
}

static unsigned blocked_at(const struct cert_look *look)
{
	struct issuer issuer;
	const unsigned *count = NULL;

	if (issuer_find(look->ctl, object_namespace(look->cert),
			json_member(look->spec, "issuerRef"), &issuer))
		count = map_get(&certificates_of(look->ctl)->blocked, sv_from(issuer.object->key));
	return count == NULL ? 0 : *count;
}

/* Renewals that are due begin side by side; those with the least time left first. */
static bool may_begin(struct cert_look *look)
{
	struct spread_due what = {.due = look->renewal,
				  .deadline = look->deadline > look->now ? look->deadline
									 : look->not_after,
				  .expiry = look->not_after,
				  .blocked = blocked_at(look)};

	if (spread_begin(certificates_of(look->ctl)->spread, &what, look->now))
		return true;
	certificate_look_at(look, look->now + spread_wait(&what, look->now, random_u32()));
	return false;
}

/* ---- one look ---- */

static struct cert_run *run_get(struct controllers *ctl, struct str_view key)
{
	struct certificates *all = certificates_of(ctl);
	struct cert_run *run = map_get(&all->runs, key);

	if (run != NULL)
		return run;
	run = xcalloc(1, sizeof(*run));
	run->ctl = ctl;
	run->key = sv_dup(key);
	run->ari.in_flight = &all->questions;
	(void)map_put(&all->runs, key, run);
	return run;
}

static void run_free(void *value)
{
	struct cert_run *run = value;

	certificate_forget_attempt(run);
	plan_drop(run);
	unblock(run);
	certificate_forget_ari(run);
	certificate_forget_revocation(run);
	free(run->facts.ari_id);
	free(run->facts.words);
	free(run->key);
	free(run);
}

static void set_time(json_t *status, const char *name, bool known, int64_t wall)
{
	if (known)
		json_object_set_new(status, name, json_time(wall));
	else
		json_object_del(status, name);
}

static void set_ready(struct cert_look *look)
{
	set_time(look->status, "notBefore", look->dated, look->not_before);
	set_time(look->status, "notAfter", look->dated, look->not_after);
	set_time(look->status, "renewalTime", look->dated, look->renewal);
	if (look->reason == NULL)
		json_object_set_new(look->status, "secretResourceVersion",
				    json_fmt("%llu", (unsigned long long)look->secret->revision));
	else
		json_object_del(look->status, "secretResourceVersion");
	if (look->reason == NULL)
		status_condition(look->status, look->cert, "Ready", COND_TRUE, "Ready",
				 "Certificate is up to date and has not expired");
	else
		status_condition(look->status, look->cert, "Ready", COND_FALSE, look->reason, "%s",
				 look->words);
}

/* The words of a failed attempt stay beside the reason until the next one. */
static void set_failed_words(struct cert_look *look)
{
	const char *words = json_str_at(
		condition_find(json_member(look->status, "conditions"), "Issuing"), "message");

	if (look->reason != NULL && words != NULL &&
	    json_int_at(look->status, "failedIssuanceAttempts", 0) > 0)
		status_condition(look->status, look->cert, "Ready", COND_FALSE, look->reason,
				 "%s: %s", look->words, words);
}

static bool spec_has_changed(const struct cert_look *look)
{
	const json_t *issuing =
		condition_find(json_at(look->cert->json, "status.conditions"), "Issuing");

	return issuing != NULL &&
	       json_int_at(issuing, "observedGeneration", 0) != object_generation(look->cert);
}

/* What was in the way of the last attempt may have been put right there. */
static bool issuer_has_changed(const struct cert_look *look)
{
	struct str_view tried = json_sv_at(look->status, "triedWith");
	AUTO(auto_free) char *print = certificate_issuers_print(look);

	return tried.len > 0 && !sv_eq(tried, sv_from(print));
}

/* After a failure an attempt waits, unless the spec or that of an issuer has changed meanwhile. */
static bool must_wait(struct cert_look *look)
{
	int64_t next;

	if (!json_time_at(look->status, "nextAttemptTime", &next))
		return false;
	if (spec_has_changed(look) || issuer_has_changed(look)) {
		certificate_forget_failures(look);
		return false;
	}
	if (!attempt_waits(next, look->now))
		return false;
	certificate_look_at(look, next);
	return true;
}

/* Somebody asked for a certificate although this one would do, and the attempt has failed. */
static bool is_owed(const struct cert_look *look)
{
	return look->reason == NULL && json_int_at(look->status, "failedIssuanceAttempts", 0) > 0 &&
	       !spec_has_changed(look);
}

enum occasion { OCCASION_NONE, OCCASION_DUE, OCCASION_OWED, OCCASION_REASON };

static enum occasion occasion_of(const struct cert_look *look)
{
	if (look->reason == NULL && look->renewal <= look->now)
		return OCCASION_DUE;
	if (is_owed(look))
		return OCCASION_OWED;
	return look->reason != NULL ? OCCASION_REASON : OCCASION_NONE;
}

static void tell_renewing(struct cert_look *look)
{
	char when[CLOCK_TEXT_SIZE];
	const char *url;

	clock_rfc3339(look->renewal, when);
	if (certificate_renews_by_ari(look, &url))
		status_condition(look->status, look->cert, "Issuing", COND_TRUE, "Renewing",
				 "Renewing certificate as the CA wants it renewed at %s%s%s", when,
				 url == NULL ? "" : ": ", url == NULL ? "" : url);
	else
		status_condition(look->status, look->cert, "Issuing", COND_TRUE, "Renewing",
				 "Renewing certificate as renewal was scheduled at %s", when);
}

static void consider(struct cert_look *look)
{
	enum occasion occasion = occasion_of(look);

	if (occasion == OCCASION_NONE) {
		certificate_look_at(look, look->renewal);
		certificate_ask_ari(look);
		return;
	}
	if (look->duplicate || must_wait(look) ||
	    (occasion == OCCASION_DUE && !look->at_once && !may_begin(look)))
		return;
	if (occasion == OCCASION_DUE)
		tell_renewing(look);
	else if (occasion == OCCASION_OWED)
		status_condition(look->status, look->cert, "Issuing", COND_TRUE, "Retrying",
				 "Issuing certificate as the last attempt failed");
	else
		status_condition(look->status, look->cert, "Issuing", COND_TRUE, look->reason, "%s",
				 look->words);
}

static void certificate_reconcile(struct controllers *ctl, struct str_view key)
{
	const struct object *cert = store_get(ctl->config.store, key);
	struct cert_look look = {.ctl = ctl, .cert = cert, .now = ctl_now()};
	bool issuing;

	if (cert == NULL) {
		struct cert_run *run = map_remove(&certificates_of(ctl)->runs, key);

		if (run != NULL)
			run_free(run);
		return;
	}
	look.run = run_get(ctl, key);
	look.run->due = 0;
	if (look.now > certificates_of(ctl)->seen)
		certificates_of(ctl)->seen = look.now;
	look.spec = json_member(cert->json, "spec");
	look.status = status_copy(cert);
	certificate_take_ari(&look);
	certificate_take_revocation(&look);
	certificate_check(&look);
	certificate_apply_ari(&look);
	certificate_revoke(&look);
	set_ready(&look);
	if (look.dated && look.not_after > look.now)
		certificate_look_at(&look, look.not_after);
	issuing = certificate_is_issuing(&look);
	if (!issuing)
		consider(&look);
	if (certificate_is_issuing(&look))
		certificate_issue(&look);
	if (!certificate_is_issuing(&look)) {
		certificate_blocked(&look, NULL);
		set_failed_words(&look);
	}
	certificate_alarm(&look);
	if (!issuing && json_same(look.status, json_member(cert->json, "status"))) {
		certificate_drop_note(&look);
		certificate_clean_up(&look);
		certificate_sync_template(&look);
	}
	ctl_put_status(ctl, CTL_CERTIFICATE, cert, look.status);
}

/* ---- what changes concern a Certificate ---- */

static char *secret_id(const char *ns, const char *name)
{
	return xasprintf("%s/%s", ns, name);
}

static void index_certificate(struct controllers *ctl, const struct object *cert, bool there)
{
	const char *name = json_str_at(cert->json, "spec.secretName");
	json_t *by_secret = certificates_of(ctl)->by_secret;
	AUTO(auto_free) char *id = NULL;
	json_t *users;

	if (name == NULL)
		return;
	id = secret_id(object_namespace(cert), name);
	users = json_object_get(by_secret, id);
	if (there && users == NULL) {
		users = json_object();
		json_object_set_new(by_secret, id, users);
	}
	if (there)
		json_object_set_new(users, cert->key, json_true());
	else if (users != NULL)
		json_object_del(users, cert->key);
	if (users != NULL && json_object_size(users) == 0)
		json_object_del(by_secret, id);
}

static void queue_users(struct controllers *ctl, const char *ns, const char *secret)
{
	AUTO(auto_free) char *id = secret_id(ns, secret);
	json_t *users = json_object_get(certificates_of(ctl)->by_secret, id);
	const char *key;
	json_t *value;

	json_object_foreach(users, key, value)
	{
		ctl_queue(ctl, CTL_CERTIFICATE, sv_from(key));
	}
}

static void certificate_map(struct controllers *ctl, const struct object *before,
			    const struct object *after)
{
	if (before != NULL)
		index_certificate(ctl, before, false);
	if (after != NULL)
		index_certificate(ctl, after, true);
	ctl_queue(ctl, CTL_CERTIFICATE, sv_from(after != NULL ? after->key : before->key));
	/* Another Certificate may have waited for the Secret of this one. */
	if (before != NULL &&
	    (after == NULL || object_generation(before) != object_generation(after)))
		queue_users(ctl, object_namespace(before),
			    json_str_at(before->json, "spec.secretName"));
}

static void secret_map(struct controllers *ctl, const struct object *before,
		       const struct object *after)
{
	const struct object *secret = after != NULL ? after : before;

	queue_owner(ctl, CTL_CERTIFICATE, secret, kind_of_certificate());
	queue_users(ctl, object_namespace(secret), object_name(secret));
}

static void request_map(struct controllers *ctl, const struct object *before,
			const struct object *after)
{
	queue_owner(ctl, CTL_CERTIFICATE, after != NULL ? after : before, kind_of_certificate());
}

/* Those that wait after a failure look whether it is about this issuer. */
static void issuer_map(struct controllers *ctl, const struct object *before,
		       const struct object *after)
{
	struct str_view key;
	void *run;

	if (before != NULL && after != NULL &&
	    object_generation(before) == object_generation(after))
		return;
	for (size_t it = 0; map_next(&certificates_of(ctl)->runs, &it, &key, &run);) {
		const struct object *cert = store_get(ctl->config.store, key);

		if (cert != NULL && json_at(cert->json, "status.nextAttemptTime") != NULL)
			ctl_queue(ctl, CTL_CERTIFICATE, key);
	}
}

/* ---- metrics ---- */

struct counted {
	struct buf *out;
	size_t ready, issuing, failed, not_ready, shown;
};

static bool count(void *arg, const struct object *cert)
{
	struct counted *counted = arg;

	if (condition_is_true(cert->json, "Issuing"))
		counted->issuing++;
	else if (json_int_at(cert->json, "status.failedIssuanceAttempts", 0) > 0)
		counted->failed++;
	if (condition_is_true(cert->json, "Ready"))
		counted->ready++;
	else
		counted->not_ready++;
	return true;
}

static bool show_expiry(void *arg, const struct object *cert)
{
	struct counted *counted = arg;
	struct buf labels;
	int64_t not_after;

	if (!json_time_at(cert->json, "status.notAfter", &not_after))
		return true;
	buf_init(&labels, 2048);
	metric_label(&labels, "namespace", sv_from(object_namespace(cert)));
	metric_label(&labels, "name", sv_from(object_name(cert)));
	metric_sample(counted->out, "sallyport_certificate_expiry_seconds", buf_cstr(&labels),
		      (double)(not_after - ctl_now()));
	buf_deinit(&labels);
	return ++counted->shown < METRIC_MAX;
}

static void certificate_metrics(struct controllers *ctl, struct buf *out)
{
	static const char prefix[] = "cert-manager.io/certificates/";
	static const char name[] = "sallyport_certificates";
	struct counted counted = {.out = out};

	store_each(ctl->config.store, sv_from(prefix), count, &counted);
	metric_head(out, name, "gauge", "Certificates by state.");
	metric_sample(out, name, "state=\"ready\"", (double)counted.ready);
	metric_sample(out, name, "state=\"not_ready\"", (double)counted.not_ready);
	metric_sample(out, name, "state=\"issuing\"", (double)counted.issuing);
	metric_sample(out, name, "state=\"failed\"", (double)counted.failed);
	metric_head(out, "sallyport_certificate_expiry_seconds", "gauge",
		    "Seconds until the certificate expires.");
	store_each(ctl->config.store, sv_from(prefix), show_expiry, &counted);
}

/* ---- life ---- */

static int certificate_start(struct controllers *ctl, struct err *err)
{
	struct certificates *all = xcalloc(1, sizeof(*all));

	(void)err;
	all->ctl = ctl;
	all->by_secret = json_object();
	map_init(&all->runs);
	map_init(&all->blocked);
	all->spread = spread_new();
	timer_init(&all->tick, tick);
	timer_in(ctl->config.loop, &all->tick, TICK_MS);
	ctl->state[CTL_CERTIFICATE] = all;
	return 0;
}

static void certificate_stop(struct controllers *ctl)
{
	struct certificates *all = certificates_of(ctl);

	timer_stop(ctl->config.loop, &all->tick);
	map_deinit(&all->runs, run_free);
	map_deinit(&all->blocked, free);
	spread_free(all->spread);
	json_decref(all->by_secret);
	free(all);
	ctl->state[CTL_CERTIFICATE] = NULL;
}

const struct ctl_row ctl_certificate = {
	.name = "certificate",
	.watches = {{.prefix = "cert-manager.io/certificates/", .map = certificate_map},
		    {.prefix = "core/secrets/", .map = secret_map},
		    {.prefix = "cert-manager.io/certificaterequests/", .map = request_map},
		    {.prefix = "cert-manager.io/clusterissuers/", .map = issuer_map},
		    {.prefix = "cert-manager.io/issuers/", .map = issuer_map}},
	.reconcile = certificate_reconcile,
	.start = certificate_start,
	.stop = certificate_stop,
	.metrics = certificate_metrics,
};
