/* api/change.c - create, update and patch */
#include "api/serve.h"
#include "api/write.h"
#include "base/clock.h"
#include "base/own.h"
#include "codec/patch.h"
#include "resource/apply.h"

#include <stdlib.h>
#include <string.h>

enum change_verb { CHANGE_CREATE, CHANGE_UPDATE, CHANGE_PATCH };

struct change {
	struct write write;
	enum change_verb verb;
	enum media media; /* of a patch */
	enum field_validation fields;
	bool dry_run;
	unsigned tries;
	json_t *doc;           /* body or patch */
	char *name;            /* what request->subject points at */
	struct object *stored; /* once the store has it */
	bool created;
};

static void change_release(struct write *write)
{
	struct change *change = CONTAINER_OF(write, struct change, write);

	json_decref(change->doc);
	free(change->name);
	object_unref(change->stored);
	free(change);
}

static void refuse_conflict(struct request *request, const char *name)
{
	struct buf subject;

	buf_init(&subject, ERR_MSG_MAX);
	status_subject(request->route.kind, name, &subject);
	request_refuse(request, REASON_CONFLICT,
		       "Operation cannot be fulfilled on %s: the object has been modified; please "
		       "apply your changes to the latest version and try again",
		       buf_cstr(&subject));
	buf_deinit(&subject);
}

static void refuse_existing(struct request *request, const char *name)
{
	struct buf subject;

	buf_init(&subject, ERR_MSG_MAX);
	status_subject(request->route.kind, name, &subject);
	request_refuse(request, REASON_ALREADY_EXISTS, "%s already exists", buf_cstr(&subject));
	buf_deinit(&subject);
}

/* The store has its reasons; which of many documents it was about, only we can say. */
static void refuse_stored(struct request *request, const char *name, const struct err *err)
{
	struct buf subject;

	buf_init(&subject, ERR_MSG_MAX);
	status_subject(request->route.kind, name, &subject);
	request_refuse(request, reason_of(err->code), "%s: %s", buf_cstr(&subject), err->msg);
	buf_deinit(&subject);
}

/* ---- what is to be admitted ---- */

/* The key by which lists of strategic patches merge: those of the core, apps and discovery kinds.
 */
static const char *strategic_key(void *arg, const char *path)
{
	static const struct {
		const char *path, *key;
	} keys[] = {
		{"metadata.finalizers", ""},
		{"metadata.ownerReferences", "uid"},
		{"spec.imagePullSecrets", "name"},
		{"spec.ports", "port"},
		{"spec.template.spec.containers", "name"},
		{"spec.template.spec.containers.env", "name"},
		{"spec.template.spec.containers.ports", "containerPort"},
		{"spec.template.spec.containers.volumeMounts", "mountPath"},
		{"spec.template.spec.imagePullSecrets", "name"},
		{"spec.template.spec.initContainers", "name"},
		{"spec.template.spec.initContainers.env", "name"},
		{"spec.template.spec.initContainers.ports", "containerPort"},
		{"spec.template.spec.initContainers.volumeMounts", "mountPath"},
		{"spec.template.spec.volumes", "name"},
		{"status.conditions", "type"},
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].path, path) == 0)
			return keys[i].key;
	}
	return NULL;
}

static json_t *apply_doc(const json_t *base, const json_t *doc, struct err *err)
{
	if (json_is_object(doc))
		return kind_apply(base, doc);
	err_set(err, ERR_INVALID, "the document to apply is %s: an object is due",
		json_kind_words(doc));
	return NULL;
}

/* The body, or what the patch makes of old: a new reference, or NULL with err. */
static json_t *changed_doc(const struct change *change, const struct object *old, struct err *err)
{
	struct shape shape = request_shape(change->write.request);
	AUTO(auto_json) json_t *base = NULL;

	if (change->verb != CHANGE_PATCH || old == NULL)
		return json_incref(change->doc);
	base = shape_plain(&shape, old->json);
	switch (change->media) {
	case MEDIA_JSON_PATCH:
		return patch_json(base, change->doc, err);
	case MEDIA_STRATEGIC_PATCH:
		return patch_strategic(base, change->doc, strategic_key, NULL, err);
	case MEDIA_APPLY:
		return apply_doc(base, change->doc, err);
	case MEDIA_MERGE_PATCH:
	default:
		return patch_merge(base, change->doc);
	}
}

