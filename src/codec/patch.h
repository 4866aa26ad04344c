/* codec/patch.h - JSON Patch (RFC 6902), JSON Merge Patch (RFC 7396), and Kubernetes' strategic merge
 *
 * All are pure: the document is not changed, the result is a new value, or NULL with a sentence that
 * names the operation and the path.
 */
#ifndef CODEC_PATCH_H
#define CODEC_PATCH_H

#include "codec/json.h"

json_t *patch_json(const json_t *doc, const json_t *ops, struct err *err);
json_t *patch_merge(const json_t *doc, const json_t *patch);

/* The key by which lists at a path merge ("spec.ports" -> "port"), or NULL: the list is replaced. */
typedef const char *patch_key_fn(void *arg, const char *path);
json_t *patch_strategic(const json_t *doc, const json_t *patch, patch_key_fn *key_of, void *arg,
			struct err *err);

#endif
