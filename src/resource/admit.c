/* resource/admit.c - from a body that was received to the object that is stored */
#include "resource/kind.h"

#include "base/own.h"
#include "resource/meta.h"
#include "resource/schema.h"

#define MEANT_MAX        8 /* unknown fields of an object for which the known ones are looked through */
#define UNKNOWN_TEXT_MAX 2048 /* more than one path always fits */

/* ---- what the body is ---- */

/* Is it "group/version" of the kind, and of the version that was asked for? */
static bool version_fits(const struct admission *how, struct str_view given)
{
	AUTO(auto_free) char *due = kind_api_version(how->kind, how->version);

	if (kind_by_gvk(given, sv_from(how->kind->kind)) != how->kind)
		return false;
	return how->version == NULL || sv_eq(sv_from(due), given);
}

static int check_type(const struct admission *how, const json_t *body, struct err *err)
{
	const struct kind *kind = how->kind;
	const json_t *name = json_member(body, "kind"), *version = json_member(body, "apiVersion");

	if (json_is_string(name) && strcmp(json_string_value(name), kind->kind) != 0)
		return err_set(err, ERR_INVALID, "the object is a %.64s, but a %s was due",
			       json_string_value(name), kind->kind);
	if (json_is_string(version) && !version_fits(how, text_of(version)))
		return err_set(err, ERR_INVALID,
			       "apiVersion \"%.128s\" is not that of a %s here: it is %s%s%s",
			       json_string_value(version), kind->kind, kind->group,
			       kind->group[0] == '\0' ? "" : "/",
			       how->version == NULL ? kind->versions[0] : how->version);
	if ((name != NULL && !json_is_string(name)) ||
	    (version != NULL && !json_is_string(version)))
		return err_set(err, ERR_INVALID, "apiVersion and kind must be strings");
	return 0;
}

static void set_type(const struct kind *kind, json_t *object)
{
	AUTO(auto_free) char *version = kind_api_version(kind, NULL);

	json_object_set_new(object, "apiVersion", json_string(version));
	json_object_set_new(object, "kind", json_string(kind->kind));
}

/* A copy of the body that is known to be an object of the kind with metadata; NULL with err. */
static json_t *object_from(const struct admission *how, const json_t *body, struct err *err)
{
	json_t *object, *meta;

	if (!json_is_object(body)) {
		err_set(err, ERR_INVALID, "the body is not an object");
		return NULL;
	}
	if (check_type(how, body, err) < 0)
		return NULL;
	meta = json_object_get(body, "metadata");
	if (meta != NULL && !json_is_null(meta) && !json_is_object(meta)) {
		err_set(err, ERR_INVALID, "metadata must be an object");
		return NULL;
	}
	object = json_deep_copy(body);
	if (!json_is_object(meta))
		json_object_set_new(object, "metadata", json_object());
	set_type(how->kind, object);
	return object;
}

/* ---- unknown members ---- */

struct unknown {
	enum field_validation fields;
	json_t *warnings; /* borrowed, may be NULL */
	size_t count;
	struct buf list; /* 'unknown field "a", unknown field "b"', as many as fit */
};

/* 'unknown field "spec.listners" (is "listeners" meant?)' */
static void name_unknown(struct buf *out, const struct unknown *unknown, const char *path,
			 const char *name, const struct schema_node *fields)
{
	struct buf meant;

	(void)buf_addf(out, "unknown field \"%s\"", path);
	buf_init(&meant, UNKNOWN_TEXT_MAX);
	if (unknown->count <= MEANT_MAX && schema_meant(fields, name, &meant))
		(void)buf_addf(out, " (is \"%s\" meant?)", buf_cstr(&meant));
	buf_deinit(&meant);
}

static void warn_unknown(const struct unknown *unknown, const char *path, const char *name,
			 const struct schema_node *fields)
{
	struct buf text;

	buf_init(&text, UNKNOWN_TEXT_MAX);
	name_unknown(&text, unknown, path, name, fields);
	json_array_append_new(unknown->warnings, json_sv(buf_view(&text)));
	buf_deinit(&text);
}

static void unknown_found(void *arg, const char *path, const char *name,
			  const struct schema_node *fields)
{
	struct unknown *unknown = arg;

	unknown->count++;
	if (unknown->fields == FIELDS_STRICT) {
		if (buf_len(&unknown->list) > 0)
			(void)buf_addf(&unknown->list, ", ");
		name_unknown(&unknown->list, unknown, path, name, fields);
	} else if (unknown->fields == FIELDS_WARN && unknown->warnings != NULL &&
		   json_array_size(unknown->warnings) < CAUSES_MAX) {
		warn_unknown(unknown, path, name, fields);
	}
}

