/* store/engine.h - what a storage backend supplies: a table of functions with etcd's semantics
 *
 * One revision counter; compare-and-swap on one key; watch from a revision. done always runs in a
 * later turn of the loop. All commits of one loop turn are one transaction of the SQLite engine,
 * but each compare-and-swap succeeds or fails by itself.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

#include <stdint.h>

struct store_op {
	struct str_view key;      /* "gateway.networking.k8s.io/httproutes/default/shop" */
	struct str_view value;    /* JSON without metadata.resourceVersion; empty means delete */
	uint64_t expect_revision; /* 0: must not exist yet; otherwise must be this one */
};

/* err->code ERR_NONE: committed at revision. ERR_CONFLICT / ERR_EXISTS / ERR_NOT_FOUND: the comparison
 * failed. ERR_IO: not stored (disk full, …); the previous value is still in force. */
typedef void store_done_fn(void *arg, uint64_t revision, const struct err *err);
/* value empty: deleted at this revision. */
typedef void store_event_fn(void *arg, uint64_t revision, struct str_view key,
			    struct str_view value);

struct store_engine {
	const char *name;
	/* where: directory of the state (SQLite: holds sallyport.db and the lock), ignored by memory. */
	int (*open)(void **self, struct loop *loop, const char *where, struct err *err);
	void (*close)(void *self); /* commits what is pending */
	/* Every live object, each with the revision of its last change; *revision: the counter. */
	int (*load)(void *self, store_event_fn *each, void *arg, uint64_t *revision, struct err *err);
	void (*commit)(void *self, const struct store_op *op, store_done_fn *done, void *arg);
	/* Calls each for everything after revision (history first, then live, in order, after its done).
	 * ERR_GONE when the history no longer reaches back. One watcher: store.c fans out. */
	int (*watch)(void *self, uint64_t after, store_event_fn *each, void *arg, struct err *err);
	/* The keys and revisions changed after a revision (history: Secrets' values are not kept: empty
	 * value plus *kept=false). For API watches that resume. */
	int (*history)(void *self, uint64_t after, store_event_fn *each, void *arg, struct err *err);
};

extern const struct store_engine engine_sqlite; /* engine_sqlite.c */
extern const struct store_engine engine_mem;    /* engine_mem.c */

#endif
