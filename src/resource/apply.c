/* resource/apply.c - what applying a manifest makes of the object that is there */
#include "resource/apply.h"

#include <stdint.h>
#include <string.h>

/* Members of from into *into (made when absent); null removes. Anything but two objects: from's
 * value is taken as it is, and admission says what is wrong with it. */
static void merge_map(json_t *meta, const char *name, json_t *from)
{
	json_t *into = json_object_get(meta, name), *value;
	const char *key;

	if (!json_is_object(from) || (into != NULL && !json_is_object(into))) {
		json_object_set(meta, name, from);
		return;
	}
	into = into == NULL ? json_object() : json_copy(into);
	json_object_foreach(from, key, value)
	{
		if (json_is_null(value))
			json_object_del(into, key);
		else
			json_object_set(into, key, value);
	}
	json_object_set_new(meta, name, into);
}

static bool is_merged(const char *name)
{
	return strcmp(name, "labels") == 0 || strcmp(name, "annotations") == 0;
}

static json_t *merge_metadata(const json_t *old, json_t *given)
{
	json_t *meta, *value;
	const char *name;

	if (given != NULL && !json_is_null(given) && !json_is_object(given))
		return json_incref(given);
	meta = json_is_object(old) ? json_copy((json_t *)(uintptr_t)old) : json_object();
	json_object_foreach(given, name, value)
	{
		if (json_is_null(value) && (is_merged(name) || json_object_get(meta, name) != NULL))
			continue;
		if (is_merged(name))
			merge_map(meta, name, value);
		else
			json_object_set(meta, name, value);
	}
	return meta;
}

json_t *kind_apply(const json_t *old, const json_t *doc)
{
	json_t *object = json_copy((json_t *)(uintptr_t)doc);
	json_t *status = json_object_get(old, "status");

	json_object_set_new(
		object, "metadata",
		merge_metadata(json_member(old, "metadata"), json_object_get(doc, "metadata")));
	if (status == NULL)
		json_object_del(object, "status");
	else
		json_object_set(object, "status", status);
	return object;
}
