#include "controller/ctl.h"

#include "base/log.h"
#include "base/own.h"

#include <stdlib.h>

const struct object *ctl_get(struct controllers *ctl, const struct kind *kind, const char *ns,
			     const char *name)
{
	AUTO(auto_free) char *key = kind_key(kind, ns, name);

	return store_get(ctl->config.store, sv_from(key));
}

/* ---- writing ---- */

struct write {            /* one write under way: what to do when it failed */
	struct list link; /* in ctl->writes */
	struct controllers *ctl;
	enum controller_id id;
	bool again; /* queue the key of id */
	char *key;
	store_wrote_fn *done;
	void *arg;
};

static void write_end(struct write *write, const struct object *object, const struct err *err)
{
	list_remove(&write->link);
	if (write->done != NULL)
		write->done(write->arg, object, err);
	free(write->key);
	free(write);
}

static void wrote(void *arg, const struct object *object, const struct err *err)
{
	struct write *write = arg;
	bool raced =
		err->code == ERR_CONFLICT || err->code == ERR_EXISTS || err->code == ERR_NOT_FOUND;

	if (err->code != ERR_NONE && !raced)
		log_error("controller", "%s: not stored: %s", write->key, err->msg);
	if (err->code != ERR_NONE && write->again && raced)
		ctl_queue(write->ctl, write->id, sv_from(write->key));
	else if (err->code != ERR_NONE && write->again)
		ctl_retry(write->ctl, write->id, sv_from(write->key));
	write_end(write, object, err);
}

void ctl_drop_writes(struct controllers *ctl)
{
	struct err err = {.code = ERR_GONE, .msg = "the daemon has ended"};

	LIST_EACH(&ctl->writes, node)
	{
		struct write *write = LIST_ENTRY(node, struct write, link);

		store_forget(ctl->config.store, write);
		write_end(write, NULL, &err);
	}
}

static struct write *write_new(struct controllers *ctl, const char *key)
{
	struct write *write = xcalloc(1, sizeof(*write));

	write->ctl = ctl;
	write->key = xstrdup(key);
	list_append(&ctl->writes, &write->link);
	return write;
}

void ctl_put_status(struct controllers *ctl, enum controller_id id, const struct object *object,
		    json_t *status)
{
	AUTO(auto_json) json_t *taken = status;
	AUTO(auto_json) json_t *copy = NULL;
	struct write *write;

	if (json_same(json_member(object->json, "status"), taken))
		return;
	copy = json_copy(object->json);
	json_object_set(copy, "status", taken);
	write = write_new(ctl, object->key);
	write->id = id;
	write->again = true;
	store_put(ctl->config.store, sv_from(object->key), copy, object->revision, wrote, write);
}

void ctl_put_object(struct controllers *ctl, const struct kind *kind, const struct object *old,
		    json_t *body, store_wrote_fn *done, void *arg)
{
	AUTO(auto_json) json_t *taken = body;
	AUTO(auto_json) json_t *made = NULL;
	AUTO(auto_json) json_t *warnings = json_array();
	AUTO(auto_free) char *key = NULL;
	struct admission how = {.kind = kind,
				.old = old == NULL ? NULL : old->json,
				.fields = FIELDS_STRICT,
				.now = ctl_now()};
	struct causes causes;
	struct err err = {.code = ERR_NONE};
	const char *ns = json_str_at(taken, "metadata.namespace");
	json_t *status = json_object_get(taken, "status");

	causes_init(&causes);
	made = kind_admit(&how, taken, warnings, &causes, &err);
	causes_deinit(&causes);
	if (made == NULL) {
		log_error("controller", "%s %s: refused by our own rules: %s", kind->kind,
			  json_str_at(taken, "metadata.name"), err.msg);
		if (done != NULL)
			done(arg, NULL, &err);
		return;
	}
	if (status != NULL)
		json_object_set(made, "status", status);
	key = kind_key(kind, kind->namespaced && ns != NULL ? ns : "",
		       json_str_at(made, "metadata.name"));
	struct write *write = write_new(ctl, key);

	write->done = done;
	write->arg = arg;
	store_put(ctl->config.store, sv_from(key), made, old == NULL ? 0 : old->revision, wrote,
		  write);
}

void ctl_delete_object(struct controllers *ctl, const struct object *object)
{
	store_delete(ctl->config.store, sv_from(object->key), object->revision, wrote,
		     write_new(ctl, object->key));
}

/* ---- owners ---- */

json_t *ctl_owner_ref(const struct kind *kind, const struct object *owner)
{
	AUTO(auto_free) char *version = kind_api_version(kind, NULL);

	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "apiVersion", version, "kind",
			 kind->kind, "name", object_name(owner), "uid",
			 json_str_at(owner->json, "metadata.uid"), "controller", 1,
			 "blockOwnerDeletion", 1);
}

bool ctl_is_owned_by(const struct object *object, const struct object *owner)
{
	struct str_view uid = json_sv_at(owner->json, "metadata.uid");
	const json_t *refs = json_at(object->json, "metadata.ownerReferences");
	json_t *ref;
	size_t i;

	json_array_foreach(refs, i, ref)
	{
		if (uid.len > 0 && sv_eq(json_sv_at(ref, "uid"), uid))
			return true;
	}
	return false;
}
