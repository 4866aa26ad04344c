/* base/utf8.c - characters of UTF-8 (RFC 3629, section 4) */
#include "base/utf8.h"

/* What the first byte says; 0: none begins with it. */
static size_t announced(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xC2 || first > 0xF4)
		return 0;
	return first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/* 0: a byte does not go on with it, or it is an overlong form, a surrogate or beyond U+10FFFF. */
static size_t decode(struct str_view text, size_t len, uint32_t *code)
{
	static const uint32_t least[] = {[2] = 0x80, [3] = 0x800, [4] = 0x10000};
	uint32_t value = (unsigned char)text.data[0] & (0x7Fu >> len);

	for (size_t i = 1; i < len; i++) {
		unsigned char next = (unsigned char)text.data[i];

		if ((next & 0xC0) != 0x80)
			return 0;
		value = value << 6 | (next & 0x3Fu);
	}
	if (value < least[len] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
		return 0;
	*code = value;
	return len;
}

size_t utf8_first(struct str_view text, uint32_t *code)
{
	uint32_t value = (unsigned char)text.data[0];
	size_t len = announced((unsigned char)text.data[0]);

	if (len > text.len)
		len = 0;
	if (len > 1)
		len = decode(text, len, &value);
	if (code != NULL)
		*code = value;
	return len;
}
