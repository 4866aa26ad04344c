/* cli/kinds.h - which kinds there are, as the server's discovery tells; nothing is kept over calls
 *
 * Pure but for cli_kind (cli.h): made from APIResourceList documents, asked by words.
 */
#ifndef CLI_KINDS_H
#define CLI_KINDS_H

#include "base/buf.h"
#include "base/str.h"
#include "codec/json.h"

#include <stdbool.h>
#include <stddef.h>

#define KINDS_MAX 1024

/* Texts are borrowed from the documents that kinds keeps. */
struct kind_info {
	struct str_view group, version;
	const char *kind, *plural, *singular;
	const json_t *short_names, *categories; /* arrays of texts, or NULL */
	bool namespaced;
	bool has_status;
	bool preferred; /* of the versions of its group and kind the first */
};

struct kinds {
	struct kind_info *list; /* owned */
	size_t count;
	json_t *documents; /* owned array */
};

void kinds_init(struct kinds *kinds);
void kinds_deinit(struct kinds *kinds);
/* Adds the kinds of an APIResourceList. Takes a reference to list. */
void kinds_add(struct kinds *kinds, json_t *list);

/* As people type it, in any case: "gateway", "gateways", "gtw", with ".GROUP" or ".VERSION.GROUP"
 * behind it. NULL: none. */
const struct kind_info *kinds_by_word(const struct kinds *kinds, struct str_view word);
/* "gateway.networking.k8s.io/v1", "Gateway" */
const struct kind_info *kinds_by_gvk(const struct kinds *kinds, struct str_view api_version,
				     struct str_view kind);
/* The plural that was meant by a word that is none; NULL: nothing is near. Borrowed. */
const char *kinds_meant(const struct kinds *kinds, struct str_view word);
/* The kind of this name or of one that is spelt alike, in whatever group; NULL: none. */
const struct kind_info *kinds_by_name(const struct kinds *kinds, struct str_view kind);
bool kind_in_category(const struct kind_info *kind, struct str_view category);

/* "gateway.gateway.networking.k8s.io", "service" */
void kind_label(const struct kind_info *kind, struct buf *out);
/* "gateway.networking.k8s.io/v1", "v1" */
void kind_api_version(const struct kind_info *kind, struct buf *out);

/* Path of a collection (name NULL) or an object below it, escaped; ns NULL: of all namespaces, or
 * cluster-scoped. sub: "status" or NULL. Heap. */
char *kind_path(const struct kind_info *kind, const char *ns, const char *name, const char *sub);
/* Adds "?key=value" or "&key=value", escaped, to a path on the heap; value NULL or "": nothing. */
void path_add(char **path, const char *key, const char *value);

#endif
