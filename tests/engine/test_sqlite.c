/* tests/engine/test_sqlite.c - what only the engine on disk has: a file, a lock, a disk that fails
 */
#include "fault_vfs.h"
#include "harness.h"

#include "base/own.h"
#include "store/schema.h"
#include "store/statedir.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct engine_case sqlite_case = {.engine = &engine_sqlite, .on_disk = true};

/* ---- opening: refused, and why ---- */

static void expect_open_fails(struct loop *loop, const char *dir, enum err_code code,
			      const char *says)
{
	struct err err = {0};
	struct store *store = store_open(loop, &engine_sqlite, dir, &err);

	assert_null(store);
	if (err.code != code || strstr(err.msg, says) == NULL)
		fail_msg("code %d, not %d: \"%s\" without \"%s\"", err.code, code, err.msg, says);
}

/* A database with one ConfigMap in it. */
static void make_database(struct loop *loop, const char *dir)
{
	struct bench bench = {.engine = &sqlite_case, .loop = loop, .dir = xstrdup(dir)};
	struct err err = {0};

	if (engine_sqlite.open(&bench.self, loop, dir, &err) < 0)
		fail_msg("%s", err.msg);
	bench_do(&bench, "core/configmaps/default/a", "{\"data\":{\"x\":\"y\"}}", 0, ERR_NONE);
	engine_sqlite.close(bench.self);
	free(bench.dir);
}

static void run_sql(const char *dir, const char *sql)
{
	AUTO(auto_free) char *path = path_in(dir, SCHEMA_FILE);
	char *why = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

static void cut_off(const char *path)
{
	assert_int_equal(truncate(path, 3000), 0);
}

static void overwrite_head(const char *path)
{
	FILE *file = fopen(path, "r+b");

	assert_non_null(file);
	fputs("this is not SQLite", file);
	fclose(file);
}

static void overwrite_page(const char *path)
{
	FILE *file = fopen(path, "r+b");

	assert_non_null(file);
	fseek(file, 4096, SEEK_SET);
	for (int i = 0; i < 4096; i++)
		fputc(0x5a, file);
	fclose(file);
}

static void small_text(const char *path)
{
	write_file(path, "hello\n", 6);
}

static void newer_schema(const char *path)
{
	AUTO(auto_free) char *dir = xstrdup(path);

	*strrchr(dir, '/') = '\0';
	run_sql(dir, "PRAGMA user_version = 7");
}

static void another_program(const char *path)
{
	AUTO(auto_free) char *dir = xstrdup(path);

	unlink(path);
	*strrchr(dir, '/') = '\0';
	run_sql(dir, "CREATE TABLE notes (text)");
}

static void another_program_versioned(const char *path)
{
	AUTO(auto_free) char *dir = xstrdup(path);

	*strrchr(dir, '/') = '\0';
	run_sql(dir, "PRAGMA application_id = 5");
}

static void emptied_with_log(const char *path)
{
	AUTO(auto_free) char *wal = xasprintf("%s-wal", path);

	assert_int_equal(truncate(path, 0), 0);
	write_file(wal, "rest", 4);
}

static void bad_object(const char *path)
{
	AUTO(auto_free) char *dir = xstrdup(path);

	*strrchr(dir, '/') = '\0';
	run_sql(dir, "UPDATE objects SET value = '{\"data\":'");
}

static void no_counter(const char *path)
{
	AUTO(auto_free) char *dir = xstrdup(path);

	*strrchr(dir, '/') = '\0';
	run_sql(dir, "DELETE FROM meta");
}

static void no_table(const char *path)
{
	AUTO(auto_free) char *dir = xstrdup(path);

	*strrchr(dir, '/') = '\0';
	run_sql(dir, "DROP TABLE events");
}

static void test_bad_files_stay_untouched(void **state)
{
	static const struct {
		void (*spoil)(const char *path);
		enum err_code code;
		const char *says;
	} cases[] = {
		{cut_off, ERR_INVALID, "sallyport-troubleshooting"},
		{overwrite_head, ERR_INVALID, "not a database"},
		{overwrite_page, ERR_INVALID, "is damaged"},
		{small_text, ERR_INVALID, "not a database"},
		{newer_schema, ERR_UNSUPPORTED, "sallyport.db.before-7"},
		{another_program, ERR_INVALID, "not made by sallyportd"},
		{another_program_versioned, ERR_INVALID, "not made by sallyportd"},
		{emptied_with_log, ERR_INVALID, "-wal is not"},
		{bad_object, ERR_INVALID, "core/configmaps/default/a"},
		{no_counter, ERR_INVALID, "revision counter"},
		{no_table, ERR_INVALID, "events"},
	};
	struct loop *loop = make_loop();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *dir = make_dir();
		AUTO(auto_free) char *path = path_in(dir, SCHEMA_FILE);
		AUTO(auto_free) char *before = NULL;
		AUTO(auto_free) char *after = NULL;
		long before_len, after_len;

		make_database(loop, dir);
		cases[i].spoil(path);
		before = read_file(path, &before_len);
		expect_open_fails(loop, dir, cases[i].code, cases[i].says);
		after = read_file(path, &after_len);
		if (before_len != after_len || memcmp(before, after, (size_t)before_len) != 0)
			fail_msg("case %zu: the file was changed", i);
		remove_dir(dir);
	}
	loop_free(loop);
}

