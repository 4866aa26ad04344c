/* controller/challenge.c - challenges of an Order, and HTTP-01 (RFC 8555, section 8.3)
 *
 * A Challenge object says what is presented and how. The CA is told only when the answer is where
 * it will look (of HTTP-01: when every worker gives it): so it never comes too early.
 */
#include "controller/order_run.h"

#include "base/own.h"
#include "controller/compile.h"
#include "pki/jws.h"

#include <stdlib.h>

#define SERVE_LOOK_MS 1000
#define SERVE_MAX_MS  30000

/* ---- which solver ---- */

const struct solver_type *order_solver(const struct order_look *look, struct str_view name,
				       const json_t *offers, json_t **solver, struct err *err)
{
	AUTO(auto_free) char *issuer = xasprintf("%s %s", ISSUER_ARG(&look->issuer));
	struct solver_question question = {
		.solvers = json_at(look->issuer.object->json, "spec.acme.solvers"),
		.issuer = issuer,
		.labels = json_at(look->object->json, "metadata.labels"),
		.name = name,
		.offers = offers};

	return solver_choose(&question, solver, err);
}

char *authz_name(const json_t *authz)
{
	return xasprintf("%s%.*s", json_bool_at(authz, "wildcard", false) ? "*." : "",
			 SV_ARG(json_sv_at(authz, "identifier")));
}

/* ---- made ---- */

static char *challenge_name(const struct order_look *look, size_t index)
{
	return derived_name(object_name(look->object), "-%zu", index);
}

static const json_t *offer_of(const json_t *offers, const struct solver_type *type)
{
	json_t *offer;
	size_t i;

	json_array_foreach(offers, i, offer)
	{
		if (sv_eq(json_sv_at(offer, "type"), sv_from(type->offer)))
			return offer;
	}
	return NULL;
}

static json_t *challenge_spec(struct order_look *look, const json_t *authz, struct err *err)
{
	const json_t *offers = json_member(authz, "challenges"), *offer;
	AUTO(auto_free) char *name = authz_name(authz);
	AUTO(auto_json) json_t *solver = NULL;
	const struct solver_type *type = order_solver(look, sv_from(name), offers, &solver, err);
	AUTO(secret_deinit) struct buf answer;
	json_t *spec;

	buf_init(&answer, 2048);
	if (type == NULL)
		return NULL;
	offer = offer_of(offers, type);
	if (type->answer(look->run->use.account->pkey, json_sv_at(offer, "token"), &answer, err) <
	    0)
		return NULL;
	spec = json_pack("{s:O, s:O, s:O, s:s, s:O, s:o, s:O, s:O}", "url",
			 json_member(offer, "url"), "authorizationURL", json_member(authz, "url"),
			 "dnsName", json_member(authz, "identifier"), "type", type->type, "token",
			 json_member(offer, "token"), "key", json_sv(buf_view(&answer)), "solver",
			 solver, "issuerRef",
			 json_member(json_member(look->object->json, "spec"), "issuerRef"));
	if (spec != NULL && json_bool_at(authz, "wildcard", false))
		json_object_set_new(spec, "wildcard", json_true());
	return spec;
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
	struct order_side *side = arg;
	struct order_run *run = side->run;
	const struct object *challenge = store_get(run->ctl->config.store, sv_from(side->key));
	/* Refused: perhaps there is nothing left to answer. The order will tell. */
	bool refused =
		result->outcome == ACME_REFUSED && strcmp(result->problem.type, "malformed") == 0;
	AUTO(order_look_end) struct order_look look = {0};
	const char *state;
	json_t *status;

	side->call = NULL;
	account_count(run->ctl, result);
	if (!order_look_of(run, &look) || (!refused && order_answer_failed(&look, result)) ||
	    challenge == NULL) {
		order_side_end_answer(side);
		return;
	}
	state = refused ? NULL : json_str_at(result->body, "status");
	run->asked_to_wait_ms = result->retry_after_ms;
	status = status_copy(challenge);
	json_object_set_new(status, "presented", json_true());
	json_object_set_new(status, "processing", json_true());
	json_object_set_new(
		status, "state",
		json_string(state == NULL || strcmp(state, "pending") == 0 ? "processing" : state));
	json_object_del(status, "reason");
	side->status = status;
	order_side_store_one(side);
	ctl_event(run->ctl, kind_of_order(), look.object, "Normal", "Presented",
		  "Presented challenge using %s challenge mechanism for %s",
		  json_str_at(challenge->json, "spec.type"),
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
		       "no listener has taken up the answer to the challenge: is a listener "
		       "programmed?",
		       -1);
}

