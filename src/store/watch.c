/* store/watch.c - watches, the memory of recent changes, and resuming from a revision */
#include "base/map.h"
#include "base/own.h"
#include "store/changes.h"

#include <inttypes.h>
#include <stdlib.h>

struct recent {
	struct list link;
	struct change change;
};

struct store_watch {
	struct list link;
	struct changes *changes;
	char *prefix;
	uint64_t since; /* changes up to this one are not for it */
	bool gone;      /* unwatched while changes are published */
	store_change_fn *changed;
	void *arg;
};

void changes_init(struct changes *changes)
{
	*changes = (struct changes){0};
	list_init(&changes->watches);
	list_init(&changes->recent);
}

static size_t text_of(const struct change *change)
{
	return change->object->text + (change->before == NULL ? 0 : change->before->text);
}

static void recent_free(struct changes *changes, struct recent *recent)
{
	list_remove(&recent->link);
	changes->recent_count--;
	changes->recent_text -= text_of(&recent->change);
	object_unref(recent->change.object);
	object_unref(recent->change.before);
	free(recent);
}

static void watch_free(struct store_watch *watch)
{
	list_remove(&watch->link);
	free(watch->prefix);
	free(watch);
}

void changes_deinit(struct changes *changes)
{
	LIST_EACH(&changes->recent, node)
	recent_free(changes, LIST_ENTRY(node, struct recent, link));
	LIST_EACH(&changes->watches, node)
	watch_free(LIST_ENTRY(node, struct store_watch, link));
}

void changes_start(struct changes *changes, uint64_t revision)
{
	changes->floor = revision;
	changes->revision = revision;
}

static void remember(struct changes *changes, const struct change *change)
{
	struct recent *recent = xcalloc(1, sizeof(*recent));

	recent->change = *change;
	object_ref(change->object);
	if (change->before != NULL)
		object_ref(change->before);
	list_append(&changes->recent, &recent->link);
	changes->recent_count++;
	changes->recent_text += text_of(change);
}

void changes_trim(struct changes *changes)
{
	while (changes->recent_count > STORE_HISTORY_MAX ||
	       (changes->recent_text > CHANGES_TEXT_MAX && changes->recent_count > 1)) {
		struct recent *oldest = LIST_ENTRY(changes->recent.next, struct recent, link);

		changes->floor = oldest->change.object->revision;
		recent_free(changes, oldest);
	}
}

static void tell(const struct store_watch *watch, const struct change *change)
{
	if (!watch->gone && change->object->revision > watch->since &&
	    sv_starts(sv_from(change->object->key), sv_from(watch->prefix)))
		watch->changed(watch->arg, change->kind, change->object, change->before);
}

/* Callbacks may watch (appended: met here, but not due yet) and unwatch (freed below). */
static void tell_all(struct changes *changes, const struct change *change)
{
	changes->publishing = true;
	for (struct list *node = changes->watches.next; node != &changes->watches;
	     node = node->next)
		tell(LIST_ENTRY(node, struct store_watch, link), change);
	changes->publishing = false;
	LIST_EACH(&changes->watches, node)
	{
		struct store_watch *watch = LIST_ENTRY(node, struct store_watch, link);

		if (watch->gone)
			watch_free(watch);
	}
}

void changes_publish(struct changes *changes, const struct change *change)
{
	changes->revision = change->object->revision;
	remember(changes, change);
	tell_all(changes, change);
}

struct store_watch *store_watch(struct store *store, struct str_view prefix,
				store_change_fn *changed, void *arg)
{
	struct store_watch *watch = xcalloc(1, sizeof(*watch));

	watch->changes = &store->changes;
	watch->prefix = sv_dup(prefix);
	watch->since = store->changes.revision;
	watch->changed = changed;
	watch->arg = arg;
	list_append(&store->changes.watches, &watch->link);
	return watch;
}

void store_unwatch(struct store_watch *watch)
{
	if (watch == NULL)
		return;
	watch->gone = true;
	if (!watch->changes->publishing)
		watch_free(watch);
}

/* ---- resuming ---- */

