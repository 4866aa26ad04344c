/* store/schema.h - opens the database file: whole, ours, of our schema, or untouched
 *
 * A file that is damaged, foreign or of a newer schema is not written to; the error names the way
 * out.
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "base/err.h"

#include <sqlite3.h>
#include <stddef.h>

#define SCHEMA_FILE "sallyport.db"

/* The steps[i] bring schema i to schema i + 1 (PRAGMA user_version), all that are due in one
 * transaction. Before a file that holds a schema is changed, a copy is made: sallyport.db.before-N,
 * N being the schema that the change leads to. The directory is locked by the caller (statedir.h).
 */
sqlite3 *schema_open(const char *dir, const char *const *steps, size_t count, struct err *err);
void auto_sqlite(sqlite3 **db); /* AUTO(auto_sqlite) sqlite3 *db */

extern const char *const schema_steps[]; /* those of this version */
extern const size_t schema_count;

/* What an error of SQLite means, and what to do: "no space left on the disk; …". */
const char *schema_reason(sqlite3 *db);

#endif
