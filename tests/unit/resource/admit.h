/* tests/unit/resource/admit.h - objects from YAML text through kind_admit, for tables of cases */
#ifndef TEST_RESOURCE_ADMIT_H
#define TEST_RESOURCE_ADMIT_H

#include "base/own.h"
#include "codec/yaml.h"
#include "resource/kind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW INT64_C(1767323045) /* 2026-01-02T03:04:05Z */

/* One document; fails the test when the text is wrong. */
static inline json_t *doc(const char *yaml)
{
	struct err err = {0};
	AUTO(auto_json) json_t *docs = yaml_parse(sv_from(yaml), &err);

	if (json_array_size(docs) != 1)
		fail_msg("test text: %s: %s", err.msg, yaml);
	return json_incref(json_array_get(docs, 0));
}

/* One value, null too. */
static inline json_t *value_of(const char *yaml)
{
	AUTO(auto_free) char *text = xasprintf("value: %s", yaml);
	AUTO(auto_json) json_t *outer = doc(text);

	return json_incref(json_object_get(outer, "value"));
}

struct admitted {
	json_t *object; /* NULL: refused */
	json_t *warnings;
	struct causes causes;
	struct err err;
};

static inline void admitted_deinit(struct admitted *admitted)
{
	json_decref(admitted->object);
	json_decref(admitted->warnings);
	causes_deinit(&admitted->causes);
}

/* The kind is taken from the body. */
static inline struct admitted admit(const json_t *body, const json_t *old,
				    enum field_validation fields)
{
	struct admission how = {
		.kind = kind_by_gvk(json_sv_at(body, "apiVersion"), json_sv_at(body, "kind")),
		.old = old,
		.fields = fields,
		.now = NOW,
	};
	struct admitted admitted = {.warnings = json_array()};

	if (how.kind == NULL)
		fail_msg("test text: no kind %s", json_str_at(body, "kind"));
	causes_init(&admitted.causes);
	admitted.object =
		kind_admit(&how, body, admitted.warnings, &admitted.causes, &admitted.err);
	return admitted;
}

/* The stored object of a valid text. */
static inline json_t *stored(const char *yaml)
{
	AUTO(auto_json) json_t *body = doc(yaml);
	AUTO(admitted_deinit) struct admitted admitted = admit(body, NULL, FIELDS_STRICT);

	if (admitted.object == NULL)
		fail_msg("%s", admitted.err.msg);
	return json_incref(admitted.object);
}

/* A change to a valid object, and the one mistake that it makes. */
struct mistake {
	const char *path;  /* "spec.listeners.0.port" */
	const char *value; /* YAML; NULL: taken away */
	const char *field; /* NULL: no mistake */
	enum cause_reason reason;
	const char *words; /* in the message; NULL: any */
};

static inline void describe(const struct admitted *admitted, const struct mistake *mistake)
{
	struct buf text;

	buf_init(&text, 1 << 16);
	causes_text(&admitted->causes, &text);
	fail_msg("%s: %s should give %s (%s: %s), gave %s %s", mistake->path,
		 mistake->value == NULL ? "absence" : mistake->value,
		 mistake->field == NULL ? "no mistake" : mistake->field,
		 cause_reason_text(mistake->reason), mistake->words == NULL ? "" : mistake->words,
		 admitted->object == NULL ? admitted->err.msg : "no mistake", buf_cstr(&text));
}

static inline bool as_expected(const struct admitted *admitted, const struct mistake *mistake)
{
	const struct cause *cause = &admitted->causes.list[0];

	if (mistake->field == NULL)
		return admitted->object != NULL;
	return admitted->object == NULL && admitted->causes.count == 1 &&
	       strcmp(cause->field, mistake->field) == 0 && cause->reason == mistake->reason &&
	       (mistake->words == NULL || strstr(cause->message, mistake->words) != NULL);
}

static inline void check_mistake(const char *base, const json_t *old, const struct mistake *mistake)
{
	AUTO(auto_json) json_t *body = doc(base);
	struct admitted admitted;

	json_set_at(body, mistake->path, mistake->value == NULL ? NULL : value_of(mistake->value));
	admitted = admit(body, old, FIELDS_STRICT);
	if (!as_expected(&admitted, mistake))
		describe(&admitted, mistake);
	admitted_deinit(&admitted);
}

static inline void check_mistakes(const char *base, const struct mistake *mistakes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_mistake(base, NULL, &mistakes[i]);
}

/* The value that an admitted object has at a path, as YAML wrote it (NULL: absent). */
struct filled {
	const char *path, *value;
};

static inline void check_filled(const char *yaml, const struct filled *filled, size_t count)
{
	AUTO(auto_json) json_t *object = stored(yaml);

	for (size_t i = 0; i < count; i++) {
		AUTO(auto_json)
		json_t *want = filled[i].value == NULL ? NULL : value_of(filled[i].value);
		AUTO(auto_free) char *text = json_text(object);

		if (!json_same(want, json_at(object, filled[i].path)))
			fail_msg("%s should be %s in %s", filled[i].path,
				 filled[i].value == NULL ? "absent" : filled[i].value, text);
	}
}

/* Nothing that was given has changed, and to admit the result again changes nothing. */
static inline void check_kept(const json_t *given, const json_t *has, const char *yaml)
{
	const char *name;
	json_t *value;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)given, name, value)
		check_kept(value, json_member(has, name), yaml);
	json_array_foreach(given, i, value) check_kept(value, json_array_get(has, i), yaml);
	if (!json_is_object(given) && !json_is_array(given) && !json_same(given, has))
		fail_msg("a given value changed: %s", yaml);
}

static inline void check_valid(const char *yaml)
{
	AUTO(auto_json) json_t *body = doc(yaml);
	AUTO(auto_json) json_t *object = stored(yaml);
	AUTO(admitted_deinit) struct admitted again = admit(body, object, FIELDS_STRICT);
	AUTO(admitted_deinit) struct admitted same = admit(object, object, FIELDS_STRICT);

	check_kept(body, object, yaml);
	if (!json_same(again.object, object) || !json_same(same.object, object))
		fail_msg("not the same when admitted again (%s%s): %s", again.err.msg, same.err.msg,
			 yaml);
}

#endif
