/* store/engine_sqlite.c - the store in one SQLite file: a transaction for each turn of the loop
 *
 * The transaction begins with the first commit of a turn and ends with the turn; each comparison is
 * judged inside it. When anything fails, all of the turn is rolled back and refused with ERR_IO,
 * and a probe with back-off finds out when the disk is well again (as does any commit that
 * succeeds).
 */
#include "base/log.h"
#include "base/own.h"
#include "store/batch.h"
#include "store/schema.h"
#include "store/statedir.h"

#include <inttypes.h>
#include <stdlib.h>

#define PROBE_FIRST_MS 1000
#define PROBE_LAST_MS  60000

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	FIND,
	PUT,
	DELETE,
	RECORD,
	TRIM,
	COUNTER,
	LOAD,
	READ_COUNTER,
	OLDEST,
	HISTORY,
	STATEMENT_COUNT
};

/* ?1 is a revision, ?2 a key wherever they occur. */
static const char *const statement_text[STATEMENT_COUNT] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[FIND] = "SELECT revision FROM objects WHERE key = ?2",
	[PUT] = "INSERT INTO objects (key, revision, value) VALUES (?2, ?1, ?3)"
		" ON CONFLICT (key) DO UPDATE SET revision = ?1, value = ?3",
	[DELETE] = "DELETE FROM objects WHERE key = ?2",
	/* ?3: the kind of change; ?4: the longest value that is kept, -1: none */
	[RECORD] = "INSERT INTO events (revision, key, change, value)"
		   " SELECT ?1, key, ?3, CASE WHEN length(value) <= ?4 THEN value END"
		   " FROM objects WHERE key = ?2",
	[TRIM] = "DELETE FROM events WHERE revision <= ?1",
	[COUNTER] = "UPDATE meta SET value = ?1 WHERE name = 'revision'",
	[LOAD] = "SELECT revision, key, value FROM objects ORDER BY key",
	[READ_COUNTER] = "SELECT value FROM meta WHERE name = 'revision'",
	[OLDEST] = "SELECT min(revision) FROM events",
	[HISTORY] = "SELECT revision, key, value, change FROM events"
		    " WHERE revision > ?1 ORDER BY revision",
};

struct sqlite {
	struct batch batch;
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	int lock;
	char *dir;
	uint64_t before; /* the counter when the turn's transaction began */
	bool in_transaction;
	struct err turn;      /* why the turn's transaction cannot succeed any more */
	struct err unhealthy; /* why the last commit failed */
	struct timer probe;
	int64_t probe_delay;
};

/* ---- statements ---- */

static sqlite3_stmt *bound(struct sqlite *sq, enum statement which, uint64_t revision,
			   struct str_view key)
{
	sqlite3_stmt *stmt = sq->statements[which];
	int parameters = sqlite3_bind_parameter_count(stmt);

	if (parameters >= 1)
		sqlite3_bind_int64(stmt, 1, (sqlite3_int64)revision);
	if (parameters >= 2)
		sqlite3_bind_text(stmt, 2, key.data, (int)key.len, SQLITE_STATIC);
	return stmt;
}

static void done_with(sqlite3_stmt *stmt)
{
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
}

static int turn_failed(struct sqlite *sq)
{
	return err_set(&sq->turn, ERR_IO, "not stored: the database in %s cannot be written: %s",
		       sq->dir, schema_reason(sq->db));
}

/* Runs a statement that gives no row; on failure the turn is lost. */
static int finish(struct sqlite *sq, sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);
	int result = rc == SQLITE_DONE ? 0 : turn_failed(sq);

	done_with(stmt);
	return result;
}

static int simple(struct sqlite *sq, enum statement which, uint64_t revision)
{
	return finish(sq, bound(sq, which, revision, SV_NONE));
}

/* ---- one turn ---- */

static int turn_begin(struct sqlite *sq)
{
	if (sq->turn.code != ERR_NONE)
		return -1;
	if (sq->in_transaction)
		return 0;
	sq->before = sq->batch.revision;
	if (simple(sq, BEGIN, 0) < 0)
		return -1;
	sq->in_transaction = true;
	return 0;
}

/* *revision 0: absent. */
static int find(struct sqlite *sq, struct str_view key, uint64_t *revision)
{
	sqlite3_stmt *stmt = bound(sq, FIND, 0, key);
	int rc = sqlite3_step(stmt);

	*revision = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		turn_failed(sq);
	done_with(stmt);
	return sq->turn.code == ERR_NONE ? 0 : -1;
}

static int record_change(struct sqlite *sq, const struct batch_op *op, enum store_change change)
{
	sqlite3_stmt *stmt = bound(sq, RECORD, op->revision, op->key);

	sqlite3_bind_int(stmt, 3, (int)change);
	sqlite3_bind_int64(stmt, 4,
			   store_key_secret(op->key) ? -1 : (int64_t)STORE_HISTORY_VALUE_MAX);
	return finish(sq, stmt);
}

