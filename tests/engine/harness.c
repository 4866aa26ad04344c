/* tests/engine/harness.c - what the tests of the engines and of the store share */
#include "harness.h"

#include "base/own.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 20000

struct waiting {
	struct loop *loop;
	struct loop_hook hook;
	struct timer patience;
	struct task start; /* a turn to begin with */
	condition_fn *condition;
	void *arg;
	bool late;
};

static void on_turn_end(struct loop_hook *hook)
{
	struct waiting *waiting = CONTAINER_OF(hook, struct waiting, hook);

	if (waiting->condition(waiting->arg))
		loop_stop(waiting->loop);
}

static void on_late(struct timer *timer)
{
	struct waiting *waiting = CONTAINER_OF(timer, struct waiting, patience);

	waiting->late = true;
	loop_stop(waiting->loop);
}

static void on_start(struct task *task)
{
	(void)task;
}

void run_until(struct loop *loop, condition_fn *condition, void *arg)
{
	struct waiting waiting = {.loop = loop, .condition = condition, .arg = arg};

	waiting.hook.turn_end = on_turn_end;
	loop_hook_add(loop, &waiting.hook);
	timer_init(&waiting.patience, on_late);
	timer_in(loop, &waiting.patience, PATIENCE_MS);
	task_init(&waiting.start, on_start);
	task_defer(loop, &waiting.start);
	assert_int_equal(loop_run(loop), 0);
	task_cancel(&waiting.start);
	timer_stop(loop, &waiting.patience);
	loop_hook_remove(&waiting.hook);
	if (waiting.late)
		fail_msg("the condition did not come true within %d ms", PATIENCE_MS);
}

struct loop *make_loop(void)
{
	struct err err = {0};
	struct loop *loop = loop_new(&err);

	if (loop == NULL)
		fail_msg("%s", err.msg);
	return loop;
}

char *make_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = xasprintf("%s/sallyport-test-XXXXXX", tmp == NULL ? "/tmp" : tmp);

	if (mkdtemp(dir) == NULL)
		fail_msg("mkdtemp %s", dir);
	return dir;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void remove_dir(char *dir)
{
	if (dir != NULL)
		nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(dir);
}

char *path_in(const char *dir, const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

char *read_file(const char *path, long *len)
{
	FILE *file = fopen(path, "rb");
	char *bytes;

	*len = -1;
	if (file == NULL)
		return NULL;
	fseek(file, 0, SEEK_END);
	*len = ftell(file);
	rewind(file);
	bytes = xmalloc((size_t)*len + 1);
	assert_int_equal(fread(bytes, 1, (size_t)*len, file), *len);
	bytes[*len] = '\0';
	fclose(file);
	return bytes;
}

void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

const struct engine_case engine_cases[] = {
	{.engine = &engine_mem, .on_disk = false},
	{.engine = &engine_sqlite, .on_disk = true},
};
const size_t engine_case_count = ARRAY_LEN(engine_cases);

/* ---- an engine that is open ---- */

static struct note *note(struct bench *bench, enum note_kind kind, uint64_t revision)
{
	static struct note beyond;
	struct note *note = &beyond;

	if (bench->note_count < NOTES_MAX)
		note = &bench->notes[bench->note_count];
	bench->note_count++;
	*note = (struct note){.kind = kind, .revision = revision};
	return note;
}

static void on_event(void *arg, uint64_t revision, struct str_view key, struct str_view value)
{
	struct note *event = note(arg, NOTE_EVENT, revision);

	snprintf(event->key, sizeof(event->key), "%.*s", SV_ARG(key));
	snprintf(event->value, sizeof(event->value), "%.*s", SV_ARG(value));
}

static void on_done(void *arg, uint64_t revision, const struct err *err)
{
	struct bench *bench = arg;
	struct note *done = note(bench, NOTE_DONE, revision);

	done->code = err->code;
	snprintf(done->msg, sizeof(done->msg), "%.*s", 255, err->msg);
	bench->answered++;
}

static void ignore(void *arg, uint64_t revision, struct str_view key, struct str_view value)
{
	(void)arg;
	(void)revision;
	(void)key;
	(void)value;
}

static void bench_open(struct bench *bench)
{
	const struct store_engine *engine = bench->engine->engine;
	struct err err = {0};

	if (engine->open(&bench->self, bench->loop, bench->dir, &err) < 0 ||
	    engine->load(bench->self, ignore, NULL, &bench->revision, &err) < 0)
		fail_msg("%s: %s", engine->name, err.msg);
	engine->watch(bench->self, on_event, bench);
	bench->note_count = 0;
	bench->asked = bench->answered = 0;
}

void bench_start(struct bench *bench, const struct engine_case *engine)
{
	*bench = (struct bench){.engine = engine, .loop = make_loop(), .dir = make_dir()};
	bench_open(bench);
}

void bench_reopen(struct bench *bench)
{
	bench->engine->engine->close(bench->self);
	bench_open(bench);
}

void bench_end(struct bench *bench)
{
	bench->engine->engine->close(bench->self);
	loop_free(bench->loop);
	remove_dir(bench->dir);
}

void bench_ask(struct bench *bench, const char *key, const char *value, uint64_t expect)
{
	struct store_op op = {
		.key = sv_from(key),
		.value = sv_from(value),
		.expect_revision = expect,
	};
	size_t before = bench->note_count;

	bench->asked++;
	bench->engine->engine->commit(bench->self, &op, on_done, bench);
	assert_int_equal(bench->note_count, before); /* never within the call */
}

static bool all_answered(void *arg)
{
	const struct bench *bench = arg;

	return bench->answered == bench->asked;
}

void bench_settle(struct bench *bench)
{
	run_until(bench->loop, all_answered, bench);
}

uint64_t bench_do(struct bench *bench, const char *key, const char *value, uint64_t expect,
		  enum err_code code)
{
	const struct note *done;
	size_t at = bench->note_count;

	bench_ask(bench, key, value, expect);
	bench_settle(bench);
	assert_true(at < NOTES_MAX);
	done = &bench->notes[at];
	assert_int_equal(done->kind, NOTE_DONE);
	if (done->code != code)
		fail_msg("%s %s: code %d, not %d: %s", bench->engine->engine->name, key, done->code,
			 code, done->msg);
	return done->revision;
}

struct wanted {
	const char *key;
	uint64_t revision;
	char value[64];
};

static void on_load(void *arg, uint64_t revision, struct str_view key, struct str_view value)
{
	struct wanted *wanted = arg;

	if (!sv_eq(key, sv_from(wanted->key)))
		return;
	wanted->revision = revision;
	snprintf(wanted->value, sizeof(wanted->value), "%.*s", SV_ARG(value));
}

void bench_check_loaded(struct bench *bench, const char *key, const char *value, uint64_t revision)
{
	struct wanted wanted = {.key = key};
	uint64_t counter;
	struct err err = {0};

	if (bench->engine->engine->load(bench->self, on_load, &wanted, &counter, &err) < 0)
		fail_msg("load: %s", err.msg);
	if (strcmp(wanted.value, value) != 0 || wanted.revision != revision)
		fail_msg("%s: loaded \"%s\" at %llu, not \"%s\" at %llu", key, wanted.value,
			 (unsigned long long)wanted.revision, value, (unsigned long long)revision);
}
