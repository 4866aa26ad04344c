/* acme/account.h - the account at the CA: found, made, changed, ended (RFC 8555, section 7.3)
 *
 * Calls as those of client.h, whose rules hold here too.
 */
#ifndef ACME_ACCOUNT_H
#define ACME_ACCOUNT_H

#include "acme/client.h"

struct acme_eab {                     /* external account binding (RFC 8555, section 7.3.4) */
	struct str_view kid, mac_key; /* mac_key: raw bytes */
	struct str_view alg;          /* "HS256" */
};

/* Finds the account by its key, or creates it. location = account URL (kid), body = account object.
 */
struct acme_call *acme_account(struct acme_client *client, struct str_view email,
			       const struct acme_eab *eab, acme_done_fn *done, void *arg);
/* Tells the CA another contact for the account that is known already; email may be empty: none. */
struct acme_call *acme_account_contact(struct acme_client *client, struct str_view email,
				       acme_done_fn *done, void *arg);
/* Finds the account by its key; never makes one. ACME_REFUSED with type "accountDoesNotExist": the
 * CA has none for this key. */
struct acme_call *acme_account_find(struct acme_client *client, acme_done_fn *done, void *arg);
/* Ends the account for good (RFC 8555, section 7.3.6). ACME_OK also when it was ended before. */
struct acme_call *acme_account_deactivate(struct acme_client *client, acme_done_fn *done,
					  void *arg);
/* Another key for the account (RFC 8555, section 7.3.5); both are referenced until the end. After
 * any answer but ACME_OK either key may be the account's: acme_account_find of a client with the
 * new one tells. This client stays with the old one. */
struct acme_call *acme_key_change(struct acme_client *client, EVP_PKEY *key, acme_done_fn *done,
				  void *arg);

#endif
