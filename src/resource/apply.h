/* resource/apply.h - what applying a manifest makes of the object that is there
 *
 * The one rule for API and folder: no copy of the last manifest is kept (it would hold keys), so a
 * manifest is the whole of what it describes.
 */
#ifndef RESOURCE_APPLY_H
#define RESOURCE_APPLY_H

#include "codec/json.h"

/* Annotation of an object that comes from the folder of manifests: the file. */
#define SOURCE_ANNOTATION "sallyport.dev/source"

/* The object to be admitted (new reference) when doc is applied to old; both are objects. spec,
 * data and every other member are doc's, and are gone where doc has none; status stays. Labels and
 * annotations are merged: doc's values win, null removes one. Of the rest of metadata, what doc
 * does not name stays. */
json_t *kind_apply(const json_t *old, const json_t *doc);

#endif