static void test_second_daemon_is_refused(void **state)
{
	AUTO(auto_free) char *pid = xasprintf("process %ld uses it", (long)getpid());
	struct bench bench;

	(void)state;
	bench_start(&bench, &sqlite_case);
	expect_open_fails(bench.loop, bench.dir, ERR_IO, pid);
	bench_do(&bench, "k", "1", 0, ERR_NONE); /* the first one works on */
	bench_reopen(&bench);                    /* and its end frees the directory */
	bench_end(&bench);
}

/* As nobody when the tests run as root: whatever the modes forbid is allowed to root. */
static void in_child_without_power(void (*check)(const char *dir), const char *dir)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(3);
		check(dir);
		_exit(4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s: the child's status is %#x", dir, (unsigned)status);
}

static void check_refused(const char *dir)
{
	struct err err = {0};

	if (statedir_lock(dir, &err) < 0 && err.code == ERR_IO &&
	    strstr(err.msg, "--state-dir") != NULL && strstr(err.msg, dir) != NULL &&
	    strstr(err.msg, "uid") != NULL)
		_exit(0);
	fprintf(stderr, "%s: %s\n", dir, err.msg);
	_exit(1);
}

static void test_directory_is_checked(void **state)
{
	char *dir = make_dir();
	AUTO(auto_free) char *below = path_in(dir, "not/there");
	AUTO(auto_free) char *file = path_in(dir, "file");
	AUTO(auto_free) char *locked = path_in(dir, "locked");
	AUTO(auto_free) char *lock = path_in(locked, "sallyport.lock");
	struct err err = {0};

	(void)state;
	write_file(file, "", 0);
	assert_int_equal(statedir_lock(file, &err), -1);
	assert_non_null(strstr(err.msg, "--state-dir"));
	assert_int_equal(mkdir(locked, 0755), 0);
	write_file(lock, "", 0);
	assert_int_equal(chmod(lock, 0400), 0);
	assert_int_equal(chmod(dir, 0555), 0);
	in_child_without_power(check_refused, dir);
	in_child_without_power(check_refused, below);
	assert_int_equal(chmod(locked, 0777), 0);
	in_child_without_power(check_refused, geteuid() == 0 ? locked : dir);
	assert_int_equal(chmod(dir, 0700), 0);
	remove_dir(dir);
}

static void expect_mode(const char *dir, const char *name, mode_t mode)
{
	AUTO(auto_free) char *path = path_in(dir, name);
	struct stat st;

	if (stat(path, &st) < 0)
		fail_msg("%s is not there", path);
	if ((st.st_mode & 07777) != mode)
		fail_msg("%s: mode %o, not %o", path, st.st_mode & 07777, mode);
}

