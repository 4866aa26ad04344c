/* tests/engine/test_store.c - store/store.c and watch.c, over every engine */
#include "harness.h"

#include "base/own.h"
#include "store/changes.h"

#include <inttypes.h>

/* A store that is open, and what came of the last writes. */
struct fixture {
	const struct engine_case *engine;
	struct loop *loop;
	char *dir;
	struct store *store;
	size_t answers;
	struct err err;    /* of the last answer */
	uint64_t revision; /* of the last object stored */
	char log[4096];    /* what the watches saw */
};

static void fixture_open(struct fixture *fx)
{
	struct err err = {0};

	fx->store = store_open(fx->loop, fx->engine->engine, fx->dir, &err);
	if (fx->store == NULL)
		fail_msg("%s", err.msg);
}

static void over_engines(void (*check)(struct fixture *fx))
{
	for (size_t i = 0; i < engine_case_count; i++) {
		struct fixture fx = {
			.engine = &engine_cases[i],
			.loop = make_loop(),
			.dir = make_dir(),
		};

		fixture_open(&fx);
		check(&fx);
		store_close(fx.store);
		loop_free(fx.loop);
		remove_dir(fx.dir);
	}
}

static void on_wrote(void *arg, const struct object *object, const struct err *err)
{
	struct fixture *fx = arg;

	fx->answers++;
	fx->err = *err;
	fx->revision = object == NULL ? 0 : object->revision;
	if (object != NULL) /* the cache has it by now */
		assert_ptr_equal(store_get(fx->store, sv_from(object->key)), object);
}

static bool nothing_pending(void *arg)
{
	return store_pending(((const struct fixture *)arg)->store) == 0;
}

static void settle(struct fixture *fx)
{
	run_until(fx->loop, nothing_pending, fx);
}

static void ask(struct fixture *fx, const char *key, int value, uint64_t expect)
{
	AUTO(auto_json)
	json_t *json = json_pack("{s:{s:s,s:s},s:i}", "metadata", "name", "n", "resourceVersion",
				 "not this", "value", value);

	store_put(fx->store, sv_from(key), json, expect, on_wrote, fx);
}

static uint64_t put(struct fixture *fx, const char *key, int value, uint64_t expect)
{
	ask(fx, key, value, expect);
	settle(fx);
	if (fx->err.code != ERR_NONE)
		fail_msg("%s: %s", key, fx->err.msg);
	return fx->revision;
}

static void drop(struct fixture *fx, const char *key, uint64_t expect)
{
	store_delete(fx->store, sv_from(key), expect, on_wrote, fx);
	settle(fx);
	if (fx->err.code != ERR_NONE)
		fail_msg("%s: %s", key, fx->err.msg);
}

static void expect_cached(const struct fixture *fx, const char *key, uint64_t revision, int value)
{
	const struct object *object = store_get(fx->store, sv_from(key));
	AUTO(auto_free) char *text = xasprintf("%" PRIu64, revision);

	assert_non_null(object);
	assert_int_equal(object->revision, revision);
	assert_string_equal(json_str_at(object->json, "metadata.resourceVersion"), text);
	assert_int_equal(json_int_at(object->json, "value", -1), value);
}

/* "A k 2 v1;" for each change: kind, key, revision, value, value before. */
static void log_change(void *arg, enum store_change change, const struct object *object,
		       const struct object *before)
{
	static const char letters[] = {
		[STORE_ADDED] = 'A', [STORE_MODIFIED] = 'M', [STORE_DELETED] = 'D'};
	struct fixture *fx = arg;
	size_t len = strlen(fx->log);

	assert_true((change == STORE_ADDED) == (before == NULL));
	snprintf(fx->log + len, sizeof(fx->log) - len, "%c %s %" PRIu64 " v%lld<%lld;",
		 letters[change], object->key, object->revision,
		 (long long)json_int_at(object->json, "value", -1),
		 (long long)(before == NULL ? -1 : json_int_at(before->json, "value", -1)));
}

static void expect_log(struct fixture *fx, const char *want)
{
	if (strcmp(fx->log, want) != 0)
		fail_msg("%s: saw %s, not %s", fx->engine->engine->name, fx->log, want);
	fx->log[0] = '\0';
}

