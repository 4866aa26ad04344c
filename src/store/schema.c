/* store/schema.c - opens the database file: whole, ours, of our schema, or untouched */
#include "store/schema.h"

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x53504442 /* "SPDB", for file(1) and against foreign databases */
#define STR_(x)        #x
#define STR(x)         STR_(x)

/* Schema 1. objects.wrap: the id of the key that value is wrapped with; NULL: plain (all are, so
 * far). events.change: enum store_change; value NULL: not kept. */
static const char schema_1[] = "PRAGMA application_id = " STR(
	APPLICATION_ID) ";"
			"CREATE TABLE objects ("
			"  key TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, value TEXT "
			"NOT NULL, wrap TEXT"
			");"
			"CREATE TABLE events ("
			"  revision INTEGER PRIMARY KEY NOT NULL, key TEXT NOT NULL, change "
			"INTEGER NOT NULL,"
			"  value TEXT"
			");"
			"CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT "
			"NULL);"
			"INSERT INTO meta VALUES ('revision', 0);";

const char *const schema_steps[] = {schema_1};
const size_t schema_count = ARRAY_LEN(schema_steps);

void auto_sqlite(sqlite3 **db)
{
	sqlite3_close_v2(*db);
}

const char *schema_reason(sqlite3 *db)
{
	switch (sqlite3_errcode(db)) {
	case SQLITE_FULL:
		return "no space is left on its disk; free some";
	case SQLITE_READONLY:
		return "it is read-only; make the file and its file system writable";
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "another program keeps it locked; end that one (see: fuser -v on the file)";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "it is damaged";
	case SQLITE_IOERR:
		return sqlite3_system_errno(db) != 0 ? strerror(sqlite3_system_errno(db))
						     : "input/output error";
	default:
		return sqlite3_errmsg(db);
	}
}

static int failed(sqlite3 *db, const char *path, struct err *err)
{
	return err_set(err, ERR_IO, "database %s: %s", path, schema_reason(db));
}

static int damaged(const char *path, const char *how, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "database %s is damaged (%s) and was left as it is; put a backup in its "
		       "place, or save what can be read (man sallyport-troubleshooting says how), "
		       "or move it, its -wal and its -shm away to start empty (certificates are "
		       "then ordered anew)",
		       path, how);
}

/* An error met while reading: damage is told from refusal. */
static int unreadable(sqlite3 *db, const char *path, struct err *err)
{
	int code = sqlite3_errcode(db);

	if (code == SQLITE_NOTADB)
		return damaged(path, "it is not a database", err);
	if (code == SQLITE_CORRUPT)
		return damaged(path, sqlite3_errmsg(db), err);
	return failed(db, path, err);
}

static int foreign(const char *path, struct err *err)
{
	return err_set(
		err, ERR_INVALID,
		"database %s was not made by sallyportd and was left as it is; move it away, "
		"or name another directory with --state-dir",
		path);
}

/* ---- the file, before SQLite sees it ---- */

static int check_file(const char *path, struct err *err)
{
	AUTO(auto_free) char *wal = xasprintf("%s-wal", path);
	struct stat st = {.st_mode = S_IFREG}, wal_st;

	if (lstat(path, &st) < 0 && errno != ENOENT)
		return err_set(err, ERR_IO, "database %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID,
			       "database %s is not a plain file; move it away, or name another "
			       "directory with --state-dir",
			       path);
	/* SQLite would throw such a log away as left over from a deleted database. */
	if (st.st_size == 0 && stat(wal, &wal_st) == 0 && wal_st.st_size > 0)
		return damaged(path, "it is empty or missing, but its -wal is not", err);
	return 0;
}

/* The file is there, plain, ours to write, and nobody else's to read. */
static int prepare_file(const char *path, struct err *err)
{
	AUTO(auto_close) int fd = -1;
	struct stat st;

	if (check_file(path, err) < 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, ERR_IO,
			       "database %s: cannot open it as uid %u: %s; give the state "
			       "directory to the user the daemon runs as (chown -R), or name "
			       "another one with --state-dir",
			       path, (unsigned)geteuid(), strerror(errno));
	if ((st.st_mode & 077) != 0 && fchmod(fd, 0600) < 0)
		return err_set(err, ERR_IO,
			       "database %s: others can read it, and chmod says: %s; run: chmod "
			       "0600 %s",
			       path, strerror(errno), path);
	return 0;
}

