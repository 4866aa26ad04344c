/* api/status.h - metav1.Status: what a client is told when something did not work
 *
 * One table from err codes to reasons, one from reasons to HTTP status. Pure.
 */
#ifndef API_STATUS_H
#define API_STATUS_H

#include "base/err.h"
#include "resource/kind.h"

enum reason {
	REASON_SUCCESS,
	REASON_BAD_REQUEST,
	REASON_FORBIDDEN,
	REASON_NOT_FOUND,
	REASON_METHOD_NOT_ALLOWED,
	REASON_ALREADY_EXISTS,
	REASON_CONFLICT,
	REASON_EXPIRED,
	REASON_TOO_LARGE,
	REASON_MEDIA_TYPE,
	REASON_INVALID,
	REASON_TOO_MANY,
	REASON_INTERNAL,
	REASON_UNAVAILABLE,
	REASON_TIMEOUT,
	REASON_COUNT
};

unsigned reason_http(enum reason reason); /* 404 */
enum reason reason_of(enum err_code code);

struct status {
	enum reason reason;
	const char *message;         /* NULL on success */
	const struct kind *kind;     /* of the object it is about; NULL: none */
	const char *name, *uid;      /* NULL: not known */
	const struct causes *causes; /* NULL: none */
};

json_t *status_new(const struct status *status); /* the Status object */

/* 'gateways.gateway.networking.k8s.io "nope"', 'services "x"' */
void status_subject(const struct kind *kind, const char *name, struct buf *out);

#endif