/* ---- reading and writing ---- */

static void check_write_and_read(struct fixture *fx)
{
	assert_null(store_get(fx->store, SV("a/b//k")));
	ask(fx, "a/b//k", 1, 0);
	assert_int_equal(store_pending(fx->store), 1);
	assert_int_equal(fx->answers, 0); /* never within the call */
	assert_null(store_get(fx->store, SV("a/b//k")));
	settle(fx);
	expect_cached(fx, "a/b//k", 1, 1);
	put(fx, "a/b//k", 2, 1);
	expect_cached(fx, "a/b//k", 2, 2);
	assert_int_equal(store_revision(fx->store), 2);
	drop(fx, "a/b//k", 2);
	assert_null(store_get(fx->store, SV("a/b//k")));
	assert_int_equal(store_revision(fx->store), 3);
	put(fx, "a/b//k", 4, 0);
	expect_cached(fx, "a/b//k", 4, 4);
	drop(fx, "a/b//k", 0);
}

static void expect_refused(struct fixture *fx, enum err_code code, const char *says)
{
	settle(fx);
	if (fx->err.code != code || strstr(fx->err.msg, says) == NULL)
		fail_msg("code %d, not %d: %s", fx->err.code, code, fx->err.msg);
	assert_int_equal(fx->revision, 0);
}

static void check_comparison(struct fixture *fx)
{
	put(fx, "k", 1, 0);
	ask(fx, "k", 2, 0);
	expect_refused(fx, ERR_EXISTS, "k exists");
	ask(fx, "k", 2, 5);
	expect_refused(fx, ERR_CONFLICT, "revision 1");
	ask(fx, "l", 2, 5);
	expect_refused(fx, ERR_NOT_FOUND, "l does not exist");
	store_delete(fx->store, SV("l"), 0, on_wrote, fx);
	expect_refused(fx, ERR_NOT_FOUND, "l");
	/* twice in one turn: the second sees the first */
	ask(fx, "k", 2, 1);
	ask(fx, "k", 3, 1);
	expect_refused(fx, ERR_CONFLICT, "revision 2");
	expect_cached(fx, "k", 2, 2);
}

/* Objects and lists by turns, an object outermost. */
static json_t *nested(int depth)
{
	json_t *value = json_object();

	for (int left = depth - 1; left > 0; left--)
		value = left % 2 == 1 ? json_pack("{s:o}", "n", value) : json_pack("[o]", value);
	return value;
}

static void put_json(struct fixture *fx, struct str_view key, json_t *json)
{
	store_put(fx->store, key, json, 0, on_wrote, fx);
	json_decref(json);
}

static void check_limits(struct fixture *fx)
{
	AUTO(auto_free) char *big = xmalloc(STORE_VALUE_MAX + 1);
	char key[STORE_KEY_MAX + 1];

	memset(big, 'x', STORE_VALUE_MAX);
	big[STORE_VALUE_MAX] = '\0';
	memset(key, 'k', sizeof(key));
	put_json(fx, SV("big"), json_pack("{s:s}", "data", big));
	assert_int_equal(fx->answers, 0); /* never within the call */
	expect_refused(fx, ERR_LIMIT, "big");
	put_json(fx, SV("deep"), nested(JSON_DEPTH_MAX + 1));
	expect_refused(fx, ERR_LIMIT, "deep");
	put_json(fx, SV("list"), json_array());
	expect_refused(fx, ERR_INVALID, "list");
	put_json(fx, SV(""), json_object());
	expect_refused(fx, ERR_LIMIT, "key");
	put_json(fx, SV("a\0b"), json_object());
	expect_refused(fx, ERR_LIMIT, "key");
	put_json(fx, sv_new(key, sizeof(key)), json_object());
	expect_refused(fx, ERR_LIMIT, "key");
	store_put(fx->store, SV("null"), NULL, 0, on_wrote, fx);
	expect_refused(fx, ERR_INVALID, "null");
	/* just within them */
	put_json(fx, SV("deep"), nested(JSON_DEPTH_MAX));
	put_json(fx, sv_new(key, STORE_KEY_MAX), json_object());
	settle(fx);
	assert_int_equal(store_count(fx->store, SV("")), 2);
	if (fx->engine->on_disk) { /* what was stored can be read back */
		store_close(fx->store);
		fixture_open(fx);
		assert_int_equal(store_count(fx->store, SV("")), 2);
	}
}

