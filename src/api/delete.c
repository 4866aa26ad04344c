/* api/delete.c - delete and deletecollection; a Namespace goes with everything in it */
#include "api/serve.h"
#include "api/write.h"
#include "base/own.h"

#include <stdlib.h>
#include <string.h>

struct removal {
	struct write write;
	struct task sweep; /* for a Namespace: what came in while it went */
	bool dry_run;
	bool collection;
	unsigned tries;
	char *key;                     /* of the one object */
	char *ns;                      /* what goes with a Namespace: everything in it; else NULL */
	char *name, *uid;              /* of the one object, for the answer */
	char *want_uid, *want_version; /* preconditions; NULL: none */
	struct err err;                /* the first of the store's errors */
};

static void removal_release(struct write *write)
{
	struct removal *removal = CONTAINER_OF(write, struct removal, write);

	task_cancel(&removal->sweep);
	free(removal->key);
	free(removal->ns);
	free(removal->name);
	free(removal->uid);
	free(removal->want_uid);
	free(removal->want_version);
	free(removal);
}

static void answer_success(struct removal *removal)
{
	request_answer_status(removal->write.request, &(struct status){
							      .reason = REASON_SUCCESS,
							      .name = removal->name,
							      .uid = removal->uid,
						      });
	write_end(&removal->write);
}

static void removal_settled(struct write *write)
{
	answer_success(CONTAINER_OF(write, struct removal, write));
}

static void attempt(struct removal *removal);
static void on_deleted(void *arg, const struct object *object, const struct err *err);

static void remove_key(struct removal *removal, struct str_view key, uint64_t expect)
{
	removal->write.outstanding++;
	store_delete(removal->write.api->config.store, key, expect, on_deleted, removal);
}

static bool remove_visited(void *arg, const struct object *object)
{
	remove_key(arg, sv_from(object->key), 0);
	return true;
}

static void remove_contents(struct removal *removal)
{
	for (size_t i = 0; i < kind_count; i++) {
		AUTO(auto_free) char *prefix = NULL;

		if (!kinds[i].namespaced)
			continue;
		prefix = kind_prefix(&kinds[i], removal->ns);
		if (prefix != NULL)
			store_each(removal->write.api->config.store, sv_from(prefix),
				   remove_visited, removal);
	}
}

/* ---- the store has answered ---- */

static void finish(struct removal *removal)
{
	const struct api *api = removal->write.api;

	if (removal->err.code == ERR_NONE) {
		write_settle(&removal->write, store_revision(api->config.store));
		return;
	}
	request_fail(removal->write.request, &removal->err, NULL);
	write_end(&removal->write);
}

/* Objects that were being created in the Namespace while it was deleted. */
static void on_sweep(struct task *task)
{
	struct removal *removal = CONTAINER_OF(task, struct removal, sweep);

	removal->tries++;
	remove_contents(removal);
	if (removal->write.outstanding == 0)
		finish(removal);
}

static void note(struct removal *removal, const struct err *err)
{
	bool gone_already =
		err->code == ERR_NOT_FOUND && (removal->collection || removal->ns != NULL);

	if (removal->err.code == ERR_NONE && err->code != ERR_NONE && !gone_already)
		removal->err = *err;
}

static void on_deleted(void *arg, const struct object *object, const struct err *err)
{
	struct removal *removal = arg;

	(void)object;
	note(removal, err);
	if (!write_is_due(&removal->write))
		return;
	if (removal->err.code == ERR_CONFLICT && removal->tries < WRITE_TRIES_MAX) {
		removal->err.code = ERR_NONE;
		attempt(removal);
	} else if (removal->err.code == ERR_NOT_FOUND) {
		request_absent(removal->write.request, removal->name);
		write_end(&removal->write);
	} else if (removal->ns != NULL && removal->err.code == ERR_NONE &&
		   removal->tries < WRITE_TRIES_MAX) {
		task_defer(removal->write.api->config.loop, &removal->sweep);
	} else {
		finish(removal);
	}
}

/* ---- what the client asks for ---- */

static void take_text(char **into, const json_t *options, const char *path)
{
	struct str_view text = json_sv_at(options, path);

	if (text.len > 0)
		*into = sv_dup(text);
}

