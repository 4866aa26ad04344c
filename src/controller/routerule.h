/* controller/routerule.h - the rules of an HTTPRoute or GRPCRoute as the workers run them
 *
 * A rule that cannot be run as it is written answers 500: a filter is never passed over. Control
 * thread only.
 */
#ifndef CONTROLLER_ROUTERULE_H
#define CONTROLLER_ROUTERULE_H

#include "base/buf.h"
#include "controller/backends.h"
#include "dataplane/snapshot.h"
#include "store/store.h"

struct use { /* what a route was compiled with */
	const struct target *target;
	uint64_t serial;
};

struct compiled {
	uint64_t id; /* another one for each compilation */
	size_t rule_count;
	struct rule **rules; /* owned; NULL: left out, its matches cannot be run */
	size_t use_count, use_size;
	struct use *uses;           /* counted */
	bool asks_grants;           /* names something of another namespace */
	size_t refused_count;       /* rules that answer 500 or were left out */
	const char *refused_reason; /* of the first of them */
	const char *refs_reason;    /* of ResolvedRefs: False; NULL: all resolved */
	struct buf refs_message;    /* all that is wrong, or why nothing is ready */
	struct buf refused_message;
};

struct compile_env {
	struct backends *backends;
	const struct store *store; /* ReferenceGrants */
	struct graveyard *graveyard;
	uint64_t *last_id; /* counts up: identity of each compilation */
};

void route_compile(struct compiled *out, const struct object *route, const struct compile_env *env);
/* Lets go of everything; *compiled is empty after. */
void compiled_deinit(struct compiled *compiled, const struct compile_env *env);
/* Did something that it was compiled with change? */
bool compiled_is_stale(const struct compiled *compiled);

/* ---- matches of a route, for vhost_new ---- */
struct matches { /* specs with what they point to; views are borrowed from the route's JSON */
	size_t count, size;
	struct match_spec *specs;
	size_t test_count; /* blocks of tests */
	struct value_test **tests;
	size_t text_count; /* paths made from services and methods */
	char **texts;
};

/* Appends the matches of every rule that was not left out. rules: as compiled from the same spec.
 */
void matches_add(struct matches *matches, const struct object *route, struct rule *const *rules);
void matches_deinit(struct matches *matches);

#endif
