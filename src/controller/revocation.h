/* controller/revocation.h - revocation that an annotation asks for (RFC 8555, section 7.6)
 *
 *     certificate_revoke.c  of what a Certificate's Secret holds, by account or key, and replaced
 *     request_revoke.c      of what a CertificateRequest was given, by the account
 *
 * The annotation is an order that is carried out once: what came of it is written down with its
 * text, then the annotation goes (or stays, when a file brings it back).
 */
#ifndef CONTROLLER_REVOCATION_H
#define CONTROLLER_REVOCATION_H

#include "controller/account.h"

#define NOTE_REVOKE "sallyport.dev/revoke"
#define NOTE_REVOKE_WORDS                                                         \
	"not revoked: annotation " NOTE_REVOKE                                    \
	" must be unspecified, keyCompromise, affiliationChanged, superseded or " \
	"cessationOfOperation"

/* CRLReason (RFC 5280, section 5.3.1), as far as a subscriber may say so. */
struct revoke_reason {
	const char *word, *reason;
	int code;
};
const struct revoke_reason *revoke_reason(const char *word); /* NULL: no such word */

/* What is written down of an attempt: of the request (text of the annotation), as a reason and a
 * sentence. New value. */
json_t *revoke_info(const char *request, const char *reason, const char *words);
json_t *revoke_done(const char *request, const struct revoke_reason *reason, const char *serial,
		    bool by_key);
/* failures: those before this one. */
json_t *revoke_failed(const char *request, const struct acme_result *result, int64_t failures);

/* ---- request_revoke.c: of a CertificateRequest that has ended ---- */
void request_revoke(struct controllers *ctl, const struct object *request);
void request_revoke_forget(struct controllers *ctl, struct str_view key); /* it is gone */
int request_revoke_start(struct controllers *ctl, struct err *err);
void request_revoke_stop(struct controllers *ctl);

#endif
