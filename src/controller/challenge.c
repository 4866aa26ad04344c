/* controller/challenge.c - HTTP-01 challenges of an Order (RFC 8555, section 8.3)
 *
 * A Challenge object is what the listeners answer (compile.c). The CA is told only when every
 * worker does: so it never comes too early.
 */
#include "controller/order_run.h"

#include "base/own.h"
#include "controller/compile.h"
#include "pki/jws.h"

#include <stdlib.h>

#define SERVE_LOOK_MS 1000
#define SERVE_MAX_MS  30000

/* ---- which solver ---- */

static bool labels_fit(const json_t *wanted, const json_t *labels)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)wanted, name, value)
	{
		if (!json_same(json_member(labels, name), value))
			return false;
	}
	return true;
}

static bool is_listed(const json_t *list, struct str_view name)
{
	json_t *value;
	size_t i;

	json_array_foreach(list, i, value)
	{
		if (sv_eq_nocase(sv_new(json_string_value(value), json_string_length(value)), name))
			return true;
	}
	return false;
}

/* Length of the longest zone that the name is in; 0: in none. */
static size_t zone_length(const json_t *zones, struct str_view name)
{
	size_t best = 0, i;
	json_t *value;

	json_array_foreach(zones, i, value)
	{
		struct str_view zone = sv_new(json_string_value(value), json_string_length(value));
		size_t front = name.len > zone.len ? name.len - zone.len : 0;

		if (zone.len > best && sv_eq_nocase(sv_skip(name, front), zone) &&
		    (front == 0 || name.data[front - 1] == '.'))
			best = zone.len;
	}
	return best;
}

/* As cert-manager chooses: a name before the longest zone before labels before anything. -1: the
 * solver is not for this name. */
static int64_t score(const json_t *solver, const json_t *labels, struct str_view name)
{
	const json_t *selector = json_member(solver, "selector");
	const json_t *names = json_member(selector, "dnsNames");
	const json_t *zones = json_member(selector, "dnsZones");
	size_t zone = zone_length(zones, name);
	int64_t labelled = (int64_t)json_object_size(json_member(selector, "matchLabels"));

	if (!labels_fit(json_member(selector, "matchLabels"), labels) ||
	    (json_array_size(names) > 0 && !is_listed(names, name)) ||
	    (json_array_size(zones) > 0 && zone == 0))
		return -1;
	return (json_array_size(names) > 0 ? INT64_C(1) << 40 : 0) + (int64_t)zone * 1024 +
	       labelled;
}

int order_solver(const struct order_look *look, struct str_view name, json_t **solver,
		 struct err *err)
{
	json_t *solvers =
		json_object_get(json_at(look->issuer.object->json, "spec.acme"), "solvers");
	const json_t *labels = json_at(look->object->json, "metadata.labels");
	json_t *best = NULL, *one;
	int64_t best_score = -1;
	size_t i;

	if (sv_starts(name, SV("*.")))
		return err_set(err, ERR_UNSUPPORTED,
			       "%.*s: a wildcard name can only be validated by DNS-01, which this "
			       "version does not do: name each host instead",
			       SV_ARG(name));
	json_array_foreach(solvers, i, one)
	{
		int64_t now = score(one, labels, name);

		if (now > best_score) {
			best_score = now;
			best = one;
		}
	}
	if (best == NULL && json_array_size(solvers) > 0)
		return err_set(err, ERR_NOT_FOUND,
			       "%.*s: no solver of %s %s is for this name (spec.acme.solvers)",
			       SV_ARG(name), ISSUER_ARG(&look->issuer));
	if (best != NULL && json_member(best, "http01") == NULL)
		return err_set(err, ERR_UNSUPPORTED,
			       "%.*s: the solver of %s %s for this name is dns01, which this "
			       "version does not do: add an http01 solver",
			       SV_ARG(name), ISSUER_ARG(&look->issuer));
	*solver = best != NULL ? json_incref(best)
			       : json_pack("{s:{s:{}}}", "http01", "gatewayHTTPRoute");
	return 0;
}

/* ---- made ---- */

static char *challenge_name(const struct order_look *look, size_t index)
{
	return derived_name(object_name(look->object), "-%zu", index);
}

static const json_t *http_offer(const json_t *authz)
{
	json_t *offer;
	size_t i;

	json_array_foreach(json_member(authz, "challenges"), i, offer)
	{
		if (sv_eq(json_sv_at(offer, "type"), SV("http-01")))
			return offer;
	}
	return NULL;
}

static json_t *challenge_spec(struct order_look *look, const json_t *authz, struct err *err)
{
	const json_t *offer = http_offer(authz);
	struct str_view name = json_sv_at(authz, "identifier");
	AUTO(secret_deinit) struct buf answer;
	json_t *solver = NULL;

	buf_init(&answer, 2048);
	if (offer == NULL) {
		err_set(err, ERR_PROTOCOL, "the authorization has no http-01 challenge");
		return NULL;
	}
	if (jws_key_authorization(look->run->use.account->pkey, json_sv_at(offer, "token"), &answer,
				  err) < 0 ||
	    order_solver(look, name, &solver, err) < 0)
		return NULL;
	return json_pack("{s:O, s:O, s:o, s:s, s:O, s:o, s:o, s:O}", "url",
			 json_member(offer, "url"), "authorizationURL", json_member(authz, "url"),
			 "dnsName", json_sv(name), "type", "HTTP-01", "token",
			 json_member(offer, "token"), "key", json_sv(buf_view(&answer)), "solver",
			 solver, "issuerRef",
			 json_member(json_member(look->object->json, "spec"), "issuerRef"));
}

