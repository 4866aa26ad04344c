/* api/selector.h - labelSelector and fieldSelector: which objects of a list are meant
 *
 * Labels: a=b a==b a!=b "a in (b,c)" "a notin (b)" a !a; fields: a=b a==b a!=b; comma: and. Pure.
 */
#ifndef API_SELECTOR_H
#define API_SELECTOR_H

#include "base/err.h"
#include "resource/kind.h"

#define SELECTOR_TERMS_MAX 32

enum selector_op { SELECT_IN, SELECT_NOT_IN, SELECT_EXISTS, SELECT_ABSENT };

struct selector_term {
	enum selector_op op;
	bool label;             /* of metadata.labels, else a path in the object */
	struct str_view key;    /* borrowed from the text that was parsed */
	struct str_view values; /* "b,c" */
};

struct selector {
	struct selector_term terms[SELECTOR_TERMS_MAX];
	size_t count;
};

/* Append to the selector, which borrows text; NULL text: nothing. 0, or -1 with ERR_INVALID. */
int selector_add_labels(struct selector *selector, const char *text, struct err *err);
int selector_add_fields(struct selector *selector, const struct kind *kind, const char *text,
			struct err *err);
bool selector_matches(const struct selector *selector, const json_t *object);

#endif
