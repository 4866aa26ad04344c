/* acme/order.h - the life of an ACME order and its authorizations (RFC 8555,
 * sections 7.1.3, 7.1.4, 7.1.6)
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

/* A status word that RFC 8555 does not know, and "valid" without a certificate URL, read as
 * ORDER_PROCESSING: not finished, poll (with an end); status_text tells. */
struct acme_order { /* borrowed views of the JSON it was read from */
	enum order_status status;
	struct str_view status_text;
	struct str_view finalize, certificate, expires;
	size_t authz_count;
	struct str_view authz[ORDER_NAMES_MAX];
	const json_t *error; /* problem, or NULL */
};

/* 0, or -1 with a sentence that names the member that is missing or of the wrong type. */
int acme_order_read(const json_t *body, struct acme_order *order, struct err *err);
/* Are the order's identifiers exactly these, in any order? (RFC 8555, section 7.1.3; RFC 8738) */
bool acme_order_names_equal(const json_t *body, const struct str_view *dns, size_t dns_count,
			    const struct str_view *ips, size_t ip_count);

bool acme_order_same_names(const json_t *body, const json_t *other); /* of two order objects */

enum authz_status {
	AUTHZ_PENDING,
	AUTHZ_VALID,
	AUTHZ_INVALID,
	AUTHZ_DEACTIVATED,
	AUTHZ_EXPIRED,
	AUTHZ_REVOKED
};

struct acme_challenge_offer {
	struct str_view type, url, token, status;
	const json_t *error; /* problem, or NULL */
};

#define AUTHZ_CHALLENGES_MAX 16

struct acme_authz {
	enum authz_status status;
	struct str_view status_text;                 /* an unknown word reads as AUTHZ_PENDING */
	struct str_view identifier_type, identifier; /* "dns", "example.com" (without "*.") */
	struct str_view expires;
	bool wildcard;
	size_t count;
	struct acme_challenge_offer offers[AUTHZ_CHALLENGES_MAX];
};

/* A token outside base64url or of under 22 characters is an error, ERR_DENIED (RFC 8555,
 * section 8.3); the wrong shape is ERR_PROTOCOL. Unknown challenge types are kept (token only when
 * it is fit), malformed ones and those beyond AUTHZ_CHALLENGES_MAX left out. The caller compares
 * the identifier with what it ordered. */
int acme_authz_read(const json_t *body, struct acme_authz *authz, struct err *err);
const struct acme_challenge_offer *acme_authz_offer(const struct acme_authz *authz,
						    struct str_view type); /* NULL: not offered */

#endif