static void replay_recent(const struct changes *changes, struct str_view prefix, uint64_t after,
			  store_change_fn *changed, void *arg)
{
	LIST_EACH(&changes->recent, node)
	{
		const struct change *change = &LIST_ENTRY(node, struct recent, link)->change;

		if (change->object->revision > after &&
		    sv_starts(sv_from(change->object->key), prefix))
			changed(arg, change->kind, change->object, change->before);
	}
}

/* The changes after a revision, up to another, from the engine's history. It is read from its
 * beginning, since the state before a change stands in a row before. First every row is checked, so
 * that nothing is told when not all can be. */
struct resume {
	struct str_view prefix;
	uint64_t after, upto;
	struct map states; /* key -> struct object (checking: any pointer) last seen there */
	store_change_fn *changed;
	void *arg;
	struct err err;
};

static bool resume_wants(const struct resume *resume, const struct store_past *past)
{
	return past->revision <= resume->upto && sv_starts(past->key, resume->prefix);
}

static bool resume_check(void *arg, const struct store_past *past)
{
	struct resume *resume = arg;
	bool known;

	if (!resume_wants(resume, past))
		return true;
	known = map_get(&resume->states, past->key) != NULL;
	if (past->revision > resume->after &&
	    (!past->kept || (past->change == STORE_MODIFIED && !known))) {
		err_set(&resume->err, ERR_GONE,
			"revision %" PRIu64 " is too old: the state of %.*s at that time was not "
			"kept",
			resume->after, SV_ARG(past->key));
		return false;
	}
	if (past->kept && past->change != STORE_DELETED)
		map_put(&resume->states, past->key, resume);
	else
		map_remove(&resume->states, past->key);
	return true;
}

static void forget_state(void *object)
{
	object_unref(object);
}

static struct object *past_object(struct resume *resume, const struct store_past *past)
{
	json_t *json = json_parse(past->value, &resume->err);

	if (!json_is_object(json)) {
		json_decref(json);
		err_set(&resume->err, ERR_GONE, "the history of %.*s cannot be read",
			SV_ARG(past->key));
		return NULL;
	}
	return object_new(past->key, past->revision, json);
}

static bool resume_tell(void *arg, const struct store_past *past)
{
	struct resume *resume = arg;
	AUTO(auto_object) struct object *object = NULL;
	AUTO(auto_object) struct object *before = NULL;

	if (!resume_wants(resume, past))
		return true;
	before = map_remove(&resume->states, past->key);
	if (!past->kept)
		return true;
	object = past_object(resume, past);
	if (object == NULL)
		return false;
	if (past->change != STORE_DELETED)
		map_put(&resume->states, past->key, object_ref(object));
	if (past->revision > resume->after)
		resume->changed(resume->arg, past->change, object, before);
	return true;
}

static int resume_run(struct store *store, struct resume *resume, struct err *err)
{
	const struct store_engine *engine = store->engine;
	uint64_t oldest = engine->oldest(store->self);
	int result;

	/* Asked with after, so that a revision too old is refused in the engine's words. */
	map_init(&resume->states);
	if (resume->after < oldest)
		oldest = resume->after;
	result = engine->history(store->self, oldest, resume_check, resume, err);
	map_deinit(&resume->states, NULL);
	if (result == 0 && resume->err.code == ERR_NONE) {
		map_init(&resume->states);
		result = engine->history(store->self, oldest, resume_tell, resume, err);
		map_deinit(&resume->states, forget_state);
	}
	if (result == 0 && resume->err.code != ERR_NONE)
		result = err_set(err, resume->err.code, "%s", resume->err.msg);
	return result;
}

int store_replay(struct store *store, struct str_view prefix, uint64_t after,
		 store_change_fn *changed, void *arg, struct err *err)
{
	struct changes *changes = &store->changes;

	if (after > changes->revision)
		return err_set(err, ERR_GONE,
			       "revision %" PRIu64 " has not been yet: the newest is %" PRIu64,
			       after, changes->revision);
	if (after < changes->floor) {
		struct resume resume = {
			.prefix = prefix,
			.after = after,
			.upto = changes->floor,
			.changed = changed,
			.arg = arg,
		};
		struct err why = {.code = ERR_NONE};

		/* Also when the disk fails: the caller can list again from the cache. */
		if (resume_run(store, &resume, &why) < 0)
			return err_set(err, ERR_GONE, "%s", why.msg);
	}
	replay_recent(changes, prefix, after, changed, arg);
	return 0;
}
