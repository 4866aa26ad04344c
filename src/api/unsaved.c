#include "api/unsaved.h"

#include "resource/condition.h"

#include <stdio.h>

/* A copy whose status may be changed. */
static json_t *copy_with_conditions(const json_t *object, json_t **conditions)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)object);
	json_t *status = json_deep_copy(json_member(object, "status"));

	if (!json_is_object(status)) {
		json_decref(status);
		status = json_object();
	}
	if (!json_is_array(json_object_get(status, "conditions")))
		json_object_set_new(status, "conditions", json_array());
	*conditions = json_object_get(status, "conditions");
	json_object_set_new(copy, "status", status);
	return copy;
}

json_t *unsaved_view(const struct store *store, const struct kind *kind, const json_t *object,
		     int64_t now)
{
	char words[ERR_MSG_MAX + 160];
	json_t *copy, *conditions;
	struct err why = {0};

	if (kind->waits_for_disk == NULL || store_healthy(store, &why) ||
	    !kind->waits_for_disk(object, now))
		return json_incref((json_t *)(uintptr_t)object);
	copy = copy_with_conditions(object, &conditions);
	snprintf(words, sizeof(words),
		 "the new certificate cannot be saved; what was stored before stays in use, and "
		 "saving is tried again: %s",
		 why.msg);
	condition_set(conditions,
		      &(struct condition){.type = "StorageFailed",
					  .status = COND_TRUE,
					  .reason = "NotStored",
					  .message = words,
					  .observed_generation =
						  json_int_at(object, "metadata.generation", 0)},
		      now);
	return copy;
}
