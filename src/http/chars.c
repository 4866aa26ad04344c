/* http/chars.c - which byte may stand where */
#include "http/chars.h"

#define T CHAR_TOKEN
#define V CHAR_VALUE
#define P CHAR_PATH
#define Q CHAR_QUERY
#define H CHAR_HOST
#define U CHAR_PLAIN
#define D CHAR_QDTEXT

#define WORD (T | V | P | Q | H | U | D)

const uint8_t char_classes[256] = {
	['\t'] = V | D,
	[' '] = V | D,
	['!'] = T | V | P | Q | D,
	['"'] = V | Q,
	['#'] = T | V | D,
	['$'] = T | V | P | Q | D,
	['%'] = T | V | D,
	['&'] = T | V | P | Q | D,
	['\''] = T | V | P | Q | D,
	['('] = V | P | Q | D,
	[')'] = V | P | Q | D,
	['*'] = T | V | P | Q | D,
	['+'] = T | V | P | Q | D,
	[','] = V | P | Q | D,
	['-'] = WORD,
	['.'] = WORD,
	['/'] = V | Q | D,
	['0' ... '9'] = WORD,
	[':'] = V | P | Q | D,
	[';'] = V | P | Q | D,
	['<'] = V | Q | D,
	['='] = V | P | Q | D,
	['>'] = V | Q | D,
	['?'] = V | Q | D,
	['@'] = V | P | Q | D,
	['A' ... 'Z'] = WORD | CHAR_UPPER,
	['['] = V | P | Q | D,
	['\\'] = V | Q,
	[']'] = V | P | Q | D,
	['^'] = T | V | P | Q | D,
	['_'] = WORD,
	['`'] = T | V | P | Q | D,
	['a' ... 'z'] = WORD,
	['{'] = V | P | Q | D,
	['|'] = T | V | P | Q | D,
	['}'] = V | P | Q | D,
	['~'] = WORD,
	[0x80 ... 0xff] = V | D,
};

bool chars_all(struct str_view view, enum char_class class_bit)
{
	for (size_t i = 0; i < view.len; i++) {
		if (!char_is(view.data[i], class_bit))
			return false;
	}
	return true;
}