static void test_modes(void **state)
{
	char *dir = make_dir();
	AUTO(auto_free) char *below = path_in(dir, "a/b/");
	AUTO(auto_free) char *file = path_in(below, SCHEMA_FILE);
	struct loop *loop = make_loop();
	struct err err = {0};
	mode_t before = umask(0);
	void *self;

	(void)state;
	make_database(loop, below);
	assert_int_equal(chmod(file, 0644), 0); /* as someone left it */
	assert_int_equal(engine_sqlite.open(&self, loop, below, &err), 0);
	umask(before);
	expect_mode(dir, "a", 0700);
	expect_mode(dir, "a/b", 0700);
	expect_mode(below, SCHEMA_FILE, 0600);
	expect_mode(below, SCHEMA_FILE "-wal", 0600);
	expect_mode(below, SCHEMA_FILE "-shm", 0600);
	expect_mode(below, "sallyport.lock", 0600);
	engine_sqlite.close(self);
	loop_free(loop);
	remove_dir(dir);
}

/* ---- migrations ---- */

static int count_of(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int number = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		number = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return number;
}

static void expect_copy(const char *dir, const char *name)
{
	AUTO(auto_free) char *path = path_in(dir, name);
	AUTO(auto_sqlite) sqlite3 *db = NULL;

	expect_mode(dir, name, 0600);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(count_of(db, "PRAGMA user_version"), 1);
	assert_int_equal(count_of(db, "SELECT count(*) FROM objects"), 1);
}

static void test_migration(void **state)
{
	const char *const steps[] = {
		schema_steps[0],
		"ALTER TABLE objects ADD COLUMN size INTEGER; UPDATE objects SET size = 7",
		"CREATE TABLE third (x)",
	};
	const char *const broken[] = {steps[0], steps[1], "CREATE TABLE objects (x)"};
	struct loop *loop = make_loop();
	char *dir = make_dir();
	struct err err = {0};
	sqlite3 *db;

	(void)state;
	make_database(loop, dir);
	/* a step that fails: nothing of it is seen, the copy is there */
	assert_null(schema_open(dir, broken, ARRAY_LEN(broken), &err));
	assert_non_null(strstr(err.msg, "from 1 to 3"));
	expect_copy(dir, SCHEMA_FILE ".before-3");
	db = schema_open(dir, steps, 1, &err);
	assert_non_null(db);
	assert_int_equal(count_of(db, "SELECT size FROM objects"), -1);
	auto_sqlite(&db);
	/* tried again, over the copy that is there */
	db = schema_open(dir, steps, ARRAY_LEN(steps), &err);
	if (db == NULL)
		fail_msg("%s", err.msg);
	assert_int_equal(count_of(db, "PRAGMA user_version"), 3);
	assert_int_equal(count_of(db, "SELECT size FROM objects"), 7);
	assert_int_equal(count_of(db, "SELECT count(*) FROM third"), 0);
	auto_sqlite(&db);
	expect_copy(dir, SCHEMA_FILE ".before-3");
	/* the version before it refuses */
	expect_open_fails(loop, dir, ERR_UNSUPPORTED, "schema 3");
	/* and a new file needs no copy */
	remove_dir(dir);
	dir = make_dir();
	db = schema_open(dir, steps, ARRAY_LEN(steps), &err);
	assert_non_null(db);
	auto_sqlite(&db);
	AUTO(auto_free) char *copy = path_in(dir, SCHEMA_FILE ".before-3");
	assert_int_equal(access(copy, F_OK), -1);
	remove_dir(dir);
	loop_free(loop);
}

static void test_settings(void **state)
{
	char *dir = make_dir();
	struct err err = {0};
	AUTO(auto_sqlite) sqlite3 *db = schema_open(dir, schema_steps, schema_count, &err);

	(void)state;
	assert_int_equal(count_of(db, "PRAGMA synchronous"), 2);
	assert_int_equal(count_of(db, "PRAGMA secure_delete"), 1);
	assert_int_equal(count_of(db, "PRAGMA temp_store"), 2);
	assert_int_equal(count_of(db, "SELECT count(*) FROM pragma_table_info('objects')"
				      " WHERE name = 'wrap'"),
			 1);
	remove_dir(dir);
}

/* ---- what was deleted or replaced is not in the file any more ---- */

