/* acme/directory.h - the directory object: where each resource lives (RFC 8555, section 7.1.1);
 * pure */
#ifndef ACME_DIRECTORY_H
#define ACME_DIRECTORY_H

#include "acme/url.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

#define ACME_RESOURCE_LIST(X)               \
	X(NEW_NONCE, "newNonce", true)      \
	X(NEW_ACCOUNT, "newAccount", true)  \
	X(NEW_ORDER, "newOrder", true)      \
	X(REVOKE_CERT, "revokeCert", false) \
	X(KEY_CHANGE, "keyChange", false)   \
	X(RENEWAL_INFO, "renewalInfo", false)

#define X(name, text, needed) ACME_##name,
enum acme_resource { ACME_RESOURCE_LIST(X) ACME_RESOURCE_COUNT };
#undef X

struct directory {
	json_t *json;                            /* owned */
	const char *urls[ACME_RESOURCE_COUNT];   /* borrowed from json; NULL: not offered */
	struct url origin;                       /* where the directory itself was read */
	struct url origins[ACME_RESOURCE_COUNT]; /* of urls */
};

/* Checks an answer read from url (after redirects) and takes it. Every listed URL must be https, on
 * the directory's host or, unless the directory is there itself, not on loopback or link-local; one
 * that is not and is not needed counts as not listed.
 * ERR_PROTOCOL: no object at all (worth another try); ERR_INVALID: names the member that is missing
 * or refused. */
int directory_read(struct directory *directory, const json_t *body, const char *url,
		   struct err *err);
void directory_deinit(struct directory *directory);

const char *acme_resource_name(enum acme_resource resource);
/* May a signed request go to this URL: https, and the origin of the directory or of one of its
 * resources? */
bool directory_allows(const struct directory *directory, const char *url);
bool directory_needs_eab(const struct directory *directory);
/* false: the directory lists profiles, and this is none of them (names to out, for the sentence).
 */
bool directory_has_profile(const struct directory *directory, struct str_view profile, char *out,
			   size_t size);

#endif
