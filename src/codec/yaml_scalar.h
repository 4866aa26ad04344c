/* codec/yaml_scalar.h - what an unquoted YAML scalar means
 *
 * The rules of the YAML reader that Kubernetes uses: YAML 1.1 words for booleans (but not y and n),
 * 0x, 0o, 0b and leading-zero octal integers, underscores between digits. Private to this room.
 */
#ifndef CODEC_YAML_SCALAR_H
#define CODEC_YAML_SCALAR_H

#include "base/str.h"

enum scalar_kind {
	SCALAR_STRING,
	SCALAR_NULL,
	SCALAR_BOOL,
	SCALAR_INT,
	SCALAR_REAL,
	SCALAR_BEYOND /* a number, but one that JSON or 64 bits cannot hold */
};

struct scalar {
	enum scalar_kind kind;
	bool boolean;
	int64_t integer; /* a real without fraction, as 80.0 or 1e3, is an integer too */
	double real;
};

/* plain: the text without quotes around it; of a SCALAR_STRING that text is the value. */
struct scalar scalar_resolve(struct str_view plain);

/* Would the text, written without quotes, be read as something else than this string, by us or by a
 * reader of YAML 1.1 (y, n, 12:30, dates)? */
bool scalar_needs_quotes(struct str_view text);

#endif
