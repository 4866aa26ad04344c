/* controller/certificate_ari.c - when the CA wants a certificate renewed (RFC 9773)
 *
 * The window, the moment chosen in it and the time of the next question are kept in the status, so
 * that a restart changes none of them. Nothing waits for an answer: without one the certificate's
 * lifetime decides.
 */
#include "controller/certificate.h"

#include "acme/renewal_info.h"
#include "base/own.h"
#include "controller/certificate_issuer.h"
#include "controller/renewal.h"

#include <stdlib.h>

#define IN_FLIGHT_MAX 4               /* questions to all CAs together */
#define BUSY_LOOK_S   2               /* when so many are under way */
#define FAR_S         INT64_C(172800) /* a time further off was written by a wrong clock */
#define FAILED_S      INT64_C(600)    /* after the first failure; doubling */
#define FAILED_MAX_S  INT64_C(21600)

bool certificate_issuer(struct cert_look *look, struct issuer *issuer)
{
	const char *name = look->secret == NULL ? NULL : note_of(look->secret, NOTE_ISSUER_NAME);
	const char *kind = look->secret == NULL ? NULL : note_of(look->secret, NOTE_ISSUER_KIND);
	AUTO(auto_json) json_t *ref = NULL;

	if (name == NULL)
		return false;
	ref = json_pack("{s:s, s:s}", "name", name, "kind", kind == NULL ? "Issuer" : kind);
	return issuer_find(look->ctl, object_namespace(look->cert), ref, issuer) &&
	       issuer_type_of(issuer->object) == &issuer_acme;
}

/* The issuer of the certificate, when it is asked for renewal information. */
static bool is_offered(struct cert_look *look, struct issuer *issuer)
{
	return certificate_issuer(look, issuer) &&
	       !sv_eq(json_sv_at(issuer->object->json, "spec.acme.renewalInformationSource"),
		      SV("None")) &&
	       json_bool_at(issuer->object->json, "status.acme.directory.renewalInfo", false);
}

static char *certificate_ari_id(const struct object *secret)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(secret_deinit) struct buf crt = {0};
	char *copy = NULL;
	struct buf id;

	buf_init(&id, 256);
	if (secret_value(secret, "tls.crt", &crt) &&
	    chain_from_pem(buf_view(&crt), &chain, NULL) == 0 && chain.count > 0 &&
	    cert_ari_id(chain.certs[0], &id, NULL) == 0)
		copy = sv_dup(buf_view(&id));
	buf_deinit(&id);
	return copy;
}

/* ---- what is known ---- */

static json_t *info_of(const struct cert_look *look)
{
	return json_object_get(look->status, "renewalInfo");
}

/* After a restart the status is believed for the Secret that it speaks of. */
static bool is_about(const struct cert_look *look, const json_t *info)
{
	const struct pair_facts *facts = &look->run->facts;

	return info != NULL &&
	       (!facts->parsed || sv_eq(json_sv_at(info, "certificateID"), sv_from(facts->ari_id)));
}

static bool has_wish(const json_t *spec)
{
	return json_member(spec, "renewBefore") != NULL ||
	       json_member(spec, "renewBeforePercentage") != NULL;
}

void certificate_take_ari(struct cert_look *look)
{
	struct cert_run *run = look->run;

	if (run->ari.result == NULL)
		return;
	json_object_set_new(look->status, "renewalInfo", TAKE(run->ari.result));
	if (run->facts.secret_revision != 0 && !run->facts.parsed)
		run->facts.noted_generation = -1; /* what was noted of the renewal is old */
}

void certificate_apply_ari(struct cert_look *look)
{
	const json_t *info = info_of(look);
	int64_t selected;

	if (!look->dated || !is_about(look, info) || !json_time_at(info, "selectedTime", &selected))
		return;
	/* What the user wants earlier is done earlier. */
	if (look->run->facts.parsed && (!has_wish(look->spec) || selected < look->renewal))
		look->renewal = selected;
	if (selected != look->renewal)
		return;
	look->at_once = json_int_at(info, "pastWindows", 0) > 0;
	(void)json_time_at(info, "windowEnd", &look->deadline);
	certificate_planned(look);
}

