#include "controller/policies.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/own.h"
#include "controller/gateway.h"
#include "controller/policy_read.h"
#include "controller/telling.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY_MAX     640
#define MESSAGE_MAX 1024

struct ancestor { /* a Gateway whose routes lead to what the policy is for */
	struct object *gateway;
	bool holds;                 /* for some port that they name */
	const struct policy *rival; /* else: who does */
	char *absent;               /* what it names there and is not there; NULL: nothing */
};

struct policy {
	struct object *object; /* newest */
	char *id;              /* "namespace/name" */
	int64_t created;
	bool own;     /* spec.tls of a Backend: it has no status */
	bool changed; /* to be read */
	struct policy_outcome outcome;
	size_t ancestor_count;
	struct ancestor ancestors[POLICY_ANCESTORS_MAX];
};

struct aimed { /* the policies that name one object */
	size_t count, size;
	struct policy **list;
};

struct policies {
	struct policies_config config;
	struct map by_key;  /* store key -> struct policy */
	struct map targets; /* "Service/default/shop" -> struct aimed */
	struct policy_reader reader;
	bool dirty;
	bool untold; /* some status may be another */
};

/* ---- targets ---- */

static struct str_view target_key(char out[KEY_MAX], const char *kind, const char *ns,
				  struct str_view name)
{
	int len = snprintf(out, KEY_MAX, "%s/%s/%.*s", kind, ns, SV_ARG(name));

	return sv_new(out, len < 0 || len >= KEY_MAX ? 0 : (size_t)len);
}

static void aimed_free(void *value)
{
	struct aimed *aimed = value;

	free(aimed->list);
	free(aimed);
}

static void aimed_add(struct aimed *aimed, struct policy *policy)
{
	for (size_t i = 0; i < aimed->count; i++) {
		if (aimed->list[i] == policy)
			return;
	}
	if (aimed->count == aimed->size) {
		aimed->size = aimed->size == 0 ? 2 : aimed->size * 2;
		aimed->list = xrealloc(aimed->list, aimed->size * sizeof(aimed->list[0]));
	}
	aimed->list[aimed->count++] = policy;
}

static void aimed_remove(struct policies *policies, struct str_view key,
			 const struct policy *policy)
{
	struct aimed *aimed = map_get(&policies->targets, key);

	for (size_t i = 0; aimed != NULL && i < aimed->count; i++) {
		if (aimed->list[i] == policy)
			aimed->list[i--] = aimed->list[--aimed->count];
	}
	if (aimed != NULL && aimed->count == 0)
		aimed_free(map_remove(&policies->targets, key));
}

/* Calls touched for all that the policy names, and takes it into the index or out of it. */
static void aim(struct policies *policies, struct policy *policy, bool in)
{
	const char *ns = object_namespace(policy->object);
	json_t *ref;
	size_t i;

	json_array_foreach(json_at(policy->object->json, "spec.targetRefs"), i, ref)
	{
		const char *kind = policy_target_kind(ref);
		struct str_view name = json_sv_at(ref, "name"), key;
		struct aimed *aimed;
		char text[KEY_MAX];

		if (kind == NULL)
			continue;
		key = target_key(text, kind, ns, name);
		aimed = map_get(&policies->targets, key);
		if (in && aimed == NULL) {
			aimed = xcalloc(1, sizeof(*aimed));
			(void)map_put(&policies->targets, key, aimed);
		}
		if (in)
			aimed_add(aimed, policy);
		else
			aimed_remove(policies, key, policy);
		policies->config.touched(policies->config.arg, kind, ns, name);
	}
}

/* ---- changes ---- */

static bool same_wish(const struct object *a, const struct object *b)
{
	return object_generation(a) == object_generation(b) &&
	       sv_eq(json_sv_at(a->json, "metadata.uid"), json_sv_at(b->json, "metadata.uid"));
}

static void ancestors_forget(struct policy *policy)
{
	for (size_t i = 0; i < policy->ancestor_count; i++) {
		object_unref(policy->ancestors[i].gateway);
		free(policy->ancestors[i].absent);
	}
	policy->ancestor_count = 0;
}

