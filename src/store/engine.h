/* store/engine.h - what a storage backend supplies: a table of functions with etcd's semantics
 *
 * One revision counter; compare-and-swap on one key; changes in order of revision. done always runs
 * in a later turn of the loop. All commits of one loop turn are one transaction of the SQLite
 * engine, but each compare-and-swap succeeds or fails by itself, in the order given, and sees what
 * the ones before it did.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_HISTORY_MAX       10000u      /* changes that the history keeps */
#define STORE_HISTORY_VALUE_MAX (64u << 10) /* a longer value is not kept in the history */

enum store_change { STORE_ADDED, STORE_MODIFIED, STORE_DELETED };

struct store_op {
	struct str_view key;      /* "gateway.networking.k8s.io/httproutes/default/shop" */
	struct str_view value;    /* JSON without metadata.resourceVersion; empty means delete */
	uint64_t expect_revision; /* 0: must not exist yet (delete: any); else must be this one */
};

/* err->code ERR_NONE: committed at revision. ERR_CONFLICT / ERR_EXISTS / ERR_NOT_FOUND: the
 * comparison failed. ERR_IO: not stored (disk full, …); the previous value is still in force. */
typedef void store_done_fn(void *arg, uint64_t revision, const struct err *err);
/* value empty: deleted at this revision. */
typedef void store_event_fn(void *arg, uint64_t revision, struct str_view key,
			    struct str_view value);

/* One row of the history. */
struct store_past {
	uint64_t revision;
	enum store_change change;
	struct str_view key;
	struct str_view value; /* for STORE_DELETED the last one */
	bool kept;             /* false: the value is not in the history (Secrets, long values) */
};
typedef bool store_past_fn(void *arg, const struct store_past *past); /* false: enough */

struct store_engine {
	const char *name;
	/* where: directory of the state (SQLite: holds sallyport.db and the lock), ignored by
	 * memory. */
	int (*open)(void **self, struct loop *loop, const char *where, struct err *err);
	/* Commits what is pending; callbacks that have not run by now never will. */
	void (*close)(void *self);
	/* Every live object, each with the revision of its last change; *revision: the counter.
	 * Visits within the call; to be called before the first commit. */
	int (*load)(void *self, store_event_fn *each, void *arg, uint64_t *revision,
		    struct err *err);
	/* op is borrowed for the call. done may be NULL. Not from within load or history. */
	void (*commit)(void *self, const struct store_op *op, store_done_fn *done, void *arg);
	/* Each change answered from now on, in order of revision, right after its done. One
	 * watcher: store.c fans out. */
	void (*watch)(void *self, store_event_fn *each, void *arg);
	/* The smallest revision that history takes. */
	uint64_t (*oldest)(void *self);
	/* The changes after a revision whose done has run, within the call, in order. ERR_GONE when
	 * the history no longer reaches back that far, or the revision has not been yet. */
	int (*history)(void *self, uint64_t after, store_past_fn *each, void *arg, struct err *err);
	/* False while the last commit failed; why (may be NULL) gets the reason and what to do. */
	bool (*healthy)(void *self, struct err *why);
};

/* Secrets: their values stay out of the history. */
static inline bool store_key_secret(struct str_view key)
{
	return sv_starts(key, SV("core/secrets/"));
}

extern const struct store_engine engine_sqlite; /* engine_sqlite.c */
extern const struct store_engine engine_mem;    /* engine_mem.c */

#endif