static bool file_holds(const char *dir, const char *name, const char *needle)
{
	AUTO(auto_free) char *path = path_in(dir, name);
	long len;
	AUTO(auto_free) char *bytes = read_file(path, &len);

	return len > 0 && memmem(bytes, (size_t)len, needle, strlen(needle)) != NULL;
}

static void test_secrets_leave_the_file(void **state)
{
	struct bench bench;

	(void)state;
	bench_start(&bench, &sqlite_case);
	bench_do(&bench, "core/secrets/d/a", "{\"data\":\"needle-1\"}", 0, ERR_NONE);
	bench_do(&bench, "core/secrets/d/a", "{\"data\":\"needle-2\"}", 1, ERR_NONE);
	bench_do(&bench, "core/secrets/d/b", "{\"data\":\"needle-3\"}", 0, ERR_NONE);
	bench_do(&bench, "core/secrets/d/b", "", 3, ERR_NONE);
	bench_reopen(&bench); /* the log is part of the file now */
	assert_false(file_holds(bench.dir, SCHEMA_FILE, "needle-1"));
	assert_true(file_holds(bench.dir, SCHEMA_FILE, "needle-2"));
	assert_false(file_holds(bench.dir, SCHEMA_FILE, "needle-3"));
	assert_false(file_holds(bench.dir, SCHEMA_FILE "-wal", "needle"));
	bench_end(&bench);
}

/* ---- a disk that fails ---- */

static bool is_healthy(void *arg)
{
	return engine_sqlite.healthy(((struct bench *)arg)->self, NULL);
}

static void test_full_disk(void **state)
{
	struct err why = {0};
	struct bench bench;

	(void)state;
	bench_start(&bench, &sqlite_case);
	bench_do(&bench, "k", "1", 0, ERR_NONE);
	fault_arm(FAULT_FULL, 1, true);
	bench_ask(&bench, "k", "2", 1);
	bench_ask(&bench, "k", "2", 9); /* would be a conflict */
	bench_ask(&bench, "l", "1", 0);
	bench_settle(&bench);
	assert_int_equal(bench.note_count, 2 + 3); /* no changes */
	for (size_t i = 2; i < 5; i++) {
		assert_int_equal(bench.notes[i].code, ERR_IO);
		assert_non_null(strstr(bench.notes[i].msg, "no space"));
	}
	assert_false(engine_sqlite.healthy(bench.self, &why));
	assert_non_null(strstr(why.msg, "no space"));
	bench_do(&bench, "k", "2", 1, ERR_IO); /* still */
	/* by itself, without a write of ours */
	assert_true(fault_disarm());
	run_until(bench.loop, is_healthy, &bench);
	assert_int_equal(bench_do(&bench, "k", "2", 1, ERR_NONE), 2);
	bench_reopen(&bench);
	bench_check_loaded(&bench, "k", "2", 2);
	bench_check_loaded(&bench, "l", "", 0);
	bench_end(&bench);
}

static void test_healthy_with_the_next_commit(void **state)
{
	struct bench bench;

	(void)state;
	bench_start(&bench, &sqlite_case);
	fault_arm(FAULT_IO, 1, true);
	bench_do(&bench, "k", "1", 0, ERR_IO);
	fault_disarm();
	bench_do(&bench, "k", "1", 9, ERR_NOT_FOUND); /* no write: says nothing */
	assert_false(is_healthy(&bench));
	bench_do(&bench, "k", "1", 0, ERR_NONE);
	assert_true(is_healthy(&bench));
	bench_end(&bench);
}

static void test_locked_by_another(void **state)
{
	AUTO(auto_free) char *path = NULL;
	struct bench bench;
	sqlite3 *db;

	(void)state;
	bench_start(&bench, &sqlite_case);
	path = path_in(bench.dir, SCHEMA_FILE);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	bench_do(&bench, "k", "1", 0, ERR_IO);
	assert_non_null(strstr(bench.notes[0].msg, "locked"));
	sqlite3_close(db);
	bench_do(&bench, "k", "1", 0, ERR_NONE);
	bench_end(&bench);
}