bool certificate_renews_by_ari(const struct cert_look *look, const char **url)
{
	const json_t *info = info_of(look);
	int64_t selected;

	*url = json_str_at(info, "explanationURL");
	return is_about(look, info) && json_time_at(info, "selectedTime", &selected) &&
	       selected == look->renewal;
}

/* ---- an answer ---- */

static void set_time(json_t *info, const char *name, int64_t wall)
{
	json_object_set_new(info, name, json_time(wall));
}

/* The moment in what is left of a new window: a notice may come to thousands of certificates, and
 * in the midst of its window. One in the past is a notice to renew now; when the CA says so of the
 * next certificate too, that one waits longer. */
static void choose(json_t *info, struct cert_run *run, const struct acme_renewal_window *window,
		   int64_t now)
{
	int64_t end = renewal_latest(run->facts.not_before, run->facts.not_after);
	int64_t past = json_int_at(info, "pastWindows", 0);
	int64_t begin = window->start > now ? window->start : now;

	end = window->end < end ? window->end : end;
	if (window->end > now) {
		json_object_del(info, "pastWindows");
		if (begin > end)
			begin = end > now ? end : now;
		set_time(info, "selectedTime", certificate_plan_within(run, begin, end));
		return;
	}
	json_object_set_new(info, "pastWindows", json_integer(past + 1));
	set_time(info, "selectedTime",
		 past == 0 ? now : now + attempt_delay(past + 1, random_u32()));
}

static bool is_same_window(const json_t *info, const struct acme_renewal_window *window,
			   int64_t now)
{
	int64_t start, end, selected;

	if (!json_time_at(info, "windowStart", &start) || !json_time_at(info, "windowEnd", &end) ||
	    !json_time_at(info, "selectedTime", &selected))
		return false;
	/* All of it in the past, as before: a notice is acted on once. */
	return (start == window->start && end == window->end) ||
	       (window->end <= now && json_int_at(info, "pastWindows", 0) > 0);
}

static void take_window(struct cert_run *run, json_t *info,
			const struct acme_renewal_window *window, int64_t now)
{
	const struct object *cert = store_get(run->ctl->config.store, sv_from(run->key));
	bool same = !run->ari.other && is_same_window(info, window, now);
	char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];

	set_time(info, "windowStart", window->start);
	set_time(info, "windowEnd", window->end);
	if (window->url[0] != '\0')
		json_object_set_new(info, "explanationURL", json_string(window->url));
	else
		json_object_del(info, "explanationURL");
	if (same)
		return;
	choose(info, run, window, now);
	clock_rfc3339(window->start, from);
	clock_rfc3339(window->end, to);
	if (cert != NULL)
		ctl_event(run->ctl, kind_of_certificate(), cert, "Normal", "RenewalInfo",
			  "the CA wants it renewed between %s and %s%s%s", from, to,
			  window->url[0] == '\0' ? "" : ": ", window->url);
}

static void drop_window(json_t *info)
{
	static const char *const members[] = {"windowStart", "windowEnd", "selectedTime",
					      "explanationURL"};

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		json_object_del(info, members[i]);
}

static int64_t failed(json_t *info, const struct acme_result *result)
{
	int64_t failures = json_int_at(info, "failures", 0);
	int64_t wait = FAILED_S << (failures < 6 ? failures : 6);
	int64_t asked =
		result->retry_after_ms < 0 ? 0 : renewal_info_wait(result->retry_after_ms) / 1000;

	json_object_set_new(info, "failures", json_integer(failures + 1));
	wait = wait < FAILED_MAX_S ? wait : FAILED_MAX_S;
	return wait > asked ? wait : asked;
}

static void end_question(struct cert_run *run)
{
	run->ari.call = NULL;
	(*run->ari.in_flight)--;
	account_release(&run->ari.use);
}

