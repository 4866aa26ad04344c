/* codec/patch.h - JSON Patch (RFC 6902), JSON Merge Patch (RFC 7396), and Kubernetes' strategic
 * merge
 *
 * All are pure: the document is not changed, the result is a new value, or NULL with a sentence
 * that names the operation and the path. Documents and patches come from json_parse: their depth is
 * limited; so is the result's, with its size, by the same limits.
 */
#ifndef CODEC_PATCH_H
#define CODEC_PATCH_H

#include "codec/json.h"

#define PATCH_OPS_MAX  10000      /* operations of one JSON patch */
#define PATCH_COPY_MAX (2u << 20) /* bytes of JSON that its copy and move operations handle */
#define PATCH_LIST_MAX 2000       /* items of a list that merges by key */

/* All operations or none. A failing test is ERR_INVALID like any other. */
json_t *patch_json(const json_t *doc, const json_t *ops, struct err *err);
json_t *patch_merge(const json_t *doc, const json_t *patch);

/* The key by which lists at a path merge ("spec.ports" -> "port"), "" for a set of scalars
 * ("metadata.finalizers"), or NULL: the list is replaced. List indices are left out of paths:
 * "spec.template.spec.containers.env". */
typedef const char *patch_key_fn(void *arg, const char *path);
/* Directives: $patch (merge, replace, delete), $retainKeys, $setElementOrder/LIST,
 * $deleteFromPrimitiveList/LIST. */
json_t *patch_strategic(const json_t *doc, const json_t *patch, patch_key_fn *key_of, void *arg,
			struct err *err);

#endif
