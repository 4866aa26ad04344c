/* controller/certificate_issuer.h - which issuer an attempt asks: issuers in order, and the staging
 * service of a CA for names that have failed
 */
#ifndef CONTROLLER_CERTIFICATE_ISSUER_H
#define CONTROLLER_CERTIFICATE_ISSUER_H

#include "controller/certificate.h"

#define NOTE_FALLBACKS "sallyport.dev/fallback-issuers" /* of a Certificate or its issuer */
/* The issuer of the present attempt, as an issuerRef. */
const json_t *certificate_issuer_ref(const struct cert_look *look);
/* Is it the issuer of the spec, or one that may take its place? */
bool certificate_may_be_of(const struct cert_look *look, const char *kind, const char *name);
/* type: why the attempt has failed. true: it goes on with another issuer. */
bool certificate_next_issuer(struct cert_look *look, const char *type, const char *words);
/* Has the request waited long enough for what is in the way (type)? Only when there is a choice. */
bool certificate_lost_patience(struct cert_look *look, const struct object *request,
			       const char *type);
/* At the begin of an attempt: the spec's own issuer, or its staging one for names that failed. */
void certificate_choose_issuer(struct cert_look *look);
/* The spec may have changed during the attempt: only an issuer that it still allows goes on. */
void certificate_keep_issuer(struct cert_look *look);
/* What the issuers of the spec, in their order, are like now: another text when one of them has
 * been changed. Allocated. */
char *certificate_issuers_print(const struct cert_look *look);
bool certificate_is_rehearsal(const struct cert_look *look);
void certificate_end_rehearsal(struct cert_look *look); /* goes on with the spec's own issuer */
void certificate_want_rehearsal(struct cert_look *look, const char *type); /* has failed so */
void certificate_issued_by(struct cert_look *look); /* writes down who it was */

#endif
