/* store/store.c - objects by key: a cache of everything over an engine
 *
 * A write goes to the engine as text. Its answer (write_done) and then its change (on_event) come
 * back in a later turn; the change goes into the cache, to the watches, and then to whoever wrote.
 */
#include "store/store.h"

#include "base/own.h"
#include "store/changes.h"

#include <assert.h>
#include <stdlib.h>

struct write {
	struct list link;
	struct store *store;
	store_wrote_fn *done;
	void *arg;
	json_t *json;      /* NULL: a deletion */
	uint64_t revision; /* once committed */
	struct err err;    /* when the store itself refuses it */
};

static void write_free(struct write *write)
{
	list_remove(&write->link);
	json_decref(write->json);
	free(write);
}

static void write_answer(struct write *write, const struct object *object, const struct err *err)
{
	list_remove(&write->link);
	write->store->pending--;
	if (write->done != NULL)
		write->done(write->arg, object, err);
	write_free(write);
}

/* ---- changes come in ---- */

/* The write that a committed change belongs to: its done came right before. */
static struct write *answered_write(struct store *store, uint64_t revision)
{
	struct write *write = LIST_ENTRY(store->answered.next, struct write, link);

	assert(!list_empty(&store->answered) && write->revision == revision);
	return write;
}

static void put_into_cache(struct store *store, struct object *object)
{
	AUTO(auto_object) struct object *before = index_put(&store->index, object);
	struct change change = {
		.kind = before == NULL ? STORE_ADDED : STORE_MODIFIED,
		.object = object,
		.before = before,
	};

	changes_publish(&store->changes, &change);
}

static void remove_from_cache(struct store *store, struct str_view key, uint64_t revision)
{
	AUTO(auto_object) struct object *before = index_remove(&store->index, key);
	AUTO(auto_object) struct object *object = NULL;

	assert(before != NULL);
	object = object_at(before, revision);
	changes_publish(
		&store->changes,
		&(struct change){.kind = STORE_DELETED, .object = object, .before = before});
}

static void on_event(void *arg, uint64_t revision, struct str_view key, struct str_view value)
{
	static const struct err fine = {.code = ERR_NONE};
	struct store *store = arg;
	struct write *write = answered_write(store, revision);
	AUTO(auto_object) struct object *object = NULL;

	if (value.len == 0) {
		remove_from_cache(store, key, revision);
	} else {
		object = object_new(key, revision, TAKE(write->json));
		object->text = value.len;
		put_into_cache(store, object_ref(object));
	}
	write_answer(write, object, &fine);
}

static void write_done(void *arg, uint64_t revision, const struct err *err)
{
	struct write *write = arg;

	if (err->code != ERR_NONE) {
		write_answer(write, NULL, err);
		return;
	}
	write->revision = revision;
	list_remove(&write->link);
	list_append(&write->store->answered, &write->link);
}

/* ---- writing ---- */

static bool too_deep(const json_t *value, int left)
{
	const char *name;
	json_t *child;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value))
		return false;
	if (left == 0)
		return true;
	json_object_foreach((json_t *)(uintptr_t)value, name, child)
	{
		if (too_deep(child, left - 1))
			return true;
	}
	json_array_foreach(value, i, child)
	{
		if (too_deep(child, left - 1))
			return true;
	}
	return false;
}

/* What could not be read back at the next start is not stored. */
static int check_put(struct str_view key, const json_t *value, struct err *err)
{
	if (key.len == 0 || key.len > STORE_KEY_MAX || memchr(key.data, '\0', key.len) != NULL)
		return err_set(err, ERR_LIMIT, "a key of %zu bytes is not in 1..%u", key.len,
			       STORE_KEY_MAX);
	if (!json_is_object(value))
		return err_set(err, ERR_INVALID, "%.*s: an object is due", SV_ARG(key));
	if (too_deep(value, JSON_DEPTH_MAX))
		return err_set(err, ERR_LIMIT, "%.*s: nested deeper than %d", SV_ARG(key),
			       JSON_DEPTH_MAX);
	return 0;
}

static void on_refuse(struct task *task)
{
	struct store *store = CONTAINER_OF(task, struct store, refuse);
	struct list due;

	list_init(&due);
	LIST_EACH(&store->refused, node)
	{
		list_remove(node);
		list_append(&due, node);
	}
	while (!list_empty(&due)) {
		struct write *write = LIST_ENTRY(due.next, struct write, link);

		write_answer(write, NULL, &write->err);
	}
}

static struct write *write_new(struct store *store, store_wrote_fn *done, void *arg)
{
	struct write *write = xcalloc(1, sizeof(*write));

	write->store = store;
	write->done = done;
	write->arg = arg;
	list_append(&store->writes, &write->link);
	store->pending++;
	return write;
}

static void write_refuse(struct write *write)
{
	list_remove(&write->link);
	list_append(&write->store->refused, &write->link);
	task_defer(write->store->loop, &write->store->refuse);
}

static json_t *copy_without_revision(const json_t *value)
{
	json_t *copy = json_deep_copy(value);

	json_object_del(json_object_get(copy, "metadata"), "resourceVersion");
	return copy;
}

