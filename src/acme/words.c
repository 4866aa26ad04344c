#include "acme/words.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

static bool is_unfit(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c || code == 0x200e ||
	       code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

/* Puts the mark of a cut text at the end of what is there, on a character's border. */
static void mark_cut(char *out, size_t size, size_t used)
{
	if (size < 4)
		return;
	if (used > size - 4)
		used = size - 4;
	while (used > 0 && ((unsigned char)out[used] & 0xc0) == 0x80)
		used--;
	memcpy(out + used, "...", 4);
}

void words_add(char *out, size_t size, struct str_view text)
{
	size_t used = strlen(out);

	while (text.len > 0) {
		uint32_t code;
		size_t len = utf8_first(text, &code);
		const char *from = text.data;
		size_t count = len;

		if (len == 0 || is_unfit(code)) {
			bool space = code == '\n' || code == '\r' || code == '\t';

			from = len == 1 && space ? " " : "?";
			count = 1;
		}
		if (used + count >= size) {
			mark_cut(out, size, used);
			return;
		}
		memcpy(out + used, from, count);
		used += count;
		out[used] = '\0';
		text = sv_skip(text, len == 0 ? 1 : len);
	}
}

void words_add_page(char *out, size_t size, struct str_view page)
{
	bool in_tag = false, gap = false;
	size_t start = 0;

	for (size_t i = 0; i <= page.len; i++) {
		char c = i < page.len ? page.data[i] : '\0';
		bool is_word = !in_tag && i < page.len && c != '<' && strchr(" \t\r\n", c) == NULL;

		if (!is_word && i > start) {
			words_add(out, size, gap ? SV(" ") : SV_NONE);
			words_add(out, size, sv_new(page.data + start, i - start));
			gap = true;
		}
		if (!is_word)
			start = i + 1;
		in_tag = in_tag ? c != '>' : c == '<';
	}
}

void words_addf(char *out, size_t size, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	words_add(out, size, sv_from(text));
}