static int apply(struct sqlite *sq, const struct batch_op *op, uint64_t current)
{
	sqlite3_stmt *stmt;

	if (op->value.len == 0)
		return record_change(sq, op, STORE_DELETED) < 0
			       ? -1
			       : finish(sq, bound(sq, DELETE, 0, op->key));
	stmt = bound(sq, PUT, op->revision, op->key);
	sqlite3_bind_text(stmt, 3, op->value.data, (int)op->value.len, SQLITE_STATIC);
	if (finish(sq, stmt) < 0)
		return -1;
	return record_change(sq, op, current == 0 ? STORE_ADDED : STORE_MODIFIED);
}

static void sqlite_commit(void *self, const struct store_op *op, store_done_fn *done, void *arg)
{
	struct sqlite *sq = self;
	struct batch_op *record = batch_add(&sq->batch, op, done, arg);
	uint64_t current;

	/* A failure is kept in turn: flush refuses all. */
	if (turn_begin(sq) < 0 || find(sq, record->key, &current) < 0)
		return;
	if (batch_judge(&sq->batch, record, op->expect_revision, current))
		apply(sq, record, current);
}

/* Writes to a file that was unlinked or moved would succeed and be lost. */
static int check_place(struct sqlite *sq)
{
	int moved = 0;

	if (sqlite3_file_control(sq->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
	    moved != 0)
		return err_set(&sq->turn, ERR_IO,
			       "not stored: %s/" SCHEMA_FILE " was moved or deleted while in use; "
			       "restart the daemon, which then starts with the file that is there",
			       sq->dir);
	return 0;
}

static int turn_commit(struct sqlite *sq)
{
	uint64_t counter = sq->batch.revision;

	if (sq->turn.code != ERR_NONE || check_place(sq) < 0)
		return -1;
	if (counter > STORE_HISTORY_MAX && simple(sq, TRIM, counter - STORE_HISTORY_MAX) < 0)
		return -1;
	if (simple(sq, COUNTER, counter) < 0 || simple(sq, COMMIT, 0) < 0)
		return -1;
	sq->in_transaction = false;
	return 0;
}

static void turn_rollback(struct sqlite *sq)
{
	/* SQLite may have rolled back by itself: full disk, I/O error. */
	if (sqlite3_get_autocommit(sq->db) == 0) {
		sqlite3_step(sq->statements[ROLLBACK]);
		sqlite3_reset(sq->statements[ROLLBACK]);
	}
	sq->in_transaction = false;
	sq->batch.revision = sq->before;
}

/* ---- health ---- */

static void now_healthy(struct sqlite *sq)
{
	if (sq->unhealthy.code == ERR_NONE)
		return;
	log_info("store", "the database in %s can be written again", sq->dir);
	sq->unhealthy.code = ERR_NONE;
	timer_stop(sq->batch.loop, &sq->probe);
}

static void now_unhealthy(struct sqlite *sq)
{
	if (sq->unhealthy.code == ERR_NONE) {
		log_error("store", "%s", sq->turn.msg);
		sq->probe_delay = PROBE_FIRST_MS;
		timer_in(sq->batch.loop, &sq->probe, sq->probe_delay);
	}
	sq->unhealthy = sq->turn;
}

/* Ends the transaction one way or the other. */
static int turn_end(struct sqlite *sq)
{
	int result = turn_commit(sq);

	if (result < 0) {
		turn_rollback(sq);
		now_unhealthy(sq);
	} else {
		now_healthy(sq);
	}
	return result;
}

/* The counter written unchanged: the lightest commit there is. It also overwrites in the log what a
 * commit left there whose fsync failed, and which a later recovery would take for committed. */
static void on_probe(struct timer *timer)
{
	struct sqlite *sq = CONTAINER_OF(timer, struct sqlite, probe);

	if (list_empty(&sq->batch.open)) { /* else that batch finds out */
		if (turn_begin(sq) < 0)
			sq->unhealthy = sq->turn;
		else
			turn_end(sq);
		sq->turn.code = ERR_NONE;
	}
	if (sq->unhealthy.code == ERR_NONE)
		return;
	sq->probe_delay = sq->probe_delay * 2 > PROBE_LAST_MS ? PROBE_LAST_MS : sq->probe_delay * 2;
	timer_in(sq->batch.loop, &sq->probe, sq->probe_delay);
}

static void sqlite_flush(struct batch *batch)
{
	struct sqlite *sq = CONTAINER_OF(batch, struct sqlite, batch);
	bool nothing = sq->turn.code == ERR_NONE && sq->batch.revision == sq->before;

	if (nothing) /* every comparison failed: no write, so no word on the disk's health */
		turn_rollback(sq);
	else if (turn_end(sq) < 0)
		batch_refuse(batch, sq->turn.msg);
	sq->turn.code = ERR_NONE;
}

static bool sqlite_healthy(void *self, struct err *why)
{
	const struct sqlite *sq = self;

	if (why != NULL)
		*why = sq->unhealthy;
	return sq->unhealthy.code == ERR_NONE;
}

/* ---- opening and closing ---- */

static int prepare_all(struct sqlite *sq, struct err *err)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++) {
		if (sqlite3_prepare_v3(sq->db, statement_text[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &sq->statements[i], NULL) != SQLITE_OK)
			return err_set(err, ERR_INVALID,
				       "database %s/" SCHEMA_FILE
				       " is damaged (%s) and was left as "
				       "it is; put a backup in its place",
				       sq->dir, sqlite3_errmsg(sq->db));
	}
	return 0;
}

