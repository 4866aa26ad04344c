/* dataplane/h2_nv.h - fields as nghttp2 takes and gives them, in both directions
 *
 * What came as a literal that is never indexed leaves as one: its sender does not want it to be
 * guessed by the size of what others send (RFC 7541, sections 6.2.3 and 7.1.3).
 */
#ifndef DATAPLANE_H2_NV_H
#define DATAPLANE_H2_NV_H

#include "http/h2_head.h"

#include <nghttp2/nghttp2.h>

#define H2_NVS_MAX 512 /* of one header block */

/* Borrows both; the library copies them when they are submitted. */
static inline nghttp2_nv h2_nv(struct str_view name, struct str_view value)
{
	return (nghttp2_nv){.name = (uint8_t *)name.data,
			    .value = (uint8_t *)value.data,
			    .namelen = name.len,
			    .valuelen = value.len,
			    .flags = NGHTTP2_NV_FLAG_NONE};
}

static inline nghttp2_nv h2_nv_of(const struct field *field)
{
	nghttp2_nv nv = h2_nv(field->name, field->value);

	if (field->never_indexed)
		nv.flags = NGHTTP2_NV_FLAG_NO_INDEX;
	return nv;
}

/* One field of a section that comes, with nghttp2's flags. What is wrong stands in head->bad. */
static inline void h2_nv_take(struct h2_head *head, struct str_view name, struct str_view value,
			      uint8_t flags)
{
	size_t before = head->fields.count;

	if (!h2_head_add(head, name, value) || (flags & NGHTTP2_NV_FLAG_NO_INDEX) == 0)
		return;
	if (head->fields.count > before) /* neither a pseudo-field nor a trailer that goes */
		head->fields.items[before].never_indexed = true;
}

/* Is a field of the model sent as it is? Framing, authority and what belongs to one connection are
 * said in other ways, or not at all (RFC 9113, section 8.2.2). */
static inline bool h2_nv_passes(enum field_id id)
{
	return id != FIELD_CONTENT_LENGTH && id != FIELD_HOST && id != FIELD_TE &&
	       !field_is_hop_by_hop(id);
}

#endif