bool order_challenge_served(struct order_look *look, const struct object *challenge)
{
	if (compile_challenge_served(look->ctl, json_sv_at(challenge->json, "spec.token")))
		return true;
	wait_for_workers(look);
	return false;
}

const struct solver_type solver_http01 = {.type = "HTTP-01",
					  .offer = "http-01",
					  .member = "http01",
					  .addresses = true,
					  .self_check = true,
					  .answer = jws_key_authorization,
					  .present = order_challenge_served,
					  .drop = ctl_delete_object};

/* Has the CA been told? Its own words follow; "pending" is ours, while the answer is made ready. */
static bool is_answered(const struct object *challenge)
{
	const char *state = json_str_at(challenge->json, "status.state");

	return state != NULL && strcmp(state, "pending") != 0;
}

/* The account may have got another key since the answer was made. */
static bool is_of_key(const struct object *challenge, const struct solver_type *type, EVP_PKEY *key)
{
	AUTO(secret_deinit) struct buf answer;

	buf_init(&answer, 2048);
	return type->answer(key, json_sv_at(challenge->json, "spec.token"), &answer, NULL) == 0 &&
	       sv_eq(buf_view(&answer), json_sv_at(challenge->json, "spec.key"));
}

/* One Challenge; true: it has been answered. */
static bool answer_one(struct order_look *look, const json_t *authz, size_t index)
{
	AUTO(auto_free) char *name = challenge_name(look, index);
	const struct object *challenge =
		ctl_get(look->ctl, kind_of_challenge(), object_namespace(look->object), name);
	struct order_run *run = look->run;
	const struct solver_type *type;

	if (challenge == NULL) {
		make_challenge(look, authz, name);
		return false;
	}
	if (!sv_eq(json_sv_at(challenge->json, "spec.authorizationURL"),
		   json_sv_at(authz, "url"))) {
		challenge_drop(look->ctl, challenge); /* of an order that was lost */
		return false;
	}
	type = solver_type_of(challenge->json);
	if (is_answered(challenge) || type == NULL)
		return true;
	if (order_side_answers(run, challenge->key))
		return false;
	if (!is_of_key(challenge, type, run->use.account->pkey)) {
		challenge_drop(look->ctl, challenge);
		return false;
	}
	if (type->present(look, challenge) && run->result == NULL) {
		run->serving_since = 0;
		order_side_answer(look, challenge, challenge_answered);
	}
	return false;
}

void order_make_challenges(struct order_look *look)
{
	const json_t *authz;

	if (!sv_eq(json_sv_at(look->status, "state"), SV("pending")) ||
	    json_member(look->status, "nextTryTime") != NULL)
		return;
	for (size_t i = 0; (authz = order_authz(look->status, i)) != NULL; i++) {
		if (json_member(authz, "initialState") == NULL)
			return; /* others are to be read first */
	}
	for (size_t i = 0; (authz = order_authz(look->status, i)) != NULL; i++) {
		AUTO(auto_free) char *name = challenge_name(look, i);

		if (sv_eq(json_sv_at(authz, "initialState"), SV("pending")) &&
		    ctl_get(look->ctl, kind_of_challenge(), object_namespace(look->object), name) ==
			    NULL)
			make_challenge(look, authz, name);
	}
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
		challenge_drop(look->ctl, challenge);
	return true;
}

void order_drop_challenges(struct order_look *look)
{
	AUTO(auto_free) char *base = derived_name(object_name(look->object), "-");
	AUTO(auto_free)
	char *prefix = kind_key(kind_of_challenge(), object_namespace(look->object), base);

	store_each(look->ctl->config.store, sv_from(prefix), drop, look);
}