static void sqlite_release(struct sqlite *sq)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(sq->statements[i]);
	sqlite3_close_v2(sq->db);
	statedir_unlock(sq->lock);
	free(sq->dir);
	free(sq);
}

static int sqlite_open(void **self, struct loop *loop, const char *where, struct err *err)
{
	struct sqlite *sq = xcalloc(1, sizeof(*sq));

	sq->dir = xstrdup(where);
	sq->lock = statedir_lock(where, err);
	if (sq->lock >= 0)
		sq->db = schema_open(where, schema_steps, schema_count, err);
	if (sq->db == NULL || prepare_all(sq, err) < 0) {
		sqlite_release(sq);
		return -1;
	}
	timer_init(&sq->probe, on_probe);
	batch_init(&sq->batch, loop, sqlite_flush);
	*self = sq;
	return 0;
}

static void sqlite_close(void *self)
{
	struct sqlite *sq = self;

	batch_deinit(&sq->batch);
	timer_stop(sq->batch.loop, &sq->probe);
	sqlite_release(sq);
}

/* ---- reading ---- */

static struct str_view column(sqlite3_stmt *stmt, int number)
{
	const char *text = (const char *)sqlite3_column_text(stmt, number);

	return sv_new(text, (size_t)sqlite3_column_bytes(stmt, number));
}

static int read_failed(struct sqlite *sq, struct err *err)
{
	return err_set(err, ERR_IO, "database %s/" SCHEMA_FILE " cannot be read: %s", sq->dir,
		       schema_reason(sq->db));
}

static int read_counter(struct sqlite *sq, uint64_t *revision, struct err *err)
{
	sqlite3_stmt *stmt = bound(sq, READ_COUNTER, 0, SV_NONE);
	bool there = sqlite3_step(stmt) == SQLITE_ROW;

	if (there)
		*revision = (uint64_t)sqlite3_column_int64(stmt, 0);
	else
		err_set(err, ERR_INVALID,
			"database %s/" SCHEMA_FILE
			" is damaged (it has no revision counter) and was "
			"left as it is; put a backup in its place",
			sq->dir);
	done_with(stmt);
	return there ? 0 : -1;
}

static int sqlite_load(void *self, store_event_fn *each, void *arg, uint64_t *revision,
		       struct err *err)
{
	struct sqlite *sq = self;
	sqlite3_stmt *stmt;
	int rc;

	if (read_counter(sq, revision, err) < 0)
		return -1;
	batch_start(&sq->batch, *revision);
	stmt = bound(sq, LOAD, 0, SV_NONE);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		each(arg, (uint64_t)sqlite3_column_int64(stmt, 0), column(stmt, 1),
		     column(stmt, 2));
	done_with(stmt);
	return rc == SQLITE_DONE ? 0 : read_failed(sq, err);
}

static void sqlite_watch(void *self, store_event_fn *each, void *arg)
{
	struct sqlite *sq = self;

	sq->batch.each = each;
	sq->batch.each_arg = arg;
}

static uint64_t sqlite_oldest(void *self)
{
	struct sqlite *sq = self;
	sqlite3_stmt *stmt = bound(sq, OLDEST, 0, SV_NONE);
	uint64_t oldest = sq->batch.delivered;

	if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int64(stmt, 0) > 0)
		oldest = (uint64_t)sqlite3_column_int64(stmt, 0) - 1;
	done_with(stmt);
	return oldest;
}

static struct store_past past_row(sqlite3_stmt *stmt)
{
	return (struct store_past){
		.revision = (uint64_t)sqlite3_column_int64(stmt, 0),
		.key = column(stmt, 1),
		.value = column(stmt, 2),
		.kept = sqlite3_column_type(stmt, 2) != SQLITE_NULL,
		.change = (enum store_change)sqlite3_column_int(stmt, 3),
	};
}

static int sqlite_history(void *self, uint64_t after, store_past_fn *each, void *arg,
			  struct err *err)
{
	struct sqlite *sq = self;
	sqlite3_stmt *stmt;
	bool more = true;
	int rc = SQLITE_DONE;

	if (batch_check_after(&sq->batch, after, sqlite_oldest(sq), err) < 0)
		return -1;
	stmt = bound(sq, HISTORY, after, SV_NONE);
	while (more && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct store_past past = past_row(stmt);

		/* Rows of the open transaction are visible here, but are not committed yet. */
		more = past.revision <= sq->batch.delivered && each(arg, &past);
	}
	done_with(stmt);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : read_failed(sq, err);
}

const struct store_engine engine_sqlite = {
	.name = "sqlite",
	.open = sqlite_open,
	.close = sqlite_close,
	.load = sqlite_load,
	.commit = sqlite_commit,
	.watch = sqlite_watch,
	.oldest = sqlite_oldest,
	.history = sqlite_history,
	.healthy = sqlite_healthy,
};