struct visit {
	char keys[256];
	size_t count, stop_at;
};

static bool on_visit(void *arg, const struct object *object)
{
	struct visit *visit = arg;
	size_t len = strlen(visit->keys);

	snprintf(visit->keys + len, sizeof(visit->keys) - len, "%s ", object->key);
	return ++visit->count != visit->stop_at;
}

static void check_each(struct fixture *fx)
{
	struct visit all = {0}, some = {.stop_at = 2};

	ask(fx, "g/p/b/2", 1, 0);
	ask(fx, "g/p/a/1", 1, 0);
	ask(fx, "g/p/b/1", 1, 0);
	ask(fx, "g/q/b/1", 1, 0);
	settle(fx);
	store_each(fx->store, SV("g/p/"), on_visit, &all);
	assert_string_equal(all.keys, "g/p/a/1 g/p/b/1 g/p/b/2 ");
	store_each(fx->store, SV(""), on_visit, &some);
	assert_string_equal(some.keys, "g/p/a/1 g/p/b/1 ");
	assert_int_equal(store_count(fx->store, SV("g/p/b/")), 2);
}

/* An object stays whole for who holds it, and for who borrowed it until the turn ends. */
static void check_objects_stay(struct fixture *fx)
{
	struct object *held;

	put(fx, "k", 1, 0);
	held = object_ref(store_get(fx->store, SV("k")));
	put(fx, "k", 2, 1);
	drop(fx, "k", 2);
	assert_int_equal(json_int_at(held->json, "value", -1), 1);
	object_unref(held);
}

/* ---- watches ---- */

static void check_watch(struct fixture *fx)
{
	struct store_watch *watch;

	put(fx, "g/p/a/0", 1, 0);
	watch = store_watch(fx->store, SV("g/p/"), log_change, fx);
	put(fx, "g/p/a/1", 1, 0);
	put(fx, "g/q/a/1", 1, 0);
	put(fx, "g/p/a/1", 2, 2);
	drop(fx, "g/p/a/1", 4);
	expect_log(fx, "A g/p/a/1 2 v1<-1;M g/p/a/1 4 v2<1;D g/p/a/1 5 v2<2;");
	store_unwatch(watch);
	put(fx, "g/p/a/2", 1, 0);
	expect_log(fx, "");
	store_unwatch(NULL);
}

/* Callbacks that end watches (their own and others'), begin some, and write. */
struct meddler {
	struct fixture *fx;
	struct store_watch *watches[4]; /* 0, 1, 2: from the start; 3: begun within a callback */
	size_t calls[4];
};

static void meddler_3(void *arg, enum store_change change, const struct object *object,
		      const struct object *before)
{
	struct meddler *meddler = arg;

	(void)change;
	(void)before;
	assert_int_equal(object->revision, 2); /* not the change it was begun in */
	meddler->calls[3]++;
}

static void meddler_0(void *arg, enum store_change change, const struct object *object,
		      const struct object *before)
{
	struct meddler *meddler = arg;

	(void)change;
	(void)object;
	(void)before;
	meddler->calls[0]++;
	store_unwatch(meddler->watches[0]);
	store_unwatch(meddler->watches[1]);
	meddler->watches[3] = store_watch(meddler->fx->store, SV(""), meddler_3, meddler);
	ask(meddler->fx, "l", 2, 0);
}

static void meddler_1(void *arg, enum store_change change, const struct object *object,
		      const struct object *before)
{
	(void)change;
	(void)object;
	(void)before;
	((struct meddler *)arg)->calls[1]++;
}

static void meddler_2(void *arg, enum store_change change, const struct object *object,
		      const struct object *before)
{
	(void)change;
	(void)object;
	(void)before;
	((struct meddler *)arg)->calls[2]++;
}

