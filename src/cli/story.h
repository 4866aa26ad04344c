/* cli/story.h - the order that a certificate comes from: Certificate, CertificateRequest, Order,
 * Challenges
 *
 * Pure: which objects belong together, and which step is running. Knows cert-manager's names of
 * kinds, annotations and states.
 */
#ifndef CLI_STORY_H
#define CLI_STORY_H

#include "base/buf.h"
#include "codec/json.h"

#include <stdbool.h>

enum step {
	STEP_ACCOUNT,     /* nothing ordered yet: key, issuer, account */
	STEP_ORDER,       /* the order is placed */
	STEP_CHALLENGE,   /* names are being proved */
	STEP_FINALIZE,    /* the CA signs */
	STEP_CERTIFICATE, /* downloaded and checked */
	STEP_DONE,
	STEP_FAILED,
	STEP_COUNT
};

struct story {
	const json_t *certificate;
	const json_t *request; /* the newest of the certificate, or NULL */
	const json_t *order;   /* of the request, or NULL */
	json_t *challenges;    /* owned array: of the order */
};

/* The lists are arrays of objects of the certificate's namespace; may be NULL. */
void story_init(struct story *story, const json_t *certificate, const json_t *requests,
		const json_t *orders);
void story_add_challenges(struct story *story, const json_t *challenges);
void story_deinit(struct story *story);

enum step story_step(const struct story *story);
const char *step_word(enum step step); /* "account" "order" … */
/* What is being waited for in the step: "shop.test" of a challenge, a reason of a failure. */
void story_note(const struct story *story, enum step step, struct buf *out);

#endif
