/* tests/engine/test_engine.c - what every engine does */
#include "harness.h"

#include "base/own.h"

static void expect_note(const struct bench *bench, size_t at, struct note want)
{
	const struct note *got = &bench->notes[at];

	if (at >= bench->note_count || got->kind != want.kind || got->revision != want.revision ||
	    got->code != want.code || strcmp(got->key, want.key) != 0 ||
	    strcmp(got->value, want.value) != 0)
		fail_msg("%s: note %zu of %zu: kind %d revision %llu code %d key %s value %s",
			 bench->engine->engine->name, at, bench->note_count, got->kind,
			 (unsigned long long)got->revision, got->code, got->key, got->value);
}

/* Each step is asked and answered before the next. */
static void check_compare_and_swap(struct bench *bench)
{
	static const struct {
		const char *key, *value;
		uint64_t expect;
		enum err_code code;
		uint64_t revision;
	} steps[] = {
		{"a/b//x", "{}", 0, ERR_NONE, 1},
		{"a/b//x", "{}", 0, ERR_EXISTS, 0},
		{"a/b//x", "{\"v\":2}", 1, ERR_NONE, 2},
		{"a/b//x", "{\"v\":3}", 1, ERR_CONFLICT, 0},
		{"a/b//x", "{\"v\":3}", 99, ERR_CONFLICT, 0},
		{"a/b//y", "{}", 2, ERR_NOT_FOUND, 0},
		{"a/b//x", "", 1, ERR_CONFLICT, 0},
		{"a/b//x", "", 2, ERR_NONE, 3},
		{"a/b//x", "", 3, ERR_NOT_FOUND, 0},
		{"a/b//x", "", 0, ERR_NOT_FOUND, 0},
		{"a/b//x", "{}", 0, ERR_NONE, 4},
		{"a/b//x", "", 0, ERR_NONE, 5}, /* whatever the revision */
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		uint64_t revision = bench_do(bench, steps[i].key, steps[i].value, steps[i].expect,
					     steps[i].code);

		if (revision != steps[i].revision)
			fail_msg("step %zu: revision %llu", i, (unsigned long long)revision);
	}
}

static void check_one_turn(struct bench *bench)
{
	bench_ask(bench, "k", "1", 0);
	bench_ask(bench, "k", "2", 0); /* sees the one before it */
	bench_ask(bench, "k", "3", 1);
	bench_ask(bench, "l", "4", 0);
	bench_ask(bench, "k", "", 3); /* revisions of this turn: k 1, 2; l 3 */
	bench_ask(bench, "k", "", 2);
	bench_settle(bench);
	expect_note(bench, 0, (struct note){.kind = NOTE_DONE, .revision = 1});
	expect_note(bench, 1,
		    (struct note){.kind = NOTE_EVENT, .revision = 1, .key = "k", .value = "1"});
	expect_note(bench, 2, (struct note){.kind = NOTE_DONE, .code = ERR_EXISTS});
	expect_note(bench, 3, (struct note){.kind = NOTE_DONE, .revision = 2});
	expect_note(bench, 4,
		    (struct note){.kind = NOTE_EVENT, .revision = 2, .key = "k", .value = "3"});
	expect_note(bench, 5, (struct note){.kind = NOTE_DONE, .revision = 3});
	expect_note(bench, 6,
		    (struct note){.kind = NOTE_EVENT, .revision = 3, .key = "l", .value = "4"});
	expect_note(bench, 7, (struct note){.kind = NOTE_DONE, .code = ERR_CONFLICT});
	expect_note(bench, 8, (struct note){.kind = NOTE_DONE, .revision = 4});
	expect_note(bench, 9, (struct note){.kind = NOTE_EVENT, .revision = 4, .key = "k"});
	assert_int_equal(bench->note_count, 10);
}

/* A commit from within done belongs to that turn. */
struct chain {
	struct bench *bench;
	uint64_t last;
	char key[16];
};

static void on_chain(void *arg, uint64_t revision, const struct err *err)
{
	struct chain *chain = arg;
	struct store_op op = {.value = SV("1")};

	assert_int_equal(err->code, ERR_NONE);
	chain->last = revision;
	if (revision == 5)
		return;
	snprintf(chain->key, sizeof(chain->key), "c%llu", (unsigned long long)revision);
	op.key = sv_from(chain->key);
	chain->bench->engine->engine->commit(chain->bench->self, &op, on_chain, chain);
}

static bool chain_ended(void *arg)
{
	return ((const struct chain *)arg)->last == 5;
}

static void check_chain(struct bench *bench)
{
	struct chain chain = {.bench = bench};
	struct store_op op = {.key = SV("c0"), .value = SV("1")};

	bench->engine->engine->commit(bench->self, &op, on_chain, &chain);
	bench->engine->engine->commit(bench->self,
				      &(struct store_op){.key = SV("c0"), .value = SV("1")}, NULL,
				      NULL); /* nobody to tell */
	run_until(bench->loop, chain_ended, &chain);
	assert_int_equal(bench->note_count, 5);
}

/* ---- history ---- */

struct past {
	size_t count, stop_at;
	struct store_past rows[16];
	char keys[16][64], values[16][64];
};

static bool on_past(void *arg, const struct store_past *row)
{
	struct past *past = arg;
	size_t at = past->count++;

	assert_true(at < ARRAY_LEN(past->rows));
	past->rows[at] = *row;
	snprintf(past->keys[at], sizeof(past->keys[at]), "%.*s", SV_ARG(row->key));
	snprintf(past->values[at], sizeof(past->values[at]), "%.*s", SV_ARG(row->value));
	return past->count != past->stop_at;
}

