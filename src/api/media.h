/* api/media.h - media types of requests and answers (Content-Type, Accept). Pure. */
#ifndef API_MEDIA_H
#define API_MEDIA_H

#include "base/str.h"

enum media {
	MEDIA_JSON, /* also when none is named */
	MEDIA_YAML,
	MEDIA_JSON_PATCH,      /* RFC 6902 */
	MEDIA_MERGE_PATCH,     /* RFC 7396 */
	MEDIA_STRATEGIC_PATCH, /* Kubernetes' own */
	MEDIA_APPLY,           /* YAML or JSON */
	MEDIA_OTHER
};

enum media media_of(const char *content_type); /* NULL: MEDIA_JSON */

enum view {
	VIEW_OBJECT,  /* the object as it is */
	VIEW_TABLE,   /* as=Table */
	VIEW_METADATA /* as=PartialObjectMetadata, …List */
};

/* The first of an Accept header that is made here; VIEW_OBJECT when there is none. */
enum view media_view(const char *accept);

/* The version of apidiscovery.k8s.io that an Accept header wants discovery in ("v2", "v2beta1");
 * NULL: the list of groups is due, which the header names first, or nothing that is made here. */
const char *media_discovery(const char *accept);

#endif
