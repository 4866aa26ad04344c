/* controller/telling.c - conditions that a status is made of, and the entries that hold them */
#include "controller/telling.h"

#include "controller/gateway.h"

struct telling telling_new(const json_t *before, const struct object *object, int64_t now)
{
	return (struct telling){.conditions = json_is_array(before) ? json_deep_copy(before)
								    : json_array(),
				.generation = object_generation(object),
				.now = now};
}

void tell(struct telling *telling, const char *type, enum cond_status status, const char *reason,
	  const char *message)
{
	struct condition condition = {.type = type,
				      .status = status,
				      .reason = reason,
				      .message = message,
				      .observed_generation = telling->generation};

	(void)condition_set(telling->conditions, &condition, telling->now);
}

void untell(struct telling *telling, const char *type)
{
	(void)condition_remove(telling->conditions, type);
}

/* ---- entries ---- */

static const char *const ref_members[] = {
	[ENTRY_PARENT] = "parentRef",
	[ENTRY_ANCESTOR] = "ancestorRef",
};

static bool is_ours(const json_t *entry)
{
	return sv_eq(json_sv_at(entry, "controllerName"), SV(GATEWAY_CONTROLLER));
}

json_t *entries_of_others(const json_t *entries)
{
	json_t *others = json_array(), *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		if (!is_ours(entry))
			json_array_append(others, entry);
	}
	return others;
}

const json_t *entry_conditions(const json_t *entries, enum entry_kind kind, const json_t *ref)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		if (is_ours(entry) && json_same(json_member(entry, ref_members[kind]), ref) &&
		    json_is_array(json_member(entry, "conditions")))
			return json_member(entry, "conditions");
	}
	return NULL;
}

json_t *entry_new(enum entry_kind kind, json_t *ref, json_t *conditions)
{
	return json_pack("{s:o, s:s, s:o}", ref_members[kind], ref, "controllerName",
			 GATEWAY_CONTROLLER, "conditions", conditions);
}
