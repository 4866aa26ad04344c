/* resource/condition.c - status.conditions (metav1.Condition) */
#include "resource/condition.h"

#include "base/clock.h"
#include "base/str.h"

#include <assert.h>

static const char *const status_text[] = {
	[COND_FALSE] = "False",
	[COND_TRUE] = "True",
	[COND_UNKNOWN] = "Unknown",
};

static size_t index_of(const json_t *conditions, const char *type)
{
	size_t count = json_array_size(conditions);

	for (size_t i = 0; i < count; i++) {
		const char *name = json_str_at(json_array_get(conditions, i), "type");

		if (name != NULL && strcmp(name, type) == 0)
			return i;
	}
	return count;
}

static bool text_is(const json_t *entry, const char *member, const char *text)
{
	const char *has = json_str_at(entry, member);

	return has != NULL && strcmp(has, text) == 0;
}

static json_t *entry_new(const struct condition *condition, const json_t *old, int64_t now)
{
	json_t *entry = json_object();
	const char *since = json_str_at(old, "lastTransitionTime");
	char text[CLOCK_TEXT_SIZE];

	if (since == NULL || !text_is(old, "status", status_text[condition->status])) {
		clock_rfc3339(now, text);
		since = text;
	}
	json_object_set_new(entry, "type", json_string(condition->type));
	json_object_set_new(entry, "status", json_string(status_text[condition->status]));
	json_object_set_new(entry, "lastTransitionTime", json_string(since));
	json_object_set_new(entry, "reason", json_string(condition->reason));
	json_object_set_new(entry, "message", json_sv(sv_from(condition->message)));
	if (condition->observed_generation > 0)
		json_object_set_new(entry, "observedGeneration",
				    json_integer(condition->observed_generation));
	return entry;
}

bool condition_set(json_t *conditions, const struct condition *condition, int64_t now)
{
	size_t index = index_of(conditions, condition->type);
	const json_t *old = json_array_get(conditions, index);
	json_t *entry;

	assert(json_is_array(conditions));
	assert(condition->reason != NULL && condition->reason[0] != '\0');
	entry = entry_new(condition, old, now);
	if (old != NULL && json_same(old, entry)) {
		json_decref(entry);
		return false;
	}
	if (old != NULL)
		json_array_set_new(conditions, index, entry);
	else
		json_array_append_new(conditions, entry);
	return true;
}

bool condition_remove(json_t *conditions, const char *type)
{
	size_t index = index_of(conditions, type);

	return index < json_array_size(conditions) && json_array_remove(conditions, index) == 0;
}

const json_t *condition_find(const json_t *conditions, const char *type)
{
	return json_array_get(conditions, index_of(conditions, type));
}

bool condition_is_true(const json_t *object, const char *type)
{
	return text_is(condition_find(json_at(object, "status.conditions"), type), "status",
		       "True");
}