/* Those of a file that was once readable to others; SQLite gives new ones the file's mode. */
static void narrow_companions(const char *path)
{
	static const char *const suffixes[] = {"-wal", "-shm"};

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		AUTO(auto_free) char *name = xasprintf("%s%s", path, suffixes[i]);

		if (chmod(name, 0600) < 0 && errno != ENOENT)
			log_warn("store", "%s: chmod 0600: %s", name, strerror(errno));
	}
}

/* ---- reading, without a write ---- */

static int read_number(sqlite3 *db, const char *sql, int *number)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		*number = sqlite3_column_int(stmt, 0);
		sqlite3_finalize(stmt);
		return 0;
	}
	sqlite3_finalize(stmt);
	return -1;
}

static int quick_check(sqlite3 *db, const char *path, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int result = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW) {
		unreadable(db, path, err);
	} else {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);

		if (text != NULL && strcmp(text, "ok") == 0)
			result = 0;
		else
			damaged(path, text == NULL ? "quick_check failed" : text, err);
	}
	sqlite3_finalize(stmt);
	return result;
}

static int check_version(const char *path, int version, size_t count, struct err *err)
{
	if (version >= 0 && (size_t)version <= count)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "database %s has schema %d, and this sallyportd knows schemas up to %zu: a "
		       "newer one wrote it; it was left as it is; install that version again, or "
		       "put the copy %s.before-%d in its place",
		       path, version, count, path, version);
}

/* *version: 0 for a file that holds nothing yet. */
static int inspect(sqlite3 *db, const char *path, size_t count, int *version, struct err *err)
{
	int tables = 0, application = 0;

	if (read_number(db, "PRAGMA user_version", version) < 0 ||
	    read_number(db, "PRAGMA application_id", &application) < 0 ||
	    read_number(db, "SELECT count(*) FROM sqlite_schema", &tables) < 0)
		return unreadable(db, path, err);
	if (*version == 0 ? tables != 0 : application != APPLICATION_ID)
		return foreign(path, err);
	if (check_version(path, *version, count, err) < 0)
		return -1;
	return quick_check(db, path, err);
}

/* ---- writing ---- */

static int run(sqlite3 *db, const char *path, const char *sql, struct err *err)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return failed(db, path, err);
	return 0;
}

static int sync_path(const char *path, int flags)
{
	AUTO(auto_close) int fd = open(path, flags | O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : fsync(fd);
}

/* VACUUM INTO takes a file that is there when it is empty: so it is 0600 from its first byte. */
static int copy_into(sqlite3 *db, const char *target, struct err *err)
{
	AUTO(auto_close) int fd = -1;
	sqlite3_stmt *stmt = NULL;
	int rc;

	unlink(target);
	fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, ERR_IO, "%s: %s", target, strerror(errno));
	rc = sqlite3_prepare_v2(db, "VACUUM INTO ?", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 1, target, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc != SQLITE_DONE)
		err_set(err, ERR_IO, "%s: %s", target, schema_reason(db));
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

static int copy_before(sqlite3 *db, const char *dir, size_t version, struct err *err)
{
	AUTO(auto_free) char *name = xasprintf("%s/" SCHEMA_FILE ".before-%zu", dir, version);
	AUTO(auto_free) char *unfinished = xasprintf("%s.unfinished", name);

	if (copy_into(db, unfinished, err) < 0) {
		unlink(unfinished);
		return err_prefix(err, "cannot copy the database before its schema changes: ");
	}
	if (sync_path(unfinished, 0) < 0 || rename(unfinished, name) < 0 ||
	    sync_path(dir, O_DIRECTORY) < 0)
		return err_set(err, ERR_IO,
			       "cannot copy the database before its schema changes: %s: %s", name,
			       strerror(errno));
	log_info("store", "copied the database to %s before changing its schema", name);
	return 0;
}

static int run_steps(sqlite3 *db, const char *path, const char *const *steps, size_t count,
		     struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (run(db, path, steps[i], err) < 0)
			return -1;
	}
	return 0;
}