/* Writes into a file that has no name any more would be lost without a word. */
static void test_deleted_while_open(void **state)
{
	AUTO(auto_free) char *path = NULL;
	AUTO(auto_free) char *aside = NULL;
	struct bench bench;

	(void)state;
	bench_start(&bench, &sqlite_case);
	path = path_in(bench.dir, SCHEMA_FILE);
	aside = path_in(bench.dir, "aside");
	assert_int_equal(rename(path, aside), 0);
	bench_do(&bench, "k", "1", 0, ERR_IO);
	assert_non_null(strstr(bench.notes[0].msg, "moved or deleted"));
	assert_int_equal(rename(aside, path), 0);
	bench_do(&bench, "k", "1", 0, ERR_NONE);
	bench_end(&bench);
}

/* The store goes on serving what it has. */
static bool nothing_pending(void *arg)
{
	return store_pending(arg) == 0;
}

static void on_wrote(void *arg, const struct object *object, const struct err *err)
{
	(void)object;
	*(enum err_code *)arg = err->code;
}

static void test_store_serves_without_disk(void **state)
{
	struct loop *loop = make_loop();
	char *dir = make_dir();
	struct err err = {0};
	struct store *store = store_open(loop, &engine_sqlite, dir, &err);
	AUTO(auto_json) json_t *json = json_pack("{s:i}", "v", 1);
	enum err_code code = ERR_NONE;

	(void)state;
	store_put(store, SV("k"), json, 0, on_wrote, &code);
	run_until(loop, nothing_pending, store);
	assert_true(store_healthy(store, &err));
	fault_arm(FAULT_IO, 1, true);
	json_object_set_new(json, "v", json_integer(2));
	store_put(store, SV("k"), json, 1, on_wrote, &code);
	run_until(loop, nothing_pending, store);
	assert_int_equal(code, ERR_IO);
	assert_false(store_healthy(store, &err));
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(store_revision(store), 1);
	assert_int_equal(json_int_at(store_get(store, SV("k"))->json, "v", 0), 1);
	fault_disarm();
	store_put(store, SV("k"), json, 1, on_wrote, &code);
	run_until(loop, nothing_pending, store);
	assert_int_equal(code, ERR_NONE);
	assert_true(store_healthy(store, NULL));
	store_close(store);
	loop_free(loop);
	remove_dir(dir);
}

/* A host that was restarted because its disk is full must serve all the same. */
static void test_start_on_a_full_disk(void **state)
{
	struct bench bench;

	(void)state;
	bench_start(&bench, &sqlite_case);
	bench_do(&bench, "k", "1", 0, ERR_NONE);
	fault_no_shm(true);
	fault_arm(FAULT_FULL, 1, true);
	bench_reopen(&bench);
	bench_do(&bench, "k", "2", 1, ERR_IO);
	assert_false(is_healthy(&bench));
	fault_disarm();
	bench_do(&bench, "k", "2", 1, ERR_NONE);
	fault_no_shm(false);
	bench_reopen(&bench);
	bench_check_loaded(&bench, "k", "2", 2);
	bench_end(&bench);
}

/* The first, second, third … write or sync fails, once: the turn is all or nothing, and what was
 * answered is what the file holds. */
static bool torture_once(enum fault_kind kind, unsigned after)
{
	struct bench bench;
	bool failed;

	bench_start(&bench, &sqlite_case);
	bench_do(&bench, "k", "1", 0, ERR_NONE);
	bench_do(&bench, "gone", "1", 0, ERR_NONE);
	fault_arm(kind, after, false);
	bench_ask(&bench, "k", "22", 1);
	bench_ask(&bench, "new", "33", 0);
	bench_ask(&bench, "gone", "", 2);
	bench_settle(&bench);
	failed = fault_disarm();
	if (bench.notes[4].code == ERR_NONE) {
		bench_reopen(&bench);
		bench_check_loaded(&bench, "k", "22", 3);
		bench_check_loaded(&bench, "new", "33", 4);
		bench_check_loaded(&bench, "gone", "", 0);
	} else {
		assert_int_equal(bench.note_count, 4 + 3);
		bench_do(&bench, "other", "1", 0, ERR_NONE);
		bench_reopen(&bench);
		bench_check_loaded(&bench, "k", "1", 1);
		bench_check_loaded(&bench, "gone", "1", 2);
		bench_check_loaded(&bench, "new", "", 0);
		bench_check_loaded(&bench, "other", "1", 3);
	}
	bench_end(&bench);
	return failed;
}