/* Namespace and name of a body are those of the path, or absent. */
static int place_member(json_t *meta, const char *member, const char *value, struct err *err)
{
	const char *given = json_str_at(meta, member);

	if (value == NULL || value[0] == '\0')
		return 0;
	if (given != NULL && given[0] != '\0' && strcmp(given, value) != 0)
		return err_set(err, ERR_INVALID,
			       "metadata.%s of the object is \"%.253s\", but the request names "
			       "\"%.253s\"",
			       member, given, value);
	json_object_set_new(meta, member, json_string(value));
	return 0;
}

/* Which file an object comes from is the folder's to say: what a client sends of it (an export that
 * is applied again) would have the object deleted at the next reload. */
static void place_source(json_t *meta, const struct object *old)
{
	json_t *annotations = json_object_get(meta, "annotations");
	const json_t *source = write_source(old);

	if (annotations != NULL && !json_is_null(annotations) && !json_is_object(annotations))
		return; /* admission refuses it */
	if (source == NULL && json_member(annotations, SOURCE_ANNOTATION) == NULL)
		return;
	annotations = json_is_object(annotations) ? json_copy(annotations) : json_object();
	if (source == NULL)
		json_object_del(annotations, SOURCE_ANNOTATION);
	else
		json_object_set(annotations, SOURCE_ANNOTATION, (json_t *)(uintptr_t)source);
	json_object_set_new(meta, "annotations", annotations);
}

/* A copy of doc with the metadata that the path and old decide; NULL with err. */
static json_t *place(const struct request *request, const json_t *doc, const struct object *old,
		     struct err *err)
{
	AUTO(auto_json) json_t *object = NULL;
	json_t *meta = json_object_get(doc, "metadata");

	if (!json_is_object(doc) || (meta != NULL && !json_is_null(meta) && !json_is_object(meta)))
		return json_incref((json_t *)(uintptr_t)doc); /* admission refuses it */
	object = json_copy((json_t *)(uintptr_t)doc);
	meta = json_is_object(meta) ? json_copy(meta) : json_object();
	json_object_set_new(object, "metadata", meta);
	if (place_member(meta, "namespace", request->route.ns, err) < 0 ||
	    place_member(meta, "name", request->route.name, err) < 0)
		return NULL;
	place_source(meta, old);
	return TAKE(object);
}

/* ---- what speaks against it ---- */

static bool namespace_exists(const struct request *request)
{
	AUTO(auto_free) char *key = NULL;

	if (!request->route.kind->namespaced)
		return true;
	key = object_key("core", "namespaces", "", request->route.ns);
	return key != NULL && store_get(request->api->config.store, sv_from(key)) != NULL;
}

static void refuse_namespace(struct request *request)
{
	const char *name = request->route.ns;
	AUTO(auto_free) char *message = xasprintf("namespaces \"%.253s\" not found", name);

	request_answer_status(request, &(struct status){
					       .reason = REASON_NOT_FOUND,
					       .message = message,
					       .kind = kind_by_plural(SV(""), SV("namespaces")),
					       .name = name,
				       });
}

/* Does the client mean another state than the one in force? */
static bool outdated(const json_t *object, const struct object *old)
{
	const char *version = json_str_at(object, "metadata.resourceVersion");
	const char *uid = json_str_at(object, "metadata.uid");
	const char *old_version = json_str_at(old->json, "metadata.resourceVersion");
	const char *old_uid = json_str_at(old->json, "metadata.uid");

	if (version != NULL && version[0] != '\0' && strcmp(version, old_version) != 0)
		return true;
	return uid != NULL && uid[0] != '\0' && old_uid != NULL && strcmp(uid, old_uid) != 0;
}

/* ---- one attempt ---- */

static void attempt(struct change *change);

static void change_settled(struct write *write)
{
	struct change *change = CONTAINER_OF(write, struct change, write);
	const struct object *now =
		store_get(write->api->config.store, sv_from(change->stored->key));

	/* As it is stored now, with the status that followed; unless it is gone, or another. */
	if (now == NULL || !json_same(json_at(now->json, "metadata.uid"),
				      json_at(change->stored->json, "metadata.uid")))
		now = change->stored;
	request_answer_object(write->request, change->created ? 201 : 200, now->json);
	write_end(write);
}