static size_t history(struct bench *bench, uint64_t after, struct past *past)
{
	struct err err = {0};

	past->count = 0;
	if (bench->engine->engine->history(bench->self, after, on_past, past, &err) < 0)
		fail_msg("history after %llu: %s", (unsigned long long)after, err.msg);
	return past->count;
}

static void check_history(struct bench *bench)
{
	static const struct {
		const char *key, *value;
		enum store_change change;
		bool kept;
	} want[] = {
		{"core/configmaps/d/a", "{\"v\":1}", STORE_ADDED, true},
		{"core/configmaps/d/a", "{\"v\":2}", STORE_MODIFIED, true},
		{"core/secrets/d/s", "", STORE_ADDED, false},
		{"core/configmaps/d/a", "{\"v\":2}", STORE_DELETED, true},
		{"core/secrets/d/s", "", STORE_DELETED, false},
	};
	struct past past = {0};

	bench_do(bench, "core/configmaps/d/a", "{\"v\":1}", 0, ERR_NONE);
	bench_do(bench, "core/configmaps/d/a", "{\"v\":2}", 1, ERR_NONE);
	bench_do(bench, "core/secrets/d/s", "{\"key\":\"x\"}", 0, ERR_NONE);
	bench_do(bench, "core/configmaps/d/a", "", 2, ERR_NONE);
	bench_do(bench, "core/secrets/d/s", "", 3, ERR_NONE);
	assert_int_equal(history(bench, 0, &past), ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(past.rows[i].revision, i + 1);
		assert_int_equal(past.rows[i].change, want[i].change);
		assert_int_equal(past.rows[i].kept, want[i].kept);
		assert_string_equal(past.keys[i], want[i].key);
		assert_string_equal(past.values[i], want[i].value);
	}
	assert_int_equal(history(bench, 3, &past), 2);
	assert_int_equal(past.rows[0].revision, 4);
	assert_int_equal(history(bench, 5, &past), 0);
	past.stop_at = 2;
	assert_int_equal(history(bench, 0, &past), 2);
}

static void check_gone(struct bench *bench, uint64_t after)
{
	struct past past = {0};
	struct err err = {0};

	assert_int_equal(bench->engine->engine->history(bench->self, after, on_past, &past, &err),
			 -1);
	assert_int_equal(err.code, ERR_GONE);
	assert_int_equal(past.count, 0);
}

/* Nothing of a turn is history before its answers. */
static void check_history_waits(struct bench *bench)
{
	struct past past = {0};

	bench_do(bench, "a", "1", 0, ERR_NONE);
	bench_ask(bench, "b", "2", 0);
	assert_int_equal(history(bench, 0, &past), 1);
	check_gone(bench, 2);
	bench_settle(bench);
	assert_int_equal(history(bench, 0, &past), 2);
}

static void check_history_bound(struct bench *bench)
{
	struct past past = {.stop_at = 1};
	size_t extra = 5;
	char *big = xmalloc(STORE_HISTORY_VALUE_MAX + 2);

	check_gone(bench, 1); /* has not been */
	for (size_t i = 0; i < STORE_HISTORY_MAX + extra; i++)
		bench_ask(bench, i % 2 == 0 ? "k" : "l", "1", i < 2 ? 0 : i - 1);
	bench_settle(bench);
	assert_int_equal(bench->notes[0].code, ERR_NONE);
	assert_int_equal(bench->engine->engine->oldest(bench->self), extra);
	check_gone(bench, extra - 1);
	assert_int_equal(history(bench, extra, &past), 1);
	assert_int_equal(past.rows[0].revision, extra + 1);
	/* a value that is too long for it */
	memset(big, '7', STORE_HISTORY_VALUE_MAX + 1);
	big[STORE_HISTORY_VALUE_MAX + 1] = '\0';
	bench_ask(bench, "big", big, 0);
	bench_settle(bench);
	assert_int_equal(history(bench, STORE_HISTORY_MAX + extra, &past), 1);
	assert_false(past.rows[0].kept);
	free(big);
}

static void check_healthy(struct bench *bench)
{
	struct err why = {.code = ERR_IO};

	assert_true(bench->engine->engine->healthy(bench->self, NULL));
	assert_true(bench->engine->engine->healthy(bench->self, &why));
	assert_int_equal(why.code, ERR_NONE);
}

/* Answers that are due when it closes are dropped, and nothing leaks or is called. */
static void check_close_while_pending(struct bench *bench)
{
	bench_do(bench, "a", "1", 0, ERR_NONE);
	bench_ask(bench, "b", "1", 0);
	bench_ask(bench, "b", "1", 0);
	bench_reopen(bench);
	assert_int_equal(bench->note_count, 0);
	if (bench->engine->on_disk) {
		bench_check_loaded(bench, "b", "1", 2);
		assert_int_equal(bench->revision, 2);
	}
}

static void over_engines(void (*check)(struct bench *bench))
{
	struct bench bench;

	for (size_t i = 0; i < engine_case_count; i++) {
		bench_start(&bench, &engine_cases[i]);
		check(&bench);
		bench_end(&bench);
	}
}

#define TEST(name)                            \
	static void test_##name(void **state) \
	{                                     \
		(void)state;                  \
		over_engines(check_##name);   \
	}

TEST(compare_and_swap)
TEST(one_turn)
TEST(chain)
TEST(history)
TEST(history_waits)
TEST(history_bound)
TEST(healthy)
TEST(close_while_pending)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare_and_swap),
		cmocka_unit_test(test_one_turn),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_history_waits),
		cmocka_unit_test(test_history_bound),
		cmocka_unit_test(test_healthy),
		cmocka_unit_test(test_close_while_pending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