/* metav1.DeleteOptions in the body: preconditions and dryRun; the rest has no meaning here. */
static int read_options(struct removal *removal)
{
	struct request *request = removal->write.request;
	struct err err = {.code = ERR_NONE};
	AUTO(auto_json) json_t *options = request_json(request, &err);
	const json_t *dry_run;

	if (options != NULL && !json_is_null(options) && !json_is_object(options))
		err_set(&err, ERR_INVALID, "the body is %s: DeleteOptions are due",
			json_kind_words(options));
	if (err.code != ERR_NONE) {
		request_fail(request, &err, NULL);
		return -1;
	}
	take_text(&removal->want_uid, options, "preconditions.uid");
	take_text(&removal->want_version, options, "preconditions.resourceVersion");
	dry_run = json_member(options, "dryRun");
	removal->dry_run |= json_array_size(dry_run) > 0;
	return 0;
}

static struct removal *removal_new(struct request *request)
{
	struct removal *removal;
	bool dry_run;

	if (write_dry_run(request, &dry_run) < 0)
		return NULL;
	removal = xcalloc(1, sizeof(*removal));
	removal->dry_run = dry_run;
	removal->write.settled = removal_settled;
	removal->write.release = removal_release;
	task_init(&removal->sweep, on_sweep);
	write_init(&removal->write, request);
	if (read_options(removal) < 0) {
		write_end(&removal->write);
		return NULL;
	}
	return removal;
}

/* ---- one object ---- */

static bool is_namespace(const struct request *request)
{
	return strcmp(request->route.kind->kind, "Namespace") == 0;
}

/* The two that the daemon itself makes and needs. */
static bool is_protected(const struct request *request)
{
	return is_namespace(request) && (strcmp(request->route.name, "default") == 0 ||
					 strcmp(request->route.name, "sallyport-system") == 0);
}

/* False: refused, answered. */
static bool preconditions_hold(struct removal *removal, const struct object *object)
{
	const char *uid = json_str_at(object->json, "metadata.uid");
	const char *version = json_str_at(object->json, "metadata.resourceVersion");
	const char *what = NULL;

	if (removal->want_uid != NULL && (uid == NULL || strcmp(uid, removal->want_uid) != 0))
		what = "UID";
	else if (removal->want_version != NULL && strcmp(version, removal->want_version) != 0)
		what = "ResourceVersion";
	if (what == NULL)
		return true;
	request_refuse(removal->write.request, REASON_CONFLICT,
		       "the object is another than the preconditions name: %s in object meta is %s",
		       what, what[0] == 'U' ? uid : version);
	return false;
}

static void attempt(struct removal *removal)
{
	struct request *request = removal->write.request;
	const struct object *object = request_object(request);
	bool conditional = removal->want_uid != NULL || removal->want_version != NULL;

	if (object == NULL) {
		request_absent(request, request->route.name);
		write_end(&removal->write);
		return;
	}
	if (!preconditions_hold(removal, object)) {
		write_end(&removal->write);
		return;
	}
	free(removal->uid);
	removal->uid = sv_dup(json_sv_at(object->json, "metadata.uid"));
	json_array_clear(request->warnings);
	write_warn_source(request, object);
	if (removal->dry_run) {
		answer_success(removal);
		return;
	}
	removal->tries++;
	if (removal->ns != NULL)
		remove_contents(removal);
	remove_key(removal, sv_from(removal->key), conditional ? object->revision : 0);
}

void serve_delete(struct request *request)
{
	struct removal *removal;

	if (is_protected(request)) {
		request_refuse(request, REASON_FORBIDDEN,
			       "namespaces \"%s\" is forbidden: this namespace may not be deleted",
			       request->route.name);
		return;
	}
	removal = removal_new(request);
	if (removal == NULL)
		return;
	removal->name = xstrdup(request->route.name);
	removal->key = request_key(request);
	if (is_namespace(request))
		removal->ns = xstrdup(request->route.name);
	attempt(removal);
}

/* ---- a collection ---- */

struct sifting {
	struct removal *removal;
	const struct selector *selector;
};

static bool remove_selected(void *arg, const struct object *object)
{
	const struct sifting *sifting = arg;

	if (selector_matches(sifting->selector, object->json))
		remove_visited(sifting->removal, object);
	return true;
}

void serve_delete_collection(struct request *request)
{
	AUTO(auto_free) char *prefix = request_prefix(request);
	struct selector selector;
	struct removal *removal;

	if (is_namespace(request)) {
		request_refuse(request, REASON_METHOD_NOT_ALLOWED,
			       "Namespaces are deleted one by one");
		return;
	}
	if (request_selector(request, &selector) < 0)
		return;
	removal = removal_new(request);
	if (removal == NULL)
		return;
	removal->collection = true;
	if (prefix != NULL && !removal->dry_run)
		store_each(request->api->config.store, sv_from(prefix), remove_selected,
			   &(struct sifting){.removal = removal, .selector = &selector});
	if (removal->write.outstanding == 0)
		answer_success(removal);
}
