/* dns01/rrset.h - the little XML of Route 53 that a TXT record needs (API 2013-04-01); pure */
#ifndef DNS01_RRSET_H
#define DNS01_RRSET_H

#include "base/buf.h"

#include <stdint.h>

#define RRSET_VALUES_MAX 64
#define RRSET_VALUE_MAX  600

struct rrset { /* the TXT records of one name */
	int64_t ttl;
	size_t count;                                   /* 0: there are none */
	char values[RRSET_VALUES_MAX][RRSET_VALUE_MAX]; /* as the API has them: with quotes */
};

/* Reads a ListResourceRecordSets answer: the TXT set of name (text, without final dot). false: the
 * set is more than can be kept, or is not a plain one; set is empty when there is none. */
bool rrset_read(struct str_view xml, const char *name, struct rrset *set);
bool rrset_has(const struct rrset *set, const char *value); /* value without quotes */
/* The set with the value, of which it has room for one more; ttl of a new set. */
void rrset_with(const struct rrset *before, const char *value, int64_t ttl, struct rrset *after);
void rrset_without(const struct rrset *before, const char *value, struct rrset *after);
/* A ChangeBatch that replaces before by after in one step: it fails when before is not there any
 * more. Either may be empty. */
bool rrset_change(struct buf *out, const char *name, const struct rrset *before,
		  const struct rrset *after);
/* The text of the first element of that name, references undone; "" when there is none. */
void xml_text(struct str_view xml, const char *element, char *out, size_t size);

#endif
