#include "controller/solver.h"

#include "codec/json.h"
#include "loop/sock.h"

#include <stdio.h>

#define WORDS_MAX 400

static const struct solver_type *const types[] = {&solver_http01, &solver_tlsalpn01, &solver_dns01};

/* ---- selectors ---- */

static struct str_view text_of_json(const json_t *value)
{
	return sv_new(json_string_value(value), json_string_length(value));
}

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
		if (sv_eq_nocase(text_of_json(value), name))
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
		struct str_view zone = text_of_json(value);
		size_t front = name.len > zone.len ? name.len - zone.len : 0;

		if (zone.len > best && sv_eq_nocase(sv_skip(name, front), zone) &&
		    (front == 0 || name.data[front - 1] == '.'))
			best = zone.len;
	}
	return best;
}

/* -1: the solver is not for this name. */
static int64_t score(const json_t *solver, const struct solver_question *question)
{
	const json_t *selector = json_member(solver, "selector");
	const json_t *names = json_member(selector, "dnsNames");
	const json_t *zones = json_member(selector, "dnsZones");
	const json_t *wanted = json_member(selector, "matchLabels");
	size_t zone = zone_length(zones, question->name);

	if (!labels_fit(wanted, question->labels) ||
	    (json_array_size(names) > 0 && !is_listed(names, question->name)) ||
	    (json_array_size(zones) > 0 && zone == 0))
		return -1;
	return (json_array_size(names) > 0 ? INT64_C(1) << 40 : 0) + (int64_t)zone * 1024 +
	       (int64_t)json_object_size(wanted);
}

/* ---- types ---- */

static const struct solver_type *type_of_solver(const json_t *solver)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (json_member(solver, types[i]->member) != NULL)
			return types[i];
	}
	return NULL;
}

const struct solver_type *solver_type_of(const json_t *challenge)
{
	struct str_view word = json_sv_at(challenge, "spec.type");

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (sv_eq(word, sv_from(types[i]->type)))
			return types[i];
	}
	return NULL;
}

void challenge_drop(struct controllers *ctl, const struct object *challenge)
{
	const struct solver_type *type = solver_type_of(challenge->json);

	if (type == NULL)
		ctl_delete_object(ctl, challenge);
	else
		type->drop(ctl, challenge);
}

static bool is_address(struct str_view name)
{
	struct sock_addr addr;

	return sock_addr_ip(&addr, name, 0);
}

static bool can_prove(const struct solver_type *type, struct str_view name)
{
	return (type->wildcards || !sv_starts(name, SV("*."))) &&
	       (type->addresses || !is_address(name));
}

static bool is_offered(const struct solver_type *type, const json_t *offers)
{
	json_t *offer;
	size_t i;

	json_array_foreach(offers, i, offer)
	{
		if (sv_eq(json_sv_at(offer, "type"), sv_from(type->offer)))
			return true;
	}
	return offers == NULL;
}

/* ---- the choice ---- */

struct choosing {
	const struct solver_question *question;
	const struct solver_type *type; /* of the best so far */
	json_t *solver;                 /* borrowed */
	int64_t score;
	const json_t *unfit; /* the most specific one that takes the name but cannot do it */
	int64_t unfit_score;
	bool offer_lacks; /* of the unfit one: it could, if the CA offered it */
};

static void weigh(struct choosing *choosing, json_t *solver)
{
	const struct solver_question *question = choosing->question;
	const struct solver_type *type = type_of_solver(solver);
	int64_t now = score(solver, question);
	bool can = type != NULL && can_prove(type, question->name);

	if (can && is_offered(type, question->offers)) {
		if (now > choosing->score) {
			choosing->score = now;
			choosing->type = type;
			choosing->solver = solver;
		}
	} else if (now > choosing->unfit_score) {
		choosing->unfit_score = now;
		choosing->unfit = solver;
		choosing->offer_lacks = can;
	}
}

static void offered_words(const json_t *offers, char *out, size_t size)
{
	size_t used = 0, i;
	json_t *offer;

	out[0] = '\0';
	json_array_foreach(offers, i, offer)
	{
		struct str_view type = sv_head(json_sv_at(offer, "type"), 64);
		int len = snprintf(out + used, size - used, "%s%.*s", i == 0 ? "" : ", ",
				   SV_ARG(type));

		if (len < 0 || (size_t)len >= size - used)
			return;
		used += (size_t)len;
	}
	if (used == 0)
		snprintf(out, size, "nothing");
}

static const char *member_of_solver(const json_t *solver)
{
	const struct solver_type *type = type_of_solver(solver);

	return type != NULL                           ? type->member
	       : json_member(solver, "dns01") != NULL ? "dns01"
						      : "of an unknown type";
}

static void tell_unfit(const struct choosing *choosing, struct err *err)
{
	const struct solver_question *question = choosing->question;
	const char *member = member_of_solver(choosing->unfit);
	struct str_view name = sv_head(question->name, 253);
	char offered[WORDS_MAX];

	if (choosing->offer_lacks) {
		offered_words(question->offers, offered, sizeof(offered));
		err_set(err, ERR_UNSUPPORTED,
			"the CA offers no %s challenge for %.*s, but only: %s; the solver of %s "
			"for "
			"this name is %s: add one of a type that is offered (spec.acme.solvers)",
			type_of_solver(choosing->unfit)->offer, SV_ARG(name), offered,
			question->issuer, member);
	} else if (sv_starts(name, SV("*."))) {
		err_set(err, ERR_UNSUPPORTED,
			"%.*s: a wildcard name can only be validated by DNS-01, and the solver of "
			"%s for this name is %s: add a dns01 solver to spec.acme.solvers, or name "
			"each host instead",
			SV_ARG(name), question->issuer, member);
	} else {
		err_set(err, ERR_UNSUPPORTED,
			"%.*s: the solver of %s for this name is %s, which cannot validate it: add "
			"an http01 solver (spec.acme.solvers)",
			SV_ARG(name), question->issuer, member);
	}
}

static const struct solver_type *choose(struct choosing *choosing, json_t **solver, struct err *err)
{
	const struct solver_question *question = choosing->question;

	if (choosing->type != NULL) {
		*solver = json_incref(choosing->solver);
		return choosing->type;
	}
	if (choosing->unfit != NULL)
		tell_unfit(choosing, err);
	else
		err_set(err, ERR_NOT_FOUND,
			"%.*s: no solver of %s is for this name: change a selector, or add a "
			"solver without one (spec.acme.solvers)",
			SV_ARG(sv_head(question->name, 253)), question->issuer);
	return NULL;
}

const struct solver_type *solver_choose(const struct solver_question *question, json_t **solver,
					struct err *err)
{
	struct choosing choosing = {.question = question, .score = -1, .unfit_score = -1};
	const struct solver_type *type;
	json_t *fallback, *one;
	size_t i;

	json_array_foreach(question->solvers, i, one) weigh(&choosing, one);
	if (json_array_size(question->solvers) > 0)
		return choose(&choosing, solver, err);
	fallback = json_pack("{s:{s:{}}}", "http01", "gatewayHTTPRoute");
	weigh(&choosing, fallback);
	type = choose(&choosing, solver, err);
	json_decref(fallback);
	return type;
}
