/* cli/why.h - the last part of describe: why a certificate is not there, and what is tried next
 *
 * Pure: objects in, text out.
 */
#ifndef CLI_WHY_H
#define CLI_WHY_H

#include "base/buf.h"
#include "cli/story.h"

struct why {
	const struct story *story;
	const json_t *issuer;   /* of the Certificate, or NULL */
	const json_t *gateways; /* array of all namespaces, or NULL */
	const json_t *events;   /* array: of the certificate and its order */
	int64_t now;            /* wall clock */
};

/* "Steps:" of the last order, each with its time. */
void why_steps(const struct why *why, struct buf *out);
/* "Why:" with cause, fix, what was said word for word, and what is next; nothing when all is well.
 */
void why_text(const struct why *why, struct buf *out);
/* The same for an issuer that is not ready. */
void why_issuer(const json_t *issuer, int64_t now, struct buf *out);

#endif