static void check_meddling(struct fixture *fx)
{
	struct meddler meddler = {.fx = fx};

	meddler.watches[0] = store_watch(fx->store, SV(""), meddler_0, &meddler);
	meddler.watches[1] = store_watch(fx->store, SV(""), meddler_1, &meddler);
	meddler.watches[2] = store_watch(fx->store, SV(""), meddler_2, &meddler);
	ask(fx, "k", 1, 0);
	settle(fx);
	assert_int_equal(meddler.calls[0], 1);
	assert_int_equal(meddler.calls[1], 0);
	assert_int_equal(meddler.calls[2], 2);
	assert_int_equal(meddler.calls[3], 1);
	store_unwatch(meddler.watches[2]);
	store_unwatch(meddler.watches[3]);
}

/* ---- replay ---- */

static void replay(struct fixture *fx, const char *prefix, uint64_t after, const char *want)
{
	struct err err = {0};

	if (store_replay(fx->store, sv_from(prefix), after, log_change, fx, &err) < 0)
		fail_msg("after %" PRIu64 ": %s", after, err.msg);
	expect_log(fx, want);
}

static void expect_gone(struct fixture *fx, const char *prefix, uint64_t after)
{
	struct err err = {0};

	assert_int_equal(store_replay(fx->store, sv_from(prefix), after, log_change, fx, &err), -1);
	assert_int_equal(err.code, ERR_GONE);
	expect_log(fx, "");
}

static void check_replay(struct fixture *fx)
{
	put(fx, "a/1", 1, 0);
	put(fx, "core/secrets/d/s", 1, 0);
	put(fx, "a/1", 2, 1);
	put(fx, "b/1", 1, 0);
	drop(fx, "a/1", 3);
	replay(fx, "a/", 0, "A a/1 1 v1<-1;M a/1 3 v2<1;D a/1 5 v2<2;");
	replay(fx, "a/", 3, "D a/1 5 v2<2;");
	replay(fx, "", 4, "D a/1 5 v2<2;");
	replay(fx, "core/secrets/", 1, "A core/secrets/d/s 2 v1<-1;");
	replay(fx, "", 5, "");
	expect_gone(fx, "", 6);
}

/* Across a restart: what was kept on disk is told, what was not (Secrets) is gone. */
static void check_replay_after_restart(struct fixture *fx)
{
	if (!fx->engine->on_disk)
		return;
	put(fx, "a/1", 1, 0);
	put(fx, "core/secrets/d/s", 1, 0);
	put(fx, "a/1", 2, 1);
	drop(fx, "a/1", 3);
	put(fx, "a/2", 1, 0);
	store_close(fx->store);
	fixture_open(fx);
	assert_int_equal(store_revision(fx->store), 5);
	put(fx, "a/2", 2, 5);
	replay(fx, "a/", 0, "A a/1 1 v1<-1;M a/1 3 v2<1;D a/1 4 v2<2;A a/2 5 v1<-1;M a/2 6 v2<1;");
	replay(fx, "a/", 2, "M a/1 3 v2<1;D a/1 4 v2<2;A a/2 5 v1<-1;M a/2 6 v2<1;");
	replay(fx, "a/", 5, "M a/2 6 v2<1;");
	replay(fx, "core/secrets/", 2, "");
	expect_gone(fx, "core/secrets/", 1);
	expect_gone(fx, "", 0);
	expect_gone(fx, "", 7);
	/* a listing and the first write after it, over a deletion of the newest object */
	drop(fx, "a/2", 6);
	store_close(fx->store);
	fixture_open(fx);
	assert_int_equal(put(fx, "a/2", 1, 0), 8);
}

static void fill(struct fixture *fx, const char *key, size_t count)
{
	uint64_t revision = store_revision(fx->store);

	ask(fx, key, 0, 0);
	for (size_t i = 1; i < count; i++)
		ask(fx, key, (int)i, revision + i);
	settle(fx);
	assert_int_equal(fx->err.code, ERR_NONE);
}