static void policy_free(struct policies *policies, struct policy *policy)
{
	policy_outcome_deinit(&policy->outcome, policies->config.graveyard);
	ancestors_forget(policy);
	object_unref(policy->object);
	free(policy->id);
	free(policy);
}

static void policy_drop(struct policies *policies, struct str_view key)
{
	struct policy *policy = map_remove(&policies->by_key, key), *other;

	policies->dirty = true;
	aim(policies, policy, false);
	for (size_t it = 0; map_next(&policies->by_key, &it, NULL, (void **)&other);) {
		for (size_t i = 0; i < other->ancestor_count; i++) {
			if (other->ancestors[i].rival == policy)
				other->ancestors[i].rival = NULL;
		}
	}
	policy_free(policies, policy);
}

static struct policy *policy_new(struct policies *policies, const struct object *object)
{
	struct policy *policy = xcalloc(1, sizeof(*policy));

	policy->id = xasprintf("%s/%s", object_namespace(object), object_name(object));
	(void)map_put(&policies->by_key, sv_from(object->key), policy);
	return policy;
}

void policies_changed(struct policies *policies, const struct object *before,
		      const struct object *after)
{
	struct str_view key = sv_from((after != NULL ? after : before)->key);
	struct policy *policy = map_get(&policies->by_key, key);
	struct object *old = policy == NULL ? NULL : policy->object;

	policies->untold = true;
	if (after == NULL) {
		if (policy != NULL)
			policy_drop(policies, key);
		return;
	}
	if (policy == NULL)
		policy = policy_new(policies, after);
	if (old != NULL && same_wish(old, after)) { /* its status */
		policy->object = object_ref(after);
		object_unref(old);
		return;
	}
	if (old != NULL)
		aim(policies, policy, false);
	policy->object = object_ref(after);
	object_unref(old);
	(void)clock_parse_rfc3339(json_sv_at(after->json, "metadata.creationTimestamp"),
				  &policy->created);
	policy->changed = policies->dirty = true;
	aim(policies, policy, true);
}

void policies_backend_changed(struct policies *policies, const struct object *before,
			      const struct object *after)
{
	AUTO(auto_object) struct object *old = before == NULL ? NULL : backend_policy(before);
	AUTO(auto_object) struct object *now = after == NULL ? NULL : backend_policy(after);
	struct policy *policy;

	if (old == NULL && now == NULL)
		return;
	policies_changed(policies, old, now);
	policy = now == NULL ? NULL : map_get(&policies->by_key, sv_from(now->key));
	if (policy != NULL)
		policy->own = true;
}

bool policies_ca_changed(struct policies *policies, const struct object *object)
{
	bool secret = sv_starts(sv_from(object->key), SV("core/secrets/")), any = false;
	void *value;

	for (size_t it = 0; map_next(&policies->by_key, &it, NULL, &value);) {
		struct policy *policy = value;

		if (!policy_names_ca(policy->object, secret ? "secrets" : "configmaps", object))
			continue;
		policy->changed = policies->dirty = any = true;
		aim(policies, policy, true);
	}
	return any;
}

bool policies_refresh(struct policies *policies)
{
	void *value;

	if (!policies->dirty)
		return false;
	policies->dirty = false;
	policies->untold = true;
	for (size_t it = 0; map_next(&policies->by_key, &it, NULL, &value);) {
		struct policy *policy = value;

		if (policy->changed)
			policy_read(&policies->reader, policy->object, policy->id,
				    &policy->outcome);
		policy->changed = false;
	}
	return true;
}

/* ---- which one holds ---- */

enum fit { FIT_NONE, FIT_WHOLE, FIT_SECTION };

static enum fit fit_of(const struct policy *policy, const struct policy_subject *subject)
{
	enum fit best = FIT_NONE;
	json_t *ref;
	size_t i;

	json_array_foreach(json_at(policy->object->json, "spec.targetRefs"), i, ref)
	{
		struct str_view section = json_sv_at(ref, "sectionName");
		enum fit fit = section.len == 0                   ? FIT_WHOLE
			       : sv_eq(section, subject->section) ? FIT_SECTION
								  : FIT_NONE;

		if (policy_target_is(ref, subject) && fit > best)
			best = fit;
	}
	return best;
}

