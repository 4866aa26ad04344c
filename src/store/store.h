/* store/store.h - objects by key: a cache of everything over an engine, compare-and-swap, watches
 *
 * Control thread only. Knows no kind: keys are text, values JSON. Reads come from the cache and
 * never wait. Writes: the callback runs in a later turn, once, after the cache and all watches have
 * seen it.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "store/engine.h"
#include "store/object.h"

struct store;

#define STORE_KEY_MAX   1024u      /* bytes of a key */
#define STORE_VALUE_MAX (2u << 20) /* bytes of a value's JSON text */

/* NULL with a sentence that says what to do: directory in use or not writable, file damaged or of a
 * newer version, … */
struct store *store_open(struct loop *loop, const struct store_engine *engine, const char *where,
			 struct err *err);
/* Commits what is pending. Callbacks that have not run by now never will: run the loop until
 * store_pending is 0 first where that matters. Watches must be gone. Not from a callback of the
 * store. */
void store_close(struct store *store);

uint64_t store_revision(const struct store *store); /* of the last committed change */

/* Borrowed until the next turn; object_ref to keep. NULL: absent. */
const struct object *store_get(const struct store *store, struct str_view key);

/* Every object whose key starts with prefix ("core/secrets/default/"), in key order. The visitor
 * may not write into the map (store_put is fine: it takes effect later). Return false to stop. */
typedef bool store_visit_fn(void *arg, const struct object *object);
void store_each(const struct store *store, struct str_view prefix, store_visit_fn *visit,
		void *arg);
size_t store_count(const struct store *store, struct str_view prefix);

/* Writes. value is borrowed (copied); metadata.resourceVersion in it is ignored and set by the
 * store. expect: 0 create (store_delete: whatever is there), otherwise the revision that must be in
 * force. done may be NULL. The object given to done is the one stored (borrowed), NULL after a
 * delete or a failure. Failures: ERR_EXISTS, ERR_NOT_FOUND, ERR_CONFLICT: the comparison;
 * ERR_LIMIT: key, text or depth (JSON_DEPTH_MAX) over its limit; ERR_INVALID: value is no JSON
 * object; ERR_IO: not stored. */
typedef void store_wrote_fn(void *arg, const struct object *object, const struct err *err);
void store_put(struct store *store, struct str_view key, const json_t *value, uint64_t expect,
	       store_wrote_fn *done, void *arg);
void store_delete(struct store *store, struct str_view key, uint64_t expect, store_wrote_fn *done,
		  void *arg);
/* Whoever wrote with this arg is about to end: its done is not called any more. The write stands.
 */
void store_forget(struct store *store, const void *arg);
/* Writes that were given to the engine and have not been answered. */
size_t store_pending(const struct store *store);

/* False while the last commit failed (disk full, read-only): readiness and conditions say so. */
bool store_healthy(const struct store *store, struct err *why);

/* ---- watches: enum store_change is in engine.h ---- */
struct store_watch; /* one subscriber */
/* For each change of a key below prefix, in order of revision, from the turn it is committed.
 * before is NULL for ADDED; for DELETED object holds the last state with the revision of the
 * deletion. */
typedef void store_change_fn(void *arg, enum store_change change, const struct object *object,
			     const struct object *before);
struct store_watch *store_watch(struct store *store, struct str_view prefix,
				store_change_fn *changed, void *arg);
void store_unwatch(struct store_watch *watch); /* also from inside its own callback */

/* Replays the changes after a revision from the bounded memory of recent changes (10,000), or from
 * the engine's history for those from before a restart, into changed, within the call; then the
 * caller subscribes with store_watch in the same turn: no gap. ERR_GONE when the revision is too
 * old or in the future, or when a state it takes was not kept (Secrets from before a restart). */
int store_replay(struct store *store, struct str_view prefix, uint64_t after,
		 store_change_fn *changed, void *arg, struct err *err);

#endif