/* The status of a write to the main resource is the daemon's, not the writer's. */
static void keep_status(const struct admission *how, json_t *object)
{
	json_t *old = json_object_get(how->old, "status");
	const json_t *given = json_member(object, "status");

	if (how->kind->has_status || json_is_null(given) ||
	    (json_is_object(given) && json_object_size(given) == 0))
		json_object_del(object, "status");
	if (how->kind->has_status && old != NULL)
		json_object_set_new(object, "status", json_deep_copy(old));
}

static void fill_status(const struct admission *how, json_t *object)
{
	json_t *status = NULL;

	if (how->old == NULL && how->kind->initial_status != NULL)
		status = how->kind->initial_status(object, how->now);
	if (status != NULL)
		json_object_set_new(object, "status", status);
}

/* ---- what is said when it is refused ---- */

/* 'Gateway.gateway.networking.k8s.io "a" is invalid: …' */
static void refuse_invalid(const struct admission *how, const json_t *object,
			   const struct causes *causes, struct err *err)
{
	const char *name = json_str_at(object, "metadata.name");
	struct buf text;

	buf_init(&text, ERR_MSG_MAX);
	causes_text(causes, &text);
	err_set(err, ERR_INVALID, "%s%s%s \"%.253s\" is invalid: %s", how->kind->kind,
		how->kind->group[0] == '\0' ? "" : ".", how->kind->group, name == NULL ? "" : name,
		buf_cstr(&text));
	buf_deinit(&text);
}

/* Unknown members make it a 400, whose sentence names the other mistakes too. */
static void refuse_strict(struct unknown *unknown, struct causes *causes, struct err *err)
{
	struct buf text;

	buf_init(&text, ERR_MSG_MAX);
	if (causes->count > 0) {
		buf_addf(&text, "; also wrong: ");
		causes_text(causes, &text);
	}
	err_set(err, ERR_INVALID, "strict decoding error: %s%s", buf_cstr(&unknown->list),
		buf_cstr(&text));
	buf_deinit(&text);
	causes_deinit(causes);
}

/* ---- the two ways in ---- */

static void complete(const struct admission *how, json_t *object, struct causes *causes)
{
	const struct kind *kind = how->kind;
	struct where where = {0};

	meta_fill(how, object);
	schema_default(kind->schema, object);
	if (kind->set_defaults != NULL)
		kind->set_defaults(object, how->old);
	schema_check(kind->schema, object, &where, causes);
	meta_validate(how, object, causes);
	if (kind->validate != NULL)
		kind->validate(object, how->old, causes);
	meta_generation(how, object);
	fill_status(how, object);
}

static json_t *admit_status(const struct admission *how, const json_t *body, struct causes *causes,
			    struct err *err)
{
	AUTO(auto_json) json_t *object = json_deep_copy(how->old);
	json_t *status = json_object_get(body, "status");
	struct where where = {0};

	json_object_del(object, "status");
	if (json_is_object(status))
		json_object_set_new(object, "status", json_deep_copy(status));
	else if (status != NULL && !json_is_null(status))
		causes_add(causes, CAUSE_TYPE, "status", "Invalid value: must be an object");
	where_to(&where, "status");
	schema_check(status_members, json_member(object, "status"), &where, causes);
	if (causes->count > 0) {
		refuse_invalid(how, object, causes, err);
		return NULL;
	}
	return TAKE(object);
}

static void warn(const struct admission *how, const json_t *object, json_t *warnings)
{
	bool changed = how->old == NULL || !how->kind->has_spec_generation ||
		       json_int_at(object, "metadata.generation", 0) !=
			       json_int_at(how->old, "metadata.generation", 0);

	if (warnings == NULL || !changed)
		return;
	if (how->kind->warning != NULL)
		json_array_append_new(warnings, json_string(how->kind->warning));
	if (how->kind->remark != NULL)
		how->kind->remark(object, warnings);
}

json_t *kind_admit(const struct admission *how, const json_t *body, json_t *warnings,
		   struct causes *causes, struct err *err)
{
	AUTO(auto_json) json_t *object = object_from(how, body, err);
	struct unknown unknown = {.fields = how->fields, .warnings = warnings};
	struct where where = {0};
	bool good = true;

	if (object == NULL)
		return NULL;
	if (how->status_only && how->old != NULL)
		return admit_status(how, body, causes, err);
	buf_init(&unknown.list, UNKNOWN_TEXT_MAX);
	keep_status(how, object);
	schema_prune(how->kind->schema, object, &where, unknown_found, &unknown);
	complete(how, object, causes);
	if (how->fields == FIELDS_STRICT && unknown.count > 0) {
		refuse_strict(&unknown, causes, err);
		good = false;
	} else if (causes->count > 0) {
		refuse_invalid(how, object, causes, err);
		good = false;
	} else {
		warn(how, object, warnings);
	}
	buf_deinit(&unknown.list);
	return good ? TAKE(object) : NULL;
}