/* Among those that fit equally well (Gateway API, conflict resolution). */
static bool comes_first(const struct policy *a, const struct policy *b)
{
	if (a->own != b->own)
		return b->own;
	return a->created != b->created ? a->created < b->created : strcmp(a->id, b->id) < 0;
}

static const struct aimed *aimed_at(const struct policies *policies,
				    const struct policy_subject *subject)
{
	char text[KEY_MAX];

	return map_get(&policies->targets,
		       target_key(text, subject->kind, subject->ns, sv_from(subject->name)));
}

/* The one that holds, of those with this fit or a better one. */
static struct policy *winner(const struct aimed *aimed, const struct policy_subject *subject,
			     enum fit at_least)
{
	struct policy *best = NULL;
	enum fit best_fit = at_least;

	for (size_t i = 0; aimed != NULL && i < aimed->count; i++) {
		struct policy *policy = aimed->list[i];
		enum fit fit = fit_of(policy, subject);

		if (fit < best_fit ||
		    (fit == best_fit && best != NULL && comes_first(best, policy)))
			continue;
		best = policy;
		best_fit = fit;
	}
	return best;
}

struct policy_result policies_find(const struct policies *policies,
				   const struct policy_subject *subject)
{
	const struct aimed *aimed = aimed_at(policies, subject);
	const struct policy *policy = winner(aimed, subject, FIT_WHOLE);

	if (policy == NULL)
		return (struct policy_result){.any = false, .aimed = aimed != NULL};
	return (struct policy_result){.any = true,
				      .aimed = true,
				      .tls = policy->outcome.tls,
				      .id = policy->id,
				      .own = policy->own,
				      .why = policy->outcome.refused_message};
}

/* ---- ancestors ---- */

void policies_ancestors_begin(struct policies *policies)
{
	void *value;

	policies->untold = true;
	for (size_t it = 0; map_next(&policies->by_key, &it, NULL, &value);)
		ancestors_forget(value);
}

static struct ancestor *ancestor_get(struct policy *policy, const struct object *gateway)
{
	struct ancestor *ancestor;

	for (size_t i = 0; i < policy->ancestor_count; i++) {
		if (strcmp(policy->ancestors[i].gateway->key, gateway->key) == 0)
			return &policy->ancestors[i];
	}
	if (policy->ancestor_count == POLICY_ANCESTORS_MAX)
		return NULL;
	ancestor = &policy->ancestors[policy->ancestor_count++];
	*ancestor = (struct ancestor){.gateway = object_ref(gateway)};
	return ancestor;
}

/* Of the policies that fit equally well. */
static struct policy *first_of(const struct aimed *aimed, const struct policy_subject *subject,
			       enum fit fit)
{
	struct policy *first = NULL;

	for (size_t i = 0; i < aimed->count; i++) {
		if (fit_of(aimed->list[i], subject) == fit &&
		    (first == NULL || comes_first(aimed->list[i], first)))
			first = aimed->list[i];
	}
	return first;
}

/* A policy for the whole Service that yields to one for this port does not fail by that. */
void policies_ancestor(struct policies *policies, const struct policy_subject *subject,
		       const struct object *gateway)
{
	const struct aimed *aimed = aimed_at(policies, subject);
	const struct object *object =
		aimed == NULL ? NULL : policy_subject_object(policies->config.store, subject);

	for (size_t i = 0; aimed != NULL && i < aimed->count; i++) {
		struct policy *policy = aimed->list[i], *first;
		enum fit fit = fit_of(policy, subject);
		AUTO(auto_free)
		char *absent = policy_target_absent(policy->object, subject, object);
		struct ancestor *ancestor =
			fit == FIT_NONE && absent == NULL ? NULL : ancestor_get(policy, gateway);

		if (ancestor == NULL)
			continue;
		if (ancestor->absent == NULL)
			ancestor->absent = TAKE(absent);
		if (fit == FIT_NONE || object == NULL)
			continue;
		first = first_of(aimed, subject, fit);
		if (first == policy)
			ancestor->holds = true;
		else
			ancestor->rival = first;
	}
}

