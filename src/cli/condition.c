/* cli/condition.c - what status.conditions say */
#include "cli/condition.h"

const json_t *condition_find(const json_t *conditions, struct str_view type)
{
	const json_t *condition;
	size_t i;

	json_array_foreach(conditions, i, condition)
	{
		if (sv_eq_nocase(json_sv_at(condition, "type"), type))
			return condition;
	}
	return NULL;
}

static bool is_stale(const json_t *object, const json_t *condition)
{
	int64_t generation = json_int_at(object, "metadata.generation", 0);
	int64_t observed = json_int_at(condition, "observedGeneration",
				       json_int_at(object, "status.observedGeneration", -1));

	return observed >= 0 && observed < generation;
}

static bool holds(const json_t *object, const json_t *conditions, struct str_view type,
		  struct str_view value)
{
	const json_t *condition = condition_find(conditions, type);

	return condition != NULL && sv_eq_nocase(json_sv_at(condition, "status"), value) &&
	       !is_stale(object, condition);
}

bool condition_met(const json_t *object, struct str_view type, struct str_view value)
{
	const json_t *conditions = json_at(object, "status.conditions");
	const json_t *parents = json_at(object, "status.parents"), *parent;
	size_t i;

	if (json_is_array(conditions) || json_array_size(parents) == 0)
		return holds(object, conditions, type, value);
	json_array_foreach(parents, i, parent)
	{
		if (!holds(object, json_member(parent, "conditions"), type, value))
			return false;
	}
	return true;
}

bool conditions_have_true(const json_t *conditions, const char *type)
{
	return sv_eq(json_sv_at(condition_find(conditions, sv_from(type)), "status"), SV("True"));
}

bool condition_is_true(const json_t *object, const char *type)
{
	return conditions_have_true(json_at(object, "status.conditions"), type);
}

static const json_t *find_anywhere(const json_t *object, struct str_view type)
{
	const json_t *condition = condition_find(json_at(object, "status.conditions"), type);
	const json_t *parent;
	size_t i;

	json_array_foreach(json_at(object, "status.parents"), i, parent)
	{
		if (condition == NULL)
			condition = condition_find(json_member(parent, "conditions"), type);
	}
	return condition;
}

void condition_words(const json_t *object, struct str_view type, struct buf *out)
{
	const json_t *condition = find_anywhere(object, type);
	struct str_view reason = json_sv_at(condition, "reason");
	struct str_view message = json_sv_at(condition, "message");

	if (condition == NULL) {
		buf_addf(out, "it has no condition %.*s yet", SV_ARG(type));
		return;
	}
	buf_addf(out, "%.*s is %.*s", SV_ARG(json_sv_at(condition, "type")),
		 SV_ARG(json_sv_at(condition, "status")));
	if (reason.len > 0)
		buf_addf(out, " (%.*s)", SV_ARG(reason));
	if (message.len > 0)
		buf_addf(out, ": %.*s", SV_ARG(message));
	if (is_stale(object, condition))
		buf_addf(out, "; this is about an older generation of the object");
}
