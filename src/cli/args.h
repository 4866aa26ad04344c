/* cli/args.h - the words of a command line: flags as kubectl writes them, and the rest
 *
 * Pure: reads argv, keeps pointers into it, prints nothing.
 * "--name=value" "--name value" "-nvalue" "-n value" "-n=value" "-Aw"; "--" ends the flags; flags
 * and words may be mixed.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum flag_id {
	FLAG_NONE,
	FLAG_SOCKET,
	FLAG_NAMESPACE,
	FLAG_HELP,
	FLAG_FILE,
	FLAG_RECURSIVE,
	FLAG_ALL_NAMESPACES,
	FLAG_OUTPUT,
	FLAG_SELECTOR,
	FLAG_FIELD_SELECTOR,
	FLAG_WATCH,
	FLAG_WATCH_ONLY,
	FLAG_NO_HEADERS,
	FLAG_SHOW_LABELS,
	FLAG_SHOW_KIND,
	FLAG_IGNORE_NOT_FOUND,
	FLAG_RAW,
	FLAG_SUBRESOURCE,
	FLAG_SHOW_EVENTS,
	FLAG_DRY_RUN,
	FLAG_VALIDATE,
	FLAG_FIELD_MANAGER,
	FLAG_SERVER_SIDE,
	FLAG_FORCE,
	FLAG_TYPE,
	FLAG_PATCH,
	FLAG_PATCH_FILE,
	FLAG_OVERWRITE,
	FLAG_LIST,
	FLAG_ALL,
	FLAG_WAIT,
	FLAG_TIMEOUT,
	FLAG_FOR,
	FLAG_EXIT_CODE,
	FLAG_CLIENT,
	FLAG_API_GROUP,
	FLAG_NAMESPACED,
	FLAG_NAME,
	FLAG_ISSUER,
	FLAG_SECRET,
	FLAG_KEY_TYPE,
	FLAG_REASON,
	FLAG_REVOKE,
	FLAG_DIR,
	FLAG_CERT,
	FLAG_KEY,
	FLAG_CHAIN,
	FLAG_FULLCHAIN,
	FLAG_PEM,
	FLAG_P12,
	FLAG_PASSWORD_FILE,
	FLAG_OWNER,
	FLAG_MODE,
	FLAG_HOOK,
	FLAG_HOOKS_DIR,
	FLAG_EMAIL,
	FLAG_YES,
	FLAG_FROM_FILE,
	FLAG_FROM_LITERAL,
	FLAG_TLS_CERT,
	FLAG_TLS_KEY,
	FLAG_SECRET_TYPE,
	FLAG_SORT_BY,
	FLAG_EVENTS_FOR,
	FLAG_EVENT_TYPES,
	FLAG_EXPLAIN_ALL,
	FLAG_COUNT
};

enum flag_kind {
	FLAG_BOOL,
	FLAG_TEXT,
	FLAG_MAYBE /* a text, or the flag alone, which means `alone` */
};

struct flag {
	const char *name;
	char letter;
	enum flag_kind kind;
	const char *alone;
	const char *value; /* its name in the help */
	const char *help;
};

extern const struct flag flags[FLAG_COUNT];

#define ARGS_VALUES_MAX 256 /* of flags; more is an error */

struct arg_value {
	enum flag_id id;
	const char *text; /* borrowed from argv */
};

struct args {
	struct arg_value values[ARGS_VALUES_MAX];
	size_t value_count;
	const char **words; /* owned array of borrowed texts */
	size_t word_count;
};

/* Reads all of argv into args, flags behind those that are there already. allowed: ids beside the
 * common ones (socket, namespace, help), ended by FLAG_NONE; may be NULL. */
int args_parse(struct args *args, int argc, char **argv, const enum flag_id *allowed,
	       struct err *err);
/* The common flags that stand at argv[*at] and after; *at becomes the index of the first word. */
int args_parse_common(struct args *args, int argc, char **argv, int *at, struct err *err);
void args_deinit(struct args *args);

const char *args_text(const struct args *args, enum flag_id id); /* the last one given, or NULL */
bool args_bool(const struct args *args, enum flag_id id, bool fallback);
/* The texts of a flag that may be repeated: *it starts at 0; NULL at the end. */
const char *args_next(const struct args *args, enum flag_id id, size_t *it);
/* "30s", "2m", "1h30m", "0", or plain seconds -> milliseconds; -1 for a negative one. */
int args_duration(const struct args *args, enum flag_id id, int64_t *ms, struct err *err);

#endif
