/* codec/yaml.h - YAML text (many documents) to JSON values and back
 *
 * Scalars as Kubernetes reads them (YAML 1.1 booleans: yes/no/on/off). Limits on aliases, depth,
 * size.
 */
#ifndef CODEC_YAML_H
#define CODEC_YAML_H

#include "codec/json.h"

#define YAML_TEXT_MAX    (8u << 20)
#define YAML_DEPTH_MAX   64
#define YAML_ALIASES_MAX 1000 /* nodes copied through aliases: no "billion laughs" */

/* A new JSON array with a value per document (empty documents are left out), or NULL; the sentence
 * names line and column. JSON text is YAML too: one call reads both. */
json_t *yaml_parse(struct str_view text, struct err *err);

/* YAML text of one value as kubectl -o yaml prints it: block style, two spaces, members sorted.
 * Strings that would read as something else are quoted. Heap; the caller frees. */
char *yaml_text(const json_t *value);

#endif