static void answered(void *arg, const struct acme_result *result)
{
	struct cert_run *run = arg;
	AUTO(auto_free) char *id = TAKE(run->ari.id);
	struct acme_renewal_window window;
	json_t *info = TAKE(run->ari.before);
	int64_t now = ctl_now(), wait;
	bool fine = result->outcome == ACME_OK &&
		    acme_renewal_info_read(result->body, &window, NULL) == 0;

	account_count(run->ctl, result);
	end_question(run);
	if (run->ari.other)
		drop_window(info);
	json_object_set_new(info, "certificateID", json_string(id));
	set_time(info, "checkedTime", now);
	if (fine) {
		json_object_del(info, "failures");
		take_window(run, info, &window, now);
		wait = renewal_info_wait(result->retry_after_ms) / 1000;
	} else {
		/* The CA is there and has no window, or none that can be: it is over. */
		if (result->outcome != ACME_RETRY_LATER && result->outcome != ACME_BROKEN)
			drop_window(info);
		wait = failed(info, result);
	}
	set_time(info, "nextCheckTime", now + wait + random_u32() % (1 + (uint32_t)wait / 100));
	json_decref(run->ari.result);
	run->ari.result = info;
	ctl_queue(run->ctl, CTL_CERTIFICATE, sv_from(run->key));
}

/* ---- a question ---- */

static void use_changed(struct account_use *use, bool lost)
{
	struct cert_run *run = CONTAINER_OF(use, struct cert_run, ari.use);

	if (lost && run->ari.call != NULL) {
		run->ari.call = NULL;
		(*run->ari.in_flight)--;
	}
	ctl_queue(run->ctl, CTL_CERTIFICATE, sv_from(run->key));
}

void certificate_forget_ari(struct cert_run *run)
{
	if (run->ari.call != NULL) {
		acme_cancel(TAKE(run->ari.call));
		(*run->ari.in_flight)--;
	}
	if (run->ari.use.account != NULL)
		account_release(&run->ari.use);
	json_decref(TAKE(run->ari.result));
	json_decref(TAKE(run->ari.before));
	free(TAKE(run->ari.id));
}

static void ask(struct cert_look *look, struct acme_client *client)
{
	struct cert_run *run = look->run;
	const json_t *info = info_of(look);

	free(run->ari.id);
	run->ari.id = run->facts.ari_id != NULL ? xstrdup(run->facts.ari_id)
						: certificate_ari_id(look->secret);
	if (run->ari.id == NULL) { /* no authority key identifier: it cannot be asked about */
		account_release(&run->ari.use);
		certificate_look_at(look, look->now + FAILED_MAX_S);
		return;
	}
	run->ari.other = !sv_eq(json_sv_at(info, "certificateID"), sv_from(run->ari.id));
	json_decref(run->ari.before);
	run->ari.before = info == NULL ? json_object() : json_deep_copy(info);
	(*run->ari.in_flight)++;
	run->ari.call = acme_renewal_info(client, sv_from(run->ari.id), answered, run);
}

void certificate_ask_ari(struct cert_look *look)
{
	struct cert_run *run = look->run;
	const json_t *info = info_of(look);
	struct acme_client *client;
	struct issuer issuer;
	int64_t due = look->now;

	if (run->ari.call != NULL || run->ari.result != NULL || !is_offered(look, &issuer))
		return;
	if (is_about(look, info) && json_time_at(info, "nextCheckTime", &due) && due > look->now &&
	    due - look->now <= FAR_S) {
		certificate_look_at(look, due);
		return;
	}
	if (*run->ari.in_flight >= IN_FLIGHT_MAX) {
		certificate_look_at(look, look->now + BUSY_LOOK_S + random_u32() % 4);
		return;
	}
	run->ari.use.changed = use_changed;
	client = account_client(look->ctl, &issuer, &run->ari.use);
	if (client != NULL)
		ask(look, client);
}

char *certificate_replaced_id(struct cert_look *look)
{
	struct issuer issuer;

	if (!look->dated || !is_offered(look, &issuer) ||
	    !sv_eq(json_sv_at(certificate_issuer_ref(look), "name"),
		   sv_from(object_name(issuer.object))))
		return NULL;
	return certificate_ari_id(look->secret);
}