static int migrate(sqlite3 *db, const char *path, const char *const *steps, size_t count,
		   struct err *err)
{
	AUTO(auto_free) char *finish = NULL;
	int version = 0;

	if (run(db, path, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	if (read_number(db, "PRAGMA user_version", &version) < 0)
		return failed(db, path, err);
	finish = xasprintf("PRAGMA user_version = %zu; COMMIT", count);
	if (run_steps(db, path, steps + version, count - (size_t)version, err) < 0 ||
	    run(db, path, finish, err) < 0) {
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		return err_prefix(err, "changing the schema from %d to %zu: ", version, count);
	}
	return 0;
}

static int set_wal(sqlite3 *db, const char *path, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	bool wal = false;

	if (sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		wal = strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
	sqlite3_finalize(stmt);
	if (sqlite3_errcode(db) != SQLITE_ROW && sqlite3_errcode(db) != SQLITE_OK)
		return failed(db, path, err);
	if (!wal)
		return err_set(err, ERR_IO,
			       "database %s: its file system does not do what SQLite's WAL needs "
			       "(shared memory); name a directory on a local disk with --state-dir",
			       path);
	return 0;
}

static int take_over(sqlite3 *db, const char *path, struct err *err)
{
	/* temp_store: no secret may reach a file in /tmp; the limit bounds what a burst leaves. */
	if (set_wal(db, path, err) < 0)
		return -1;
	narrow_companions(path);
	return run(db, path,
		   "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
		   "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
		   "PRAGMA journal_size_limit = 4194304",
		   err);
}

static sqlite3 *open_file(const char *path, struct err *err)
{
	sqlite3 *db = NULL;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;

	if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
		failed(db, path, err);
		sqlite3_close_v2(db);
		return NULL;
	}
	/* Until the file is found to be good, closing may not move the log into it. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* Long enough for another program's short write, short enough for the control thread. */
	sqlite3_busy_timeout(db, 100);
	return db;
}

static bool no_space(sqlite3 *db)
{
	int code = sqlite3_errcode(db), why = sqlite3_system_errno(db);

	return code == SQLITE_FULL || (code == SQLITE_IOERR && (why == ENOSPC || why == EDQUOT));
}

/* The second try of a start on a full disk: the index of the log is kept in memory, not in -shm.
 * The daemon serves what is stored; nobody else can read the file meanwhile. */
static sqlite3 *open_without_shm(const char *path, size_t count, int *version, struct err *err)
{
	AUTO(auto_sqlite) sqlite3 *db = open_file(path, err);

	if (db == NULL || run(db, path, "PRAGMA locking_mode = EXCLUSIVE", err) < 0 ||
	    inspect(db, path, count, version, err) < 0)
		return NULL;
	log_warn("store", "database %s: no space is left on its disk; free some, then restart",
		 path);
	return TAKE(db);
}

static sqlite3 *open_good(const char *path, size_t count, int *version, struct err *err)
{
	sqlite3 *db = open_file(path, err);
	bool full;

	if (db == NULL || inspect(db, path, count, version, err) == 0)
		return db;
	full = no_space(db);
	sqlite3_close_v2(db); /* its locks would be in the way of the second try */
	return full ? open_without_shm(path, count, version, err) : NULL;
}

sqlite3 *schema_open(const char *dir, const char *const *steps, size_t count, struct err *err)
{
	AUTO(auto_free) char *path = xasprintf("%s/" SCHEMA_FILE, dir);
	AUTO(auto_sqlite) sqlite3 *db = NULL;
	int version = 0;

	if (prepare_file(path, err) < 0)
		return NULL;
	db = open_good(path, count, &version, err);
	if (db == NULL || take_over(db, path, err) < 0)
		return NULL;
	if (version > 0 && (size_t)version < count && copy_before(db, dir, count, err) < 0)
		return NULL;
	if ((size_t)version < count && migrate(db, path, steps, count, err) < 0)
		return NULL;
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return TAKE(db);
}
