/* tests/unit/controller/objects.h - objects from YAML text, as the store would hold them */
#ifndef TESTS_CONTROLLER_OBJECTS_H
#define TESTS_CONTROLLER_OBJECTS_H

#include "base/own.h"
#include "codec/yaml.h"
#include "store/object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static inline json_t *value_of(const char *yaml)
{
	struct err err = {0};
	AUTO(auto_json) json_t *docs = yaml_parse(sv_from(yaml), &err);

	if (json_array_size(docs) != 1)
		fail_msg("test text: %s: %s", err.msg, yaml);
	return json_incref(json_array_get(docs, 0));
}

/* One owner: the caller. */
static inline struct object *object_of(const char *plural, const char *yaml)
{
	json_t *json = value_of(yaml);
	AUTO(auto_free)
	char *key = object_key("gateway.networking.k8s.io", plural,
			       json_str_at(json, "metadata.namespace"),
			       json_str_at(json, "metadata.name"));

	return object_new(sv_from(key), 1, json);
}

#endif
