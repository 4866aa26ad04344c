/* codec/json.h - JSON text in and out, and typed getters that name the path
 *
 * With yaml.h the only room that parses. Values are jansson's json_t everywhere in the control
 * thread; the data plane knows none.
 */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

#define JSON_TEXT_MAX   (8u << 20) /* bytes of one document */
#define JSON_DEPTH_MAX  64
#define JSON_VALUES_MAX 1000000u /* values in one document: "[[],[],…" costs 80 times its text */

void auto_json(json_t **value); /* AUTO(auto_json) json_t *v: json_decref */

/* New reference, or NULL. Duplicate members, NUL in strings, depth and size over the limits are
 * errors. */
json_t *json_parse(struct str_view text, struct err *err);
/* As json_parse, with a limit on depth only: for what our own daemon answers, lists above all. */
json_t *json_parse_answer(struct str_view text, struct err *err);
/* A new JSON array of the values that stand one after another in text, white space between them. */
json_t *json_parse_stream(struct str_view text, struct err *err);
/* Is a value that was put together (patched, merged) within what json_parse would read back? -1
 * with the limit that it is over. */
int json_check(const json_t *value, struct err *err);

/* Compact text; keys in insertion order (sorted when asked, so equal values give equal text). */
char *json_text(const json_t *value); /* heap; the caller frees */
char *json_text_sorted(const json_t *value);
char *json_text_indented(const json_t *value); /* four spaces, members sorted, as kubectl -o json */

/* Walks "spec.acme.server" or "spec.listeners.0.name"; borrowed, NULL when absent. Dots in keys:
 * json_member. */
json_t *json_at(const json_t *value, const char *path);
const json_t *json_member(const json_t *value, const char *key); /* NULL-safe json_object_get */

/* "" / fallback when absent or of another type; borrowed from the value. */
struct str_view json_sv_at(const json_t *value, const char *path);
const char *json_str_at(const json_t *value,
			const char *path); /* NULL when absent or not a string */
int64_t json_int_at(const json_t *value, const char *path, int64_t fallback);
bool json_bool_at(const json_t *value, const char *path, bool fallback);

/* Sets a value below a path, making objects on the way ("status.conditions"); takes child. A NULL
 * child removes the member. What stands in the way and is neither object nor array is replaced. */
void json_set_at(json_t *value, const char *path, json_t *child);
json_t *json_sv(struct str_view text); /* new string; invalid UTF-8 and NUL become U+FFFD */
json_t *json_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* new string */
/* NULL equals NULL; member order does not matter; 1 equals 1.0 (RFC 6902, section 4.6). */
bool json_same(const json_t *a, const json_t *b);
/* "an object" "a list" "a string" "a number" "a boolean" "null", for "expected a string, got …" */
const char *json_kind_words(const json_t *value);

#endif
