/* acme/order.h - the life of an ACME order and its authorizations (RFC 8555, sections 7.1.3, 7.1.4, 7.1.6)
 *
 * Answers one question: given what the server last said, what do we do next? Pure.
 * May not enter: sockets, curl, the store, the clock, the log.
 */
#ifndef ACME_ORDER_H
#define ACME_ORDER_H

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

#define ORDER_STATUS_LIST(X)              \
	X(PENDING, "pending", AUTHORIZE)  \
	X(READY, "ready", FINALIZE)       \
	X(PROCESSING, "processing", POLL) \
	X(VALID, "valid", DOWNLOAD)       \
	X(INVALID, "invalid", ABANDON)

#define X(name, text, step) ORDER_##name,
enum order_status { ORDER_STATUS_LIST(X) ORDER_STATUS_COUNT };
#undef X

enum order_step { STEP_AUTHORIZE, STEP_FINALIZE, STEP_POLL, STEP_DOWNLOAD, STEP_ABANDON };

bool order_status_parse(struct str_view text, enum order_status *status);
enum order_step order_next(enum order_status status);

#define ORDER_NAMES_MAX 100

struct acme_order { /* borrowed views of the JSON it was read from */
	enum order_status status;
	struct str_view finalize, certificate, expires;
	size_t authz_count;
	struct str_view authz[ORDER_NAMES_MAX];
	const json_t *error; /* problem, or NULL */
};

/* Checks shape and the identifiers against what was ordered (names may be NULL to skip that). */
int acme_order_read(const json_t *body, struct acme_order *order, struct err *err);
bool acme_order_names_equal(const json_t *body, const struct str_view *dns, size_t dns_count,
			    const struct str_view *ips, size_t ip_count);

enum authz_status { AUTHZ_PENDING, AUTHZ_VALID, AUTHZ_INVALID, AUTHZ_DEACTIVATED, AUTHZ_EXPIRED, AUTHZ_REVOKED };

struct acme_challenge_offer {
	struct str_view type, url, token, status;
	const json_t *error; /* problem, or NULL */
};

#define AUTHZ_CHALLENGES_MAX 16

struct acme_authz {
	enum authz_status status;
	struct str_view identifier_type, identifier; /* "dns", "example.com" (without "*.") */
	bool wildcard;
	size_t count;
	struct acme_challenge_offer offers[AUTHZ_CHALLENGES_MAX];
};

/* A token outside base64url or of under 22 characters is an error (RFC 8555, section 8.3). */
int acme_authz_read(const json_t *body, struct acme_authz *authz, struct err *err);
const struct acme_challenge_offer *acme_authz_offer(const struct acme_authz *authz,
						    struct str_view type); /* NULL: not offered */

#endif
