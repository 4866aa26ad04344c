/* api/target.h - what a request's target says: the segments of its path, the parameters of its
 * query
 *
 * Split first, decoded after, so that an encoded slash or question mark separates nothing. Pure.
 */
#ifndef API_TARGET_H
#define API_TARGET_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define TARGET_SEGMENTS_MAX 12
#define TARGET_PARAMS_MAX   64

struct target_param {
	const char *name, *value;
};

struct target {
	struct buf text;      /* the path, and all that was decoded, each part with its NUL */
	struct str_view path; /* as it came, for the log */
	const char *segments[TARGET_SEGMENTS_MAX + 1]; /* NULL-terminated; "/api/v1/" has two */
	size_t segment_count;
	struct target_param params[TARGET_PARAMS_MAX];
	size_t param_count;
};

/* 0, or -1: broken escapes, NUL, too many parts. To be deinitialised in both cases. */
int target_parse(struct target *target, struct str_view text, struct err *err);
void target_deinit(struct target *target);

/* The value of a parameter (of the last one of that name), NULL when absent. */
const char *target_param(const struct target *target, const char *name);
/* "true", "1", "True": what clients send for a boolean. */
bool target_flag(const struct target *target, const char *name);

#endif
