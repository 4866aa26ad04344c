/* base/enc.c - base64, base64url, hexadecimal, percent-encoding */
#include "base/enc.h"

static const char base64_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int hex_digit(char c)
{
	char lower = ascii_lower(c);

	if (ascii_is_digit(c))
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* One group: three bytes as four characters; a shorter one ends the text. */
static size_t encode_group(char out[4], struct str_view group, const char *alphabet)
{
	unsigned bits = 0;

	for (size_t i = 0; i < 3; i++)
		bits = bits << 8 | (i < group.len ? (unsigned char)group.data[i] : 0u);
	for (size_t i = 0; i < 4; i++)
		out[i] = alphabet[bits >> (18 - 6 * i) & 63u];
	return group.len + 1;
}

static bool encode(struct buf *out, struct str_view bytes, const char *alphabet, bool padding)
{
	size_t before = buf_len(out);

	for (; bytes.len > 0; bytes = sv_skip(bytes, 3)) {
		char text[4];
		size_t count = encode_group(text, sv_head(bytes, 3), alphabet);

		for (; padding && count < 4; count++)
			text[count] = '=';
		buf_add(out, sv_new(text, count));
	}
	if (out->spent)
		out->end = out->start + before;
	return !out->spent;
}

bool enc_base64(struct buf *out, struct str_view bytes)
{
	return encode(out, bytes, base64_alphabet, true);
}

bool enc_base64url(struct buf *out, struct str_view bytes)
{
	return encode(out, bytes, base64url_alphabet, false);
}

bool enc_hex(struct buf *out, struct str_view bytes)
{
	size_t before = buf_len(out);

	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char byte = (unsigned char)bytes.data[i];

		buf_addc(out, "0123456789abcdef"[byte >> 4]);
		buf_addc(out, "0123456789abcdef"[byte & 15]);
	}
	if (out->spent)
		out->end = out->start + before;
	return !out->spent;
}

static int base64_digit(char c, bool url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	if (c == (url ? '-' : '+'))
		return 62;
	return c == (url ? '_' : '/') ? 63 : -1;
}

/* What a decoder has read of a text: digits not yet written, and how it ended. */
struct base64_state {
	unsigned bits;
	size_t digits, pads; /* digits in all; '=' in all */
};

/* Takes one character; false: it may not stand there. */
static bool base64_take(struct base64_state *state, struct buf *out, char c, bool url)
{
	int digit = base64_digit(c, url);

	if (c == '=' && !url) {
		state->pads++;
		return true;
	}
	if (digit < 0 || state->pads > 0)
		return false;
	state->bits = state->bits << 6 | (unsigned)digit;
	state->digits++;
	if (state->digits % 4 != 1) /* each digit but the first of a group completes a byte */
		buf_addc(out, (char)(state->bits >> (6 - 2 * ((state->digits - 1) % 4)) & 0xff));
	return true;
}

/* Padding as long as needed, and the bits behind the last byte are zero: one text for each value.
 */
static bool base64_ended(const struct base64_state *state, bool url)
{
	size_t over = state->digits % 4;

	if (over == 1 || (state->bits & (over == 2 ? 15u : over == 3 ? 3u : 0u)) != 0)
		return false;
	return state->pads == (url || over == 0 ? 0 : 4 - over);
}

static bool decode(struct buf *out, struct str_view text, bool url)
{
	struct base64_state state = {0};
	size_t before = buf_len(out);
	bool good = true;

	for (size_t i = 0; i < text.len && good; i++) {
		char c = text.data[i];

		if (url || (c != '\r' && c != '\n'))
			good = base64_take(&state, out, c, url);
	}
	good = good && base64_ended(&state, url) && !out->spent;
	if (!good)
		out->end = out->start + before;
	return good;
}

bool dec_base64(struct buf *out, struct str_view text)
{
	return decode(out, text, false);
}

bool dec_base64url(struct buf *out, struct str_view text)
{
	return decode(out, text, true);
}

bool enc_percent(struct buf *out, struct str_view bytes)
{
	size_t before = buf_len(out);

	for (size_t i = 0; i < bytes.len; i++) {
		char c = bytes.data[i];

		if (ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~')
			buf_addc(out, c);
		else
			buf_addf(out, "%%%02X", (unsigned char)c);
	}
	if (out->spent)
		out->end = out->start + before;
	return !out->spent;
}

/* The byte of "%41" at the front of the text; -1: broken, or NUL. */
static int percent_byte(struct str_view text)
{
	int high = text.len < 3 ? -1 : hex_digit(text.data[1]);
	int low = text.len < 3 ? -1 : hex_digit(text.data[2]);

	return high < 0 || low < 0 || high + low == 0 ? -1 : high << 4 | low;
}

bool dec_percent(struct buf *out, struct str_view text)
{
	size_t before = buf_len(out);
	bool good = true;

	while (text.len > 0 && good) {
		bool escape = text.data[0] == '%';
		int byte = escape ? percent_byte(text) : text.data[0];

		good = escape ? byte > 0 : byte != 0;
		if (good)
			buf_addc(out, (char)byte);
		text = sv_skip(text, escape ? 3 : 1);
	}
	good = good && !out->spent;
	if (!good)
		out->end = out->start + before;
	return good;
}
