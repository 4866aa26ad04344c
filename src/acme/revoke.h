/* acme/revoke.h - a certificate is revoked (RFC 8555, section 7.6); a call as those of client.h */
#ifndef ACME_REVOKE_H
#define ACME_REVOKE_H

#include "acme/client.h"

/* key: NULL: by the account; else the certificate's own, for a CA that does not know the account
 * any more (RFC 8555, section 7.6). ACME_OK also when it was revoked before. */
struct acme_revocation {
	struct str_view cert_der;
	int reason;    /* CRLReason (RFC 5280, section 5.3.1) */
	EVP_PKEY *key; /* referenced until the end */
};
struct acme_call *acme_revoke(struct acme_client *client, const struct acme_revocation *what,
			      acme_done_fn *done, void *arg);

#endif