static bool worth_another_try(const struct change *change, enum err_code code)
{
	if (change->tries >= WRITE_TRIES_MAX)
		return false;
	if (code == ERR_EXISTS)
		return change->verb == CHANGE_PATCH ||
		       json_str_at(change->doc, "metadata.name") == NULL;
	return code == ERR_CONFLICT || code == ERR_NOT_FOUND;
}

/* settle=false: the answer does not wait; settle=true: it does even when nothing was changed. So of
 * many writes in a row only the last waits, for all of them. */
static bool asks_to_settle(const struct request *request, const char *how)
{
	const char *text = target_param(&request->target, "settle");

	return text != NULL && strcmp(text, how) == 0;
}

static void on_stored(void *arg, const struct object *object, const struct err *err)
{
	struct change *change = arg;
	struct request *request = change->write.request;

	if (!write_is_due(&change->write))
		return;
	if (err->code == ERR_NONE) {
		change->stored = object_ref(object);
		if (asks_to_settle(request, "false"))
			change_settled(&change->write);
		else
			write_settle(&change->write, object->revision);
		return;
	}
	if (worth_another_try(change, err->code)) {
		attempt(change);
		return;
	}
	if (err->code == ERR_EXISTS)
		refuse_existing(request, change->name);
	else if (err->code == ERR_CONFLICT)
		refuse_conflict(request, change->name);
	else
		refuse_stored(request, change->name, err);
	write_end(&change->write);
}

static void put(struct change *change, const json_t *object, const struct object *old)
{
	struct request *request = change->write.request;
	AUTO(auto_free) char *key = kind_key(request->route.kind, request->route.ns, change->name);

	if (old == NULL && store_get(request->api->config.store, sv_from(key)) != NULL) {
		refuse_existing(request, change->name);
		write_end(&change->write);
	} else if (change->dry_run) {
		request_answer_object(request, old == NULL ? 201 : 200, object);
		write_end(&change->write);
	} else {
		change->created = old == NULL;
		change->tries++;
		change->write.outstanding = 1;
		store_put(request->api->config.store, sv_from(key), object,
			  old == NULL ? 0 : old->revision, on_stored, change);
	}
}

/* The object to store, or NULL: refused, answered. */
static json_t *admit(struct change *change, const json_t *body, const struct object *old)
{
	struct request *request = change->write.request;
	struct admission how = {
		.kind = request->route.kind,
		.old = old == NULL ? NULL : old->json,
		.status_only = request->route.status,
		.fields = change->fields,
		.version = request->route.version,
		.now = clock_wall(),
	};
	struct err err = {.code = ERR_NONE};
	struct causes causes;
	json_t *object;

	causes_init(&causes);
	object = kind_admit(&how, body, request->warnings, &causes, &err);
	free(change->name);
	change->name = sv_dup(json_sv_at(object == NULL ? body : object, "metadata.name"));
	request->subject = change->name;
	if (object == NULL)
		request_fail(request, &err, &causes);
	causes_deinit(&causes);
	return object;
}

/* What the client sent or made of old, with the metadata of the path; NULL: refused, answered. */
static json_t *wanted(struct change *change, const struct object *old)
{
	struct request *request = change->write.request;
	struct err err = {.code = ERR_NONE};
	AUTO(auto_json) json_t *doc = changed_doc(change, old, &err);
	AUTO(auto_json) json_t *object = NULL;

	if (doc == NULL) {
		request_refuse(request, REASON_INVALID, "the patch cannot be applied: %s", err.msg);
		return NULL;
	}
	object = place(request, doc, old, &err);
	if (object == NULL) {
		request_fail(request, &err, NULL);
		return NULL;
	}
	if (old != NULL && outdated(object, old)) {
		refuse_conflict(request, object_name(old));
		return NULL;
	}
	return TAKE(object);
}