void store_put(struct store *store, struct str_view key, const json_t *value, uint64_t expect,
	       store_wrote_fn *done, void *arg)
{
	struct write *write = write_new(store, done, arg);
	AUTO(auto_free) char *text = NULL;
	struct store_op op = {.key = key, .expect_revision = expect};

	if (check_put(key, value, &write->err) < 0) {
		write_refuse(write);
		return;
	}
	write->json = copy_without_revision(value);
	text = json_text(write->json);
	op.value = sv_from(text);
	if (op.value.len > STORE_VALUE_MAX) {
		err_set(&write->err, ERR_LIMIT, "%.*s: %zu bytes of JSON, at most %u are stored",
			SV_ARG(key), op.value.len, STORE_VALUE_MAX);
		write_refuse(write);
		return;
	}
	store->engine->commit(store->self, &op, write_done, write);
}

void store_delete(struct store *store, struct str_view key, uint64_t expect, store_wrote_fn *done,
		  void *arg)
{
	struct write *write = write_new(store, done, arg);
	struct store_op op = {.key = key, .expect_revision = expect};

	store->engine->commit(store->self, &op, write_done, write);
}

size_t store_pending(const struct store *store)
{
	return store->pending;
}

bool store_healthy(const struct store *store, struct err *why)
{
	return store->engine->healthy(store->self, why);
}

/* ---- reading ---- */

uint64_t store_revision(const struct store *store)
{
	return store->changes.revision;
}

const struct object *store_get(const struct store *store, struct str_view key)
{
	return index_get(&store->index, key);
}

void store_each(const struct store *store, struct str_view prefix, store_visit_fn *visit, void *arg)
{
	struct index_place place = index_seek(&store->index, prefix);
	const struct object *object;

	while ((object = index_next(&store->index, &place)) != NULL &&
	       sv_starts(sv_from(object->key), prefix)) {
		if (!visit(arg, object))
			return;
	}
}

static void forget_in(struct list *writes, const void *arg)
{
	LIST_EACH(writes, node)
	{
		struct write *write = LIST_ENTRY(node, struct write, link);

		if (write->arg == arg)
			write->done = NULL;
	}
}

void store_forget(struct store *store, const void *arg)
{
	forget_in(&store->writes, arg);
	forget_in(&store->answered, arg);
	forget_in(&store->refused, arg);
}

size_t store_count(const struct store *store, struct str_view prefix)
{
	return index_count(&store->index, prefix);
}

/* ---- opening and closing ---- */

struct loading {
	struct index *index;
	struct err err; /* the first one */
};

static void on_load(void *arg, uint64_t revision, struct str_view key, struct str_view value)
{
	struct loading *loading = arg;
	struct err why = {.code = ERR_NONE};
	json_t *json;

	if (loading->err.code != ERR_NONE)
		return;
	json = json_parse(value, &why);
	if (json_is_object(json)) {
		struct object *object = object_new(key, revision, json);

		object->text = value.len;
		object_unref(index_put(loading->index, object));
		return;
	}
	json_decref(json);
	err_set(&loading->err, ERR_INVALID,
		"the stored object %.*s is damaged (%s); nothing was changed; put a backup of "
		"the database in its place, or give this object up: sqlite3 sallyport.db "
		"\"DELETE FROM objects WHERE key = '%.*s'\"",
		SV_ARG(key), why.code == ERR_NONE ? "no JSON object" : why.msg, SV_ARG(key));
}

static int load(struct store *store, struct err *err)
{
	struct loading loading = {.index = &store->index};
	uint64_t revision = 0;

	if (store->engine->load(store->self, on_load, &loading, &revision, err) < 0)
		return -1;
	if (loading.err.code != ERR_NONE)
		return err_set(err, loading.err.code, "%s", loading.err.msg);
	changes_start(&store->changes, revision);
	store->engine->watch(store->self, on_event, store);
	return 0;
}

static void on_turn_end(struct loop_hook *hook)
{
	changes_trim(&CONTAINER_OF(hook, struct store, hook)->changes);
}

static void free_writes(struct list *writes)
{
	LIST_EACH(writes, node)
	write_free(LIST_ENTRY(node, struct write, link));
}

struct store *store_open(struct loop *loop, const struct store_engine *engine, const char *where,
			 struct err *err)
{
	void *self = NULL;
	struct store *store;

	if (engine->open(&self, loop, where, err) < 0)
		return NULL;
	store = xcalloc(1, sizeof(*store));
	store->loop = loop;
	store->engine = engine;
	store->self = self;
	index_init(&store->index);
	changes_init(&store->changes);
	list_init(&store->writes);
	list_init(&store->answered);
	list_init(&store->refused);
	task_init(&store->refuse, on_refuse);
	store->hook.turn_end = on_turn_end;
	loop_hook_add(loop, &store->hook);
	if (load(store, err) < 0) {
		store_close(store);
		return NULL;
	}
	return store;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	store->engine->close(store->self);
	task_cancel(&store->refuse);
	loop_hook_remove(&store->hook);
	free_writes(&store->writes);
	free_writes(&store->answered);
	free_writes(&store->refused);
	changes_deinit(&store->changes);
	index_deinit(&store->index);
	free(store);
}
