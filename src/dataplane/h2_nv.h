/* dataplane/h2_nv.h - fields as nghttp2 takes them, in both directions */
#ifndef DATAPLANE_H2_NV_H
#define DATAPLANE_H2_NV_H

#include "base/str.h"
#include "http/field.h"

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

/* Is a field of the model sent as it is? Framing, authority and what belongs to one connection are
 * said in other ways, or not at all (RFC 9113, section 8.2.2). */
static inline bool h2_nv_passes(enum field_id id)
{
	return id != FIELD_CONTENT_LENGTH && id != FIELD_HOST && id != FIELD_TE &&
	       !field_is_hop_by_hop(id);
}

#endif