/* ---- statuses ---- */

static void tell_accepted(struct telling *telling, const struct policy *policy,
			  const struct ancestor *ancestor)
{
	char text[MESSAGE_MAX];

	if (!ancestor->holds && ancestor->rival != NULL) {
		snprintf(text, sizeof(text),
			 "BackendTLSPolicy %s is older and for the same target: that one holds",
			 ancestor->rival->id);
		tell(telling, "Accepted", COND_FALSE, "Conflicted", text);
	} else if (!ancestor->holds && ancestor->absent != NULL) {
		tell(telling, "Accepted", COND_FALSE, "TargetNotFound", ancestor->absent);
	} else if (policy->outcome.refused != NULL) {
		snprintf(text, sizeof(text), "%s; requests to its target are answered with 500",
			 policy->outcome.refused_message);
		tell(telling, "Accepted", COND_FALSE, policy->outcome.refused, text);
	} else {
		tell(telling, "Accepted", COND_TRUE, "Accepted", "the policy is accepted");
	}
}

static void tell_refs(struct telling *telling, const struct policy *policy)
{
	if (policy->outcome.refs_reason != NULL)
		tell(telling, "ResolvedRefs", COND_FALSE, policy->outcome.refs_reason,
		     policy->outcome.refs_message);
	else
		tell(telling, "ResolvedRefs", COND_TRUE, "ResolvedRefs", "all references resolve");
}

static json_t *ancestor_entry(const struct policy *policy, const struct ancestor *ancestor,
			      int64_t now)
{
	json_t *ref = json_pack("{s:s, s:s, s:s, s:s}", "group", GATEWAY_GROUP, "kind", "Gateway",
				"namespace", object_namespace(ancestor->gateway), "name",
				object_name(ancestor->gateway));
	const json_t *before = json_at(policy->object->json, "status.ancestors");
	struct telling telling =
		telling_new(entry_conditions(before, ENTRY_ANCESTOR, ref), policy->object, now);

	tell_accepted(&telling, policy, ancestor);
	tell_refs(&telling, policy);
	return entry_new(ENTRY_ANCESTOR, ref, telling.conditions);
}

/* NULL: nothing to say, and nothing was said. */
static json_t *status_of(const struct policy *policy, int64_t now)
{
	const json_t *before = json_at(policy->object->json, "status.ancestors");
	json_t *ancestors = entries_of_others(before);

	for (size_t i = 0; i < policy->ancestor_count; i++)
		json_array_append_new(ancestors,
				      ancestor_entry(policy, &policy->ancestors[i], now));
	if (before == NULL && json_array_size(ancestors) == 0) {
		json_decref(ancestors);
		return NULL;
	}
	return json_pack("{s:o}", "ancestors", ancestors);
}

void policies_status_lost(struct policies *policies)
{
	policies->untold = true;
}

void policies_statuses(struct policies *policies, int64_t now,
		       void (*put)(void *arg, const struct object *object, json_t *status),
		       void *arg)
{
	void *value;

	if (!policies->untold)
		return;
	policies->untold = false;
	for (size_t it = 0; map_next(&policies->by_key, &it, NULL, &value);) {
		const struct policy *policy = value;
		json_t *status = policy->own ? NULL : status_of(policy, now);

		if (status != NULL)
			put(arg, policy->object, status);
	}
}

/* ---- birth and death ---- */

struct policies *policies_new(const struct policies_config *config)
{
	struct policies *policies = xcalloc(1, sizeof(*policies));

	policies->config = *config;
	policies->reader =
		(struct policy_reader){.store = config->store, .graveyard = config->graveyard};
	return policies;
}

void policies_free(struct policies *policies)
{
	void *value;

	if (policies == NULL)
		return;
	for (size_t it = 0; map_next(&policies->by_key, &it, NULL, &value);)
		policy_free(policies, value);
	map_deinit(&policies->by_key, NULL);
	map_deinit(&policies->targets, aimed_free);
	policy_reader_deinit(&policies->reader);
	free(policies);
}