static void check_replay_bound(struct fixture *fx)
{
	put(fx, "old", 1, 0);
	fill(fx, "k", STORE_HISTORY_MAX + 1);
	expect_gone(fx, "k", 1);
	expect_gone(fx, "k", 0);
	replay(fx, "old", 2, "");
	if (!fx->engine->on_disk)
		return;
	/* the state before the first change that is kept is not known any more */
	store_close(fx->store);
	fixture_open(fx);
	expect_gone(fx, "k", 2);
	replay(fx, "old", 2, "");
	replay(fx, "k", STORE_HISTORY_MAX + 1, "M k 10002 v10000<9999;");
}

/* The memory of changes is bounded in bytes too. */
static void check_replay_weight(struct fixture *fx)
{
	AUTO(auto_free) char *big = xmalloc(STORE_VALUE_MAX);
	size_t count = CHANGES_TEXT_MAX / (STORE_VALUE_MAX / 2) + 2;

	memset(big, 'x', STORE_VALUE_MAX / 2);
	big[STORE_VALUE_MAX / 2] = '\0';
	for (size_t i = 0; i < count; i++) {
		AUTO(auto_json) json_t *json = json_pack("{s:s}", "data", big);
		AUTO(auto_free) char *key = xasprintf("k%zu", i);

		store_put(fx->store, sv_from(key), json, 0, on_wrote, fx);
		settle(fx);
		assert_int_equal(fx->err.code, ERR_NONE);
	}
	assert_true(fx->store->changes.recent_text <= CHANGES_TEXT_MAX);
	expect_gone(fx, "k0", 0); /* too long for the engine's history as well */
	replay(fx, "x", count, "");
}

/* ---- many ---- */

static void check_many(struct fixture *fx)
{
	char key[64];

	for (size_t i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "g/p/ns%zu/%zu", i % 10, i * 7919 % 10000);
		ask(fx, key, (int)i, 0);
	}
	settle(fx);
	assert_int_equal(store_count(fx->store, SV("")), 10000);
	assert_int_equal(store_count(fx->store, SV("g/p/ns3/")), 1000);
	if (!fx->engine->on_disk)
		return;
	store_close(fx->store);
	fixture_open(fx);
	assert_int_equal(store_count(fx->store, SV("g/p/ns3/")), 1000);
	expect_cached(fx, "g/p/ns1/7919", 2, 1);
}

static void check_close_while_pending(struct fixture *fx)
{
	put(fx, "k", 1, 0);
	ask(fx, "l", 1, 0);
	ask(fx, "k", 1, 0);
	store_put(fx->store, SV("m"), NULL, 0, on_wrote, fx);
	store_watch(fx->store, SV(""), log_change, fx);
	store_close(fx->store);
	assert_int_equal(fx->answers, 1);
	fixture_open(fx);
	assert_int_equal(store_count(fx->store, SV("")), fx->engine->on_disk ? 2 : 0);
}

/* Whoever asked has ended: nobody is told, and the writes stand. */
static void check_forget(struct fixture *fx)
{
	struct fixture ended = {.answers = 0};

	store_put(fx->store, SV("k"), json_true(), 0, on_wrote, &ended); /* refused: no object */
	ask(fx, "l", 1, 0);
	store_delete(fx->store, SV("m"), 0, on_wrote, &ended);
	store_forget(fx->store, &ended);
	settle(fx);
	assert_int_equal(ended.answers, 0);
	assert_int_equal(fx->answers, 1);
	store_delete(fx->store, SV("l"), 0, on_wrote, &ended);
	store_forget(fx->store, &ended);
	settle(fx);
	assert_int_equal(ended.answers, 0);
	assert_null(store_get(fx->store, SV("l")));
}

#define TEST(name)                            \
	static void test_##name(void **state) \
	{                                     \
		(void)state;                  \
		over_engines(check_##name);   \
	}

TEST(write_and_read)
TEST(comparison)
TEST(limits)
TEST(each)
TEST(objects_stay)
TEST(watch)
TEST(meddling)
TEST(replay)
TEST(replay_after_restart)
TEST(replay_bound)
TEST(replay_weight)
TEST(many)
TEST(close_while_pending)
TEST(forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_comparison),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_objects_stay),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_meddling),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_replay_after_restart),
		cmocka_unit_test(test_replay_bound),
		cmocka_unit_test(test_replay_weight),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_close_while_pending),
		cmocka_unit_test(test_forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