static void make_challenge(struct order_look *look, const json_t *authz, const char *name)
{
	struct err err = {0};
	json_t *spec = challenge_spec(look, authz, &err);
	json_t *body;

	if (spec == NULL) {
		order_fails(look, "errored", "NoChallenge", err.msg);
		return;
	}
	body = body_new(kind_of_challenge(), object_namespace(look->object), name, kind_of_order(),
			look->object);
	json_object_set_new(body, "spec", spec);
	put_object(&(struct wake){look->ctl, CTL_ORDER, look->run->key}, kind_of_challenge(), NULL,
		   body);
}

/* ---- served, answered ---- */

static void challenge_answered(void *arg, const struct acme_result *result)
{
	struct order_run *run = arg;
	AUTO(auto_free) char *key = TAKE(run->asked_challenge);
	const struct object *challenge = store_get(run->ctl->config.store, sv_from(key));
	/* Refused: perhaps there is nothing left to answer. The order will tell. */
	bool refused =
		result->outcome == ACME_REFUSED && strcmp(result->problem.type, "malformed") == 0;
	struct order_look look;
	const char *state;

	run->call = NULL;
	account_count(run->ctl, result);
	if (!order_look_of(run, &look) || (!refused && order_answer_failed(&look, result)) ||
	    challenge == NULL)
		return;
	state = refused ? NULL : json_str_at(result->body, "status");
	run->asked_to_wait_ms = result->retry_after_ms;
	challenge_learned(
		run, key,
		json_pack("{s:b, s:b, s:s}", "presented", 1, "processing", 1, "state",
			  state == NULL || strcmp(state, "pending") == 0 ? "processing" : state));
	ctl_event(run->ctl, kind_of_order(), look.object, "Normal", "Presented",
		  "Presented challenge using HTTP-01 challenge mechanism for %s",
		  json_str_at(challenge->json, "spec.dnsName"));
}

static void wait_for_workers(struct order_look *look)
{
	struct order_run *run = look->run;
	int64_t now = loop_now(look->ctl->config.loop);

	if (run->serving_since == 0)
		run->serving_since = now;
	if (now - run->serving_since < SERVE_MAX_MS) {
		ctl_queue_in(look->ctl, CTL_ORDER, sv_from(run->key), SERVE_LOOK_MS);
		return;
	}
	run->serving_since = 0;
	order_back_off(look, "NotServed",
		       "no listener has taken up the answer to the challenge: is an HTTP listener "
		       "programmed?",
		       -1);
}

/* One Challenge; true: it has been answered. */
static bool answer_one(struct order_look *look, const json_t *authz, size_t index)
{
	AUTO(auto_free) char *name = challenge_name(look, index);
	const struct object *challenge =
		ctl_get(look->ctl, kind_of_challenge(), object_namespace(look->object), name);
	struct order_run *run = look->run;

	if (challenge == NULL) {
		make_challenge(look, authz, name);
		return false;
	}
	if (!sv_eq(json_sv_at(challenge->json, "spec.authorizationURL"),
		   json_sv_at(authz, "url"))) {
		ctl_delete_object(look->ctl, challenge); /* of an order that was lost */
		return false;
	}
	if (json_str_at(challenge->json, "status.state") != NULL)
		return true;
	if (!compile_challenge_served(look->ctl, json_sv_at(challenge->json, "spec.token"))) {
		wait_for_workers(look);
		return false;
	}
	if (run->call == NULL) {
		run->serving_since = 0;
		free(run->asked_challenge);
		run->asked_challenge = xstrdup(challenge->key);
		run->call = acme_challenge_answer(look->client,
						  json_str_at(challenge->json, "spec.url"),
						  challenge_answered, run);
	}
	return false;
}

bool order_answer_challenges(struct order_look *look)
{
	const json_t *authz;
	bool all = true;

	for (size_t i = 0; (authz = order_authz(look->status, i)) != NULL; i++) {
		if (look->run->result != NULL)
			return false; /* one of them has failed */
		if (sv_eq(json_sv_at(authz, "initialState"), SV("pending")))
			all = answer_one(look, authz, i) && all;
	}
	return all;
}

/* ---- over ---- */

static bool drop(void *arg, const struct object *challenge)
{
	const struct order_look *look = arg;

	if (ctl_is_owned_by(challenge, look->object))
		ctl_delete_object(look->ctl, challenge);
	return true;
}

void order_drop_challenges(struct order_look *look)
{
	AUTO(auto_free) char *base = derived_name(object_name(look->object), "-");
	AUTO(auto_free)
	char *prefix = kind_key(kind_of_challenge(), object_namespace(look->object), base);

	store_each(look->ctl->config.store, sv_from(prefix), drop, look);
}
