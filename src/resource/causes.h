/* resource/causes.h - what is wrong with an object: a list of causes as in metav1.Status
 *
 * Answers: which fields, for which reason, in Kubernetes' words. Bounded; the same cause twice is
 * one.
 */
#ifndef RESOURCE_CAUSES_H
#define RESOURCE_CAUSES_H

#include "base/buf.h"
#include "codec/json.h"

enum cause_reason {
	CAUSE_REQUIRED,      /* FieldValueRequired     "Required value" */
	CAUSE_INVALID,       /* FieldValueInvalid      "Invalid value: …" */
	CAUSE_NOT_SUPPORTED, /* FieldValueNotSupported "Unsupported value: … supported values: …" */
	CAUSE_DUPLICATE,     /* FieldValueDuplicate */
	CAUSE_TYPE,          /* FieldValueTypeInvalid  (wrong JSON type) */
	CAUSE_TOO_LONG,      /* FieldValueTooLong / TooMany */
	CAUSE_FORBIDDEN      /* FieldValueForbidden */
};

#define CAUSES_MAX 64 /* more are counted, not kept */

struct cause {
	enum cause_reason reason;
	char *field;   /* "spec.listeners[0].port" */
	char *message; /* complete: "Invalid value: 0: must be between 1 and 65535" */
};

struct causes {
	size_t count, dropped;
	struct cause list[CAUSES_MAX];
};

void causes_init(struct causes *causes);
void causes_deinit(struct causes *causes);
void causes_add(struct causes *causes, enum cause_reason reason, const char *field, const char *fmt,
		...) __attribute__((format(printf, 4, 5)));
const char *cause_reason_text(enum cause_reason reason); /* "FieldValueInvalid" … */
/* "spec.a: Required value"; several as Kubernetes joins them: "[spec.a: …, spec.b: …]". */
void causes_text(const struct causes *causes, struct buf *out);

/* ---- causes with a value in them ---- */
/* "Invalid value: VALUE: must …"; long values are cut. */
void cause_invalid(struct causes *causes, const char *field, const json_t *value, const char *must,
		   ...) __attribute__((format(printf, 4, 5)));
/* "Required value: WHY"; why may be NULL. */
void cause_required(struct causes *causes, const char *field, const char *why);
void cause_duplicate(struct causes *causes, const char *field, const json_t *value);
void cause_forbidden(struct causes *causes, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The value at a path ("spec.controllerName") may not differ from the old object's. */
void cause_immutable(struct causes *causes, const json_t *object, const json_t *old,
		     const char *path);

#endif