/* False: there is nothing to change; answered. */
static bool find_old(struct change *change, const struct object **old)
{
	struct request *request = change->write.request;
	bool may_create = change->verb == CHANGE_CREATE ||
			  (change->media == MEDIA_APPLY && !request->route.status);

	*old = change->verb == CHANGE_CREATE ? NULL : request_object(request);
	if (*old != NULL)
		return true;
	if (may_create && namespace_exists(request))
		return true;
	if (may_create)
		refuse_namespace(request);
	else
		request_absent(request, request->route.name);
	return false;
}

static void attempt(struct change *change)
{
	struct request *request = change->write.request;
	AUTO(auto_json) json_t *body = NULL;
	AUTO(auto_json) json_t *object = NULL;
	const struct object *old;

	json_array_clear(request->warnings);
	if (find_old(change, &old))
		body = wanted(change, old);
	if (body != NULL)
		object = admit(change, body, old);
	if (object == NULL) {
		write_end(&change->write);
		return;
	}
	if (old != NULL && json_same(object, old->json) && asks_to_settle(request, "true")) {
		change->stored = object_ref(old);
		write_settle(&change->write, store_revision(request->api->config.store));
		return;
	}
	if (old != NULL && json_same(object, old->json)) {
		request_answer_object(request, 200, old->json);
		write_end(&change->write);
		return;
	}
	write_warn_source(request, old);
	put(change, object, old);
}

/* ---- from the request ---- */

static int parse_fields(struct request *request, enum field_validation *fields)
{
	static const struct {
		const char *text;
		enum field_validation fields;
	} words[] = {
		{"", FIELDS_WARN}, /* Kubernetes' default as well */
		{"Strict", FIELDS_STRICT},
		{"Warn", FIELDS_WARN},
		{"Ignore", FIELDS_IGNORE},
	};
	const char *text = target_param(&request->target, "fieldValidation");

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(text == NULL ? "" : text, words[i].text) == 0) {
			*fields = words[i].fields;
			return 0;
		}
	}
	request_refuse(request, REASON_BAD_REQUEST,
		       "fieldValidation: \"%.64s\" is none of Strict, Warn, Ignore", text);
	return -1;
}

static void serve_change(struct request *request, enum change_verb verb)
{
	struct err err = {.code = ERR_NONE};
	struct change *change;
	enum field_validation fields;
	bool dry_run;
	json_t *doc;

	if (parse_fields(request, &fields) < 0 || write_dry_run(request, &dry_run) < 0)
		return;
	doc = request_json(request, &err);
	if (doc == NULL) {
		request_fail(request, &err, NULL);
		return;
	}
	change = xcalloc(1, sizeof(*change));
	change->verb = verb;
	change->media = request_media(request);
	change->fields = fields;
	change->dry_run = dry_run;
	change->doc = doc;
	change->name = xstrdup("");
	change->write.settled = change_settled;
	change->write.release = change_release;
	write_init(&change->write, request);
	attempt(change);
}

static bool media_good(struct request *request)
{
	enum media media = request_media(request);

	if (media == MEDIA_JSON || media == MEDIA_YAML)
		return true;
	request_refuse(request, REASON_MEDIA_TYPE,
		       "the body of the request was in an unknown format - accepted media types "
		       "include: application/json, application/yaml");
	return false;
}

void serve_create(struct request *request)
{
	if (request->route.ns == NULL)
		request_refuse(request, REASON_METHOD_NOT_ALLOWED,
			       "%s are created in a namespace: "
			       "POST …/namespaces/NAMESPACE/%s",
			       request->route.kind->plural, request->route.kind->plural);
	else if (media_good(request))
		serve_change(request, CHANGE_CREATE);
}

void serve_update(struct request *request)
{
	if (media_good(request))
		serve_change(request, CHANGE_UPDATE);
}

void serve_patch(struct request *request)
{
	enum media media = request_media(request);
	bool strategic = request->route.kind->strategic;

	if (media == MEDIA_JSON_PATCH || media == MEDIA_MERGE_PATCH || media == MEDIA_APPLY ||
	    (media == MEDIA_STRATEGIC_PATCH && strategic))
		serve_change(request, CHANGE_PATCH);
	else
		request_refuse(request, REASON_MEDIA_TYPE,
			       "the body of the request was in an unknown format - accepted media "
			       "types include: application/json-patch+json, "
			       "application/merge-patch+json%s, application/apply-patch+yaml",
			       strategic ? ", application/strategic-merge-patch+json" : "");
}
