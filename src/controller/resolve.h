/* controller/resolve.h - from a Service with its EndpointSlices, or a Backend, to addresses
 *
 * Pure, but for rules_check, which looks at the file system for Unix sockets.
 */
#ifndef CONTROLLER_RESOLVE_H
#define CONTROLLER_RESOLVE_H

#include "controller/backends.h"

#define RESOLVE_SLICES_MAX 64 /* EndpointSlices of one Service */

struct resolve_how {
	const struct address_rules *rules;
	uint16_t port; /* of the Service */
	enum target_use use;
	const json_t *const *slices; /* of the Service */
	size_t slice_count;
	const struct fqdn *const *names; /* of the Backend: one for each fqdn endpoint, in order */
};

struct resolved { /* a target being made; serial is not set */
	struct target target;
	size_t size;
	bool absent; /* some name does not exist */
};

void resolved_init(struct resolved *resolved);
void resolved_deinit(struct resolved *resolved);
/* The reference does not resolve (500). The first failure stays. */
void resolved_fail(struct resolved *resolved, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Fills out (initialised) with addresses and how they are spoken to, or with why there are none.
 * The object is borrowed for the call. */
void resolve_service(const struct resolve_how *how, const json_t *service, struct resolved *out);
void resolve_backend(const struct resolve_how *how, const json_t *backend, struct resolved *out);

#endif
