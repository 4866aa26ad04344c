/* store/object.c - one stored object: immutable, counted */
#include "store/object.h"

#include "base/own.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

static void stamp(json_t *json, json_t *metadata, uint64_t revision)
{
	AUTO(auto_free) char *text = xasprintf("%" PRIu64, revision);

	json_object_set_new(metadata, "resourceVersion", json_string(text));
	json_object_set_new(json, "metadata", metadata);
}

static struct object *object_make(struct str_view key, uint64_t revision, json_t *json)
{
	struct object *object = xcalloc(1, sizeof(*object));

	object->refs = 1;
	object->revision = revision;
	object->key = sv_dup(key);
	object->json = json;
	return object;
}

struct object *object_new(struct str_view key, uint64_t revision, json_t *json)
{
	json_t *metadata = json_object_get(json, "metadata");

	assert(json_is_object(json));
	stamp(json, json_is_object(metadata) ? json_incref(metadata) : json_object(), revision);
	return object_make(key, revision, json);
}

struct object *object_at(const struct object *object, uint64_t revision)
{
	json_t *json = json_copy(object->json);

	struct object *later = object_make(sv_from(object->key), revision, json);

	stamp(json, json_copy(json_object_get(json, "metadata")), revision);
	later->text = object->text;
	return later;
}

struct object *object_ref(const struct object *object)
{
	/* The count is the one part that changes under readers. */
	struct object *counted = (struct object *)(uintptr_t)object;

	counted->refs++;
	return counted;
}

void object_unref(struct object *object)
{
	if (object == NULL)
		return;
	assert(object->refs > 0);
	if (--object->refs > 0)
		return;
	json_decref(object->json);
	free(object->key);
	free(object);
}

void auto_object(struct object **object)
{
	object_unref(*object);
}

static const json_t *metadata_member(const struct object *object, const char *name)
{
	return json_object_get(json_object_get(object->json, "metadata"), name);
}

static const char *metadata_text(const struct object *object, const char *name)
{
	const char *text = json_string_value(metadata_member(object, name));

	return text == NULL ? "" : text;
}

const char *object_name(const struct object *object)
{
	return metadata_text(object, "name");
}

const char *object_namespace(const struct object *object)
{
	return metadata_text(object, "namespace");
}

int64_t object_generation(const struct object *object)
{
	return json_integer_value(metadata_member(object, "generation"));
}

char *object_key(const char *group, const char *plural, const char *ns, const char *name)
{
	const char *const parts[] = {group, plural, ns, name};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (strchr(parts[i], '/') != NULL || (parts[i] != ns && parts[i][0] == '\0'))
			return NULL;
	}
	return xasprintf("%s/%s/%s/%s", group, plural, ns, name);
}

bool object_key_split(struct str_view key, struct object_key_parts *parts)
{
	struct str_view rest = key;

	parts->group = sv_split(&rest, '/');
	parts->plural = sv_split(&rest, '/');
	parts->ns = sv_split(&rest, '/');
	parts->name = rest;
	return rest.data != NULL && parts->group.len > 0 && parts->plural.len > 0 &&
	       parts->name.len > 0 && sv_find(parts->name, '/') == SV_NOT_FOUND;
}