static void test_torture(void **state)
{
	static const enum fault_kind kinds[] = {FAULT_FULL, FAULT_IO};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		unsigned after = 1;

		while (torture_once(kinds[i], after))
			after++;
		assert_true(after > 2); /* some writes and a sync */
	}
}

/* ---- kill -9 ---- */

struct writer { /* in the child: one write after the other, each told when it is answered */
	struct loop *loop;
	void *self;
	int pipe;
	unsigned number;
};

static void write_next(struct writer *writer);

static void on_written(void *arg, uint64_t revision, const struct err *err)
{
	struct writer *writer = arg;

	(void)revision;
	if (err->code != ERR_NONE || write(writer->pipe, &writer->number, sizeof(unsigned)) < 0)
		_exit(5);
	writer->number++;
	write_next(writer);
}

static void write_next(struct writer *writer)
{
	char key[32];
	struct store_op op = {.value = SV("{\"a\":\"some text\"}")};

	snprintf(key, sizeof(key), "k/%u", writer->number);
	op.key = sv_from(key);
	engine_sqlite.commit(writer->self, &op, on_written, writer);
}

static void be_the_writer(const char *dir, int pipe)
{
	struct err err = {0};
	struct writer writer = {.loop = loop_new(&err), .pipe = pipe};
	uint64_t revision;

	if (engine_sqlite.open(&writer.self, writer.loop, dir, &err) < 0 ||
	    engine_sqlite.load(writer.self, NULL, NULL, &revision, &err) < 0)
		_exit(6);
	write_next(&writer);
	loop_run(writer.loop);
	_exit(7);
}

/* The number of the last write that was answered before the kill. */
static unsigned kill_after(const char *dir, unsigned count)
{
	unsigned number = 0;
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		be_the_writer(dir, ends[1]);
	}
	close(ends[1]);
	do {
		if (read(ends[0], &number, sizeof(number)) != (ssize_t)sizeof(number))
			break;
	} while (number != count);
	kill(pid, SIGKILL);
	while (read(ends[0], &number, sizeof(number)) == (ssize_t)sizeof(number))
		;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("the writer ended with status %#x", (unsigned)status);
	return number;
}

static void count_object(void *arg, uint64_t revision, struct str_view key, struct str_view value)
{
	(void)revision;
	(void)key;
	assert_true(sv_eq(value, SV("{\"a\":\"some text\"}")));
	++*(unsigned *)arg;
}

static void test_kill_loses_nothing_answered(void **state)
{
	static const unsigned counts[] = {1, 2, 3, 50, 211};
	struct loop *loop = make_loop();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		char *dir = make_dir();
		unsigned last = kill_after(dir, counts[i]);
		unsigned found = 0;
		uint64_t revision = 0;
		struct err err = {0};
		void *self;

		if (engine_sqlite.open(&self, loop, dir, &err) < 0)
			fail_msg("after the kill: %s", err.msg);
		assert_int_equal(engine_sqlite.load(self, count_object, &found, &revision, &err),
				 0);
		/* the one in flight may be there or not */
		if (found < last + 1 || found > last + 2 || revision != found)
			fail_msg("%u objects, revision %llu; %u were answered", found,
				 (unsigned long long)revision, last + 1);
		engine_sqlite.close(self);
		remove_dir(dir);
	}
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_files_stay_untouched),
		cmocka_unit_test(test_second_daemon_is_refused),
		cmocka_unit_test(test_directory_is_checked),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_migration),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_secrets_leave_the_file),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_healthy_with_the_next_commit),
		cmocka_unit_test(test_locked_by_another),
		cmocka_unit_test(test_deleted_while_open),
		cmocka_unit_test(test_store_serves_without_disk),
		cmocka_unit_test(test_start_on_a_full_disk),
		cmocka_unit_test(test_torture),
		cmocka_unit_test(test_kill_loses_nothing_answered),
	};

	fault_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
